"""Tensors: the user's view of the graph, with PyTorch's autograd around it."""

from gradcli.tensor.size import Size
from gradcli.tensor.tensor import Tensor

for _class in (Tensor, Size):
    _class.__module__ = "torch"  # what `print(type(x))` shows

__all__ = ["Tensor"]

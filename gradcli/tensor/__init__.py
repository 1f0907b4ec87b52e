"""Tensors: the user's view of the graph, with PyTorch's autograd around it."""

from gradcli.tensor.tensor import Tensor

__all__ = ["Tensor"]

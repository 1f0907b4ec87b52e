"""PyTorch's constructors of old: `torch.FloatTensor(...)`, `tensor.new(...)`.

Constraints: whole numbers and a `torch.Size` are sizes, a list is the elements.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.create import made, shape_of, tensor
from gradcli.graph.dtype import DType, as_dtype, default
from gradcli.graph.node import constant
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite
from gradcli.tensor.size import Size


@composite("Tensor.new")
def new(self: Any, *data: Any) -> Any:
    """A tensor of the same dtype, of a list or of the given sizes; PyTorch's method of old."""
    return _of_old(self.dtype, data)


def _of_old(kind: DType, data: tuple[Any, ...]) -> Any:
    if len(data) == 1 and isinstance(data[0], Tensor):
        return data[0].detach().to(kind)
    if len(data) == 1 and isinstance(data[0], (list, tuple)) and not isinstance(data[0], Size):
        return tensor(data[0], dtype=kind)
    if len(data) == 1 and isinstance(data[0], (float, complex, bool)):
        raise GradcliError(
            "G013",
            f"new(): data must be a sequence (got {type(data[0]).__name__})",
            help="torch.tensor(...) makes a tensor of a number",
            kind=TypeError,
        )
    return made(constant(0, kind, shape_of(data or (0,), kind)))


def _old_style(name: str, dtype: str | None) -> None:
    @composite(name, method=False)
    def construct(*data: Any) -> Any:
        if dtype is None and len(data) == 1 and isinstance(data[0], Tensor):
            return data[0].detach()
        return _of_old(default.dtype if dtype is None else as_dtype(dtype), data)

    construct.doc = "A tensor of a list, or of the given sizes; PyTorch's constructor of old."


for _name, _dtype in (
    *(("FloatTensor", "float32"), ("DoubleTensor", "float64"), ("HalfTensor", "float16")),
    *(("LongTensor", "int64"), ("IntTensor", "int32"), ("ShortTensor", "int16")),
    *(("CharTensor", "int8"), ("ByteTensor", "uint8"), ("BoolTensor", "bool")),
    ("BFloat16Tensor", "bfloat16"),
):
    _old_style(_name, _dtype)

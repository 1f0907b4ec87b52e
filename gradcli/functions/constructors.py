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


def of_default(*sizes: Any, data: Any = None, device: Any = None) -> Any:
    """What `torch.Tensor(...)` makes: another view of a tensor, numbers of the default dtype."""
    given = sizes if data is None else (data,)
    if len(given) == 1 and isinstance(given[0], Tensor):
        return given[0][...]
    return _of_old(default.dtype, given)


def _of_old(kind: DType, data: tuple[Any, ...]) -> Any:
    first = data[0] if len(data) == 1 else None
    if isinstance(first, Tensor):
        if first.dtype is not kind:
            raise GradcliError(
                "G025",
                f"expected a tensor of {kind.name}, but found {first.dtype.name}",
                help=f"x.to(torch.{kind.name}) converts it",
                kind=TypeError,
            )
        return first[...]
    if isinstance(first, (list, tuple, range)) and not isinstance(first, Size):
        return tensor(list(first), dtype=kind)
    if isinstance(first, (float, complex, bool)) or data == (None,):
        raise GradcliError(
            "G013",
            f"new(): data must be a sequence (got {type(first).__name__})",
            help="torch.tensor(...) makes a tensor of a number",
            kind=TypeError,
        )
    return made(constant(0, kind, shape_of(data or (0,), kind)))


def _old_style(name: str, dtype: str) -> None:
    @composite(name, method=False)
    def construct(*data: Any) -> Any:
        return _of_old(as_dtype(dtype), data)

    construct.doc = "A tensor of a list, or of the given sizes; PyTorch's constructor of old."


for _name, _dtype in (
    *(("FloatTensor", "float32"), ("DoubleTensor", "float64"), ("HalfTensor", "float16")),
    *(("LongTensor", "int64"), ("IntTensor", "int32"), ("ShortTensor", "int16")),
    *(("CharTensor", "int8"), ("ByteTensor", "uint8"), ("BoolTensor", "bool")),
    ("BFloat16Tensor", "bfloat16"),
):
    _old_style(_name, _dtype)

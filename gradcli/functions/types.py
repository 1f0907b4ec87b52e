"""Names that are no functions of tensors: dtypes, types, constants, questions about tensors.

Constraints: what a script can ask about a tensor without computing it.
"""

from __future__ import annotations

import math
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.devices import CPU, Device
from gradcli.graph.dtype import (
    ALIASES,
    DTYPES,
    DType,
    as_dtype,
    bfloat16,
    default,
    promote_pair,
    result_type,
)
from gradcli.graph.shape import numel, own_axis
from gradcli.tensor import Tensor, layout, registry
from gradcli.tensor.function import Function, composite
from gradcli.tensor.inference import is_inference
from gradcli.tensor.kinds import Value
from gradcli.tensor.named import Named
from gradcli.tensor.size import Size

BFLOAT16 = {
    **{"bits": 16, "eps": 2.0**-7, "dtype": "bfloat16", "resolution": 0.01},
    **{"max": (2 - 2.0**-7) * 2.0**127, "min": -(2 - 2.0**-7) * 2.0**127},
    **{"tiny": 2.0**-126, "smallest_normal": 2.0**-126},
}
"""The limits of the type that NumPy lacks."""


class FInfo:
    """The limits of a floating-point dtype."""

    def __init__(self, type: Any = None) -> None:
        import numpy as np

        kind = default.dtype if type is None else as_dtype(type)
        if not kind.differentiable:
            raise GradcliError(
                "G025",
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                "'torch.finfo'",
                kind=TypeError,
            )
        if kind is bfloat16:
            self.__dict__.update(BFLOAT16)
            return
        known = np.finfo(kind.to_real().name)
        self.bits = int(known.bits)
        self.eps = float(known.eps)
        self.max = float(known.max)
        self.min = float(known.min)
        self.tiny = self.smallest_normal = float(known.tiny)
        self.resolution = 10.0**-known.precision
        self.dtype = kind.to_real().name

    def __repr__(self) -> str:
        fields = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        said = ", ".join(f"{f}={getattr(self, f):g}" for f in fields)
        return f"finfo({said}, dtype={self.dtype})"


class IInfo:
    """The limits of an integer dtype."""

    def __init__(self, type: Any) -> None:
        kind = as_dtype(type)
        if kind.differentiable or kind.name == "bool":
            raise GradcliError(
                "G025",
                "torch.iinfo() requires an integer input type. Use torch.finfo to handle "
                "'torch.iinfo'",
                kind=TypeError,
            )
        self.bits = kind.itemsize * 8
        self.min = -(1 << (self.bits - 1)) if kind.signed else 0
        self.max = (1 << (self.bits - (1 if kind.signed else 0))) - 1
        self.dtype = kind.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


for _name, _dtype in {**DTYPES, **ALIASES}.items():
    registry.register(f"torch.{_name}", _dtype)
for _name, _value in {
    **{"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan, "newaxis": None},
    **{"Tensor": Tensor, "Size": Size, "dtype": DType, "device": Device},
    **{"finfo": FInfo, "iinfo": IInfo},
}.items():
    registry.register(f"torch.{_name}", _value)


def set_default_dtype(d: Any) -> None:
    """Sets the dtype of floating-point numbers without a dtype."""
    if not isinstance(d, DType):
        raise not_a_default("dtype")
    if not d.is_floating_point:
        raise GradcliError(
            "G025",
            "only floating-point types are supported as the default type",
            kind=TypeError,
        )
    default.dtype = d


def not_a_default(what: str) -> GradcliError:
    """G025 for an object of which no default dtype can be taken."""
    return GradcliError(
        "G025",
        f"invalid {what} object: only floating-point types are supported as the default type",
        kind=TypeError,
    )


def get_default_dtype() -> DType:
    """The dtype of floating-point numbers without a dtype."""
    return default.dtype


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: float | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """How tensors are printed; a profile is default, short or full."""
    from gradcli.tensor import text

    text.set_printoptions(precision, threshold, edgeitems, linewidth, profile, sci_mode)


def promote_types(type1: DType, type2: DType) -> DType:
    """The dtype that both convert to."""
    return promote_pair(type1, type2)


def is_tensor(obj: Any) -> bool:
    """Whether it is a tensor."""
    return isinstance(obj, Tensor)


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that all broadcast to."""
    from gradcli.graph.shape import broadcast

    return Size(broadcast(*(tuple(s) if isinstance(s, (list, tuple)) else (s,) for s in shapes)))


def can_cast(from_: DType, to: DType) -> bool:
    """Whether values of one dtype may be stored in place in tensors of another."""
    return to.category >= from_.category


for _entry in (
    *(set_default_dtype, get_default_dtype, set_printoptions, promote_types, is_tensor),
    *(broadcast_shapes, can_cast),
):
    registry.register(f"torch.{_entry.__name__}", _entry)


_SCALARS = {"scalar": "tensor2: Number", "scalar1": "tensor1: Number", "scalar2": "tensor2: Number"}


@composite(
    Named("result_type", tensor="tensor1: Tensor", other="tensor2", **_SCALARS), method=False
)
def _result_type(tensor1: Value, tensor2: Value) -> DType:
    """The dtype of an operation on both."""
    values = (tensor1, tensor2)
    tensors = [(v.dtype, tuple(v.shape)) for v in values if isinstance(v, Tensor)]
    return result_type(tensors, [v for v in values if not isinstance(v, Tensor)])


# -- questions about a tensor


def _question(*names: str, answer: Any, words: str) -> None:
    @composite(*names)
    def question(input: Any) -> Any:
        return answer(input)

    question.doc = words


for _names, _answer, _words in (
    (["numel"], lambda x: numel(x.shape), "The number of elements."),
    (["Tensor.nelement"], lambda x: numel(x.shape), "The number of elements."),
    (["Tensor.dim", "Tensor.ndimension"], lambda x: len(x.shape), "The number of dims."),
    (["Tensor.element_size"], lambda x: x.dtype.itemsize, "Bytes of one element."),
    (
        ["is_floating_point"],
        lambda x: x.dtype.is_floating_point,
        "Whether it is real and floating.",
    ),
    (["is_complex"], lambda x: x.dtype.is_complex, "Whether it is complex."),
    (["is_signed"], lambda x: x.dtype.is_signed, "Whether it can hold negative numbers."),
    (["Tensor.storage_offset"], layout.offset_of, "Elements of the memory before its first one."),
    (["get_device"], lambda x: -1, "-1: it is in the machine's memory."),
    (["is_inference"], is_inference, "Whether it was made in a block of `inference_mode`."),
    (["Tensor.is_pinned", "Tensor.is_shared"], lambda x: False, "False."),
):
    _question(*_names, answer=_answer, words=_words)


def _base_of(x: Tensor) -> Tensor | None:
    return None if x._view is None else x._view.base


@composite("is_nonzero")
def is_nonzero(input: Any) -> bool:
    """Whether the only element is not zero."""
    count = numel(input.shape)
    if count != 1:
        what = "no values" if count == 0 else "more than one value"
        raise GradcliError("G014", f"Boolean value of Tensor with {what} is ambiguous")
    return bool(input.item())


@composite("is_same_size")
def is_same_size(input: Any, other: Any) -> bool:
    """Whether both have the same shape."""
    return bool(input.shape == other.shape)


@composite("Tensor.size")
def size(input: Any, dim: int | None = None) -> Any:
    """The shape, or the length of one dim."""
    return input.shape if dim is None else input.shape[own_axis(dim, len(input.shape))]


@composite("Tensor.stride")
def stride(input: Any, dim: int | None = None) -> Any:
    """The distance in memory between neighbours, along each dim or one."""
    strides = layout.strides_of(input)
    return strides if dim is None else strides[own_axis(dim, len(input.shape))]


@composite("Tensor.is_contiguous")
def is_contiguous(input: Any, memory_format: Any = None) -> bool:
    """Whether the elements lie in memory in order."""
    return layout.is_contiguous(input)


@composite("Tensor.data_ptr")
def data_ptr(input: Any) -> int:
    """A number that tensors with the same first element in the same memory share."""
    return id(input.memory) * 16 + layout.offset_of(input) * int(input.dtype.itemsize)


registry.METHODS["_is_view"] = Function(
    "_is_view", lambda input: _base_of(input) is not None, on_nodes=False
)


class Layout:
    """How elements lie in memory: always strided here."""

    def __repr__(self) -> str:
        return "torch.strided"


class MemoryFormat:
    """An order of elements in memory: the one that a tensor has, or the natural one."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"


STRIDED = Layout()
registry.register("torch.strided", STRIDED)
for _name in ("preserve_format", "contiguous_format"):
    registry.register(f"torch.{_name}", MemoryFormat(_name))
for _name, _get in {
    "device": lambda x: CPU,
    "layout": lambda x: STRIDED,
    "itemsize": lambda x: x.dtype.itemsize,
    "nbytes": lambda x: x.dtype.itemsize * numel(x.shape),
    "retains_grad": lambda x: x.autograd.retain is not None,
    "output_nr": lambda x: getattr(x.node.call, "output", 0),
    "_base": _base_of,
    **dict.fromkeys(("is_cuda", "is_mps", "is_sparse", "is_quantized", "is_meta"), lambda x: False),
    "is_cpu": lambda x: True,
}.items():
    registry.METHODS[_name] = property(_get)

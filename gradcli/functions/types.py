"""Names that are no functions of tensors: dtypes, types, constants, questions about tensors.

Constraints: what a script can ask about a tensor without computing it.
"""

from __future__ import annotations

import math
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import ALIASES, DTYPES, DType, as_dtype, default, promote_pair, result_type
from gradcli.graph.shape import axis_from_right, numel
from gradcli.tensor import Tensor, registry
from gradcli.tensor.function import composite
from gradcli.tensor.tensor import Size


class Device:
    """Where a tensor lives: always the machine's memory, until a backend says otherwise."""

    def __init__(self, type: str = "cpu", index: int | None = None) -> None:
        name, _, number = str(type).partition(":")
        self.type = name
        self.index = int(number) if number.isdigit() else index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"


CPU = Device()


class FInfo:
    """The limits of a floating-point dtype."""

    def __init__(self, dtype: Any = None) -> None:
        import numpy as np

        kind = default.dtype if dtype is None else as_dtype(dtype)
        if not kind.differentiable:
            raise GradcliError(
                "G025",
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                "'torch.finfo'",
                kind=TypeError,
            )
        known = np.finfo(kind.to_real().name)
        self.bits = int(known.bits)
        self.eps = float(known.eps)
        self.max = float(known.max)
        self.min = float(known.min)
        self.tiny = self.smallest_normal = float(known.tiny)
        self.resolution = float(known.resolution)
        self.dtype = kind.to_real().name

    def __repr__(self) -> str:
        fields = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        said = ", ".join(f"{f}={getattr(self, f):g}" for f in fields)
        return f"finfo({said}, dtype={self.dtype})"


class IInfo:
    """The limits of an integer dtype."""

    def __init__(self, dtype: Any) -> None:
        kind = as_dtype(dtype)
        self.bits = kind.itemsize * 8
        self.min = -(1 << (self.bits - 1)) if kind.signed else 0
        self.max = (1 << (self.bits - (1 if kind.signed else 0))) - 1
        self.dtype = kind.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


for _name, _dtype in {**DTYPES, **ALIASES}.items():
    registry.register(f"torch.{_name}", _dtype)
for _name, _value in {
    **{"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan, "newaxis": None},
    **{"Tensor": Tensor, "Size": Size, "dtype": DType, "device": Device},
    **{"finfo": FInfo, "iinfo": IInfo, "autograd.Variable": lambda data, requires_grad=False: data},
}.items():
    registry.register(f"torch.{_name}", _value)


def _generator(device: Any = "cpu") -> Any:
    from gradcli.tensor.random import Generator

    return Generator()


registry.register("torch.Generator", _generator)


def set_default_dtype(d: Any) -> None:
    """Sets the dtype of floating-point numbers without a dtype."""
    kind = as_dtype(d)
    if not kind.is_floating_point:
        raise GradcliError(
            "G025",
            "only floating-point types are supported as the default type",
            kind=TypeError,
        )
    default.dtype = kind


def get_default_dtype() -> DType:
    """The dtype of floating-point numbers without a dtype."""
    return default.dtype


def set_printoptions(**options: Any) -> None:
    """How tensors are printed: precision, threshold, edgeitems, linewidth, profile, sci_mode."""
    from gradcli.tensor import text

    text.set_printoptions(**options)


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


def get_rng_state() -> Tensor:
    """The state of the random streams."""
    from gradcli.functions.create import from_array
    from gradcli.tensor.random import default_generator

    return from_array(default_generator.get_state())


def set_rng_state(new_state: Tensor) -> None:
    """Puts the random streams back to a state."""
    from gradcli.tensor.random import default_generator

    default_generator.set_state(new_state.array())


for _entry in (
    *(set_default_dtype, get_default_dtype, set_printoptions, promote_types, is_tensor),
    *(broadcast_shapes, get_rng_state, set_rng_state),
):
    registry.register(f"torch.{_entry.__name__}", _entry)


@composite("result_type", method=False)
def _result_type(tensor1: Any, tensor2: Any) -> DType:
    """The dtype of an operation on both."""
    values = (tensor1, tensor2)
    tensors = [(v.dtype, tuple(v.shape)) for v in values if isinstance(v, Tensor)]
    return result_type(tensors, [v for v in values if not isinstance(v, Tensor)])


@composite("numel")
def _numel(input: Any) -> int:
    """The number of elements."""
    return numel(input.shape)


@composite("is_floating_point")
def is_floating_point(input: Any) -> bool:
    """Whether the dtype is real floating-point."""
    return bool(input.dtype.is_floating_point)


@composite("is_complex")
def is_complex(input: Any) -> bool:
    """Whether the dtype is complex."""
    return bool(input.dtype.is_complex)


@composite("Tensor.size")
def size(input: Any, dim: int | None = None) -> Any:
    """The shape, or the length of one dim."""
    return input.shape if dim is None else input.shape[axis_from_right(dim, len(input.shape))]


@composite("Tensor.dim", "Tensor.ndimension")
def dim(input: Any) -> int:
    """The number of dims."""
    return len(input.shape)


@composite("Tensor.nelement")
def nelement(input: Any) -> int:
    """The number of elements."""
    return numel(input.shape)


@composite("Tensor.element_size")
def element_size(input: Any) -> int:
    """Bytes of one element."""
    return int(input.dtype.itemsize)


@composite("Tensor.is_contiguous")
def is_contiguous(input: Any) -> bool:
    """True: gradcli has no memory layout."""
    return True


for _name, _get in {
    "device": lambda x: CPU,
    "is_cuda": lambda x: False,
    "layout": lambda x: "torch.strided",
    "itemsize": lambda x: x.dtype.itemsize,
    "nbytes": lambda x: x.dtype.itemsize * numel(x.shape),
    "_base": lambda x: x._base,
    "names": lambda x: (None,) * len(x.shape),
}.items():
    registry.METHODS.setdefault(_name, property(_get))

"""Element types and PyTorch's promotion rules.

Constraints: no array library; a dtype is one object per name, compared by identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from struct import pack, unpack

from gradcli.errors import GradcliError

BOOL, INTEGER, FLOATING, COMPLEX = range(4)
"""The categories of dtypes, in the order in which they win a promotion."""


class DType:
    """An element type under PyTorch's name: `name`, `category`, `itemsize` in bytes, `signed`.

    Attributes:
        wider: of a type of half the width, that in which PyTorch computes before it rounds.
        bare: an unsigned type that PyTorch stores, and computes little with.
        rare: one of these.
    """

    __slots__ = ("bare", "category", "itemsize", "name", "rare", "signed", "wider")

    def __init__(
        self,
        name: str,
        category: int,
        itemsize: int,
        signed: bool = True,
        wider: DType | None = None,
        bare: bool = False,
    ) -> None:
        self.name = name
        self.category = category
        self.itemsize = itemsize
        self.signed = signed
        self.wider = wider
        self.bare = bare
        self.rare = bare or wider is not None

    @property
    def is_floating_point(self) -> bool:
        """Whether it is a real floating-point type."""
        return self.category == FLOATING

    @property
    def is_complex(self) -> bool:
        """Whether it is a complex type."""
        return self.category == COMPLEX

    @property
    def is_signed(self) -> bool:
        """Whether it has negative numbers."""
        return self.signed

    @property
    def differentiable(self) -> bool:
        """Whether values of it can require a gradient."""
        return self.category >= FLOATING

    def to_real(self) -> DType:
        """The type of the real part: itself, unless complex."""
        return _REAL.get(self, self)

    def to_complex(self) -> DType:
        """The complex type whose parts are this floating-point type."""
        return self if self.is_complex else _COMPLEX.get(self, complex64)

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[Callable[[str], DType], tuple[str]]:
        return named, (self.name,)


def named(name: str) -> DType:
    """The dtype of that name."""
    return DTYPES[name]


DType.__module__, DType.__name__, DType.__qualname__ = "torch", "dtype", "dtype"

bool_ = DType("bool", BOOL, 1, signed=False)
uint8 = DType("uint8", INTEGER, 1, signed=False)
int8 = DType("int8", INTEGER, 1)
int16 = DType("int16", INTEGER, 2)
int32 = DType("int32", INTEGER, 4)
int64 = DType("int64", INTEGER, 8)
uint16 = DType("uint16", INTEGER, 2, signed=False, bare=True)
uint32 = DType("uint32", INTEGER, 4, signed=False, bare=True)
uint64 = DType("uint64", INTEGER, 8, signed=False, bare=True)
float32 = DType("float32", FLOATING, 4)
float16 = DType("float16", FLOATING, 2, wider=float32)
bfloat16 = DType("bfloat16", FLOATING, 2, wider=float32)
float64 = DType("float64", FLOATING, 8)
complex64 = DType("complex64", COMPLEX, 8)
complex32 = DType("complex32", COMPLEX, 4, wider=complex64)
complex128 = DType("complex128", COMPLEX, 16)

DTYPES: dict[str, DType] = {
    dtype.name: dtype
    for dtype in (
        *(bool_, uint8, int8, int16, int32, int64, uint16, uint32, uint64),
        *(float16, bfloat16, float32, float64, complex32, complex64, complex128),
    )
}
ALIASES: dict[str, DType] = {
    **{"half": float16, "float": float32, "double": float64},
    **{"short": int16, "int": int32, "long": int64},
    **{"chalf": complex32, "cfloat": complex64, "cdouble": complex128},
}
"""PyTorch's other names for dtypes."""

SCALAR_TYPES: dict[DType, str] = {
    **{bool_: "Bool", uint8: "Byte", int8: "Char", int16: "Short", int32: "Int", int64: "Long"},
    **{uint16: "UInt16", uint32: "UInt32", uint64: "UInt64"},
    **{float16: "Half", bfloat16: "BFloat16", float32: "Float", float64: "Double"},
    **{complex32: "ComplexHalf", complex64: "ComplexFloat", complex128: "ComplexDouble"},
}
"""What PyTorch's error messages call the dtypes."""
C_TYPES: dict[DType, str] = {
    **{bool_: "bool", uint8: "unsigned char", int8: "signed char", int16: "short int"},
    **{int32: "int", int64: "long int", uint16: "short unsigned int", uint32: "unsigned int"},
    **{uint64: "long unsigned int", float16: "c10::Half", bfloat16: "c10::BFloat16"},
    **{float32: "float", float64: "double", complex32: "c10::complex<c10::Half>"},
    **{complex64: "c10::complex<float>", complex128: "c10::complex<double>"},
}
"""The element types of C++ that PyTorch's messages name where a kernel asks for another dtype."""

HALVES = (float16, bfloat16)
NARROW = (BOOL, INTEGER, *HALVES)
"""What LAPACK has no routines for."""
SMALL_INTEGERS = (uint8, int8, int16, int32)

_COMPLEX = {float16: complex32, bfloat16: complex64, float32: complex64, float64: complex128}
_REAL = {complex32: float16, complex64: float32, complex128: float64}
LARGEST = {
    **{float16: 65504.0, bfloat16: 3.3895313892515355e38, float32: 3.4028234663852886e38},
    float64: 1.7976931348623157e308,
}
"""The largest number of each floating-point type."""


class _Default:
    """The dtype of floating-point literals; `torch.set_default_dtype` and `--dtype` set it."""

    __slots__ = ("dtype",)

    def __init__(self) -> None:
        self.dtype = float32


default = _Default()


def nearest(value: complex, half: DType) -> complex:
    """The number of half the width that is nearest to a number, ties to even."""
    if isinstance(value, complex) or half.is_complex or not -inf < value < inf:
        return value
    try:
        (bits,) = unpack("I", pack("f", value))
        if half is float16:
            return unpack("e", pack("e", unpack("f", pack("f", value))[0]))[0]
    except OverflowError:
        return inf * value
    kept = bits + 0x7FFF + (bits >> 16 & 1) & 0xFFFF0000
    return unpack("f", pack("I", kept))[0]


def promote_pair(a: DType, b: DType) -> DType:
    """The smallest type that PyTorch converts both to (`torch.promote_types`).

    Raises:
        GradcliError: G025 for an unsigned type that PyTorch only stores beside any but a
            floating-point one.
    """
    if a is b:
        return a
    low, high = (a, b) if a.category <= b.category else (b, a)
    if low.bare or high.bare:
        if high.category != FLOATING:
            raise GradcliError(
                "G025",
                "Promotion for uint16, uint32, uint64 types is not supported, attempted to "
                f"promote {SCALAR_TYPES[a]} and {SCALAR_TYPES[b]}",
                help="convert it: .long()",
            )
        return high
    if low.category != high.category:
        if high.category == COMPLEX and low.category == FLOATING:
            return promote_pair(low.to_complex(), high)
        return high
    if low.category == INTEGER and low.signed != high.signed:
        signed, unsigned = (low, high) if low.signed else (high, low)
        return int16 if signed.itemsize <= unsigned.itemsize else signed
    if low.itemsize == high.itemsize and low.wider is not None:
        return low.wider
    return low if low.itemsize > high.itemsize else high


def of_number(value: object) -> DType:
    """The dtype of a Python number where nothing else decides: bool, int64, the default dtype."""
    if isinstance(value, bool):
        return bool_
    if isinstance(value, int):
        return int64
    if isinstance(value, complex):
        return default.dtype.to_complex()
    return default.dtype


def result_type(
    tensors: Iterable[tuple[DType, tuple[int, ...]]], numbers: Iterable[object] = ()
) -> DType:
    """The dtype of an operation on tensors (dtype, shape) and Python numbers, as in PyTorch.

    Tensors with dimensions outrank 0-dim tensors, which outrank Python numbers; a lower rank counts
    only when its category is higher.
    """
    dimensioned: DType | None = None
    scalars: DType | None = None
    for dtype, shape in tensors:
        if shape:
            dimensioned = dtype if dimensioned is None else promote_pair(dimensioned, dtype)
        else:
            scalars = dtype if scalars is None else promote_pair(scalars, dtype)
    wrapped: DType | None = None
    for number in numbers:
        kind = of_number(number)
        wrapped = kind if wrapped is None else promote_pair(wrapped, kind)
    result = dimensioned
    for lower in (scalars, wrapped):
        if lower is not None:
            result = _outrank(result, lower)
    return default.dtype if result is None else result


def _outrank(result: DType | None, lower: DType) -> DType:
    if result is None:
        return lower
    if lower.category <= result.category:
        return result
    if lower.category == COMPLEX and result.category == FLOATING:
        return result.to_complex()
    return promote_pair(result, lower)


def as_dtype(value: object) -> DType:
    """A dtype from itself, its name, or Python's `float`, `int`, `bool`, `complex`."""
    if isinstance(value, DType):
        return value
    by_class = {float: float64, int: int64, bool: bool_, complex: complex128}
    if isinstance(value, type) and value in by_class:
        return by_class[value]
    if isinstance(value, str):
        name = value.removeprefix("torch.")
        found = DTYPES.get(name) or ALIASES.get(name)
        if found is not None:
            return found
    raise GradcliError(
        "G025",
        f"dtype must be a torch.dtype, not {value!r}",
        help=f"the dtypes are {', '.join(DTYPES)}",
        kind=TypeError,
    )


def of_tensor_type(kind: object) -> DType | None:
    """The dtype of `torch.LongTensor` or `"torch.LongTensor"`; None of what is no such type."""
    name = kind if isinstance(kind, str) else f"torch.{getattr(kind, '__name__', '')}"
    return {f"torch.{word}Tensor": dtype for dtype, word in SCALAR_TYPES.items()}.get(name)

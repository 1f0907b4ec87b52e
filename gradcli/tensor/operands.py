"""Arguments of functions as nodes: tensors, numbers, and the dtype that PyTorch computes them in.

Constraints: no values are computed; a number becomes a 0-dim constant.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import inf
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import (
    BOOL,
    FLOATING,
    INTEGER,
    LARGEST,
    SCALAR_TYPES,
    DType,
    complex64,
    default,
    int64,
    nearest,
    of_number,
    result_type,
)
from gradcli.graph.node import SHARED, Node, current
from gradcli.graph.op import FULL
from gradcli.ops.elementwise import cast, widen


def tensor_operand(value: Any) -> Node:
    """A tensor argument: its node; a Python number becomes a 0-dim tensor.

    Raises:
        GradcliError: G014 for anything else.
    """
    if isinstance(value, Node):
        return value
    if isinstance(value, (bool, int, float, complex)):
        return number_node(value)
    raise not_a_tensor(value)


def not_a_tensor(value: Any) -> GradcliError:
    """G014 for an argument that must be a tensor."""
    return GradcliError(
        "G014",
        f"argument 'input' must be Tensor, not {type_name(value)}",
        help="make it one: tensor(...)",
        kind=TypeError,
    )


def given_dtype(x: Any) -> DType:
    """The dtype of an argument, before it was widened."""
    widened = isinstance(x, Node) and x.op is widen and x.inputs
    return x.inputs[0].dtype if widened else x.dtype  # type: ignore[no-any-return]


def is_half(x: Any) -> bool:
    """Whether an argument's numbers have half the width."""
    return given_dtype(x).wider is not None


def no_kernel(kernel: str, x: Any) -> GradcliError:
    """G025: PyTorch's sentence about a kernel that does not take the dtype of `x`."""
    return GradcliError(
        "G025",
        f"\"{kernel}\" not implemented for '{SCALAR_TYPES[given_dtype(x)]}'",
        help="convert it: .float()",
        kind=NotImplementedError,
    )


def with_real_gradient(name: str, x: Node) -> Node:
    """`x`, an operand of PyTorch's function `name`, which has no gradient for complex numbers.

    Raises:
        GradcliError: G037 for a complex one that requires one.
    """
    if x.tracked and x.dtype.is_complex and current.tracking:
        raise GradcliError(
            "G037",
            f"{name} does not support automatic differentiation for outputs with complex dtype.",
            help="detach it, or write the function of real and imaginary parts",
        )
    return x


def cannot_cast(result: DType, target: DType) -> GradcliError:
    """G025: PyTorch's sentence about a tensor whose dtype cannot hold a result."""
    return GradcliError(
        "G025",
        f"result type {SCALAR_TYPES[result]} can't be cast to the desired output type "
        f"{SCALAR_TYPES[target]}",
        help=f"convert the tensor: .to(torch.{result.name})",
    )


def other_dtype(wanted: DType, found: DType) -> GradcliError:
    """G025: PyTorch's sentence about an operand that a kernel wants in another dtype."""
    return GradcliError(
        "G025",
        f"expected scalar type {SCALAR_TYPES[wanted]} but found {SCALAR_TYPES[found]}",
        help=f"convert it: .to(torch.{wanted.name})",
    )


def type_name(value: Any) -> str:
    """The name of a value's type as a user knows it."""
    return "Tensor" if isinstance(value, Node) else type(value).__name__


def number_node(value: complex, dtype: DType | None = None) -> Node:
    """A 0-dim tensor of a Python number; the same node each time, where that is cheap to know."""
    kind = dtype or of_number(value)
    if hasattr(value, "as_node"):  # a number of a recording, which is loaded only by need
        return value.as_node(kind)  # type: ignore[no-any-return]
    key = (value, value.__class__, kind)
    node = _numbers.get(key)
    if node is None:
        if value.__class__ is int:
            _refuse_long(value)
        node = Node(FULL, (), {"value": value, "shape": ()}, (), kind)
        # 0.0 is -0.0 to a dict, NaN is nothing, and a declared size has a name of its own.
        if value and value == value and not hasattr(value, "form"):
            if len(_numbers) > 256:
                _numbers.clear()
            _numbers[key] = node
            node.stale = SHARED
    return node


_numbers: dict[Any, Node] = {}


def as_floating(value: Any) -> Node:
    """An operand of a function of real numbers: integers become the default dtype."""
    x = tensor_operand(value)
    return x if x.dtype.category >= FLOATING else cast(x, default.dtype)


def as_numeric(value: Any) -> Node:
    """An operand of a sum or product: integers and bools become int64."""
    x = tensor_operand(value)
    return x if x.dtype.category >= FLOATING else cast(x, int64)


def common_dtype(values: Sequence[Any], floating: bool = False) -> DType:
    """The dtype that PyTorch computes an operation on `values` (nodes and numbers) in."""
    tensors, numbers = [], []
    for value in values:
        if isinstance(value, Node):
            tensors.append((value.dtype, value.shape))
        elif isinstance(value, (bool, int, float, complex)):
            numbers.append(value)
        else:
            raise unsupported(values)
    dtype = result_type(tensors, numbers)
    return default.dtype if floating and dtype.category < FLOATING else dtype


def unsupported(values: Sequence[Any]) -> GradcliError:
    """G014 for operands that no operation takes."""
    return GradcliError(
        "G014",
        f"unsupported operand type(s): {' and '.join(type_name(v) for v in values)}",
        kind=TypeError,
    )


def promoted(
    *values: Any, floating: bool = False, fits: bool = False, exact: Collection[int] = ()
) -> list[Node]:
    """`values` (nodes and numbers) as nodes of their common dtype.

    Numbers too large for it wrap around or are infinite, or are refused where they must fit. Beside
    numbers of half the width all are rounded to it, but for those of no dims at `exact` positions.
    """
    if len(values) == 2:
        x, y = values
        if isinstance(x, Node) and x.op is not widen:
            kind = x.dtype
            if isinstance(y, Node):
                alike = y.dtype is kind and y.op is not widen
                if alike and (not floating or kind.category >= FLOATING):
                    return [x, y]
            elif kind.category == FLOATING and kind.wider is None and y.__class__ in (int, float):
                return [x, as_number(y, kind) if fits else number_node(y, kind)]
    dtype = common_dtype(values, floating)
    number = as_number if fits else wrapped
    half = next((given_dtype(v) for v in values if isinstance(v, Node) and v.op is widen), dtype)
    if half.wider is dtype:
        return [_beside_halves(v, half, dtype, number, i in exact) for i, v in enumerate(values)]
    if dtype.wider is not None:
        values = tuple([nearest(v, dtype) if v.__class__ in (int, float) else v for v in values])
    return [cast(v, dtype) if isinstance(v, Node) else number(v, dtype) for v in values]


def _beside_halves(
    value: Any, half: DType, wide: DType, number: Callable[..., Node], exact: bool
) -> Node:
    """An operand of a function that computes in the `wide` type, of elements of the `half` one."""
    if isinstance(value, Node):
        computed = value.dtype is wide and (value.ndim or value.op is widen)
        kept = computed or (exact and not value.ndim)
        return cast(value, wide) if kept else widen(cast(value, half))
    if exact:
        return number(value, wide)
    known = number(value, half)  # where it does not fit, this says so
    return widen(known) if hasattr(value, "as_node") else number_node(nearest(value, half), wide)


def wrapped(value: complex, dtype: DType) -> Node:
    """A number as an operand beside elements of `dtype`: an integer wraps around as they do."""
    if dtype.category == INTEGER and isinstance(value, int):
        _refuse_long(value)
        low, high = _range(dtype)
        if not low <= value < high:
            value = (value - low) % (high - low) + low
    elif dtype.category >= FLOATING and not isinstance(value, complex):
        return number_node(value, dtype)
    return as_number(value, dtype)


def as_number(value: complex, dtype: DType) -> Node:
    """A number as an element of `dtype`; raises G026 or G014 where it does not fit."""
    if isinstance(value, complex) and dtype.category in (INTEGER, FLOATING):
        if value.imag:
            raise _does_not_fit(dtype, "G014")
        value = value.real
    if dtype.category == BOOL:
        value = bool(value)
    elif dtype.category == INTEGER:
        low, high = _range(dtype)
        if isinstance(value, int):
            _refuse_long(value)
            if value < low and not dtype.signed:
                value += high  # -1 is the largest one
        if not low <= value.real <= high - 1:
            raise _does_not_fit(dtype)
        value = int(value.real)
    elif value.__class__ in (int, float, complex) and any(  # recorded ones tell of each look
        [LARGEST[dtype.to_real()] < abs(x) < inf for x in (value.real, value.imag)]
    ):
        raise _does_not_fit(dtype)
    return number_node(value, dtype)


def as_scalar(value: complex, dtype: DType) -> Node:
    """A number as a tensor of its own; one too large for half the width becomes infinite."""
    made = number_node if dtype.wider and not isinstance(value, complex) else as_number
    return made(value, dtype)


def number_like(x: Any, value: complex) -> Node:
    """A number as PyTorch writes it into `x`: cut off to an integer, never complex to real."""
    if isinstance(value, complex):
        if value.imag and x.dtype.category != BOOL:
            refuse_complex(x.dtype, complex64)
        elif not value.imag:
            value = value.real
    return cast(as_number(value, given_dtype(x)), x.dtype)


def _refuse_long(value: int) -> None:
    if not -(1 << 63) <= value < 1 << 64:
        words = "int too big to convert" if value > 0 else "can't convert negative int to unsigned"
        raise GradcliError("G026", words, kind=OverflowError)


def _range(dtype: DType) -> tuple[int, int]:
    """The least integer of a dtype, and the first one above its largest."""
    span = 1 << (dtype.itemsize * 8)
    return (-span // 2, span // 2) if dtype.signed else (0, span)


def _does_not_fit(dtype: DType, code: str = "G026") -> GradcliError:
    name = C_NAMES[dtype.name]
    return GradcliError(code, f"value cannot be converted to type {name} without overflow")


def refuse_complex(into: DType, dtype: DType) -> None:
    """Raises G014 for numbers of a complex dtype that are written into real ones."""
    if dtype.is_complex and not into.is_complex:
        raise _does_not_fit(into, "G014")


C_NAMES = {
    **{"uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int"},
    **{"uint16": "uint16_t", "uint32": "uint32_t", "uint64": "uint64_t", "int64": "int64_t"},
    **{"float16": "c10::Half", "bfloat16": "c10::BFloat16"},
    **{"float32": "float", "float64": "double"},
    **{"complex32": "c10::complex<c10::Half>", "complex64": "c10::complex<float>"},
    **{"complex128": "c10::complex<double>", "bool": "bool"},
}
"""Dtypes as PyTorch names what a number does not fit into."""

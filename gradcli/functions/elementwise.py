"""Functions of each element composed of several ops: interpolation, fused sums, comparisons."""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.math import tensor_last
from gradcli.graph.dtype import (
    C_TYPES,
    FLOATING,
    LARGEST,
    SCALAR_TYPES,
    bool_,
)
from gradcli.graph.node import Node, constant, current, lift
from gradcli.ops import activation
from gradcli.ops import elementwise as ops
from gradcli.ops.rows import zero
from gradcli.ops.ruled import ruled
from gradcli.tensor.function import (
    as_floating,
    common_dtype,
    composite,
    function,
    promoted,
    tensor_operand,
)
from gradcli.tensor.kinds import AnyTensor, Number, Operand
from gradcli.tensor.operands import as_number, given_dtype, no_kernel, with_real_gradient
from gradcli.tensor.orders import VALUED
from gradcli.tensor.storing import EVERYWHERE, METHOD, OF_NUMBERS, Out


@function("rsqrt", in_place=EVERYWHERE)
def rsqrt(input: Any) -> Node:
    """One over the square root; of numbers of half the width both are rounded."""
    return ops.rsqrt(as_floating(input))


@function(overload=lambda input, end, weight: tensor_last(input, weight), in_place=OF_NUMBERS)
def lerp(input: Any, end: AnyTensor, weight: Operand) -> Node:
    """`input + weight*(end - input)`."""
    x, y = promoted(input, end)
    for name, value in (("end", end), ("weight", weight)):
        if not isinstance(value, Node) or (name == "weight" and not value.shape):
            continue
        if value.dtype is not x.dtype or value.dtype is not input.dtype:
            raise GradcliError(
                "G025",
                f"expected dtype {C_TYPES[input.dtype]} for `{name}` but got dtype "
                f"{C_TYPES[value.dtype]}",
            )
    if x.dtype.category < FLOATING:
        raise no_kernel("lerp_kernel_scalar", x)
    factor = ops.cast(weight if isinstance(weight, Node) else as_number(weight, x.dtype), x.dtype)
    near, far = x + factor * (y - x), y - (y - x) * (1 - factor)
    half = constant(0.5, x.dtype.to_real())
    made = ops.where(ops.lt(ops.absolute(factor), half), near, far)
    if not isinstance(weight, Node):
        made = near if abs(weight) < 0.5 else far
    return ruled(made, x, y, factor, rules=_LERP)


_LERP = (
    lambda g, out, x, y, w: g * ops.conj(1 - w),
    lambda g, out, x, y, w: g * ops.conj(w),
    lambda g, out, x, y, w: g * ops.conj(y - x),
)


@function(orders=VALUED, in_place=METHOD)
def addcmul(input: Any, tensor1: Any, tensor2: Any, *, value: Number = 1) -> Node:
    """`input + value*tensor1*tensor2`."""
    x, y, z = promoted(input, tensor1, tensor2)
    if x.dtype is bool_:
        raise no_kernel("addcmul_cpu_out", x)
    as_number(value, x.dtype)
    made = x + (y * z if value == 1 else value * y * z)
    return ruled(made, x, y, z, rules=_ADDCMUL, scale=value)


_ADDCMUL = (
    lambda g, out, x, y, z, *, scale: g,
    lambda g, out, x, y, z, *, scale: g * ops.conj(z * scale),
    lambda g, out, x, y, z, *, scale: g * ops.conj(y * scale),
)


@function(orders=VALUED, in_place=METHOD)
def addcdiv(input: Any, tensor1: Any, tensor2: Any, *, value: Number = 1) -> Node:
    """`input + value*tensor1/tensor2`."""
    x, y, z = promoted(input, tensor1, tensor2)
    if common_dtype((tensor1, tensor2)).category < FLOATING:
        raise GradcliError("G025", _INTEGER_ADDCDIV)
    as_number(value, x.dtype)
    made = x + (y / z if value == 1 else value * (y / z))
    return ruled(made, x, y, z, rules=_ADDCDIV, scale=value)


_ADDCDIV = (
    lambda g, out, x, y, z, *, scale: g,
    lambda g, out, x, y, z, *, scale: g * ops.conj(scale / z),
    lambda g, out, x, y, z, *, scale: -g * ops.conj(scale * y / (z * z)),
)


_INTEGER_ADDCDIV = (
    "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will "
    "perform a true division of tensor1 and tensor2. The historic addcdiv behavior can be "
    "implemented as (input + value * torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer "
    "inputs and as (input + value * tensor1 / tensor2) for float inputs. The future addcdiv "
    "behavior is just the latter implementation: (input + value * tensor1 / tensor2), for all "
    "dtypes."
)


@function("logit", "special.logit", in_place=EVERYWHERE)
def logit(input: Any, eps: float | None = None) -> Node:
    """`log(input/(1 - input))`; `input` is kept in [eps, 1 - eps] when `eps` is given."""
    x = as_floating(input)
    if eps is None:
        return activation.logit(x)
    low, high = (lift(bound, x) for bound in (eps, 1 - eps))
    made = activation.logit(ops.clamp_max(ops.clamp_min(x, low), high))
    return ruled(made, x, low, high, rules=(_logit,))


def _logit(g: Node, out: Node, x: Node, low: Node, high: Node) -> Node:
    inside = ops.logical_and(ops.ge(x, low), ops.le(x, high))
    if not (current.tracking or current.forward):  # of NaN it is NaN then, in PyTorch
        inside = ops.logical_not(ops.logical_or(ops.lt(x, low), ops.gt(x, high)))
    divisor = x * (1 - x)
    if current.forward:  # which multiplies by what is not chosen, too
        divisor = ops.where(inside, divisor, zero(x) + 1)
    return ops.where(inside, g / divisor, zero(g))


def _real_only(name: str, input: Any) -> Node:
    x = as_floating(input)
    if x.dtype.is_complex:
        raise GradcliError("G025", f"{name} is not supported for complex tensors.")
    return x


@function("deg2rad", in_place=EVERYWHERE)
def deg2rad(input: Any) -> Node:
    """Degrees to radians."""
    return _real_only("deg2rad", input) * 0.017453292519943295


@function("rad2deg", in_place=EVERYWHERE)
def rad2deg(input: Any) -> Node:
    """Radians to degrees."""
    return _real_only("rad2deg", input) * 57.29577951308232


@function(
    "nan_to_num",
    layout=True,
    out=Out("nan_to_num: dtype of out: {Got} should be same as input: {Wanted}"),
    in_place=EVERYWHERE,
)
def nan_to_num(
    input: Any, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Node:
    """`input` with NaN and the infinities replaced (by the dtype's largest numbers by default)."""
    x = tensor_operand(input)
    if x.dtype.category < FLOATING:
        return ops.clone(x)
    return ruled(_finite(x, 0.0 if nan is None else nan, posinf, neginf), x, rules=_NAN_TO_NUM)


_NAN_TO_NUM = (lambda g, out, x: g * ops.cast(ops.isfinite(x), x.dtype),)


def _finite(x: Node, nan: float, posinf: float | None, neginf: float | None) -> Node:
    if x.dtype.is_complex:
        with_real_gradient("nan_to_num", x)
        parts = (_finite(part(x), nan, posinf, neginf) for part in (ops.real, ops.imag))
        return ops.make_complex(*parts)
    largest = LARGEST[given_dtype(x)]
    high = promoted(x, largest if posinf is None else posinf)[1]
    low = promoted(x, -largest if neginf is None else neginf)[1]
    finite = ops.where(ops.isnan(x), promoted(x, nan)[1], x)
    return ops.where(ops.isposinf(x), high, ops.where(ops.isneginf(x), low, finite))


@composite("isclose")
def isclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    """Where `|input - other| <= atol + rtol*|other|`."""
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not value >= 0:
            raise GradcliError(
                "G026", f"{name} must be greater than or equal to zero, but got {value}"
            )
    if input.dtype is not other.dtype:
        names = f"{SCALAR_TYPES[input.dtype]} did not match {SCALAR_TYPES[other.dtype]}"
        raise GradcliError("G025", names)
    if input.dtype is bool_:
        return input == other
    close = (input == other) | (
        ((input - other).abs() <= atol + (rtol * other).abs()) & other.isfinite()
    )
    return close | (input.isnan() & other.isnan()) if equal_nan else close


@composite("allclose", out=None)
def allclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether `isclose` holds everywhere."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


@composite("equal", out=None)
def equal(input: Any, other: Any) -> bool:
    """Whether both have the same shape and elements."""
    return input.shape == other.shape and bool((input == other).all())

"""Elementwise functions: arithmetic, powers, functions of one number, comparisons, logic.

Constraints: most are ops under their own name (`from_op`); an entry here says only what promotion
or overloads add.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import (
    COMPLEX,
    FLOATING,
    HALVES,
    INTEGER,
    SCALAR_TYPES,
    bfloat16,
    bool_,
    complex128,
    float16,
    float64,
    uint8,
)
from gradcli.graph.node import Node, constant
from gradcli.graph.op import Check
from gradcli.ops import elementwise as ops
from gradcli.ops.rows import OPS, zero
from gradcli.ops.ruled import opaque, ruled
from gradcli.tensor import Tensor, registry
from gradcli.tensor.function import (
    as_floating,
    common_dtype,
    composite,
    from_op,
    function,
    internal,
    promoted,
    tensor_operand,
)
from gradcli.tensor.halves import in_wider
from gradcli.tensor.kinds import AnyTensor, Number, Operand, Value
from gradcli.tensor.named import NUMBER_FIRST, Named, arguments_of
from gradcli.tensor.operands import as_number, given_dtype, is_half, no_kernel
from gradcli.tensor.orders import SCALED, SCALED_NUMBER
from gradcli.tensor.storing import (
    ANY,
    BOOLS,
    EVERYWHERE,
    FOUND,
    METHOD,
    OF_NUMBERS,
    OF_TENSORS,
    InPlace,
    Out,
)


def _number_last(input: Any, other: Any) -> int:
    """The overload that takes a Python number: PyTorch's second."""
    return int(isinstance(other, (bool, int, float, complex)))


def tensor_last(input: Any, other: Any) -> int:
    """The overload that takes a Python number, where that is PyTorch's first."""
    return 1 - _number_last(input, other)


def _numbers_count(input: Any, other: Any) -> int:
    return 2 if _number_last(input, other) else _number_last(other, input)


def _op(*names: str, **options: Any) -> None:
    """The entry of the op that has the first of `names`."""
    from_op(OPS[names[0]], *names, **options)


# -- ops under their own names


for _name in ("reciprocal", "exp", "log", "log2", "log10", "sqrt", "sin", "cos", "tan"):
    _op(_name, in_place=EVERYWHERE)
for _name in ("sinh", "cosh", "tanh"):
    _op(_name, in_place=EVERYWHERE)
for _name in ("exp2", "expm1", "log1p", "sinc", "erf", "erfc"):
    _op(_name, f"special.{_name}", in_place=EVERYWHERE)
for _name in ("asin", "acos", "atan"):
    _op(_name, f"arc{_name[1:]}", in_place=EVERYWHERE)
for _name in ("asinh", "acosh", "atanh"):
    _in_place = InPlace(functions=True, digit=1, derivative=False)
    _op(_name, f"arc{_name[1:]}", in_place=_in_place)
for _name in ("floor", "ceil", "frac"):
    _op(_name, out=FOUND, in_place=EVERYWHERE)
_op("trunc", "fix", out=FOUND, in_place=EVERYWHERE)
_op("neg", "negative", out=FOUND, in_place=EVERYWHERE)
_MAGNITUDE = {COMPLEX: Check("In-place abs is not supported for complex tensors.")}
_op(*("abs", "absolute"), out=FOUND, in_place=InPlace(functions=("abs",), refuses=_MAGNITUDE))
_op("sgn", out=FOUND, in_place=METHOD)
_op("sigmoid", "special.expit", in_place=EVERYWHERE)
_op("relu", out=None, in_place=EVERYWHERE)
_op("erfinv", "special.erfinv", in_place=METHOD)
_op("digamma", "special.digamma", "special.psi", in_place=METHOD)
_op("lgamma", "special.gammaln", in_place=METHOD)

_SECOND, _EITHER = ("AnyTensor", "Operand"), ("Operand", "Operand")
_op(
    *(Named("xlogy", **NUMBER_FIRST), Named("special.xlogy", **NUMBER_FIRST)),
    takes=_EITHER,
    overload=_numbers_count,
    in_place=InPlace(functions=True, overloads="Tensor"),
)
_op("atan2", "arctan2", in_place=OF_TENSORS)
_op("copysign", takes=_SECOND, overload=_number_last, in_place=OF_NUMBERS)
_op("hypot", in_place=METHOD)
for _name in ("logaddexp", "logaddexp2", "maximum", "minimum", "fmax", "fmin"):
    _op(_name)

for _name in ("isnan", "isinf", "isfinite"):
    _op(_name, out=None)
for _name in ("isposinf", "isneginf", "signbit"):
    _op(_name, out=BOOLS)
for _name, _also in (
    *(("eq", ()), ("ne", ("not_equal",)), ("lt", ("less",)), ("le", ("less_equal",))),
    *(("gt", ("greater",)), ("ge", ("greater_equal",))),
):
    _op(_name, *_also, takes=_SECOND, out=ANY, in_place=OF_NUMBERS)
for _name in ("and", "or", "xor", "not"):
    _op(f"logical_{_name}", out=ANY, in_place=InPlace(unseen=True))
for _name in ("and", "or", "xor"):
    _op(f"bitwise_{_name}", takes=_EITHER, in_place=OF_NUMBERS)
for _name in ("left_shift", "right_shift"):
    _op(f"bitwise_{_name}", takes=_EITHER, in_place=METHOD)
_op("bitwise_not", in_place=METHOD)


# -- arithmetic


@function("nextafter", exact=True, in_place=METHOD)
def nextafter(input: AnyTensor, other: AnyTensor) -> Node:
    """The number next to `input` on the way to `other`."""
    x, y = promoted(input, other)
    if x.dtype not in _NEIGHBOURS:
        return ops.nextafter(x, y)
    factor, least, largest = _NEIGHBOURS[x.dtype]
    wide, goal = ops.widen(x), ops.widen(y)
    step = ops.nextafter(wide, goal) - wide
    size = ops.maximum(ops.absolute(step) * factor, constant(least, step.dtype, ()))
    near = ops.where(ops.eq(wide, goal), goal, wide + ops.copysign(size, step))
    end = ops.copysign(constant(largest, wide.dtype, ()), wide)
    return ops.cast(ops.where(ops.isinf(step), end, near), x.dtype)


_NEIGHBOURS = {
    bfloat16: (2.0**16, 2.0**-133, 3.3895313892515355e38),
    float16: (2.0**13, 2.0**-24, 65504.0),
}
"""Of a type: how many neighbours in float32 are one in it, its least positive and largest number.
"""


@function(orders=SCALED, in_place=OF_TENSORS)
def add(input: Value, other: Value, *, alpha: Number = 1) -> Node:
    """`input + alpha*other`."""
    x, y = promoted(input, other)
    return _added(x, y, alpha)


def _added(x: Node, y: Node, alpha: complex) -> Node:
    """`x + alpha*y` for operands of one dtype, which a factor may not change."""
    _check_factor(alpha, x)
    if alpha == 1:
        return ops.add(x, y)
    as_number(alpha, given_dtype(x if x.op is ops.widen else y))  # where it does not fit: G026
    scaled = ops.logical_and if x.dtype is bool_ else ops.mul
    multiple = scaled(y, promoted(y, alpha, fits=True)[1])
    if y.op is ops.widen:  # a step of its own
        multiple = ops.widen(ops.cast(multiple, given_dtype(y)))
    return ops.add(x, multiple)


def _check_factor(alpha: complex, x: Node) -> None:
    """Raises G025 for a factor that would change the dtype of `x`."""
    if isinstance(alpha, bool) and x.dtype is not bool_:
        raise GradcliError("G025", "Boolean alpha only supported for Boolean results.")
    for kind, category, what in _FACTORS:
        if isinstance(alpha, kind) and x.dtype.category < category:
            raise GradcliError("G025", f"For {what} number.")


_FACTORS = (
    (float, FLOATING, "integral input tensors, argument alpha must not be a floating point"),
    (complex, COMPLEX, "non-complex input tensors, argument alpha must not be a complex"),
)


@function("sub", orders=SCALED, in_place=OF_TENSORS)
def sub(input: Value, other: Value, *, alpha: Number = 1) -> Node:
    """`input - alpha*other`."""
    return _subtracted(input, other, alpha)


function("subtract", shown="sub", orders=SCALED_NUMBER, in_place=OF_TENSORS)(sub.body)


def refuse_bools(input: Any, other: Any) -> None:
    """Raises G025 for truth values, which have no difference."""
    bools = [_is_bool(v) for v in (input, other)]
    if all(bools):
        raise GradcliError("G025", f"{_MINUS} two bool tensors {_NOT_SUPPORTED} {_EXCLUSIVE}")
    if any(bools):
        raise GradcliError("G025", f"{_MINUS} a bool tensor {_NOT_SUPPORTED} {ops.MASK}")


def _subtracted(input: Any, other: Any, alpha: complex) -> Node:
    refuse_bools(input, other)
    x, y = promoted(input, other)
    _check_factor(alpha, x)
    return ops.sub(x, y) if alpha == 1 else _added(x, y, -alpha)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, Node) and value.dtype is bool_)


_MINUS = "Subtraction, the `-` operator, with"
_NOT_SUPPORTED = "is not supported."
_EXCLUSIVE = "Use the `^` or `logical_xor()` operator instead."


@function(
    "rsub",
    "Tensor.__rsub__",
    method=False,
    overload=lambda input, other, *, alpha=1: _number_last(input, other),
    out=None,
    orders=SCALED_NUMBER,
)
def rsub(input: Any, other: Operand, *, alpha: Number = 1) -> Node:
    """`other - alpha*input`."""
    return _subtracted(other, input, alpha)


@function("mul", "multiply", "Tensor.__rmul__", in_place=OF_TENSORS)
def mul(input: Value, other: Value) -> Node:
    """`input * other`."""
    return _exact(_product, input, other, (1,))


def _product(x: Node, y: Node) -> Node:
    return ops.logical_and(x, y) if x.dtype is bool_ else ops.mul(x, y)


def _exact(
    op: Callable[..., Node], input: Any, other: Any, exact: tuple[int, ...], floating: bool = False
) -> Node:
    """`op`; beside halves PyTorch does not round operands of no dims at `exact` positions."""

    def body(*operands: Any) -> Node:
        return op(*promoted(*operands, floating=floating, exact=exact))

    if isinstance(input, Node) and isinstance(other, Node) and input.dtype is not other.dtype:
        halves = [x for x in (input, other) if x.ndim or x.dtype.is_complex]
        return in_wider(body, halves, [input, other], {})  # type: ignore[no-any-return]
    return body(input, other)


@function("Tensor.__radd__", shown="add")
def _radd(input: Any, other: Value) -> Node:
    """`other + input`."""
    return ops.add(*promoted(input, other))


@function(
    "div",
    "divide",
    overload=lambda input, other, **given: 2 if "rounding_mode" in given else 0,
    in_place=OF_TENSORS,
)
def div(input: Value, other: Value, *, rounding_mode: str | None = None) -> Node:
    """`input / other`; rounded towards zero ("trunc") or down ("floor") with `rounding_mode`."""
    if rounding_mode is None:
        return _exact(ops.div, input, other, (1,), floating=True)
    if rounding_mode not in ("trunc", "floor"):
        raise GradcliError(
            "G026",
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' "
            f"but found '{rounding_mode}'",
        )
    rounded = ops.div_trunc if rounding_mode == "trunc" else ops.div_floor
    return _exact(rounded, input, other, (1,))


@function("true_divide", shown="div", in_place=OF_TENSORS)
def true_divide(input: Value, other: Value) -> Node:
    """`input / other`, always floating."""
    return _exact(ops.div, input, other, (1,), floating=True)


@function("floor_divide", shown="NotImplemented", in_place=OF_TENSORS)
def floor_divide(input: Value, other: Value) -> Node:
    """`input // other`, rounded down."""
    return _exact(ops.floor_divide, input, other, (1,))


@composite("Tensor.__rtruediv__")
def _rtruediv(input: Any, other: Value) -> Any:
    """`other / input`, which PyTorch computes as `input.reciprocal() * other`."""
    return input.reciprocal() * other


@function(
    Named("remainder", **NUMBER_FIRST), "Tensor.__mod__", overload=tensor_last, in_place=OF_NUMBERS
)
def remainder(input: Operand, other: Operand) -> Node:
    """The remainder with the divisor's sign, as Python's `%`."""
    return ops.remainder(*promoted(input, other))


@function("fmod", overload=tensor_last, in_place=OF_NUMBERS)
def fmod(input: Any, other: Operand) -> Node:
    """The remainder with the dividend's sign, as C's `fmod`."""
    return ops.fmod(*promoted(input, other))


def _swapped(name: str, entry: Any, **options: Any) -> None:
    @composite(Named(f"Tensor.{name}", **arguments_of(name)), **options)
    def swapped(input: Any, other: Value) -> Any:
        return entry(other, input)

    swapped.doc = entry.doc


_swapped("__rmod__", remainder)
_swapped("__rlshift__", registry.find("torch.bitwise_left_shift"))
_swapped("__rrshift__", registry.find("torch.bitwise_right_shift"))


@composite("Tensor.__rfloordiv__")
def _rfloordiv(input: Any, other: Value) -> Any:
    """`other // input`."""
    return registry.find("torch.floor_divide")(other, input)


def _pow_overload(input: Any, exponent: Any) -> int:
    if isinstance(exponent, (int, float, complex)):
        return 0
    return 2 if isinstance(input, (int, float, complex)) else 1


@function(Named("pow", **NUMBER_FIRST), overload=_pow_overload, exact=True, in_place=OF_NUMBERS)
def pow(input: Operand, exponent: Operand) -> Node:
    """`input ** exponent`."""
    nodes = [v for v in (input, exponent) if isinstance(v, Node)]
    if nodes == [input] and input.dtype in HALVES and isinstance(exponent, (int, float)):
        return _narrow_power(input, exponent)
    return in_wider(_power, nodes, (input, exponent), {})  # type: ignore[no-any-return]


def _power(input: Any, exponent: Any) -> Node:
    integral = isinstance(input, Node) and input.dtype.category <= INTEGER
    if integral and isinstance(exponent, int) and exponent < 0:
        raise GradcliError("G026", "Integers to negative integer powers are not allowed.")
    x, y = promoted(input, exponent, fits=isinstance(input, Node))
    if x.dtype is bool_ and isinstance(exponent, Node):
        raise no_kernel("pow", x)
    return ops.power(x, y)


def _narrow_power(x: Node, exponent: float) -> Node:
    """A power of numbers of half the width, rounded after each step of PyTorch's kernels."""
    steps = _STEPS.get(exponent) if x.dtype is bfloat16 else None
    value = in_wider(_power, [x], (x, exponent), {}) if steps is None else steps(x)
    return ruled(value, x, rules=(_by_base,), exponent=exponent)


_STEPS: dict[float, Callable[[Node], Node]] = {
    3: lambda x: x * x * x,
    -2: lambda x: 1 / (x * x),
    -0.5: lambda x: 1 / ops.sqrt(x),
}


def _by_base(g: Node, out: Node, x: Node, *, exponent: float) -> Node:
    if not exponent:
        return zero(x)
    return g * (_narrow_power(x, exponent - 1) * exponent)


@composite(
    Named("float_power", **NUMBER_FIRST),
    out=Out(
        "the output given to float_power has dtype {Got} but the operation's result requires dtype "
        "{Wanted}"
    ),
)
def float_power(input: Operand, exponent: Operand) -> Any:
    """`input ** exponent` in float64, or complex128."""
    given = (input, exponent)
    common = common_dtype([getattr(v, "node", v) for v in given])
    wide = complex128 if common.is_complex else float64
    return pow(*(v.to(wide) if isinstance(v, Tensor) else v for v in given))


_swapped("__rpow__", pow)


@function("square", shown="pow", in_place=EVERYWHERE)
def square(input: Any) -> Node:
    """`input ** 2`."""
    return ops.power(*promoted(input, 2))


@composite(out=None)
def positive(input: Any) -> Any:
    """`+input`: the tensor itself."""
    if input.dtype is bool_:
        raise GradcliError("G025", "The `+` operator, on a bool tensor is not supported.")
    return input


@function("sign", out=FOUND, in_place=METHOD)
def sign(input: Any) -> Node:
    """-1, 0 or 1."""
    x = tensor_operand(input)
    return x * 1 if x.dtype is bool_ else ops.sign(x)


@function(
    "round",
    "special.round",
    overload=lambda input, *, decimals=None: int(decimals is not None),
    out=FOUND,
    in_place=EVERYWHERE,
)
def round(input: Any, *, decimals: int | None = None) -> Node:
    """The nearest whole number, halves to even; to `decimals` digits after the point."""
    x = tensor_operand(input)
    if decimals is not None and x.dtype.category <= INTEGER:
        raise no_kernel("round_cpu" if decimals else "round_vml_cpu", x)
    return ops.rounded(x, decimals=decimals) if decimals else ops.rounded(x)


@function("heaviside", shown="NotImplemented", in_place=METHOD)
def heaviside(input: Any, values: AnyTensor) -> Node:
    """0 where `input` is negative, `values` where it is 0, 1 where it is positive."""
    kinds = {v.dtype for v in (input, values) if isinstance(v, Node)}
    if any(kind.is_complex for kind in kinds):
        raise GradcliError("G025", "heaviside is not yet implemented for complex tensors.")
    if len(kinds) > 1:
        raise GradcliError(
            "G025", "heaviside is not yet implemented for tensors with different dtypes."
        )
    x, y = promoted(input, values)
    made = ops.heaviside(x, y)
    sentence = "derivative for aten::heaviside is not implemented"
    return opaque(made, x, y, sentence=sentence, kind=RuntimeError) if made.tracked else made


# -- choices


COMPLEX_GRADIENT = (
    "Expected isFloatingType(grad.scalar_type()) || (input_is_complex == grad_is_complex) to be "
    "true, but got false.  (Could this error message be improved?  If so, please report an "
    "enhancement request to PyTorch.)"
)
_WHERE = (
    "where() received an invalid combination of arguments - got one value for two, but expected "
    "one of:"
)


@function(
    Named("where", **NUMBER_FIRST),
    method=False,
    out=Out("Expected out type to be {Wanted} but got {Got}"),
)
def where(condition: Any, input: Value | None = None, other: Value | None = None) -> Any:
    """`input` where `condition` holds, `other` elsewhere; of `condition` alone, where it holds."""
    if (input is None) != (other is None):
        raise GradcliError("G013", _WHERE, help="where(condition, x, y)", kind=TypeError)
    if input is None:
        from gradcli.functions.index import nonzero_columns

        return nonzero_columns(condition)
    halves = any(isinstance(v, Node) and is_half(v) for v in (input, other))
    x, y = promoted(input, other, fits=not halves)
    if condition.dtype not in (bool_, uint8):
        raise GradcliError(
            "G025",
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{SCALAR_TYPES[condition.dtype]}",
            help="compare first: condition != 0",
        )
    x, y = (_within(value, given) for value, given in zip((x, y), (input, other), strict=True))
    return ops.where(ops.cast(condition, bool_), x, y)


def _within(value: Node, given: Any) -> Node:
    """An operand as a part of a result: PyTorch has no gradient of a real one in a complex one."""
    real = isinstance(given, Node) and given.tracked and not given.dtype.is_complex
    if not (real and value.dtype.is_complex):
        return value
    return opaque(value, given, sentence=COMPLEX_GRADIENT, kind=RuntimeError)


@function("Tensor.where", shown="where")
def _where_method(input: Any, condition: Any, other: Value) -> Node:
    """`input` where `condition` holds, `other` elsewhere."""
    return where.body(condition, input, other)  # type: ignore[no-any-return]


@composite("clamp", "clip", in_place=EVERYWHERE)
def clamp(input: Any, min: Operand = None, max: Operand = None) -> Any:
    """`input` kept between `min` and `max`; either may be None."""
    if any(isinstance(bound, Tensor) for bound in (min, max)):
        return _clamp_tensors(input, min, max)
    bounds = [
        as_number(bound, input.dtype).attrs["value"]
        if isinstance(bound, complex) and input.dtype.category == FLOATING
        else bound
        for bound in (min, max)
    ]
    return _clamp_numbers(input, *bounds)


def _clamped(input: Any, min: Operand = None, max: Operand = None) -> Node:
    numbers = [not isinstance(bound, Node) for bound in (min, max) if bound is not None]
    if any(numbers) and any(isinstance(bound, Node) and bound.shape for bound in (min, max)):
        raise GradcliError("G014", _MIXED_BOUNDS, kind=TypeError)
    if min is None and max is None:
        raise GradcliError("G013", "torch.clamp: At least one of 'min' or 'max' must not be None")
    dtype = common_dtype([v for v in (input, min, max) if v is not None])
    x = ops.cast(tensor_operand(input), dtype)
    if dtype.is_complex:
        raise ops.relu.refusal(dtype)
    if dtype is bool_ and None not in (min, max):
        raise no_kernel("clamp_cpu", x)
    _no_bool_bound("clamp_max", x, max)
    _no_bool_bound("clamp_min", x, min)
    if max is None:
        return ops.clamp_min(x, promoted(x, min, fits=True)[1])
    high = promoted(x, max, fits=True)[1]
    if min is None:
        return ops.clamp_max(x, high)
    low = promoted(x, min, fits=True)[1]
    return ruled(ops.clamp_max(ops.clamp_min(x, low), high), x, low, high, rules=_CLAMP)


def _inside(g: Node, out: Node, x: Node, low: Node, high: Node) -> Node:
    return ops.where(ops.ge(x, low), ops.where(ops.le(x, high), g, zero(g)), zero(g))


def _below(g: Node, out: Node, x: Node, low: Node, high: Node) -> Node:
    return ops.where(ops.logical_and(ops.lt(low, high), ops.lt(x, low)), g, zero(g))


def _above(g: Node, out: Node, x: Node, low: Node, high: Node) -> Node:
    return ops.where(ops.logical_or(ops.gt(x, high), ops.lt(high, low)), g, zero(g))


_CLAMP = (_inside, _below, _above)


_clamp_tensors = internal("clamp", edges=("input", "min", "max"))(_clamped)
_clamp_numbers = internal("clamp", overload=1)(_clamped)


def _no_bool_bound(name: str, x: Node, bound: Any) -> None:
    if x.dtype is bool_ and isinstance(bound, bool):
        raise no_kernel(f"{name}_scalar_cpu", x)


_MIXED_BOUNDS = (
    "clamp() received an invalid combination of arguments - min and max must both be tensors or "
    "both be numbers"
)


@function("clamp_min", overload=lambda input, min: tensor_last(input, min), in_place=EVERYWHERE)
def clamp_min(input: Any, min: Operand) -> Node:
    """`input`, at least `min`."""
    _no_bool_bound("clamp_min", input, min)
    return ops.clamp_min(*promoted(input, min, fits=True))


@function("clamp_max", overload=lambda input, max: tensor_last(input, max), in_place=EVERYWHERE)
def clamp_max(input: Any, max: Operand) -> Node:
    """`input`, at most `max`."""
    _no_bool_bound("clamp_max", input, max)
    return ops.clamp_max(*promoted(input, max, fits=True))


@function("polygamma", "special.polygamma", method=False)
def polygamma(n: int, input: Any) -> Node:
    """The n-th derivative of the digamma function."""
    if n < 0:
        raise GradcliError("G026", "polygamma(n, x) does not support negative n.")
    return ops.polygamma(as_floating(input), n=n)


_swapped(Named("polygamma", n="other"), polygamma, in_place=InPlace(digit=1))


# -- Python's bit operators: logical on bools


def _bits(name: str) -> Any:
    logical = OPS[f"logical_{name}"]
    bitwise = OPS[f"bitwise_{name}"]

    @function(f"Tensor.__{name}__", f"Tensor.__r{name}__", shown=f"bitwise_{name}", exact=True)
    def operator(input: Any, other: Operand) -> Node:
        x, y = promoted(input, other)
        return logical(x, y) if x.dtype is bool_ else bitwise(x, y)

    return operator


for _name in ("and", "or", "xor"):
    _bits(_name)

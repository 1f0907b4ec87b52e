"""Elementwise primitives: arithmetic, functions of one number, comparisons, logic.

Constraints: see gradcli/ops. `g` is the cotangent, `out` the result, `x` and `y` the operands;
sub-gradients are PyTorch's. Complex derivatives are conjugated, as PyTorch defines a gradient.
"""

from __future__ import annotations

import math

from gradcli.errors import GradcliError
from gradcli.graph import node as nodes
from gradcli.graph.dtype import (
    BOOL,
    COMPLEX,
    FLOATING,
    INTEGER,
    DType,
    bfloat16,
    complex32,
    float32,
    float64,
)
from gradcli.graph.node import Node, constant, current
from gradcli.graph.op import CONDITION, FULL, INTEGRAL, ZERO, Check, Op
from gradcli.graph.shape import Shape, broadcast, numel
from gradcli.ops.rows import elementwise, lacks, magnitude, predicate, same, to_real, zero

ROUNDED_ONCE = 16384
"""Elements up to which a derivative is rounded as often as PyTorch's, at the cost of its speed."""
LN2 = math.log(2)
LN10 = math.log(10)
TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)
MASK = "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead."
NO_CLAMP = {COMPLEX: "clamp is not supported for complex types"}


def conj(x: Node) -> Node:
    """The complex conjugate; a real `x` itself, without a node."""
    return conj_physical(x) if x.dtype.is_complex else x


def cast(x: Node, dtype: DType) -> Node:
    """`x` as `dtype`; without a node when it has that dtype."""
    if x.dtype is dtype:
        return x
    rounding = ROUNDING.get(dtype)
    if rounding is None:
        return to_dtype(x, dtype=dtype)
    assert dtype.wider is not None
    return rounding(cast(x, dtype.wider))


def _cast_infer(x: Node, *, dtype: DType) -> tuple[Shape, DType]:
    return x.shape, dtype


def _cast_rule(g: Node, out: Node, x: Node, *, dtype: DType) -> Node:
    return cast(g if x.dtype.is_complex else to_real(g), x.dtype)


def _where_infer(condition: Node, x: Node, y: Node) -> tuple[Shape, DType]:
    return broadcast(condition.shape, x.shape, y.shape), x.dtype


def _real_infer(x: Node) -> tuple[Shape, DType]:
    return magnitude(x)


def _complex_infer(x: Node, y: Node) -> tuple[Shape, DType]:
    return broadcast(x.shape, y.shape), x.dtype.to_complex()


# -- arithmetic

add = elementwise(
    "add",
    lambda g, out, x, y: g,
    lambda g, out, x, y: g,
    promotes="same",
    text="{0} + {1}",
    precedence=10,
)
sub = elementwise(
    "sub",
    lambda g, out, x, y: g,
    lambda g, out, x, y: -g,
    promotes="same",
    kernel="subtract",
    text="{0} - {1}",
    precedence=10,
)
mul = elementwise(
    "mul",
    lambda g, out, x, y: g * conj(y),
    lambda g, out, x, y: g * conj(x),
    promotes="same",
    kernel="multiply",
    text="{0}*{1}",
    precedence=20,
)
div = elementwise(
    "div",
    lambda g, out, x, y: g / conj(y),
    lambda g, out, x, y: -g * conj(x / y / y),
    kernel="divide",
    text="{0}/{1}",
    precedence=20,
)
neg = elementwise(
    "neg",
    lambda g, out, x: -g,
    promotes="same",
    kernel="negative",
    refuses={BOOL: Check(f"Negation, the `-` operator, on a bool tensor is not supported. {MASK}")},
    text="-{0}",
    precedence=30,
)


def _pow_base(g: Node, out: Node, x: Node, y: Node) -> Node:
    if y.op is FULL:
        n = y.attrs["value"]
        if n == 0:
            return constant(0, g.dtype, g.shape)
        lower = x if n == 2 and not current.tracking else x ** (n - 1)
        return g * conj(n * lower)
    constant_one, slope = eq(y, zero(y)), conj(y * x ** (y - 1))
    if current.forward:  # which multiplies by what is not chosen, too
        return g * where(constant_one, zero(slope), slope)
    return where(constant_one, zero(g), g * slope)


def _pow_exponent(g: Node, out: Node, x: Node, y: Node) -> Node:
    if x.op is FULL and x.ndim == 0 and x.attrs["value"] != 0:
        return g * conj(out * log(x))
    at_zero = eq(x, zero(x))
    if not y.dtype.is_complex:
        at_zero = logical_and(at_zero, ge(y, zero(y)))
    return g * where(at_zero, zero(g), conj(out * log(x)))


power = elementwise(
    "pow", _pow_base, _pow_exponent, promotes="same", kernel="pow", text="{0}**{1}", precedence=40
)
reciprocal = elementwise("reciprocal", lambda g, out, x: -g * conj(out * out))
square = elementwise("square", lambda g, out, x: g * conj(2 * x), promotes="")
nodes.arithmetic.update(add=add, sub=sub, mul=mul, div=div, neg=neg, pow=power, cast=cast)

# -- exponentials and logarithms

exp = elementwise("exp", lambda g, out, x: g * conj(out))
exp2 = elementwise("exp2", lambda g, out, x: g * conj(out) * LN2)
expm1 = elementwise("expm1", lambda g, out, x: g * conj(out + 1))
log = elementwise("log", lambda g, out, x: g / conj(x))
log2 = elementwise("log2", lambda g, out, x: g / (conj(x) * LN2))
log10 = elementwise("log10", lambda g, out, x: g / (conj(x) * LN10))
log1p = elementwise("log1p", lambda g, out, x: g / conj(x + 1))
sqrt = elementwise("sqrt", lambda g, out, x: g / (2 * conj(out)))
rsqrt = elementwise(
    "rsqrt",
    lambda g, out, x: -0.5 * g * conj(out * out * out),
    halves=lambda x: reciprocal(sqrt(x)),
)
logaddexp = elementwise(
    "logaddexp",
    lambda g, out, x, y: g / conj(1 + exp(y - x)),
    lambda g, out, x, y: g / conj(1 + exp(x - y)),
    promotes="same",
    refuses=lacks("logaddexp_cpu", BOOL, INTEGER),
)
logaddexp2 = elementwise(
    "logaddexp2",
    lambda g, out, x, y: g / (1 + exp2(y - x)),
    lambda g, out, x, y: g / (1 + exp2(x - y)),
    promotes="same",
    refuses=lacks("logaddexp2_cpu", BOOL, INTEGER, COMPLEX),
)


def _xlogy_left(g: Node, out: Node, x: Node, y: Node) -> Node:
    nothing = logical_and(eq(x, zero(x)), le(y, zero(y)))
    return where(nothing, zero(g), xlogy(g, y))


xlogy: Op = elementwise(
    "xlogy",
    _xlogy_left,
    lambda g, out, x, y: g * x / y,
    refuses=lacks("xlogy_cpu", COMPLEX),
    halves=lambda x, y: where(isnan(y), y + x, where(eq(x, zero(x)), zero(x + y), x * log(y))),
)

# -- trigonometric and hyperbolic

sin = elementwise("sin", lambda g, out, x: g * conj(cos(x)))
cos: Op = elementwise("cos", lambda g, out, x: g * -conj(sin(x)))
tan = elementwise("tan", lambda g, out, x: g * conj(out * out + 1))
asin = elementwise("asin", lambda g, out, x: g * conj(rsqrt(-x * x + 1)))
acos = elementwise("acos", lambda g, out, x: g * -conj(rsqrt(-x * x + 1)))
atan = elementwise("atan", lambda g, out, x: g / conj(x * x + 1))
sinh = elementwise("sinh", lambda g, out, x: g * conj(cosh(x)))
cosh: Op = elementwise("cosh", lambda g, out, x: g * conj(sinh(x)))
tanh = elementwise("tanh", lambda g, out, x: g * conj(one_less_square(out)), fused=True)
asinh = elementwise("asinh", lambda g, out, x: g * conj(rsqrt(x * x + 1)))
acosh = elementwise(
    "acosh",
    lambda g, out, x: (
        g * conj(rsqrt(x - 1) * rsqrt(x + 1)) if x.dtype.is_complex else g * rsqrt(x * x - 1)
    ),
)
atanh = elementwise("atanh", lambda g, out, x: g / conj(1 - x * x))
sigmoid = elementwise(
    "sigmoid",
    lambda g, out, x: g * conj((1 - out) * out) if x.dtype.is_complex else g * (1 - out) * out,
    fused=True,
)


def one_less_square(x: Node) -> Node:
    """`1 - x*x`, which PyTorch rounds once: here, too, where bits count for more than speed."""
    if x.dtype is not float32 or numel(x.shape) > ROUNDED_ONCE:
        return 1 - x * x
    wide = cast(x, float64)
    return cast(1 - wide * wide, float32)


def product_and(x: Node, y: Node, z: Node) -> Node:
    """`x*y + z` of one shape and dtype, rounded as often as `one_less_square`."""
    if x.dtype is not float32 or numel(x.shape) > ROUNDED_ONCE:
        return x * y + z
    return cast(cast(x, float64) * cast(y, float64) + cast(z, float64), float32)


def _sinc_rule(g: Node, out: Node, x: Node) -> Node:
    angle, square = math.pi * x, math.pi * (x * x)
    at_zero = eq(square, zero(square))
    # Only forward mode does not multiply by the 0/0 that is not chosen.
    divisor = where(at_zero, zero(square) + 1, square) if current.forward else square
    slope = (angle * cos(angle) - sin(angle)) / divisor
    return where(at_zero, zero(g), g * conj(slope))


sinc = elementwise("sinc", _sinc_rule)


def _per_square_radius(x: Node, y: Node) -> Node:
    radius = x * x + y * y
    if current.forward:  # where PyTorch has NaN at the origin
        return reciprocal(radius)
    return where(eq(radius, zero(radius)), zero(radius), reciprocal(radius))


atan2 = elementwise(
    "atan2",
    lambda g, out, x, y: g * y * _per_square_radius(x, y),
    lambda g, out, x, y: g * -x * _per_square_radius(x, y),
    refuses=lacks("atan2_cpu", COMPLEX),
)
hypot = elementwise(
    "hypot",
    lambda g, out, x, y: g * x / out,
    lambda g, out, x, y: g * y / out,
    promotes="same",
    refuses=lacks("hypot_cpu", BOOL, INTEGER, COMPLEX),
)

# -- special functions

erf = elementwise(
    "erf",
    lambda g, out, x: TWO_OVER_SQRT_PI * exp(-(x * x)) * g,
    refuses=lacks("erf_vml_cpu", COMPLEX),
)
erfc = elementwise(
    "erfc",
    lambda g, out, x: -TWO_OVER_SQRT_PI * exp(-(x * x)) * g,
    refuses=lacks("erfc_vml_cpu", COMPLEX),
)
erfinv = elementwise(
    "erfinv",
    lambda g, out, x: exp(out * out) * g / TWO_OVER_SQRT_PI,
    refuses=lacks("erfinv_vml_cpu", COMPLEX),
)
lgamma = elementwise(
    "lgamma", lambda g, out, x: g * digamma(x), refuses=lacks("lgamma_vml_cpu", COMPLEX)
)
digamma: Op = elementwise(
    "digamma", lambda g, out, x: g * polygamma(x, n=1), refuses=lacks("digamma", COMPLEX)
)
polygamma: Op = elementwise(
    "polygamma",
    lambda g, out, x, *, n: g * polygamma(x, n=n + 1),
    promotes="",
    infer=same,
    refuses=lacks("polygamma", COMPLEX),
)

# -- magnitude, sign, rounding


def _turn(g: Node, out: Node, x: Node) -> Node:
    # The part of g across the direction of x: along it, sgn does not change.
    turned = (g - out * out * conj(g)) / (2 * cast(absolute(x), x.dtype))
    return where(eq(x, zero(x)), zero(g), turned)


absolute = elementwise(
    "abs",
    lambda g, out, x: cast(g, x.dtype) * sgn(x),
    promotes="same",
    infer=magnitude,
    refuses=lacks("abs_cpu", BOOL),
)
sgn: Op = elementwise(
    "sgn",
    lambda g, out, x: _turn(g, out, x) if x.dtype.is_complex else constant(0, x.dtype, g.shape),
    promotes="same",
)
sign = elementwise(
    "sign",
    ZERO,
    promotes="same",
    refuses={
        COMPLEX: "Unlike NumPy, torch.sign is not intended to support complex numbers. "
        "Please use torch.sgn instead."
    },
)


def _whole(name: str, promotes: str = "same") -> Op:
    refuses = lacks(f"{name}_vml_cpu", BOOL, COMPLEX)
    if name != "round":
        refuses[COMPLEX] = f"{name} is not supported for complex inputs"
    return elementwise(name, ZERO, promotes=promotes, refuses=refuses)


floor, ceil, trunc = (_whole(name) for name in ("floor", "ceil", "trunc"))
rounded = _whole("round", promotes="")
frac = elementwise(
    "frac",
    lambda g, out, x: g,
    promotes="same",
    refuses=lacks("frac_cpu", BOOL, INTEGER, COMPLEX),
)
fmod = elementwise(
    "fmod",
    lambda g, out, x, y: g,
    lambda g, out, x, y: -g * div_trunc(x, y),
    promotes="same",
    refuses=lacks("fmod_cpu", BOOL, COMPLEX),
)
remainder = elementwise(
    "remainder",
    lambda g, out, x, y: g,
    lambda g, out, x, y: -g * div_floor(x, y),
    promotes="same",
    refuses=lacks("remainder_cpu", BOOL, COMPLEX),
    text="{0} % {1}",
    precedence=20,
)


def _no_floor_divide(g: Node, out: Node, x: Node, y: Node) -> Node:
    said = "derivative for aten::floor_divide is not implemented"
    if current.forward:
        said = "Trying to use forward AD with aten::floor_divide that does not support it."
    raise GradcliError(
        "G037",
        said,
        kind=NotImplementedError if current.forward else RuntimeError,
        help="div(x, y, rounding_mode='floor') has one: zero",
    )


floor_divide = elementwise(
    "floor_divide",
    _no_floor_divide,
    _no_floor_divide,
    torch="NotImplemented",
    promotes="same",
    text="{0}//{1}",
    precedence=20,
    refuses=lacks("div_floor_cpu", BOOL, COMPLEX),
)
div_floor: Op = elementwise(
    "div_floor",
    ZERO,
    ZERO,
    promotes="",
    kernel="floor_divide",
    refuses=floor_divide.refuses,
)
div_trunc: Op = elementwise(
    "div_trunc",
    ZERO,
    ZERO,
    promotes="",
    refuses=lacks("div_trunc_cpu", BOOL, COMPLEX),
)

# -- choices


def _share(g: Node, loses: Node, ties: Node) -> Node:
    return where(ties, g / 2, where(loses, zero(g), g))


def _no_complex(name: str) -> dict[int, str]:
    return {COMPLEX: Check(f"{name} not implemented for complex tensors.")}


maximum = elementwise(
    "maximum",
    lambda g, out, x, y: _share(g, le(x, y), eq(x, y)),
    lambda g, out, x, y: _share(g, ge(x, y), eq(x, y)),
    promotes="same",
    refuses=_no_complex("maximum"),
)
minimum = elementwise(
    "minimum",
    lambda g, out, x, y: _share(g, ge(x, y), eq(x, y)),
    lambda g, out, x, y: _share(g, le(x, y), eq(x, y)),
    promotes="same",
    refuses=_no_complex("minimum"),
)
fmax = elementwise(
    "fmax",
    lambda g, out, x, y: where(logical_or(ge(x, y), isnan(y)), g, zero(g)),
    lambda g, out, x, y: where(logical_or(ge(x, y), isnan(y)), zero(g), g),
    promotes="same",
    refuses=_no_complex("fmax"),
)
fmin = elementwise(
    "fmin",
    lambda g, out, x, y: where(logical_or(le(x, y), isnan(y)), g, zero(g)),
    lambda g, out, x, y: where(logical_or(le(x, y), isnan(y)), zero(g), g),
    promotes="same",
    refuses=_no_complex("fmin"),
)
clamp_min = elementwise(
    "clamp_min",
    lambda g, out, x, y: where(ge(x, y), g, zero(g)),
    lambda g, out, x, y: where(lt(x, y), g, zero(g)),
    promotes="same",
    refuses=lacks("maximum_cpu", COMPLEX),
    kernel="maximum",
)
clamp_max = elementwise(
    "clamp_max",
    lambda g, out, x, y: where(le(x, y), g, zero(g)),
    lambda g, out, x, y: where(gt(x, y), g, zero(g)),
    promotes="same",
    refuses=lacks("minimum_cpu", COMPLEX),
    kernel="minimum",
)
relu = elementwise(
    "relu",
    lambda g, out, x: where(le(out, zero(out)), zero(g), g),
    promotes="same",
    refuses={**NO_CLAMP, BOOL: Check("Boolean inputs not supported for relu")},
)
where: Op = elementwise(
    "where",
    CONDITION,
    lambda g, out, c, x, y: where(c, g, zero(g)),
    lambda g, out, c, x, y: where(c, zero(g), g),
    infer=_where_infer,
    promotes="",
    exact=True,
)
heaviside = elementwise(
    "heaviside",
    ZERO,
    ZERO,
    promotes="same",
    refuses={COMPLEX: Check("heaviside is not yet implemented for complex tensors.")},
)
copysign = elementwise(
    "copysign",
    lambda g, out, x, y: g * where(eq(x, zero(x)), zero(x), out / x),
    ZERO,
    refuses=lacks("copysign_cpu", COMPLEX),
)
nextafter = elementwise(
    "nextafter",
    lambda g, out, x, y: where(eq(x, y), zero(g), g),
    ZERO,
    promotes="same",
    refuses=lacks("nextafter_cpu", BOOL, INTEGER, COMPLEX),
)

# -- comparisons and logic

COMPARISONS = {
    **{"eq": ("equal", "==", ()), "ne": ("not_equal", "!=", ())},
    **{"lt": ("less", "<", (COMPLEX,)), "le": ("less_equal", "<=", (COMPLEX,))},
    **{"gt": ("greater", ">", (COMPLEX,)), "ge": ("greater_equal", ">=", (COMPLEX,))},
}
"""Comparisons -> the kernel, the sign, and the kinds that PyTorch does not compare."""
eq: Op
ne: Op
lt: Op
le: Op
gt: Op
ge: Op
eq, ne, lt, le, gt, ge = (
    predicate(
        name,
        INTEGRAL,
        INTEGRAL,
        kernel=kernel,
        text=f"{{0}} {sign} {{1}}",
        precedence=5,
        refuses=lacks(f"{name}_cpu", *missing),
    )
    for name, (kernel, sign, missing) in COMPARISONS.items()
)
logical_and: Op
logical_or: Op
logical_and, logical_or, logical_xor = (
    predicate(f"logical_{name}", INTEGRAL, INTEGRAL) for name in ("and", "or", "xor")
)
isnan: Op
logical_not, isnan, isinf, isfinite, isposinf, isneginf, signbit = (
    predicate(name, INTEGRAL, refuses={COMPLEX: sentence} if sentence else {})
    for name, sentence in (
        *((name, "") for name in ("logical_not", "isnan", "isinf", "isfinite")),
        *(
            (name, Check(f"{name} does not support complex inputs."))
            for name in ("isposinf", "isneginf")
        ),
        ("signbit", "signbit is not implemented for complex tensors."),
    )
)
_NO_BITS = (FLOATING, COMPLEX)
_BITWISE = {
    **{"and": ("&", 9, "bitwise_and_cpu"), "or": ("|", 7, "bitwise_or_cpu")},
    **{"xor": ("^", 8, "bitwise_xor_cpu"), "left_shift": ("<<", 9, "lshift_cpu")},
    "right_shift": (">>", 9, "rshift_cpu"),
}
bitwise_and, bitwise_or, bitwise_xor, bitwise_left_shift, bitwise_right_shift = (
    elementwise(
        f"bitwise_{name}",
        INTEGRAL,
        INTEGRAL,
        promotes="same",
        text=f"{{0}} {sign} {{1}}",
        precedence=precedence,
        refuses=lacks(kernel, *_NO_BITS, *([BOOL] if "shift" in name else [])),
    )
    for name, (sign, precedence, kernel) in _BITWISE.items()
)
bitwise_not = elementwise(
    "bitwise_not",
    INTEGRAL,
    promotes="same",
    text="~{0}",
    precedence=30,
    refuses=lacks("bitwise_not_cpu", *_NO_BITS),
)

# -- dtypes and complex parts

to_dtype = elementwise(
    "cast", _cast_rule, infer=_cast_infer, promotes="", torch="to_copy", text="{0}", exact=True
)


def _widening(x: Node) -> tuple[Shape, DType]:
    assert x.dtype.wider is not None
    return x.shape, x.dtype.wider


widen = elementwise(
    "widen", lambda g, out, x: cast(g, x.dtype), infer=_widening, promotes="", text="{0}"
)
"""A number of half the width in the type that PyTorch computes in."""
ROUNDING = {
    dtype: elementwise(
        f"to_{dtype.name}",
        lambda g, out, x: cast(g, x.dtype),
        infer=lambda x, dtype=dtype: (x.shape, dtype),
        promotes="",
        torch="to_copy",
        text="{0}",
        exact=True,
    )
    for dtype in (bfloat16, complex32)
}
"""The types that NumPy lacks: stored in the wider one, rounded to the nearest, ties to even."""


conj_physical = elementwise(
    "conj_physical", lambda g, out, x: conj(g), promotes="same", kernel="conj"
)
real = elementwise(
    "real",
    lambda g, out, x: cast(g, x.dtype),
    infer=_real_infer,
    promotes="",
    view=True,
    torch="select",
)
imag = elementwise(
    "imag",
    lambda g, out, x: make_complex(zero(g), g),
    infer=_real_infer,
    promotes="",
    view=True,
    torch="select",
)
make_complex: Op = elementwise(
    "complex",
    lambda g, out, x, y: real(g),
    lambda g, out, x, y: imag(g),
    infer=_complex_infer,
    promotes="",
)
clone = elementwise("clone", lambda g, out, x: g, promotes="", text="{0}", exact=True)

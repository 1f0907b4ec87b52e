"""Special functions: Bessel, gamma, error functions, orthogonal polynomials, divisors.

Constraints: see gradcli/ops. Imported with the family that calls them, so `promotes` is empty here
and promotion stands there. Where PyTorch defines no derivative the row says so.
"""

from __future__ import annotations

import math

from gradcli.errors import GradcliError
from gradcli.graph.dtype import BOOL, COMPLEX, FLOATING, HALVES, INTEGER, int32
from gradcli.graph.node import Node
from gradcli.graph.op import INTEGRAL, NONE, NoDerivative, Op, Rule
from gradcli.ops.elementwise import (
    absolute,
    cast,
    conj,
    eq,
    exp,
    exp2,
    gt,
    isnan,
    le,
    lgamma,
    log,
    log1p,
    logical_and,
    lt,
    sgn,
    where,
)
from gradcli.ops.rows import elementwise, lacks, zero

ROOT_2 = math.sqrt(2)
ROOT_TWO_PI = math.sqrt(2 * math.pi)
NEAR_ZERO = 2.220446049250313e-16
"""Where |x| is no larger, PyTorch takes the limit of i1(x)/x."""


def missing(what: str) -> Rule:
    """A rule for an input whose derivative PyTorch lacks too: an error when it is asked for."""

    def rule(g: Node, out: Node, *inputs: Node, **attrs: object) -> Node:
        raise GradcliError(
            "G037",
            f"the derivative for '{what}' is not implemented.",
            kind=NotImplementedError,
        )

    return rule


def _per(out: Node, x: Node) -> tuple[Node, Node]:
    """Where x is not near zero, and x with 1 in place of what is."""
    away = gt(absolute(x), zero(x) + NEAR_ZERO)
    return away, where(away, x, zero(x) + 1)


def _i1_rule(g: Node, out: Node, x: Node) -> Node:
    away, safe = _per(out, x)
    return g * where(away, i0(safe) - out / safe, zero(x) + 0.5)


def _i1e_rule(g: Node, out: Node, x: Node) -> Node:
    away, safe = _per(out, x)
    return g * where(away, i0e(safe) - out * (sgn(safe) + 1 / safe), zero(x) + 0.5)


def _unary(name: str, *derivatives: Rule | NoDerivative, torch: str = "", **row: object) -> Op:
    return _row(name, *derivatives, torch=torch or f"special_{name}", **row)


def _row(name: str, *derivatives: Rule | NoDerivative, **row: object) -> Op:
    """By default PyTorch has no kernel for complex numbers, nor for those of half the width."""
    row.setdefault("refuses", lacks(f"{name}_cpu", COMPLEX, *HALVES))
    return elementwise(name, *derivatives, promotes="", kernel=f"special_{name}", **row)


# -- Bessel functions

i0 = _unary("i0", lambda g, out, x: g * i1(x), torch="i0", refuses=lacks("i0_vml_cpu", COMPLEX))
i0e = _unary(
    "i0e",
    lambda g, out, x: g * (i1e(x) - sgn(x) * out),
    torch="special_i0E",
    refuses=lacks("i0e_cpu", COMPLEX),
)
i1: Op = _unary("i1", _i1_rule, refuses=lacks("i1_cpu", COMPLEX))
i1e: Op = _unary("i1e", _i1e_rule, torch="special_i1E", refuses=lacks("i1e_cpu", COMPLEX))
NO_SLOPE = {
    name: _unary(name, NONE)
    for name in (
        *("airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "modified_bessel_i0"),
        *("modified_bessel_i1", "modified_bessel_k0", "modified_bessel_k1"),
        *("scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "spherical_bessel_j0"),
    )
}
"""Functions of one number that PyTorch does not differentiate."""

# -- error functions and entropy

entr = _unary(
    "entr",
    lambda g, out, x: -g * (log(x) + 1),
    halves=lambda x: where(
        lt(x, zero(x)), zero(x) - math.inf, where(eq(x, zero(x)), zero(x), -x * log(x))
    ),
    refuses=lacks("entr_cpu", COMPLEX),
)
erfcx = _unary("erfcx", lambda g, out, x: g * (2 * x * out - 2 / math.sqrt(math.pi)))
ndtri = _unary("ndtri", lambda g, out, x: g * ROOT_TWO_PI * exp(out * out / 2))
log_ndtr = _unary(
    "log_ndtr", lambda g, out, x: g / erfcx(x * (-1 / ROOT_2)) * math.sqrt(2 / math.pi)
)

# -- two numbers


def _binary(name: str, *derivatives: Rule | NoDerivative, torch: str = "", **row: object) -> Op:
    return _row(name, *derivatives, torch=torch or name, **row)


def _igamma_slope(x: Node, y: Node) -> Node:
    return exp((x - 1) * log(y) - y - lgamma(x))


_NO_IGAMMA = (BOOL, INTEGER, COMPLEX)
igamma = _binary(
    "igamma",
    missing("igamma: input"),
    lambda g, out, x, y: g * _igamma_slope(x, y),
    refuses=lacks("igamma_cpu", *_NO_IGAMMA),
)
igammac = _binary(
    "igammac",
    missing("igammac: input"),
    lambda g, out, x, y: -g * _igamma_slope(x, y),
    refuses=lacks("igammac_cpu", *_NO_IGAMMA),
)
zeta: Op = _binary(
    "zeta",
    missing("zeta"),
    lambda g, out, x, y: g * -x * zeta(x + 1, y),
    torch="special_zeta",
)


def _xlog1py_left(g: Node, out: Node, x: Node, y: Node) -> Node:
    nothing = logical_and(eq(x, zero(x)), le(y, zero(y) - 1))
    return where(nothing, zero(g), xlog1py(g, y))


xlog1py: Op = _binary(
    "xlog1py",
    _xlog1py_left,
    lambda g, out, x, y: g * x / (y + 1),
    torch="special_xlog1Py",
    halves=lambda x, y: where(isnan(y), y + x, where(eq(x, zero(x)), zero(x + y), x * log1p(y))),
    refuses=lacks("xlog1py_cpu", COMPLEX),
)
POLYNOMIALS = {
    name: _binary(name, NONE, NONE, torch=f"special_{name}")
    for name in (
        *(f"chebyshev_polynomial_{kind}" for kind in "tuvw"),
        *(f"shifted_chebyshev_polynomial_{kind}" for kind in "tuvw"),
        *("hermite_polynomial_h", "hermite_polynomial_he"),
        *("laguerre_polynomial_l", "legendre_polynomial_p"),
    )
}
"""Orthogonal polynomials of x and a degree, which PyTorch does not differentiate."""

# -- whole numbers and binary digits

_NO_DIVISORS = (BOOL, FLOATING, COMPLEX)
gcd = _binary("gcd", INTEGRAL, INTEGRAL, refuses=lacks("gcd_cpu", *_NO_DIVISORS))
lcm = _binary("lcm", INTEGRAL, INTEGRAL, refuses=lacks("lcm_cpu", *_NO_DIVISORS))
ldexp = _binary(
    "ldexp",
    lambda g, out, x, y: g * conj(cast(exp2(y), g.dtype)),
    lambda g, out, x, y: g * conj(out) * math.log(2),
    refuses={},
)


frexp_exponent = elementwise(
    "frexp_exponent",
    INTEGRAL,
    infer=lambda x: (x.shape, int32),
    promotes="",
    kernel="special_frexp_exponent",
)
frexp = elementwise(
    "frexp",
    lambda g, out, x: g / exp2(cast(frexp_exponent(x), x.dtype)),
    promotes="",
    kernel="special_frexp",
)
"""The mantissa."""

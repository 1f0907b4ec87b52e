"""Inverses and systems of linear equations.

Constraints: see gradcli/ops; of the last two axes. `info` is LAPACK's: 0, or the place (from 1) of
the first pivot that is zero or not positive; the results are then infinite or NaN, and whoever
asked says so.
"""

from __future__ import annotations

from typing import Any

from gradcli.graph.dtype import DType, int32, int64
from gradcli.graph.node import Node, constant
from gradcli.graph.op import NoDerivative, Op
from gradcli.graph.shape import Shape
from gradcli.ops.elementwise import cast
from gradcli.ops.matrices import EPSILON, Kinds, absent, adjoint, columns, leading, product
from gradcli.ops.movement import tril, triu


def _inv(x: Node) -> Kinds:
    return [(x.shape, x.dtype), (x.shape[:-2], int32)]


def _inv_rule(g: tuple[Node, ...], out: tuple[Node, ...], x: Node) -> Node:
    back = adjoint(out[0])
    return -product(back, product(g[0], back))


inv_ex = Op("linalg_inv_ex", _inv, _inv_rule, multiple=True)


def inverse(x: Node) -> Node:
    """The inverse; infinite or NaN where there is none."""
    return inv_ex.many(x)[0]


def _solve(x: Node, y: Node, *, left: bool) -> Kinds:
    lead = leading(y, x)
    return [((*lead, *y.shape[-2:]), y.dtype), (lead, int32)]


def _solved_for_matrix(part: Node, solution: Node, left: bool) -> Node:
    """The cotangent of `x` in `x @ solution = y` (or `solution @ x = y`), from that of `y`."""
    return -(product(part, adjoint(solution)) if left else product(adjoint(solution), part))


def _solve_rule(
    g: tuple[Node, ...], out: tuple[Node, ...], x: Node, y: Node, *, left: bool
) -> Node:
    return _solved_for_matrix(solution(adjoint(x), g[0], left), out[0], left)


solve_ex = Op(
    "linalg_solve_ex",
    _solve,
    _solve_rule,
    lambda g, out, x, y, *, left: solution(adjoint(x), g[0], left),
    multiple=True,
    broadcasts=True,
)


def solution(x: Node, y: Node, left: bool = True) -> Node:
    """The solution of `x @ solution = y`, or of `solution @ x = y`."""
    return solve_ex.many(x, y, left=left)[0]


def _triangular(x: Node, y: Node, *, upper: bool, left: bool, unit: bool) -> tuple[Shape, DType]:
    return (*leading(x, y), *y.shape[-2:]), y.dtype


def _triangular_back(
    g: Node, out: Node, x: Node, y: Node, *, upper: bool, left: bool, unit: bool
) -> Node:
    return solve_triangular(adjoint(x), g, upper=not upper, left=left, unit=unit)


def _triangular_rule(g: Node, out: Node, x: Node, y: Node, **attrs: bool) -> Node:
    part = _triangular_back(g, out, x, y, **attrs)
    whole = _solved_for_matrix(part, out, attrs["left"])
    cut, offset = (triu, 1) if attrs["upper"] else (tril, -1)
    return cut(whole, diagonal=offset if attrs["unit"] else 0)


solve_triangular = Op(
    "linalg_solve_triangular", _triangular, _triangular_rule, _triangular_back, broadcasts=True
)


def _pinv(x: Node, atol: Node, rtol: Node, *, hermitian: bool) -> tuple[Shape, DType]:
    m, n = x.shape[-2:]
    return (*x.shape[:-2], n, m), x.dtype


def pinv_rule(g: Node, out: Node, x: Node, *others: Node, **attrs: bool) -> Node:
    """Golub and Pereyra, The differentiation of pseudo-inverses (1973), of constant rank."""
    g, back = adjoint(g), adjoint(out)
    if x.shape[-2] <= x.shape[-1]:
        turned = product(g, out)
        ending = product(turned, back)
        outer = product(product(back, out), g - product(turned, x))
        return ending - adjoint(product(out, turned)) - product(product(x, out), ending) + outer
    turned = product(out, g)
    ending = product(back, turned)
    outer = product(product(g - product(x, turned), out), back)
    return ending - adjoint(product(turned, out)) - product(product(ending, out), x) + outer


TOLERANCE = NoDerivative("a tolerance decides which singular values count, it has no slope")
pinv = Op("linalg_pinv", _pinv, pinv_rule, TOLERANCE, TOLERANCE)


def pseudo_inverse(x: Node) -> Node:
    """The pseudo-inverse with PyTorch's default tolerance."""
    kind = x.dtype.to_real()
    rtol = EPSILON[kind.name] * max(x.shape[-2:])
    return pinv(x, constant(0, kind), constant(rtol, kind), hermitian=False)


def _lstsq(x: Node, y: Node, *, rcond: float | None, driver: str) -> Kinds:
    lead, (m, n), right = leading(x, y), x.shape[-2:], y.shape[-1]
    kind = x.dtype.to_real()
    return [
        ((*lead, n, right), x.dtype),
        ((*lead, right) if m > n and driver != "gelsy" else (0,), kind),
        (x.shape[:-2] if driver != "gels" else (0,), int64),
        ((*x.shape[:-2], min(m, n)) if driver in ("gelsd", "gelss") else (0,), kind),
    ]


def _lstsq_matrix(
    g: tuple[Node, ...], out: tuple[Node, ...], x: Node, y: Node, **attrs: Any
) -> Node:
    slope = pinv_rule(product(g[0], adjoint(y)), pseudo_inverse(x), x)
    off = _residual_part(g, out, x, y)
    return slope if off is None else slope + product(off, adjoint(out[0]))


def _lstsq_right(
    g: tuple[Node, ...], out: tuple[Node, ...], x: Node, y: Node, **attrs: Any
) -> Node:
    slope = product(adjoint(pseudo_inverse(x)), g[0])
    off = _residual_part(g, out, x, y)
    return slope if off is None else slope - off


def _residual_part(g: tuple[Node, ...], out: tuple[Node, ...], x: Node, y: Node) -> Node | None:
    """The cotangent of `x @ solution - y`, whose squares are added up."""
    if absent(g[1]) or out[1].shape == (0,):
        return None
    return 2 * cast(columns(g[1]), x.dtype) * (product(x, out[0]) - y)


lstsq = Op("linalg_lstsq", _lstsq, _lstsq_matrix, _lstsq_right, multiple=True, broadcasts=True)


def _cholesky_inverse_rule(g: Node, out: Node, x: Node, *, upper: bool) -> Node:
    both = g + adjoint(g)
    inner = product(out, product(both, out))
    return -(product(x, inner) if upper else product(inner, x))


cholesky_inverse = Op(
    "cholesky_inverse", lambda x, *, upper: (x.shape, x.dtype), _cholesky_inverse_rule
)


def _cholesky_solve_back(g: Node, out: Node, y: Node, x: Node, *, upper: bool) -> Node:
    return cholesky_solve(g, x, upper=upper)


def _cholesky_solve_rule(g: Node, out: Node, y: Node, x: Node, *, upper: bool) -> Node:
    part = product(cholesky_solve(g, x, upper=upper), adjoint(out))
    both = part + adjoint(part)
    return -(product(x, both) if upper else product(both, x))


cholesky_solve = Op(
    "cholesky_solve",
    lambda y, x, *, upper: ((*leading(x, y), *y.shape[-2:]), y.dtype),
    _cholesky_solve_back,
    _cholesky_solve_rule,
    broadcasts=True,
)

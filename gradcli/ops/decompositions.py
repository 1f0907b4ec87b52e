"""Decompositions of matrices: triangular and orthogonal factors, eigenvalues, singular values.

Constraints: see gradcli/ops; of the last two axes. A factor that is unique only up to a sign or a
phase has the derivative of results that do not depend on that choice; where a result does,
PyTorch's sentence says so.
"""

from __future__ import annotations

from gradcli.errors import GradcliError
from gradcli.graph.dtype import int32
from gradcli.graph.node import Node, current
from gradcli.graph.op import INDEX, Op
from gradcli.ops.elementwise import cast, conj, imag, real
from gradcli.ops.matrices import (
    Kinds,
    absent,
    adjoint,
    block,
    columns,
    differences,
    identity,
    leading,
    matrix_of,
    missing,
    product,
    require_small,
    rows,
    with_diagonal,
)
from gradcli.ops.movement import concat, diagonal, expand, tril, triu
from gradcli.ops.rows import zero
from gradcli.ops.systems import solution, solve_triangular

PHASE = (
    "{}: The eigenvectors in the complex case are specified up to multiplication by e^{{i phi}}. "
    "The specified loss function depends on this quantity, so it is ill-defined."
)
SINGULAR_PHASE = (
    "svd_backward: The singular vectors in the complex case are specified up to multiplication by "
    "e^{i phi}. The specified loss function depends on this phase term, making it ill-defined."
)

# -- triangular factors


def _cholesky(x: Node, *, upper: bool) -> Kinds:
    return [(x.shape, x.dtype), (x.shape[:-2], int32)]


def _cholesky_rule(g: tuple[Node, ...], out: tuple[Node, ...], x: Node, *, upper: bool) -> Node:
    factor, part = (adjoint(v) if upper else v for v in (out[0], g[0]))
    inner = tril(product(adjoint(factor), part), diagonal=0)
    below = tril(inner, diagonal=-1)
    # Forward mode takes other than Hermitian directions as they are.
    inner = (inner + (below if current.forward else adjoint(below))) / 2
    back = adjoint(factor)
    half = solve_triangular(back, inner, upper=True, left=True, unit=False)
    return solve_triangular(factor, half, upper=False, left=False, unit=False)


cholesky_ex = Op("linalg_cholesky_ex", _cholesky, _cholesky_rule, multiple=True)


def _qr(x: Node, *, mode: str) -> Kinds:
    lead, (m, n) = x.shape[:-2], x.shape[-2:]
    inner = m if mode == "complete" else min(m, n)
    q = (0,) if mode == "r" else (*lead, m, inner)
    return [(q, x.dtype), ((*lead, inner, n), x.dtype)]


def _qr_rule(g: tuple[Node, ...], out: tuple[Node, ...], x: Node, *, mode: str) -> Node:
    m, n = x.shape[-2:]
    if mode == "r":
        raise GradcliError(
            "G037",
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please "
            "use linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr.",
        )
    if mode == "complete" and m > n:
        raise GradcliError(
            "G037",
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols.",
        )
    (gq, gr), (q, r) = g, out
    if m >= n:
        inner = triu(product(gr, adjoint(r)) - product(adjoint(q), gq), diagonal=0)
        whole = gq + product(q, _halved(inner + adjoint(inner)))
        return solve_triangular(adjoint(r), whole, upper=False, left=False, unit=False)
    gr = triu(gr, diagonal=0)
    inner = product(adjoint(q), gq) - product(gr, adjoint(r))
    inner = _halved(tril(inner - adjoint(inner), diagonal=0))
    square = adjoint(block(r, wide=slice(m)))
    inner = solve_triangular(square, inner, upper=False, left=False, unit=False)
    nothing = expand(zero(inner), shape=(*inner.shape[:-1], n - m))
    return product(q, concat(inner, nothing, axis=-1) + gr)


def _halved(x: Node) -> Node:
    """`x` with half its diagonal."""
    return x - matrix_of(diagonal(x, offset=0)) / 2


qr = Op("linalg_qr", _qr, _qr_rule, multiple=True)


def _lu_factor(x: Node) -> Kinds:
    lead, least = x.shape[:-2], min(x.shape[-2:])
    return [(x.shape, x.dtype), ((*lead, least), int32), (lead, int32)]


def unpacked(packed: Node) -> tuple[Node, Node]:
    """The triangular factors that lie in one matrix: the left one has a diagonal of ones."""
    m, least = packed.shape[-2], min(packed.shape[-2:])
    lower = tril(block(packed, wide=slice(least)), diagonal=-1)
    return lower + identity(m, packed.dtype, least), triu(
        block(packed, high=slice(least)), diagonal=0
    )


def _lu_factor_rule(g: tuple[Node, ...], out: tuple[Node, ...], x: Node) -> Node:
    packed, pivots, _ = out
    least = min(x.shape[-2:])
    lower, upper = unpacked(packed)
    part_l = tril(block(g[0], wide=slice(least)), diagonal=-1)
    part_u = triu(block(g[0], high=slice(least)), diagonal=0)
    head, tail = slice(least), slice(least, None)
    lower_head, upper_head = block(lower, high=head), block(upper, wide=head)
    below = product(adjoint(lower_head), block(part_l, high=head)) - product(
        block(part_u, wide=tail), adjoint(block(upper, wide=tail))
    )
    above = product(block(part_u, wide=head), adjoint(upper_head)) - product(
        adjoint(block(lower, high=tail)), block(part_l, high=tail)
    )
    inner = tril(below, diagonal=-1) + triu(above, diagonal=0)
    return product(
        permutation(pivots, size=x.shape[-2], dtype=x.dtype),
        _around(adjoint(lower_head), inner, adjoint(upper_head), part_l, part_u, least),
    )


def _around(lower: Node, inner: Node, upper: Node, part_l: Node, part_u: Node, least: int) -> Node:
    """The square part between the inverses of the factors, then what lies below or beside it."""
    tail = slice(least, None)
    beside = block(part_u, wide=tail)
    below = block(part_l, high=tail)
    middle = solve_triangular(upper, inner, upper=False, left=False, unit=False)
    wide = concat(middle, beside, axis=-1) if beside.shape[-1] else middle
    head = solve_triangular(lower, wide, upper=True, left=True, unit=True)
    if not below.shape[-2]:
        return head
    return concat(
        head, solve_triangular(upper, below, upper=False, left=False, unit=False), axis=-2
    )


lu_factor_ex = Op("linalg_lu_factor_ex", _lu_factor, _lu_factor_rule, multiple=True)
permutation = Op(
    "lu_permutation",
    lambda pivots, *, size, dtype: ((*pivots.shape[:-1], size, size), dtype),
    INDEX,
)
"""The matrix P in `x = P @ L @ U`, from the exchanges of rows (from 1) that pivoting made."""


def _ldl_factor(x: Node, *, hermitian: bool) -> Kinds:
    return [(x.shape, x.dtype), (x.shape[:-1], int32), (x.shape[:-2], int32)]


NO_LDL = missing("derivative for aten::linalg_ldl_factor_ex is not implemented")
NO_LDL_SOLVE = missing("derivative for aten::linalg_ldl_solve is not implemented")
ldl_factor_ex = Op("linalg_ldl_factor_ex", _ldl_factor, NO_LDL, multiple=True)
ldl_solve = Op(
    "linalg_ldl_solve",
    lambda x, pivots, y, *, hermitian: ((*leading(x, y), *y.shape[-2:]), y.dtype),
    NO_LDL_SOLVE,
    INDEX,
    NO_LDL_SOLVE,
)


def _geqrf(x: Node) -> Kinds:
    return [(x.shape, x.dtype), ((*x.shape[:-2], min(x.shape[-2:])), x.dtype)]


geqrf = Op(
    "geqrf",
    _geqrf,
    missing("the derivative for 'geqrf' is not implemented.", NotImplementedError),
    multiple=True,
)

# -- eigenvalues and singular values


def _eig(x: Node) -> Kinds:
    kind = x.dtype.to_complex()
    return [(x.shape[:-1], kind), (x.shape, kind)]


def _eig_rule(g: tuple[Node, ...], out: tuple[Node, ...], x: Node) -> Node:
    (gl, gv), (values, vectors) = g, out
    back = adjoint(vectors)
    inner = matrix_of(gl)
    if not absent(gv):
        turned = product(back, gv)
        along = diagonal(turned, offset=0)
        if x.dtype.is_complex:
            turned = require_small(turned, imag(along), PHASE.format("linalg_eig_backward"))
        lengths = cast(real(along), along.dtype)
        turned = turned - product(back, vectors * columns(lengths))
        inner = with_diagonal(turned / conj(differences(values)), gl)
    whole = solution(back, product(inner, back))
    return whole if x.dtype.is_complex else real(whole)


eig = Op("linalg_eig", _eig, _eig_rule, multiple=True)


def _eigh(x: Node, *, uplo: str) -> Kinds:
    return [(x.shape[:-1], x.dtype.to_real()), (x.shape, x.dtype)]


def _eigh_rule(g: tuple[Node, ...], out: tuple[Node, ...], x: Node, *, uplo: str) -> Node:
    (gl, gv), (values, vectors) = g, out
    gl, back = cast(gl, x.dtype), adjoint(vectors)
    if absent(gv):
        return product(vectors * columns(gl), back)
    turned = product(back, gv)
    if x.dtype.is_complex:
        phases = imag(diagonal(turned, offset=0))
        turned = require_small(turned, phases, PHASE.format("linalg_eigh_backward"))
    if not current.forward:  # which takes other than Hermitian directions as they are
        turned = _skew(turned) / 2
    inner = with_diagonal(turned / cast(differences(values), x.dtype), gl)
    return product(vectors, product(inner, back))


eigh = Op("linalg_eigh", _eigh, _eigh_rule, multiple=True)


def _svd(x: Node, *, full: bool) -> Kinds:
    lead, (m, n) = x.shape[:-2], x.shape[-2:]
    least = min(m, n)
    high, wide = (m, n) if full else (least, least)
    return [
        ((*lead, m, high), x.dtype),
        ((*lead, least), x.dtype.to_real()),
        ((*lead, wide, n), x.dtype),
    ]


def _svd_rule(g: tuple[Node, ...], out: tuple[Node, ...], x: Node, *, full: bool) -> Node:
    least = slice(min(x.shape[-2:]))
    (gu, u), (gv, v) = (
        [block(p[0], wide=least) for p in (g, out)],
        [block(p[2], high=least) for p in (g, out)],
    )
    gs, s = cast(g[1], x.dtype), cast(out[1], x.dtype)
    if absent(g[0]) and absent(g[2]):
        return product(u * columns(gs), v)
    turn_u, turn_v = _skew(product(adjoint(u), gu)), _skew(product(v, adjoint(gv)))
    if x.dtype.is_complex:
        phases = imag(diagonal(turn_u, offset=0)) + imag(diagonal(turn_v, offset=0))
        turn_u = require_small(turn_u, phases, SINGULAR_PHASE)
    # Between singular vectors i and j the rotation is divided by s_j**2 - s_i**2.
    gap = differences(s * s)
    inner = matrix_of(gs) + turn_u / gap * columns(s) + rows(s) * (turn_v / gap)
    if x.dtype.is_complex:
        inner = inner + matrix_of(diagonal(turn_u, offset=0) / (2 * s))
    return product(product(u, inner), v) + _outside(gu, u, s, v) + _outside_right(gv, u, s, v)


def _skew(x: Node) -> Node:
    return x - adjoint(x)


def _outside(gu: Node, u: Node, s: Node, v: Node) -> Node:
    """What leaves the space of the left vectors."""
    if u.shape[-2] == u.shape[-1]:
        return zero(gu)
    scaled = gu / columns(s)
    return product(scaled - product(u, product(adjoint(u), scaled)), v)


def _outside_right(gv: Node, u: Node, s: Node, v: Node) -> Node:
    """What leaves the space of the right vectors."""
    if v.shape[-2] == v.shape[-1]:
        return zero(gv)
    scaled = gv / rows(s)
    return product(u, scaled - product(product(scaled, adjoint(v)), v))


svd = Op("linalg_svd", _svd, _svd_rule, multiple=True)

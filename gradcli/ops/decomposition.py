"""Decompositions of matrices, of the last two axes.

Constraints: see gradcli/ops. Singular vectors are unique up to a sign (a phase, for complex ones)
and only where singular values differ; their derivative holds for results that do not depend on
that choice.
"""

from __future__ import annotations

from gradcli.graph.dtype import BOOL, INTEGER, DType
from gradcli.graph.node import Node, constant
from gradcli.graph.op import FULL, Op
from gradcli.graph.shape import Shape
from gradcli.ops.elementwise import cast, conj, eq, where
from gradcli.ops.linalg import contract
from gradcli.ops.movement import diagonal, diagonal_embed, permute, reshape
from gradcli.ops.rows import lacks, zero


def product(x: Node, y: Node) -> Node:
    """The matrix product of the last two axes; leading ones broadcast."""
    return contract(x, y, spec="ik,kj->ij")


def adjoint(x: Node) -> Node:
    """The conjugate transpose of the last two axes."""
    return conj(permute(x, axes=(-1, -2)))


def columns(x: Node) -> Node:
    """A vector, to scale columns with."""
    return reshape(x, axes=1, shape=(1, x.shape[-1]))


def rows(x: Node) -> Node:
    """A vector, to scale rows with."""
    return reshape(x, axes=1, shape=(x.shape[-1], 1))


def absent(g: Node) -> bool:
    """Whether a cotangent is zero because nothing used that result."""
    return g.op is FULL and g.attrs["value"] == 0


def _svd(x: Node) -> tuple[tuple[Shape, DType], ...]:
    lead, (m, n) = x.shape[:-2], x.shape[-2:]
    least = min(m, n)
    return (
        ((*lead, m, least), x.dtype),
        ((*lead, least), x.dtype.to_real()),
        ((*lead, least, n), x.dtype),
    )


def _svd_rule(g: tuple[Node, ...], out: tuple[Node, ...], x: Node) -> Node:
    (gu, gs, gv), (u, s, v) = g, out
    s = cast(s, x.dtype)
    if absent(gu) and absent(gv):
        return product(u * columns(cast(gs, x.dtype)), v)
    # Between singular vectors i and j the rotation is divided by s_j**2 - s_i**2.
    gap = columns(s * s) - rows(s * s)
    gap = where(eq(gap, zero(gap)), constant(1, gap.dtype), gap)
    inner = diagonal_embed(cast(gs, x.dtype), offset=0, shape=(s.shape[-1], s.shape[-1]))
    turn_u, turn_v = product(adjoint(u), gu), product(v, adjoint(gv))
    inner = inner + _skew(turn_u) / gap * columns(s) + rows(s) * (_skew(turn_v) / gap)
    if x.dtype.is_complex:
        phase = diagonal(_skew(turn_u), offset=0) / (2 * s)
        inner = inner + diagonal_embed(phase, offset=0, shape=inner.shape[-2:])
    return product(product(u, inner), v) + _outside(gu, u, s, v) + _outside_right(gv, u, s, v)


def _skew(x: Node) -> Node:
    return x - adjoint(x)


def _outside(gu: Node, u: Node, s: Node, v: Node) -> Node:
    """What leaves the space of the left vectors; there is nothing outside of a square `u`."""
    scaled = gu / columns(s)
    return product(scaled - product(u, product(adjoint(u), scaled)), v)


def _outside_right(gv: Node, u: Node, s: Node, v: Node) -> Node:
    scaled = gv / rows(s)
    return product(u, scaled - product(product(scaled, adjoint(v)), v))


svd = Op(
    "linalg_svd",
    _svd,
    _svd_rule,
    multiple=True,
    kernel="svd",
    refuses=lacks("linalg_svd_cpu", BOOL, INTEGER),
)


def singular_values(x: Node) -> Node:
    """The singular values of the last two axes, in descending order."""
    return svd.many(x)[1]

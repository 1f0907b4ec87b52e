"""Ops that are linear in their first input, as products with matrices: what Jacobians are read off.

Constraints: one row in `LINEAR` for each op that is not a product already; see selections.py for
the matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from gradcli.graph.node import Node
from gradcli.graph.op import OPS
from gradcli.graph.shape import numel
from gradcli.rewrite.conditions import opposite
from gradcli.rewrite.indices import placed
from gradcli.rewrite.places import along, rows
from gradcli.rewrite.products import product
from gradcli.rewrite.rolls import rolled
from gradcli.rewrite.terms import INDICATOR, TOTAL, Factor, Number, Terms

Linear = Callable[[Terms, Node], "Node | None"]
"""`(terms, node) -> the node as a product with a matrix`; None where it cannot be one."""


def _multiplied(terms: Terms, node: Node, pairs: list[tuple[Node, int, int]]) -> Node:
    """`node.inputs[0]` times a matrix along some axes: (matrix, axis from the right, side)."""
    (x,) = node.inputs
    inner = list(terms.labels(x.ndim))
    outer = list(inner)
    factors = []
    for matrix, axis, side in pairs:
        outer[axis] = terms.labels(1)[0]
        ends = (inner[axis], outer[axis]) if side else (outer[axis], inner[axis])
        factors.append(Factor(matrix, along(matrix.shape, ends), Fraction(1)))
    own = Factor(x, along(x.shape, tuple(inner)), Fraction(1))
    return product(terms, [own, *factors], tuple(outer), node.shape)


def _linear_slices(terms: Terms, node: Node) -> Node:
    back = node.op.name == "embed"
    shape = node.shape if back else node.inputs[0].shape
    slices = node.attrs["slices"]
    pairs = [
        (rows(terms, shape[axis], part), axis, int(back))
        for axis, part in enumerate(slices, -len(slices))
        if part != (0, shape[axis], 1)
    ]
    return _multiplied(terms, node, pairs)


def _linear_flip(terms: Terms, node: Node) -> Node:
    axes = node.attrs["axis"]
    inner = node.inputs[0]
    if len(axes) == 1 and inner.op.name == "cumsum" and inner.attrs["axis"] == axes[0]:
        turned = inner.inputs[0]
        if turned.op.name == "flip" and turned.attrs["axis"] == axes:
            matrix = _lower(terms, node.shape[axes[0]])
            whole = terms.node(OPS["cumsum"], turned.inputs, node.shape, axis=axes[0])
            return _multiplied(terms, whole, [(matrix, axes[0], 1)])
    pairs = []
    for axis in axes:
        size = node.shape[axis]
        eye = _identity(terms, size)
        pairs.append((terms.node(node.op, (eye,), eye.shape, axis=(-2,)), axis, 1))
    return _multiplied(terms, node, pairs)


def _linear_cumsum(terms: Terms, node: Node) -> Node:
    axis = node.attrs["axis"]
    return _multiplied(terms, node, [(_lower(terms, node.shape[axis]), axis, 0)])


def _lower(terms: Terms, size: int) -> Node:
    """`tril(ones(n, n))`."""
    ones = terms.number(1, (size, size))
    return terms.node(OPS["tril"], (ones,), ones.shape, diagonal=0)


def _identity(terms: Terms, size: int) -> Node:
    (label,) = terms.labels(1)
    return product(terms, [], (label, label), (size, size))


def _linear_triangle(terms: Terms, node: Node) -> Node:
    (x,) = node.inputs
    shape = x.shape[-2:]
    mask = terms.node(node.op, (terms.number(1, shape),), shape, **node.attrs)
    labels = terms.labels(x.ndim)
    factors = [Factor(x, along(x.shape, labels), Fraction(1))]
    return product(terms, [*factors, Factor(mask, labels[-2:], Fraction(1))], labels, x.shape)


def _linear_reshape(terms: Terms, node: Node) -> Node:
    (x,) = node.inputs
    count = numel(x.shape)
    eye = _identity(terms, count)
    both = (*x.shape, *node.shape)
    matrix = terms.node(node.op, (eye,), both, axes=2, shape=both)
    inner, outer = terms.labels(x.ndim), terms.labels(node.ndim)
    factors = [
        Factor(x, along(x.shape, inner), Fraction(1)),
        Factor(matrix, along(both, (*inner, *outer)), Fraction(1)),
    ]
    return product(terms, factors, outer, node.shape)


def _linear_index(terms: Terms, node: Node) -> Node:
    x, *places = node.inputs
    shape = x.shape[x.ndim - node.attrs["axes"] :]
    return placed(terms, x, places, shape, node.shape, back=False)


def _linear_diagonal(terms: Terms, node: Node) -> Node:
    """A diagonal beside the main one: two slices of the unit matrix."""
    (x,) = node.inputs
    back = node.op.name == "diagonal_embed"
    shape = node.shape if back else x.shape
    offset, length = node.attrs["offset"], (x if back else node).shape[-1]
    lead = terms.labels(x.ndim - (1 if back else 2))
    k, i, j = terms.labels(3)
    first = rows(terms, shape[-2], (max(0, -offset), length, 1))
    second = rows(terms, shape[-1], (max(0, offset), length, 1))
    given, result = ((*lead, k), (*lead, i, j)) if back else ((*lead, i, j), (*lead, k))
    factors = [Factor(x, along(x.shape, given), Fraction(1))]
    factors += [Factor(m, (k, end), Fraction(1)) for m, end in ((first, i), (second, j))]
    return product(terms, factors, result, node.shape)


def _linear_where(terms: Terms, node: Node) -> Node:
    condition, x, y = node.inputs
    parts: list[tuple[Number, Node]] = []
    for chosen, holds in ((x, condition), (y, opposite(terms, condition))):
        mask = terms.node(INDICATOR, (holds,), holds.shape)
        labels = terms.labels(node.ndim)
        factors = [
            Factor(f, along(f.shape, labels[node.ndim - f.ndim :]), Fraction(1))
            for f in (mask, chosen)
        ]
        parts.append((Fraction(1), product(terms, factors, labels, node.shape)))
    return terms.node(TOTAL, [part for _, part in parts], node.shape, scales=(Fraction(1),) * 2)


def _linear_roll(terms: Terms, node: Node) -> Node:
    axis, shift = node.attrs["axis"], node.attrs["shift"]
    matrix = rolled(terms, _identity(terms, node.shape[axis]), -shift, -2)
    return _multiplied(terms, node, [(matrix, axis, 1)])


LINEAR: dict[str, Linear] = {
    **dict.fromkeys(("slice", "embed"), _linear_slices),
    **dict.fromkeys(("tril", "triu"), _linear_triangle),
    **dict.fromkeys(("diagonal", "diagonal_embed"), _linear_diagonal),
    **{"flip": _linear_flip, "cumsum": _linear_cumsum, "reshape": _linear_reshape},
    **{"index": _linear_index, "where": _linear_where, "roll": _linear_roll},
}
"""Ops that are linear in their first input, as products with matrices."""
LINEAR_SECOND: dict[str, Linear] = {}
"""Likewise ops that are linear in their second input."""

"""Sums of whole tables made of the sums of their columns, where those are wanted anyway.

Constraints: reads the nodes of a sweep, computes nothing. `sum_ij (x_ij*w_j + b_j)*v_ij` is
`sum_j w_j*(sum_i x_ij*v_ij) + sum_j b_j*(sum_i v_ij)`, whose inner sums are gradients of w and b.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradcli.execute.plan import CROSS, Rows
from gradcli.graph.build import Builder
from gradcli.graph.node import Node
from gradcli.graph.numbers import KINDS
from gradcli.graph.op import FULL

Terms = list[tuple[Node, Node]]
"""Vectors, and the sums of columns that each is multiplied by."""


def totals(nodes: Sequence[Node], rows: Rows) -> dict[Node, Terms]:
    """The sums over both axes of a table that are such terms."""
    columns: dict[frozenset[Node], Node] = {}
    for node in nodes:
        if is_column_sum(node, rows):
            (x,) = node.inputs
            columns[frozenset((x,))] = node
            if x.op.name == "mul":
                columns[frozenset(x.inputs)] = node
    found = {node: _terms(node, rows, columns) for node in nodes if columns and _is_total(node)}
    return {node: terms for node, terms in found.items() if terms}


def is_column_sum(node: Node, rows: Rows) -> bool:
    """Whether a node is the sums of the columns of a table of real numbers."""
    if node.op.name != "sum" or rows.kind.get(node) != CROSS or node.ndim != 1:
        return False
    (x,) = node.inputs
    real = node.dtype.name in KINDS and x.dtype is node.dtype
    return real and x.ndim == 2 and node.attrs["axis"] == (-2,) and rows.axis.get(x) == -2


def total(s: Builder, terms: Terms, node: Node) -> list[Node]:
    """The nodes that make the sum `node` of its terms, the last of them the sum."""
    dots = [s.shaped("contract", pair, (), node.dtype, node, {"spec": "i,i->"}) for pair in terms]
    made = dots[:1]
    for dot in dots[1:]:
        made += [dot, s.make("add", (made[-1], dot), dot)]
    return made


def _is_total(node: Node) -> bool:
    if node.op.name != "sum" or node.ndim or node.dtype.name not in KINDS:
        return False
    (x,) = node.inputs
    table = x.op.name == "mul" and x.ndim == 2 and x.dtype is node.dtype
    return table and all(y.shape == x.shape for y in x.inputs)


def _terms(node: Node, rows: Rows, columns: Mapping[frozenset[Node], Node]) -> Terms:
    factors = node.inputs[0].inputs
    for y, v in (factors, factors[::-1]):
        parts = _parts(y, rows)
        sums = [columns.get(frozenset((v,) if x is None else (x, v))) for _, x in parts]
        found = [(c, s) for (c, _), s in zip(parts, sums, strict=True) if s is not None]
        if len(found) == len(parts):
            return found
    return []


def _parts(y: Node, rows: Rows) -> list[tuple[Node, Node | None]]:
    """A table as vectors, and the tables that each multiplies (None: it is added)."""
    if y.op.name not in ("add", "mul"):
        return []
    for x, c in (y.inputs, y.inputs[::-1]):
        while c.op.name == "expand":
            (c,) = c.inputs
        same = c.dtype is y.dtype and c.shape == y.shape[-1:] and x.shape == y.shape
        if not same or c in rows.axis or c.op is FULL:
            continue
        if y.op.name == "mul":
            return [(c, x)]
        inner = _parts(x, rows)
        return [*inner, (c, None)] if inner else []
    return []

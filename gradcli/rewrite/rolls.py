"""Cyclic shifts: `roll(x, 1)`, found again in the slices that it is made of.

Constraints: see translate.py; reads the graph as it was traced.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.rewrite.products import SUMS
from gradcli.rewrite.terms import TOTAL, WRITTEN, Factor, Number, Terms, number_of, unshaped
from gradcli.rewrite.translate import ROWS, Rewriter, row

ROLL = Op("roll", unshaped, WRITTEN)
"""Elements moved on along an axis, those at the end to the start: attrs `shift` and `axis`."""


class _Part(NamedTuple):
    """A slice along one axis that is put somewhere: from, to and how many."""

    source: Node
    axis: int
    start: int
    place: int
    length: int


def rolled(terms: Terms, x: Node, shift: int, axis: int) -> Node:
    """`x` moved on by `shift` along an axis (negative)."""
    if number_of(x) is not None or shift == 0:
        return x
    scale, bare = terms.scaled(x)
    if scale != 1:
        return terms.times(scale, rolled(terms, bare, shift, axis))
    if x.op is ROLL and x.attrs["axis"] == axis:
        return rolled(terms, x.inputs[0], shift + x.attrs["shift"], axis)
    if x.op is TOTAL and any(terms.scaled(part)[1].op is ROLL for part in x.inputs):
        parts = [rolled(terms, part, shift, axis) for part in x.inputs]
        return terms.total(zip(x.attrs["scales"], parts, strict=True), x.shape)
    return terms.node(ROLL, (x,), x.shape, x.dtype, shift=shift, axis=axis)


@row("cat")
def _cat(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    axis, place, parts = node.attrs["axis"], 0, []
    for x in node.inputs:
        part = _slice_of(x, axis)
        if part is None:
            return None
        parts.append(part._replace(place=place))
        place += part.length
    return _turned(r, parts)


_ADD = ROWS["add"]


@row("add")
def _add(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """Two parts that are put back the other way round, with what was added up before them."""
    x, y = node.inputs
    first, last = _put(x), _put(y)
    if last is not None and first is not None:
        return _turned(r, [first, last]) or _ADD(r, node, inputs)
    if last is not None and x.op.name == "add":
        for part, rest in (x.inputs, x.inputs[::-1]):
            first = _put(part)
            turned = None if first is None else _turned(r, [first, last])
            if turned is not None:
                return r.total(node.shape, (1, turned), (1, r(rest)))
    return _ADD(r, node, inputs)


def _put(x: Node) -> _Part | None:
    """A slice that is put somewhere among zeros, along one axis."""
    if x.op.name != "embed" or not x.inputs:
        return None
    slices, shape = x.attrs["slices"], x.attrs["shape"]
    moved = [i for i, part in enumerate(slices) if part != (0, shape[i], 1)]
    if len(moved) != 1 or slices[moved[0]][2] != 1:
        return None
    part = _slice_of(x.inputs[0], moved[0] - len(slices))
    return None if part is None else part._replace(place=slices[moved[0]][0])


def _slice_of(x: Node, axis: int) -> _Part | None:
    """What a node takes from another along one axis only."""
    if x.op.name != "slice" or not x.inputs or len(x.attrs["slices"]) < -axis:
        return None
    (source,) = x.inputs
    slices = x.attrs["slices"]
    for i, part in enumerate(slices, -len(slices)):
        if i != axis and part != (0, source.shape[i], 1):
            return None
    start, length, step = slices[axis]
    return _Part(source, axis, start, 0, length) if step == 1 else None


def _turned(r: Rewriter, parts: list[_Part]) -> Node | None:
    """The shift that two parts make together."""
    if len(parts) != 2 or parts[0].source is not parts[1].source:
        return None
    a, b = sorted(parts, key=lambda part: part.start)
    size = a.source.shape[a.axis]
    whole = a.start == 0 and b.start == a.length and a.length + b.length == size
    if not whole or a.axis != b.axis or b.place != 0 or a.place != b.length:
        return None
    shift = b.length if b.length <= a.length else -a.length
    return rolled(r.terms, r(a.source), shift, a.axis)


def _rolled_sum(terms: Terms, f: Factor, label: int) -> tuple[Number, list[Factor]] | None:
    """A shift changes no sum."""
    if f.node.op is not ROLL or f.power != 1 or f.labels[f.node.attrs["axis"]] != label:
        return None
    return Fraction(1), [f._replace(node=f.node.inputs[0])]


SUMS.append(_rolled_sum)

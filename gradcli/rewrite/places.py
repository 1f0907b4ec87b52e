"""Positions and slices, taken from the operands that have them, and rows of the unit matrix.

Constraints: see selections.py.
"""

from __future__ import annotations

from fractions import Fraction

from gradcli.graph.node import Node
from gradcli.graph.op import OPS, Op
from gradcli.graph.shape import Shape
from gradcli.ops.movement import Slices
from gradcli.rewrite.products import product
from gradcli.rewrite.terms import (
    INDICATOR,
    PRODUCT,
    TOTAL,
    UNIT,
    WRITTEN,
    Factor,
    Labels,
    Terms,
    factors_of,
    number_of,
    unshaped,
)

SELECTED = Op("selected", unshaped, WRITTEN, variadic=True)
"""Rows of the unit matrix: attr `place`, a position, (start, length, step), or None for the
positions that the input holds. The last axis counts the columns."""
AT = Op("at", unshaped, WRITTEN)
"""Elements at one position of some axes, which are gone: attr `places`, None for the others."""
COMPARED = frozenset(("eq", "ne", "lt", "le", "gt", "ge"))


def unit_vector(terms: Terms, size: int, place: int) -> Node:
    """`eye(size)[place]`."""
    return terms.node(SELECTED, (), (size,), place=place)


def rows(terms: Terms, size: int, part: tuple[int, int, int]) -> Node:
    """`eye(size)[start:stop:step]`."""
    return terms.node(SELECTED, (), (part[1], size), place=part)


def one_hot(terms: Terms, places: Node, size: int) -> Node:
    """`eye(size)[places]`."""
    return terms.node(SELECTED, (places,), (*places.shape, size), place=None)


def at(terms: Terms, x: Node, places: tuple[int | None, ...]) -> Node:
    """`x` at single positions of some of its axes."""
    shape = tuple(n for n, place in zip(x.shape, places, strict=True) if place is None)
    number = number_of(x)
    if number is not None:
        return terms.number(number, shape)
    if x.op is SELECTED and x.attrs["place"] is None and places[-1] is None:
        return one_hot(terms, at(terms, x.inputs[0], places[:-1]), x.shape[-1])
    if x.op is INDICATOR or x.op.name in COMPARED:
        inputs = [_shared(terms, y, x.shape, places) for y in x.inputs]
        return terms.node(x.op, inputs, shape, x.dtype, **x.attrs)
    if x.op is AT:
        outer = iter(places)
        joined = tuple(p if p is not None else next(outer) for p in x.attrs["places"])
        return at(terms, x.inputs[0], joined)
    if x.op is PRODUCT:
        labels = terms.labels(x.ndim)
        pairs = list(zip(labels, places, x.shape, strict=True))
        units = [
            Factor(unit_vector(terms, n, p), (label,), Fraction(1))
            for label, p, n in pairs
            if p is not None and n != 1
        ]
        kept = tuple(label for label, p, _ in pairs if p is None)
        own = tuple(UNIT if n == 1 else label for label, _, n in pairs)
        return product(terms, [Factor(x, own, Fraction(1)), *units], kept, shape)
    if x.op.name == "cat" and (inside := _part(x, places)) is not None:
        return at(terms, *inside)
    if holds_parts(x) and (x.op is TOTAL or x.op.elementwise):
        inputs = [_shared(terms, y, x.shape, places) for y in x.inputs]
        if x.op is TOTAL:
            return terms.total(zip(x.attrs["scales"], inputs, strict=True), shape)
        return terms.node(x.op, inputs, shape, x.dtype, **x.attrs)
    return terms.node(AT, (x,), shape, x.dtype, places=places)


def holds_parts(x: Node) -> bool:
    """Whether what was joined, or put at a position, is an operand inside."""
    if x.op.name == "cat" or x.op is SELECTED:
        return True
    inside = x.op in (TOTAL, PRODUCT) or x.op.elementwise
    return inside and any(holds_parts(y) for y in x.inputs)


def _part(x: Node, places: tuple[int | None, ...]) -> tuple[Node, tuple[int | None, ...]] | None:
    """The input of a `cat` that has the position, and the positions in it."""
    axis = x.attrs["axis"] + x.ndim
    place = places[axis]
    start = 0
    for y in x.inputs:
        if place is not None and start <= place < start + y.shape[axis]:
            return y, (*places[:axis], place - start, *places[axis + 1 :])
        start += y.shape[axis]
    return None


def _shared(terms: Terms, x: Node, shape: Shape, places: tuple[int | None, ...]) -> Node:
    """An operand of an elementwise op at the same positions; axes of length 1 have only one."""
    own = places[len(shape) - x.ndim :]
    return at(
        terms, x, tuple(p if p is None or n != 1 else 0 for p, n in zip(own, x.shape, strict=True))
    )


def part_of(terms: Terms, x: Node, slices: Slices) -> Node:
    """A slice along every axis of `x`, taken from the operands inside."""
    shape = tuple(length for _, length, _ in slices)
    if all(part == (0, n, 1) for part, n in zip(slices, x.shape, strict=True)):
        return x
    number = number_of(x)
    if number is not None:
        return terms.number(number, shape)
    if x.op is PRODUCT:
        return _part_of_product(terms, x, slices, shape)
    if x.op.name == "cat":
        found = _part_of_joined(x, slices)
        if found is not None:
            return part_of(terms, *found)
    elif x.op is TOTAL or (x.op.elementwise and holds_parts(x)):
        own = [slices[x.ndim - y.ndim :] for y in x.inputs]
        parts = [
            tuple((0, 1, 1) if n == 1 else s for s, n in zip(part, y.shape, strict=True))
            for part, y in zip(own, x.inputs, strict=True)
        ]
        inputs = [part_of(terms, y, part) for y, part in zip(x.inputs, parts, strict=True)]
        if x.op is TOTAL:
            return terms.total(zip(x.attrs["scales"], inputs, strict=True), shape)
        return terms.node(x.op, inputs, shape, x.dtype, **x.attrs)
    return terms.node(OPS["slice"], (x,), shape, x.dtype, slices=slices)


def _part_of_product(terms: Terms, x: Node, slices: Slices, shape: Shape) -> Node:
    """A product of the slices of its factors."""
    factors, result = factors_of(x, terms)
    taken = dict(zip(result, slices, strict=True))
    made = []
    for f in factors:
        own = tuple(taken.get(a, (0, n, 1)) for a, n in zip(f.labels, f.node.shape, strict=True))
        own = tuple((0, 1, 1) if n == 1 else s for s, n in zip(own, f.node.shape, strict=True))
        made.append(f._replace(node=part_of(terms, f.node, own)))
    return product(terms, made, result, shape, x.attrs["scale"])


def _part_of_joined(x: Node, slices: Slices) -> tuple[Node, Slices] | None:
    """The input of a `cat` in which a slice lies, and the slice in it."""
    axis = x.attrs["axis"] + x.ndim
    first, length, step = slices[axis]
    start = 0
    for y in x.inputs:
        end = start + y.shape[axis]
        if start <= first and first + (length - 1) * step < end:
            return y, (*slices[:axis], (first - start, length, step), *slices[axis + 1 :])
        start = end
    return None


def along(shape: Shape, labels: Labels) -> Labels:
    """Labels for axes, the common one where the length is 1."""
    return tuple(UNIT if n == 1 else x for x, n in zip(labels, shape, strict=True))

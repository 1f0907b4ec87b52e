"""Sums of scaled unit vectors as the vector or matrix itself: `stack([cos(x[1]), sin(x[1])])`.

Constraints: only of few elements, of which most are there; anything else stays a sum.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from gradcli.graph.dim import Dim
from gradcli.graph.node import Node
from gradcli.render import tree
from gradcli.render.pieces import Written
from gradcli.render.tree import Tree
from gradcli.rewrite.places import SELECTED
from gradcli.rewrite.products import product
from gradcli.rewrite.terms import PRODUCT, TOTAL, Factor, Number, Terms, factors_of, number_of

MOST = 16
"""Elements of what is written out."""
Elements = dict[tuple[int, ...], list[tuple[Number, Node]]]


def stacked(write: Callable[[Node], Written], terms: Terms, node: Node) -> Written | None:
    """A sum as what it holds at each place; None where it is not one of unit vectors."""
    if node.ndim not in (1, 2) or any(isinstance(n, Dim) for n in node.shape):
        return None
    found = _elements(terms, node)
    if not found or node.size > MOST or 2 * len(found) <= node.size:
        return None
    values = {place: terms.total(parts, ()) for place, parts in found.items()}
    if all(number_of(x) is not None for x in values.values()):
        return None

    def element(*place: int) -> Tree:
        number = number_of(values[place]) if place in values else Fraction(0)
        if number is not None:
            return tree.call("tensor", tree.real(float(number)))
        return write(values[place]).tree

    rows, columns = node.shape[0], node.shape[-1]
    if node.ndim == 1:
        return Written(tree.call("stack", [element(i) for i in range(rows)]), node.shape)
    made = [tree.call("stack", [element(i, j) for j in range(columns)]) for i in range(rows)]
    return Written(tree.call("stack", made), node.shape)


def _elements(terms: Terms, node: Node) -> Elements:
    """What stands at each place; nothing where a term does not say its place."""
    found: Elements = {}
    left: list[tuple[Number, Node]] = [(Fraction(1), node)]
    while left:
        scale, x = left.pop(0)
        if x.op is TOTAL:
            left += [(scale * own, y) for own, y in zip(x.attrs["scales"], x.inputs, strict=True)]
            continue
        placed = _placed(terms, x)
        if placed is not None:
            place, value = placed
            found.setdefault(place, []).append((scale, value))
        elif (spread := _multiplied_out(terms, x)) is not None:
            left.append((scale, spread))
        else:
            return {}
    return found


def _placed(terms: Terms, x: Node) -> tuple[tuple[int, ...], Node] | None:
    """The place of a unit vector (or of two, as a matrix) and what it is multiplied by."""
    if x.op is SELECTED and isinstance(x.attrs["place"], int):
        return (x.attrs["place"],), terms.number(1)
    if x.op is not PRODUCT:
        return None
    factors, result = factors_of(x, terms)
    places: dict[int, int] = {}
    rest: list[Factor] = []
    for f in factors:
        place = f.node.attrs.get("place") if f.node.op is SELECTED else None
        if isinstance(place, int) and f.labels[0] in result and f.power == 1:
            places[f.labels[0]] = place
        else:
            rest.append(f)
    if set(places) != set(result) or any({*f.labels} & {*result} for f in rest):
        return None
    return tuple(places[a] for a in result), product(terms, rest, (), (), x.attrs["scale"])


def _multiplied_out(terms: Terms, x: Node) -> Node | None:
    """A product with a sum that has axes of the result, as a sum of products."""
    factors, result = factors_of(x, terms)
    for f in factors:
        if f.node.op is TOTAL and f.power == 1 and {*f.labels} & {*result}:
            rest = [g for g in factors if g is not f]
            scales = [own * x.attrs.get("scale", 1) for own in f.node.attrs["scales"]]
            parts = [
                product(terms, [*rest, f._replace(node=y)], result, x.shape) for y in f.node.inputs
            ]
            return terms.node(TOTAL, parts, x.shape, scales=tuple(scales))
    return None

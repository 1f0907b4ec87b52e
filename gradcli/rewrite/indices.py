"""Elements at positions that a tensor holds, as products with rows of the unit matrix.

Constraints: see translate.py and selections.py.
"""

from __future__ import annotations

from fractions import Fraction

from gradcli.graph.node import Node, data
from gradcli.graph.op import DATA, OPS
from gradcli.graph.shape import Shape
from gradcli.rewrite.places import along, at, one_hot, unit_vector
from gradcli.rewrite.products import product, squeezed
from gradcli.rewrite.terms import Factor, Terms, number_of
from gradcli.rewrite.translate import Rewriter, row


@row("index")
def _index(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """Elements at one known position of each axis; other positions stay an index."""
    x, *places = inputs
    known = [_position(place) for place in places]
    shape = x.shape[x.ndim - node.attrs["axes"] :]
    if any(_all_places(place, n) for place, n in zip(places, shape, strict=False)):
        return placed(r.terms, x, places, shape, node.shape, back=False)
    if None in known or node.attrs["axes"] != x.ndim:
        return None
    width = node.ndim - (x.ndim - len(places))
    found = at(r.terms, x, (*known, *(None,) * (x.ndim - len(places))))
    labels = r.terms.labels(node.ndim)
    return r.relabelled(found, labels[width:], labels, node.shape)


def _position(index: Node) -> int | None:
    """The only position that an index holds, where it is known."""
    number = number_of(index)
    if number is not None:
        return int(number)
    if index.op is DATA and index.value is not None and index.size == 1:
        return int(index.value.flat[0])
    return None


@row("index_add")
def _index_add(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """What is added up at positions is multiplied by rows of the unit matrix."""
    x, *places = inputs
    shape = node.attrs["shape"]
    return placed(r.terms, x, places, shape, node.shape, back=True)


def placed(
    terms: Terms, x: Node, places: list[Node], shape: Shape, whole: Shape, *, back: bool
) -> Node:
    """`x` times rows of the unit matrix: read at `places`, or added up there (`back`)."""
    width = max(p.ndim for p in places)
    rest = len(shape) - len(places)
    lead = terms.labels(x.ndim - (width if back else len(places)) - rest)
    picked, tail = terms.labels(width), terms.labels(rest)
    axes = list(terms.labels(len(places)))
    factors = []
    for i, place in enumerate(places):
        if _all_places(place, shape[i]):
            axes[i] = picked[width + place.attrs["axis"]]
            continue
        own = picked[width - place.ndim :]
        own = tuple(label for label, n in zip(own, place.shape, strict=True) if n != 1)
        known = _position(place)
        if known is not None:
            factors.append(Factor(unit_vector(terms, shape[i], known), (axes[i],), Fraction(1)))
        else:
            hot = one_hot(terms, _flat(terms, place), shape[i])
            factors.append(Factor(hot, (*own, axes[i]), Fraction(1)))
    outer = (*lead, *axes, *tail)
    inner = (*lead, *picked, *tail)
    given, result = (inner, outer) if back else (outer, inner)
    return product(terms, [Factor(x, along(x.shape, given), Fraction(1)), *factors], result, whole)


def _all_places(place: Node, size: int) -> bool:
    """Whether an index says every position in order."""
    return place.op.name == "iota" and place.shape[place.attrs["axis"]] == size


def _flat(terms: Terms, place: Node) -> Node:
    """Positions without axes of length 1."""
    shape = tuple(n for n in place.shape if n != 1)
    flat = squeezed(terms, place)
    if flat is not None:
        return flat
    if place.op is DATA and place.value is not None:
        return data(place.value.reshape(shape), shape, place.dtype)
    attrs = dict(place.attrs)
    if attrs.get("keepdims") or place.op.name == "median_place":
        attrs |= {"keepdims": False}
        return terms.node(place.op, place.inputs, shape, place.dtype, **attrs)
    return terms.node(OPS["reshape"], (place,), shape, place.dtype, axes=place.ndim, shape=shape)

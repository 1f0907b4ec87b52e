"""What a node is where the choices inside it are made: `clamp(x, 0, 1)` is x, 0 or 1.

Constraints: says which forms there are, not where; too many are none.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product as combinations

from gradcli.graph.node import Node
from gradcli.rewrite.conditions import spread
from gradcli.rewrite.products import product
from gradcli.rewrite.terms import PRODUCT, TOTAL, Terms, factors_of

MOST = 24
"""Forms that are told apart."""


class _TooMany(Exception):
    """A node has more forms than are told apart."""


def may_coincide(terms: Terms, x: Node, y: Node) -> bool:
    """Whether two nodes can be the same on more than single points: as `x` and `relu(x)` are."""
    wide = x if x.ndim >= y.ndim else y
    try:
        left, right = (set(_forms(terms, spread(terms, side, wide))) for side in (x, y))
    except _TooMany:
        return True
    return bool(left & right)


def _forms(terms: Terms, x: Node) -> list[Node]:
    found = list(dict.fromkeys(_each(terms, x)))
    if len(found) > MOST:
        raise _TooMany
    return found


def _each(terms: Terms, x: Node) -> Iterator[Node]:
    name = x.op.name
    if name in ("clamp_min", "clamp_max", "maximum", "minimum", "where"):
        for side in x.inputs[-2:]:
            yield from _forms(terms, spread(terms, side, x))
    elif name in ("relu", "abs"):
        for inner in _forms(terms, x.inputs[0]):
            yield inner
            yield terms.times(Fraction(-1 if name == "abs" else 0), inner)
    elif x.op is PRODUCT:
        factors, result = factors_of(x, terms)
        for nodes in _combined(terms, [f.node for f in factors]):
            made = [f._replace(node=n) for f, n in zip(factors, nodes, strict=True)]
            yield product(terms, made, result, x.shape, x.attrs["scale"])
    elif x.op is TOTAL:
        for nodes in _combined(terms, x.inputs):
            yield terms.total(zip(x.attrs["scales"], nodes, strict=True), x.shape)
    elif x.op.elementwise:
        for nodes in _combined(terms, x.inputs):
            yield terms.node(x.op, nodes, x.shape, x.dtype, **x.attrs)
    else:
        yield x


def _combined(terms: Terms, inputs: list[Node] | tuple[Node, ...]) -> Iterator[tuple[Node, ...]]:
    forms = [_forms(terms, x) for x in inputs]
    count = 1
    for each in forms:
        count *= len(each)
    if count > MOST:
        raise _TooMany
    yield from combinations(*forms)

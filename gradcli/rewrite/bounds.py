"""Between which numbers a node lies, whatever its variables are: what decides a clamp or a choice.

Constraints: true of every value, not of typical ones; the least and the greatest may be taken.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

from gradcli.graph.node import Node
from gradcli.rewrite.products import product
from gradcli.rewrite.terms import PRODUCT, Factor, Labels, Number, Terms, factors_of, number_of


class Bounds(NamedTuple):
    """The least and the greatest value."""

    low: Number
    high: Number


OPEN = Bounds(-math.inf, math.inf)
RANGES = {
    **dict.fromkeys(("sigmoid", "softmax"), Bounds(Fraction(0), Fraction(1))),
    **dict.fromkeys(
        ("tanh", "sin", "cos", "erf", "sgn", "sign"), Bounds(Fraction(-1), Fraction(1))
    ),
    **dict.fromkeys(("abs", "relu", "exp", "softplus"), Bounds(Fraction(0), math.inf)),
}


def bounds(terms: Terms, node: Node) -> Bounds:
    """Between which numbers a node lies."""
    number = number_of(node)
    if number is not None:
        return Bounds(number, number)
    scale, bare = terms.scaled(node)
    found = RANGES.get(bare.op.name, OPEN)
    if bare.op is PRODUCT and _is_correlation(terms, bare):
        found = Bounds(Fraction(-1), Fraction(1))
    ends = [end * scale if math.isfinite(end) else math.copysign(end, end * scale) for end in found]
    return Bounds(min(ends), max(ends))


def decided(terms: Terms, relation: str, x: Node, y: Node) -> bool | None:
    """Whether `x <= y` and the like hold everywhere or nowhere; None where that is open."""
    if relation in ("gt", "ge"):
        x, y, relation = y, x, {"gt": "lt", "ge": "le"}[relation]
    left, right = bounds(terms, x), bounds(terms, y)
    if left.high < right.low or (relation == "le" and left.high <= right.low):
        return True
    if left.low > right.high or (relation == "lt" and left.low >= right.high):
        return False
    return None


def _is_correlation(terms: Terms, node: Node) -> bool:
    """Whether it is `x@y/(norm(x)*norm(y))`, which Cauchy and Schwarz bound."""
    factors, result = factors_of(node, terms)
    lengths = [f for f in factors if f.power == Fraction(-1, 2)]
    summed = {a for f in factors for a in f.labels} - {*result}
    pair = [f for f in factors if f.power == 1 and {*f.labels} & summed]
    rest = [f for f in factors if f not in pair and f not in lengths]
    if len(lengths) != 2 or len(pair) != 2 or any(f.labels for f in rest):
        return False
    made = [_length(terms, f, summed, rest, node.attrs["scale"]) for f in pair]
    found = [(f.node, f.labels) for f in lengths]
    return made in (found, found[::-1])


def _length(
    terms: Terms, f: Factor, summed: set[int], rest: list[Factor], scale: Number
) -> tuple[Node, Labels]:
    """The square of a factor, added up as the product of two is."""
    own = tuple(a for a in f.labels if a not in summed)
    shape = tuple(n for a, n in zip(f.labels, f.node.shape, strict=True) if a not in summed)
    made = product(terms, [f._replace(power=Fraction(2)), *rest], own, shape, scale)
    return made, own

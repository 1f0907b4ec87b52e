"""The terms of a sum as factors whose labels fit together, for rules that compare them.

Constraints: see sums.py.
"""

from __future__ import annotations

from fractions import Fraction

from gradcli.graph.node import Node
from gradcli.graph.shape import Shape
from gradcli.rewrite.terms import PRODUCT, Factor, Labels, Number, Pairs, Terms, factors_of


class Term:
    """A term of a sum, its result labels those that all terms share."""

    def __init__(self, terms: Terms, scale: Number, node: Node, result: Labels) -> None:
        factors, own = factors_of(node, terms)
        names: dict[int, int] = {}
        self.plain = len(set(own)) == len(own)
        for mine, shared in zip(own, result, strict=True):
            names.setdefault(mine, shared)
        self.factors = [
            Factor(f.node, tuple(names.get(x, x) for x in f.labels), f.power) for f in factors
        ]
        self.scale: Number = scale * (node.attrs["scale"] if node.op is PRODUCT else Fraction(1))
        self.node = node


def opened_terms(terms: Terms, pairs: Pairs, shape: Shape) -> tuple[list[Term], Labels]:
    """The terms and the labels of their result."""
    result = terms.labels(len(shape))
    return [Term(terms, s, x, result) for s, x in pairs], result


def merged(terms: Terms, pairs: Pairs) -> Pairs:
    """Like terms together, without those that cancel."""
    counts: dict[Node, Number] = {}
    for scale, x in pairs:
        own, bare = terms.scaled(x)
        counts[bare] = counts.get(bare, Fraction(0)) + scale * own
    return [(s, x) for x, s in counts.items() if s != 0]

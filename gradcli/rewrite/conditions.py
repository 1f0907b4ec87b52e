"""What holds under a condition: choices, relu and abs inside a choice that has decided them.

Constraints: see choices.py; comparisons of one thing with numbers are put in order, other
conditions are known only as they stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from gradcli.graph.node import Node
from gradcli.graph.op import OPS
from gradcli.rewrite.products import STEPS, Work, product
from gradcli.rewrite.terms import (
    INDICATOR,
    PRODUCT,
    TOTAL,
    Factor,
    Number,
    Terms,
    factors_of,
    number_of,
)

OPPOSITE = {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt", "eq": "ne", "ne": "eq"}
LARGER = {"clamp_min": "ge", "clamp_max": "le", "maximum": "ge", "minimum": "le"}
"""Choices between two -> when it is the first."""
JOINED = {"logical_and": "logical_or", "logical_or": "logical_and"}


def opposite(terms: Terms, condition: Node) -> Node:
    """The condition that holds where this one does not."""
    name = condition.op.name
    inputs: Any = condition.inputs
    if name == "logical_not":
        return condition.inputs[0]
    if name in JOINED:
        name, inputs = JOINED[name], [opposite(terms, x) for x in inputs]
    elif name in OPPOSITE:
        name = OPPOSITE[name]
    else:
        name, inputs = "logical_not", (condition,)
    return terms.node(OPS[name], inputs, condition.shape, condition.dtype)


class _Bound(NamedTuple):
    """`node < number` and the like, with the number on the other side of 0 moved over."""

    node: Node
    relation: str
    number: Number


def _bound(terms: Terms, condition: Node) -> _Bound | None:
    """A comparison as one of something without a scale and a number."""
    relation = condition.op.name
    if relation not in ("lt", "le", "gt", "ge"):
        return None
    x, y = condition.inputs
    if x.shape != y.shape and number_of(y) is None:
        return None
    bound, right = number_of(y), Fraction(0)
    if bound is None:
        x, bound = terms.total([(Fraction(1), x), (Fraction(-1), y)], x.shape), right
    if x.op is TOTAL:
        numbers = [s * n for s, z in _parts(x) if (n := number_of(z)) is not None]
        rest = [(s, z) for s, z in _parts(x) if number_of(z) is None]
        x, bound = terms.total(rest, x.shape), bound - sum(numbers)
        scale = rest[0][0]
    else:
        scale = terms.scaled(x)[0]
    if scale == 0:
        return None
    turned = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}
    relation = relation if scale > 0 else turned[relation]
    return _Bound(terms.times(Fraction(1) / scale, x), relation, bound / scale)


def _parts(x: Node) -> list[tuple[Number, Node]]:
    return list(zip(x.attrs["scales"], x.inputs, strict=True))


class Facts:
    """What is known to hold.

    Args:
        terms: what makes nodes.
        condition: that holds.
    """

    def __init__(self, terms: Terms, condition: Node) -> None:
        self.terms = terms
        self.shape = condition.shape
        self.held = set(_conjuncts(condition))
        self.bounds = [b for c in self.held if (b := _bound(terms, c)) is not None]
        self._known: dict[Node, Node] = {}

    def decides(self, condition: Node) -> bool | None:
        """Whether a condition holds; None where that is open."""
        if condition in self.held:
            return True
        if opposite(self.terms, condition) in self.held:
            return False
        if condition.op.name in JOINED:
            sides = [self.decides(x) for x in condition.inputs]
            stops = condition.op.name == "logical_or"
            return stops if stops in sides else None if None in sides else not stops
        if condition.op.name == "eq" and self(condition.inputs[0]) is self(condition.inputs[1]):
            return True
        bound = _bound(self.terms, condition)
        if bound is None:
            return None
        own = [b for b in self.bounds if b.node is bound.node]
        if any(_implies(b, bound) for b in own):
            return True
        opposed = bound._replace(relation=OPPOSITE[bound.relation])
        return False if any(_implies(b, opposed) for b in own) else None

    def sign(self, x: Node) -> int | None:
        """1 or -1 where the sign of something is known."""
        zero = self.terms.number(0, x.shape)
        for name, sign in (("gt", 1), ("lt", -1)):
            if self.decides(self.terms.node(OPS[name], (x, zero), x.shape)):
                return sign
        return None

    def __call__(self, x: Node) -> Node:
        """A node of the condition's shape as it is where the condition holds."""
        if x.shape != self.shape and x.shape:
            return x
        if x not in self._known:
            self._known[x] = self._under(x)
        return self._known[x]

    def _under(self, x: Node) -> Node:
        terms, name = self.terms, x.op.name
        if x.op is INDICATOR:
            known = self.decides(x.inputs[0])
            return x if known is None else terms.number(int(known), x.shape)
        if name == "where":
            known = self.decides(x.inputs[0])
            if known is not None:
                return self(spread(terms, x.inputs[1 if known else 2], x))
        if name in ("abs", "sgn", "sign") and (sign := self.sign(x.inputs[0])):
            size = terms.times(Fraction(sign), self(x.inputs[0]))
            return size if name == "abs" else terms.number(sign, x.shape)
        if name in LARGER:
            a, b = x.inputs
            known = self.decides(terms.node(OPS[LARGER[name]], (a, b), x.shape))
            if known is not None:
                return self(spread(terms, a if known else b, x))
        return self._rebuilt(x)

    def _rebuilt(self, x: Node) -> Node:
        """The node of operands as they are under the condition."""
        if x.op is PRODUCT:
            factors, result = factors_of(x, self.terms)
            made = [
                f._replace(node=self(f.node)) if f.labels in (result, ()) else f for f in factors
            ]
            if made == factors:
                return x
            return product(self.terms, made, result, x.shape, x.attrs["scale"])
        inputs = [self(y) for y in x.inputs] if x.op is TOTAL or x.op.elementwise else x.inputs
        if all(a is b for a, b in zip(inputs, x.inputs, strict=True)):
            return x
        if x.op is TOTAL:
            return self.terms.total(zip(x.attrs["scales"], inputs, strict=True), x.shape)
        return self.terms.node(x.op, inputs, x.shape, x.dtype, **x.attrs)


def _conjuncts(condition: Node) -> Iterator[Node]:
    """The conditions that all hold where one does."""
    yield condition
    if condition.op.name == "logical_and":
        for x in condition.inputs:
            yield from _conjuncts(x)


def _implies(known: _Bound, asked: _Bound) -> bool:
    """Whether `x < 1` says `x <= 2`."""
    if known.relation[0] != asked.relation[0]:
        return False
    gap = asked.number - known.number if known.relation[0] == "l" else known.number - asked.number
    return gap > 0 or (gap == 0 and (known.relation == asked.relation or asked.relation[1] == "e"))


def spread(terms: Terms, x: Node, like: Node) -> Node:
    """A branch of a choice in the shape of the choice."""
    if x.shape == like.shape:
        return x
    result = terms.labels(like.ndim)
    own = result[like.ndim - x.ndim :]
    labels = tuple(0 if n == 1 else a for a, n in zip(own, x.shape, strict=True))
    return product(terms, [Factor(x, labels, Fraction(1))], result, like.shape)


def _decided(work: Work) -> bool:
    """What stands beside an indicator matters only where its condition holds."""
    for f in work.factors:
        if f.node.op is not INDICATOR or f.power <= 0:
            continue
        facts = Facts(work.terms, f.node.inputs[0])
        for g in work.factors:
            if g is not f and g.labels == f.labels and g.node.shape == f.node.shape:
                made = facts(g.node)
                if made is not g.node:
                    return work.replace([g], [g._replace(node=made)])
    return False


STEPS.append(_decided)

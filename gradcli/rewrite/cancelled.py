"""Factors that cancel, join or add up: signs, powers, functions that undo each other.

Constraints: see products.py, whose tables these rules go into.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.op import OPS
from gradcli.graph.shape import Shape
from gradcli.rewrite.groups import is_count
from gradcli.rewrite.products import PAIRS, SINGLES, STEPS, SUMS, Work, product
from gradcli.rewrite.terms import (
    INDICATOR,
    PRODUCT,
    Factor,
    Number,
    Pairs,
    Terms,
    factors_of,
    number_of,
)


def _diagonal_inside(terms: Terms, f: Factor) -> list[Factor] | None:
    """`diag(sqrt(X))` is `sqrt(diag(X))`."""
    node, labels = f.node, tuple(dict.fromkeys(f.labels))
    if len(labels) == len(f.labels) or not node.op.elementwise or not node.inputs:
        return None
    if any(x.shape != node.shape and number_of(x) is None for x in node.inputs):
        return None
    shape = tuple(node.shape[f.labels.index(a)] for a in labels)
    inputs = []
    for x in node.inputs:
        number = number_of(x)
        made = product(terms, [Factor(x, f.labels, Fraction(1))], labels, shape)
        inputs.append(made if number is None else terms.number(number, shape if x.shape else ()))
    return [Factor(terms.node(node.op, inputs, shape, node.dtype, **node.attrs), labels, f.power)]


def _cancelled(first: str, second: str, made: Any) -> Any:
    """A rule for `first(u)*second(u)`."""

    def rule(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
        named = a.node.op.name == first and b.node.op.name == second
        if not named or a.power != 1 or b.power != 1 or a.node.inputs != b.node.inputs:
            return None
        return [Factor(x, a.labels, p) for x, p in made(a.node, b.node)]

    rule.__qualname__ = f"{first}*{second}"
    return rule


def _symbolic_power(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
    """`u*u**e` is `u**(e + 1)`."""
    if a.node.op.name != "pow" or a.node.inputs[0] is not b.node or a.power != 1:
        return None
    exponent = a.node.inputs[1]
    more = terms.number(b.power, exponent.shape)
    raised = terms.total([(Fraction(1), exponent), (Fraction(1), more)], exponent.shape)
    made = terms.node(a.node.op, (b.node, raised), a.node.shape)
    return [Factor(made, a.labels, Fraction(1))]


def _shared_counts(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
    """`sqrt(u/n)*sqrt(v/n)` is `sqrt(u)*sqrt(v)/n`: a number of elements is not negative."""
    if a.power != b.power or a.node.op is not PRODUCT or b.node.op is not PRODUCT:
        return None
    if not isinstance(a.power, Fraction) or a.power.denominator == 1:
        return None
    parts = [factors_of(f.node, terms) for f in (a, b)]
    counts = [{(g.node, g.power) for g in inner if is_count(g.node)} for inner, _ in parts]
    if not counts[0] or counts[0] != counts[1]:
        return None
    made = [Factor(node, (), power * 2 * a.power) for node, power in counts[0]]
    for f, (inner, labels) in zip((a, b), parts, strict=True):
        rest = [g for g in inner if not is_count(g.node)]
        bare = product(terms, rest, labels, f.node.shape, f.node.attrs["scale"])
        made.append(f._replace(node=bare))
    return made


def _indicator_pair(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
    """`relu(u)` where `u > 0` is `relu(u)`."""
    if a.node.op is not INDICATOR or b.node.op.name != "relu" or b.power <= 0:
        return None
    return [b] if _positive(a.node.inputs[0]) is b.node.inputs[0] else None


def _positive(condition: Node) -> Node | None:
    """u of `u > 0`."""
    positive = condition.op.name in ("gt", "ge") and number_of(condition.inputs[1]) == 0
    return condition.inputs[0] if positive else None


def _rectified(work: Work) -> bool:
    """`u` where `u > 0`, and nothing else is asked, is `relu(u)`."""
    for f in work.factors:
        alike = [g for g in work.factors if g.labels == f.labels]
        if f.node.op is not INDICATOR or sum(g.node.op is INDICATOR for g in alike) > 1:
            continue
        u = _positive(f.node.inputs[0])
        for g in alike:
            if g.node is u and g.power >= 1 and u.shape == f.node.shape:
                made = Factor(work.terms.node(OPS["relu"], (u,), u.shape), f.labels, Fraction(1))
                return work.replace([f, g], [made, g._replace(power=g.power - 1)])
    return False


STEPS.append(_rectified)


def _indicator_power(terms: Terms, f: Factor) -> list[Factor] | None:
    """An indicator times itself is itself."""
    if f.node.op is not INDICATOR or f.power == 1 or f.power <= 0:
        return None
    return [Factor(f.node, f.labels, Fraction(1))]


def _even_power(terms: Terms, f: Factor) -> list[Factor] | None:
    """`abs(u)**2` is `u**2`."""
    even = isinstance(f.power, Fraction) and f.power.denominator == 1 and f.power % 2 == 0
    if f.node.op.name == "abs" and even:
        return [Factor(f.node.inputs[0], f.labels, f.power)]
    return [] if f.node.op.name in ("sgn", "sign") and even else None


PAIRS += [
    _symbolic_power,
    _shared_counts,
    _indicator_pair,
    _cancelled("sgn", "abs", lambda a, b: [(a.inputs[0], Fraction(1))]),
]
SINGLES += [_diagonal_inside, _indicator_power, _even_power]


def _ties(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
    """`u*sgn(u)` is `abs(u)`."""
    if b.node.op.name not in ("sgn", "sign") or a.power < 1 or b.power != 1:
        return None
    if b.node.inputs[0] is not a.node:
        return None
    size = terms.node(OPS["abs"], (a.node,), a.node.shape)
    rest = [Factor(a.node, a.labels, a.power - 1)] if a.power != 1 else []
    return [*rest, Factor(size, a.labels, Fraction(1))]


def _quotient(first: str, second: str, made: str) -> Any:
    """A rule for `first(u)/second(u)`."""

    def rule(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
        if a.node.op.name != first or b.node.op.name != second or a.node.inputs != b.node.inputs:
            return None
        count = min(a.power, -b.power)
        if count < 1:
            return None
        new = terms.node(OPS[made], a.node.inputs, a.node.shape)
        rest = [a._replace(power=a.power - count), b._replace(power=b.power + count)]
        return [Factor(new, a.labels, count), *(f for f in rest if f.power != 0)]

    rule.__qualname__ = f"{first}/{second}"
    return rule


PAIRS += [_ties, _quotient("sinh", "cosh", "tanh"), _quotient("sin", "cos", "tan")]


def _softmax_sum(terms: Terms, f: Factor, label: int) -> tuple[Number, list[Factor]] | None:
    """The elements of a softmax add up to 1."""
    if f.node.op.name != "softmax" or f.power != 1:
        return None
    axis = f.node.attrs["axis"]
    if f.labels[axis] != label or len(set(f.labels)) < f.node.ndim:
        return None
    return Fraction(1), []


def _placed_sum(terms: Terms, f: Factor, label: int) -> tuple[Number, list[Factor]] | None:
    """What is put among zeros adds up to what it was."""
    if f.power != 1 or f.node.ndim != 1:
        return None
    name, x = f.node.op.name, f.node.inputs[0] if f.node.inputs else None
    if x is None or name not in ("embed", "index_add", "flip") or x.ndim != 1:
        return None
    own = 0 if x.shape[0] == 1 else terms.labels(1)[0]
    return Fraction(1), [Factor(x, (own,), Fraction(1))]


SUMS += [_softmax_sum, _placed_sum]


# -- rules for sums; the order of all of them is in sums.py


def sigmoid_complement(terms: Terms, pairs: Pairs, shape: Shape) -> Node | None:
    """`1 - sigmoid(-u)` is `sigmoid(u)`."""
    for i, (one, number) in enumerate(pairs):
        value = number_of(number)
        if value is None or len(pairs) < 3:
            continue  # s*(1 - s) stays
        for j, (scale, x) in enumerate(pairs):
            if x.op.name != "sigmoid" or scale != -one * value:
                continue
            own, bare = terms.scaled(x.inputs[0])
            if own >= 0:
                continue
            turned = terms.node(x.op, (terms.times(-own, bare),), x.shape)
            rest = [p for k, p in enumerate(pairs) if k not in (i, j)]
            return terms.total([(-scale, turned), *rest], shape)
    return None


def exponential(terms: Terms, pairs: Pairs, shape: Shape) -> Node | None:
    """`expm1(u) + 1` is `exp(u)`."""
    for i, (one, number) in enumerate(pairs):
        value = number_of(number)
        for j, (scale, x) in enumerate(pairs):
            if value is not None and x.op.name == "expm1" and scale == one * value:
                made = terms.node(OPS["exp"], x.inputs, x.shape)
                rest = [p for k, p in enumerate(pairs) if k not in (i, j)]
                return terms.total([(scale, made), *rest], shape)
    return None

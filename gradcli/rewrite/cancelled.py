"""Factors that cancel, join or add up: sigmoids, signs, powers, functions that undo each other.

Constraints: see products.py, whose tables these rules go into.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.op import OPS
from gradcli.graph.shape import Shape
from gradcli.rewrite.products import PAIRS, SINGLES, STEPS, SUMS, Work, product
from gradcli.rewrite.terms import INDICATOR, TOTAL, Factor, Number, Pairs, Terms, number_of


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


def _is_one_plus_exp(node: Node) -> Node | None:
    """u where the node is 1 + exp(u)."""
    if node.op is not TOTAL or node.attrs["scales"] != (1, 1):
        return None
    for one, other in (node.inputs, node.inputs[::-1]):
        if number_of(one) == 1 and other.op.name == "exp":
            return other.inputs[0]
    return None


def _sigmoid_of(terms: Terms, u: Node) -> Node:
    return terms.node(OPS["sigmoid"], (u,), u.shape)


def _sigmoid_pair(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
    """`exp(u)*sigmoid(-u)` is `sigmoid(u)`, and `sigmoid(u)*sigmoid(-u)` is `s*(1 - s)`."""
    if a.node.op.name != "sigmoid" or b.node.op.name not in ("exp", "sigmoid"):
        return None
    count, u = min(a.power, b.power), b.node.inputs[0]
    other = a.node.inputs[0]
    if count <= 0 or not (other is _negated(terms, u) or u is _negated(terms, other)):
        return None
    made = [Factor(_sigmoid_of(terms, u), a.labels, count)]
    if b.node.op.name == "sigmoid":
        if terms.scaled(u)[0] < 0:
            return None  # the other way round
        s = made[0].node
        pairs = [(Fraction(1), terms.number(1, s.shape)), (Fraction(-1), s)]
        made.append(Factor(terms.total(pairs, s.shape), a.labels, count))
    rest = [f._replace(power=f.power - count) for f in (a, b)]
    return [*made, *(f for f in rest if f.power != 0)]


def _exp_power(terms: Terms, f: Factor) -> list[Factor] | None:
    """`exp(u)**p` is `exp(p*u)`."""
    if f.node.op.name != "exp" or f.power == 1:
        return None
    inner = terms.times(f.power, f.node.inputs[0])
    return [Factor(terms.node(OPS["exp"], (inner,), inner.shape), f.labels, Fraction(1))]


def _exp_pair(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
    """`exp(u)*exp(v)` is `exp(u + v)` where that has fewer terms: `exp(u)*exp(-u)` is 1; powers of
    any one base likewise.
    """
    one, other = a.node, b.node
    if one.op.name not in ("exp", "pow") or one.op is not other.op or one.shape != other.shape:
        return None
    alike = all(
        x is y or None is not number_of(x) == number_of(y)
        for x, y in zip(one.inputs[:-1], other.inputs[:-1], strict=True)
    )
    whole = all(isinstance(f.power, Fraction) and f.power.denominator == 1 for f in (a, b))
    inner = [terms.times(f.power, f.node.inputs[-1]) for f in (a, b)]
    if not alike or not whole or inner[0].shape != inner[1].shape:
        return None
    both = terms.total([(Fraction(1), x) for x in inner], inner[0].shape)
    if _length(both) >= sum(map(_length, inner)):
        return None
    made = terms.node(one.op, (*one.inputs[:-1], both), one.shape)
    return [Factor(made, a.labels, Fraction(1))]


def _length(node: Node) -> int:
    """The number of terms; none for a number."""
    return len(node.inputs) if node.op is TOTAL else int(number_of(node) is None)


def _exp_number(terms: Terms, f: Factor) -> list[Factor] | None:
    """`exp(0)` is 1, and so is `u**0`."""
    zero = f.node.op.name in ("exp", "pow") and number_of(f.node.inputs[-1]) == 0
    return [] if zero else None


def _logistic(terms: Terms, f: Factor) -> list[Factor] | None:
    """`1/(1 + exp(-u))` is `sigmoid(u)`."""
    u = _is_one_plus_exp(f.node) if f.power < 0 else None
    if u is None:
        return None
    return [Factor(_sigmoid_of(terms, _negated(terms, u)), f.labels, -f.power)]


def _negated(terms: Terms, u: Node) -> Node:
    """`-u`; of a sum each term, so that `-(y - x)` is `x - y`."""
    if u.op is not TOTAL:
        return terms.times(Fraction(-1), u)
    pairs = zip(u.attrs["scales"], u.inputs, strict=True)
    return terms.total([(-scale, x) for scale, x in pairs], u.shape)


def _cancelled(first: str, second: str, made: Any) -> Any:
    """A rule for `first(u)*second(u)`."""

    def rule(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
        named = a.node.op.name == first and b.node.op.name == second
        if not named or a.power != 1 or b.power != 1 or a.node.inputs != b.node.inputs:
            return None
        return [Factor(x, a.labels, p) for x, p in made(a.node, b.node)]

    rule.__qualname__ = f"{first}*{second}"
    return rule


def _hyperbolic(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
    """`(1 - exp(-u))*sigmoid(u)` is `tanh(u/2)`, `(1 + tanh(-u/2))*sigmoid(u)` half of
    `1 - tanh(u/2)**2`.
    """
    if a.node.op is not TOTAL or b.node.op.name != "sigmoid" or a.power != 1 or b.power < 1:
        return None
    u = b.node.inputs[0]
    one = terms.number(1, u.shape)

    def sum_of(sign: int, x: Node) -> Node:
        return terms.total([(Fraction(1), one), (Fraction(sign), x)], u.shape)

    def of(name: str, x: Node) -> Node:
        return terms.node(OPS[name], (x,), u.shape)

    half = terms.times(Fraction(1, 2), u)
    if a.node is sum_of(-1, of("exp", _negated(terms, u))):
        made = [Factor(of("tanh", half), a.labels, Fraction(1))]
    elif a.node is sum_of(1, of("tanh", _negated(terms, half))):
        labels = terms.labels(u.ndim)
        even = half if terms.scaled(half)[0] > 0 else _negated(terms, half)
        square = product(terms, [Factor(of("tanh", even), labels, Fraction(2))], labels, u.shape)
        made = [Factor(sum_of(-1, square), a.labels, Fraction(1))]
        made.append(Factor(terms.number(Fraction(1, 2)), (), Fraction(1)))
    else:
        return None
    return [*made, *([b._replace(power=b.power - 1)] if b.power > 1 else [])]


def _symbolic_power(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
    """`u*u**e` is `u**(e + 1)`."""
    if a.node.op.name != "pow" or a.node.inputs[0] is not b.node or a.power != 1:
        return None
    exponent = a.node.inputs[1]
    more = terms.number(b.power, exponent.shape)
    raised = terms.total([(Fraction(1), exponent), (Fraction(1), more)], exponent.shape)
    made = terms.node(a.node.op, (b.node, raised), a.node.shape)
    return [Factor(made, a.labels, Fraction(1))]


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
    _exp_pair,
    _sigmoid_pair,
    _hyperbolic,
    _symbolic_power,
    _indicator_pair,
    _cancelled("sgn", "abs", lambda a, b: [(a.inputs[0], Fraction(1))]),
]
SINGLES += [_diagonal_inside, _exp_power, _exp_number, _logistic, _indicator_power, _even_power]


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

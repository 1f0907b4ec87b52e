"""Choices and functions of one number: where, guards, inverses of each other, sigmoids.

Constraints: see translate.py and products.py. A guard is a `where` that a derivative rule or a
function put around a singular point; it goes, because a formula is written for the rest.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.op import OPS
from gradcli.rewrite.products import PAIRS, SINGLES, SUMS
from gradcli.rewrite.terms import (
    INDICATOR,
    PRODUCT,
    TOTAL,
    Factor,
    Number,
    Terms,
    number_of,
)
from gradcli.rewrite.translate import Rewriter, row

OPPOSITE = {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt", "eq": "ne", "ne": "eq"}
MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}
TINY = 1e-6


def opposite(terms: Terms, condition: Node) -> Node:
    """The condition that holds where this one does not."""
    name = OPPOSITE.get(condition.op.name)
    if name is not None:
        return terms.node(OPS[name], condition.inputs, condition.shape, condition.dtype)
    if condition.op.name == "logical_not":
        return condition.inputs[0]
    return terms.node(OPS["logical_not"], (condition,), condition.shape, condition.dtype)


def _by_user(node: Node) -> bool:
    return node.call is not None and node.call[0].startswith("Where")


def _never(condition: Node, original: Node) -> bool:
    """Whether a condition is met at isolated points only, and says so to guard them."""
    name = condition.op.name
    if name in ("logical_and", "logical_or"):
        sides = [_never(x, original) for x in condition.inputs]
        return any(sides) if name == "logical_and" else all(sides)
    if name == "eq":
        return _never_equal(condition, original)
    if name in ("lt", "le") and _is_length(condition.inputs[0]):
        return _is_tiny(condition.inputs[1])
    if name in ("lt", "le") and condition.inputs[0].op.name == "abs":
        bound = number_of(condition.inputs[1])
        return bound is not None and abs(float(bound)) < TINY
    return False


def _never_equal(condition: Node, original: Node) -> bool:
    signs = [x.op.name == "item" for x in condition.inputs]
    return any(signs) or not _by_user(original)


@row("where")
def _where(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    condition, x, y = inputs
    if x is y:
        return r.spread(x, node.shape)
    if condition.value is not None and condition.size == 1:
        return r.spread(x if condition.value else y, node.shape)
    for stable, other, holds in ((y, x, condition), (x, y, opposite(r.terms, condition))):
        # softplus is its argument itself far from 0: two forms of one function.
        if r.terms.scaled(stable)[1].op.name == "softplus" and other.op.name != "softplus":
            r.idle.add(holds)
            r.spared.add(opposite(r.terms, holds))
    if condition in r.spared:
        return r.spread(x, node.shape)
    if condition in r.idle or (not r.guards and _never(condition, node)):
        return r.spread(y, node.shape)
    unequal = not r.guards and condition.op.name in ("ne", "gt", "ge")
    if unequal and _never(opposite(r.terms, condition), node):
        return r.spread(x, node.shape)
    for kept, other, holds in (
        (x, y, condition),
        (y, x, opposite(r.terms, condition)),
    ):
        if number_of(other) == 0:
            mask = r.terms.node(INDICATOR, (holds,), holds.shape)
            return r.times(node.shape, (mask, 1), (kept, 1))
    return None


@row("gt", "lt", "ge", "le")
def _compared(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """`relu(x) > 0` is `x > 0`; a positive scale says nothing against 0."""
    x, y = inputs
    name, bound = x.op.name, number_of(y)
    if name in ("clamp_min", "clamp_max") and bound is not None:
        # min(x, h) >= l is x >= l where l <= h, and max(x, l) <= h is x <= h.
        other, low = number_of(x.inputs[1]), name == "clamp_min"
        if other is not None and node.op.name == ("le" if low else "ge"):
            idle = other <= bound if low else other >= bound
            return r.terms.node(node.op, (x.inputs[0], y), node.shape, node.dtype) if idle else None
    if bound != 0:
        return None
    if x.op.name == "relu" and node.op.name == "gt":
        return r.terms.node(node.op, (x.inputs[0], y), node.shape, node.dtype)
    return None


@row("clamp_min")
def _at_least(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """A norm that is kept above a tiny number is the norm."""
    return inputs[0] if _is_length(inputs[0]) and _is_tiny(inputs[1]) else None


def _is_length(x: Node) -> bool:
    return x.op is PRODUCT and any(p == Fraction(1, 2) for p in x.attrs["powers"])


def _is_tiny(x: Node) -> bool:
    number = number_of(x)
    return number is not None and 0 < float(number) < TINY


# -- functions of functions

UNDONE = {"exp": "log", "log": "exp", "sinh": "asinh", "tan": "atan", "logit": "sigmoid"}


def _unary(name: str) -> Any:
    def rule(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        (x,) = inputs
        if x.op.name == UNDONE.get(name):
            return x.inputs[0]
        if name == "exp":
            return _exponential(r, x)
        if name == "abs" and x.op.name in ("exp", "abs", "relu", "sigmoid"):
            return x
        return None

    return rule


for _name in (*UNDONE, "abs"):
    row(_name)(_unary(_name))


def _exponential(r: Rewriter, x: Node) -> Node | None:
    """`exp(log_softmax(x))` is `softmax(x)`; so is `exp(x - logsumexp(x))`."""
    if x.op.name == "log_softmax":
        return r.terms.node(OPS["softmax"], x.inputs, x.shape, axis=x.attrs["axis"])
    if x.op is not TOTAL or x.attrs["scales"] != (1, -1):
        return None
    inner, spread = x.inputs
    core = spread.inputs[0] if spread.op is PRODUCT and len(spread.inputs) == 1 else spread
    if core.op.name != "logsumexp" or core.inputs[0] is not inner:
        return None
    axis = core.attrs["axis"]
    return r.terms.node(OPS["softmax"], (inner,), x.shape, axis=axis[0]) if len(axis) == 1 else None


# -- factors


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
    """`exp(u)/(1 + exp(u))` is `sigmoid(u)`."""
    u = _is_one_plus_exp(a.node)
    if u is None or a.power >= 0 or b.node.op.name != "exp" or b.power <= 0:
        return None
    if b.node.inputs[0] is not u:
        return None
    made = [Factor(_sigmoid_of(terms, u), a.labels, Fraction(1))]
    made.append(Factor(a.node, a.labels, a.power + 1))
    made.append(Factor(b.node, b.labels, b.power - 1))
    return [f for f in made if f.power != 0]


def _exp_power(terms: Terms, f: Factor) -> list[Factor] | None:
    """`exp(u)**p` is `exp(p*u)`."""
    if f.node.op.name != "exp" or f.power == 1:
        return None
    inner = terms.times(f.power, f.node.inputs[0])
    return [Factor(terms.node(OPS["exp"], (inner,), inner.shape), f.labels, Fraction(1))]


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


def _indicator_pair(terms: Terms, a: Factor, b: Factor) -> list[Factor] | None:
    """`relu(u)` where `u > 0` is `relu(u)`."""
    if a.node.op is not INDICATOR or b.node.op.name != "relu" or b.power <= 0:
        return None
    condition = a.node.inputs[0]
    positive = condition.op.name in ("gt", "ge") and number_of(condition.inputs[1]) == 0
    return [b] if positive and condition.inputs[0] is b.node.inputs[0] else None


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
    _sigmoid_pair,
    _symbolic_power,
    _indicator_pair,
    _cancelled("sgn", "abs", lambda a, b: [(a.inputs[0], Fraction(1))]),
]
SINGLES += [_exp_power, _indicator_power, _even_power]


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
    if f.labels[axis] != label or f.node.ndim != 1:
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

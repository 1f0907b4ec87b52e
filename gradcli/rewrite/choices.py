"""Choices and functions of one number: where, guards, inverses of each other.

Constraints: see translate.py. A guard is a `where` that a derivative rule or a
function put around a singular point; it goes, because a formula is written for the rest.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.op import OPS, SYMBOL
from gradcli.rewrite.bounds import decided
from gradcli.rewrite.branches import may_coincide
from gradcli.rewrite.conditions import Facts, opposite, spread
from gradcli.rewrite.terms import (
    INDICATOR,
    PRODUCT,
    TOTAL,
    Terms,
    number_of,
)
from gradcli.rewrite.translate import Rewriter, row

MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}
TINY = 1e-6
"""Up to which bound a number is only kept away from zero."""
FAR = 18
"""From where on softplus is its argument, up to the rounding that a check allows."""


SELECTING = frozenset(("amax", "amin", "median"))


def _by_user(node: Node) -> bool:
    return node.call is not None and node.call[0].startswith("Where")


def _never(terms: Terms, condition: Node, original: Node) -> bool:
    """Whether a condition is met at isolated points only, and says so to guard them."""
    name = condition.op.name
    if name in ("isneginf", "isposinf", "isinf", "isnan"):
        return not _by_user(original)
    if name in ("all", "any"):
        return _never(terms, condition.inputs[0], original)
    if name in ("logical_and", "logical_or"):
        sides = [_never(terms, x, original) for x in condition.inputs]
        return any(sides) if name == "logical_and" else all(sides)
    if name == "eq":
        return _never_equal(terms, condition, original)
    if name in ("lt", "le") and _is_length(condition.inputs[0]):
        return _is_tiny(condition.inputs[1])
    if name in ("lt", "le") and condition.inputs[0].op.name == "abs":
        bound = number_of(condition.inputs[1])
        return bound is not None and abs(float(bound)) < TINY
    return False


def _never_equal(terms: Terms, condition: Node, original: Node) -> bool:
    x, y = condition.inputs
    if any(z.op.name in SELECTING for side in (x, y) for z in (side, *side.inputs)):
        return False  # the elements that were selected are not isolated points
    if "item" in (x.op.name, y.op.name):
        return True
    return not _by_user(original) and not may_coincide(terms, x, y)


@row("logical_or")
def _either(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """A case that a function sets apart for NaN is none in a formula."""
    x, y = inputs
    if r.guards:
        return None
    return y if _about_nan(x) else x if _about_nan(y) else None


def _about_nan(condition: Node) -> bool:
    if condition.op.name == "logical_and":
        return any(_about_nan(x) for x in condition.inputs)
    return condition.op.name == "isnan"


@row("logical_not")
def _not(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """`not (x > 1 or x < 0)` is `x <= 1 and x >= 0`."""
    return opposite(r.terms, inputs[0])


@row("where")
def _where(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    condition, x, y = inputs
    if x is y:
        return r.spread(x, node.shape)
    if condition.value is not None and condition.size == 1:
        return r.spread(x if condition.value else y, node.shape)
    if (number := number_of(condition)) is not None:
        return r.spread(x if number else y, node.shape)
    for stable, other, holds in ((y, x, condition), (x, y, opposite(r.terms, condition))):
        # softplus is its argument itself far from 0: two forms of one function.
        if _is_softplus(r.terms, stable, condition) and other.op.name != "softplus":
            r.idle.add(holds)
            r.spared.add(opposite(r.terms, holds))
    if condition in r.spared:
        return r.spread(x, node.shape)
    if condition in r.idle:
        return r.spread(y, node.shape)
    if not r.guards and _never(r.terms, condition, node):
        r.dropped[condition] = None
        return r.spread(y, node.shape)
    unequal = not r.guards and condition.op.name in ("ne", "gt", "ge", "logical_not")
    if unequal and _never(r.terms, opposite(r.terms, condition), node):
        r.dropped[opposite(r.terms, condition)] = None
        return r.spread(x, node.shape)
    x = Facts(r.terms, condition)(spread(r.terms, x, node))
    y = Facts(r.terms, opposite(r.terms, condition))(spread(r.terms, y, node))
    if x is y:
        return x
    for kept, other, holds in (
        (x, y, condition),
        (y, x, opposite(r.terms, condition)),
    ):
        if number_of(other) == 0:
            mask = r.terms.node(INDICATOR, (holds,), holds.shape)
            return r.times(node.shape, (mask, 1), (kept, 1))
    if condition.shape != node.shape or (x, y) == inputs[1:]:
        return None
    return r.terms.node(node.op, (condition, x, y), node.shape, node.dtype)


def _is_softplus(terms: Terms, x: Node, condition: Node) -> bool:
    """Whether `x` is a softplus that gives way to its argument far from 0."""
    bound = number_of(condition.inputs[-1]) if condition.inputs else None
    far = bound is not None and abs(float(bound)) >= FAR
    return far and terms.scaled(x)[1].op.name == "softplus"


@row("gt", "lt", "ge", "le")
def _compared(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """`relu(x) > 0` is `x > 0`, `<=` likewise; a positive scale says nothing against 0."""
    x, y = inputs
    holds = decided(r.terms, node.op.name, x, y)
    if holds is not None:
        return r.terms.number(int(holds), node.shape)
    if number_of(y) is None:
        apart = r.total(node.shape, (1, x), (-1, y))
        length = r.terms.length
        if length(apart) <= max(length(x), length(y)):  # x > x/10 is x > 0
            scale, bare = r.terms.scaled(apart)
            relation = node.op.name if scale > 0 else MIRRORED[node.op.name]
            zero = r.terms.number(0, node.shape)
            return r.terms.node(OPS[relation], (bare, zero), node.shape, node.dtype)
    name, bound = x.op.name, number_of(y)
    if bound is not None and x.op is TOTAL and len(x.inputs) == 2:
        added = [(number_of(part), s) for part, s in zip(x.inputs, x.attrs["scales"], strict=True)]
        left = [part for part, (n, s) in zip(x.inputs, added, strict=True) if n is None and s == 1]
        if len(left) == 1 and left[0].op is SYMBOL:  # x + 3 > 0 is x > -3
            moved = bound - sum(n * s for n, s in added if n is not None)
            right = r.terms.number(moved, y.shape)
            return r.terms.node(node.op, (left[0], right), node.shape, node.dtype)
    if name in ("clamp_min", "clamp_max") and bound is not None:
        # min(x, h) >= l is x >= l where l <= h, and max(x, l) <= h is x <= h.
        other, low = number_of(x.inputs[1]), name == "clamp_min"
        if other is not None and node.op.name == ("le" if low else "ge"):
            idle = other <= bound if low else other >= bound
            return r.terms.node(node.op, (x.inputs[0], y), node.shape, node.dtype) if idle else None
    if bound != 0:
        return None
    if x.op.name == "relu" and node.op.name in ("gt", "le"):
        return r.terms.node(node.op, (x.inputs[0], y), node.shape, node.dtype)
    return None


@row("eq", "ne")
def _equal(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """What is compared with itself."""
    x, y = inputs
    return r.terms.number(int(node.op.name == "eq"), node.shape) if x is y else None


@row("clamp_min")
def _at_least(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """What a function or a rule keeps above a tiny number is itself; so is every norm."""
    if decided(r.terms, "ge", *inputs):
        return r.spread(inputs[0], node.shape)
    ours = node.call is None or _is_length(inputs[0])
    if r.guards or not ours or not _is_tiny(inputs[1]):
        return None
    below = r.terms.node(OPS["lt"], (inputs[0], inputs[1]), node.shape)
    r.dropped[below] = None
    return inputs[0]


@row("clamp_max")
def _at_most(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """What is never above its bound is itself."""
    return r.spread(inputs[0], node.shape) if decided(r.terms, "le", *inputs) else None


def _is_length(x: Node) -> bool:
    return x.op is PRODUCT and any(p == Fraction(1, 2) for p in x.attrs["powers"])


def _is_tiny(x: Node) -> bool:
    number = number_of(x)
    return number is not None and 0 < float(number) <= TINY


# -- functions of functions

UNDONE = {
    **{"exp": "log", "log": "exp", "sinh": "asinh", "tan": "atan"},
    **{"logit": "sigmoid", "sigmoid": "logit"},
}


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
    for scale, term in zip(x.attrs["scales"], x.inputs, strict=True) if x.op is TOTAL else ():
        core = term.inputs[0] if term.op is PRODUCT and len(term.inputs) == 1 else term
        if core.op.name != "logsumexp" or scale != -1 or len(core.attrs["axis"]) != 1:
            continue
        kept = [p for p in zip(x.attrs["scales"], x.inputs, strict=True) if p[1] is not term]
        inner = r.terms.total(kept, x.shape)
        if inner is core.inputs[0]:
            (axis,) = core.attrs["axis"]
            return r.terms.node(OPS["softmax"], (inner,), x.shape, axis=axis)
    return None

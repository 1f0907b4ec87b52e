"""Choices made fewer before they are executed: what one side of a condition knows is used there.

Constraints: graph to graph, the same values in every element, NaN and infinities included; the
rules of simplify.py for `where` and for what meets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from gradcli.graph import corners, numbers
from gradcli.graph.build import Builder
from gradcli.graph.node import Node

Attrs = Mapping[str, Any]
DEPTH = 6
"""Through how many ops a condition is followed."""
CHEAP = frozenset(("add", "sub", "mul", "neg", "square", "abs", "where", "sgn"))
"""Ops that may be done once more on one side of a condition."""
FLAT = 17.0
"""From where on log(1 + exp(x)) is x, and 1/(1 + exp(-x)) is 1, to the last bit of a float32."""
FINITE = frozenset(("sgn", "sign"))
"""Functions that are finite everywhere, NaN included."""
BOUNDED = frozenset(("sigmoid", "tanh", "erf"))
"""Functions that are finite of every number, infinities included."""
ABOVE = frozenset(("gt", "ge"))


def choice(s: Builder, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """`where`: each side is computed as if the condition were known."""
    condition, x, y = inputs
    if _is_far(condition, y, node) and y.op.name == "softplus" and y.inputs[0] is x:
        return y
    first, second = (_known(s, z, condition, truth, DEPTH) for z, truth in ((x, True), (y, False)))
    if first is second and first.shape == node.shape:
        return first
    if _saturates(condition, first, second, node) or _is_zero_anyway(condition, first, second):
        return second
    for rule in (corners.rounded, _both, _multiple):
        made = rule(s, condition, first, second, node)
        if made is not None:
            return made
    if first is x and second is y:
        return None
    return s.shaped("where", (condition, first, second), node.shape, node.dtype, node)


def product(s: Builder, x: Node, y: Node, node: Node) -> Node | None:
    """A factor goes into a choice of zero or a number where it is finite beside the zero."""
    for chosen, factor in ((x, y), (y, x)):
        parts = _choice_of(chosen, node)
        if parts is None:
            continue
        condition, first, second = parts
        for truth, zero, other in ((True, first, second), (False, second, first)):
            if numbers.number_of(zero) == 0:
                if factor.shape not in ((), node.shape) or not _is_finite(factor, condition, truth):
                    continue
                made = s.simplified("mul", (s.spread(other, node.shape), factor), node)
                sides = (zero, made) if truth else (made, zero)
                return s.simplified("where", (condition, *sides), node)
    return None


def total(s: Builder, x: Node, y: Node, node: Node, sign: int = 1) -> Node | None:
    """The sum, or difference, of two choices by one condition, of which one is zero on each side,
    is a choice."""
    if x.op.name == "neg" and x.value is None and sign == 1:
        x, y = y, x
    if y.op.name == "neg" and y.value is None:
        return total(s, x, y.inputs[0], node, -sign)
    a, b = _choice_of(x, node), _choice_of(y, node)
    if a is None or b is None or a[0] is not b[0]:
        return None
    first, second = (_sum(s, p, q, sign) for p, q in zip(a[1:], b[1:], strict=True))
    if first is None or second is None:
        return None
    return s.simplified("where", (a[0], first, second), node)


def counted(s: Builder, x: Node, attrs: Attrs, node: Node) -> Node | None:
    """The sum of a choice of a number or zero is the number times how often it is chosen."""
    if x.op.name != "where" or x.value is not None or x.dtype.name not in numbers.KINDS:
        return None
    condition, first, second = x.inputs
    if numbers.number_of(first) == 0:
        first, second = second, first
        condition = s.make("logical_not", (condition,), condition)
    number = numbers.number_of(first)
    if number is None or numbers.number_of(second) != 0 or condition.shape != x.shape:
        return None
    ones = s.shaped("cast", (condition,), x.shape, x.dtype, x, {"dtype": x.dtype})
    count = s.make("sum", (ones,), node, **attrs)
    return s.simplified("mul", (s.constant(number, x.dtype), count), node)


def _sum(s: Builder, x: Node, y: Node, sign: int) -> Node | None:
    number = numbers.number_of(y)
    if number == 0:
        return x
    if numbers.number_of(x) != 0:
        return None
    if sign == 1:
        return y
    return None if number is None else s.constant(-number, y.dtype, y.shape)


def _both(s: Builder, condition: Node, x: Node, y: Node, node: Node) -> Node | None:
    """A choice on one side of a choice, the other sides alike, is one by both conditions."""
    for truth, chosen, other in ((True, x, y), (False, y, x)):
        parts = _choice_of(chosen, node)
        if parts is None or parts[0].shape != condition.shape:
            continue
        inner, first, second = parts
        if _alike(first if truth else second, other):
            inner = s.make("logical_not", (inner,), inner)
            first, second = second, first
        if _alike(second if truth else first, other):
            name = "logical_and" if truth else "logical_or"
            both = s.make(name, (condition, inner), condition)
            sides = (first, other) if truth else (other, second)
            return s.simplified("where", (both, *sides), node)
    return None


def _alike(x: Node, y: Node) -> bool:
    """Whether two values are the same in all places."""
    number = numbers.number_of(x)
    return x is y or (number is not None and str(number) == str(numbers.number_of(y)))


def _multiple(s: Builder, condition: Node, x: Node, y: Node, node: Node) -> Node | None:
    """A choice of two multiples of one table is the table times a choice of numbers."""
    if node.dtype.name not in numbers.KINDS:
        return None
    (a, first), (b, second) = numbers.split(x), numbers.split(y)
    if first is not second or a == b or first.shape != node.shape or numbers.number_of(first):
        return None
    sides = [s.constant(number, node.dtype) for number in (a, b)]
    return s.make("mul", (s.make("where", (condition, *sides), node), first), node)


def _is_zero_anyway(condition: Node, x: Node, y: Node) -> bool:
    """Whether `y` is a positive multiple of a rectified value, and zero is chosen where that is."""
    if numbers.number_of(x) != 0 or condition.op.name != "le" or condition.value is not None:
        return False
    size, bound = condition.inputs
    if size.op.name != "relu" or size.shape != y.shape or numbers.number_of(bound) != 0:
        return False
    number, rest = numbers.split(y)
    while number > 0 and rest is not size and numbers.split(rest)[1] is not rest:
        number, rest = numbers.split(rest)
    return number > 0 and rest is size


def _choice_of(x: Node, node: Node) -> tuple[Node, ...] | None:
    """Condition and sides of a choice of the shape of `node`, of real numbers."""
    real = x.op.name == "where" and x.value is None and x.dtype.is_floating_point
    return x.inputs if real and x.shape == node.shape and x.dtype is node.dtype else None


def _known(s: Builder, x: Node, condition: Node, truth: bool, depth: int) -> Node:
    """`x` where the condition has this value."""
    if x.value is not None or x.op.name not in CHEAP or depth == 0:
        return x
    if x.op.name == "where" and x.inputs[0] is condition:
        side = s.spread(x.inputs[1 if truth else 2], x.shape)
        return _known(s, side, condition, truth, depth - 1)
    inputs = tuple([_known(s, each, condition, truth, depth - 1) for each in x.inputs])
    if all(a is b for a, b in zip(inputs, x.inputs, strict=True)):
        return x
    return s.unified(x, inputs, s.rewritten)


def _is_finite(x: Node, condition: Node, truth: bool) -> bool:
    """Whether `x` is no infinity and not NaN where the condition has this value."""
    number = numbers.number_of(x)
    if number is not None:
        return isfinite(number)
    if x.value is not None or len(x.inputs) != 1:
        return False
    name = x.op.name
    if name in FINITE:
        return True
    compared = truth and condition.op.name in ABOVE and condition.value is None
    return name in BOUNDED and compared and x.inputs[0] is condition.inputs[0]


def _is_far(condition: Node, x: Node, node: Node) -> bool:
    """Whether a condition holds only where exp(-x) is lost beside 1, for the operand of `x`."""
    if condition.value is not None or condition.op.name not in ABOVE or x.value is not None:
        return False
    least = numbers.number_of(condition.inputs[1])
    argument = x.inputs[0] if x.inputs else None
    float32 = node.dtype.name == "float32" and x.shape == node.shape
    return float32 and least is not None and least >= FLAT and argument is condition.inputs[0]


def _saturates(condition: Node, first: Node, second: Node, node: Node) -> bool:
    """Whether the second side, a multiple of a sigmoid, is the first wherever that is chosen."""
    if second.value is not None or second.shape != node.shape:
        return False
    if second.op.name == "sigmoid":
        return numbers.number_of(first) == 1 and _is_far(condition, second, node)
    if second.op.name != "mul":
        return False
    factors = list(second.inputs)
    number = numbers.number_of(first)
    for factor, rest in (factors, factors[::-1]):
        same = factor is first or (number is not None and numbers.number_of(factor) == number)
        if same and rest.op.name == "sigmoid" and _is_far(condition, rest, node):
            return True
    return False

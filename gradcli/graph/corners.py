"""Choices that round a corner, without the choice: Huber losses, their slopes, and the like.

Constraints: graph to graph, the same up to rounding, NaN and infinities included. With
`m = clip(d, -w, w)`, a square up to `|d| = w` that goes on as its tangent is `m*(d - m/2)`, and
its slope is `m`.
"""

from __future__ import annotations

from math import isclose
from typing import NamedTuple

from gradcli.graph.build import Builder
from gradcli.graph.node import Node
from gradcli.graph.numbers import KINDS, number_of

DEPTH = 5
"""Ops that a side of a choice is looked at through."""


class Far(NamedTuple):
    """`slope*|d| + level + sign*sgn(d)`."""

    slope: float
    level: float
    sign: float


def rounded(s: Builder, condition: Node, first: Node, second: Node, node: Node) -> Node | None:
    """`where(|d| >= w, far, near)` as what is computed from d and its clipped value."""
    corner = _corner(condition, node)
    if corner is None:
        return None
    d, width, beyond = corner
    near = _power(second if beyond else first, d, DEPTH)
    far = _far(first if beyond else second, d, DEPTH)
    if near is None or far is None:
        return None
    number, degree = near
    slope = degree == 1 and far[:2] == (0, 0) and isclose(far.sign, number * width)
    square = degree == 2 and far.sign == 0 and isclose(far.slope, 2 * number * width)
    if not slope and not (square and isclose(far.level, -number * width * width)):
        return None
    m = s.simplified("clamp_min", (d, s.constant(-width, d.dtype)), node)
    m = s.simplified("clamp_max", (m, s.constant(width, d.dtype)), node)
    if square:
        rest = s.simplified(
            "sub", (d, s.simplified("mul", (s.constant(0.5, d.dtype), m), node)), node
        )
        m, number = s.simplified("mul", (m, rest), node), 2 * number
    return s.simplified("mul", (s.constant(number, d.dtype), m), node)


def _corner(condition: Node, node: Node) -> tuple[Node, float, bool] | None:
    """(d, w, whether it holds beyond) of a condition that compares |d| with a number."""
    if condition.value is not None or node.dtype.name not in KINDS or len(condition.inputs) != 2:
        return None
    size, bound = condition.inputs
    width = number_of(bound)
    known = size.op.name == "abs" and size.value is None and width is not None and width > 0
    if condition.op.name not in ("ge", "gt", "lt", "le") or not known or width is None:
        return None
    (d,) = size.inputs
    fits = d.shape == node.shape and d.dtype is node.dtype
    return (d, width, condition.op.name in ("ge", "gt")) if fits else None


def _power(x: Node, d: Node, depth: int) -> tuple[float, int] | None:
    """(a, n) where `x` is `a*d**n`."""
    number = number_of(x)
    if number is not None:
        return number, 0
    if x is d:
        return 1.0, 1
    if x.value is not None or depth == 0 or x.op.name not in ("mul", "square", "neg"):
        return None
    parts = [_power(each, d, depth - 1) for each in x.inputs]
    first, last = parts[0], parts[-1]
    if first is None or last is None:
        return None
    if x.op.name == "neg":
        return -first[0], first[1]
    return first[0] * last[0], first[1] + last[1]


def _far(x: Node, d: Node, depth: int) -> Far | None:
    """`x` as a linear function of |d| and of the sign of d."""
    number = number_of(x)
    if number is not None:
        return Far(0.0, number, 0.0)
    if x.value is not None or depth == 0:
        return None
    name = x.op.name
    if name in ("abs", "sgn", "sign") and x.inputs[0] is d:
        return Far(1.0, 0.0, 0.0) if name == "abs" else Far(0.0, 0.0, 1.0)
    if name not in ("mul", "add", "sub", "neg"):
        return None
    parts = [_far(each, d, depth - 1) for each in x.inputs]
    first, last = parts[0], parts[-1]
    if first is None or last is None:
        return None
    if name == "mul":
        if first[0] or first[2]:
            first, last = last, first
        return None if first[0] or first[2] else Far(*[first.level * part for part in last])
    if name == "neg":
        return Far(*[-part for part in first])
    sign = 1.0 if name == "add" else -1.0
    return Far(*[a + sign * b for a, b in zip(first, last, strict=True)])

"""Signs and numbers of products and sums, applied once: `2*(3*x)` is `6*x`, `x + -y` is `x - y`.

Constraints: real floating-point nodes of one dtype. Factors whose values are unknown keep their
order and their grouping, and numbers meet only where both make the value larger or both smaller:
what over- or underflows as written does so here, and nothing else does.
"""

from __future__ import annotations

from math import frexp

from gradcli.graph.build import Builder
from gradcli.graph.node import Node
from gradcli.graph.op import FULL

KINDS = ("float32", "float64")
RANGE = 1e-30, 1e30
"""Where a number must stay that takes the place of others: as a float32 it is as exact as they."""


def product(s: Builder, x: Node, y: Node, node: Node) -> Node | None:
    """`x*y`, a number first; a sign leaves it."""
    if not _is_real(node, x, y):
        return None
    for c, z in ((x, y), (y, x)):
        number = number_of(c)
        if number is not None:
            return _scaled(s, number, z, node)
    signed = [_operand("neg", z) for z in (x, y)]
    if signed == [None, None]:
        return None
    x, y = signed[0] or x, signed[1] or y
    made = product(s, x, y, node) or s.make("mul", (x, y), node)
    return s.make("neg", (made,), node) if None in signed else made


def quotient(s: Builder, x: Node, y: Node, node: Node) -> Node | None:
    """`x/y`; dividing by a power of two is multiplying by its inverse.

    Other inverses are rounded, and so were quotients then: 41/41 would be less than 1.
    """
    if not _is_real(node, x, y):
        return None
    number = number_of(y)
    if number and abs(frexp(number)[0]) == 0.5 and _fits(number):
        return _scaled(s, 1 / number, x, node)
    above = _operand("neg", x)
    if above is None:
        return None
    made = quotient(s, above, y, node) or s.make("div", (above, y), node)
    return s.make("neg", (made,), node)


def negative(s: Builder, x: Node, node: Node) -> Node | None:
    """`-x`."""
    if not _is_real(node, x):
        return None
    number = number_of(x)
    if number is not None:
        return s.constant(-number, node.dtype, node.shape)
    number, rest = split(x)
    if number == 1:
        return None
    return rest if number == -1 else _times(s, -number, rest, node)


def total(s: Builder, x: Node, y: Node, node: Node) -> Node | None:
    """`x + y`; multiples of one value by numbers of one sign are one multiple."""
    if not _is_real(node, x, y):
        return None
    (a, left), (b, right) = split(x), split(y)
    if left is right and a * b > 0 and _fits(a + b):
        return _times(s, a + b, left, node)
    twice = _twice(s, x, y, node) or _twice(s, y, x, node)
    if twice is not None:
        return twice
    if b == -1:
        return s.make("sub", (x, right), node)
    return s.make("sub", (y, left), node) if a == -1 else None


def _twice(s: Builder, x: Node, y: Node, node: Node) -> Node | None:
    """`(a + y) + y` is `a + 2*y`, for a multiple of a table by what is the same along an axis."""
    if x.op.name != "add" or x.value is not None or y.op.name != "mul" or y.value is not None:
        return None
    rest = [z for z in x.inputs if z is not y]
    if len(rest) != 1 or not x.shape == y.shape == rest[0].shape:
        return None
    for thin, table in (y.inputs, y.inputs[::-1]):
        source = thin
        while source.op.name == "expand" and source.value is None:
            (source,) = source.inputs
        if source.size < table.size == y.size:
            both = s.make("mul", (s.constant(2.0, y.dtype), source), source)
            return s.make(
                "add", (rest[0], s.make("mul", (s.spread(both, thin.shape), table), y)), node
            )
    return None


def difference(s: Builder, x: Node, y: Node, node: Node) -> Node | None:
    """`x - y`."""
    if not _is_real(node, x, y):
        return None
    below = _operand("neg", y)
    return None if below is None else s.make("add", (x, below), node)


def power(s: Builder, x: Node, y: Node, node: Node) -> Node | None:
    """`x**2` is a square."""
    square = _is_real(node, x, y) and x.shape == node.shape and number_of(y) == 2
    return s.make("square", (x,), node) if square else None


def _is_real(node: Node, *inputs: Node) -> bool:
    return node.dtype.name in KINDS and all([x.dtype is node.dtype for x in inputs])


def number_of(x: Node) -> float | None:
    """The number that is in every element of `x`."""
    value = x.attrs["value"] if x.op is FULL else None
    return float(value) if isinstance(value, (int, float)) else None


def _operand(name: str, x: Node) -> Node | None:
    """What `x` is computed from, where it is the function `name` of it."""
    return x.inputs[0] if x.op.name == name and x.value is None else None


def split(x: Node) -> tuple[float, Node]:
    """`x` as a number times a node."""
    if x.value is None:
        if x.op.name == "neg":
            return -1.0, x.inputs[0]
        if x.op.name == "mul":
            number = number_of(x.inputs[0])
            if number is not None and x.inputs[1].shape == x.shape:
                return number, x.inputs[1]
    return 1.0, x


def _scaled(s: Builder, number: float, x: Node, node: Node) -> Node:
    """`number*x`, with the number that `x` has already."""
    inner, rest = split(x)
    if _go_together(number, inner) and _fits(number * inner):
        return _times(s, number * inner, rest, node)
    return _times(s, number, x, node)


def _times(s: Builder, number: float, x: Node, node: Node) -> Node:
    if abs(number) == 1 and x.shape == node.shape:
        return x if number == 1 else s.make("neg", (x,), node)
    shape = () if x.shape == node.shape else node.shape
    if number < 0:
        known = s.found("mul", (s.constant(-number, node.dtype, shape), x), node)
        if known is not None:
            return s.make("neg", (known,), node)
    return s.make("mul", (s.constant(number, node.dtype, shape), x), node)


def _go_together(a: float, b: float) -> bool:
    """Whether both make a value larger, or both smaller."""
    a, b = abs(a), abs(b)
    return (a >= 1 and b >= 1) or (a <= 1 and b <= 1)


def _fits(number: float) -> bool:
    return number == 0 or RANGE[0] < abs(number) < RANGE[1]

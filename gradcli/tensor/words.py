"""The words of second.txt: calls, and conditions on rows, that depend on the function at hand.

Constraints: no values are looked at, but for the zeros of products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.shape import Shape
from gradcli.tensor.seen import Seen
from gradcli.tensor.sketch import added, added_up, sketch


def _is_mean(seen: Seen) -> bool:
    return seen.facts.get("how") == "mean"


def _is_single(seen: Seen) -> bool:
    shape, axis = seen.arguments[0].shape, seen.facts.get("axis", 0)
    return not shape or 0 in shape or shape[axis] == 1


def _has_zeros(x: Node) -> bool:
    return x.value is not None and not (x.value != 0).all()


def _each(seen: Seen, x: Node) -> Node:
    if seen.reduced <= 0:
        return x
    shape = _kept(x.shape, seen.arguments[0].shape)
    for _ in range(seen.reduced):
        x = sketch("UnsqueezeBackward0", x)
    x.shape = shape
    return x


def _kept(shape: Shape, whole: Shape) -> Shape:
    """The shape with a 1 for each dim of `whole` that is not in it."""
    left, found = list(shape), list[int]()
    for size in reversed(whole):
        matches = bool(left) and left[-1] in (size, 1)
        found.insert(0, left.pop() if matches else 1)
    return tuple(found)


def _mean(seen: Seen, x: Node) -> Node:
    whole = seen.whole or not x.ndim
    name = f"MeanBackward{int(not whole)}"
    return sketch(name, x, shape=() if whole else _kept(seen.out.shape, x.shape))


def _matmul(seen: Seen, x: Node, y: Node) -> Node:
    if max(x.ndim, y.ndim) <= 2:
        return sketch("MmBackward0", x, y)
    x, y = (sketch("ViewBackward0", sketch("ExpandBackward0", z)) for z in (x, y))
    return sketch("UnsafeViewBackward0", sketch("BmmBackward0", x, y))


def _is_vector(seen: Seen) -> bool:
    return seen.arguments[-1].ndim < seen.arguments[0].ndim


def _outer(seen: Seen, x: Node, y: Node) -> Node:
    return sketch("MulBackward0", sketch("ViewBackward0", x, shape=(*x.shape, 1)), y)


WORDS: dict[str, Callable[..., Any]] = {
    "each": _each,
    "some": lambda seen, x: x if seen.whole else _each(seen, x),
    "most": lambda seen, x: x if seen.whole or seen.arguments[0].ndim < 2 else _each(seen, x),
    "view": lambda seen, x: sketch("ViewBackward0", x) if seen.reduced else x,
    "mean": _mean,
    "matmul": _matmul,
    "outer": _outer,
    "column": lambda seen, x: sketch("UnsqueezeBackward0", x) if _is_vector(seen) else x,
    "vector": lambda seen, x: sketch("SqueezeBackward1", x) if _is_vector(seen) else x,
    "times": lambda seen, x: sketch("MulBackward1", x) if seen.scaled else x,
    "sum": lambda seen, *parts: added(parts),
    "folded": lambda seen, x: sketch("SumBackward1", x, shape=x.shape[:-1]),
    "again": lambda seen, x: x,
    "average": lambda seen, x: sketch("DivBackward1", x) if _is_mean(seen) else x,
    "summed": lambda seen, x: (
        sketch("SumBackward0", x, shape=()) if x.ndim and seen.is_reduced else x
    ),
    "weighed": lambda seen, x: sketch("MulBackward0", x) if seen.facts.get("weighted") else x,
    "power": lambda seen, x: sketch("PowBackward0", x, facts={"written": True}),
    "changed": lambda seen, x: seen.first if seen.part is seen.first else x,
    "whole": lambda seen, x: x if seen.arguments[0].ndim else added_up(x, ()),
}
"""Calls that depend on the function, its result and arguments."""

CONDITIONS: dict[str, Callable[[Seen], bool]] = {
    "reduced": lambda seen: seen.is_reduced,
    "real": lambda seen: not seen.arguments[0].dtype.is_complex,
    "point": lambda seen: seen.arguments[0].ndim == 0,
    "single": _is_single,
    "zeros": lambda seen: _has_zeros(seen.arguments[0]),
    "lacking": lambda seen: seen.lacks_freedom,
    "upper": lambda seen: seen.out.op.name in ("permute", "transpose", "conj"),
}
"""Words before rows that speak of a call."""

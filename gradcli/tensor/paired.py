"""Cotangents of a node for every element of an output, with equal axes kept as one.

Constraints: builds nodes, computes nothing; axes of a node are counted from the right.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.shape import Shape
from gradcli.ops.movement import diagonal_embed, permute, reshape


class Part:
    """The cotangents of a node for every element of the output.

    Args:
        core: their values, with the axes `free` and then the node's.
        free: the axes of the output that `core` has in front, in that order.
        pairs: axis of the output -> the axis of the node (negative) that it is equal to; where the
            two differ, the cotangent is zero.
        weight: of the node's shape, times which `core` is meant; None for 1. What works element by
            element changes only this, once for all elements of the output.
    """

    __slots__ = ("core", "free", "pairs", "weight")

    def __init__(
        self,
        core: Node,
        free: tuple[int, ...],
        pairs: dict[int, int],
        weight: Node | None = None,
    ) -> None:
        self.core = core
        self.free = free
        self.pairs = pairs
        self.weight = weight

    def weighed(self) -> Part:
        """The same without a weight."""
        core, weight = self.core, self.weight
        if weight is None:
            return self
        if core.op is FULL and core.attrs["value"] == 1 and not self.free:
            return Part(weight, (), self.pairs)
        if weight.op is FULL and weight.attrs["value"] == 1:
            return Part(core, self.free, self.pairs)
        return Part(core * weight, self.free, self.pairs)


def dense(part: Part) -> Node:
    """The whole Jacobian: the output's axes in order, then the node's."""
    part = apart(part.weighed(), part.pairs)
    count, rank = len(part.free), part.core.ndim
    places = [part.free.index(axis) - rank for axis in range(count)]
    return permuted(part.core, [*places, *range(count - rank, 0)])


def apart(part: Part, axes: Iterable[int]) -> Part:
    """`part` with some of its pairs as two axes each, zero outside the diagonal."""
    axes = tuple(axes)
    if not axes:
        return part
    core, count = part.core, len(part.free)
    paired = [part.pairs[a] for a in axes]
    others = [j for j in range(-core.ndim, 0) if j not in paired]
    sizes = tuple(core.shape[j] for j in paired)
    rest: Shape = tuple(core.shape[j] for j in others)
    total = prod(sizes)
    line = reshape(permuted(core, [*others, *paired]), axes=core.ndim, shape=(*rest, total))
    square = diagonal_embed(line, offset=0, shape=(total, total))
    whole = reshape(square, axes=square.ndim, shape=(*rest, *sizes, *sizes))
    rank = whole.ndim
    place = {j: i - rank for i, j in enumerate([*others, *[None] * len(axes), *paired])}
    rows = range(-2 * len(axes), -len(axes))
    order = [*rows, *(place[j] for j in range(-core.ndim, 0))]
    kept = {a: j for a, j in part.pairs.items() if a not in axes}
    assert count == len(part.free)
    return Part(permuted(whole, order), (*axes, *part.free), kept)


def added(one: Part, two: Part) -> Part:
    """The sum of two cotangents of a node, with the pairs that they share."""
    shared = {a: j for a, j in one.pairs.items() if two.pairs.get(a) == j}
    alike = one.free == two.free and one.pairs == two.pairs and one.core is two.core
    if alike and one.weight is not None and two.weight is not None:
        return Part(one.core, one.free, one.pairs, one.weight + two.weight)
    one, two = one.weighed(), two.weighed()
    one = apart(one, [a for a in one.pairs if a not in shared])
    two = apart(two, [a for a in two.pairs if a not in shared])
    rank = two.core.ndim
    places = [two.free.index(a) - rank for a in one.free]
    core = permuted(two.core, [*places, *range(len(places) - rank, 0)])
    return Part(one.core + core, one.free, shared)


def permuted(x: Node, axes: list[Any]) -> Node:
    """`x` with its axes in another order; itself where that is the same."""
    return x if axes == list(range(-x.ndim, 0)) else permute(x, axes=tuple(axes))

"""What has come to the nodes of a backward pass so far.

Constraints: nothing is computed; adding is the caller's.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from gradcli.graph.node import Node, constant
from gradcli.graph.op import ITEM, LEAF, results
from gradcli.graph.shape import Shape


class Cotangents:
    """What has come to each node so far; to a node with several results, by result.

    A variable has a leaf node for each value it had; what comes to them is added up.
    """

    def __init__(
        self,
        seeds: Iterable[tuple[Node, Node]],
        add: Callable[[Node, Node], Node] = operator.add,
    ) -> None:
        self._plus = add
        self._sums: dict[Node, Node] = {}
        self._items: dict[Node, dict[int, Node]] = {}
        for output, cotangent in seeds:
            self.add(output, cotangent)

    def add(self, node: Node, part: Node, source: Node | None = None) -> None:
        """Adds what `source`, one of the users of `node`, passes to it."""
        cotangents: dict[Any, Node] = self._sums
        key = node.attrs["owner"] if node.op is LEAF else node
        if source is not None and source.op is ITEM and source.inputs[0] is node:
            cotangents, key = self._items.setdefault(node, {}), source.attrs["index"]
        known = cotangents.get(key)
        cotangents[key] = part if known is None else self._plus(known, part)

    def of(self, nodes: Iterable[Node]) -> dict[Node, Any]:
        """The whole cotangents of those of `nodes` that have one."""
        return {x: g for x in nodes if (g := self.take(x)) is not None}

    def moved(self, nodes: Iterable[Node]) -> Cotangents:
        """What has come to some nodes, apart from these cotangents."""
        found = Cotangents((), self._plus)
        for x in nodes:
            key = x.attrs["owner"] if x.op is LEAF else x
            if key in self._sums:
                found._sums[key] = self._sums.pop(key)
            if x in self._items:
                found._items[x] = self._items.pop(x)
        return found

    def take(self, node: Node) -> Any:
        """The whole cotangent of `node`: a node, a tuple for several results, None for nothing."""
        items = self._items.pop(node, None) if self._items else None
        if items is not None:
            return _completed(node, items)
        return self._sums.pop(node.attrs["owner"] if node.op is LEAF else node, None)


def _completed(node: Node, items: dict[int, Node]) -> tuple[Node | None, ...]:
    """The cotangents of all results of `node`, in order: zero for those that nothing came to.

    A joint rule is told that nothing came to a result.
    """
    outs = results(node)
    if node.op.joint is not None:
        return tuple(map(items.get, range(len(outs))))
    first = next(iter(items))
    batch = batch_of(items[first], outs[first])
    zeros = (constant(0, out.dtype, batch + out.shape) for out in outs)
    return tuple(items.get(i, zero) for i, zero in enumerate(zeros))


def nothing(node: Node) -> tuple[None, ...] | None:
    """The cotangent of a node to no result of which anything came."""
    return None if node.op.joint is None else (None,) * len(results(node))


def batch_of(cotangent: Node, out: Node) -> Shape:
    """The leading axes of a cotangent that its output has not."""
    return cotangent.shape[: cotangent.ndim - out.ndim]

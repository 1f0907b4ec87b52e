"""Reverse mode as graph to graph: the one loop that applies derivative rules.

Constraints: linear in the graph, no recursion; broadcasting is undone here and nowhere else.
Cotangents may carry extra leading axes (a batch of cotangents), because rules count axes from the
right.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from gradcli.graph.node import Node, constant
from gradcli.graph.op import ITEM, LEAF, OPS, NoDerivative, Zero, results
from gradcli.graph.shape import Shape
from gradcli.graph.walk import ancestors

Before = Callable[[Node, Node, bool], Node]
After = Callable[[Node, Any, "Saved", "Parts"], "Parts"]
Done = Callable[[Node, Any, "Parts"], "Parts"]
Saved = tuple[Node, ...]
Parts = Sequence[tuple[Node, Node]]


def backward(
    seeds: Iterable[tuple[Node, Node]],
    targets: Callable[[Node], bool] | None = None,
    *,
    before: Before | None = None,
    after: After | None = None,
    seen: Callable[[Node], Node] | None = None,
    whole: Callable[[Node], Sequence[Node]] | None = None,
    done: Done | None = None,
) -> dict[Node, Node]:
    """The cotangents of `targets` for cotangents of outputs.

    Args:
        seeds: (output, its cotangent) pairs; a cotangent may have batch axes before the output's.
        targets: whether to differentiate by a node; None means every leaf the outputs depend on.
        before: takes a node, its cotangent, and whether that is passed on; returns what is.
        after: takes a node, its cotangent, the forward nodes its rules used, what is passed on.
        seen: what the rules see in the place of a node.
        whole: the steps, in order, to a node that stands for them all; none: for itself.
        done: takes a node, its cotangent, what all its steps pass on; returns what is.

    Returns:
        The cotangent of each target that the outputs depend on; the others are absent.
    """
    seeds, found = list(seeds), dict[Node, Node]()
    order = ancestors((output for output, _ in seeds), lambda node: node.tracked)
    needed, cotangents = _leading_to(order, targets), Cotangents(seeds)
    for node in reversed(_leaves_early(order)):
        cotangent = cotangents.take(node)
        if cotangent is None or node not in needed:
            continue
        if before is not None:
            cotangent = before(node, cotangent, any(x in needed for x in node.inputs))
        if node.op is LEAF if targets is None else targets(node):
            found[node] = cotangent
        parts = _through((whole and whole(node)) or (node,), cotangent, needed, seen, after)
        parts = done(node, cotangent, parts) if done is not None and parts else parts
        for x, part in parts:
            cotangents.add(x, part, node)
    return found


def _through(
    steps: Sequence[Node],
    cotangent: Any,
    needed: Collection[Node],
    seen: Callable[[Node], Node] | None,
    after: After | None,
) -> Parts:
    """What `steps`, of which the last one has the cotangent, pass to the nodes before them."""
    own, cotangents, passed = set(steps), Cotangents(()), dict[Node, Node]()
    for step in reversed(steps):
        g = cotangents.take(step) if step is not steps[-1] else cotangent
        if g is None:
            continue
        forward = _forward(step, seen)
        parts: Parts = propagate(step, g, needed, forward)
        if after is not None and parts and step.op is not LEAF:
            parts = after(step, g, saved(step, forward, g, parts), parts)
        if len(steps) == 1:
            return parts
        for x, part in parts:
            if x in own:
                cotangents.add(x, part, step)
            else:
                _accumulate(passed, x, part)
    return list(passed.items())


def _forward(node: Node, seen: Callable[[Node], Node] | None) -> tuple[Node, ...]:
    nodes = (node, *node.inputs)
    return nodes if seen is None else tuple(map(seen, nodes))


class Cotangents:
    """What has come to each node so far; to a node with several results, by result.

    A variable has a leaf node for each value it had; what comes to them is added up.
    """

    def __init__(self, seeds: Iterable[tuple[Node, Node]]) -> None:
        self._sums: dict[Node, Node] = {}
        self._items: dict[Node, dict[int, Node]] = {}
        for output, cotangent in seeds:
            self.add(output, cotangent)

    def add(self, node: Node, part: Node, source: Node | None = None) -> None:
        """Adds what `source`, one of the users of `node`, passes to it."""
        if source is not None and source.op is ITEM and source.inputs[0] is node:
            _accumulate(self._items.setdefault(node, {}), source.attrs["index"], part)
        else:
            _accumulate(self._sums, _key(node), part)

    def take(self, node: Node) -> Any:
        """The whole cotangent of `node`: a node, a tuple for several results, None for nothing."""
        items = self._items.pop(node, None)
        return self._sums.pop(_key(node), None) if items is None else _completed(node, items)


def _key(node: Node) -> Any:
    return node.attrs["owner"] if node.op is LEAF else node


def propagate(
    node: Node, cotangent: Any, needed: Collection[Node], forward: tuple[Node, ...] = ()
) -> list[tuple[Node, Node]]:
    """The cotangents that `node` passes to the `needed` ones of its inputs, broadcasting undone.

    Its rules see `forward`, what stands for the node and its inputs; by default these themselves.
    """
    passed = []
    op, (seen, *inputs) = node.op, forward or (node, *node.inputs)
    if op is ITEM:
        return [(node.inputs[0], cotangent)]
    out: Any = results(node) if op.multiple else seen
    if op.joint is not None:
        together = op.joint(cotangent, out, *inputs, **node.attrs)
        pairs = zip(node.inputs, together, strict=True)
        return [(x, part) for x, part in pairs if part is not None and x.tracked and x in needed]
    batch = _batch(cotangent[0], out[0]) if op.multiple else _batch(cotangent, out)
    for position, x in enumerate(node.inputs):
        if not x.tracked or x not in needed:
            continue
        rule = op.derivative(position)
        if isinstance(rule, NoDerivative):
            continue
        if isinstance(rule, Zero):
            part = constant(0, x.dtype, batch + x.shape)
        elif op.variadic:
            part = rule(cotangent, out, *inputs, position=position, **node.attrs)
        else:
            part = rule(cotangent, out, *inputs, **node.attrs)
        passed.append((x, unbroadcast(part, batch, x.shape) if op.broadcasts else part))
    return passed


def _batch(cotangent: Node, out: Node) -> Shape:
    return cotangent.shape[: cotangent.ndim - out.ndim]


def _completed(node: Node, items: dict[int, Node]) -> tuple[Node | None, ...]:
    """The cotangents of all results of `node`, in order: zero for those that nothing came to.

    A joint rule is told that nothing came to a result.
    """
    outs = results(node)
    if node.op.joint is not None:
        return tuple(map(items.get, range(len(outs))))
    first = next(iter(items))
    batch = _batch(items[first], outs[first])
    zeros = (constant(0, out.dtype, batch + out.shape) for out in outs)
    return tuple(items.get(i, zero) for i, zero in enumerate(zeros))


def unbroadcast(cotangent: Node, batch: Shape, shape: Shape) -> Node:
    """Sums `cotangent` over the axes along which a value of `shape` was repeated.

    The result has the shape `batch + shape`; axes are matched from the right.
    """
    if cotangent.shape == batch + shape:
        return cotangent
    total = OPS["sum"]
    added = tuple(range(len(batch) - cotangent.ndim, -len(shape)))
    repeated = tuple(
        axis for axis in range(-len(shape), 0) if shape[axis] == 1 and cotangent.shape[axis] != 1
    )
    if added:
        cotangent = total(cotangent, axis=added, keepdims=False)
    if repeated:
        cotangent = total(cotangent, axis=repeated, keepdims=True)
    if cotangent.shape != batch + shape:
        cotangent = OPS["expand"](cotangent, shape=batch + shape)
    return cotangent


def saved(node: Node, forward: Sequence[Node], cotangent: Any, parts: Parts) -> Saved:
    """The forward nodes (of `node` and its inputs) whose values the derivatives `parts` use.

    The rules saw `forward` in their place.

    What the rules made is newer than `cotangent`, whose own history says nothing about this node.
    """
    op = node.op
    if op.joint is not None:
        return ()
    key = (tuple(x.tracked for x in node.inputs), tuple(x.op.name for x in node.inputs[1:3]))
    positions = op.saves.get(key)
    if positions is None:
        newest = max(g.serial for g in (cotangent if op.multiple else (cotangent,)))
        used: set[Node] = set()
        stack = [part for _, part in parts]
        seen: set[Node] = set()
        while stack:
            part = stack.pop()
            if part in seen or (part.serial <= newest and part not in forward):
                continue
            seen.add(part)
            used.update(x for x in part.inputs if x in forward)
            if part in forward:
                used.add(part)
            stack.extend(x for x in part.inputs if x.serial > newest and x not in forward)
        positions = tuple(x in used for x in forward)
        op.saves[key] = positions
    return tuple(x for x, uses in zip((node, *node.inputs), positions, strict=False) if uses)


def _leaves_early(order: list[Node]) -> list[Node]:
    """`order` with one leaf node a variable, just before the first node that uses the variable.

    Read backwards, a leaf's gradient is complete there: PyTorch calls its hooks at this moment.
    """
    arranged: list[Node] = []
    met = set()
    for node in order:
        if node.op is LEAF:
            continue
        for x in reversed(node.inputs):
            if x.op is LEAF and x.attrs["owner"] not in met:
                met.add(x.attrs["owner"])
                arranged.append(x)
        arranged.append(node)
    alone = {node.attrs["owner"]: node for node in order if node.op is LEAF}
    return arranged + [node for owner, node in alone.items() if owner not in met]


def _leading_to(order: list[Node], targets: Callable[[Node], bool] | None) -> set[Node]:
    if targets is None:
        return set(order)
    needed: set[Node] = set()
    for node in order:
        if targets(node) or any(x in needed for x in node.inputs):
            needed.add(node)
    return needed


def _accumulate(cotangents: dict[Any, Node], node: Any, part: Node) -> None:
    known = cotangents.get(node)
    cotangents[node] = part if known is None else known + part

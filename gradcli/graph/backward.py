"""Reverse mode as graph to graph: the one loop that applies derivative rules.

Constraints: linear in the graph, no recursion; broadcasting is undone here and nowhere else.
Cotangents may carry extra leading axes (a batch of cotangents), because rules count axes from the
right.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gradcli.graph.node import Node, constant
from gradcli.graph.op import ITEM, LEAF, OPS, NoDerivative, Zero, results
from gradcli.graph.shape import Shape
from gradcli.graph.walk import ancestors

Before = Callable[[Node, Any, bool], Any]
Parts = Sequence[tuple[Node, Node]]
After = Callable[[Node, Parts], None]
Given = Mapping[Node, Any]
Arrived = Callable[[Node, Node], None]


def ignored(node: Node, cotangent: Node) -> None:
    """Nobody asks when a gradient is complete."""


class Whole(NamedTuple):
    """A function whose steps are taken together.

    Attributes:
        arguments: what a gradient goes to from here, as often as it is passed on to each.
        outputs: its results.
        steps: the nodes from its arguments to them, in order.
        seen: what the rules see in the place of some of these nodes and arguments.
        before: takes the cotangents of its results; returns what is passed on for each.
        done: takes these, and what all its steps pass on; returns what is.
    """

    arguments: Sequence[Node]
    outputs: Sequence[Node]
    steps: Sequence[Node]
    seen: Given
    before: Callable[[Given], Given]
    done: Callable[[Given, Parts], Parts]


def end(node: Node) -> Whole:
    """A function that passes nothing on: gradients go to `node`, and no further."""
    return Whole((), (node,), (), {}, lambda given: given, lambda given, parts: ())


def backward(
    seeds: Iterable[tuple[Node, Node]],
    targets: Callable[[Node], bool] | None = None,
    *,
    before: Before | None = None,
    after: After | None = None,
    whole: Callable[[Node], Whole | None] | None = None,
    arrived: Arrived = ignored,
) -> dict[Node, Node]:
    """The cotangents of `targets` for cotangents of outputs.

    Args:
        seeds: (output, its cotangent) pairs; a cotangent may have batch axes before the output's.
        targets: whether to differentiate by a node; None means every leaf the outputs depend on.
        before: takes a node, its cotangent, whether that is passed on; returns what is.
        after: takes a node and what it passes on.
        whole: the function that a node is a result of, where its steps are taken together.
        arrived: is told of each target's cotangent as soon as it is complete.

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
        function = whole(node) if whole is not None else None
        given: Given = {node: cotangent, **cotangents.of(function.outputs if function else ())}
        if before is not None:
            given = {y: before(y, g, any(x in needed for x in y.inputs)) for y, g in given.items()}
        for y, g in (given := function.before(given) if function else given).items():
            if y.op is LEAF if targets is None else targets(y):
                found[y] = g
                arrived(y, g)
        for x, part in _passed(node, function, given, needed, after):
            cotangents.add(x, part, node)
    return found


def _passed(
    node: Node,
    function: Whole | None,
    given: Given,
    needed: Collection[Node],
    after: After | None,
) -> Parts:
    """What `node`, or the function that it is a result of, passes to the nodes before it."""
    if function is not None:
        return function.done(given, _through(function, given, needed, after))
    parts = propagate(node, given[node], needed)
    if after is not None and parts:
        after(node, parts)
    return parts


def _through(function: Whole, given: Given, needed: Collection[Node], after: After | None) -> Parts:
    """What the steps of a function pass to the nodes before them, for cotangents of its results."""
    own, cotangents = set(function.steps), Cotangents(given.items())
    passed: dict[Node, list[Node]] = {}
    for step in reversed(function.steps):
        g = cotangents.take(step)
        if g is None:
            continue
        seen = function.seen
        forward = tuple(seen.get(x, x) for x in (step, *step.inputs)) if seen else ()
        parts = propagate(step, g, needed, forward)
        if after is not None and parts:
            after(step, parts)
        if len(function.steps) == 1:
            return parts
        for x, part in parts:
            if x in own:
                cotangents.add(x, part, step)
        for x, part in reversed(parts):
            if x not in own:
                passed.setdefault(x, []).insert(0, part)
    found = []
    for x, several in passed.items():
        apart = len(several) == function.arguments.count(x)
        found += [(x, part) for part in (several if apart else [_added(several)])]
    return found


def _added(parts: Sequence[Node]) -> Node:
    total = parts[-1]
    for part in reversed(parts[:-1]):
        total = total + part
    return total


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

    def of(self, nodes: Iterable[Node]) -> Given:
        """The whole cotangents of those of `nodes` that have one."""
        return {x: g for x in nodes if (g := self.take(x)) is not None}

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


def reached(outputs: Iterable[Node], targets: Callable[[Node], bool] | None) -> set[Node]:
    """The nodes that a backward pass from `outputs` to `targets` comes to."""
    return _leading_to(ancestors(outputs, lambda node: node.tracked), targets)


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

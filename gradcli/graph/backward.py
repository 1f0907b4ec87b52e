"""Reverse mode as graph to graph: the one loop that applies derivative rules.

Constraints: linear in the graph, no recursion; broadcasting is undone here and nowhere else.
Cotangents may carry extra leading axes (a batch of cotangents), because rules count axes from the
right.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from gradcli.graph.cotangents import Cotangents, batch_of, nothing
from gradcli.graph.node import Node, constant
from gradcli.graph.op import ITEM, LEAF, OPS, NoDerivative, Op, Zero, results
from gradcli.graph.shape import Shape
from gradcli.graph.walk import ancestors
from gradcli.graph.whole import Given, Parts, Whole

Before = Callable[[Node, Any, bool], Any]
After = Callable[[Node, Parts], None]
Arrived = Callable[[Node, "Node | None"], None]
Pull = Callable[[Node, Any, Collection[Node]], Parts]


def ignored(node: Node, cotangent: Node | None) -> None:
    """Nobody asks when a gradient is complete."""


def backward(
    seeds: Iterable[tuple[Node, Node]],
    targets: Callable[[Node], bool] | None = None,
    *,
    before: Before | None = None,
    after: After | None = None,
    whole: Callable[[Node], Whole | None] | None = None,
    arrived: Arrived = ignored,
    missed: Callable[[Node], bool] | None = None,
    begin: Callable[[Sequence[Node]], object] | None = None,
    pull: Pull | None = None,
    add: Callable[[Node, Node], Node] = operator.add,
) -> dict[Node, Node]:
    """The cotangents of `targets` for cotangents of outputs.

    Absent from the result are targets that the outputs do not depend on.

    Args:
        seeds: (output, its cotangent) pairs; a cotangent may have batch axes before the output's.
        targets: whether to differentiate by a node; None means every leaf.
        before, after: of a node, its cotangent, and whether that or what is passed on.
        whole: the function that a node is a result of, where its steps are taken together.
        arrived: is told of each target's cotangent as soon as it is complete.
        missed: whether a node to which nothing came is asked about it like the others.
        begin: is told of all nodes; `pull` does what `propagate` does, `add` adds cotangents.
    """
    seeds, found = list(seeds), dict[Node, Node]()
    order = tracked(output for output, _ in seeds)
    needed, cotangents = _leading_to(order, targets), Cotangents(seeds, add)
    if begin is not None:
        begin(order)

    def reach(node: Node, cotangent: Any) -> None:
        if node.op is LEAF if targets is None else targets(node):
            if cotangent is not None:
                found[node] = cotangent
            arrived(node, cotangent)

    _pulled_back(order, needed, cotangents, (before, after, whole, reach, pull, missed))
    return found


def _pulled_back(order: list[Node], needed: set[Node], cotangents: Cotangents, by: Any) -> None:
    """Takes cotangents from the last node of `order` to the first; `by` are functions."""
    before, after, whole, reach, pull, missed = by
    met = dict[Node, Whole]()
    for node in reversed(_leaves_early(order)):
        cotangent = cotangents.take(node)
        if node not in needed:
            continue
        if cotangent is None:
            if node in met or missed is None or not missed(node):
                continue
            cotangent = nothing(node)
        function = whole(node) if whole is not None and node not in met else None
        parts: Parts = ()
        if node in met:  # what others pass to a step after its function has been gone through
            parts = _through_step(node, met[node], cotangent, needed)
        elif function is not None:
            met.update(dict.fromkeys((*function.outputs, *function.steps), function))
            given = {node: cotangent, **cotangents.of(function.outputs)}
            if before is not None:
                for y in given:
                    given[y] = before(y, given[y], not needed.isdisjoint(y.inputs))
            given = function.hooked(given)
            for y, g in given.items():
                if g is not None:
                    reach(y, g)
            pending = cotangents.moved(function.steps)  # by way of values that rules have used
            if function.ends or not needed.isdisjoint(function.arguments):
                given = {y: g for y, g in function.before(given).items() if g is not None}
                parts = function.done(given, through(function, given, needed, after, pending))
        else:
            if before is not None:
                cotangent = before(node, cotangent, not needed.isdisjoint(node.inputs))
            reach(node, cotangent)
            if cotangent is not None:
                parts = (pull or propagate)(node, cotangent, needed)
            if after is not None and parts:
                after(node, parts)
        for x, part in parts:
            cotangents.add(x, part, node)


def through(
    function: Whole,
    given: Given,
    needed: Collection[Node],
    after: After | None,
    pending: Cotangents,
) -> Parts:
    """What a function's steps pass on for cotangents of its results and `pending` ones of steps."""
    own, cotangents = set(function.steps), pending
    for y, g in given.items():
        cotangents.add(y, g)
    passed: dict[Node, list[Node]] = {}
    for step in reversed(function.steps):
        g = cotangents.take(step)
        if g is None and not given:
            g = nothing(step)
        if g is None:
            continue
        parts = _through_step(step, function, g, needed)
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


def _through_step(
    step: Node, function: Whole, cotangent: Any, needed: Collection[Node]
) -> list[tuple[Node, Node]]:
    forward = function.seen_at(step) if function.seen else ()
    if not step.op.multiple:
        return propagate(step, cotangent, needed, forward)
    made = [x for x in (*function.outputs, *function.steps) if step in x.inputs]
    return propagate(step, cotangent, needed, forward, made)


def _added(parts: Sequence[Node]) -> Node:
    total = parts[-1]
    for part in reversed(parts[:-1]):
        total = total + part
    return total


def propagate(
    node: Node,
    cotangent: Any,
    needed: Collection[Node],
    forward: tuple[Node, ...] = (),
    made: Sequence[Node] = (),
) -> list[tuple[Node, Node]]:
    """The cotangents that `node` passes to the `needed` ones of its inputs, broadcasting undone.

    Its rules see `forward`, what stands for the node and its inputs; by default these themselves;
    and those of its results that are `made`.
    """
    op, (seen, *inputs) = node.op, forward or (node, *node.inputs)
    if op is ITEM:
        return [(node.inputs[0], cotangent)]
    wanted = [x.tracked and x in needed for x in node.inputs]
    out = results(node, made=made) if op.multiple else seen
    if op.joint is not None:
        together = op.joint(cotangent, out, *inputs, **node.attrs)
        pairs = zip(node.inputs, together, wanted, strict=True)
        return [(x, part) for x, part, is_wanted in pairs if part is not None and is_wanted]
    parts = pulled(op, cotangent, out, inputs, node.attrs, wanted)
    return [(node.inputs[i], part) for i, part in parts]


def pulled(
    op: Op,
    cotangent: Any,
    out: Any,
    inputs: Sequence[Node],
    attrs: Mapping[str, Any],
    wanted: Sequence[bool],
) -> list[tuple[int, Node]]:
    """The cotangents of the `wanted` ones of an op's inputs, by their numbers."""
    passed = []
    batch = batch_of(cotangent[0], out[0]) if op.multiple else batch_of(cotangent, out)
    for position, x in enumerate(inputs):
        rule = op.derivative(position) if wanted[position] else None
        if rule is None or isinstance(rule, NoDerivative):
            continue
        if isinstance(rule, Zero):
            part = constant(0, x.dtype, batch + x.shape)
        elif op.variadic:
            part = rule(cotangent, out, *inputs, position=position, **attrs)
        else:
            part = rule(cotangent, out, *inputs, **attrs)
        if part is None:  # PyTorch passes nothing on (ops/ruled.py)
            continue
        passed.append((position, unbroadcast(part, batch, x.shape) if op.broadcasts else part))
    return passed


def unbroadcast(cotangent: Node, batch: Shape, shape: Shape) -> Node:
    """Sums `cotangent` over the axes along which a value of `shape` was repeated.

    The result has the shape `batch + shape`; axes are matched from the right, and along those that
    `cotangent` lacks it is repeated.
    """
    if cotangent.shape == batch + shape:
        return cotangent
    total = OPS["sum"]
    added = tuple(range(len(batch) - cotangent.ndim, -len(shape)))
    common = range(-min(len(shape), cotangent.ndim), 0)
    repeated = tuple(axis for axis in common if shape[axis] == 1 and cotangent.shape[axis] != 1)
    if added:
        cotangent = total(cotangent, axis=added, keepdims=False)
    if repeated:
        cotangent = total(cotangent, axis=repeated, keepdims=True)
    if cotangent.shape != batch + shape:
        cotangent = OPS["expand"](cotangent, shape=batch + shape)
    return cotangent


def reached(outputs: Iterable[Node], targets: Callable[[Node], bool] | None) -> set[Node]:
    """The nodes that a backward pass from `outputs` to `targets` comes to."""
    return _leading_to(tracked(outputs), targets)


def tracked(outputs: Iterable[Node]) -> list[Node]:
    """The nodes that a derivative of `outputs` may flow through, inputs first."""
    return ancestors(outputs, operator.attrgetter("tracked"))


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
        if not needed.isdisjoint(node.inputs) or targets(node):
            needed.add(node)
    return needed

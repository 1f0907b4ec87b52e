"""Backward passes that are like earlier ones: done at once, by what was learned then.

Constraints: as for pulls.py, which does the steps of all others; a pass is like another if its
nodes are of the same kinds and hang together in the same way. Left to the steps is where somebody
looks on or may change what is passed: hooks, functions of the script's own, several results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradcli.execute import evaluate
from gradcli.execute.evaluate import settle
from gradcli.graph import backward as engine
from gradcli.graph.forms import ODD, ONCE, PURE, UNLIKE, form_of, kind_of, note, recall
from gradcli.graph.node import Node
from gradcli.graph.op import FULL, ITEM, LEAF
from gradcli.graph.whole import Parts
from gradcli.tensor.learned import recipe_of
from gradcli.tensor.repeats import eager

LONGEST = 1000
"""Nodes of a pass that is worth learning."""
Seeds = Sequence[tuple[Node, Node]]
Targets = Callable[[Node], bool] | None
_known: dict[Any, Any] = {}


class Learned:
    """What passes of one kind do.

    Attributes:
        run: gives the gradients.
        largest: the elements of the largest value.
        found: the nodes that these belong to, by their numbers, in the order of arrival.
        checked: those that pass something on, in the order in which that is done.
    """

    __slots__ = ("checked", "found", "largest", "run")

    def __init__(self, run: Any, largest: int, found: list[int], checked: list[int]) -> None:
        self.run = run
        self.largest = largest
        self.found = found
        self.checked = checked


def repeated(
    seeds: Seeds, targets: Targets, is_sound: Callable[[Node], bool]
) -> tuple[dict[Node, Node], list[Node]] | None:
    """(gradients, the nodes that passed something on); None where it must be done step by step.

    Args:
        seeds, targets: as of `graph.backward.backward`.
        is_sound: whether a node may be gone through.
    """
    outputs = [output for output, _ in seeds]
    order = engine.tracked(outputs)
    if len(order) > LONGEST:
        return None
    for _, cotangent in seeds:
        settle(cotangent)
    nodes = [cotangent for _, cotangent in seeds]
    key = _kind(outputs, order, targets, nodes)
    if key is None:
        return None
    numbers = [x.attrs["value"] for x in nodes if x.op is FULL]
    known = recall(_known, key, numbers)
    if known.__class__ is not Learned:
        if known is PURE or (known is not UNLIKE and eager.on):
            known = _learn(key, numbers, seeds, nodes, targets)
        elif known is not UNLIKE:
            note(_known, key, numbers, ONCE if known is None else PURE)
    if known.__class__ is not Learned or known.largest > evaluate.SMALL:
        return None
    checked = [nodes[i] for i in known.checked]
    if not all(map(is_sound, checked)):
        return None
    try:
        found = known.run(nodes, numbers)
    except Exception:  # doing it again says what is wrong, and where
        return None
    return {nodes[i]: x for i, x in zip(known.found, found, strict=True)}, checked


def _kind(
    outputs: Sequence[Node], order: Sequence[Node], targets: Targets, nodes: list[Node]
) -> tuple[Any, ...] | None:
    """What passes that are alike have in common; None where there is nothing to learn.

    `nodes`, the cotangents that it begins with, are joined by all nodes whose values it may read.
    """
    key: list[Any] = [(x.form or form_of(x)).open for x in nodes]
    places: dict[Any, int] = {}
    for node in order:
        op = node.op
        if node.value is None or node.hooks:
            return None
        if op is LEAF:
            owner = node.attrs["owner"]
            if owner.hooks or owner.after or owner.adding or owner.added:
                return None
            key += (node.form or form_of(node), places.setdefault(owner, len(nodes)))
        else:
            kind = node.kind or kind_of(node)
            if kind is ODD or op.multiple or op is ITEM or op.joint is not None:
                return None
            key.append(kind)
            for x in node.inputs:
                place = places.get(x)
                if place is None:
                    if x.value is None:
                        return None
                    place = places[x] = len(nodes)
                    nodes.append(x)
                key.append(place)
        if targets is not None:
            key.append(targets(node))
        places[node] = len(nodes)
        nodes.append(node)
    return (*key, *[places[output] for output in outputs])


def _learn(key: Any, numbers: list[Any], seeds: Seeds, nodes: list[Node], targets: Targets) -> Any:
    outputs = [output for output, _ in seeds]
    places = {x: i for i, x in enumerate(nodes)}
    found: list[int] = []
    checked: list[int] = []

    def do(given: Sequence[Node], numbers: Sequence[Any]) -> list[Node]:
        def before(node: Node, cotangent: Any, passed_on: bool) -> Any:
            if passed_on:
                checked.append(places[node])
            return cotangent

        def pull(node: Node, cotangent: Any, needed: Any) -> Parts:
            wanted = [x.tracked and x in needed for x in node.inputs]
            if not any(wanted):
                return []
            out, *inputs = [given[places[x]] for x in (node, *node.inputs)]
            parts = engine.pulled(node.op, cotangent, out, inputs, node.attrs, wanted)
            return [(node.inputs[i], part) for i, part in parts]

        checked.clear()
        pairs = zip(outputs, given, strict=False)
        gradients = engine.backward(pairs, targets, before=before, pull=pull)
        found[:] = [places[x] for x in gradients]
        return list(gradients.values())

    recipe = recipe_of(_known, key, numbers, nodes, do, constants=True)
    known = UNLIKE if recipe is None else Learned(recipe.run, recipe.largest, found, checked)
    note(_known, key, numbers, known)
    return known

"""Steps of backward passes that are like earlier steps: done by what was learned then.

Constraints: as for repeats.py; a step is like another if the node is of the same kind and all
nodes that its rule sees have the same forms. Nothing of a step is recorded for a second derivative.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gradcli.execute import evaluate
from gradcli.graph import backward as engine
from gradcli.graph.forms import (
    ODD,
    ONCE,
    PURE,
    UNLIKE,
    form_of,
    kind_of,
    note,
    recall,
)
from gradcli.graph.node import Node
from gradcli.graph.op import FULL, ITEM
from gradcli.graph.whole import Parts
from gradcli.tensor.learned import recipe_of
from gradcli.tensor.repeats import eager

if TYPE_CHECKING:
    from gradcli.execute.recipe import Recipe

Nodes = list[Node]


class Pull:
    """What a node of one kind passes on.

    Attributes:
        run: gives the cotangents that are passed on.
        largest: the elements of the largest value.
        places: the inputs that they are passed on to, by their numbers.
    """

    __slots__ = ("largest", "places", "run")

    def __init__(self, recipe: Recipe, places: list[int]) -> None:
        self.run = recipe.run
        self.largest = recipe.largest
        self.places = places


def pull(node: Node, cotangent: Any, needed: Collection[Node]) -> Parts:
    """What `graph.backward.propagate` gives, for small known values with values of their own."""
    op, kind, inputs = node.op, node.kind or kind_of(node), node.inputs
    if kind is ODD or op.multiple or op is ITEM or op.joint is not None:
        return engine.propagate(node, cotangent, needed)
    nodes = [cotangent, node, *inputs]
    for x in nodes:
        if x.value is None:
            return engine.propagate(node, cotangent, needed)
    form = cotangent.form or form_of(cotangent)
    key = (form.open, *[x in needed for x in inputs])
    numbers: list[Any] = []
    if form.number is not None or kind.numbers:
        numbers = [x.attrs["value"] for x in nodes if x.op is FULL]
    known: Any = kind.known.get(key)
    if known.__class__ is not Pull:
        known = recall(kind.known, key, numbers)
        if known is None and not eager.on:
            note(kind.known, key, numbers, ONCE)
            known = UNLIKE
        elif known is None or known is ONCE:
            return _recorded(kind.known, key, numbers, (node, cotangent, needed))
        if known is PURE:
            known = _learn(kind.known, key, numbers, (node, nodes, needed))
    if known is not UNLIKE and known.largest <= evaluate.SMALL:
        try:
            parts = known.run(nodes, numbers)
            return [(inputs[i], part) for i, part in zip(known.places, parts, strict=True)]
        except Exception:  # doing it again says what is wrong, and where
            pass
    return engine.propagate(node, cotangent, needed)


def _recorded(known: dict[Any, Any], key: Any, numbers: list[Any], step: Any) -> Parts:
    with import_module("gradcli.graph.recording").Recording(numbers=False) as recording:
        parts = engine.propagate(*step)
    plain = step[1].form.plain and recording.is_pure
    note(known, key, numbers, PURE if plain else UNLIKE)
    return pull(*step) if plain and eager.on else parts


def _learn(known: dict[Any, Any], key: Any, numbers: list[Any], step: Any) -> Any:
    node, nodes, needed = step
    wanted = [x.tracked and x in needed for x in node.inputs]
    places: list[int] = []

    def do(given: Sequence[Node], numbers: Sequence[Any]) -> Nodes:
        parts = engine.pulled(node.op, given[0], given[1], given[2:], node.attrs, wanted)
        places[:] = [i for i, _ in parts]
        return [part for _, part in parts]

    recipe = recipe_of(known, key, numbers, nodes, do, constants=True)
    found = UNLIKE if recipe is None else Pull(recipe, places)
    note(known, key, numbers, found)
    return found


def added(x: Node, y: Node) -> Node:
    """The sum of two cotangents that came to one node."""
    key = (x.form or form_of(x), y.form or form_of(y))
    known = _sums.get(key)
    if x.value is None or y.value is None or known is UNLIKE:
        return x + y
    if known is None:
        plain = key[0].plain and key[1].plain
        do = lambda nodes, _: [nodes[0] + nodes[1]]  # noqa: E731
        recipe = recipe_of(_sums, key, [], [x, y], do) if plain else None
        note(_sums, key, [], UNLIKE if recipe is None else Pull(recipe, []))
        return x + y
    if known.largest > evaluate.SMALL:
        return x + y
    (total,) = known.run([x, y], ())
    return total  # type: ignore[no-any-return]  # what a recipe runs is compiled from text


_sums: dict[Any, Any] = {}

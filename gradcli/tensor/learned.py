"""What was learned of a kind of call, and how it is learned.

Constraints: see repeats.py, which knows what calls are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gradcli.graph.forms import by_number
from gradcli.graph.node import Node
from gradcli.tensor.storage import view_steps

if TYPE_CHECKING:
    from gradcli.execute.recipe import Do, Recipe
    from gradcli.tensor.entry import Function


class Repeat:
    """What a function does for one kind of call.

    Attributes:
        run: gives the nodes of the results.
        several: the class of several results; None where there is one.
        largest: the elements of the largest value.
        same: the number of the tensor that is the result; -1 for a new one.
        steps: how each result sees the first tensor's memory; None for memory of its own.
        is_new: whether the result's memory and history are its own, however it is laid out.
        seen: how the one result sees the first tensor's memory, where that is all there is to it.
    """

    __slots__ = ("is_new", "largest", "run", "same", "seen", "several", "steps")

    def __init__(self, recipe: Recipe, function: Function, several: Any) -> None:
        self.run = recipe.run
        self.largest = recipe.largest
        self.several = several
        is_view = function.view and bool(recipe.inputs)
        self.steps = [
            view_steps(node, recipe.inputs[0]) if is_view else None for node in recipe.found
        ]
        self.same, self.is_new, self.seen = -1, False, None
        if several is None:
            (node,) = recipe.found
            self.same = recipe.inputs.index(node) if node in recipe.inputs else -1
            if function.composed is None:
                self.is_new = self.steps == [None]
                self.seen = self.steps[0]


def recipe_of(
    store: dict[Any, Any],
    key: Any,
    numbers: list[Any],
    nodes: Sequence[Node],
    do: Do,
    *,
    constants: bool = False,
) -> Recipe | None:
    """The recipe of `do` for what `store` knows under `key`; for these numbers alone where others
    would need another one."""
    learned = import_module("gradcli.execute.recipe").learned
    recipe: Recipe | None = learned(do, nodes, numbers, constants=constants)
    if recipe is None and numbers:
        by_number(store, key)
        recipe = learned(lambda nodes, _: do(nodes, numbers), nodes, ())
    return recipe

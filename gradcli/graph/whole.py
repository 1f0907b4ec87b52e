"""Functions whose steps reverse mode takes together: what it is told of one.

Constraints: cotangents may have batch axes in front.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gradcli.graph.node import Node

Parts = Sequence[tuple[Node, Node]]
Given = dict[Node, Any]


class Whole(NamedTuple):
    """A function whose steps are taken together.

    Attributes:
        arguments: what a gradient goes to from here, as often as it is passed on to each.
        outputs: its results.
        steps: the nodes from its arguments to them, in order.
        seen: what the rules see in the place of some of these nodes and arguments; in that of an
            input of one step alone by (step, number of the input).
        hooked: takes the cotangents of its results; returns what hooks of each make of them.
        before: takes these; returns what is passed on for each.
        done: takes these, and what all its steps pass on; returns what is.
        ends: whether it is called too where it passes nothing on.
    """

    arguments: Sequence[Node]
    outputs: Sequence[Node]
    steps: Sequence[Node]
    seen: Mapping[Any, Node]
    hooked: Callable[[Given], Given]
    before: Callable[[Given], Given]
    done: Callable[[Given, Parts], Parts]
    ends: bool = False

    def seen_at(self, step: Node) -> tuple[Node, ...]:
        """What the rules see for a step and its inputs."""
        seen = self.seen
        inputs = [seen.get((step, i)) or seen.get(x, x) for i, x in enumerate(step.inputs)]
        return (seen.get(step, step), *inputs)


def end(node: Node) -> Whole:
    """A function that passes nothing on: gradients go to `node`, and no further."""
    return Whole((), (node,), (), {}, lambda g: g, lambda g: g, lambda given, parts: ())

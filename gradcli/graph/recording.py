"""What a piece of work did to the graph, recorded so that it can be done again with other values.

Constraints: recording changes no result. Whatever the graph does not show (a print, a random
number, a value that was looked at) is noted, and makes the record unfit for being repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gradcli.graph.node import Node, current
from gradcli.graph.traced import KINDS, Expression, Traced, is_traced

Made = tuple[Node, tuple[Node, ...]]
Draw = tuple[Any, Callable[..., Any], tuple[Any, ...]]
"""(random stream, function that draws from it, its arguments, nodes in the places of arrays)."""


class Recording:
    """What happened while this was `current.recording`.

    Args:
        numbers: whether numbers that come from tensors are followed; else they are obstacles.

    Attributes:
        made: the nodes that were made, each with the inputs it had then.
        looked: the nodes whose values were looked at by something that is not in the record.
        asked: (node, question, answer): what was asked about a value; the same follows wherever
            the answer is the same.
        checks: (expression, truth): what numbers and tensors were asked, and what they answered.
        items: the nodes whose only element became a number that is followed.
        draws: node -> (stream, draw, what it takes): random numbers, in the order in which they
            were drawn, by nodes and whatever else.
        roots: the nodes at which a backward pass began.
        appended: (where a list is, number, text or tensor): what was put at the ends of lists.
        obstacle: why it cannot be repeated; empty while it can.
    """

    __slots__ = (
        *("_numbers", "appended", "asked", "before", "checks", "items", "looked", "made"),
        *("_drew", "draws", "obstacle", "roots"),
    )

    def __init__(self, *, numbers: bool = True) -> None:
        self._numbers = numbers
        self.made: list[Made] = []
        self.looked: list[Node] = []
        self.asked: list[tuple[Node, Callable[[Any], Any], Any]] = []
        self.checks: list[tuple[Expression, bool]] = []
        self.items: list[Node] = []
        self.roots: list[Node] = []
        self.appended: list[tuple[Callable[[Any], list[Any]], Any]] = []
        self.draws: dict[Node, Draw] = {}
        self._drew: tuple[Any, Draw] | None = None
        self.obstacle = ""
        self.before: Recording | None = None

    def __enter__(self) -> Recording:
        self.before, current.recording = current.recording, self
        return self

    def __exit__(self, *exception: object) -> None:
        current.recording = self.before
        if self._drew is not None:
            self.fail("random numbers were drawn")

    @property
    def is_pure(self) -> bool:
        """Whether the work did nothing but make nodes, the same ones wherever the answers are."""
        noted = self.looked or self.checks or self.appended or self.items
        return not (self.obstacle or noted or self.draws)

    def fail(self, why: str) -> None:
        """Notes why this cannot be repeated; the first reason stays."""
        self.obstacle = self.obstacle or why

    def item(self, node: Node, value: Any) -> Any:
        """`value`, the only element of `node`, as a number whose origin is known."""
        if not self._numbers:
            self.looked.append(node)
            return value
        self.items.append(node)
        return self.number(value, ("item", node))

    def drew(self, array: Any, draw: Draw, again: bool) -> None:
        """Notes an array of random numbers, and how more of them are drawn."""
        if not (self._numbers and again) or self._drew is not None:
            self.fail("random numbers were drawn")
        self._drew = array, draw

    def seen(self, value: Any) -> Any:
        """The node whose array `value` is, if it was the last that was looked at: what follows from
        that look is on record. Else `value`."""
        if self.looked and value is not None and self.looked[-1].value is value:
            return self.looked.pop()
        return value

    def drawn(self, array: Any, node: Node) -> None:
        """Notes the node whose value the last draw is."""
        last, self._drew = self._drew, None
        if last is None or last[0] is not array or node.value is not array:
            self.fail("random numbers were drawn")
        else:
            self.draws[node] = last[1]

    def varying(self, inputs: Iterable[Node]) -> set[Node]:
        """The nodes whose values follow from `inputs` or from traced numbers."""
        found = set(inputs)
        for node, sources in self.made:
            if is_traced(node) or node in self.draws or any(x in found for x in sources):
                found.add(node)
        return found

    def owns(self, value: Any) -> bool:
        """Whether no number in a value was followed by another recording."""
        if isinstance(value, Traced):
            return value.recording is self
        return value.__class__ is not tuple or all(map(self.owns, value))

    def constant(self, value: Any) -> Any:
        """`value` as a number that is the same in each run."""
        return self.number(value, ("constant", value))

    def number(self, value: Any, expression: Expression) -> Any:
        """`value` as a number that remembers how it was computed, where it is of such a kind."""
        made = KINDS.get(value.__class__)
        if made is not None:
            return made(value, expression, self)
        if value.__class__ is bool:
            self.checks.append((("truth", expression), value))
            return value
        self.fail("a complex number came from values")
        return value

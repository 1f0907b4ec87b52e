"""A graph as work: steps from numbered values to numbered values, and a key of what it is.

Constraints: holds no value. Two graphs of one key are the same work on other inputs; numbers that
are part of the graph are told apart from its form, so that work can be shared by graphs that differ
in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gradcli.graph.node import NO_ATTRS, Node, current
from gradcli.graph.op import FULL, INDEX, LEAF, Op
from gradcli.ops.movement import slice_

slice_at = Op(
    "slice_at",
    lambda x, starts, *, slices: slice_.infer(x, slices=slices),
    INDEX,
    INDEX,
)
"""A slice whose starts are the second input, numbers of the host; lengths and steps are fixed."""
OBJECTS = frozenset(("owner", "function"))
"""Attributes that are objects of higher floors; no value depends on them."""


class Step(NamedTuple):
    """An op on numbered values.

    Attributes:
        node: the op, its attributes, shape and dtype, without inputs.
        sources: the numbers of its inputs.
        target: the number of its result.
        last: the numbers of the values that nobody needs after it.
    """

    node: Node
    sources: tuple[int, ...]
    target: int
    last: tuple[int, ...]


class Work:
    """The work of computing `targets`.

    Args:
        order: the nodes to compute, inputs first.
        targets: those of them, or nodes with values, whose values are wanted.

    Attributes:
        inputs: the nodes with values that it reads, in the order of their numbers.
        steps: in order.
        outputs: the numbers of the values of `targets`.
    """

    def __init__(self, order: Sequence[Node], targets: Sequence[Node]) -> None:
        self.inputs: list[Node] = []
        numbers = self._numbered(order, targets)
        self.outputs = [numbers[node] for node in targets]
        last: dict[int, int] = {}
        for place, node in enumerate(order):
            for x in (*node.inputs, node):
                last[numbers[x]] = place
        ends: dict[int, list[int]] = {}
        for number, place in last.items():
            if number not in self.outputs:
                ends.setdefault(place, []).append(number)
        self.steps = [
            Step(
                stub(node),
                tuple([numbers[x] for x in node.inputs]),
                numbers[node],
                tuple(ends.get(place, ())),
            )
            for place, node in enumerate(order)
        ]

    def _numbered(self, order: Sequence[Node], targets: Sequence[Node]) -> dict[Node, int]:
        """Numbers for inputs, then for the results of steps."""
        made = set(order)
        numbers: dict[Node, int] = {}
        for node in (*(x for step in order for x in step.inputs), *targets):
            if node not in made and node not in numbers:
                numbers[node] = len(numbers)
                self.inputs.append(node)
        for node in order:
            numbers[node] = len(numbers)
        return numbers


def form(order: Sequence[Node], targets: Sequence[Node]) -> tuple[Any, list[Node], list[Any]]:
    """The key of a graph, the nodes with values that it reads, and its numbers.

    Numbers are (class, text) of each constant and of where each slice starts, in order; they are
    no part of the key.
    """
    places: dict[Node, int] = {}
    inputs: list[Node] = []
    numbers: list[Any] = []
    rows: list[Any] = []
    made = set(order)
    for node in order:
        for x in node.inputs:
            if x not in made and x not in places:
                places[x] = len(places)
                inputs.append(x)
                rows.append(kind(x))
        if node.op is FULL:
            value = node.attrs["value"]
            numbers.append((value.__class__, repr(value)))
            rows.append((FULL, node.shape, node.dtype))
        elif node.op.name == "slice":
            slices = node.attrs["slices"]
            numbers.append((tuple, str([start for start, _, _ in slices])))
            taken = tuple([(size, step) for _, size, step in slices])
            rows.append((node.op, places[node.inputs[0]], taken, node.shape, node.dtype))
        else:
            sources = tuple([places[x] for x in node.inputs])
            rows.append((node.op, sources, attributes(node), node.shape, node.dtype))
        places[node] = len(places)
    return (tuple(rows), tuple([places[node] for node in targets])), inputs, numbers


def numbered(order: Sequence[Node]) -> list[Node]:
    """The nodes of `order` that have numbers."""
    return [node for node in order if node.op is FULL or node.op.name == "slice"]


def kind(node: Node) -> Any:
    """What work depends on of an input."""
    value = node.value
    if isinstance(value, tuple):
        return tuple([(part.shape, str(part.dtype)) for part in value])
    return node.shape, node.dtype


def attributes(node: Node) -> Any:
    """An op's attributes as a key; the attributes' own identity where they have none."""
    attrs = node.attrs
    if not attrs or node.op is LEAF:
        return None
    found = tuple([(k, v) for k, v in attrs.items() if k not in OBJECTS])
    try:
        hash(found)
    except TypeError:
        return id(attrs), node.serial
    return found


def stub(node: Node) -> Node:
    """The op of `node` without its inputs, and without a trace in a recording."""
    attrs: Mapping[str, Any] = {k: v for k, v in node.attrs.items() if k not in OBJECTS}
    recording, current.recording = current.recording, None
    made = Node(node.op, (), NO_ATTRS if node.op is LEAF else attrs, node.shape, node.dtype)
    current.recording = recording
    made.span = node.span
    return made

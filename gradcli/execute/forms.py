"""Graphs as compiled work: kept under their form, with the numbers that change as inputs.

Constraints: a graph is simplified before it is compiled; what is compiled holds no value but the
constants of recorded work.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.execute.backends.base import Library, Run
from gradcli.execute.whole import whole
from gradcli.execute.work import Work, form, numbered, slice_at
from gradcli.graph.dtype import int64
from gradcli.graph.node import Node, current, data
from gradcli.graph.op import FULL
from gradcli.graph.simplify import simplified
from gradcli.graph.walk import ancestors
from gradcli.ops.movement import expand

FORMS = 512
"""Compiled graphs that are kept."""


class Sent:
    """Arrays of the host on the device: each is sent once as long as it lives."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.known: dict[int, tuple[weakref.ref[Any], Any]] = {}

    def __call__(self, node: Node) -> Any:
        """The value of `node` as the library's."""
        value = whole(node.value, node)
        if not isinstance(value, np.ndarray):
            plain = isinstance(value, (np.generic, tuple))
            return self.library.sent(value) if plain and is_numpy(value) else value
        key = id(value)
        known = self.known.get(key)
        if known is not None and known[0]() is value:
            return known[1]
        made = self.library.from_numpy(value)
        forget = self.known.pop
        self.known[key] = weakref.ref(value, lambda _: forget(key, None)), made
        return made


def is_numpy(value: Any) -> bool:
    """Whether a value is the host's."""
    parts = value if isinstance(value, tuple) else (value,)
    return all(isinstance(part, (np.ndarray, np.generic)) for part in parts)


class Form:
    """Graphs of one form: what was compiled for them, by the numbers that are part of it.

    Args:
        numbers: those of the first such graph.

    Attributes:
        varying: the places of the numbers that have been seen to change.
    """

    def __init__(self, numbers: list[Any]) -> None:
        self.last = numbers
        self.varying: tuple[int, ...] = ()
        self.known: dict[Any, Run] = {}

    def run(self, numbers: list[Any], spent: Any, make: Any) -> tuple[Run, tuple[int, ...]]:
        """What computes a graph with these numbers, and which of them it takes as inputs.

        Args:
            spent: which inputs it may write over; what was compiled for others does not do.
        """
        key = spent, self._key(numbers)
        found = self.known.get(key)
        if found is None:
            changed = {i for i, (a, b) in enumerate(zip(self.last, numbers, strict=True)) if a != b}
            if changed - set(self.varying):
                self.varying = tuple(sorted(changed.union(self.varying)))
                self.known.clear()
                key = spent, self._key(numbers)
            found = self.known[key] = make(self.varying)
        self.last = numbers
        return found, self.varying

    def _key(self, numbers: list[Any]) -> Any:
        free = set(self.varying)
        return tuple([n for i, n in enumerate(numbers) if i not in free])


forms: dict[Any, Form] = {}
"""What has been compiled in this process."""


def shared(
    library: Library,
    order: Sequence[Node],
    targets: Sequence[Node],
    spent: Collection[Node] = (),
) -> tuple[Run, list[Node], list[Any]]:
    """What computes graphs of this form, compiled for the first of them.

    Args:
        spent: nodes whose values, the library's own, nobody reads after it.

    Returns:
        The work; the nodes of this graph whose values it takes; the numbers that it takes after
        them, as the library's.
    """
    key, inputs, numbers = form(order, targets)
    known = forms.setdefault((library.name, library.device, key), Form(numbers))
    if len(forms) > FORMS:
        forms.pop(next(iter(forms)))
    free = tuple([place for place, node in enumerate(inputs) if node in spent])
    run, varying = known.run(
        numbers, free, lambda varying: prepared(library, order, targets, varying, free)
    )
    places = numbered(order)
    return run, inputs, [_number(library, places[place]) for place in varying]


def _number(library: Library, node: Node) -> Any:
    if node.op is FULL:
        return library.full((), node.attrs["value"], node.dtype)
    return np.array([start for start, _, _ in node.attrs["slices"]])


def prepared(
    library: Library,
    order: Sequence[Node],
    targets: Sequence[Node],
    varying: Sequence[int],
    free: Sequence[int],
) -> Run:
    """Compiled work that takes the values of the inputs of `order`, then the numbers `varying`.

    Args:
        free: the places of the inputs that it may write over.
    """
    recording, current.recording = current.recording, None
    try:
        _, inputs, _ = form(order, targets)
        numbers = numbered(order)
        places = {numbers[i]: _given(numbers[i]) for i in varying}
        # An input may have been a constant once; whoever comes with this form has another value.
        copies = {x: data(True, x.shape, x.dtype) for x in inputs if not x.op.multiple}
        given = [copies.get(x, x) for x in inputs]
        for node in order:
            copies[node] = copied(node, node.inputs, copies, places.get(node))
        ends = [copies[x] for x in targets]
        return compiled(library, ends, [*given, *places.values()], [given[i] for i in free])
    finally:
        current.recording = recording


def _given(node: Node) -> Node:
    """What stands for the number of a node until it is given."""
    if node.op is FULL:
        return data(True, (), node.dtype)
    return data(True, (len(node.attrs["slices"]),), int64)


def copied(
    node: Node, inputs: Sequence[Node], copies: Mapping[Node, Node], number: Node | None = None
) -> Node:
    """`node` on the copies of its inputs; with a `number` that is given instead of its own."""
    if number is not None and node.op is FULL:
        return expand(number, shape=node.shape)
    if number is not None:
        (x,) = inputs
        return slice_at(copies.get(x, x), number, slices=node.attrs["slices"])
    made = Node(
        node.op, tuple([copies.get(x, x) for x in inputs]), node.attrs, node.shape, node.dtype
    )
    made.span = node.span
    return made


def compiled(
    library: Library, targets: Sequence[Node], given: Sequence[Node], spent: Collection[Node] = ()
) -> Run:
    """What computes `targets` from new values of the nodes `given`; other known ones stay.

    Args:
        spent: those of `given` whose values, the library's own, it may write over.
    """
    found = simplified(ancestors(targets, is_open), targets)
    ends = [found[node] for node in targets]
    work = Work(ancestors(ends, is_open), ends)
    run = library.compiled(work, [i for i, x in enumerate(work.inputs) if x in spent])
    if work.inputs == list(given):
        return run
    places = {node: i for i, node in enumerate(given)}
    sent = Sent(library)
    known = [None if node in places else sent(node) for node in work.inputs]
    order = [places.get(node, 0) for node in work.inputs]
    return lambda arrays: run(
        [arrays[i] if k is None else k for i, k in zip(order, known, strict=True)]
    )


def is_open(node: Node) -> bool:
    """Whether a node has no value yet."""
    return node.value is None

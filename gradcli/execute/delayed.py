"""An engine that puts everything off until a value is asked for, and then computes whole graphs.

Constraints: what is computed is what somebody holds: tensors that live and the nodes asked for,
together in one call, so that a value and its gradients are one piece of work. Compiled work is kept
under its form; a number in it that turns out to change becomes an input.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from gradcli.execute.backends.base import Library, Run
from gradcli.execute.elsewhere import Engine, elsewhere
from gradcli.execute.evaluate import SMALL, guarded, let_go
from gradcli.execute.limits import VIRTUAL, memory
from gradcli.execute.whole import whole
from gradcli.execute.work import Work, form, numbered, slice_at
from gradcli.graph.dtype import int64
from gradcli.graph.node import Node, current, data
from gradcli.graph.op import FULL, UNKNOWN
from gradcli.graph.simplify import simplified
from gradcli.graph.walk import ancestors
from gradcli.ops.movement import expand

LONG = 256
"""Nodes that wait from which the end of a loop's iteration computes them."""
LONGEST = 4096
"""Nodes that wait at most."""
FEW = 32
"""Steps up to which the host finds a position."""
FORMS = 512
"""Compiled graphs that are kept."""


class Delayed:
    """The block in which a library computes: `with Delayed(library):`.

    Values that outlive the block are NumPy's.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self.waiting = 0
        self.passed = False
        self.holders: list[weakref.ref[Any]] = []
        self.given: weakref.WeakSet[Node] = weakref.WeakSet()
        self.sent = Sent(library)
        self.before: Engine | None = None

    def __enter__(self) -> Delayed:
        self.before, elsewhere.engine = elsewhere.engine, self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.compute(())
        finally:
            elsewhere.engine = self.before
            for node in self.given:
                node.value = self.library.fetched(node.value)

    # -- what evaluation says

    def wait(self, node: Node) -> None:
        """Puts a node off; computes it now where it looks at values, or where many wait."""
        node.pending = True
        self.waiting += 1
        now = self.library.stops(node) or self.waiting > LONGEST
        if now and not _unknown(ancestors([node], _is_open)):
            self.compute([node])

    def hold(self, tensor: Any) -> None:
        """Takes note of a tensor."""
        self.holders.append(weakref.ref(tensor))

    def turn(self, passed: bool = False) -> None:
        """Computes what waits at the end of an iteration, where a backward pass was in it."""
        if passed:
            self.passed = True
        elif self.passed or self.waiting > LONG:
            self.compute(())

    def position(self, node: Node) -> Any:
        """A position from positions that the host knows: nobody waits for a device to count."""
        order = ancestors([node], _is_open)
        inputs = {x for n in order for x in n.inputs if x.value is not None}
        whole_numbers = all(n.dtype.category < 2 and n.size <= SMALL for n in (*order, *inputs))
        if len(order) > FEW or not whole_numbers or _unknown(order):
            return None
        if not all(_is_numpy(x.value) for x in inputs):
            return None
        values: dict[Node, Any] = {x: x.value for x in inputs}
        for n in order:
            values[n] = guarded(n, [values[x] for x in n.inputs])
        return np.asarray(values[node])

    def fetched(self, value: Any) -> Any:
        """A value as a NumPy array."""
        return self.library.fetched(value)

    def compute(self, targets: Sequence[Node]) -> None:
        """Gives `targets`, and whatever waits in living tensors, values."""
        self.waiting, self.passed = 0, False
        wanted = dict.fromkeys(node for node in targets if node.value is None)
        held = self._held()
        order = ancestors([*wanted, *held], _is_open)
        unknown = _unknown(order)
        wanted.update((node, None) for node in held if node not in unknown)
        if unknown:
            order = ancestors(wanted, _is_open)
            for node in order:
                if node.op in UNKNOWN:
                    guarded(node, [])
        if not order:
            return
        for node in order:
            if node.op.name not in VIRTUAL:
                memory.refuse_node(node)
        nodes = list(wanted)
        with self.library.computing():
            for node, value in zip(nodes, self._values(order, nodes), strict=True):
                node.value = value
                self.given.add(node)
        for node in nodes:
            let_go(node)

    def _held(self) -> list[Node]:
        """The nodes without value that living tensors hold."""
        found: dict[Node, None] = {}
        kept = []
        for reference in self.holders:
            tensor = reference()
            if tensor is not None:
                found.update((node, None) for node in tensor.held() if node.value is None)
                kept.append(reference)
        self.holders = kept
        return list(found)

    def _values(self, order: list[Node], targets: list[Node]) -> list[Any]:
        key, inputs, numbers = form(order, targets)
        known = forms.setdefault((self.library.name, self.library.device, key), Form(numbers))
        if len(forms) > FORMS:
            forms.pop(next(iter(forms)))
        run, varying = known.run(numbers, lambda free: prepared(self.library, order, targets, free))
        arrays = [self.sent(node) for node in inputs]
        places = numbered(order)
        return run([*arrays, *(self._number(places[place]) for place in varying)])

    def _number(self, node: Node) -> Any:
        if node.op is FULL:
            return self.library.full((), node.attrs["value"], node.dtype)
        return np.array([start for start, _, _ in node.attrs["slices"]])


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
            return self.library.sent(value) if plain and _is_numpy(value) else value
        key = id(value)
        known = self.known.get(key)
        if known is not None and known[0]() is value:
            return known[1]
        made = self.library.from_numpy(value)
        forget = self.known.pop
        self.known[key] = weakref.ref(value, lambda _: forget(key, None)), made
        return made


def _is_numpy(value: Any) -> bool:
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

    def run(self, numbers: list[Any], make: Any) -> tuple[Run, tuple[int, ...]]:
        """What computes a graph with these numbers, and which of them it takes as inputs."""
        key = self._key(numbers)
        found = self.known.get(key)
        if found is None:
            changed = {i for i, (a, b) in enumerate(zip(self.last, numbers, strict=True)) if a != b}
            if changed - set(self.varying):
                self.varying = tuple(sorted(changed.union(self.varying)))
                self.known.clear()
                key = self._key(numbers)
            found = self.known[key] = make(self.varying)
        self.last = numbers
        return found, self.varying

    def _key(self, numbers: list[Any]) -> Any:
        free = set(self.varying)
        return tuple([n for i, n in enumerate(numbers) if i not in free])


forms: dict[Any, Form] = {}
"""What has been compiled in this process."""


def prepared(
    library: Library, order: Sequence[Node], targets: Sequence[Node], free: Sequence[int]
) -> Run:
    """Compiled work that takes the values of the inputs of `order`, then the numbers `free`."""
    recording, current.recording = current.recording, None
    try:
        _, inputs, _ = form(order, targets)
        numbers = numbered(order)
        places = {numbers[i]: _given(numbers[i]) for i in free}
        copies: dict[Node, Node] = {}
        for node in order:
            copies[node] = copied(node, node.inputs, copies, places.get(node))
        return compiled(library, [copies[x] for x in targets], [*inputs, *places.values()])
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


def compiled(library: Library, targets: Sequence[Node], given: Sequence[Node]) -> Run:
    """What computes `targets` from new values of the nodes `given`; other known ones stay."""
    found = simplified(ancestors(targets, _is_open), targets)
    ends = [found[node] for node in targets]
    work = Work(ancestors(ends, _is_open), ends)
    run = library.compiled(work)
    if work.inputs == list(given):
        return run
    places = {node: i for i, node in enumerate(given)}
    sent = Sent(library)
    known = [None if node in places else sent(node) for node in work.inputs]
    order = [places.get(node, 0) for node in work.inputs]
    return lambda arrays: run(
        [arrays[i] if k is None else k for i, k in zip(order, known, strict=True)]
    )


def _is_open(node: Node) -> bool:
    return node.value is None


def _unknown(order: Sequence[Node]) -> set[Node]:
    """The nodes of `order` that depend on something without a value."""
    found: set[Node] = set()
    if not any(node.op in UNKNOWN for node in order):
        return found
    for node in order:
        if node.op in UNKNOWN or any(x in found for x in node.inputs):
            found.add(node)
    return found

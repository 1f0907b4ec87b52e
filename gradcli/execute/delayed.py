"""An engine that puts everything off until a value is asked for, and then computes whole graphs.

Constraints: what is computed is what somebody holds: tensors that live and the nodes asked for,
together in one call, so that a value and its gradients are one piece of work. Compiled work is kept
under its form; a number in it that turns out to change becomes an input.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np

from gradcli.execute.backends.base import Library
from gradcli.execute.elsewhere import Engine, elsewhere
from gradcli.execute.evaluate import SMALL, guarded, let_go
from gradcli.execute.foreign import by_rows
from gradcli.execute.forms import Sent, is_numpy, is_open, shared
from gradcli.execute.limits import VIRTUAL, memory
from gradcli.execute.spent import spent
from gradcli.execute.whole import fits, reads_files
from gradcli.files.stored import Stored
from gradcli.graph.node import Node, current
from gradcli.graph.op import UNKNOWN
from gradcli.graph.walk import ancestors

LONG = 256
"""Nodes that wait from which the end of a loop's iteration computes them."""
LONGEST = 4096
"""Nodes that wait at most."""
FEW = 32
"""Steps up to which the host finds a position."""


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
        self.made: weakref.WeakSet[Node] = weakref.WeakSet()
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
                self._say_what_is_left()
        finally:
            elsewhere.engine = self.before
            for node in self.given:
                node.value = self.library.fetched(node.value)

    def _say_what_is_left(self) -> None:
        """Says on stderr that what does not fit into memory is left to the host."""
        if any(not fits(node) for node in self._held()):
            name = self.library.name
            note = f"note: results larger than memory are computed on the host, not by {name}"
            print(note, file=sys.stderr)

    # -- what evaluation says

    def wait(self, node: Node) -> None:
        """Puts a node off; computes it now where it looks at values, or where many wait."""
        node.pending = True
        self.waiting += 1
        now = self.library.stops(node) or self.waiting > LONGEST
        if now and not _unknown(ancestors([node], is_open)):
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
        order = ancestors([node], is_open)
        inputs = {x for n in order for x in n.inputs if x.value is not None}
        whole_numbers = all(n.dtype.category < 2 and n.size <= SMALL for n in (*order, *inputs))
        if len(order) > FEW or not whole_numbers or _unknown(order):
            return None
        if not all(is_numpy(x.value) for x in inputs):
            return None
        values: dict[Node, Any] = {x: x.value for x in inputs}
        for n in order:
            values[n] = guarded(n, [values[x] for x in n.inputs])
        return np.asarray(values[node])

    def fetched(self, value: Any) -> Any:
        """A value as a NumPy array."""
        return self.library.fetched(value)

    def compute(self, targets: Sequence[Node]) -> None:
        """Gives `targets`, and whatever waits in living tensors and fits into memory, values."""
        self.waiting, self.passed = 0, False
        wanted = dict.fromkeys(node for node in targets if node.value is None)
        held = self._held()
        order = ancestors([*wanted, *held], is_open)
        if reads_files(order):
            held = [node for node in held if fits(node)]
            order = ancestors([*wanted, *held], is_open)
        unknown = _unknown(order)
        wanted.update((node, None) for node in held if node not in unknown)
        if unknown:
            order = ancestors(wanted, is_open)
            for node in order:
                if node.op in UNKNOWN:
                    guarded(node, [])
        if not order:
            return
        nodes = list(wanted)
        with self.library.computing():
            for node, value in zip(nodes, self._values(order, nodes), strict=True):
                node.value = value
                if not isinstance(value, Stored):
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
        if reads_files(order):
            found = by_rows(self.library, targets)
            return [v if isinstance(v, Stored) else self.library.sent(v) for v in found]
        for node in order:
            if node.op.name not in VIRTUAL:
                memory.refuse_node(node)
        free = self._free(order, targets)
        run, inputs, numbers = shared(self.library, order, targets, free)
        found = run([*(self.sent(node) for node in inputs), *numbers])
        for node in free:
            node.value = None
        self.made.update(targets)
        return found

    def _free(self, order: list[Node], targets: list[Node]) -> list[Node]:
        """The nodes whose values results may be written over: made here, and spent."""
        if not self.library.gives_up or current.recording is not None:
            return []
        values = spent(order, targets)
        return [x for nodes in values if not self.made.isdisjoint(nodes) for x in nodes]


def _unknown(order: Sequence[Node]) -> set[Node]:
    """The nodes of `order` that depend on something without a value."""
    found: set[Node] = set()
    if not any(node.op in UNKNOWN for node in order):
        return found
    for node in order:
        if node.op in UNKNOWN or any(x in found for x in node.inputs):
            found.add(node)
    return found

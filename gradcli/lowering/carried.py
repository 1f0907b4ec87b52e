"""The plan of a loop: which values and numbers its iterations hand on, and their program.

Constraints: a plan is made only of records that explain everything that an iteration reads, and is
used only where the state is the recorded one up to what is handed on and what nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.execute.evaluate import SMALL
from gradcli.execute.loops import Loop, Way
from gradcli.graph.node import Node
from gradcli.graph.op import LEAF
from gradcli.lowering import limits
from gradcli.lowering.grown import Objects, shown
from gradcli.lowering.places import load, save
from gradcli.lowering.scope import Frame
from gradcli.lowering.state import State, Unclear
from gradcli.lowering.traces import Trace, refuse, require_same_numbers

WAYS = 5
"""Ways of an iteration that are worth a program."""

OPERATIONS: dict[str, Callable[..., Any]] = {
    **limits.BINARY,
    **limits.COMPARE,
    **{f"unary {sign}": operate for sign, operate in limits.UNARY.items()},
    "unary abs": abs,
}
"""What signs of numbers do: what the interpreter does."""


class Plan:
    """What can be done instead of iterations.

    Args:
        traces: recorded iterations, each of another way.
        state: what is there now.
        known: the plan of the first of them, if there is one.

    Attributes:
        done: how many iterations it has done so far.

    Raises:
        Unclear: when the records do not explain the iterations.
        Unplannable: when they cannot be made a program.
    """

    __slots__ = (
        *("_carried", "_fresh", "_known", "_loop", "_objects", "_read", "_renewed", "_traces"),
        "done",
    )

    def __init__(self, traces: Sequence[Trace], state: State, known: Plan | None = None) -> None:
        first = traces[0]
        self._traces, self._known, self.done = traces, list(state.nodes), 0
        self._read = {
            i for trace in traces for i, node in enumerate(trace.before.nodes) if node in trace.read
        }
        for trace in traces:
            if trace.keys != first.keys or trace.after.entries != state.entries:
                raise Unclear("the variables are others")
            require_same_numbers(trace.after, state, trace.keys)
        self._fresh = {i for trace in traces for i in trace.fresh}
        carried = changed = {i for trace in traces for i in trace.changed()}
        self._renewed = changed.intersection(*[trace.changed() for trace in traces])
        for i in self._read - changed:
            if any(trace.before.nodes[i] is not state.nodes[i] for trace in traces):
                _require_loose(state.nodes[i], any(t.before.nodes[i] in t.through for t in traces))
                carried = carried | {i}
        self._carried = sorted(carried)
        self._objects = Objects(traces)
        old: Loop | None = None
        if known is not None and known._carried == self._carried:
            same = known._objects.places == self._objects.places
            old = known._loop if same else None
        ways = []
        for trace in traces:
            pairs = [(trace.before.nodes[i], trace.after.nodes[i]) for i in self._carried]
            moving = {trace.before.nodes[i] for i in changed}
            trace.require_explained(dict(pairs))
            trace.require_own_history([(a, b) for a, b in pairs if a in moving])
            ways.append(Way(trace.recording, pairs, trace.numbers, *self._objects.after(trace)))
        self._loop: Loop = Loop(ways, OPERATIONS, old)

    def with_trace(self, trace: Trace) -> Plan:
        """The plan that knows another way as well, or alone where there are too many; raises as the
        constructor does."""
        if len(self._traces) >= WAYS:
            return Plan([trace], trace.after)
        return self._again([*self._traces, trace], trace.after)

    def suited(self, state: State) -> Plan:
        """This plan, or one that is made anew because other values are read now.

        Raises:
            Unclear: when the state is another one than was recorded.
        """
        first = self._traces[0]
        if state.entries != first.after.entries:
            raise Unclear("the variables are others")
        require_same_numbers(first.after, state, first.keys)
        if any(state.nodes[i].value is None for i in self._carried):
            raise Unclear("a value is not known")
        fixed = self._read.difference(self._carried)
        if any(state.nodes[i] is not self._known[i] for i in fixed):
            return self._again(self._traces, state)
        return self

    def _again(self, traces: Sequence[Trace], state: State) -> Plan:
        made = Plan(traces, state, self)
        made.done = self.done
        return made

    def fresh(self, state: State) -> set[int]:
        """The `id`s of the objects that each iteration makes anew."""
        return {id(state.held[i]) for i in self._fresh}

    def past(self, state: State) -> list[Node]:
        """What those nodes were computed from that an iteration may leave as they are."""
        if state.histories:
            return []
        found = [state.nodes[i] for i in range(len(state.nodes)) if i not in self._renewed]
        found = [node for node in found if node.tracked and not node.released]
        return [x for node in found if node.op is not LEAF for x in node.inputs]

    def known(self, state: State) -> set[int]:
        """The `id`s of the tensors that lists may hold, made anew or not."""
        return {id(state.held[place]) for place in self._objects.places}

    def forward(
        self, state: State, frame: Frame, limit: int, grown: Sequence[list[Any]]
    ) -> tuple[int, bool]:
        """Does up to `limit` iterations from a state that suits it.

        Args:
            grown: the lists that grow.

        Returns:
            How many, and whether another one goes a known way, and the one after it does not.
        """
        nodes = [state.nodes[i] for i in self._carried]
        values = [np.asarray(node.value) for node in nodes]
        keys = self._traces[0].keys
        numbers = [load(state.boxes, key) for key in keys]
        first = self._objects.begin(state)
        lists = [load(frame) for load in self._loop.loads]
        got: list[list[Any]] = [[] for _ in lists]
        places = {id(items): i for i, items in enumerate(lists)}
        given = [got[places[id(items)]] for items in lists]
        counts, last_is_left, after, found = self._loop.run(
            limit, values, [*numbers, *first], given
        )
        done = sum(counts)
        self.done += done
        if done:
            self._objects.end(state, first, found[len(keys) :], grown)
            for items, more in zip(lists, got, strict=True):
                items += map(shown, more)
            for node, value in zip(nodes, after, strict=True):
                node.value = value
            for key, old, number in zip(keys, numbers, found, strict=False):
                if number is not old:
                    save(state.boxes, key, number)
            self._count_writes(state, counts)
        return done, last_is_left

    def _count_writes(self, state: State, counts: Sequence[int]) -> None:
        """Versions count on, and so does what remembers them."""
        growths = zip(*(trace.moved for trace in self._traces), strict=True)
        moved = {}
        for (version, _), growth in zip(state.versions, growths, strict=True):
            total = sum([n * times for n, times in zip(growth, counts, strict=True)])
            if total:
                version.number += total
                moved[version] = total
        for node in state.nodes:
            if node.stale is not None and node.stale[0] in moved:
                version, number, *steps = node.stale
                node.stale = (version, number + moved[version], *steps)


def _require_loose(node: Node, differentiated: bool) -> None:
    """Raises `Unclear` unless another value may take this one's place in a program."""
    bound = differentiated and node.tracked and node.op is not LEAF
    refuse("another history is read" if bound else "")
    refuse("large values" if node.size > SMALL or node.value is None else "")

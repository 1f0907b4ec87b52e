"""The plan of a loop: which values and numbers its iterations hand on, and their program.

Constraints: a plan is made only of records that explain everything that an iteration reads, and is
used only where the state is the recorded one up to what is handed on and what nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.execute.evaluate import SMALL
from gradcli.execute.loops import Loop, Way
from gradcli.graph.node import Node
from gradcli.graph.op import FULL, LEAF
from gradcli.graph.recording import Recording
from gradcli.graph.traced import Traced
from gradcli.graph.walk import ancestors
from gradcli.lowering import limits
from gradcli.lowering.places import Place, load, save
from gradcli.lowering.scope import Frame
from gradcli.lowering.state import Reached, State, Unclear

LONGEST = 4000
"""Nodes of an iteration that is worth a program."""
WAYS = 5
"""Ways of an iteration that are worth a program."""

OPERATIONS: dict[str, Callable[..., Any]] = {
    **limits.BINARY,
    **limits.COMPARE,
    **{f"unary {sign}": operate for sign, operate in limits.UNARY.items()},
    "unary abs": abs,
}
"""What signs of numbers do: what the interpreter does."""


class Trace:
    """A recorded iteration.

    Args:
        before, after: the states around it.
        recording: what it did.
        numbers: (place, value after it) of the numbers that it followed.

    Attributes:
        keys: the places of these numbers.
        fresh: the places in the state of the objects that it makes anew.
        moved: how much each version counts on.
        read: the nodes that it reads and does not make.
        through: the nodes whose derivatives it may ask for.

    Raises:
        Unclear: when it cannot be repeated.
    """

    __slots__ = (
        *("after", "before", "fresh", "keys", "made", "moved", "numbers", "read", "recording"),
        "through",
    )

    def __init__(
        self,
        before: State,
        after: State,
        recording: Recording,
        numbers: Sequence[tuple[Place, Any]],
    ) -> None:
        _refuse(recording.obstacle)
        _refuse("the variables are others" if before.entries != after.entries else "")
        _refuse("too long" if len(recording.made) > LONGEST else "")
        _refuse("large values" if any(node.size > SMALL for node, _ in recording.made) else "")
        self.keys = [key for key, _ in numbers]
        require_same_numbers(before, after, self.keys)
        self.before, self.after, self.recording = before, after, recording
        pairs = enumerate(zip(before.held, after.held, strict=True))
        self.fresh = {i for i, (old, new) in pairs if old is not new}
        self.numbers = [value for _, value in numbers]
        owned = [recording.owns(x) for node, _ in recording.made for x in node.attrs.values()]
        _refuse("" if all(owned) else "a view stays at a place of an earlier iteration")
        self.moved = _moves(before, after)
        self.made = {node for node, _ in recording.made}
        looked = [*recording.looked, *(node for node, _, _ in recording.asked), *recording.items]
        inputs = [x for _, sources in recording.made for x in sources]
        inputs += [
            x for _, _, given in recording.draws.values() for x in given if isinstance(x, Node)
        ]
        self.read = {x for x in (*looked, *inputs) if x not in self.made}
        self.through = {x for node in self.made if node.tracked for x in node.inputs}
        self.through.update(recording.roots)

    def changed(self) -> Iterable[int]:
        """The places of the nodes that it replaces."""
        pairs = zip(self.before.nodes, self.after.nodes, strict=True)
        return (i for i, (old, new) in enumerate(pairs) if old is not new)

    def require_explained(self, carried: Mapping[Node, Node]) -> None:
        """Raises `Unclear` unless all that was read is handed on or stays as it is."""
        recording = self.recording
        known = set(self.before.nodes)
        kept = [n for n in self.before.nodes if n not in carried]
        known.update(ancestors(kept, lambda n: n.tracked))
        known.update([x for node in list(known) if node.tracked for x in node.inputs])
        for x in self.read:
            if x not in known and x.op is not FULL:
                raise (Unclear if self.before.histories else Reached)(f"{x} comes from elsewhere")
        varying = recording.varying(carried)
        _refuse("a value was looked at" if any(x in varying for x in recording.looked) else "")
        for new in carried.values():
            if new not in self.made and new not in known:
                raise Unclear(f"{new} comes from elsewhere")

    def require_own_history(self, changing: Sequence[tuple[Node, Node]]) -> None:
        """Raises `Unclear` unless what can be differentiated has begun in this iteration, or is
        handed on with all of its history."""
        old = {node for node, _ in changing if node.tracked and node.op is not LEAF}
        if not self.before.histories and not old.isdisjoint(self.through):
            raise Reached
        for before, after in changing:
            if before in old and (after is before or after not in self.made):
                raise Unclear("its history stays")
            # What reads it next may add in another order where it lies otherwise.
            if before in old and self.before.histories:
                in_order = np.asarray(after.value).flags.c_contiguous
                _refuse("" if in_order else "its history shows memory in another order")


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

    __slots__ = ("_carried", "_fresh", "_known", "_loop", "_read", "_traces", "done")

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
        for i in self._read - changed:
            if any(trace.before.nodes[i] is not state.nodes[i] for trace in traces):
                _require_loose(state.nodes[i], any(t.before.nodes[i] in t.through for t in traces))
                carried = carried | {i}
        self._carried = sorted(carried)
        old: Loop | None = None
        if known is not None and known._carried == self._carried:
            old = known._loop
        ways = []
        for trace in traces:
            pairs = [(trace.before.nodes[i], trace.after.nodes[i]) for i in self._carried]
            moving = {trace.before.nodes[i] for i in changed}
            trace.require_explained(dict(pairs))
            trace.require_own_history([(a, b) for a, b in pairs if a in moving])
            ways.append(Way(trace.recording, pairs, trace.numbers))
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

    def forward(self, state: State, frame: Frame, limit: int) -> tuple[int, bool]:
        """Does up to `limit` iterations from a state that suits it.

        Returns:
            How many, and whether another one goes a known way, and the one after it does not.
        """
        nodes = [state.nodes[i] for i in self._carried]
        values = [np.asarray(node.value) for node in nodes]
        keys = self._traces[0].keys
        numbers = [load(state.boxes, key) for key in keys]
        lists = [load(frame) for load in self._loop.loads]
        counts, last_is_left, after, found = self._loop.run(limit, values, numbers, lists)
        done = sum(counts)
        self.done += done
        if done:
            for node, value in zip(nodes, after, strict=True):
                node.value = value
            for key, old, number in zip(keys, numbers, found, strict=True):
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


def _refuse(why: str) -> None:
    if why:
        raise Unclear(why)


def require_same_numbers(before: State, after: State, followed: Sequence[Place]) -> None:
    """Raises `Moved` unless all numbers are the same, but for those that are followed."""
    pairs = enumerate(zip(before.numbers, after.numbers, strict=True))
    others = [i for i, (x, y) in pairs if not _equal(x, y)]
    if others:
        known = set(followed)
        others = [i for i in others if after.places[i] not in known]
        if others:
            raise after.moved(others)


def _equal(a: Any, b: Any) -> bool:
    """Whether a number stays as it is, for whatever reason."""
    if isinstance(a, Traced) or isinstance(b, Traced):
        return a is b
    return bool(a == b or (a != a and b != b))


def _moves(before: State, after: State) -> list[int]:
    """How much each version counts on in an iteration."""
    growth = [new - old for (_, old), (_, new) in zip(before.versions, after.versions, strict=True)]
    for (old, _), (new, _), count in zip(before.versions, after.versions, growth, strict=True):
        _refuse("memory takes turns" if count and old is not new else "")
    return growth


def _require_loose(node: Node, differentiated: bool) -> None:
    """Raises `Unclear` unless another value may take this one's place in a program."""
    bound = differentiated and node.tracked and node.op is not LEAF
    _refuse("another history is read" if bound else "")
    _refuse("large values" if node.size > SMALL or node.value is None else "")

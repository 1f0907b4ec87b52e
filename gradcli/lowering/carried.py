"""The plan of a recorded iteration: which values and numbers it hands on, and their program.

Constraints: a plan is made only if the record explains everything that an iteration reads, and is
used only where the state is the recorded one up to what is handed on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.execute.evaluate import SMALL
from gradcli.execute.loops import Loop
from gradcli.graph.node import Node
from gradcli.graph.op import FULL, LEAF
from gradcli.graph.recording import Recording, Traced
from gradcli.graph.walk import ancestors
from gradcli.lowering import limits
from gradcli.lowering.state import State, Unclear

LONGEST = 4000
"""Nodes of an iteration that is worth a program."""

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
        before, after: the states around the recorded iteration.
        recording: what it did.
        numbers: (key, value after it) of the variables that it saw as traced numbers.

    Attributes:
        done: how many iterations it has done so far.

    Raises:
        Unclear: when the record does not explain the iteration.
        Unplannable: when it cannot be made a program.
    """

    __slots__ = ("_after", "_carried", "_keys", "_loop", "_moved", "done")

    def __init__(
        self, before: State, after: State, recording: Recording, numbers: Sequence[tuple[Any, Any]]
    ) -> None:
        _refuse(recording.obstacle)
        _refuse("the variables are others" if before.entries != after.entries else "")
        self._after = after
        self._keys = [key for key, _ in numbers]
        pairs = list(zip(before.nodes, after.nodes, strict=True))
        self._carried = [i for i, (old, new) in enumerate(pairs) if old is not new]
        self._moved = _moves(before, after)
        self.done = 0
        if any(
            not isinstance(new, Traced) and not _equal(old, new)
            for old, new in zip(before.numbers, after.numbers, strict=True)
        ):
            raise Unclear("a number changes in a way that the record does not show")
        carried = [pairs[i] for i in self._carried]
        _require_explained(recording, before, dict(carried))
        numbers_after = [value for _, value in numbers]
        self._loop = Loop(recording, carried, numbers_after, OPERATIONS)

    def forward(self, state: State, box: Any, limit: int) -> int:
        """Does up to `limit` iterations from `state`; returns how many.

        Raises:
            Unclear: when the state is another one than was recorded.
        """
        self._require_same(state)
        nodes = [state.nodes[i] for i in self._carried]
        values = [np.asarray(node.value) for node in nodes]
        numbers = [box[key] for key in self._keys]
        done, after, found = self._loop.run(limit, values, numbers)
        self.done += done
        if done:
            shared = {id(node.value): value for node, value in zip(nodes, after, strict=True)}
            new = [shared[id(node.value)] for node in nodes]
            for node, value in zip(nodes, new, strict=True):
                node.value = value
            for key, number in zip(self._keys, found, strict=True):
                box[key] = number
            self._count_writes(state, done)
        return done

    def _require_same(self, state: State) -> None:
        after = self._after
        same = state.entries == after.entries
        same = same and all(
            isinstance(old, Traced) or _equal(old, new)
            for old, new in zip(after.numbers, state.numbers, strict=True)
        )
        carried = set(self._carried)
        same = same and all(
            new.value is not None if i in carried else new is old
            for i, (old, new) in enumerate(zip(after.nodes, state.nodes, strict=True))
        )
        if not same:
            raise Unclear("the variables are others")

    def _count_writes(self, state: State, times: int) -> None:
        """Versions count on, and so does what remembers them."""
        moved = {}
        for (version, _), growth in zip(state.versions, self._moved, strict=True):
            if growth:
                version.number += growth * times
                moved[version] = growth * times
        for node in state.nodes:
            if node.stale is not None and node.stale[0] in moved:
                version, number, *steps = node.stale
                node.stale = (version, number + moved[version], *steps)


def _refuse(why: str) -> None:
    if why:
        raise Unclear(why)


def _equal(a: Any, b: Any) -> bool:
    return bool(a == b or (a != a and b != b))


def _moves(before: State, after: State) -> list[int]:
    """How much each version counts on in an iteration."""
    growth = [new - old for (_, old), (_, new) in zip(before.versions, after.versions, strict=True)]
    for (old, _), (new, _), count in zip(before.versions, after.versions, growth, strict=True):
        _refuse("memory takes turns" if count and old is not new else "")
    return growth


def _require_explained(recording: Recording, before: State, carried: Mapping[Node, Node]) -> None:
    """Raises `Unclear` unless all that was read is handed on or stays as it is."""
    _refuse("too long" if len(recording.made) > LONGEST else "")
    inside: set[Node] = set()
    varying = recording.varying(carried)
    known = set(before.nodes)
    known.update(ancestors([n for n in before.nodes if n not in carried], lambda n: n.tracked))
    known.update([x for node in list(known) if node.tracked for x in node.inputs])
    for node, inputs in recording.made:
        _refuse("large values" if node.size > SMALL else "")
        for x in inputs:
            if x not in inside and x not in known and x.op is not FULL:
                raise Unclear(f"{x} comes from elsewhere")
        inside.add(node)
    looked = [*recording.looked, *(node for node, _, _ in recording.asked)]
    _refuse("a value was looked at" if any(x in varying for x in looked) else "")
    for new in carried.values():
        if new not in inside and new not in known:
            raise Unclear(f"{new} comes from elsewhere")
        if new.tracked and new.op is not LEAF:
            raise Unclear("its history grows")

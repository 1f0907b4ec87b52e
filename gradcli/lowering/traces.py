"""A recorded iteration of a loop: what it read, made, counted and handed on.

Constraints: one that cannot be repeated is refused (`Unclear`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.execute.evaluate import SMALL
from gradcli.execute.loops import Anew
from gradcli.graph.node import Node
from gradcli.graph.op import FULL, LEAF
from gradcli.graph.recording import Recording
from gradcli.graph.traced import Traced
from gradcli.graph.walk import ancestors
from gradcli.lowering.grown import Template, tensors_in
from gradcli.lowering.places import Place
from gradcli.lowering.state import Reached, State, Unclear
from gradcli.tensor import Tensor

LONGEST = 4000
"""Nodes of an iteration that is worth a program."""


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
        old, new: the places of the objects before and after it, by their `id`s.
        read: the nodes that it reads and does not make.
        through: the nodes whose derivatives it may ask for.

    Raises:
        Unclear: when it cannot be repeated.
    """

    __slots__ = (
        *("after", "before", "fresh", "keys", "made", "moved", "new", "numbers", "old", "read"),
        *("recording", "through"),
    )

    def __init__(
        self,
        before: State,
        after: State,
        recording: Recording,
        numbers: Sequence[tuple[Place, Any]],
    ) -> None:
        refuse(recording.obstacle)
        refuse("the variables are others" if before.entries != after.entries else "")
        refuse("too long" if len(recording.made) > LONGEST else "")
        refuse("large values" if any(node.size > SMALL for node, _ in recording.made) else "")
        self.keys = [key for key, _ in numbers]
        require_same_numbers(before, after, self.keys)
        self.before, self.after, self.recording = before, after, recording
        pairs = enumerate(zip(before.held, after.held, strict=True))
        self.fresh = {i for i, (old, new) in pairs if old is not new}
        self.old, self.new = before.places_of(), after.places_of()
        self.numbers = [value for _, value in numbers]
        owned = [recording.owns(x) for node, _ in recording.made for x in node.attrs.values()]
        refuse("" if all(owned) else "a view stays at a place of an earlier iteration")
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

    def got(self) -> list[Tensor]:
        """The tensors that its lists get."""
        return list(tensors_in(value for _, value in self.recording.appended))

    def anew(self, tensor: Tensor) -> Anew:
        """How a tensor that it left behind is made; raises `Unclear`."""
        made, memory = Template(tensor), tensor._storage
        if memory is not None and id(tensor) not in self.new:
            sharing = {id(other) for other in self.got() if other._storage is memory}
            refuse("a list gets memory" if id(memory) in self.new or len(sharing) > 1 else "")
        node = tensor.value_node
        refuse("" if node in self.made else "a list gets what was there")
        return Anew(node, made)

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
        refuse("a value was looked at" if any(x in varying for x in recording.looked) else "")
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
                refuse("" if in_order else "its history shows memory in another order")


def refuse(why: str) -> None:
    """Raises `Unclear` where there is a reason."""
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
        refuse("memory takes turns" if count and old is not new else "")
    return growth

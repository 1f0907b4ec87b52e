"""A loop's body as a program on what it carries from one iteration to the next.

Constraints: an iteration that goes none of the recorded ways, or that fails, is not done at all,
nor is the one before it: what nobody carries on is not computed here, and whoever fails in the
middle of an iteration may look at what the one before left behind. Until an iteration is done,
nothing that it started from is written to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES, Array
from gradcli.execute.compiling import compiled
from gradcli.execute.evaluate import silence
from gradcli.execute.program import Writer, source
from gradcli.graph.node import Node
from gradcli.graph.recording import Recording

GROWTH = 1 << 20
"""Iterations at a time where lists grow, so that somebody else can see to their length."""
ALIGNED = 64
"""Bytes to a multiple of which each value of an `Arena` begins."""


@dataclass(frozen=True, slots=True)
class Before:
    """An object that was there before an iteration, by its number."""

    number: int


@dataclass(frozen=True, slots=True)
class Anew:
    """An object that an iteration makes.

    Attributes:
        node: its value.
        made: gives what stands for it, of a copy of the value.
    """

    node: Node
    made: Callable[[Array], Any]


@dataclass(frozen=True, slots=True)
class Way:
    """A way that an iteration goes.

    Attributes:
        recording: an iteration that went it.
        carried: (node before, node after): the value of the second is the first one's, next time.
        numbers: the traced or plain numbers after, in the order of the inputs `c0`, `c1`, ...
        objects: the objects after, of the inputs that follow.
        got: what the recording's lists get, objects as before.
    """

    recording: Recording
    carried: Sequence[tuple[Node, Node]]
    numbers: Sequence[Any]
    objects: Sequence[Before | Anew]
    got: Sequence[Any]

    @property
    def written(self) -> list[int]:
        """The places of the values that it changes."""
        return [i for i, (before, after) in enumerate(self.carried) if before is not after]


class Arena:
    """Arrays for the values of nodes, side by side, so that one copy moves them all."""

    __slots__ = ("views", "whole")

    def __init__(self, nodes: Sequence[Node]) -> None:
        kinds = [np.dtype(NUMPY_DTYPES[node.dtype]) for node in nodes]
        sizes = [node.size * kind.itemsize for node, kind in zip(nodes, kinds, strict=True)]
        starts = [0]
        for size in sizes:
            starts.append(starts[-1] + -(-size // ALIGNED) * ALIGNED)
        self.whole = np.zeros(starts[-1], np.uint8)
        self.views: list[Array] = [
            self.whole[start : start + size].view(kind).reshape(node.shape)
            for node, kind, start, size in zip(nodes, kinds, starts[:-1], sizes, strict=True)
        ]


class Loop:
    """Recorded work that is done again and again on what it left behind the last time.

    Args:
        ways: the ways that an iteration may go, which carry the same values and numbers; the first
            one is taken whose checks are answered as they were.
        operations: what the signs of numbers and checks do.
        known: what does the first of them already, and carries the same.

    Attributes:
        loads: where the lists are that grow, for each time that one grows, of all ways.

    Raises:
        Unplannable: when a value comes from nowhere.
    """

    def __init__(
        self,
        ways: Sequence[Way],
        operations: Mapping[str, Callable[..., Any]],
        known: Loop | None = None,
    ) -> None:
        if known is None:
            nodes = [before for before, _ in ways[0].carried]
            self._now, self._before, self._next = Arena(nodes), Arena(nodes), Arena(nodes)
            self._blocks: list[list[str]] = []
            self._names: dict[str, Any] = {}
        else:
            self._now, self._before, self._next = known._now, known._before, known._next
            self._blocks, self._names = list(known._blocks), known._names
        self.ways = ways
        self.loads: list[Callable[[Any], Any]] = []
        for place, way in enumerate(ways):
            if place == len(self._blocks):
                self._blocks.append(self._block(way, operations, len(self.loads)))
            self.loads += [load for load, _ in way.recording.appended]
        streams = {id(s): s for way in ways for s, _, _ in way.recording.draws.values()}
        self._streams = list(streams.values())
        names = {**self._names, "mark": self._mark, "back": self._back}
        draws, handed = bool(streams), len(ways[0].numbers) + len(ways[0].objects)
        self._run = _written(self._blocks, names, handed, len(self.loads), draws)

    def _block(
        self, way: Way, operations: Mapping[str, Callable[..., Any]], grown: int
    ) -> list[str]:
        """The lines of an iteration that goes a way; `break` where it would go another.

        The first list that grows is the `grown`th.
        """
        before = [node for node, _ in way.carried]
        varying = way.recording.varying(before)
        cells = dict(zip(before, self._now.views, strict=True))
        results: dict[Node, Array] = {}
        for i in way.written:
            results.setdefault(
                source(way.carried[i][1], dict(way.recording.made)), self._next.views[i]
            )
        writer = Writer(way.recording.made, cells, operations, results, self._names)
        for node, (_, draw, given) in way.recording.draws.items():
            writer.draw(node, draw, given)
        for check, truth in way.recording.checks:
            writer.numbers.require(check, truth)
        for node, question, answer in way.recording.asked:
            if node in varying:
                writer.need([node])
                asked = f"{writer.name(question)}({writer.name(writer.arrays[node])})"
                writer.lines.append(f"if {asked} != {writer.name(answer)}: break")
        writer.need(way.carried[i][1] for i in way.written)
        after = [writer.numbers.name(number) for number in way.numbers]
        objects: dict[int, str] = {}
        after += [_object(writer, way, value, objects) for value in way.objects]
        added = [_shown(writer, way, value, objects) for value in way.got]
        self._move(writer, way)
        writer.lines += [f"a{i}({number})" for i, number in enumerate(added, grown)]
        if after:
            now = [f"c{i}" for i in range(len(after))]
            then = [f"p{i}" for i in range(len(after))]
            writer.lines.append(f"{', '.join(then)}, = {', '.join(now)},")
            writer.lines.append(f"{', '.join(now)}, = {', '.join(after)},")
        return writer.lines

    def _mark(self) -> list[Any]:
        """Where the random streams are."""
        return [stream.mark() for stream in self._streams]

    def _back(self, marks: Sequence[Any]) -> None:
        for stream, mark in zip(self._streams, marks, strict=True):
            stream.back(mark)

    def _move(self, writer: Writer, way: Way) -> None:
        """The lines that put the results where the next time finds them."""
        for i in way.written:
            result = writer.arrays[way.carried[i][1]]
            if result is not self._next.views[i]:
                writer.put(self._next.views[i], result)
        arenas = self._before, self._now, self._next
        if len(way.written) == len(way.carried):
            pairs = [tuple(arena.whole for arena in arenas)] if way.written else []
        else:
            pairs = [tuple(arena.views[i] for arena in arenas) for i in way.written]
        for before, now, following in pairs:
            writer.put(before, now)
            writer.put(now, following)

    def run(
        self, count: int, values: Sequence[Array], numbers: Sequence[Any], lists: Sequence[Any]
    ) -> tuple[list[int], bool, list[Array], list[Any]]:
        """Does the work up to `count` times, from `values` of the carried nodes and `numbers`.

        Args:
            lists: what `loads` found.

        Returns:
            How often each way was gone, to before the last time that went a recorded one and did
            not fail; whether there was such a last time; the values and numbers before it.
        """
        count = min(count, GROWTH) if lists else count
        for cell, value in zip(self._now.views, values, strict=True):
            np.copyto(cell, value)
        with silence:
            counts, last, now, before, *marks = self._run(
                count, *[items.append for items in lists], *numbers
            )
        done = sum(counts)
        last_is_left = 0 < done < count
        if done < count and self._streams:
            self._back(marks[0] if last_is_left else marks[1])
        if last_is_left:
            now = before
            counts[last] -= 1
            for i in self.ways[last].written:
                np.copyto(self._now.views[i], self._before.views[i])
            first = sum([len(way.recording.appended) for way in self.ways[:last]])
            for items in lists[first : first + len(self.ways[last].recording.appended)]:
                del items[-1]
        return counts, last_is_left, [np.array(cell) for cell in self._now.views], list(now)


def _shown(writer: Writer, way: Way, value: Any, objects: dict[int, str]) -> str:
    """The name of what a list gets, or a display of a tuple of such."""
    if value.__class__ is tuple:
        parts = [f"{_shown(writer, way, item, objects)}, " for item in value]
        return f"({''.join(parts)})"
    is_object = value.__class__ is Before or value.__class__ is Anew
    return _object(writer, way, value, objects) if is_object else writer.numbers.name(value)


def _object(writer: Writer, way: Way, value: Any, known: dict[int, str]) -> str:
    """The name of an object, made where it is needed first."""
    if value.__class__ is Before:
        return f"c{len(way.numbers) + value.number}"
    if id(value) not in known:
        known[id(value)] = f"k{len(known)}"
        writer.need([value.node])
        made, array = writer.name(value.made), writer.name(writer.arrays[value.node])
        writer.lines.append(f"{known[id(value)]} = {made}({array}.copy())")
    return known[id(value)]


def _written(
    blocks: Sequence[list[str]], names: dict[str, Any], count: int, grown: int, draws: bool
) -> Callable[..., Any]:
    """`run(count, a0, a1, ..., c0, c1, ...)`: how often each way was gone, the last one, the
    numbers after it and before, the marks of the random streams before the last two iterations.

    The way that was found last is tried first.
    """
    appends = "".join([f"a{i}, " for i in range(grown)])
    numbers = "".join([f"c{i}, " for i in range(count)])
    previous = "".join([f"p{i}, " for i in range(count)])
    ways = "".join([f"t{i}, " for i in range(len(blocks))])
    counts = ways if len(blocks) > 1 else "done"
    text = f"def run(count, {appends}{numbers}):\n    done = last = {ways.replace(',', ' =')} 0\n"
    text += "    before = now = None\n"
    text += f"    {previous} = {numbers}\n" if count else ""
    text += "    try:\n        while done < count:\n"
    text += "            before, now = now, mark()\n" if draws else ""
    for place in range(len(blocks) - 1, -1, -1):
        again = ["back(now)"] if draws and place + 1 < len(blocks) else []
        told = [f"t{place} += 1", f"last = {place}"] if len(blocks) > 1 else []
        lines = [*again, *blocks[place], "done += 1", *told]
        indent = "    " * (4 if place else 3)
        text += "            for _ in once:\n" if place else ""
        text += "".join([f"{indent}{line}\n" for line in lines])
        text += "            else: continue\n" if place else ""
    text += (
        "    except Exception as error:\n"
        "        if lasts(error): raise\n"
        f"    return [{counts}], last, ({numbers}), ({previous}), before, now\n"
    )
    more = {"lasts": _lasts, "bool": bool, "Exception": Exception, "once": (None,)}
    return compiled(text, {**names, **more})


def _lasts(error: Exception) -> bool:
    """Whether doing the same work in another way would not help: the time is over."""
    return isinstance(error, GradcliError) and error.diagnostic.code == "G061"

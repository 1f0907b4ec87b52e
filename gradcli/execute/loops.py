"""A loop's body as a program on what it carries from one iteration to the next.

Constraints: an iteration that would answer a check otherwise than the recorded one, or that fails,
is not done at all, nor is the one before it: what nobody carries on is not computed here, and
whoever fails in the middle of an iteration may look at what the one before left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES, Array
from gradcli.execute.evaluate import silence
from gradcli.execute.program import Writer
from gradcli.graph.node import Node
from gradcli.graph.recording import Recording

GROWTH = 1 << 20
"""Iterations at a time where lists grow, so that somebody else can see to their length."""

STRETCH = 64
"""Iterations from one point that can be gone back to until the next."""


class Loop:
    """Recorded work that is done again and again on what it left behind the last time.

    Args:
        recording: an iteration.
        carried: (node before, node after): the value of the second is the first one's, next time.
        numbers: the traced or plain numbers after, in the order of the inputs `c0`, `c1`, ...
        operations: what the signs of numbers and checks do.

    Raises:
        Unplannable: when a value comes from nowhere.
    """

    def __init__(
        self,
        recording: Recording,
        carried: Sequence[tuple[Node, Node]],
        numbers: Sequence[Any],
        operations: Mapping[str, Callable[..., Any]],
    ) -> None:
        self.cells = {
            before: np.empty(before.shape, NUMPY_DTYPES[before.dtype]) for before, _ in carried
        }
        writer = Writer(recording.made, self.cells, operations)
        writer.need(after for _, after in carried)
        results = [writer.number(number) for number in numbers]
        for (sign, *parts), truth in recording.checks:
            call = "bool" if sign == "truth" else writer.name(operations[sign])
            answer = ", ".join([writer.number(part) for part in parts])
            writer.lines.append(f"if {call}({answer}) is not {truth}: break")
        grown = [(items.append, writer.number(value)) for items, value in recording.appended]
        self._lists = list({id(items): items for items, _ in recording.appended}.values())
        self._move(writer, carried)
        writer.lines += [f"{writer.name(append)}({number})" for append, number in grown]
        names = [f"c{i}" for i in range(len(numbers))]
        if names:
            writer.lines.append(f"{', '.join(names)}, = {', '.join(results)},")
        self._run = _compiled(writer, names)

    def _move(self, writer: Writer, carried: Sequence[tuple[Node, Node]]) -> None:
        """The lines that put the results where the next time finds them; sources first."""
        late = []
        for before, after in carried:
            source, target = writer.arrays[after], self.cells[before]
            if any(np.may_share_memory(source, cell) for cell in self.cells.values()):
                held = np.empty_like(source)
                writer.put(held, source)
                source = held
            late.append((target, source))
        for target, source in late:
            writer.put(target, source)

    def run(
        self, count: int, values: Sequence[Array], numbers: Sequence[Any]
    ) -> tuple[int, list[Array], list[Any]]:
        """Does the work up to `count` times, from `values` of the carried nodes and `numbers`.

        Returns:
            How often it was done, to before the last time that nothing answered otherwise and
            nothing failed, and the values and numbers after that.
        """
        count = min(count, GROWTH) if self._lists else count
        self._restore(values, [len(items) for items in self._lists])
        done, made, start = 0, STRETCH, self._point(numbers)
        with silence:
            while done < count and made == STRETCH:
                before, start = start, self._point(numbers)
                made, *numbers = self._run(min(STRETCH, count - done), *numbers)
                done += made
            if done and done < count:
                start, made = (start, made) if made else (before, STRETCH)
                self._restore(*start[:2])
                _, *numbers = self._run(made - 1, *start[2])
                done -= 1
        return done, [np.array(cell) for cell in self.cells.values()], list(numbers)

    def _point(self, numbers: Sequence[Any]) -> tuple[list[Array], list[int], Sequence[Any]]:
        """All that an iteration starts from."""
        values = [np.array(cell) for cell in self.cells.values()]
        return values, [len(items) for items in self._lists], numbers

    def _restore(self, values: Sequence[Array], lengths: Sequence[int]) -> None:
        for cell, value in zip(self.cells.values(), values, strict=True):
            np.copyto(cell, value)
        for items, length in zip(self._lists, lengths, strict=True):
            del items[length:]


def _compiled(writer: Writer, numbers: list[str]) -> Callable[..., Any]:
    body = "\n            ".join(writer.lines or ["pass"])
    text = (
        f"def run({', '.join(['count', *numbers])}):\n"
        "    done = 0\n"
        "    try:\n"
        "        while done < count:\n"
        f"            {body}\n"
        "            done += 1\n"
        "    except Exception as error:\n"
        "        if lasts(error): raise\n"
        f"    return {', '.join(['done', *numbers])},\n"
    )
    scope = {**writer.names, "lasts": _lasts, "bool": bool, "Exception": Exception}
    exec(compile(text, "<loop>", "exec"), {"__builtins__": {}, **scope}, scope)
    return scope["run"]  # type: ignore[no-any-return]  # a fresh namespace holds anything


def _lasts(error: Exception) -> bool:
    """Whether doing the same work in another way would not help: the time is over."""
    return isinstance(error, GradcliError) and error.diagnostic.code == "G061"

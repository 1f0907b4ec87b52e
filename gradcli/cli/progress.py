"""How far a command is: a bar on a terminal, and of passes over the rows of files what is done.

Constraints: on stderr; the bar only on a terminal and only after half a second; rich is imported
then.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from tempfile import gettempdir
from time import monotonic
from typing import Any

from gradcli.execute.limits import human
from gradcli.execute.rows import Chunk, Task, Watch
from gradcli.files.stored import Stored
from gradcli.tensor import Tensor

LATE = 0.5
"""Seconds after which there is a bar."""


class Meter:
    """How much of something is done: a bar on a terminal, once it takes longer.

    Args:
        title: what is done.
        total: what `at` is told at the end.
        note: what stands behind the bar.
    """

    def __init__(self, title: str, total: float, note: Callable[[], str] = str) -> None:
        self._title, self._total, self._note = title, total, note
        self._start = monotonic()
        self._update: Callable[..., object] | None = None
        self._progress: Any = None

    def at(self, done: float) -> None:
        """Shows how far it is."""
        if self._progress is None and monotonic() - self._start > LATE and sys.stderr.isatty():
            self._show()
        if self._update is not None:
            self._update(completed=min(done, self._total), note=self._note())

    def close(self) -> None:
        """Takes the bar away."""
        if self._progress is not None:
            self._progress.stop()

    def _show(self) -> None:
        from rich import progress
        from rich.console import Console

        self._progress = progress.Progress(
            progress.TextColumn(self._title),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TextColumn("{task.fields[note]}"),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._progress.start()
        task = self._progress.add_task("", total=self._total, note="")
        self._update = partial(self._progress.update, task)


class Passes(Watch):
    """Args:
    variables: the bindings, whose names are said.
    verbose: whether to say which rows each pass goes over.
    """

    def __init__(self, variables: Mapping[str, Any], verbose: bool) -> None:
        self.names = {
            id(v.value_node.value): name for name, v in variables.items() if isinstance(v, Tensor)
        }
        self.verbose = verbose
        self.passes = 0
        self.rows = 0
        self.total = 0
        self.start = monotonic()
        self.meter = Meter("", 0)

    def begin(self, task: Task, chunks: list[Chunk]) -> None:
        """See `Watch`."""
        self.passes += 1
        self.total, self.rows = sum(b - a for a, b in chunks), 0
        self.start = monotonic()
        title = f"pass {self.passes}" if self.passes > 1 else "rows"
        self.meter = Meter(title, self.total, self._speed)
        if self.verbose:
            print(self._said(task, chunks), file=sys.stderr)

    def done(self, rows: int) -> None:
        """See `Watch`."""
        self.rows += rows
        self.meter.at(self.rows)

    def end(self) -> None:
        """See `Watch`."""
        self.meter.close()

    def _said(self, task: Task, chunks: list[Chunk]) -> str:
        rows = task.sweep.rows
        along = [v for x, v in task.values.items() if x in rows.axis]
        names = {self.names.get(id(v)) or getattr(v, "name", "") for v in along}
        stored = [v for v in task.values.values() if isinstance(v, Stored)]
        read = sum(v.nbytes for v in stored)
        named = ", ".join(sorted(names - {""})) or "what was computed before"
        most = max(b - a for a, b in chunks)
        return (
            f"pass {self.passes}: {self.total} rows of {named} "
            f"({human(read * self.total / task.extent)} from files{_parsed(stored)}), "
            f"{most} at a time"
        )

    def _speed(self) -> str:
        return f"{self.rows / (monotonic() - self.start):,.0f} rows/s"


def _parsed(stored: list[Stored]) -> str:
    """What becomes of text that is parsed."""
    kept = {each for value in stored for each in value.keep()}
    if not kept:
        return ""
    if all(each.complete for each in kept):
        return ", parsed before"
    room = human(sum(each.nbytes for each in kept))
    if all(each.room for each in kept):
        return f", parsed, kept as {room} in {gettempdir()}"
    return f", parsed in each pass: too little room for {room} in {gettempdir()}"

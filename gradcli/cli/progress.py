"""How far a pass over the rows of files is: a bar on a terminal, and with -v what is done.

Constraints: on stderr; the bar only on a terminal and only after half a second; rich is imported
then.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from tempfile import gettempdir
from time import monotonic
from typing import Any

from gradcli.execute.limits import human
from gradcli.execute.rows import Chunk, Task, Watch
from gradcli.files.stored import Stored
from gradcli.tensor import Tensor

LATE = 0.5
"""Seconds after which there is a bar."""


class Bar(Watch):
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
        self.total = self.rows = 0
        self.start = monotonic()
        self.progress: Any = None
        self.task: Any = None

    def begin(self, task: Task, chunks: list[Chunk]) -> None:
        """See `Watch`."""
        self.passes += 1
        self.total, self.rows = sum(b - a for a, b in chunks), 0
        self.start = monotonic()
        if self.verbose:
            print(self._said(task, chunks), file=sys.stderr)

    def done(self, rows: int) -> None:
        """See `Watch`."""
        self.rows += rows
        if self.progress is not None:
            self.progress.update(self.task, completed=self.rows, speed=self._speed())
        elif monotonic() - self.start > LATE and sys.stderr.isatty():
            self._show()

    def end(self) -> None:
        """See `Watch`."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None

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

    def _show(self) -> None:
        from rich import progress
        from rich.console import Console

        self.progress = progress.Progress(
            progress.TextColumn(f"pass {self.passes}" if self.passes > 1 else "rows"),
            progress.BarColumn(),
            progress.TaskProgressColumn(),
            progress.TextColumn("{task.fields[speed]}"),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self.progress.start()
        self.task = self.progress.add_task(
            "", total=self.total, completed=self.rows, speed=self._speed()
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

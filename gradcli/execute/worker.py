"""What a process of a cluster does: a share of a sweep's rows, chunk by chunk.

Constraints: knows nothing of who sends the work; only plain data comes in and goes out. The rows
that were read are kept for the next sweep over them, as far as the process may take memory.
"""

from __future__ import annotations

import hashlib
import pickle
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.laid import Laid
from gradcli.execute.limits import available
from gradcli.execute.local import local_shape, rows_of
from gradcli.execute.rows import NOTHING, Array, Chunk, Known, Task, chunks_of
from gradcli.execute.threads import THREADS
from gradcli.execute.tree import Tree
from gradcli.files.stored import Stored
from gradcli.files.views import Joined
from gradcli.graph.node import Node

ROOM = 0.4
"""The part of a process's memory limit that rows may take between two sweeps."""


class Share(NamedTuple):
    """What one call does.

    Attributes:
        chunks: ranges of rows, one behind the other.
        sent: rows of arrays that lie in no file that this process can read, by the position of
            their nodes in `ordered`; from the first row of the first chunk on.
        run: whose work it is; rows are kept for one at a time.
        gives: whether the rows of `Task.kept` are wanted.
    """

    chunks: list[Chunk]
    sent: dict[int, Laid]
    run: str
    gives: bool = True


class Done(NamedTuple):
    """What a share gives.

    Attributes:
        sums: for each of `sweep.crosses`, its pieces.
        rows: for each chunk, the rows of each of `Task.kept`, where they are wanted.
        nan: what is known of the first rows that gave NaN; None where there are none.
    """

    sums: list[Tree]
    rows: list[list[Array]]
    nan: str | None


class Window(Stored):
    """Some rows of an array, in memory.

    Args:
        like: the array, or what is known of it.
        rows: those from `first` on; None in a task, where they come with each share.
    """

    def __init__(self, like: Any, rows: Array = None, first: int = 0) -> None:
        super().__init__(getattr(like, "name", "an array"), like.shape, like.dtype)
        self.rows = rows
        self.first = first

    def read(self, axis: int, first: int, last: int, into: Array | None = None) -> Array:
        """See `Stored.read`."""
        return rows_of(self.rows, axis, first - self.first, last - self.first)


def unpacked(content: bytes) -> Task:
    """The task that was pickled."""
    task = pickle.loads(content)
    assert isinstance(task, Task)
    return task


def ordered(task: Task) -> list[Node]:
    """The nodes with values, in an order that survives pickling."""
    return sorted(task.values, key=lambda node: node.serial)


def work(given: Task | bytes, share: Share) -> Done:
    """Does a share of a task, which may come pickled.

    Raises:
        GradcliError: what reading or computing raises, with a note that says where.
    """
    task = unpacked(given) if isinstance(given, bytes) else given
    THREADS[0] = 1  # a cluster gives each thread of a process a share of its own
    mine = _Mine(task, share)
    first, last = share.chunks[0][0], share.chunks[-1][1]
    done = Done([Tree.of(node, task.sweep.rows) for node in task.sweep.crosses], [], None)
    try:
        for a, b, values in chunks_of(mine, share.chunks):
            done = _with_chunk(mine, a, b, values, done)
    except GradcliError as error:
        error.diagnostic.notes.append(f"in rows {first} to {last - 1}, on worker {_address()}")
        raise
    return done


def _with_chunk(task: _Mine, first: int, last: int, values: Known, done: Done) -> Done:
    """`done` with the rows from `first` to `last`, whose values are loaded."""
    for node in task.kept:
        shape = local_shape(node, task.sweep.rows, last - first)
        values[node] = np.empty(shape, NUMPY_DTYPES[node.dtype])
    found = task.computed(values, first, last)
    nan = done.nan
    if nan is None and _has_nan(found) and not any(map(_is_nan, _same_for_all(task))):
        nan = _first_nan(task, values, first, last)
    for mine, its in zip(done.sums, found, strict=True):
        mine.merge(its)
    if task.kept and task.gives:
        done.rows.append([values[node] for node in task.kept])
    return Done(done.sums, done.rows, nan)


# -- where NaN comes from


def _has_nan(sums: list[Tree]) -> bool:
    return any(_is_nan(piece) for tree in sums for piece in tree.pieces.values())


def _is_nan(array: Array) -> bool:
    return array.dtype.kind in "fc" and bool(np.isnan(array).any())


def _same_for_all(task: Task) -> list[Array]:
    return [v for node, v in task.values.items() if node not in task.sweep.rows.axis]


def _first_nan(task: Task, values: Known, first: int, last: int) -> str:
    """Which rows of a chunk gave the first NaN, and what the files hold there."""
    height = task.sweep.height
    for a in range(first, last, height):
        b = min(a + height, last)
        trees = task.sweep.run_rows(values, a, b, first)
        if _has_nan(list(trees.values())):
            break
    text = f"rows {first} to {last - 1}, first in rows {a} to {b - 1}"
    for node, value in task.values.items():
        axis = task.sweep.rows.axis.get(node)
        if axis is None or not isinstance(value, Stored) or value.dtype.kind not in "fc":
            continue
        part = np.moveaxis(rows_of(values[node], axis, a - first, b - first), axis, 0)
        bad = np.flatnonzero(~np.isfinite(part.reshape(b - a, -1)).all(1))
        if bad.size:
            name, row = _place(value, axis, a + int(bad[0]))
            text += f"; row {row} of {name} is not finite"
    return text


def _place(value: Stored, axis: int, row: int) -> tuple[str, int]:
    """The file that holds a row, and its number there."""
    if isinstance(value, Joined) and axis == -value.ndim:
        for part in value.parts:
            if row < part.shape[0]:
                return _place(part, axis, row) if isinstance(part, Stored) else (value.name, row)
            row -= part.shape[0]
    return value.name, row


# -- rows that stay


class Keeper:
    """Rows of files in this process's memory, for one run at a time.

    They are kept when they are read for the second time: one pass alone needs them once, and fresh
    memory costs more than reading a file that the system remembers.
    """

    def __init__(self) -> None:
        self.run = ""
        self._arrays: dict[Any, Array] = {}
        self._seen: set[Any] = set()
        self._room = 0
        self._lock = Lock()

    def begin(self, run: str) -> None:
        """Lets go of what another run had."""
        with self._lock:
            if run != self.run:
                self.run, self._arrays, self._seen = run, {}, set()
                self._room = int(ROOM * _memory_limit())

    def get(self, run: str, key: Any) -> Array | None:
        """The rows that were kept under `key`."""
        return self._arrays.get(key) if run == self.run else None

    def takes(self, run: str, key: Any, rows: Array) -> bool:
        """Keeps rows that nobody may write to from now on, if there is room."""
        with self._lock:
            if run != self.run or key in self._arrays or rows.nbytes > self._room:
                return False
            if key not in self._seen:
                self._seen.add(key)
                return False
            self._arrays[key] = rows
            self._room -= rows.nbytes
            return True


keeper = Keeper()


def forget(run: str) -> None:
    """Lets go of the rows of a run that has ended."""
    if keeper.run == run:
        keeper.begin("")


class _Mine(Task):
    """A task whose rows come from the share, from what is kept, or from files."""

    def __init__(self, task: Task, share: Share) -> None:
        first = share.chunks[0][0]
        nodes = ordered(task)
        sent = {
            nodes[i]: Window(task.values[nodes[i]], a.array(), first) for i, a in share.sent.items()
        }
        super().__init__(task.sweep, {**task.values, **sent})
        self._run = share.run
        self.gives = share.gives
        self._keys = {
            node: identity(value)
            for node, value in self.values.items()
            if isinstance(value, Stored) and not isinstance(value, Window)
        }
        keeper.begin(share.run)

    def loaded(self, first: int, last: int, buffers: Known, kept: Known = NOTHING) -> Known:
        """See `Task.loaded`; rows that are kept are read once."""
        kept = dict(kept)
        for node, key in self._keys.items():
            rows = keeper.get(self._run, (key, first, last))
            if rows is not None:
                kept[node] = rows
        found = super().loaded(first, last, buffers, kept)
        for node, key in self._keys.items():
            if node not in kept and keeper.takes(self._run, (key, first, last), found[node]):
                del buffers[node]
        return found


def identity(value: Any) -> Any:
    """What says which array in which file something stored is; equal for equal ones."""
    if isinstance(value, Stored):
        return (type(value).__name__, *map(identity, value.facts()))
    if isinstance(value, (list, tuple)):
        return tuple(identity(part) for part in value)
    if isinstance(value, np.ndarray):
        return hashlib.blake2b(value.tobytes()).digest()
    return str(value)


def _worker() -> Any:
    """The process's worker of dask; None where another one calls."""
    from distributed import get_worker

    try:
        return get_worker()
    except ValueError:
        return None


def _memory_limit() -> int:
    worker = _worker()
    limit = None if worker is None else worker.memory_manager.memory_limit
    return limit or available()


def _address() -> str:
    worker = _worker()
    return "here" if worker is None else str(worker.address)

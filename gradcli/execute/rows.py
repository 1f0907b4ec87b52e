"""Sweeps over rows that do not fit into memory: chunk by chunk here, or on other machines.

Constraints: chunks are whole tiles, and partial results meet in a fixed tree, so the bits are those
of the same sweep in memory, for any chunks, threads and machines. Memory is two chunks, the tree,
and what was asked for.

How it is used. `Plan.run` gives every sweep that reads a `Stored` to `settings.runner`, which puts
into `known` a value for each of `sweep.crosses` and of `sweep.kept` (what the node's sink says its
value is). `run_here` does it in this process. Another runner makes a `Task(sweep, known)`, which
can be pickled; sends it where the rows are; calls `task.partial(first, last)` there for each of
`task.borders(task.chunk_rows())`, in any order, as often as it likes; merges the `Partial`s; and
takes `task.combined(partial)`:

    task = Task(sweep, known)
    parts = [task.partial(a, b) for a, b in task.borders(100_000)]
    total = parts[0]
    for part in parts[1:]:
        total.merge(part)
    known.update(task.combined(total))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from gradcli.execute import outputs
from gradcli.execute.backends.blas import one_thread
from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.limits import memory
from gradcli.execute.local import local_shape, rows_of
from gradcli.execute.packing import pack, unpack
from gradcli.execute.tiles import Sweep
from gradcli.execute.tree import Tree
from gradcli.execute.whole import chunks
from gradcli.files.spill import Spill
from gradcli.files.stored import Stored
from gradcli.graph.node import Node

Array = Any
Known = dict[Node, Any]
Chunk = tuple[int, int]
NOTHING: Known = {}
Sinks = dict[Node, "Sink"]

CHUNK = 4 << 20
"""Bytes that a chunk of all stored inputs takes; less where the memory limit is small."""
KEPT = 4
"""The part of the memory limit that a row-by-row value between two passes may take."""


class Settings:
    """Who runs the sweeps, and where their rows go.

    Attributes:
        runner: does a sweep that reads something stored; what goes row by row goes into the sinks
            of `sinks` or `place`.
        sinks: where the rows of a node that is asked for go instead of into memory.
        tiles: computes the tiles of some rows; another one than `Sweep.run_rows` does all sweeps.
        watch: is told of every pass.
    """

    def __init__(self) -> None:
        self.runner: Callable[[Sweep, Known, Sinks], None] = run_here
        self.sinks: Sinks = {}
        self.tiles: Callable[[Sweep, Known, int, int, int], dict[Node, Tree]] = Sweep.run_rows
        self.watch: Watch = chunks.watch() if chunks.watch else Watch()


class Watch:
    """Is told how far a pass over the rows is; says nothing."""

    def begin(self, task: Task, chunks: list[Chunk]) -> None:
        """A pass over these chunks begins."""

    def done(self, rows: int) -> None:
        """So many more rows are done."""

    def end(self) -> None:
        """The pass is over, or has failed."""


class Sink(ABC):
    """Takes the rows of a node as they are computed, in order."""

    def takes(self, task: Task, node: Node, first: int, last: int) -> bool:
        """Whether any of these rows are wanted."""
        return True

    def room(self, task: Task, node: Node, first: int, last: int) -> Array:
        """An array for the rows from `first` to `last`."""
        shape = local_shape(node, task.sweep.rows, last - first)
        return np.empty(shape, NUMPY_DTYPES[node.dtype])

    def write(self, first: int, rows: Array) -> None:  # noqa: B027 - most have nothing to do
        """Takes the rows from `first` on, in what `room` gave; they may be there already."""

    @abstractmethod
    def value(self) -> Any:
        """What the node's value is when all rows were written."""


class Partial:
    """What a range of rows gives.

    Attributes:
        sums: for each node of `sweep.crosses`, its pieces in the tree.
        rows: for each node of `sweep.kept` in the order of `Task.kept`, its rows; nothing where
            they were written where the caller said.
    """

    __slots__ = ("rows", "sums")

    def __init__(self, sums: list[Tree], rows: list[Array]) -> None:
        self.sums = sums
        self.rows = rows

    def merge(self, other: Partial) -> None:
        """Takes the sums of other rows."""
        for mine, its in zip(self.sums, other.sums, strict=True):
            mine.merge(its)


class Task:
    """A sweep and the values that it reads: what a process needs to do a part of it.

    Attributes:
        extent: rows.
        whole: what is stored, has none of the rows and was read.
        kept: the nodes whose rows are wanted.
    """

    def __init__(self, sweep: Sweep, known: Known) -> None:
        self.sweep = sweep
        inputs = {x for node in sweep.nodes for x in node.inputs}
        self.values = {x: known[x] for x in inputs if x in known}
        self.whole: Known = {}
        self.extent = sweep.rows.extent
        self.kept = [node for node in sweep.nodes if node in sweep.kept]

    def __reduce__(self) -> Any:
        return _again, pack(self.sweep, self.values)

    def borders(self, chunk_rows: int) -> list[Chunk]:
        """The ranges of rows to do, none of more than `chunk_rows` rounded up to whole tiles."""
        height = self.sweep.height
        step = -(-chunk_rows // height) * height
        found = []
        for first, last in self.sweep.ranges():
            found += [(a, min(a + step, last)) for a in range(first, last, step)]
        return found

    def partial(self, first: int, last: int) -> Partial:
        """Does the rows from `first` to `last`, which begin and end with a tile."""
        values = self.loaded(first, last, {})
        for node in self.kept:
            shape = local_shape(node, self.sweep.rows, last - first)
            values[node] = np.empty(shape, NUMPY_DTYPES[node.dtype])
        sums = self.computed(values, first, last)
        return Partial(sums, [values[node] for node in self.kept])

    def combined(self, partial: Partial) -> Known:
        """The values of `sweep.crosses` from the sums of all rows."""
        pairs = zip(self.sweep.crosses, partial.sums, strict=True)
        return {node: tree.total() for node, tree in pairs}

    def loaded(self, first: int, last: int, buffers: Known, kept: Known = NOTHING) -> Known:
        """The values for these rows: those in `kept`, others read into `buffers` where these have
        the shape.
        """
        found: Known = {}
        for node, value in self.values.items():
            axis = self.sweep.rows.axis.get(node)
            if node in kept:
                found[node] = kept[node]
            elif axis is None:
                if isinstance(value, Stored) and node not in self.whole:
                    self.whole[node] = np.asarray(value)
                found[node] = self.whole.get(node, value)
            elif isinstance(value, Stored):
                shape = local_shape(node, self.sweep.rows, last - first)
                old = buffers.get(node)
                into = old if old is not None and old.shape == shape else None
                found[node] = buffers[node] = value.read(axis, first, last, into)
            else:
                found[node] = rows_of(value, axis, first, last)
        return found

    def computed(self, values: Known, first: int, last: int) -> list[Tree]:
        """Runs the tiles on loaded values; the rows of `kept` go where `values` says."""
        with one_thread, np.errstate(all="ignore"):
            trees = settings.tiles(self.sweep, values, first, last, first)
        return [trees[node] for node in self.sweep.crosses]

    def chunk_rows(self) -> int:
        """How many rows to do at a time: as the user said, or of what is read about CHUNK bytes."""
        read = (v for v in self.values.values() if isinstance(v, Stored))
        row = max(1, sum(v.nbytes for v in read) // self.extent)
        return chunks.rows or max(1, min(CHUNK, memory.limit // 16) // row)


def _again(*packed: Any) -> Task:
    return Task(*unpack(*packed))


def run_here(sweep: Sweep, known: Known, sinks: Sinks) -> None:
    """Does a sweep chunk by chunk; the next chunk is read while one is computed."""
    task = Task(sweep, known)
    targets = {node: sinks.get(node) or place(node, sweep) for node in task.kept}
    borders = task.borders(task.chunk_rows())
    for value in task.values.values():
        if isinstance(value, Stored):
            value.keep()
    total = Partial([Tree.of(node, sweep.rows) for node in sweep.crosses], [])
    settings.watch.begin(task, borders)
    try:
        for first, last, values in chunks_of(task, borders):
            for node, sink in targets.items():
                values[node] = sink.room(task, node, first, last)
            total.merge(Partial(task.computed(values, first, last), []))
            for node, sink in targets.items():
                sink.write(first, values[node])
            settings.watch.done(last - first)
        known.update({node: sink.value() for node, sink in targets.items()})
    finally:
        settings.watch.end()
    known.update(task.combined(total))


def chunks_of(task: Task, borders: list[Chunk]) -> Iterator[tuple[int, int, Known]]:
    """Each chunk with its values, the next one on its way."""
    idle = _buffers.setdefault(task.sweep, [])
    buffers: tuple[Known, Known] = idle.pop() if idle else ({}, {})
    with ThreadPoolExecutor(1) as reader:
        ahead = [reader.submit(task.loaded, *borders[0], buffers[0])]
        for number, (first, last) in enumerate(borders):
            values = ahead.pop().result()
            if number + 1 < len(borders):
                following = buffers[(number + 1) % 2]
                ahead.append(reader.submit(task.loaded, *borders[number + 1], following))
            yield first, last, values
    idle.append(buffers)


class _Memory(Sink):
    """An array in memory."""

    def __init__(self, node: Node, axis: int) -> None:
        self.array = outputs.empty(node.shape, NUMPY_DTYPES[node.dtype])
        self.axis = axis

    def room(self, task: Task, node: Node, first: int, last: int) -> Array:
        return rows_of(self.array, self.axis, first, last)

    def value(self) -> Any:
        return self.array


class _File(Sink):
    """A temporary file."""

    def __init__(self, node: Node, axis: int) -> None:
        self.spill = Spill(node.shape, NUMPY_DTYPES[node.dtype], axis)

    def write(self, first: int, rows: Array) -> None:
        self.spill.write(first, rows)

    def value(self) -> Any:
        return self.spill


def place(node: Node, sweep: Sweep) -> Sink:
    """Where the rows of a node go that a later step needs: into memory if that leaves most of it
    free, else into a temporary file."""
    axis = sweep.rows.axis[node]
    small = node.size * node.dtype.itemsize <= memory.limit // KEPT
    return _Memory(node, axis) if small else _File(node, axis)


settings = Settings()
_buffers: WeakKeyDictionary[Sweep, list[tuple[Known, Known]]] = WeakKeyDictionary()
"""Arrays that nobody reads into now, for the next share of a sweep: fresh memory is slow."""

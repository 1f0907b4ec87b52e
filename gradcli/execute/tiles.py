"""Sweeps: a group of nodes computed over blocks of rows that stay in the cache, on several threads.

Constraints: NumPy calls only, into buffers that are reused from tile to tile and from run to run.
Tile borders and the order in which partial results are combined follow from shapes alone, so that
the bits do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.execute import outputs
from gradcli.execute.backends.numpy import NUMPY_DTYPES, Array
from gradcli.execute.instructions import Program
from gradcli.execute.limits import memory
from gradcli.execute.plan import CROSS, ROWS, Rows
from gradcli.execute.threads import on_threads
from gradcli.graph.node import Node

TILE = 393216
"""Bytes of a block, so that a few fit into the L2 cache of one core."""

COMBINE: dict[str, np.ufunc] = {
    **{"sum": np.add, "contract": np.add, "amax": np.maximum, "amin": np.minimum},
    **{"any": np.logical_or, "all": np.logical_and},
}
"""How the partial results of a node are put together."""


class Sweep:
    """A compiled group.

    Args:
        nodes: what to compute, inputs first; every other input has a value.
        kept: the nodes whose values are needed afterwards.
        known: the nodes that have values before the sweep.
        rows: the row analysis.
    """

    def __init__(
        self, nodes: Sequence[Node], kept: set[Node], known: set[Node], rows: Rows
    ) -> None:
        self.rows = rows
        self.nodes = list(nodes)
        self.known = known
        self.kept = {n for n in nodes if n in kept and rows.kind[n] == ROWS}
        self.crosses = [n for n in nodes if rows.kind[n] == CROSS]
        values = [n for n in nodes if rows.kind[n] == ROWS]
        values += [x for n in nodes for x in n.inputs if x in rows.axis]
        widest = max((n.size // rows.extent * n.dtype.itemsize for n in values), default=1)
        height = max(1, TILE // max(widest, 1))
        self.tiles = [(a, min(a + height, rows.extent)) for a in range(0, rows.extent, height)]
        self.idle: list[_Worker] = []

    def run(self, values: dict[Node, Any]) -> None:
        """Computes the group; puts what is kept into `values`."""
        for node in self.kept:
            memory.refuse_node(node)
            values[node] = outputs.empty(node.shape, NUMPY_DTYPES[node.dtype])
        pieces: dict[Node, list[Any]] = {n: [None] * len(self.tiles) for n in self.crosses}
        workers: list[_Worker] = []

        def worker() -> _Worker:
            made = self.idle.pop() if self.idle else _Worker(self)
            workers.append(made)
            made.start(values, pieces)
            return made

        on_threads(len(self.tiles), worker)
        for one in workers:
            one.stop()
        self.idle += workers
        for node, parts in pieces.items():
            values[node] = _combined(node, parts)


class _Worker:
    """One thread's programs: one for whole tiles, and one for the last."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.programs: dict[int, Program] = {}
        self.values: dict[Node, Any] = {}
        self.pieces: dict[Node, list[Any]] = {}
        self.started: set[int] = set()

    def start(self, values: dict[Node, Any], pieces: dict[Node, list[Any]]) -> None:
        """Readies the worker for a run."""
        self.values, self.pieces = values, pieces

    def stop(self) -> None:
        """Lets go of the run's values."""
        self.values, self.pieces = {}, {}
        self.started.clear()
        for program in self.programs.values():
            program.stop()

    def __call__(self, number: int) -> None:
        """Computes one tile."""
        first, last = self.sweep.tiles[number]
        height = last - first
        program = self.programs.get(height)
        if program is None:
            sweep = self.sweep
            program = self.programs[height] = Program(
                sweep.nodes, sweep.kept, sweep.known, sweep.rows, height
            )
        if height not in self.started:
            self.started.add(height)
            program.start(self.values)
        program.run(first, last, self.values)
        for node, slot in program.crosses:
            self.pieces[node][number] = np.array(program.registers[slot])


def _combined(node: Node, pieces: list[Any]) -> Array:
    """The partial results of all tiles together; sums in the widest type, in the order of the
    tiles."""
    wanted = NUMPY_DTYPES[node.dtype]
    stacked = np.stack([np.asarray(p) for p in pieces])
    ufunc = COMBINE[node.op.name]
    if ufunc is np.add and wanted.kind == "f":
        return stacked.sum(axis=0, dtype=np.float64).astype(wanted)
    return np.asarray(ufunc.reduce(stacked, axis=0)).astype(wanted)

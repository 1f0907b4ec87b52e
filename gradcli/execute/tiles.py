"""Sweeps: a group of nodes computed over blocks of rows that stay in the cache, on several threads.

Constraints: NumPy calls only, into buffers that are reused from tile to tile and from run to run.
Tile borders and the order in which partial results are combined follow from shapes alone, so that
the bits do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

from gradcli.execute import outputs
from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.instructions import Program
from gradcli.execute.limits import memory
from gradcli.execute.plan import CROSS, ROWS, Rows
from gradcli.execute.threads import on_threads
from gradcli.execute.tree import Tree
from gradcli.graph.node import Node

TILE = 393216
"""Bytes of a block, so that a few fit into the L2 cache of one core."""


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
        for node, tree in self.run_tiles(values, 0, len(self.tiles)).items():
            values[node] = tree.total()

    def run_tiles(self, values: dict[Node, Any], start: int, end: int) -> dict[Node, Tree]:
        """Computes the tiles from `start` to `end`: the partial results of nodes that combine rows.

        Args:
            values: what goes row by row (the arrays to fill for `kept` among it) has the rows from
                the first of tile `start` on.
        """
        offset = self.tiles[start][0]
        trees = {node: Tree(node) for node in self.crosses}
        lock = Lock()
        workers: list[_Worker] = []

        def worker() -> Callable[[int], None]:
            made = self.idle.pop() if self.idle else _Worker(self)
            workers.append(made)
            made.start(values)

            def tile(number: int) -> None:
                program = made.run(start + number, offset)
                with lock:
                    for node, slot in program.crosses:
                        trees[node].add(start + number, program.registers[slot])

            return tile

        on_threads(end - start, worker)
        for one in workers:
            one.stop()
        self.idle += workers
        return trees


class _Worker:
    """One thread's programs: one for whole tiles, and one for the last."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.programs: dict[int, Program] = {}
        self.values: dict[Node, Any] = {}
        self.started: set[int] = set()

    def start(self, values: dict[Node, Any]) -> None:
        """Readies the worker for a run."""
        self.values = values

    def stop(self) -> None:
        """Lets go of the run's values."""
        self.values = {}
        self.started.clear()
        for program in self.programs.values():
            program.stop()

    def run(self, number: int, offset: int) -> Program:
        """Computes one tile, of values that begin with row `offset`; gives the program it ran."""
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
        program.run(first - offset, last - offset, self.values)
        return program

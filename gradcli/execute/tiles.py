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
from gradcli.execute.factors import factored
from gradcli.execute.instructions import Program
from gradcli.execute.limits import memory
from gradcli.execute.lines import LINE, rounded
from gradcli.execute.plan import CROSS, ROWS, Rows
from gradcli.execute.threads import Crew, on_threads
from gradcli.execute.tree import Tree
from gradcli.execute.written import as_written
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.walk import depth_first

TILE = 1 << 21
"""Bytes of a block at most, an eighth of them at least: of small ones the calls cost more than
the work."""
HELD = 6 << 20
"""Bytes of the blocks that are held at a time. Shorter calls meet each other at the interpreter's
lock, and a thread that has to wait sleeps for longer than they take: of 1.5 MB, which stay in an L2
cache, two threads took 1.3 to 3 times as long as of these, which stay in an L3 cache."""
MOST_HELD = 1 << 23
"""Bytes that may be held at a time where calls would be short otherwise."""
CALL = 1 << 15
"""Elements of a call, on the average, from which its start is little beside it."""
EVEN = 2
"""What the number of tiles is a multiple of where there are few, so that no thread waits long."""
FEW = 16
"""How many tiles are few."""
HEAVY = 512
"""Rows of a tile at least where large matrices are multiplied, so that BLAS is worth its call."""
MOST = 1 << 24
"""Bytes of such a block."""
LONG = 128
"""Elements from which NumPy's loop over one line is worth its start, so that an operand that is
the same for all lines, or in all of one, need not be copied to a buffer. It is so where a line is
as long as the buffer, which otherwise holds LINE elements; measured, it takes half the time."""

TRIED = 4
"""Rows of a tile from which its first one is tried before the others are computed in a form that
may not hold."""


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
        wanted = (n for n in nodes if n in kept or rows.kind[n] == CROSS)
        self.nodes = depth_first(wanted, set(nodes))
        self.known = known
        self.kept = {n for n in nodes if n in kept and rows.kind[n] == ROWS}
        self.crosses = [n for n in nodes if rows.kind[n] == CROSS]
        widest, held = _bytes_a_row(self.nodes, rows)
        least = min(HEAVY, MOST // widest) if rows.heavy else 1
        fair = min(CALL * len(self.nodes) // _elements_a_row(self.nodes, rows), MOST_HELD // held)
        height = max(1, least, TILE // 8 // widest, fair, min(TILE // widest, HELD // held))
        self.height = _rounded(height, rows.extent)
        self.buffer = LONG if _has_long_lines(self.nodes, rows, self.height) else LINE
        written = as_written(self.nodes, self.kept, rows)
        self.forms = [f for f in (factored(written, self.kept, known), written) if f is not None]
        self.idle: list[_Worker] = []
        self.crew = Crew()

    def run(self, values: dict[Node, Any]) -> None:
        """Computes the group; puts what is kept into `values`."""
        for node in self.kept:
            memory.refuse_node(node)
            values[node] = outputs.empty(node.shape, NUMPY_DTYPES[node.dtype])
        totals = {node: Tree.of(node, self.rows) for node in self.crosses}
        for first, last in self.ranges():
            for node, tree in self.run_rows(values, first, last, 0).items():
                totals[node].merge(tree)
        values.update({node: tree.total() for node, tree in totals.items()})

    def ranges(self) -> list[tuple[int, int]]:
        """The rows that must be computed, from tile to tile: all, unless only slices are wanted."""
        if self.kept or any(node.op.name != "slice" for node in self.crosses):
            return [(0, self.rows.extent)]
        found: list[tuple[int, int]] = []
        for first, last in sorted(map(self._window, self.crosses)):
            if found and first <= found[-1][1]:
                found[-1] = (found[-1][0], max(last, found[-1][1]))
            else:
                found.append((first, last))
        return found

    def _window(self, node: Node) -> tuple[int, int]:
        """The tiles that a slice lies in, as rows."""
        start, length, step = node.attrs["slices"][self.rows.axis[node.inputs[0]]]
        end = start + (length - 1) * step + 1
        height = self.height
        return start // height * height, min(-(-end // height) * height, self.rows.extent)

    def run_rows(
        self, values: dict[Node, Any], first: int, last: int, offset: int
    ) -> dict[Node, Tree]:
        """Computes the rows from `first` to `last`, which begin and end with a tile.

        Args:
            values: what goes row by row (the arrays to fill for `kept` among it) begins with row
                `offset`.

        Returns:
            The partial results of the nodes that combine rows.
        """
        start, end = first // self.height, -(-last // self.height)
        trees = {node: Tree.of(node, self.rows) for node in self.crosses}
        lock = Lock()
        workers: list[_Worker] = []

        def worker() -> Callable[[int], None]:
            made = self._idle_worker()
            workers.append(made)
            made.start(values)

            def tile(number: int) -> None:
                program = made.run(start + number, offset)
                with lock:
                    for node, slot in program.crosses:
                        trees[node].add(start + number, program.registers[slot])

            return tile

        on_threads(end - start, worker, self.buffer, self.crew)
        for one in workers:
            one.stop()
        self.idle += workers
        return trees

    def _idle_worker(self) -> _Worker:
        try:
            return self.idle.pop()  # asking first would not keep another thread from it
        except IndexError:
            return _Worker(self)


def _rounded(height: int, extent: int) -> int:
    """A height about so large; of few tiles there are a multiple of EVEN."""
    count = -(-extent // height)
    if count == 1 or count > FEW:
        return rounded(height)
    return rounded(-(-extent // (-(-count // EVEN) * EVEN)), up=True)


def _bytes_a_row(order: Sequence[Node], rows: Rows) -> tuple[int, int]:
    """The bytes in a row of the widest value, and of all values that are held at a time."""
    last = {x: position for position, node in enumerate(order) for x in (*node.inputs, node)}
    live: dict[Node, int] = {}
    widest = held = 1
    now = 0
    for position, node in enumerate(order):
        values = [x for x in (*node.inputs, node) if x in rows.axis and x.op is not FULL]
        for x in values:
            if x not in live:
                live[x] = x.size // rows.extent * x.dtype.itemsize
                now += live[x]
                widest = max(widest, live[x])
        held = max(held, now)
        for x in values:
            if last[x] == position:
                now -= live[x]
                live[x] = 0
    return widest, held


def _elements_a_row(order: Sequence[Node], rows: Rows) -> int:
    """The elements in a row of all that is computed."""
    return max(1, sum(n.size // rows.extent for n in order if n in rows.axis and not n.op.view))


def _has_long_lines(order: Sequence[Node], rows: Rows, height: int) -> bool:
    """Whether most elements of tables lie in long lines."""
    tables = [n for n in order if n.op.elementwise and n.ndim > 1 and n in rows.axis]
    lines = [(height if rows.axis[n] == -1 else n.shape[-1], n.size) for n in tables]
    return 2 * sum(size for length, size in lines if length >= LONG) > sum(s for _, s in lines)


class _Worker:
    """One thread's programs, of each form: for whole tiles, and for the last."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.programs: dict[tuple[int, int], Program] = {}
        self.values: dict[Node, Any] = {}
        self.started: set[tuple[int, int]] = set()

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
        first = number * self.sweep.height
        last = min(first + self.sweep.height, self.sweep.rows.extent)
        height = last - first
        *guarded, written = range(len(self.sweep.forms))
        for form in guarded:
            if height >= TRIED and not self._program(form, 1).holds(
                first, first + 1, self.values, offset
            ):
                continue
            program = self._program(form, height)
            if program.run(first, last, self.values, offset):
                return program
        program = self._program(written, height)
        program.run(first, last, self.values, offset)
        return program

    def _program(self, form: int, height: int) -> Program:
        """The program of a form for tiles of this height, ready to run."""
        key = form, height
        program = self.programs.get(key)
        if program is None:
            sweep = self.sweep
            program = Program(sweep.forms[form], sweep.kept, sweep.known, height)
            self.programs[key] = program
        if key not in self.started:
            self.started.add(key)
            program.start(self.values)
        return program

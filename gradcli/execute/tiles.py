"""Sweeps: a group of nodes computed over blocks of rows that stay in the cache, on several threads.

Constraints: NumPy calls only, into buffers that are reused from tile to tile. Tile borders and
the order in which partial results are combined follow from shapes alone, so that the bits do not
depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.execute.backends.numpy import KERNELS, NUMPY_DTYPES, Array
from gradcli.execute.inplace import WRITERS
from gradcli.execute.limits import memory
from gradcli.execute.local import local_attributes, local_shape, rows_of, value_of
from gradcli.execute.plan import CROSS, ROWS, Rows
from gradcli.execute.threads import on_threads
from gradcli.graph.node import Node
from gradcli.graph.op import FULL

TILE = 98304
"""Elements of a block: 384 kB of float32, so that a few fit into the L2 cache of one core."""

COMBINE: dict[str, np.ufunc] = {
    **{"sum": np.add, "contract": np.add, "amax": np.maximum, "amin": np.minimum},
    **{"any": np.logical_or, "all": np.logical_and},
}
"""How the partial results of a node are put together."""

ALIASES = ("leaf", "detach", "clone")
"""Ops whose result is their input under another name."""

Registers = list[Any]
Instruction = Callable[[Registers], None]


class Sweep:
    """A compiled group.

    Args:
        nodes: what to compute, inputs first; every other input has a value.
        kept: the nodes of the group whose values are needed afterwards.
        rows: the row analysis.
    """

    def __init__(self, nodes: Sequence[Node], kept: set[Node], rows: Rows) -> None:
        self.rows = rows
        self.nodes = list(nodes)
        self.kept = [n for n in self.nodes if n in kept and rows.kind[n] == ROWS]
        self.crosses = [n for n in self.nodes if rows.kind[n] == CROSS]
        widest = max((n.size // rows.extent for n in self.nodes if rows.kind[n] == ROWS), default=1)
        inputs = [x for n in self.nodes for x in n.inputs if x in rows.axis]
        widest = max([widest, *(x.size // rows.extent for x in inputs)])
        self.height = max(1, TILE // max(widest, 1))

    def run(self, values: dict[Node, Any]) -> None:
        """Computes the group; puts the kept values into `values`."""
        extent = self.rows.extent
        tiles = [(a, min(a + self.height, extent)) for a in range(0, extent, self.height)]
        for node in self.kept:
            memory.refuse_node(node)
            values[node] = np.empty(node.shape, NUMPY_DTYPES[node.dtype])
        partials: dict[Node, list[Any]] = {n: [None] * len(tiles) for n in self.crosses}
        on_threads(len(tiles), lambda: _Worker(self, values, tiles, partials))
        for node, pieces in partials.items():
            values[node] = _combined(node, pieces)


class _Worker:
    """One thread's buffers and program."""

    def __init__(
        self,
        sweep: Sweep,
        values: dict[Node, Any],
        tiles: list[tuple[int, int]],
        partials: dict[Node, list[Any]],
    ) -> None:
        self.sweep = sweep
        self.values = values
        self.tiles = tiles
        self.partials = partials
        self.full: _Program | None = None

    def __call__(self, number: int) -> None:
        """Computes one tile."""
        first, last = self.tiles[number]
        program = self.full
        if program is None or last - first != program.height:
            program = _Program(self.sweep, self.values, last - first)
            if self.full is None:
                self.full = program
        program.run(first, last, self.values)
        for node, slot in program.crosses:
            piece = program.registers[slot]
            self.partials[node][number] = np.array(piece)


class _Program:
    """Straight-line NumPy calls for tiles of one height, on registers."""

    def __init__(self, sweep: Sweep, values: dict[Node, Any], height: int) -> None:
        self.height = height
        self.rows = sweep.rows
        self.registers: Registers = []
        self.slots: dict[Node, int] = {}
        self.loads: list[tuple[int, Node, int]] = []
        self.outputs: list[tuple[int, Node, int]] = []
        self.instructions: list[Instruction] = []
        self.free: dict[tuple[Any, tuple[int, ...]], list[int]] = {}
        self.owner: dict[int, Node] = {}
        self.values = values
        self.kept = set(sweep.kept)
        self.last_use = self._last_uses(sweep.nodes)
        for position, node in enumerate(sweep.nodes):
            self._compile(node, position)
        self.crosses = [(n, self.slots[n]) for n in sweep.crosses]

    def run(self, first: int, last: int, values: dict[Node, Any]) -> None:
        """Computes the rows from `first` to `last`."""
        registers = self.registers
        for slot, node, axis in self.loads:
            registers[slot] = rows_of(value_of(node, values), axis, first, last)
        for slot, node, axis in self.outputs:
            registers[slot] = rows_of(values[node], axis, first, last)
        for instruction in self.instructions:
            instruction(registers)

    def _last_uses(self, nodes: Sequence[Node]) -> dict[Node, int]:
        """Where each value is read last; readers of what may be a view read its source too."""
        last: dict[Node, int] = {}
        for position in range(len(nodes) - 1, -1, -1):
            node = nodes[position]
            until = position
            if node.op.name in ALIASES or self._writer(node) is None:
                until = max(position, last.get(node, 0))
            for x in self._inputs(node):
                last[x] = max(last.get(x, 0), until)
        return last

    def _inputs(self, node: Node) -> list[Node]:
        """What a node reads: behind an `expand`, broadcasting reads the smaller value itself."""
        if not node.op.elementwise:
            return list(node.inputs)
        return [self._unexpanded(x) for x in node.inputs]

    def _unexpanded(self, node: Node) -> Node:
        while node.op.name == "expand" and node.value is None and node not in self.values:
            (node,) = node.inputs
        return node

    def _compile(self, node: Node, position: int) -> None:
        """Adds the instructions of a node; gives back the buffers that nobody needs any more."""
        inputs = self._inputs(node)
        if node.op.name in ALIASES and node not in self.kept:
            self.slots[node] = self._operand(inputs[0], node)
            return
        operands = [self._operand(x, node) for x in inputs]
        attrs = local_attributes(node, self.rows, self.height)
        writer = self._writer(node)
        if writer is None:
            slot = self._new(None)
            self.instructions.append(_call(_kernel(node), operands, slot, attrs))
            if node in self.kept:
                slot = self._copy_out(node, slot)
        else:
            slot = self._target(node)
            self.instructions.append(_write(writer, operands, slot))
        self.slots[node] = slot
        for x in inputs:
            self._release(x, position)

    def _writer(self, node: Node) -> Callable[..., Any] | None:
        """What computes the node into a buffer; None when its kernel makes its own array."""
        if not node.op.elementwise or self.rows.kind[node] != ROWS:
            return None
        return WRITERS.get(node.op.kernel) or _plain_ufunc(node)

    def _operand(self, x: Node, user: Node) -> int:
        """The register of an input; loaded at the start of each tile when its value is known."""
        slot = self.slots.get(x)
        if slot is not None:
            return slot
        if x.op is FULL and user.op.elementwise:
            slot = self._new(np.asarray(x.attrs["value"]).astype(NUMPY_DTYPES[x.dtype]))
        elif x in self.rows.axis and x.op is not FULL:
            slot = self._new(None)
            self.loads.append((slot, x, self.rows.axis[x]))
        elif x in self.rows.axis:
            one = np.asarray(x.attrs["value"]).astype(NUMPY_DTYPES[x.dtype])
            return self._new(np.broadcast_to(one, local_shape(x, self.rows, self.height)))
        else:
            slot = self._new(value_of(x, self.values))
        if x.op is not FULL:
            self.slots[x] = slot
        return slot

    def _new(self, value: Any) -> int:
        self.registers.append(value)
        return len(self.registers) - 1

    def _target(self, node: Node) -> int:
        """The register that a node is written to: a part of its value, or a buffer."""
        if node in self.kept:
            slot = self._new(None)
            self.outputs.append((slot, node, self.rows.axis[node]))
            return slot
        shape = local_shape(node, self.rows, self.height)
        key = (NUMPY_DTYPES[node.dtype], shape)
        free = self.free.setdefault(key, [])
        slot = free.pop() if free else self._new(np.empty(shape, key[0]))
        self.owner[slot] = node
        return slot

    def _copy_out(self, node: Node, source: int) -> int:
        slot = self._new(None)
        self.outputs.append((slot, node, self.rows.axis[node]))
        self.instructions.append(_write(_copy, [source], slot))
        return slot

    def _release(self, x: Node, position: int) -> None:
        """Gives back the buffer that `x` was written to, after its last reader."""
        slot = self.slots.get(x)
        if slot is not None and self.owner.get(slot) is x and self.last_use[x] == position:
            del self.owner[slot]
            buffer = self.registers[slot]
            self.free.setdefault((buffer.dtype, buffer.shape), []).append(slot)


def _copy(source: Any, out: Any) -> None:
    np.copyto(out, source, casting="unsafe")


def _call(
    kernel: Callable[..., Any], operands: list[int], slot: int, attrs: dict[str, Any]
) -> Instruction:
    def call(registers: Registers) -> None:
        registers[slot] = kernel(*[registers[i] for i in operands], **attrs)

    return call


def _write(writer: Callable[..., Any], operands: list[int], slot: int) -> Instruction:
    if len(operands) == 1:
        (a,) = operands
        return lambda registers: writer(registers[a], out=registers[slot])
    if len(operands) == 2:
        a, b = operands
        return lambda registers: writer(registers[a], registers[b], out=registers[slot])

    def write(registers: Registers) -> None:
        writer(*[registers[i] for i in operands], out=registers[slot])

    return write


def _plain_ufunc(node: Node) -> Callable[..., Any] | None:
    kernel = KERNELS.get(node.op.kernel) or getattr(np, node.op.kernel, None)
    return kernel if isinstance(kernel, np.ufunc) and kernel.nout == 1 else None


def _kernel(node: Node) -> Callable[..., Any]:
    kernel = KERNELS.get(node.op.kernel) or getattr(np, node.op.kernel)
    wanted = NUMPY_DTYPES[node.dtype]

    def exact(*values: Any, **attrs: Any) -> Any:
        value = kernel(*values, **attrs)
        return value if value.dtype == wanted else value.astype(wanted)

    return exact


def _combined(node: Node, pieces: list[Any]) -> Array:
    """The partial results of all tiles together; sums in the widest type, in the order of the
    tiles."""
    wanted = NUMPY_DTYPES[node.dtype]
    stacked = np.stack([np.asarray(p) for p in pieces])
    ufunc = COMBINE[node.op.name]
    if ufunc is np.add and wanted.kind == "f":
        return stacked.sum(axis=0, dtype=np.float64).astype(wanted)
    return np.asarray(ufunc.reduce(stacked, axis=0)).astype(wanted)

"""The straight-line NumPy calls of a sweep, for tiles of one height, on registers.

Constraints: compiled once from shapes and dtypes, run on any values; a buffer is used again as
soon as nobody needs what is in it. A program belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.execute import lines
from gradcli.execute.backends.numpy import NUMPY_DTYPES, stored
from gradcli.execute.backends.pointwise import WRITERS
from gradcli.execute.backends.precise import UFUNCS
from gradcli.execute.backends.vectorised import IN_PLACE, SWEPT
from gradcli.execute.calls import (
    Instruction,
    Registers,
    backend,
    call_of,
    exact_of,
    folded,
    put_of,
    sum_of_products,
    turned,
    write_of,
)
from gradcli.execute.guards import Guards
from gradcli.execute.local import local_attributes, local_shape, rows_of, window
from gradcli.execute.plan import CROSS, ROWS
from gradcli.execute.written import Form
from gradcli.graph.node import Node
from gradcli.graph.op import ALIASES, FULL

Values = Mapping[Node, Any]


class Program:
    """Args:
    form: what to compute.
    kept: the results whose rows are written to the arrays given to `run`, as written.
    known: the nodes that have values before the sweep.
    height: how many rows a tile has.
    """

    def __init__(self, form: Form, kept: Collection[Node], known: set[Node], height: int) -> None:
        nodes, rows = form.nodes, form.rows
        kept = {found for found, node in form.results.items() if node in kept}
        self.results = form.results
        self.guards = Guards(form, height)
        self.first = 0
        self.height = height
        self.rows = rows
        self.kept = kept
        self.known = known
        self.registers: Registers = []
        self.slots: dict[Node, int] = {}
        self.fixed: list[tuple[int, Node]] = []
        self.parts: list[tuple[int, Node, int]] = []
        self.lines: dict[tuple[int, int], int] = {}
        self.instructions: list[Instruction] = []
        self.free: dict[tuple[Any, tuple[int, ...]], list[int]] = {}
        self.owner: dict[int, Node] = {}
        self.folded = folded(nodes, kept, rows)
        self.reads = {node: self._inputs(node) for node in nodes}
        self.writers = {node: self._writer(node) for node in nodes}
        self.last_use = self._last_uses(nodes)
        read = self._read(nodes)
        self.homes = self._homes(nodes, read)
        self.looked = 0
        for node in self.guards.places.keys() - set(nodes):
            self._look(node, self._operand(node, node))
        for position, node in enumerate(nodes):
            if node in read:
                self._compile(node, position)
                if node in self.guards.places:
                    self._look(node, self.slots[node])
        self.borrowed = [slot for slot, _ in self.fixed] + [slot for slot, _, _ in self.parts]
        self.borrowed += self.lines.values()
        self.crosses = [
            (n, self.slots[x]) for x, n in form.results.items() if rows.kind[x] == CROSS
        ]

    def start(self, values: Values) -> None:
        """Takes the values that are the same for all tiles."""
        for slot, node in self.fixed:
            self.registers[slot] = values[node]
        for (source, count), slot in self.lines.items():
            self.registers[slot] = lines.repeated(self.registers[source], count)

    def run(self, first: int, last: int, values: Values, offset: int = 0) -> bool:
        """Computes the rows from `first` to `last` of values that begin with row `offset`.

        Returns:
            Whether the form holds for them.
        """
        if not self.holds(first, last, values, offset):
            return False
        for instruction in self.instructions[self.looked :]:
            instruction(self.registers)
        return True

    def holds(self, first: int, last: int, values: Values, offset: int = 0) -> bool:
        """Computes what the guards look at, and nothing else; otherwise as `run`."""
        registers = self.registers
        self.first = first
        for slot, node, axis in self.parts:
            registers[slot] = rows_of(values[node], axis, first - offset, last - offset)
        for instruction in self.instructions[: self.looked]:
            instruction(registers)
        return self.guards.hold()

    def stop(self) -> None:
        """Lets go of the values."""
        for slot in self.borrowed:
            self.registers[slot] = None

    def _last_uses(self, nodes: Sequence[Node]) -> dict[Node, int]:
        """Where each value is read last; readers of what may be a view read its source too."""
        last: dict[Node, int] = {}
        for position in range(len(nodes) - 1, -1, -1):
            node = nodes[position]
            until = position
            if node.op.name in ALIASES or self.writers[node] is None:
                until = max(position, last.get(node, 0))
            for x in self.reads[node]:
                last[x] = max(last.get(x, 0), until)
        return last

    def _read(self, nodes: Sequence[Node]) -> set[Node]:
        """The nodes that a result needs, when products are folded and nothing is expanded."""
        read = {node for node in nodes if node in self.results or node in self.guards.places}
        for node in reversed(nodes):
            if node in read:
                read.update(self.reads[node])
        return read

    def _homes(self, nodes: Sequence[Node], read: set[Node]) -> dict[Node, Node]:
        """The values that nobody needs once some of their places are written to -> the result.

        They are computed where the result is to stand.
        """
        homes = {}
        for position, node in enumerate(nodes):
            if node.op.name == "index_put" and node in read:
                x = node.inputs[0]
                alone = x in read and x not in self.kept and self.last_use[x] == position
                if alone and self.writers[x] is not None:
                    homes[x] = node
        return homes

    def _inputs(self, node: Node) -> list[Node]:
        """What a node reads: behind an `expand`, broadcasting reads the smaller value itself."""
        if node in self.folded:
            return list(self.folded[node])
        if not node.op.elementwise:
            return list(node.inputs)
        return [self._unexpanded(x) for x in node.inputs]

    def _unexpanded(self, node: Node) -> Node:
        while node.op.name == "expand" and node not in self.known:
            (node,) = node.inputs
        return node

    def _compile(self, node: Node, position: int) -> None:
        """Adds the instructions of a node; gives back the buffers that nobody needs any more."""
        inputs = self.reads[node]
        if node.op.name in ALIASES and node not in self.kept:
            self.slots[node] = self._operand(inputs[0], node)
            return
        operands = [self._operand(x, node) for x in inputs]
        if inputs and self.homes.get(inputs[0]) is node:
            self.slots[node] = operands[0]
            self.instructions.append(put_of(operands, node.attrs["axes"]))
            self._release(inputs[1:], position)
            return
        writer = self.writers[node]
        if isinstance(writer, np.ufunc) or writer in IN_PLACE:
            self._release(inputs, position)  # it may write over what it reads
        if writer is None:
            slot = self._new(None)
            attrs = local_attributes(node, self.rows, self.height)
            kernel = sum_of_products if node in self.folded else exact_of(node)
            if node.op.name == "permute" and self._puts_rows_last(node):
                kernel = turned
            elif node.op.name == "slice" and self.rows.kind[node] == CROSS:
                kernel = self._window(node)
            self.instructions.append(call_of(kernel, operands, slot, attrs))
            if node in self.kept:
                slot = self._copy_out(node, slot)
        else:
            slot = self._target(self.homes.get(node, node))
            self.instructions.append(self._write(node, writer, operands, slot))
        self.slots[node] = slot
        self._release(inputs, position)

    def _look(self, node: Node, slot: int) -> None:
        self.instructions.append(self.guards.look(node, slot))
        self.looked = len(self.instructions)

    def _write(
        self, node: Node, writer: Callable[..., Any], operands: list[int], slot: int
    ) -> Instruction:
        """Writes a node to a register; operands that all rows share are repeated along lines."""
        inputs = self.reads[node]
        count = lines.rows_of_line(node, inputs, self.rows, self.height)
        if not count:
            return write_of(writer, operands, slot)
        turned = [
            self._line(i, count) if lines.is_repeated(x, node, self.rows) else i
            for x, i in zip(inputs, operands, strict=True)
        ]
        return lines.along(writer, operands, turned, slot)

    def _line(self, operand: int, count: int) -> int:
        key = operand, count
        if key not in self.lines:
            self.lines[key] = self._new(None)
        return self.lines[key]

    def _writer(self, node: Node) -> Callable[..., Any] | None:
        """What computes the node into a buffer; None when its kernel makes its own array."""
        if not node.op.elementwise or self.rows.kind[node] != ROWS:
            return None
        if node.dtype.is_floating_point and not node.attrs:
            found = SWEPT.get(node.op.kernel)
            if found is not None:
                return found
        found = WRITERS.get(node.op.kernel) or UFUNCS.get(node.op.kernel)
        if found is not None or node.attrs:
            return found
        kernel = backend.kernel(node.op.name, node.op.kernel)
        return kernel if isinstance(kernel, np.ufunc) and kernel.nout == 1 else None

    def _window(self, node: Node) -> Callable[..., Any]:
        """What takes the rows of a slice that lie in the present tile."""
        axis = self.rows.axis[node.inputs[0]]
        return lambda x, *, slices: x[window(node, axis, self.first, self.height)]

    def _puts_rows_last(self, node: Node) -> bool:
        axis = self.rows.axis
        return axis.get(node) == -1 and axis.get(node.inputs[0], -1) != -1

    def _operand(self, x: Node, user: Node) -> int:
        """The register of an input; loaded at the start of each tile when its value is known."""
        slot = self.slots.get(x)
        if slot is not None:
            return slot
        if x.op is FULL:
            one = stored(np.asarray(x.attrs["value"]), x.dtype)
            if not user.op.elementwise:
                one = np.broadcast_to(one, local_shape(x, self.rows, self.height))
            return self._new(one)
        axis = self.rows.axis.get(x)
        if x.op.name == "iota" and axis is not None:
            counted = np.arange(self.height).reshape(local_shape(x, self.rows, self.height))
            return self._new(counted)
        slot = self.slots[x] = self._new(None)
        if axis is None:
            self.fixed.append((slot, x))
        else:
            self.parts.append((slot, x, axis))
        return slot

    def _new(self, value: Any) -> int:
        self.registers.append(value)
        return len(self.registers) - 1

    def _target(self, node: Node) -> int:
        """The register that a node is written to: a part of its value, or a buffer."""
        if node in self.kept:
            return self._part(node)
        shape = local_shape(node, self.rows, self.height)
        key = (NUMPY_DTYPES[node.dtype], shape)
        free = self.free.setdefault(key, [])
        slot = free.pop() if free else self._new(np.empty(shape, key[0]))
        self.owner[slot] = node
        return slot

    def _part(self, node: Node) -> int:
        slot = self._new(None)
        self.parts.append((slot, self.results[node], self.rows.axis[node]))
        return slot

    def _copy_out(self, node: Node, source: int) -> int:
        slot = self._part(node)
        self.instructions.append(write_of(WRITERS["cast"], [source], slot))
        return slot

    def _release(self, inputs: Sequence[Node], position: int) -> None:
        """Gives back the buffers that `inputs` were written to, after their last reader."""
        for x in inputs:
            slot = self.slots.get(x)
            if slot is not None and self.owner.get(slot) is x and self.last_use[x] == position:
                del self.owner[slot]
                buffer = self.registers[slot]
                self.free.setdefault((buffer.dtype, buffer.shape), []).append(slot)

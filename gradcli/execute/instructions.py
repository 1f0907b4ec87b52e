"""The straight-line NumPy calls of a sweep, for tiles of one height, on registers.

Constraints: compiled once from shapes and dtypes, run on any values; a buffer is used again as
soon as nobody needs what is in it. A program belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.execute.backends import short_rows
from gradcli.execute.backends.numpy import NUMPY_DTYPES, NumPy, stored
from gradcli.execute.backends.pointwise import WRITERS
from gradcli.execute.local import local_attributes, local_shape, rows_of
from gradcli.execute.plan import CROSS, ROWS, Rows
from gradcli.graph.node import Node
from gradcli.graph.op import FULL

ALIASES = ("leaf", "detach", "clone")
"""Ops whose result is their input under another name."""

Registers = list[Any]
Instruction = Callable[[Registers], Any]
Values = Mapping[Node, Any]
backend = NumPy()


class Program:
    """Args:
    nodes: what to compute, inputs first.
    kept: those of them whose rows are written to the arrays given to `run`.
    known: the nodes that have values before the sweep.
    rows: the row analysis.
    height: how many rows a tile has.
    """

    def __init__(
        self, nodes: Sequence[Node], kept: set[Node], known: set[Node], rows: Rows, height: int
    ) -> None:
        self.first = 0
        self.height = height
        self.rows = rows
        self.kept = kept
        self.known = known
        self.registers: Registers = []
        self.slots: dict[Node, int] = {}
        self.fixed: list[tuple[int, Node]] = []
        self.parts: list[tuple[int, Node, int]] = []
        self.instructions: list[Instruction] = []
        self.free: dict[tuple[Any, tuple[int, ...]], list[int]] = {}
        self.owner: dict[int, Node] = {}
        self.folded = _folded(nodes, kept, rows)
        self.last_use = self._last_uses(nodes)
        products = {node.inputs[0] for node in self.folded}
        for position, node in enumerate(nodes):
            if node not in products:
                self._compile(node, position)
        self.borrowed = [slot for slot, _ in self.fixed] + [slot for slot, _, _ in self.parts]
        self.crosses = [(n, self.slots[n]) for n in nodes if rows.kind[n] == CROSS]

    def start(self, values: Values) -> None:
        """Takes the values that are the same for all tiles."""
        for slot, node in self.fixed:
            self.registers[slot] = values[node]

    def run(self, first: int, last: int, values: Values, offset: int = 0) -> None:
        """Computes the rows from `first` to `last` of values that begin with row `offset`."""
        registers = self.registers
        self.first = first
        for slot, node, axis in self.parts:
            registers[slot] = rows_of(values[node], axis, first - offset, last - offset)
        for instruction in self.instructions:
            instruction(registers)

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
            if node.op.name in ALIASES or self._writer(node) is None:
                until = max(position, last.get(node, 0))
            for x in self._inputs(node):
                last[x] = max(last.get(x, 0), until)
        return last

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
        inputs = self._inputs(node)
        if node.op.name in ALIASES and node not in self.kept:
            self.slots[node] = self._operand(inputs[0], node)
            return
        operands = [self._operand(x, node) for x in inputs]
        writer = self._writer(node)
        if isinstance(writer, np.ufunc):
            self._release(inputs, position)  # a ufunc may write over what it reads
        if writer is None:
            slot = self._new(None)
            attrs = local_attributes(node, self.rows, self.height)
            kernel = _sum_of_products if node in self.folded else _exact(node)
            if node.op.name == "permute" and self._puts_rows_last(node):
                kernel = _turned
            elif node.op.name == "slice" and self.rows.kind[node] == CROSS:
                kernel = self._window(node)
            self.instructions.append(_call(kernel, operands, slot, attrs))
            if node in self.kept:
                slot = self._copy_out(node, slot)
        else:
            slot = self._target(node)
            self.instructions.append(_write(writer, operands, slot))
        self.slots[node] = slot
        self._release(inputs, position)

    def _writer(self, node: Node) -> Callable[..., Any] | None:
        """What computes the node into a buffer; None when its kernel makes its own array."""
        if not node.op.elementwise or self.rows.kind[node] != ROWS:
            return None
        found = WRITERS.get(node.op.kernel)
        if found is not None or node.attrs:
            return found
        kernel = backend.kernel(node.op.name, node.op.kernel)
        return kernel if isinstance(kernel, np.ufunc) and kernel.nout == 1 else None

    def _window(self, node: Node) -> Callable[..., Any]:
        """What takes the rows of a slice that lie in the present tile."""
        axis = self.rows.axis[node.inputs[0]]
        start, length, step = node.attrs["slices"][axis]

        def window(x: Any, *, slices: tuple[tuple[int, int, int], ...]) -> Any:
            begin = start - self.first
            skipped = max(0, -(begin // step)) if begin < 0 else 0
            begin += skipped * step
            count = min(length - skipped, -(-(self.height - begin) // step))
            taken = [slice(a, a + n * s, s) for a, n, s in slices]
            taken[axis] = slice(begin, begin + max(0, count) * step, step)
            return x[(..., *taken)]

        return window

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
        self.parts.append((slot, node, self.rows.axis[node]))
        return slot

    def _copy_out(self, node: Node, source: int) -> int:
        slot = self._part(node)
        self.instructions.append(_write(WRITERS["cast"], [source], slot))
        return slot

    def _release(self, inputs: Sequence[Node], position: int) -> None:
        """Gives back the buffers that `inputs` were written to, after their last reader."""
        for x in inputs:
            slot = self.slots.get(x)
            if slot is not None and self.owner.get(slot) is x and self.last_use[x] == position:
                del self.owner[slot]
                buffer = self.registers[slot]
                self.free.setdefault((buffer.dtype, buffer.shape), []).append(slot)


def _folded(nodes: Sequence[Node], kept: set[Node], rows: Rows) -> dict[Node, tuple[Node, Node]]:
    """The sums of products that nobody else reads, with the factors: no product is stored."""
    readers: dict[Node, int] = {}
    for node in nodes:
        for x in node.inputs:
            readers[x] = readers.get(x, 0) + 1
    group = set(nodes)
    found = {}
    for node in nodes:
        product = node.inputs[0] if node.inputs else node
        if node.op.name != "sum" or product not in group or product in kept:
            continue
        factors = product.inputs * (2 if product.op.name == "square" else 1)
        if (
            product.op.name in ("mul", "square")
            and readers[product] == 1
            and product.dtype.name in ("float32", "float64")
            and all(x.shape == product.shape and x.op is not FULL for x in factors)
            and _is_inner(node, product, rows)
        ):
            found[node] = (factors[0], factors[1])
    return found


def _is_inner(node: Node, product: Node, rows: Rows) -> bool:
    axes = node.attrs["axis"]
    return len(axes) == product.ndim or (axes == (-1,) and rows.axis.get(product) != -1)


def _sum_of_products(x: Any, y: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The sum of x*y over all axes or over the last."""
    if len(axis) == x.ndim:
        made = short_rows.total(x, y)
        made = np.sum(x * y, dtype=x.dtype) if made is None else made
    else:
        made = short_rows.dots(x, y)
    return np.expand_dims(made, axis) if keepdims else made


def _turned(x: Any, *, axes: tuple[int, ...]) -> Any:
    """Rows that are put last lie side by side for all that follows."""
    return np.ascontiguousarray(np.transpose(x, axes))


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


def _exact(node: Node) -> Callable[..., Any]:
    """The node's kernel, with the dtype that the graph says."""
    kernel = backend.kernel(node.op.name, node.op.kernel)
    wanted = NUMPY_DTYPES[node.dtype]

    def exact(*values: Any, **attrs: Any) -> Any:
        value = kernel(*values, **attrs)
        return value if value.dtype == wanted else value.astype(wanted)

    return exact

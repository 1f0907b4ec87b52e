"""Recorded work as one straight line of NumPy calls into buffers that stay.

Constraints: for small values; the kernels of evaluation on demand, on the same operands in the same
order, so that every bit is the same. Left out is what nobody needs: dead values, repeated ones,
copies, views made anew. The text that is compiled names ops and registers only, no user's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.execute.backends.numpy import NUMPY_DTYPES, Array, repeated
from gradcli.execute.evaluate import backend
from gradcli.execute.scalars import Scalars
from gradcli.execute.steps import taken
from gradcli.files.stored import Stored
from gradcli.graph.node import Node
from gradcli.graph.op import ALIASES, DATA, FULL, ITEM, OVERWRITE
from gradcli.graph.recording import Made
from gradcli.graph.traced import Traced, is_traced, moves
from gradcli.ops.elementwise import ROUNDING

VIEWS = frozenset(
    ("reshape", "permute_dims", "slice", "expand", "diagonal", "flip", "real", "imag")
)
"""Kernels that give a view of their input, where NumPy can."""
NOTHING: Mapping[Any, Any] = {}


class Unplannable(Exception):
    """The record does not say where a value comes from."""


def source(node: Node, sources: Mapping[Node, tuple[Node, ...]]) -> Node:
    """The node whose array is that of `node`."""
    while node in sources and node.op is not DATA:
        if node.op.name in ALIASES:
            node = sources[node][0]
        elif node.op is OVERWRITE:
            node = sources[node][1]
        else:
            break
    return node


class Writer:
    """The lines of a program and the arrays that they name.

    Args:
        made: the recorded nodes with their inputs.
        inputs: the nodes whose values are given anew each time; the array of each is fixed.
        operations: what the signs of traced numbers do.
        targets: where the values of some nodes are to be computed, if they are computed.
        names: what other lines of the same program name.

    Attributes:
        lines: the statements so far.
        names: what they name.
        arrays: the array that holds the value of a node, the same one in each run.
        constant: the nodes whose value is the same in each run.
        numbers: the numbers that the lines compute.
    """

    def __init__(
        self,
        made: Sequence[Made],
        inputs: Mapping[Node, Array],
        operations: Mapping[str, Callable[..., Any]] = NOTHING,
        targets: Mapping[Node, Array] = NOTHING,
        names: dict[str, Any] | None = None,
    ) -> None:
        self.sources = dict(made)
        self.numbers = Scalars(self, operations)
        self._targets = targets
        self.lines: list[str] = []
        self.names: dict[str, Any] = {} if names is None else names
        self.arrays: dict[Node, Any] = dict(inputs)
        self.constant: set[Node] = set()
        self.memo: dict[Any, Any] = {}
        self._known: dict[int, str] = {}
        self._same: dict[Any, Node] = {}
        self._cells: dict[tuple[str, Any], Array] = {}

    def name(self, value: Any) -> str:
        """The name of an array or a function in the program."""
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = f"v{len(self.names)}"
            self.names[known] = value
        return known

    def need(self, wanted: Iterable[Node]) -> None:
        """Adds the lines that compute `wanted`."""
        order: list[Node] = []
        seen: set[Node] = set(self.arrays)
        stack = list(wanted)
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            order.append(node)
            stack.extend(self._inputs(node))
        for node in sorted(order, key=lambda n: n.serial):
            self._compute(node)

    def draw(self, node: Node, draw: Callable[..., Any], given: Sequence[Any]) -> None:
        """Adds the line that draws the node's random numbers."""
        self.need(x for x in given if isinstance(x, Node))
        self.arrays[node] = self.new(node)
        values = [self.arrays[x] if isinstance(x, Node) else x for x in given]
        self.put_result(self.arrays[node], draw, *values)

    def _inputs(self, node: Node) -> tuple[Node, ...]:
        inputs = self.sources.get(node, ())
        if node.op.name in ALIASES:
            return inputs[:1]
        return inputs[1:] if node.op is OVERWRITE else inputs

    def _compute(self, node: Node) -> None:
        inputs = self._inputs(node)
        if node not in self.sources or node.op is DATA:
            if node.value is None or isinstance(node.value, Stored):
                raise Unplannable(f"{node} has no value in memory")
            self._hold(node, node.value if node.op.multiple else np.asarray(node.value))
        elif node.op is FULL:
            self._constant(node)
        elif is_traced(node):
            self._at_places(node, inputs)
        elif node.op.name in ALIASES or node.op is OVERWRITE:
            self._alias(node, inputs[0])
        else:
            self._call(node, inputs)

    def _at_places(self, node: Node, inputs: tuple[Node, ...]) -> None:
        """What is read or written at places that numbers say; there is as much elsewhere."""
        slices = node.attrs.get("slices", ())
        first, *rest = [self.arrays[x] for x in inputs]
        place = ", ".join(["..."] * (node.ndim > len(slices)) + list(map(self._place, slices)))
        same = self._same.setdefault((node.op, place, id(first), *map(id, rest), node.shape), node)
        if same is not node:
            return self._alias(node, same)
        out = self.new(node)
        one = tuple([0 if moves(start) and n == 1 else slice(None) for start, n, _ in slices])
        if node.op.kernel == "slice":
            self.lines.append(f"{self.name(out[..., *one])}[...] = {self.name(first)}[{place}]")
        elif node.op.kernel in ("slice_put", "embed"):
            self.put(out, first if rest else np.zeros((), out.dtype))
            part = (rest[0] if rest else first)[..., *one]
            self.lines.append(f"{self.name(out)}[{place}] = {self.name(part)}")
        else:
            raise Unplannable(f"{node} is at places that change")
        self.arrays[node] = out

    def _place(self, part: tuple[Any, int, int]) -> str:
        """A part of one axis: a place where it is one element, else a slice."""
        start, count, step = part
        if not moves(start):
            return f"{start}:{start + count * step}:{step}"
        first = self.numbers.name(start)
        return first if count == 1 else f"{first}:{first} + {count * step}:{step}"

    def _hold(self, node: Node, array: Any) -> None:
        self.arrays[node] = array
        self.constant.add(node)

    def _alias(self, node: Node, source: Node) -> None:
        self.arrays[node] = self.arrays[source]
        if source in self.constant:
            self.constant.add(node)

    def _constant(self, node: Node) -> None:
        """A number: a known one, or one that is computed in each run."""
        value = node.attrs["value"]
        if not isinstance(value, Traced):
            return self._hold(node, np.asarray(backend.run(node, [])))
        if node.dtype in ROUNDING:
            raise Unplannable("a number that changes would have to be rounded")
        key = self.numbers.name(value), node.dtype
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = np.empty((), NUMPY_DTYPES[node.dtype])
            self.lines.append(f"{self.name(cell)}[()] = {key[0]}")
        self.arrays[node] = repeated(cell, node.shape) if node.shape else cell

    def _call(self, node: Node, inputs: tuple[Node, ...]) -> None:
        key = _key(node, [id(self.arrays[x]) for x in inputs])
        same = self._same.setdefault(key, node)
        if same is not node:
            return self._alias(node, same)
        arrays = [self.arrays[x] for x in inputs]
        fixed = all(x in self.constant for x in inputs) or _is_one(node, inputs)
        if fixed or self._is_view(node, arrays):
            value = backend.run(node, arrays)
            self.arrays[node] = value if node.op.multiple else np.asarray(value)
            if fixed:
                self.constant.add(node)
            return
        if node.op.multiple:
            self._several(node, arrays)
        elif node.op is ITEM:
            self.arrays[node] = arrays[0][node.attrs["index"]]
        else:
            found = taken(self, node, inputs, arrays)
            self.arrays[node] = self._general(node, arrays) if found is None else found

    def _is_view(self, node: Node, arrays: list[Any]) -> bool:
        """Whether the result shows its input's memory, so that it need not be made again."""
        if node.op.kernel not in VIEWS or len(arrays) != 1:
            return False
        shown = backend.run(node, arrays)
        return isinstance(shown, np.ndarray) and np.may_share_memory(shown, arrays[0])

    def _several(self, node: Node, arrays: list[Any]) -> None:
        if node.value is None:
            raise Unplannable(f"{node} has no value")
        targets = tuple(np.empty_like(np.asarray(v)) for v in node.value)
        kernel = backend.kernel(node.op.name, node.op.kernel)
        attrs = dict(node.attrs)

        def run(*given: Any) -> None:
            for target, value in zip(targets, kernel(*given, **attrs), strict=True):
                np.copyto(target, value, casting="unsafe")

        self.add(run, *arrays)
        self.arrays[node] = targets

    def unexpanded(self, node: Node) -> Any:
        """The value of a node, or of what it is expanded from: NumPy repeats it itself."""
        while node.op.name == "expand" and node in self.sources:
            (node,) = self.sources[node]
        return self.arrays[node]

    def _general(self, node: Node, arrays: list[Any]) -> Array:
        """Any kernel: its result is copied into the node's buffer."""
        out = self.new(node)
        if node.op.name == "cast":
            narrows = arrays[0].dtype.kind == "c" and out.dtype.kind in "iuf"
            self.put(out, arrays[0].real if narrows else arrays[0])
        else:
            kernel = backend.kernel(node.op.name, node.op.kernel)
            attrs = f", **{self.name(dict(node.attrs))}" if node.attrs else ""
            call = f"{self.name(kernel)}({self._listed(arrays)}{attrs})"
            self.lines.append(f"{self.name(out)}[...] = {call}")
        return out

    def new(self, node: Node) -> Array:
        """The array for a node's value."""
        given = self._targets.get(node)
        return np.empty(node.shape, NUMPY_DTYPES[node.dtype]) if given is None else given

    def add(self, function: Callable[..., Any], *values: Any) -> None:
        """A call, without names."""
        self.call(function, values)

    def call(self, function: Callable[..., Any], values: Sequence[Any], **named: Any) -> None:
        """A call with names."""
        keywords = "".join([f", {key}={self.name(value)}" for key, value in named.items()])
        self.lines.append(f"{self.name(function)}({self._listed(values)}{keywords})")

    def put(self, target: Array, source: Array) -> None:
        """`target[...] = source`."""
        self.lines.append(f"{self.name(target)}[...] = {self.name(source)}")

    def put_result(self, target: Array, function: Callable[..., Any], *values: Any) -> None:
        """`target[...] = function(*values)`."""
        call = f"{self.name(function)}({self._listed(values)})"
        self.lines.append(f"{self.name(target)}[...] = {call}")

    def _listed(self, values: Iterable[Any]) -> str:
        return ", ".join(map(self.name, values))


def _is_one(node: Node, inputs: Sequence[Node]) -> bool:
    """Whether a node is a power that is 1 whatever its base is, not a number included."""
    if node.op.kernel != "pow" or inputs[1].op is not FULL or node.dtype.is_complex:
        return False
    exponent = inputs[1].attrs["value"]
    return not isinstance(exponent, Traced) and exponent == 0


def _key(node: Node, sources: list[int]) -> Any:
    key = (node.op, *sources, *sorted(node.attrs.items()), node.shape, node.dtype)
    try:
        hash(key)
    except TypeError:
        return node
    return key

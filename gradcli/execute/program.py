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
from gradcli.execute.steps import taken
from gradcli.files.stored import Stored
from gradcli.graph.node import Node
from gradcli.graph.op import ALIASES, DATA, FULL, ITEM, OVERWRITE
from gradcli.graph.recording import Made, Traced
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
        windows: node -> (node, index): parts of values at places that traced numbers say.

    Attributes:
        lines: the statements so far.
        names: what they name.
        arrays: the array that holds the value of a node, the same one in each run.
        constant: the nodes whose value is the same in each run.
    """

    def __init__(
        self,
        made: Sequence[Made],
        inputs: Mapping[Node, Array],
        operations: Mapping[str, Callable[..., Any]] = NOTHING,
        targets: Mapping[Node, Array] = NOTHING,
        names: dict[str, Any] | None = None,
        windows: Mapping[Node, tuple[Node, Any]] = NOTHING,
    ) -> None:
        self.sources = dict(made)
        self.operations = operations
        self._targets = targets
        self._windows = windows
        self.lines: list[str] = []
        self.names: dict[str, Any] = {} if names is None else names
        self.arrays: dict[Node, Any] = dict(inputs)
        self.constant: set[Node] = set()
        self.memo: dict[Any, Any] = {}
        self._known: dict[int, str] = {}
        self._same: dict[Any, Node] = {}
        self._numbers: dict[int, str] = {}
        self._texts: dict[str, str] = {}
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

    def draw(self, node: Node, draw: Callable[[], Any]) -> None:
        """Adds the line that draws the node's random numbers."""
        self.arrays[node] = self.new(node)
        self.put_result(self.arrays[node], draw)

    def _inputs(self, node: Node) -> tuple[Node, ...]:
        if node in self._windows:
            return (self._windows[node][0],)
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
        elif node in self._windows:
            self._window(node, *self._windows[node])
        elif node.op is FULL:
            self._constant(node)
        elif node.op.name in ALIASES or node.op is OVERWRITE:
            self._alias(node, inputs[0])
        else:
            self._call(node, inputs)

    def _window(self, node: Node, x: Node, index: Any) -> None:
        """The part at an index; elsewhere there may be less."""
        items = index if isinstance(index, tuple) else (index,)
        out, place = self.new(node), ", ".join(map(self._index, items))
        self.lines.append(f"part = {self.name(self.arrays[x])}[{place},]")
        self.lines.append(f"if part.shape != {self.name(out)}.shape: break")
        self.lines.append(f"{self.name(out)}[...] = part")
        self.arrays[node] = out

    def _index(self, item: Any) -> str:
        if isinstance(item, slice):
            bounds = (item.start, item.stop, item.step)
            return ":".join(["" if bound is None else self.number(bound) for bound in bounds])
        return self.number(item)

    def number(self, value: Any) -> str:
        """The name of a number: a known one, or one that the lines so far compute."""
        if not isinstance(value, (Traced, tuple)):
            return self.name(value)
        known = self._numbers.get(id(value))
        if known is not None:
            return known
        sign, *parts = value.expression if isinstance(value, Traced) else value
        if sign == "input":
            return str(parts[0])
        if sign == "constant":
            return self.name(parts[0])
        if sign == "item":
            self.need(parts)
            text = f"{self.name(self.arrays[parts[0]])}.item()"
        else:
            operands = ", ".join([self.number(part) for part in parts])
            function = sign if callable(sign) else self.operations[sign]
            text = f"{self.name(function)}({operands})"
        made = self._texts.get(text)
        if made is None:
            made = self._texts[text] = f"n{len(self._texts)}"
            self.lines.append(f"{made} = {text}")
        self._numbers[id(value)] = made
        return made

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
        key = self.number(value), node.dtype
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
        fixed = all(x in self.constant for x in inputs)
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


def _key(node: Node, sources: list[int]) -> Any:
    key = (node.op, *sources, *sorted(node.attrs.items()), node.shape, node.dtype)
    try:
        hash(key)
    except TypeError:
        return node
    return key

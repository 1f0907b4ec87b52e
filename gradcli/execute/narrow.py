"""Rows put last: tables of short rows are turned, so that NumPy's inner loops are long.

Constraints: graph to graph; the numbers are the same, sums along a row are added in another order.
Only where rows are short, and where every op that goes row by row can be turned.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from gradcli.execute.plan import CROSS, FIXED, ROWS, Rows
from gradcli.graph.build import Builder
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.shape import Shape
from gradcli.graph.walk import ancestors
from gradcli.ops.linalg import parts

SHORT = 24
"""Elements below which an inner loop costs more to start than to run."""
LEAST = 4096
"""Rows from which turning pays."""
REDUCTIONS = ("sum", "amax", "amin", "any", "all")

TURNING = ("expand", *REDUCTIONS)

Turned = tuple[list[Node], dict[Node, Node], Rows]


def rows_last(order: Sequence[Node], wanted: Collection[Node], rows: Rows) -> Turned | None:
    """The graph with rows along the last axis; None where that is no gain.

    Returns:
        The nodes to compute, for each of `wanted` the one that takes its place, and their rows.
    """
    if rows.extent < LEAST or not _is_narrow(order, rows):
        return None
    if not all(_turns(n, rows) for n in order if rows.kind[n] in (ROWS, CROSS)):
        return None
    turner = _Turner(rows)
    for node in order:
        turner.add(node)
    found = {node: turner.plain(node) for node in wanted}
    return ancestors(found.values(), lambda n: n.value is None), found, turner.rows


def _is_narrow(order: Sequence[Node], rows: Rows) -> bool:
    """Whether most elements lie in short rows, and turning the inputs is little beside them."""
    swept = [n for n in order if rows.kind[n] == ROWS and n.op is not FULL]
    short = sum(n.size for n in swept if n.ndim > 1 and rows.axis[n] != -1 and n.shape[-1] < SHORT)
    turned = {x for n in swept for x in n.inputs if x.value is not None and x in rows.axis}
    turned |= {n for n in swept if rows.kind[n] == ROWS and n.value is not None}
    edges = sum(x.size for x in turned if x.ndim > 1)
    return short > 0.5 * sum(n.size for n in swept) and short > 4 * edges


def _turns(node: Node, rows: Rows) -> bool:
    """Whether this op is known to work with rows last."""
    if node.op is FULL or node.op.elementwise or node.op.name in TURNING:
        return True
    if node.op.name == "reshape":
        (x,) = node.inputs
        return rows.axis.get(x) == -x.ndim and rows.axis.get(node) == -node.ndim
    if node.op.name == "cat":
        return bool(node.attrs["axis"] != rows.axis[node])
    if node.op.name == "contract":
        ranks = [len(labels) for labels in parts(node.attrs["spec"])]
        return [x.ndim for x in (*node.inputs, node)] == ranks
    return False


def _moved(shape: Shape, axis: int) -> Shape:
    """`shape` with the axis last."""
    place = len(shape) + axis
    return shape[:place] + shape[place + 1 :] + shape[place : place + 1]


class _Turner(Builder):
    """Makes the turned graph.

    Attributes:
        turned: node with rows -> the same with rows last.
        known: node -> what takes its place as it was.
        rows: the analysis of the new graph.
    """

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self.old = rows
        self.turned: dict[Node, Node] = {}
        self.same: dict[Node, Node] = {}
        self.rows = Rows(rows.extent, {}, {}, rows.heavy)

    def add(self, node: Node) -> None:
        """Takes the next node of the graph."""
        kind = self.old.kind[node]
        if node.op is FULL and node in self.old.axis:
            self.same[node] = self._noted(node, kind, self.old.axis[node])
            shape = _moved(node.shape, self.old.axis[node])
            one = self.constant(node.attrs["value"], node.dtype, shape)
            self.turned[node] = self._noted(one, kind, -1)
        elif kind == ROWS:
            self.turned[node] = self._noted(self._row_by_row(node), ROWS, -1)
        elif kind == CROSS:
            made = self._noted(self._across(node), CROSS, None)
            self.same[node] = self._reshaped(made, node.shape)
        else:
            made = self.like(node, tuple([self.plain(x) for x in node.inputs]))
            self.same[node] = self._noted(made, kind, self.old.axis.get(node))

    def plain(self, node: Node) -> Node:
        """What takes the place of `node`, with its axes in their order."""
        found = self.same.get(node)
        if found is None and node in self.turned and node.value is None:
            axis = self.old.axis[node]
            order = list(range(-node.ndim, -1))
            order.insert(node.ndim + axis, -1)
            turned = self.turned[node]
            found = self.shaped(
                "permute", (turned,), node.shape, node.dtype, node, {"axes": tuple(order)}
            )
            self.same[node] = self._noted(found, ROWS, axis)
        return self._input(node) if found is None else found

    def _input(self, node: Node) -> Node:
        if node in self.old.axis:
            self.rows.axis[node] = self.old.axis[node]
        return node

    def _noted(self, node: Node, kind: int, axis: int | None) -> Node:
        self.rows.kind[node] = kind
        if axis is not None:
            self.rows.axis[node] = axis
        return node

    def _operand(self, x: Node, axis: int) -> Node:
        """An input of an op whose rows were along `axis`."""
        if x in self.old.axis:
            return self._turned(x)
        plain = self.plain(x)
        if x.ndim >= -axis:
            return self._reshaped(plain, _moved(x.shape, axis))
        return self._reshaped(plain, (*x.shape, 1)) if x.ndim else plain

    def _turned(self, x: Node) -> Node:
        found = self.turned.get(x)
        if found is None:
            axis = self.old.axis[x]
            order = _moved(tuple(range(-x.ndim, 0)), axis)
            source = self.plain(x)
            if axis == -1:
                return source
            found = self.shaped(
                "permute", (source,), _moved(x.shape, axis), x.dtype, x, {"axes": order}
            )
            self.turned[x] = self._noted(found, ROWS, -1)
        return found

    def _reshaped(self, x: Node, shape: Shape) -> Node:
        made = self.reshape(x, shape)
        return made if made is x else self._noted(made, FIXED, None)

    def _row_by_row(self, node: Node) -> Node:
        axis, name = self.old.axis[node], node.op.name
        shape = _moved(node.shape, axis)
        attrs: dict[str, Any] = dict(node.attrs)
        inputs: tuple[Node, ...]
        if name == "reshape":
            inputs = (self._turned(node.inputs[0]),)
            attrs = {"axes": inputs[0].ndim, "shape": shape}
        elif name in REDUCTIONS:
            inputs = (self._turned(node.inputs[0]),)
            attrs["axis"] = self._axes(node)
        elif name == "contract":
            inputs, attrs = self._contracted(node)
        else:
            inputs = tuple([self._operand(x, axis) for x in node.inputs])
            if name == "expand":
                attrs["shape"] = shape
            elif name == "cat":
                attrs["axis"] -= attrs["axis"] > axis
        return self.shaped(name, inputs, shape, node.dtype, node, attrs)

    def _across(self, node: Node) -> Node:
        attrs: dict[str, Any] = dict(node.attrs)
        inputs: tuple[Node, ...]
        if node.op.name == "contract":
            inputs, attrs = self._contracted(node)
        else:
            inputs = (self._turned(node.inputs[0]),)
            attrs["axis"] = self._axes(node)
        shape = node.shape
        if attrs.get("keepdims"):
            shape = _moved(shape, self.old.axis[node.inputs[0]])
        return self.shaped(node.op.name, inputs, shape, node.dtype, node, attrs)

    def _axes(self, node: Node) -> tuple[int, ...]:
        """The axes of a reduction of turned rows."""
        row = self.old.axis[node.inputs[0]]
        return tuple(
            sorted(-1 if a == row else a - 1 if a > row else a for a in node.attrs["axis"])
        )

    def _contracted(self, node: Node) -> tuple[tuple[Node, ...], dict[str, Any]]:
        labels = list(parts(node.attrs["spec"]))
        for place, x in enumerate((*node.inputs, node)):
            axis = self.old.axis.get(x)
            if axis is not None:
                labels[place] = "".join(_moved(tuple(labels[place]), axis))  # type: ignore[arg-type]
        inputs = tuple(
            self._turned(x) if x in self.old.axis else self.plain(x) for x in node.inputs
        )
        if labels[2] and labels[2][0] not in labels[0]:
            # With its first axis from the first operand a product is made in the order of memory.
            inputs, labels[:2] = inputs[::-1], labels[1::-1]
        return inputs, {"spec": f"{labels[0]},{labels[1]}->{labels[2]}"}

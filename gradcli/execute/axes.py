"""How the axes of a node run along those of its inputs.

Constraints: reads one node; says only what holds for every value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradcli.graph.node import Node
from gradcli.ops.linalg import parts

Link = tuple[Node, int, int]
"""(input, its axis, the node's axis that runs along it), axes negative."""
WINDOWS = {"windows": "kernel", "overlap_add": "shape", "window_sum": "kernel"}
"""Ops on windows over the last axes -> the attribute that has a number for each of these axes."""


class Classes:
    """Axes that run along each other (union-find).

    Attributes:
        like: node -> one of the same shape all of whose axes run along its own.
    """

    def __init__(self) -> None:
        self.parent: dict[tuple[Node, int], tuple[Node, int]] = {}
        self.like: dict[Node, Node] = {}

    def alike(self, node: Node) -> Node:
        """The node that stands for all that are alike."""
        like = self.like
        found = node
        while found in like:
            found = like[found]
        if found is not node:
            like[node] = found
        return found

    def follow(self, node: Node) -> None:
        """Takes an elementwise node, most of whose inputs have its shape."""
        like = None
        for x in node.inputs:
            if x.shape == node.shape:
                found = self.alike(x)
                if like is None:
                    like = self.like[node] = found
                elif found is not like:
                    self._join_all(like, found)
                    self.like[found] = like
        for x in node.inputs:
            if x.shape and x.shape != node.shape:
                self._join_all(like or node, x)

    def _join_all(self, x: Node, y: Node) -> None:
        """Axes of one size run along each other, counted from the right."""
        for a in range(-min(x.ndim, y.ndim), 0):
            if x.shape[a] == y.shape[a] > 1:
                self.join((x, a), (y, a))

    def find(self, key: tuple[Node, int]) -> tuple[Node, int]:
        """What stands for all axes that run along this one."""
        parent = self.parent
        key = self.alike(key[0]), key[1]
        root = key
        while root in parent:
            root = parent[root]
        while key != root:
            parent[key], key = root, parent[key]
        return root

    def join(self, a: tuple[Node, int], b: tuple[Node, int]) -> None:
        """Says that two axes run along each other."""
        a, b = self.find(a), self.find(b)
        if a != b:
            self.parent[b] = a


def axis_classes(order: Sequence[Node]) -> Classes:
    """Which axes of a graph (nodes to compute, inputs first) run along each other."""
    classes = Classes()
    for node in order:
        if node.op.elementwise:
            classes.follow(node)
            continue
        for x, inner, outer in links(node):
            classes.join((node, outer), (x, inner))
        if node.op.name == "contract":
            for a, b in _summed_labels(node):
                classes.join((node.inputs[0], a), (node.inputs[1], b))
    return classes


def links(node: Node) -> Iterator[Link]:
    """How the axes of a node run along those of its inputs."""
    op, rank = node.op, node.ndim
    name = op.name
    if op.elementwise or name == "expand":
        for x in node.inputs:
            for a in range(-min(x.ndim, rank), 0):
                if x.shape[a] == node.shape[a] and x.shape[a] > 1:
                    yield x, a, a
    elif "axis" in node.attrs and len(node.inputs) == 1:
        yield from _around_axis(node)
    elif name == "cat":
        for x in node.inputs:
            for a in range(-rank, 0):
                if a != node.attrs["axis"]:
                    yield x, a, a
    elif name == "reshape":
        yield from _kept_sizes(node)
    elif name == "permute":
        axes = node.attrs["axes"]
        for position, a in enumerate(axes):
            yield node.inputs[0], a, position - len(axes)
        for a in range(-rank, -len(axes)):
            yield node.inputs[0], a, a
    elif name in ("slice", "embed"):
        x = node.inputs[0]
        for a in range(-rank, 0):
            if x.shape[a] == node.shape[a]:
                yield x, a, a
    elif name == "contract":
        yield from _along_labels(node)
    elif name in WINDOWS:
        (x,) = node.inputs
        for i in range(min(x.ndim, rank) - len(node.attrs[WINDOWS[name]])):
            yield x, i - x.ndim, i - rank
    elif name in ("index", "index_put"):
        yield from _along_positions(node)


def _around_axis(node: Node) -> Iterator[Link]:
    """Reductions and scans: every axis but those they go along."""
    (x,) = node.inputs
    along = node.attrs["axis"]
    axes = along if isinstance(along, tuple) else (along,)
    kept = [a for a in range(-x.ndim, 0) if a not in axes]
    if node.ndim == x.ndim:
        yield from ((x, a, a) for a in kept)
    elif node.ndim == len(kept):
        yield from ((x, a, i - node.ndim) for i, a in enumerate(kept))


def _kept_sizes(node: Node) -> Iterator[Link]:
    """A reshape keeps the axes that it has in common from the left and from the right."""
    (x,) = node.inputs
    for i in range(min(x.ndim, node.ndim)):
        if x.shape[i] != node.shape[i]:
            break
        yield x, i - x.ndim, i - node.ndim
    for a in range(1, min(x.ndim, node.ndim) + 1):
        if x.shape[-a] != node.shape[-a]:
            break
        yield x, -a, -a


def _along_labels(node: Node) -> Iterator[Link]:
    left, right, result = parts(node.attrs["spec"])
    for x, labels in zip(node.inputs, (left, right), strict=True):
        for i, label in enumerate(labels):
            if label in result:
                yield x, i - len(labels), result.index(label) - len(result)
        for a in range(-x.ndim, -len(labels)):
            outer = a + len(labels) - len(result)
            if x.shape[a] == node.shape[outer]:
                yield x, a, outer


def _along_positions(node: Node) -> Iterator[Link]:
    """Reading or writing at positions keeps the axes along which they count 0, 1, 2, ..."""
    x = node.inputs[0]
    written = node.inputs[1:2] if node.op.name == "index_put" else ()
    indices = node.inputs[1 + len(written) :]
    if len(indices) != x.ndim:
        return
    for place, index in enumerate(indices):
        axis = index.attrs["axis"] if index.op.name == "iota" else 0
        if not axis or index.size != x.shape[place]:
            continue
        along = place - x.ndim
        inner, outer = (along, axis) if not written else (along, along)
        yield x, inner, outer
        for y in (*written, *indices):
            if y.ndim >= -axis and y.shape[axis] == index.size:
                yield y, axis, outer


def _summed_labels(node: Node) -> Iterator[tuple[int, int]]:
    """The axes of the two operands that a contraction sums over together."""
    left, right, result = parts(node.attrs["spec"])
    for i, label in enumerate(left):
        if label in right and label not in result:
            yield i - len(left), right.index(label) - len(right)

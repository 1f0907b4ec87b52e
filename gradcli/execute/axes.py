"""How the axes of a node run along those of its inputs.

Constraints: reads one node; says only what holds for every value.
"""

from __future__ import annotations

from collections.abc import Iterator

from gradcli.graph.node import Node
from gradcli.ops.linalg import parts

Link = tuple[Node, int, int]
"""(input, its axis, the node's axis that runs along it), axes negative."""


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


def summed_labels(node: Node) -> Iterator[tuple[int, int]]:
    """The axes of the two operands that a contraction sums over together."""
    left, right, result = parts(node.attrs["spec"])
    for i, label in enumerate(left):
        if label in right and label not in result:
            yield i - len(left), right.index(label) - len(right)

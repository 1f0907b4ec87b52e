"""Which nodes go row by row: the analysis behind tiles, files larger than memory and clusters.

Constraints: reads the graph, computes nothing. One axis of the data, the rows, is followed
through every node; a node is the same for all rows (FIXED), has a value for each row (ROWS), or
combines all rows (CROSS).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.ops.linalg import parts

FIXED, ROWS, CROSS, WHOLE = range(4)
"""What a node is to the rows; WHOLE has rows but must be computed in one piece."""

LIGHT = 4096
"""Elements per row up to which a contraction is bound by memory, so that a tile loses nothing."""

LOCAL = frozenset(
    (
        *("expand", "reshape", "permute", "slice", "embed", "contract", "cat", "flip"),
        *("sum", "amax", "amin", "any", "all", "prod", "argmax", "argmin", "logsumexp"),
        *("softmax", "log_softmax", "cumsum", "cumprod", "logcumsumexp", "argsort"),
        *("index", "index_put"),
    )
)
"""Ops that are not elementwise and keep rows apart along every axis that `links` tells of."""

Link = tuple[Node, int, int]
"""(input, its axis, the node's axis that runs along it), axes negative."""


class Rows:
    """Where the rows are.

    Attributes:
        extent: how many rows.
        axis: node -> its negative row axis, for the nodes that have one.
        kind: node -> FIXED, ROWS, CROSS or WHOLE, for the nodes to compute.
    """

    __slots__ = ("axis", "extent", "kind")

    def __init__(self, extent: int, axis: dict[Node, int], kind: dict[Node, int]) -> None:
        self.extent = extent
        self.axis = axis
        self.kind = kind


def find_rows(order: Sequence[Node]) -> Rows | None:
    """The rows of a graph (nodes to compute, inputs first); None when nothing goes row by row."""
    classes = _axis_classes(order)
    best, extent = _largest_class(order, classes)
    if best is None:
        return None
    axis: dict[Node, int] = {}
    for node in _with_inputs(order):
        mine = [a for a in range(-node.ndim, 0) if classes.find((node, a)) == best]
        if len(mine) == 1:
            axis[node] = mine[0]
        elif mine:
            axis[node] = 0
    kind = {node: _kind(node, axis) for node in order}
    return Rows(extent, axis, kind)


class _Classes:
    """Axes that run along each other (union-find)."""

    def __init__(self) -> None:
        self.parent: dict[tuple[Node, int], tuple[Node, int]] = {}

    def find(self, key: tuple[Node, int]) -> tuple[Node, int]:
        parent = self.parent
        root = key
        while root in parent:
            root = parent[root]
        while key != root:
            parent[key], key = root, parent[key]
        return root

    def join(self, a: tuple[Node, int], b: tuple[Node, int]) -> None:
        a, b = self.find(a), self.find(b)
        if a != b:
            self.parent[b] = a


def _with_inputs(order: Sequence[Node]) -> set[Node]:
    return {x for node in order for x in (node, *node.inputs)}


def _axis_classes(order: Sequence[Node]) -> _Classes:
    classes = _Classes()
    for node in order:
        for x, inner, outer in links(node):
            classes.join((node, outer), (x, inner))
        if node.op.name == "contract":
            for a, b in _summed_labels(node):
                classes.join((node.inputs[0], a), (node.inputs[1], b))
    return classes


def _largest_class(order: Sequence[Node], classes: _Classes) -> tuple[tuple[Node, int] | None, int]:
    """The class of axes that most elements go along, and its extent."""
    weight: dict[tuple[Node, int], int] = {}
    extent: dict[tuple[Node, int], int] = {}
    for node in order:
        if node.op is FULL:
            continue
        for x in (node, *node.inputs):
            for axis, size in enumerate(x.shape):
                if size > 1:
                    root = classes.find((x, axis - x.ndim))
                    weight[root] = weight.get(root, 0) + x.size
                    extent[root] = size
    if not weight:
        return None, 0
    # Leading axes are contiguous in memory, so the first of equals wins.
    best = max(weight, key=lambda root: weight[root])
    return best, extent[best]


def _kind(node: Node, axis: dict[Node, int]) -> int:
    inputs = [x for x in node.inputs if x in axis]
    here = axis.get(node)
    if here is None:
        if not inputs:
            return FIXED
        return CROSS if _combines_rows(node, axis) else WHOLE
    if here == 0 or any(axis[x] == 0 for x in inputs):
        return WHOLE
    if node.op is FULL:
        return ROWS
    return ROWS if _row_local(node, axis) else WHOLE


def _combines_rows(node: Node, axis: dict[Node, int]) -> bool:
    """Whether a node combines all rows in a way that can be taken piece by piece."""
    name = node.op.name
    if any(axis[x] == 0 for x in node.inputs if x in axis):
        return False
    if name in ("sum", "amax", "amin", "any", "all"):
        return axis[node.inputs[0]] in node.attrs["axis"]
    if name == "contract":
        return _label_of(node, axis) is not None and node.size <= LIGHT
    return False


def _label_of(node: Node, axis: dict[Node, int]) -> str | None:
    """The label that the rows have in both operands of a contraction; None when they have none
    there."""
    left, right, result = parts(node.attrs["spec"])
    found = {
        labels[axis[x]] if -axis[x] <= len(labels) else None
        for x, labels in zip(node.inputs, (left, right), strict=True)
        if x in axis
    }
    label = found.pop() if len(found) == 1 else None
    both = all(x in axis for x in node.inputs)
    return label if both and label is not None and label not in result else None


def _row_local(node: Node, axis: dict[Node, int]) -> bool:
    """Whether the rows of a result need only the same rows of the inputs."""
    op, here = node.op, axis[node]
    if not (op.elementwise or op.name in LOCAL):
        return False
    if op.name == "contract" and not (
        node.size // node.shape[here] <= LIGHT and _light_inputs(node)
    ):
        return False
    along = {(x, inner) for x, inner, outer in links(node) if outer == here}
    with_rows = [x for x in node.inputs if x in axis]
    spreads = op.elementwise or op.name == "expand"
    return all((x, axis[x]) in along for x in with_rows) and (bool(with_rows) or spreads)


def _light_inputs(node: Node) -> bool:
    return min(x.size for x in node.inputs) <= LIGHT * 8


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


def _summed_labels(node: Node) -> Iterator[tuple[int, int]]:
    """The axes of the two operands that a contraction sums over together."""
    left, right, result = parts(node.attrs["spec"])
    for i, label in enumerate(left):
        if label in right and label not in result:
            yield i - len(left), right.index(label) - len(right)

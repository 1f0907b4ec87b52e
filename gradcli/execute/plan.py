"""Which nodes go row by row: the analysis behind tiles, files larger than memory and clusters.

Constraints: reads the graph, computes nothing. One axis of the data, the rows, is followed
through every node; a node is the same for all rows (FIXED), has a value for each row (ROWS), or
combines all rows (CROSS).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import prod

from gradcli.execute.axes import WINDOWS, Classes, axis_classes, links
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.ops.linalg import parts

FIXED, ROWS, CROSS, WHOLE = range(4)
"""What a node is to the rows; WHOLE has rows but must be computed in one piece."""

LIGHT = 4096
"""Elements per row up to which a contraction is bound by memory, so that a tile loses nothing."""

THIN = 16
"""A side of a table up to which a product with it is bound by memory."""
WIDE = 1536
"""Elements of a row from which a tile has so few rows that it lies scattered in memory."""
THICK = 512
"""Columns from which a product with one row of a table with more axes is worth a call of BLAS."""
MANY = 8
"""Such rows that are enough for the threads of most machines."""
WINDOW = 64
"""A slice of fewer rows than one in so many is gathered from the tiles that it lies in."""

LOCAL = frozenset(
    (
        *("expand", "reshape", "permute", "slice", "embed", "contract", "cat", "flip"),
        *("sum", "amax", "amin", "any", "all", "prod", "argmax", "argmin", "logsumexp"),
        *("softmax", "log_softmax", "cumsum", "cumprod", "logcumsumexp", "argsort"),
        *("index", "index_put", *WINDOWS),
    )
)
"""Ops that are not elementwise and keep rows apart along every axis that `links` tells of."""


class Rows:
    """Where the rows are.

    Attributes:
        extent: how many rows.
        axis: node -> its negative row axis, for the nodes that have one.
        kind: node -> FIXED, ROWS, CROSS or WHOLE, for the nodes to compute.
        heavy: whether contractions go row by row that memory does not bound.
    """

    __slots__ = ("axis", "extent", "heavy", "kind")

    def __init__(
        self, extent: int, axis: dict[Node, int], kind: dict[Node, int], heavy: bool = False
    ) -> None:
        self.extent = extent
        self.axis = axis
        self.kind = kind
        self.heavy = heavy


def find_rows(order: Sequence[Node]) -> Rows | None:
    """The rows of a graph (nodes to compute, inputs first); None when nothing goes row by row."""
    classes = axis_classes(order)
    found = _largest_classes(order, classes)
    return _along(order, classes, *found[0]) if found else None


def find_stored_rows(
    order: Sequence[Node],
    stored: Collection[Node],
    named: Collection[Node],
    fits: Callable[..., bool],
) -> Rows | None:
    """The rows of a graph some of whose inputs are too large for memory.

    They are those that `find_rows` finds, unless that leaves a node to compute in one piece of
    something that does not fit; then those, among the axes of what is stored, that leave none.
    Where the user named some inputs, they are the first axes of those.
    """
    classes = axis_classes(order)
    axes = {classes.find((x, -x.ndim)) for x in named if x.ndim}
    axes = axes or {classes.find((x, a)) for x in stored for a in range(-x.ndim, 0)}
    found = [each for each in _largest_classes(order, classes) if each[0] in axes]
    leading = {classes.find((x, -x.ndim)) for x in stored}
    ways = [(root, extent, heavy) for root, extent in found for heavy in (False, True)]
    ways[1:] = sorted(ways[1:], key=lambda way: way[0] not in leading)
    tried = [_along(order, classes, *way) for way in ways]
    narrow = [rows for rows in tried if _is_narrow(rows, order, fits)]
    for rows in narrow:
        if all(goes(node, rows, stored, fits) for node in order):
            return rows
    return (narrow or tried)[0] if tried else None


def _is_narrow(rows: Rows, order: Sequence[Node], fits: Callable[..., bool]) -> bool:
    """Whether a few rows of everything fit into memory."""
    return all(fits(x, 8 / rows.extent) for x in _with_inputs(order) if x in rows.axis)


def goes(node: Node, rows: Rows, stored: Collection[Node], fits: Callable[[Node], bool]) -> bool:
    """Whether a node can be computed: by rows, or from what fits."""
    if _is_part(node):
        return True
    if rows.kind[node] in (ROWS, CROSS):
        held = [x for x in node.inputs if x in stored and x not in rows.axis]
        return all(map(fits, held)) and (rows.kind[node] == ROWS or fits(node))
    return all(fits(x) for x in node.inputs if x in stored or x in rows.axis)


def _is_part(node: Node) -> bool:
    """A slice of a known value, of which nothing else is read."""
    return node.op.name == "slice" and node.inputs[0].value is not None


def _along(
    order: Sequence[Node],
    classes: Classes,
    root: tuple[Node, int],
    extent: int,
    heavy: bool = False,
) -> Rows:
    """The analysis for one class of axes."""
    axis: dict[Node, int] = {}
    known: dict[Node, int | None] = {}
    for node in _with_inputs(order):
        like = classes.alike(node)
        if like not in known:
            mine = [a for a in range(-like.ndim, 0) if classes.find((like, a)) == root]
            known[like] = (mine[0] if len(mine) == 1 else 0) if mine else None
        found = known[like]
        if found is not None:
            axis[node] = found
    kind = {node: _kind(node, axis, heavy) for node in order}
    return Rows(extent, axis, kind, heavy)


def _with_inputs(order: Sequence[Node]) -> set[Node]:
    return {x for node in order for x in (node, *node.inputs)}


def _largest_classes(order: Sequence[Node], classes: Classes) -> list[tuple[tuple[Node, int], int]]:
    """The classes of axes and their extents, those that most elements go along first."""
    weight: dict[tuple[Node, int], int] = {}
    leading: dict[tuple[Node, int], int] = {}
    extent: dict[tuple[Node, int], int] = {}
    width: dict[tuple[Node, int], int] = {}
    for x, count in _counted(order, classes).items():
        for axis, size in enumerate(x.shape):
            if size > 1:
                root = classes.find((x, axis - x.ndim))
                weight[root] = weight.get(root, 0) + x.size * count
                leading[root] = leading.get(root, 0) + (0 if axis else x.size * count)
                extent[root] = size
                width[root] = max(width.get(root, 1), x.size // size)
    # Leading axes are contiguous in memory, so the first of equals wins.
    best = sorted(weight, key=lambda root: -weight[root])
    if best and width[best[0]] > WIDE and 2 * leading[best[0]] < weight[best[0]]:
        # A few columns at a time are scattered in memory: short rows of about the same weight are
        # better.
        least, short = 0.9 * weight[best[0]], width[best[0]] // 4
        best.sort(key=lambda r: weight[r] < least or not leading[r] or width[r] > short)
    return [(root, extent[root]) for root in best]


def _counted(order: Sequence[Node], classes: Classes) -> dict[Node, int]:
    """How often nodes that are alike are written or read."""
    counts: dict[Node, int] = {}
    for node in order:
        if node.op is not FULL:
            for x in (node, *node.inputs):
                like = classes.alike(x)
                counts[like] = counts.get(like, 0) + 1
    return counts


def _kind(node: Node, axis: dict[Node, int], heavy: bool) -> int:
    inputs = [x for x in node.inputs if x in axis]
    here = axis.get(node)
    if here is None:
        if not inputs:
            return FIXED
        return CROSS if _combines_rows(node, axis, heavy) else WHOLE
    if here == 0 or any(axis[x] == 0 for x in inputs):
        return WHOLE
    if node.op is FULL:
        return ROWS
    return ROWS if _row_local(node, axis, heavy) else WHOLE


def _combines_rows(node: Node, axis: dict[Node, int], heavy: bool) -> bool:
    """Whether a node combines all rows in a way that can be taken piece by piece."""
    name = node.op.name
    if any(axis[x] == 0 for x in node.inputs if x in axis):
        return False
    if name in ("sum", "amax", "amin", "any", "all"):
        return axis[node.inputs[0]] in node.attrs["axis"]
    if name == "contract":
        row = max(x.size // x.shape[axis[x]] for x in node.inputs if x in axis)
        small = node.size <= max(LIGHT, THIN * row)
        return _label_of(node, axis) is not None and (heavy or small)
    if name == "slice":
        x = node.inputs[0]
        _, length, step = node.attrs["slices"][axis[x]]
        return x.value is None and WINDOW * length * step < x.shape[axis[x]]
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


def _row_local(node: Node, axis: dict[Node, int], heavy: bool) -> bool:
    """Whether the rows of a result need only the same rows of the inputs."""
    op, here = node.op, axis[node]
    if op.elementwise or op.name == "expand":
        return all([axis.get(x, here) == here for x in node.inputs])
    if op.name not in LOCAL:
        return False
    if op.name == "contract" and not (
        heavy or _is_light(node, here) or _is_stack(node, here) or _is_thick(node, here)
    ):
        return False
    along = {(x, inner) for x, inner, outer in links(node) if outer == here}
    with_rows = [x for x in node.inputs if x in axis]
    return bool(with_rows) and all((x, axis[x]) in along for x in with_rows)


def _is_stack(node: Node, axis: int) -> bool:
    """Whether each row is a product of its own, of a row of both operands."""
    left, right, result = parts(node.attrs["spec"])
    if -axis <= len(result):
        return result[axis] in left and result[axis] in right
    sizes = [
        x.shape[axis - len(result) + len(y)]
        for x, y in zip(node.inputs, (left, right), strict=True)
        if x.ndim >= len(y) + -axis - len(result)
    ]
    return sizes == [node.shape[axis]] * 2


def _is_thick(node: Node, axis: int) -> bool:
    """Whether each row is a product of a matrix with many columns, and there are enough of them."""
    left, right, result = parts(node.attrs["spec"])
    if -axis > len(result) or node.shape[axis] < MANY:
        return False
    sizes = dict(zip(result, node.shape[node.ndim - len(result) :], strict=True))
    row = result[axis]
    kept = [
        [c for c in sides[0] if c not in sides[1] and c in sizes]
        for sides in ((left, right), (right, left))
    ]
    columns = [prod(sizes[c] for c in labels if c != row) for labels in kept if row in labels]
    return bool(columns) and columns[0] >= THICK


def _is_light(node: Node, axis: int) -> bool:
    x, y = node.inputs
    small = min(x.size, y.size) <= LIGHT * 8
    left, _, result = parts(node.attrs["spec"])
    summed = [
        n for n, c in zip(x.shape[x.ndim - len(left) :], left, strict=True) if c not in result
    ]
    row = node.size // node.shape[axis]
    return (small and row <= LIGHT) or min(prod(summed), row) <= THIN

"""A node's part in a tile: its rows of an array, its shape, its attributes.

Constraints: says what, computes nothing.
"""

from __future__ import annotations

from typing import Any

from gradcli.execute.plan import Rows
from gradcli.graph.node import Node

Array = Any


def rows_of(array: Array, axis: int, first: int, last: int) -> Array:
    """The rows from `first` to `last`, without a copy."""
    if array.ndim == -axis:
        return array[first:last]
    return array[(..., slice(first, last), *(slice(None),) * (-axis - 1))]


def local_shape(node: Node, rows: Rows, height: int) -> tuple[int, ...]:
    """The shape of a node's part in a tile."""
    axis = rows.axis.get(node)
    if axis is None:
        return node.shape
    shape = list(node.shape)
    shape[axis] = height
    return tuple(shape)


def local_attributes(node: Node, rows: Rows, height: int) -> dict[str, Any]:
    """The attributes of a node for one tile: its height where they said all rows."""
    attrs = dict(node.attrs)
    axis = rows.axis.get(node)
    if axis is None or not attrs:
        return attrs
    for name in ("shape", "slices"):
        if name in attrs and -axis <= len(attrs[name]):
            changed = list(attrs[name])
            changed[axis] = height if name == "shape" else (0, height, 1)
            attrs[name] = tuple(changed)
    return attrs


def window(node: Node, axis: int, first: int, height: int) -> tuple[Any, ...]:
    """The index of what a slice of all rows takes of the tile that begins with row `first`."""
    slices = node.attrs["slices"]
    start, length, step = slices[axis]
    begin = start - first
    skipped = max(0, -(begin // step)) if begin < 0 else 0
    begin += skipped * step
    count = min(length - skipped, -(-(height - begin) // step))
    taken = [slice(a, a + n * s, s) for a, n, s in slices]
    taken[axis] = slice(begin, begin + max(0, count) * step, step)
    return (..., *taken)

"""Indexing by arrays of positions: reading, writing, and their adjoints.

Constraints: see gradcli/ops. `axes` is how many trailing axes of `x` the op speaks of; the indices,
broadcast against each other, address the first `len(indices)` of those and are never negative.
"""

from __future__ import annotations

from gradcli.graph.dtype import DType, int64
from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.graph.shape import Shape, broadcast
from gradcli.ops.movement import expand
from gradcli.ops.rows import zero

iota = Op("iota", lambda *, shape, axis: (shape, int64))
"""0, 1, 2, ... along one axis (negative) of `shape`, whose other axes have length 1."""


def _picked(x: Node, axes: int, indices: tuple[Node, ...]) -> Shape:
    core = x.shape[x.ndim - axes :]
    return broadcast(*(i.shape for i in indices)) + core[len(indices) :]


def _index(x: Node, *indices: Node, axes: int) -> tuple[Shape, DType]:
    return x.shape[: x.ndim - axes] + _picked(x, axes, indices), x.dtype


def _index_add(x: Node, *indices: Node, shape: Shape) -> tuple[Shape, DType]:
    picked = len(broadcast(*(i.shape for i in indices))) + len(shape) - len(indices)
    return x.shape[: x.ndim - picked] + shape, x.dtype


def _index_put(x: Node, y: Node, *indices: Node, axes: int) -> tuple[Shape, DType]:
    return x.shape, x.dtype


index: Op = Op(
    "index",
    _index,
    lambda g, out, x, *indices, axes, position: index_add(
        g, *indices, shape=x.shape[x.ndim - axes :]
    ),
    variadic=True,
    exact=True,
)
index_add: Op = Op(
    "index_add",
    _index_add,
    lambda g, out, x, *indices, shape, position: index(g, *indices, axes=len(shape)),
    variadic=True,
)


def _index_put_rule(
    g: Node, out: Node, x: Node, y: Node, *indices: Node, axes: int, position: int
) -> Node:
    if position == 0:
        return index_put(g, expand(zero(g), shape=_picked(x, axes, indices)), *indices, axes=axes)
    return index(g, *indices, axes=axes)


index_put: Op = Op("index_put", _index_put, _index_put_rule, variadic=True, exact=True)

"""Reading and writing at one place in each row: what a plan makes of it.

Constraints: graph to graph; the rules of simplify.py for the ops that take positions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradcli.graph.build import Builder
from gradcli.graph.node import Node
from gradcli.graph.op import FULL

Attrs = Mapping[str, Any]
DEPTH = 8
"""Through how many elementwise ops reading at positions is moved."""


def index_add(s: Builder, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """One value a row, each written to a place of its own, needs no adding."""
    x, *indices = inputs
    if _own_places(x, indices, attrs["shape"]) is None:
        return None
    zeros = s.constant(0, node.dtype, node.shape)
    return s.make("index_put", (zeros, *inputs), node, axes=len(attrs["shape"]))


def index(s: Builder, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """One value read from each row of an elementwise result needs only that of its operands."""
    x, *indices = inputs
    if attrs["axes"] == x.ndim:
        picked = s.constant(0, node.dtype, node.shape)
        along = _own_places(picked, indices, x.shape)
        if along is not None:
            return _read(s, x, tuple(indices), along, node, DEPTH)
    return None


def _read(
    s: Builder, x: Node, indices: tuple[Node, ...], along: int, node: Node, depth: int
) -> Node:
    """`x` read at one place a row: through elementwise ops with one operand of its shape."""
    thin = [y.ndim < -along or y.shape[along] == 1 for y in x.inputs]
    whole = [y.shape == x.shape for y in x.inputs]
    passes = all(a or b for a, b in zip(thin, whole, strict=True)) and whole.count(True) == 1
    if depth == 0 or x.value is not None or not x.op.elementwise or not passes:
        return s.shaped("index", (x, *indices), node.shape, x.dtype, node, node.attrs)
    operands = tuple(
        y if is_thin else _read(s, y, indices, along, node, depth - 1)
        for y, is_thin in zip(x.inputs, thin, strict=True)
    )
    return s.shaped(x.op.name, operands, node.shape, x.dtype, x, x.attrs)


def _own_places(x: Node, indices: Sequence[Node], shape: tuple[int, ...]) -> int | None:
    """The axis along which each row of `x` has one place; None where rows may share places."""
    if x.ndim != len(shape) or len(indices) != len(shape):
        return None
    others = []
    for axis, index in enumerate(indices):
        if index.op.name != "iota" or index.shape[axis] != index.size:
            others.append(axis)
        elif index.size != shape[axis]:
            return None
    return others[0] - x.ndim if len(others) == 1 and x.shape[others[0]] == 1 else None


def is_spread(x: Node) -> bool:
    """Whether `x` is zeros with a value in each row."""
    if x.op.name != "index_put" or x.value is not None or x.inputs[0].op is not FULL:
        return False
    zeros, source, *indices = x.inputs
    return zeros.attrs["value"] == 0 and _own_places(source, indices, x.shape) is not None


def total(s: Builder, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """Summing along the axis that values were spread over gives the values back."""
    (x,) = inputs
    if not is_spread(x):
        return None
    _, source, *indices = x.inputs
    along = _own_places(source, indices, x.shape)
    return s.reshape(source, node.shape) if attrs["axis"] == (along,) else None

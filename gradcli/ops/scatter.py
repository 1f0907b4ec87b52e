"""Writes that combine what falls on one place, and views of memory by strides.

Constraints: see gradcli/ops; `axes` and the positions are those of gradcli/ops/indexing.py.
"""

from __future__ import annotations

from gradcli.graph.dtype import DType
from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.graph.shape import Shape
from gradcli.ops.elementwise import cast, conj, eq, logical_and, where
from gradcli.ops.indexing import index, index_add, index_put
from gradcli.ops.movement import expand
from gradcli.ops.rows import zero

Numbers = tuple[int, ...]


class Places:
    """Positions in a tensor: reading there, adding up there, writing zeros there."""

    def __init__(self, x: Node, indices: tuple[Node, ...], axes: int) -> None:
        self.indices = indices
        self.axes = axes
        self.shape = x.shape[x.ndim - axes :]

    def read(self, value: Node) -> Node:
        """The elements of `value` at the positions."""
        return index(value, *self.indices, axes=self.axes)

    def added(self, value: Node) -> Node:
        """Zeros, with the elements of `value` added at the positions."""
        return index_add(value, *self.indices, shape=self.shape)

    def cleared(self, value: Node) -> Node:
        """`value` with zeros at the positions."""
        picked = self.read(value).shape[value.ndim - self.axes :]
        return index_put(value, expand(zero(value), shape=picked), *self.indices, axes=self.axes)


def _scatter_reduce(
    x: Node, y: Node, *indices: Node, axes: int, reduce: str, include: bool
) -> tuple[Shape, DType]:
    return x.shape, x.dtype


def _scatter_reduce_rule(
    g: Node,
    out: Node,
    x: Node,
    y: Node,
    *indices: Node,
    axes: int,
    reduce: str,
    include: bool,
    position: int,
) -> Node:
    places = Places(x, indices, axes)
    if reduce == "prod":
        again = {"axes": axes, "reduce": reduce, "include": include}
        if position == 1:
            return _factor_rule(g, out, x, y, places, again)
        safe = where(eq(x, zero(x)), zero(x) + 1, x)
        part = g * conj(scatter_reduce(safe, y, *indices, **again) / safe)
        return part if include else places.cleared(part)
    held, fell = cast(eq(x, out), x.dtype), cast(eq(y, places.read(out)), x.dtype)
    # As in PyTorch, an element that is not included takes its share when it equals the result.
    share = g / (held + places.added(fell))
    if position == 1:
        return fell * places.read(share)
    return held * share if include else places.cleared(held * share)


def _factor_rule(
    g: Node, out: Node, x: Node, y: Node, places: Places, again: dict[str, object]
) -> Node:
    """The cotangent of the factors `y` of products; a single zero among them needs the others."""
    one, is_zero = zero(y) + 1, eq(y, zero(y))
    zeros = places.read(places.added(cast(is_zero, y.dtype)))
    single = logical_and(is_zero, eq(zeros, one))
    others = scatter_reduce(x, where(single, one, y), *places.indices, **again)
    quotient = places.read(g * conj(out)) / conj(where(is_zero, one, y))
    return where(single, places.read(g * conj(others)), quotient)


scatter_reduce = Op("scatter_reduce", _scatter_reduce, _scatter_reduce_rule, variadic=True)
"""`x` with the elements of `y` multiplied (`prod`) or compared (`amax`, `amin`) into positions."""


def _as_strided(
    x: Node, *, shape: Shape, strides: Numbers, offset: int, source: Shape
) -> tuple[Shape, DType]:
    return x.shape[: x.ndim - len(source)] + shape, x.dtype


def _strided_add(
    x: Node, *, shape: Shape, strides: Numbers, offset: int, source: Shape
) -> tuple[Shape, DType]:
    return x.shape[: x.ndim - len(shape)] + source, x.dtype


as_strided = Op(
    "as_strided",
    _as_strided,
    lambda g, out, x, **geometry: strided_add(g, **geometry),
    view=True,
)
"""The last axes, of the shape `source`, as one row of memory read by strides."""
strided_add: Op = Op(
    "strided_add", _strided_add, lambda g, out, x, **geometry: as_strided(g, **geometry)
)
"""The adjoint of `as_strided`: adds up what comes from one place."""

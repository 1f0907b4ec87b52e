"""Sums over axes of products of tables, each of which lacks some of the axes: as contractions.

Constraints: makes nodes. Tables are aligned with the whole, whose axes are negative: along an axis
that a table lacks it has length 1, or it has no such axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from string import ascii_lowercase
from typing import NamedTuple

from gradcli.graph.build import Builder
from gradcli.graph.dtype import DType, float64
from gradcli.graph.node import Node
from gradcli.graph.shape import Shape

Axes = frozenset[int]


class Factor(NamedTuple):
    """A table and the axes along which it differs."""

    node: Node
    axes: Axes


Terms = Mapping[tuple[Factor, ...], float]
"""Products of factors, with their coefficients."""


class Split(NamedTuple):
    """A sum of a term: a number, factors, and two tables that are contracted along `common`."""

    number: float
    factors: list[Factor]
    pair: tuple[Factor, Factor] | None
    common: Axes


def axes_of(x: Node) -> Axes:
    """The axes along which a table differs."""
    return frozenset([a for a in range(-x.ndim, 0) if x.shape[a] > 1])


class Products(Builder):
    """Makes sums of terms."""

    def cast(self, x: Node, kind: DType) -> Node:
        """`x` as `kind`."""
        if x.dtype is kind:
            return x
        return self.shaped("cast", (x,), x.shape, kind, x, {"dtype": kind})

    def splits(self, terms: Terms, axes: Axes, space: Shape) -> list[Split] | None:
        """The sum over `axes` of each term; None where one is no contraction of two tables."""
        found = [self._split(number, f, axes, space) for f, number in terms.items()]
        return [each for each in found if each is not None] if None not in found else None

    def total(self, splits: list[Split], space: Shape) -> Node:
        """The sum of sums, float64."""
        joined, rest = self._joined(splits, space)
        nodes = [*joined, *(self.node_of(split, space) for split in rest)]
        made = nodes[0]
        for other in nodes[1:]:
            made = self.both("add", made, other)
        return made

    def node_of(self, split: Split, space: Shape) -> Node:
        """One of the sums."""
        factors = sorted(split.factors, key=lambda factor: factor.node.size)
        nodes = [factor.node for factor in factors]
        number = split.number
        if split.pair is not None:
            left, right = split.pair
            if not nodes:
                right, left = sorted((right, left), key=lambda factor: factor.node.size)
                right, number = Factor(self._times(number, right.node), right.axes), 1.0
            nodes.append(self._contracted(left, right, split.common, space))
        nodes[0] = self._times(number, nodes[0]) if nodes else self.constant(number, float64)
        made = nodes[0]
        for other in nodes[1:]:
            made = self.both("mul", made, other)
        return made

    def _split(
        self, number: float, factors: Iterable[Factor], axes: Axes, space: Shape
    ) -> Split | None:
        groups: dict[Axes, Node] = {}
        for node, along in factors:
            node = self.cast(node, float64)
            groups[along] = self.both("mul", groups[along], node) if along in groups else node
        inside = [Factor(node, a) for a, node in groups.items() if a & axes]
        outside = [Factor(node, a) for a, node in groups.items() if not a & axes]
        number *= prod([space[a] for a in axes.difference(*[f.axes for f in inside])])
        while len(inside) > 2:
            found = self._fewer(sorted(inside, key=lambda f: len(f.axes)), axes, space)
            if found is None:
                return None
            inside = found
        common = axes.intersection(*[f.axes for f in inside]) if len(inside) == 2 else Axes()
        inside = [self._summed(f, f.axes & axes - common) for f in inside]
        if not common:
            return Split(number, outside + inside, None, common)
        return Split(number, outside, (inside[0], inside[1]), common)

    def _fewer(self, factors: list[Factor], axes: Axes, space: Shape) -> list[Factor] | None:
        """Two of several factors as one: multiplied, or summed along axes that no other has."""
        for x in factors:
            for y in factors:
                if x is y:
                    continue
                rest = [f for f in factors if f is not x and f is not y]
                if x.axes <= y.axes:
                    return [*rest, Factor(self.both("mul", x.node, y.node), y.axes)]
                common = (axes & x.axes & y.axes).difference(*[f.axes for f in rest])
                if common and x.node.size >= y.node.size:
                    made = self._contracted(x, y, common, space)
                    return [*rest, Factor(made, (x.axes | y.axes) - common)]
        return None

    def _joined(self, splits: list[Split], space: Shape) -> tuple[list[Node], list[Split]]:
        """Contractions of the same axes as one of longer rows; sums that differ along one side of
        it only are a column more."""
        pair = next((s.pair for s in splits if s.pair and not s.factors), None)
        common = next((s.common for s in splits if s.pair and not s.factors), Axes())
        if pair is None or len(splits) < 2 or common != {-1}:
            return [], splits
        sides = [f.axes - common for f in pair]
        if sides[0] & sides[1] or not all(sides):
            return [], splits
        columns: tuple[list[Node], list[Node]] = [], []
        rest = []
        for split in splits:
            both = self._columns(split, sides, space)
            if both is None:
                rest.append(split)
                continue
            for column, node in zip(columns, both, strict=True):
                column.append(node)
        tables = [self._beside(nodes) for nodes in columns]
        shape = (*space[:-1], tables[0].shape[-1])
        left, right = (Factor(t, s | common) for t, s in zip(tables, sides, strict=True))
        return [self._contracted(left, right, common, shape)], rest

    def _columns(self, split: Split, sides: list[Axes], space: Shape) -> list[Node] | None:
        """What a sum is in each of the tables whose contraction it is a part of."""
        if split.pair is not None:
            pair = sorted(split.pair, key=lambda f: f.axes - split.common != sides[0])
            if split.factors or [f.axes - split.common for f in pair] != sides:
                return None
            nodes = [pair[0].node, self._times(split.number, pair[1].node)]
        else:
            along = Axes().union(*[f.axes for f in split.factors])
            if not (along <= sides[0] or along <= sides[1]):
                return None
            one, made = self.constant(1.0, float64), self.node_of(split, space)
            nodes = [made, one] if along and along <= sides[0] else [one, made]
        return [self._table(x, side, space) for x, side in zip(nodes, sides, strict=True)]

    def _table(self, x: Node, side: Axes, space: Shape) -> Node:
        """A table with the axes of a side, and one more, the last."""
        last = x.shape[-1] if x.ndim else 1
        shape = tuple([n if a - len(space) in side else 1 for a, n in enumerate(space)])
        whole = self.spread(x, (*shape[:-1], last))
        return self.reshape(whole, (*[n for n in shape if n > 1], last))

    def _beside(self, nodes: list[Node]) -> Node:
        shape = (*nodes[0].shape[:-1], sum([node.shape[-1] for node in nodes]))
        return self.shaped("cat", tuple(nodes), shape, float64, nodes[0], {"axis": -1})

    def _summed(self, factor: Factor, axes: Axes) -> Factor:
        if not axes:
            return factor
        node = factor.node
        shape = tuple([1 if a - node.ndim in axes else n for a, n in enumerate(node.shape)])
        beyond = -1 - max(axes) if max(factor.axes) == max(axes) else 0
        last = self.reshape(node, node.shape[: node.ndim - beyond])  # rows that end with the axis
        attrs = {"axis": tuple(sorted([a + beyond for a in axes])), "keepdims": True}
        short = shape[: node.ndim - beyond]
        made = self.shaped("sum", (last,), short, node.dtype, node, attrs)
        return Factor(self.reshape(made, shape), factor.axes - axes)

    def _contracted(self, left: Factor, right: Factor, common: Axes, space: Shape) -> Node:
        """The sum of products along `common`, aligned with the whole."""
        result = (left.axes | right.axes) - common
        if result and min(result) not in left.axes:
            left, right = right, left
        labels = [
            "".join([ascii_lowercase[a] for a in sorted(axes)])
            for axes in (left.axes, right.axes, result)
        ]
        tables = [
            self.reshape(f.node, tuple([space[a] for a in sorted(f.axes)])) for f in (left, right)
        ]
        shape = tuple([space[a] for a in sorted(result)])
        spec = f"{labels[0]},{labels[1]}->{labels[2]}"
        made = self.shaped("contract", tuple(tables), shape, float64, tables[0], {"spec": spec})
        aligned = tuple([n if a - len(space) in result else 1 for a, n in enumerate(space)])
        return self.reshape(made, aligned)

    def _times(self, number: float, x: Node) -> Node:
        if number == 1:
            return x
        return self.make("mul", (self.constant(number, x.dtype), x), x)

    def both(self, name: str, x: Node, y: Node) -> Node:
        """An op of two aligned tables."""
        rank = max(x.ndim, y.ndim)
        a, b = ((1,) * (rank - z.ndim) + z.shape for z in (x, y))
        shape = tuple([max(m, n) for m, n in zip(a, b, strict=True)])
        return self.shaped(name, (x, y), shape, x.dtype, x)

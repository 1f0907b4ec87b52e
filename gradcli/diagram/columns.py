"""Layers one after the other along the flow, wrapped into columns where they are many.

Constraints: lengths are along the flow (`u`) and across it (`v`) until the end, which turns them
into x and y; so there is one way for a flow that goes down and one that goes to the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, sqrt

from gradcli.diagram.layers import Layers, Point

GAP = 16.0
"""Between boxes of one layer."""
BETWEEN = 30.0
"""Between layers."""
GUTTER = 40.0
"""Between columns, where arrows go back up."""
LANE = 7.0
"""Between two such arrows."""
PAGE = 1.4
"""The ratio of width to height that is aimed at."""


class Columns:
    """A part of the drawing, placed.

    Attributes:
        places: the upper left corner of each of the part's boxes, in its order.
        routes: for each of its arrows the points it goes through.
        width, height: of the part.
    """

    def __init__(self, layers: Layers, sizes: Sequence[Point], across: bool) -> None:
        self._layers = layers
        self._across = across
        self._along = {box: sizes[box][0 if across else 1] for box in layers.boxes}
        self._breadths = {box: sizes[box][1 if across else 0] for box in layers.boxes}
        self._thick = [0.0] * (max(layers.layer.values()) + 1)
        for box, size in self._along.items():
            layer = layers.layer[box]
            self._thick[layer] = max(self._thick[layer], size)
        wide = max(self._breadths.values()) + GAP
        breadth = (max(layers.position.values()) + 1) * wide - GAP
        self._wrap(breadth)
        self._length = max(s + t for s, t in zip(self._starts, self._thick, strict=True))
        self._centre = {
            n: self._offset[self._column[layer]] + layers.position[n] * wide + (wide - GAP) / 2
            for n, layer in layers.layer.items()
        }
        self.places = [self._place(box) for box in layers.boxes]
        used = [0] * len(self._offset)
        self.routes = [self._route(path, used) for path in layers.paths]
        end = self._turned(self._length + 2 * self._room, self._offset[-1] + breadth)
        self.width, self.height = end

    def _wrap(self, breadth: float) -> None:
        """Decides where each layer starts, in which column, and where the columns are."""
        count = self._count(breadth)
        length = (sum(self._thick) + BETWEEN * len(self._thick)) / count
        self._starts, self._column = [], []
        u, column = 0.0, 0
        for size in self._thick:
            if u > 0 and u + size > length + BETWEEN and column < count - 1:
                u, column = 0.0, column + 1
            self._starts.append(u)
            self._column.append(column)
            u += size + BETWEEN
        crossing = [self._crossings(c) for c in range(column + 1)]
        self._offset = [0.0]
        for c in range(1, column + 1):
            self._offset.append(self._offset[-1] + breadth + GUTTER + LANE * crossing[c])
        self._room = LANE * max(crossing) + BETWEEN / 2 * (column > 0)

    def _count(self, breadth: float) -> int:
        """Into how many columns the layers are wrapped, so that the drawing fits a page."""
        length = sum(self._thick) + BETWEEN * len(self._thick)
        ratio = 1 / PAGE if self._across else PAGE
        if length < 3 * breadth / ratio or len(self._thick) < 12:
            return 1
        return max(1, ceil(sqrt(length * ratio / (breadth + GUTTER))))

    def _crossings(self, into: int) -> int:
        """How many arrows come into a column from another one."""
        layer, column = self._layers.layer, self._column
        return sum(
            column[layer[a]] != into and column[layer[b]] == into
            for path in self._layers.paths
            for a, b in pairwise(path)
        )

    def _turned(self, u: float, v: float) -> Point:
        return (u, v) if self._across else (v, u)

    def _place(self, box: int) -> Point:
        u = self._ends(box)[0]
        return self._turned(self._room + u, self._centre[box] - self._breadths[box] / 2)

    def _ends(self, node: int) -> tuple[float, float]:
        """Where a box begins and ends along the flow; a bend takes its whole layer."""
        layer = self._layers.layer[node]
        start, thick = self._starts[layer], self._thick[layer]
        size = self._along[node] if self._layers.is_box(node) else thick
        return start + (thick - size) / 2, start + (thick + size) / 2

    def _route(self, path: list[int], used: list[int]) -> list[Point]:
        """The points of an arrow; `used` counts the arrows in the gutter before each column."""
        route: list[Point] = []
        layer, column = self._layers.layer, self._column
        for a, b in pairwise(path):
            route.append((self._ends(a)[1], self._centre[a]))
            there = column[layer[b]]
            if column[layer[a]] != there:
                used[there] += 1
                lane = LANE * used[there]
                aside = self._offset[there] - GUTTER / 2 - lane + LANE
                down, up = self._length + BETWEEN / 2 + lane / 2, -BETWEEN / 2 - lane / 2
                route += [(down, self._centre[a]), (down, aside), (up, aside)]
                route.append((up, self._centre[b]))
            route.append((self._ends(b)[0], self._centre[b]))
        return [self._turned(self._room + u, v) for u, v in route]

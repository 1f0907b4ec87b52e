"""Where boxes and arrows go: layers by fast-sugiyama, then columns for what is long.

Constraints: the flow goes down or to the right, whichever fits a page better; the same drawing
always looks the same. Knows sizes, nothing of what is in the boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt

from gradcli.diagram.columns import PAGE, Columns
from gradcli.diagram.layers import Layers, Point

APART = 34.0
"""Between parts that no arrow joins."""


class Layout:
    """Positions.

    Attributes:
        width, height: of the drawing.
        places: the upper left corner of each box.
        routes: for each arrow the points it goes through; consecutive ones are joined by a curve
            along the flow.
        across: whether the flow goes to the right instead of down.
    """

    def __init__(self) -> None:
        self.width = self.height = 0.0
        self.places: list[Point] = []
        self.routes: list[list[Point]] = []
        self.across = False


def layout(sizes: Sequence[Point], arrows: Sequence[tuple[int, int]]) -> Layout:
    """The layout of boxes of these widths and heights, joined by arrows that form no circle."""
    parts = [
        Layers(boxes, [arrows[place] for place in places], places)
        for boxes, places in _components(len(sizes), arrows)
    ]
    return min((_packed(parts, sizes, len(arrows), across) for across in (False, True)), key=_bad)


def _bad(made: Layout) -> float:
    ratio = abs(log(max(made.width, 1) / max(made.height, 1) / PAGE))
    return ratio + 0.1 * made.across


def _components(count: int, arrows: Sequence[tuple[int, int]]) -> list[tuple[list[int], list[int]]]:
    """The boxes, and the places of the arrows, of each part that hangs together."""
    root = list(range(count))

    def find(box: int) -> int:
        while root[box] != box:
            root[box] = box = root[root[box]]
        return box

    for a, b in arrows:
        a, b = sorted((find(a), find(b)))
        root[b] = a
    parts: dict[int, tuple[list[int], list[int]]] = {}
    for box in range(count):
        parts.setdefault(find(box), ([], []))[0].append(box)
    for place, (a, _) in enumerate(arrows):
        parts[find(a)][1].append(place)
    return list(parts.values())


def _packed(parts: Sequence[Layers], sizes: Sequence[Point], arrows: int, across: bool) -> Layout:
    """All parts, each laid out, side by side in rows that make a page."""
    blocks = [Columns(part, sizes, across) for part in parts]
    area = sum((block.width + APART) * (block.height + APART) for block in blocks)
    limit = max(sqrt(area * PAGE), *(block.width for block in blocks))
    whole = Layout()
    whole.across = across
    whole.places = [(0.0, 0.0)] * len(sizes)
    whole.routes = [[] for _ in range(arrows)]
    x = y = row = 0.0
    for part, block in zip(parts, blocks, strict=True):
        if x > 0 and x + block.width > limit:
            x, y, row = 0.0, y + row + APART, 0.0
        for box, place in zip(part.boxes, block.places, strict=True):
            whole.places[box] = (place[0] + x, place[1] + y)
        for number, route in zip(part.numbers, block.routes, strict=True):
            whole.routes[number] = [(u + x, v + y) for u, v in route]
        whole.width = max(whole.width, x + block.width)
        row = max(row, block.height)
        x += block.width + APART
    whole.height = y + row
    return whole

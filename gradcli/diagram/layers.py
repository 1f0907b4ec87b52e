"""Boxes in layers, the sources in the first: fast-sugiyama's answer with the names of the boxes.

Constraints: the same graph always gets the same layers; the library is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.errors import GradcliError

Point = tuple[float, float]


class Layers:
    """A part of the drawing in layers: for each box and bend its layer and its position in it.

    Bends have numbers after those of all boxes. `paths` are arrows as chains of boxes and bends;
    `numbers` says which arrows.
    """

    def __init__(
        self, boxes: list[int], arrows: Sequence[tuple[int, int]], numbers: list[int]
    ) -> None:
        self.boxes = boxes
        self.numbers = numbers
        self.bends = max(boxes) + 1
        self.layer = dict.fromkeys(boxes, 0)
        self.position = dict.fromkeys(boxes, 0.0)
        steps: dict[int, list[int]] = {}
        edges = sorted(set(arrows))
        if edges:
            positions, links = _sugiyama(edges)
            known = set(boxes)
            bends = (node for node, _ in positions if node not in known)
            names = {node: self.bends + place for place, node in enumerate(bends)}
            low = min(x for _, (x, _) in positions)
            top = max(y for _, (_, y) in positions)
            for node, (x, y) in positions:
                self.layer[names.get(node, node)] = round(top - y)
                self.position[names.get(node, node)] = x - low
            for a, b in links:
                steps.setdefault(names.get(a, a), []).append(names.get(b, b))
        self.paths = [self._path(a, b, steps) for a, b in arrows]

    def is_box(self, node: int) -> bool:
        """Whether it is a box, not a bend."""
        return node < self.bends

    def _path(self, start: int, end: int, steps: dict[int, list[int]]) -> list[int]:
        """The chain of bends from `start` to `end`."""
        for first in steps.get(start, []):
            path = [start, first]
            while not self.is_box(path[-1]):
                path.append(steps[path[-1]][0])
            if path[-1] == end:
                return path
        return [start, end]


def _sugiyama(
    edges: list[tuple[int, int]],
) -> tuple[list[tuple[int, Point]], list[tuple[int, int]]]:
    """Positions of boxes and bends, the sources on top, and the links between them."""
    try:
        from fast_sugiyama import from_edges
    except ImportError:
        raise GradcliError(
            "G071",
            "pictures are laid out by fast-sugiyama, which is not installed",
            help=[
                "pip install 'gradcli[graph]'",
                "or write what needs no layout: the tree, --to dot, --to mermaid, --to json",
            ],
            kind=ImportError,
        ) from None

    names = sorted({box for edge in edges for box in edge})
    index = {box: place for place, box in enumerate(names)}
    small = [(index[a], index[b]) for a, b in edges]
    ((positions, _, _, links),) = from_edges(
        small, vertex_spacing=1, dummy_vertices=True, dummy_size=0.3
    )
    count, bend = len(names), max(names) + 1 - len(names)

    def name(node: Any) -> int:
        return names[node] if node < count else int(node) + bend

    found = [(name(node), (float(x), float(y))) for node, (x, y) in positions]
    return found, [(name(a), name(b)) for a, b in links or small]

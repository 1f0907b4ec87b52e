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
            self._straighten(steps)
        self.paths = [self._path(a, b, steps) for a, b in arrows]

    def _straighten(self, steps: dict[int, list[int]]) -> None:
        """Moves whole layers, so that what much hangs on goes straight on, where that makes the
        drawing half as broad: a long chain whose steps take operands from one side drifts to the
        other.
        """
        position = dict(self.position)
        above: dict[int, int] = {}  # the set of what leads to a node, as bits
        into: dict[int, list[int]] = {}
        by_layer: dict[int, list[int]] = {}
        for a, ends in steps.items():
            for b in ends:
                into.setdefault(b, []).append(a)
        for node, layer in self.layer.items():
            by_layer.setdefault(layer, []).append(node)
        for layer in sorted(by_layer):
            weights = moved = 0.0
            for b in by_layer[layer]:
                above[b] = 1 << b
                for a in into.get(b, ()):
                    above[b] |= above[a]
                    weight = above[a].bit_count() ** 2
                    moved += weight * (position[a] - position[b])
                    weights += weight
            for b in by_layer[layer] if weights else ():
                position[b] += moved / weights
        low, high = min(position.values()), max(position.values())
        if 2 * (high - low) < max(self.position.values()):
            self.position = {node: x - low for node, x in position.items()}

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

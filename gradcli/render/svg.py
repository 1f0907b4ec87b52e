"""A drawing as SVG.

Constraints: one self-contained text, the same for the same drawing; colours and fonts in one style
sheet, so that the HTML page can restyle it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from gradcli.diagram.boxes import Arrow, Box, Diagram
from gradcli.diagram.layers import Point
from gradcli.diagram.layout import layout
from gradcli.render.boxes import lines

FONT = 12
ADVANCE = 0.602 * FONT
"""The width of a character of a monospaced font."""
LINE = 15.0
PAD = 9.0
MARGIN = 16.0
FAMILIES = (
    '"DejaVu Sans Mono", ui-monospace, Menlo, Consolas, "Liberation Mono", "Noto Sans Mono", '
    '"Ubuntu Mono", "Courier New", monospace'
)
STYLE = (
    f"text {{ font: 12px {FAMILIES}; fill: #24292f }}"
    + """
.title { font-weight: bold }
.text, .shape { fill: #57606a } .value { fill: #0a5ea8 } .grad { fill: #a1460a }
.box rect { fill: #ffffff; stroke: #8c959f; stroke-width: 1 }
.variable rect { fill: #ddf0ff; stroke: #3b82c4 } .constant rect { fill: #f3f4f6; stroke: #c4c9cf }
.gradient rect { fill: #fff3e6; stroke: #d9822b } .error rect { fill: #ffe3e3; stroke: #cf222e }
.result rect { stroke: #1a7f37; stroke-width: 2.5; fill: #e9f9ee }
.copy rect { stroke-dasharray: 3 2 } .copy text { font-weight: normal }
.arrow { fill: none; stroke: #8c959f; stroke-width: 1.2 }
.arrow.gradient { stroke: #d9822b; stroke-dasharray: 5 3 }
.arrow, .box rect { vector-effect: non-scaling-stroke }
.head { fill: #8c959f } .head.gradient { fill: #d9822b }
"""
)
SHARED = 5
"""Uses from which a variable is drawn anew at each of them."""
HUB = 25
"""Arrows from which any box is drawn anew at each of them."""


def svg(diagram: Diagram) -> str:
    """The SVG document."""
    shapes, arrows = _spread(diagram)
    made = layout([shape.size for shape in shapes], [_forward(arrow, arrows) for arrow in arrows])
    width, height = made.width + 2 * MARGIN, made.height + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label='
        f"{quoteattr('computation graph of ' + diagram.source.text.strip())}>",
        f"<style>{STYLE}</style>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<g transform="translate({MARGIN:g} {MARGIN:g})">',
    ]
    for arrow, route in zip(arrows, made.routes, strict=True):
        parts.append(_arrow(arrow, _directed(arrow, arrows, route), made.across))
    parts += [_box(*pair) for pair in zip(shapes, made.places, strict=True)]
    return "\n".join([*parts, "</g>", "</svg>"])


class Shape:
    """What is drawn: a box, or a small `copy` of one that has arrows in many places."""

    __slots__ = ("box", "copy", "lines")

    def __init__(self, box: Box, diagram: Diagram, *, copy: bool = False) -> None:
        self.box = box
        self.copy = copy
        self.lines = lines(box, diagram)[: 1 if copy else None]

    @property
    def size(self) -> Point:
        """Width and height."""
        longest = max(len(text) for _, text in self.lines)
        return longest * ADVANCE + 2 * PAD, len(self.lines) * LINE + 2 * PAD - 3


def _spread(diagram: Diagram) -> tuple[list[Shape], list[Arrow]]:
    """Shapes, and arrows between them by their places in the list.

    What is used in many places, or uses many, is drawn once in full, and small at each of them.
    """
    out: Counter[int] = Counter(arrow.start for arrow in diagram.arrows)
    into: Counter[int] = Counter(arrow.end for arrow in diagram.arrows)
    few = {"variable": SHARED, "constant": 1}
    whole = [box for box in diagram.boxes if box.kind != "constant" or not out[box.number]]
    shapes = [Shape(box, diagram) for box in whole]
    index = {box.number: place for place, box in enumerate(whole)}
    arrows = []
    for arrow in diagram.arrows:
        ends = []
        for number, count in ((arrow.start, out), (arrow.end, into)):
            box = diagram.boxes[number]
            if count[number] >= few.get(box.kind, HUB):
                ends.append(len(shapes))
                shapes.append(Shape(box, diagram, copy=box.kind != "constant"))
            else:
                ends.append(index[number])
        arrows.append(Arrow(ends[0], ends[1], arrow.kind))
    return shapes, arrows


def _is_return(arrow: Arrow, arrows: Sequence[Arrow]) -> bool:
    """Whether it goes back along an arrow of the values."""
    return arrow.kind == "gradient" and any(
        a.kind == "value" and (a.end, a.start) == (arrow.start, arrow.end) for a in arrows
    )


def _forward(arrow: Arrow, arrows: Sequence[Arrow]) -> tuple[int, int]:
    if _is_return(arrow, arrows):
        return arrow.end, arrow.start
    return arrow.start, arrow.end


def _directed(arrow: Arrow, arrows: Sequence[Arrow], route: list[Point]) -> list[Point]:
    """The route in the arrow's direction; one that goes back runs beside the other."""
    if not _is_return(arrow, arrows):
        return route
    return [(x + 9, y) for x, y in reversed(route)]


def _box(shape: Shape, place: Point) -> str:
    box, size = shape.box, shape.size
    name = f"box {box.kind}{' result' * box.result}{' copy' * shape.copy}"
    x, y = place
    parts = [
        f'<g class="{name}" data-box="{box.number}" transform="translate({x:.1f} {y:.1f})">',
        f"<title>{escape(box.text or box.title)}</title>",
        f'<rect width="{size[0]:.1f}" height="{size[1]:.1f}" rx="5"/>',
    ]
    for row, (kind, text) in enumerate(shape.lines):
        down = PAD + LINE * row + 10
        parts.append(
            f'<text class="{kind}" x="{size[0] / 2:.1f}" y="{down:.1f}" '
            f'text-anchor="middle" xml:space="preserve">{escape(text)}</text>'
        )
    return "".join([*parts, "</g>"])


def _arrow(arrow: Arrow, route: Sequence[Point], across: bool) -> str:
    path = [f"M{route[0][0]:.1f} {route[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(route):
        if across:
            middle = (x0 + x1) / 2
            path.append(f"C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}")
        else:
            middle = (y0 + y1) / 2
            path.append(f"C{x0:.1f} {middle:.1f} {x1:.1f} {middle:.1f} {x1:.1f} {y1:.1f}")
    return (
        f'<path class="arrow {arrow.kind}" d="{"".join(path)}"/>'
        f'<path class="head {arrow.kind}" d="{_head(route, across)}"/>'
    )


def _head(route: Sequence[Point], across: bool) -> str:
    (x0, y0), (x, y) = route[-2:]
    if across:
        back = -7 if x >= x0 else 7
        return f"M{x:.1f} {y:.1f}L{x + back:.1f} {y - 4:.1f}L{x + back:.1f} {y + 4:.1f}Z"
    back = -7 if y >= y0 else 7
    return f"M{x:.1f} {y:.1f}L{x - 4:.1f} {y + back:.1f}L{x + 4:.1f} {y + back:.1f}Z"

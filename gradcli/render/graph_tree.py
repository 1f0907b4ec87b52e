"""A drawing as a tree in the terminal: the result at the root, what it is computed from below.

Constraints: plain text with box-drawing lines; colour only adds style. What is used twice is
written out once. No recursion.
"""

from __future__ import annotations

import io

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from gradcli.diagram.boxes import Box, Diagram
from gradcli.render.boxes import lines

STYLES = {"variable": "bold blue", "constant": "dim", "error": "bold red", "gradient": "yellow"}
DEEP = 30
"""Levels from which chains without branches are written one below the other, not indented."""


INDENT = 4
"""Columns that a level takes."""
GAP, LEAST = 2, 12
"""Columns between the parts of a line, and those of a source text that are always shown."""
AGAIN = "  (see above)"


def tree(diagram: Diagram, *, colour: bool, width: int = 0) -> str:
    """The tree; several where the drawing has several ends.

    What passes `width` columns is cut, values and gradients first; 0 is no limit.
    """
    below = _below(diagram)
    used = {number for numbers in below.values() for number in numbers}
    roots = [box for box in diagram.boxes if box.number not in used]
    deep = _depth(diagram, below) > DEEP
    shown: set[int] = set()
    console = Console(
        file=io.StringIO(),
        width=10_000,
        force_terminal=colour,
        color_system="standard" if colour else None,
        legacy_windows=False,
    )
    for root in roots:
        console.print(_branch(root, diagram, below, shown, deep, width), soft_wrap=True)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines())


def _below(diagram: Diagram) -> dict[int, list[int]]:
    """What stands below each box: what it is computed from, or gets its gradient from."""
    below: dict[int, list[int]] = {}
    plain = [arrow for arrow in diagram.arrows if arrow.kind == "value"]
    both = {(arrow.start, arrow.end) for arrow in plain}
    for arrow in diagram.arrows:
        if arrow.kind == "value" or (arrow.end, arrow.start) not in both:
            below.setdefault(arrow.end, []).append(arrow.start)
    return below


def _depth(diagram: Diagram, below: dict[int, list[int]]) -> int:
    depth: dict[int, int] = {}
    pending = [box.number for box in diagram.boxes]
    while pending:
        number = pending[-1]
        missing = [n for n in below.get(number, []) if n not in depth]
        if missing:
            pending += missing
        else:
            depth[pending.pop()] = 1 + max((depth[n] for n in below.get(number, [])), default=0)
    return max(depth.values(), default=0)


def _branch(
    root: Box,
    diagram: Diagram,
    below: dict[int, list[int]],
    shown: set[int],
    deep: bool,
    width: int,
) -> Tree:
    made = Tree(Text(), guide_style="dim", highlight=False)
    pending: list[tuple[int, Tree, int]] = [(root.number, made, 0)]
    while pending:
        number, place, level = pending.pop()
        labels = []
        while True:
            again = number in shown and bool(below.get(number))
            shown.add(number)
            room = max(1, width - INDENT * level) if width else 0
            labels.append(_label(diagram.boxes[number], diagram, room, again=again))
            inner = [] if again else below.get(number, [])
            if not deep or len(inner) != 1:
                break
            number = inner[0]
        place.label = Text("\n").join(labels)
        branches = [(n, place.add(Text()), level + 1) for n in inner]
        pending += reversed(branches)
    return made


def _label(box: Box, diagram: Diagram, room: int, *, again: bool) -> Text:
    """A box in one line; where it passes `room` columns its values go first, then its source."""
    (_, title), *rest = lines(box, diagram)
    style = "bold green" if box.result else STYLES.get(box.kind, "bold")
    room -= len(AGAIN) * (again and room > 0)
    kept = [title, *(text for kind, text in rest if kind not in ("value", "grad"))]
    mark = GAP + 1 if len(rest) >= len(kept) else 0  # what was cut leaves its mark
    excess = sum(map(cell_len, kept)) + GAP * (len(kept) - 1) + mark - room if room > 0 else 0
    label = Text(title, style)
    for kind, text in rest:
        part = Text(text, "" if kind == "text" else "dim")
        if kind == "text" and excess > 0:
            part.truncate(max(LEAST, part.cell_len - excess), overflow="ellipsis")
        if kind in ("value", "grad") and room > 0:
            left = room - label.cell_len - GAP
            if left < 1:
                break
            part.truncate(left, overflow="ellipsis")
        label.append(" " * GAP).append(part)
    return label.append(AGAIN, "dim") if again else label

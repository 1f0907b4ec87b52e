"""A drawing as a tree in the terminal: the result at the root, what it is computed from below.

Constraints: plain text with box-drawing lines; colour only adds style. What is used twice is
written out once. No recursion.
"""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from gradcli.diagram.boxes import Box, Diagram
from gradcli.render.boxes import lines

STYLES = {"variable": "bold blue", "constant": "dim", "error": "bold red", "gradient": "yellow"}
DEEP = 30
"""Levels from which chains without branches are written one below the other, not indented."""


def tree(diagram: Diagram, *, colour: bool) -> str:
    """The tree; several where the drawing has several ends."""
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
        console.print(_branch(root, diagram, below, shown, deep), soft_wrap=True)
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
    root: Box, diagram: Diagram, below: dict[int, list[int]], shown: set[int], deep: bool
) -> Tree:
    made = Tree(Text(), guide_style="dim", highlight=False)
    pending: list[tuple[int, Tree]] = [(root.number, made)]
    while pending:
        number, place = pending.pop()
        label = _label(diagram.boxes[number], diagram)
        again = number in shown and bool(below.get(number))
        while not again:
            shown.add(number)
            inner = below.get(number, [])
            if not deep or len(inner) != 1:
                break
            number = inner[0]
            again = number in shown and bool(below.get(number))
            label = Text.assemble(label, "\n", _label(diagram.boxes[number], diagram))
        if again:
            label.append("  (see above)", "dim")
            inner = []
        place.label = label
        branches = [(n, place.add(Text())) for n in inner]
        pending += reversed(branches)
    return made


def _label(box: Box, diagram: Diagram) -> Text:
    (_, title), *rest = lines(box, diagram)
    style = "bold green" if box.result else STYLES.get(box.kind, "bold")
    label = Text(title, style)
    for kind, text in rest:
        label.append("  ")
        label.append(text, "" if kind == "text" else "dim")
    return label

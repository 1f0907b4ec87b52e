"""A drawing as text for other programs: DOT, Mermaid and JSON.

Constraints: valid whatever is in the boxes; the whole graph, nothing shortened but long texts in
labels.
"""

from __future__ import annotations

from typing import Any

from gradcli.diagram.boxes import Box, Diagram
from gradcli.render.boxes import lines

COLOURS = {
    "variable": ("#ddf0ff", "#3b82c4"),
    "constant": ("#f3f4f6", "#c4c9cf"),
    "function": ("#ffffff", "#8c959f"),
    "gradient": ("#fff3e6", "#d9822b"),
    "error": ("#ffe3e3", "#cf222e"),
    "result": ("#e9f9ee", "#1a7f37"),
}
"""Fill and border of each kind of box."""


def dot(diagram: Diagram) -> str:
    """The DOT language of Graphviz."""
    rows = [
        "digraph gradcli {",
        '  node [shape=box, style="rounded,filled", fontname="monospace"];',
    ]
    for box in diagram.boxes:
        label = "\\n".join(_dot_text(text) for _, text in lines(box, diagram))
        fill, border = COLOURS["result" if box.result else box.kind]
        rows.append(
            f'  n{box.number} [label="{label}", fillcolor="{fill}", color="{border}", '
            f'tooltip="{_dot_text(box.text or box.title)}"];'
        )
    for arrow in diagram.arrows:
        style = ' [style=dashed, color="#d9822b"]' if arrow.kind == "gradient" else ""
        rows.append(f"  n{arrow.start} -> n{arrow.end}{style};")
    return "\n".join([*rows, "}"])


def mermaid(diagram: Diagram) -> str:
    """A Mermaid flowchart, as GitHub shows it in Markdown."""
    rows = ["flowchart TD"]
    for box in diagram.boxes:
        label = "<br/>".join(_mermaid_text(text) for _, text in lines(box, diagram))
        kind = "result" if box.result else box.kind
        rows.append(f'  n{box.number}["{label}"]:::{kind}')
    for arrow in diagram.arrows:
        line = "-.->" if arrow.kind == "gradient" else "-->"
        rows.append(f"  n{arrow.start} {line} n{arrow.end}")
    used = dict.fromkeys("result" if box.result else box.kind for box in diagram.boxes)
    for kind in used:
        fill, border = COLOURS[kind]
        rows.append(f"  classDef {kind} fill:{fill},stroke:{border},color:#24292f")
    return "\n".join(rows)


def graph_record(diagram: Diagram) -> dict[str, Any]:
    """The drawing as data: what `--to json` prints, and the page shows."""
    error = diagram.error
    return {
        "gradcli": 1,
        "expression": diagram.source.text.strip(),
        "nodes": [_record(box, diagram) for box in diagram.boxes],
        "edges": [{"from": a.start, "to": a.end, "kind": a.kind} for a in diagram.arrows],
        "error": None if error is None else {"code": error.code, "message": error.message},
    }


def _record(box: Box, diagram: Diagram) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": box.number,
        "kind": box.kind,
        "name": box.title,
        "source": box.text or None,
        "span": None,
        "shape": None if box.shape is None else [_size(size) for size in box.shape],
        "dtype": box.dtype,
        "result": box.result,
    }
    if box.span is not None and box.span.source is diagram.source:
        record["span"] = [box.span.start, box.span.end]
    if box.value is not None:
        record["value"] = box.value
    if diagram.differentiated and box.kind in ("variable", "function"):
        record["grad"] = box.grad
    if box.formulas:
        record["derivative"] = box.formulas
    return record


def _size(size: Any) -> Any:
    return str(size) if hasattr(size, "form") else int(size)


def _dot_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _mermaid_text(text: str) -> str:
    """The text with every character that Mermaid or Markdown reads as its entity."""
    return "".join(c if c.isalnum() or c in " .,=+-/…" else f"#{ord(c)};" for c in text)

"""A drawing as one HTML page: pan, zoom, and click on a box for all there is to know of it.

Constraints: self-contained, nothing is fetched (its Content-Security-Policy forbids it); texts go
in as data, never as markup.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files

from gradcli.diagram.boxes import Diagram
from gradcli.files import json_text
from gradcli.render.graph_text import graph_record
from gradcli.render.svg import svg


def page(diagram: Diagram) -> str:
    """The page."""
    record = {**graph_record(diagram), "text": diagram.source.text}
    data = json_text(record).replace("<", "\\u003c")
    text = files("gradcli.render").joinpath("page.html").read_text(encoding="utf-8")
    parts = {"@TITLE@": escape(f"gradcli graph: {diagram.source.text.strip()}")}
    parts |= {"@SVG@": svg(diagram), "@DATA@": data}
    for mark, part in parts.items():
        before, _, after = text.partition(mark)
        text = before + part + after
    return text

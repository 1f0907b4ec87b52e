"""What stands in a box of a drawing, as short lines of text.

Constraints: shortens, computes nothing; formulas come from the rules of the op table.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.diagram.boxes import Box, Diagram
from gradcli.graph.shape import text as shape_text

TEXT = 30
"""Characters of a line of source text."""
SHORT = 8
"""Characters up to which an operand stays in the text of a long operation."""


def lines(box: Box, diagram: Diagram) -> list[tuple[str, str]]:
    """The lines of a box as (class, text): `title`, `text`, `shape`, `value`, `grad`."""
    found = [("title", shortened(box.title))]
    if box.text and box.text != box.title:
        found.append(("text", own_text(box)))
    if box.kind == "constant":
        return found
    if box.shape is not None:
        found.append(("shape", shape_line(box)))
    if box.value is not None:
        found.append(("value", f"= {array_text(box.value)}"))
    if diagram.differentiated and box.kind in ("variable", "function"):
        found.append(("grad", f"grad {'-' if box.grad is None else array_text(box.grad)}"))
    return found


def own_text(box: Box) -> str:
    """The source of a box in one line; where it is long, without what stands in other boxes."""
    text = box.text
    for operand in sorted(box.operands.values(), key=len, reverse=True):
        if len(text) > TEXT and len(operand) > SHORT and operand != text:
            text = text.replace(operand, "…")
    return shortened(text.replace("(…)", "…") if len(text) > TEXT else text)


def shape_line(box: Box) -> str:
    """Shape and dtype: `(2, 3) float32`."""
    shape = box.shape or ()
    return f"{shape_text(shape) if shape else 'scalar'} {box.dtype}"


def shortened(text: str, length: int = TEXT) -> str:
    """The text, with its middle left out where it is long."""
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[: length - 1 - half]}…{text[-half:]}"


def array_text(array: Any, most: int = 4) -> str:
    """A few elements as they are, more of them as a range."""
    array = np.asarray(array)
    if array.size == 0:
        return "no elements"
    if array.ndim == 0:
        return f"{array.item():.4g}" if array.dtype.kind in "fc" else str(array.item())
    if array.size <= most:
        return str([_number(item) for item in array.reshape(-1).tolist()]).replace("'", "")
    if array.dtype.kind == "c":
        return f"{array.size} complex numbers"
    bad = int(array.size - np.count_nonzero(np.isfinite(array)))
    good = array[np.isfinite(array)]
    if good.size == array.size and good.min() == good.max():
        return f"all {_number(good.reshape(-1)[0].item())}"
    span = f"{_number(good.min().item())} … {_number(good.max().item())}" if good.size else ""
    return f"{span}{', ' if span and bad else ''}{f'{bad} not finite' if bad else ''}"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (float, complex)) else str(value)

"""Timings as a table and as JSON.

Constraints: computes nothing but ratios; columns are aligned, numbers to the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.benching.timing import Timing
from gradcli.files import json_text

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


def table(timings: Sequence[Timing]) -> str:
    """One line for each peer: name, version, median, ratio to gradcli, fastest turn."""
    head = ("", "version", "median", "ratio", "fastest")
    rows = [head, *(_row(t, timings[0].median) for t in timings if not t.error)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    lines += [f"{t.name} cannot run it: {t.error}" for t in timings if t.error]
    lines += [f"{t.name} gives other numbers" for t in timings if t.agrees is False]
    return "\n".join(lines)


def _cells(row: tuple[str, ...], widths: Sequence[int]) -> list[str]:
    left, right = row[:2], row[2:]
    cells = [text.ljust(width) for text, width in zip(left, widths, strict=False)]
    return cells + [text.rjust(width) for text, width in zip(right, widths[2:], strict=True)]


def _row(timing: Timing, base: float | None) -> tuple[str, ...]:
    seconds = timing.median or 0.0
    ratio = f"{seconds / base:.2f}" if base else ""
    return timing.name, timing.version, duration(seconds), ratio, duration(min(timing.seconds))


def duration(seconds: float) -> str:
    """Three digits and a unit: `12.3 us`."""
    for size, unit in UNITS:
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def as_json(expression: str, wrt: Sequence[str], timings: Sequence[Timing]) -> str:
    """One object: what was timed, and what came of each peer, in seconds."""
    return json_text(
        {
            "gradcli": 1,
            "expression": expression,
            "wrt": list(wrt),
            "timings": [_record(t, timings[0].median) for t in timings],
        }
    )


def _record(timing: Timing, base: float | None) -> dict[str, Any]:
    seconds = timing.median
    if seconds is None:
        return {"name": timing.name, "version": timing.version, "error": timing.error}
    return {
        "name": timing.name,
        "version": timing.version,
        "median": seconds,
        "fastest": min(timing.seconds),
        "turns": len(timing.seconds),
        "ratio": seconds / base if base else None,
        "agrees": timing.agrees,
    }

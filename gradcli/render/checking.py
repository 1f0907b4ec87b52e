"""Reports of checks as text and JSON.

Constraints: renders what was found; computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.checks.judge import CODES
from gradcli.checks.report import Report, Worst
from gradcli.graph.shape import text as shape_text
from gradcli.render.diagnostic import render_diagnostic
from gradcli.render.markup import Paint

COLUMNS = ("autodiff", "differences", "by hand")


def checks_text(reports: Sequence[Report], paint: Paint, *, named: bool) -> str:
    """A block for each report, and a line that counts them; `named` shows the checks' names."""
    blocks = [_block(report, paint, named) for report in reports]
    bad = sum(not report.ok for report in reports)
    count = len(reports)
    what = f"{count} derivative{'s' * (count != 1)} checked"
    blocks.append(f"{what}, {bad} failed" if bad else f"{what}, all right")
    return "\n".join(blocks)


def _block(report: Report, paint: Paint, named: bool) -> str:
    head = paint("ok  ", "help") if report.ok else paint("FAIL", "error")
    name = " ".join(report.name.split())
    title = f"{name}: {report.variable}" if named else report.variable
    if report.error is not None:
        block = render_diagnostic(report.error).replace("\n", "\n      ")
        return f"{head}  {paint(name, 'strong')}{_place(report)}\n      {block}"
    about = f"{shape_text(report.shape)}, {report.where}{_place(report)}"
    lines = [f"{head}  {paint(title, 'strong')}  {about}"]
    code = CODES.get(report.verdict)
    error = f" [{code}]" if code else f", largest relative error {report.max_error:.2g}"
    lines.append(f"      {report.sentence}{error}")
    if report.slip is not None:
        lines.append(f"      {paint('slip', 'help')}: {report.slip}")
    lines += [f"      note: {note}" for note in report.notes]
    if report.worst:
        lines += _table(report)
    return "\n".join(lines)


def _place(report: Report) -> str:
    """Where a check that failed stands in its file, as editors read it."""
    if report.ok or report.place is None:
        return ""
    source = report.place.source
    return f"  {source.name}:{source.position(report.place.start)[0]}"


def _table(report: Report) -> list[str]:
    heads = ["index", *COLUMNS[: 3 if report.has_hand else 2]]
    several = report.where != "the given point"
    if several:
        heads.insert(0, "point")
    rows = [heads, *([*([str(w.point)] * several), *_cells(w, report)] for w in report.worst)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    return [
        "      " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cells(worst: Worst, report: Report) -> list[str]:
    values = [worst.autodiff, worst.differences]
    shown = [f"{value:.7g}" for value in values]
    if report.has_hand:
        shown.append("" if worst.hand is None else f"{worst.hand:.7g}")
    return [str(list(worst.index)), *shown]


def checks_json(reports: Sequence[Report]) -> str:
    """The contract's list, on one line."""
    from gradcli.files import json_text

    return json_text([_record(report) for report in reports])


def _record(report: Report) -> dict[str, Any]:
    return {
        "name": report.name,
        "variable": report.variable,
        "ok": report.ok,
        "verdict": report.sentence,
        "max_error": report.max_error,
        "worst": [
            {
                "point": worst.point,
                "index": list(worst.index),
                "autodiff": worst.autodiff,
                "differences": worst.differences,
                "expected": worst.hand,
            }
            for worst in report.worst
        ],
        "slip": report.slip,
        "notes": report.notes,
    }

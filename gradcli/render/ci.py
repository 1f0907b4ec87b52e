"""Reports of checks for machines that run them: GitHub annotations and summary, JUnit, SARIF.

Constraints: valid whatever the names and messages are; GitHub shows at most ten annotations a step.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from gradcli import __version__
from gradcli.checks.judge import CODES as VERDICT_CODES
from gradcli.checks.report import Report
from gradcli.errors import CODES

ANNOTATIONS = 10
MARKDOWN = re.compile(r"[\\`*_\[\]<>|~&$#@]")
FORBIDDEN = frozenset((*map(chr, range(0xD800, 0xE000)), "\ufffe", "\uffff"))


def github(reports: Sequence[Report]) -> str:
    """GitHub's workflow commands for what failed; empty where nothing did."""
    lines = []
    for report in [r for r in reports if not r.ok][:ANNOTATIONS]:
        fields = {"title": f"{_code(report)} {_title(report)}"}
        span = report.place
        if span is not None:
            line, column = span.source.position(span.start)
            end = span.source.position(span.end)[1]
            fields = {"file": span.source.name, "line": str(line), "col": str(column)} | fields
            fields["endColumn"] = str(end)
        shown = ",".join(f"{key}={_property(value)}" for key, value in fields.items())
        lines.append(f"::error {shown}::{_data(_message(report))}")
    return "\n".join(lines)


def summary(reports: Sequence[Report]) -> str:
    """The table for `$GITHUB_STEP_SUMMARY`, in Markdown."""
    bad = sum(not report.ok for report in reports)
    lines = [
        f"### gradcli check: {len(reports) - bad} of {len(reports)} derivatives are right",
        "",
        "| | check | variable | largest error | verdict |",
        "|---|---|---|---|---|",
    ]
    for report in reports:
        mark = ":white_check_mark:" if report.ok else ":x:"
        error = "" if report.error is not None else f"{report.max_error:.2g}"
        cells = [_cell(text) for text in (report.name, report.variable, error, _message(report))]
        lines.append(f"| {mark} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def junit(reports: Sequence[Report]) -> str:
    """JUnit's XML: a test case for each derivative."""
    failures = sum(not r.ok and r.error is None for r in reports)
    errors = sum(r.error is not None for r in reports)
    counts = f'tests="{len(reports)}" failures="{failures}" errors="{errors}"'
    counts += f' skipped="0" time="{sum(r.seconds for r in reports):.3f}"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites {counts}>"]
    lines.append(f'<testsuite name="gradcli check" {counts}>')
    for report in reports:
        name = _attribute(report.variable or "expression")
        head = f"<testcase classname={_attribute(report.name)} name={name}"
        head += f' time="{report.seconds:.3f}"'
        if report.place is not None:
            line = report.place.source.position(report.place.start)[0]
            head += f' file={_attribute(report.place.source.name)} line="{line}"'
        if report.ok:
            lines.append(f"{head}/>")
            continue
        kind = "failure" if report.error is None else "error"
        message = _message(report)
        lines.append(
            f"{head}><{kind} type={_attribute(_code(report))} message={_attribute(message)}>"
            f"{escape(_printable(message))}</{kind}></testcase>"
        )
    return "\n".join([*lines, "</testsuite>", "</testsuites>"])


def sarif(reports: Sequence[Report]) -> str:
    """SARIF 2.1.0: a result for each derivative that failed."""
    bad = [report for report in reports if not report.ok]
    codes = sorted({_code(report) for report in bad})
    driver = {
        "name": "gradcli",
        "version": __version__,
        "rules": [{"id": code, "shortDescription": {"text": CODES[code]}} for code in codes],
    }
    results = []
    for report in bad:
        result: dict[str, object] = {
            "ruleId": _code(report),
            "level": "error",
            "message": {"text": f"{_title(report)}: {_message(report)}"},
        }
        result["locations"] = [_location(report)]
        results.append(result)
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(document, indent=2)


def _location(report: Report) -> dict[str, object]:
    """Where a check stands: its name, and of one in a file the place."""
    found: dict[str, object] = {"logicalLocations": [{"fullyQualifiedName": _title(report)}]}
    span = report.place
    if span is not None:
        line, column = span.source.position(span.start)
        end = span.source.position(span.end)[1]
        region = {"startLine": line, "startColumn": column, "endColumn": end}
        artifact = {"uri": _uri(span.source.name)}
        found["physicalLocation"] = {"artifactLocation": artifact, "region": region}
    return found


def _uri(path: str) -> str:
    """A path as a URI reference: relative, as it was given, or absolute."""
    return Path(path).as_uri() if os.path.isabs(path) else quote(path.replace(os.sep, "/"))


def _code(report: Report) -> str:
    return VERDICT_CODES[report.verdict] if report.error is None else report.error.code


def _title(report: Report) -> str:
    return f"{report.name} ({report.variable})" if report.variable else report.name


def _message(report: Report) -> str:
    said = [report.sentence, *(["slip: " + report.slip] if report.slip else []), *report.notes]
    if report.error is not None:
        said += [f"help: {help}" for help in report.error.help]
    return "; ".join(said)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _cell(text: str) -> str:
    """Text in a cell of a table, with what Markdown, HTML and GitHub's formulas would read."""
    return MARKDOWN.sub(r"\\\g<0>", " ".join(text.split()))


def _printable(text: str) -> str:
    """The text without what XML 1.0 cannot hold."""
    return "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in FORBIDDEN))


def _attribute(text: str) -> str:
    return quoteattr(_printable(text), {"\n": "&#10;"})

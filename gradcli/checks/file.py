"""A file of checks: TOML, one `[[check]]` a derivative, read into records with their lines.

Constraints: knows the format, evaluates nothing; an unknown key is an error with its line.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from gradcli.errors import Diagnostic, GradcliError, Label, did_you_mean
from gradcli.source import Source, Span

KEYS = (
    *("name", "expression", "shapes", "values", "expect", "wrt", "order", "samples", "seed"),
    "tolerance",
)
HEADER = re.compile(r"^[ \t]*\[\[[ \t]*check[ \t]*\]\]", re.MULTILINE)


class Record:
    """One check of a file.

    Attributes:
        name: unique in the file; span: its header; end: where the next one begins.
        expression: the text.
        bindings: as on the command line: `x=3`, `X:m,n`.
        expect: variable -> formula; the variable is empty where only one formula is given.
        settings: `wrt`, `order`, `samples`, `seed`, `tolerance`, as far as given.
    """

    def __init__(self, table: Mapping[str, Any], number: int, span: Span, end: int) -> None:
        for key in table:
            if key not in KEYS:
                help = did_you_mean(key, KEYS) or f"keys: {', '.join(KEYS)}"
                raise _wrong(f"a check has no key {key}", span, help)
        self.span = span
        self.end = end
        self.name = _typed(table, "name", str, span, "") or f"check {number}"
        self.expression = _typed(table, "expression", str, span, "")
        if not self.expression.strip():
            raise _wrong(f"{self.name} has no expression", span, 'expression = "sum(x**2)"')
        shapes = _typed(table, "shapes", dict, span, {})
        values = _typed(table, "values", dict, span, {})
        self.bindings = [f"{name}:{_sizes(size)}" for name, size in shapes.items()]
        self.bindings += [f"{name}={value}" for name, value in values.items()]
        expect = table.get("expect", {})
        self.expect = dict(expect) if isinstance(expect, Mapping) else {"": expect}
        for name, formula in self.expect.items():
            if not isinstance(formula, (str, int, float)) or isinstance(formula, bool):
                raise _wrong(f"expect {name} is no formula", span, 'expect = { x = "2*x" }')
        self.settings: dict[str, Any] = {}
        for key, kind in (("order", int), ("samples", int), ("seed", int), ("tolerance", float)):
            if key in table:
                self.settings[key] = kind(_typed(table, key, (int, kind), span, 0))
        if "wrt" in table:
            wrt = _typed(table, "wrt", (list, str), span, "")
            names = wrt.split(",") if isinstance(wrt, str) else list(wrt)
            if not all(isinstance(name, str) for name in names):
                raise _wrong("wrt must be names of variables", span, 'wrt = ["x", "y"]')
            self.settings["wrt"] = [name.strip() for name in names]
        _bounds(self.settings, span)

    def located(self, diagnostic: Diagnostic) -> Diagnostic:
        """A report with the places inside of the record's texts as places in the file."""
        labels = [Label(self._in_file(label.span), label.text) for label in diagnostic.labels]
        return Diagnostic(
            diagnostic.code,
            diagnostic.message,
            labels,
            help=diagnostic.help,
            notes=diagnostic.notes,
            severity=diagnostic.severity,
        )

    def _in_file(self, span: Span) -> Span:
        file, inner = self.span.source, span.source
        keys = ("expression", "expect", "values", "shapes")
        own = keys[:1] if inner.name == f"<{self.name}>" else keys[1:]
        for key in own:
            found = re.compile(rf"^[ \t]*{key}\b", re.MULTILINE).search(
                file.text, self.span.end, self.end
            )
            start = -1 if found is None else file.text.find(inner.text, found.end(), self.end)
            if start >= 0:
                return Span(file, start + span.start, start + span.end)
        return span


def records(source: Source) -> list[Record]:
    """The checks of a file.

    Raises:
        GradcliError: G051 with the place, for what is no TOML or no file of checks.
    """
    try:
        document = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        raise _malformed(source, error) from None
    headers = [Span(source, m.start(), m.end()) for m in HEADER.finditer(source.text)]
    tables = document.get("check")
    whole = Span(source, 0, len(source.text.partition("\n")[0]))
    others = [key for key in document if key != "check"]
    if others or not isinstance(tables, list) or len(headers) != len(tables):
        fact = f"{others[0]} is no check" if others else "there is no check"
        raise _wrong(fact, whole, "a check begins with [[check]] and has an expression")
    ends = [*(s.start for s in headers[1:]), len(source.text)]
    each = zip(tables, headers, ends, strict=True)
    found = [Record(t, i, s, end) for i, (t, s, end) in enumerate(each, 1)]
    names: set[str] = set()
    for record in found:
        if record.name in names:
            raise _wrong(f"two checks are called {record.name}", record.span, "rename one")
        names.add(record.name)
    return found


def _typed(table: Mapping[str, Any], key: str, kind: Any, span: Span, default: Any) -> Any:
    value = table.get(key, default)
    if not isinstance(value, kind) or isinstance(value, bool):
        names = [k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,))]
        wanted = {"dict": "a table", "str": "a text", "int": "a number", "float": "a number"}
        raise _wrong(f"{key} must be {wanted[names[-1]]}", span, "see gradcli check --help")
    return value


def _bounds(settings: Mapping[str, Any], span: Span) -> None:
    if settings.get("order", 1) not in (1, 2):
        raise _wrong("order must be 1 or 2", span, "order = 2 checks second derivatives")
    if not 1 <= settings.get("samples", 1) <= 1000:
        raise _wrong("samples must be from 1 to 1000", span, "samples = 3")
    if not 0 < settings.get("tolerance", 1.0) < math.inf:
        raise _wrong("tolerance must be a positive number", span, "tolerance = 1e-6")
    if not 0 <= settings.get("seed", 0) < 2**64:
        raise _wrong("seed must be from 0 to 2**64 - 1", span, "seed = 0")


def _sizes(size: Any) -> str:
    return ",".join(map(str, size)) if isinstance(size, list) else str(size)


def _wrong(fact: str, span: Span, help: str | list[str]) -> GradcliError:
    return GradcliError("G051", fact, span, help=help)


def _malformed(source: Source, error: tomllib.TOMLDecodeError) -> GradcliError:
    text = str(error)
    found = re.search(r" \(at line (\d+), column (\d+)\)$", text)
    place = len(source.text)
    if found:
        text = text[: found.start()]
        lines = source.text.split("\n")[: int(found[1]) - 1]
        place = sum(len(line) + 1 for line in lines) + int(found[2]) - 1
    text = text.removesuffix(" (at end of document)")
    return GradcliError("G051", text[:1].lower() + text[1:], Span(source, place, place + 1))

"""`gradcli check`: is the gradient right? Autodiff, differences and a hand-written formula.

Constraints: parses options, calls the library, hands the reports to a renderer.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from gradcli.checks.check import Settings, check
from gradcli.checks.file import Record, records
from gradcli.checks.judge import Verdict
from gradcli.checks.report import Report
from gradcli.cli.inputs import Standard, bind, expression_source, listed, read_text
from gradcli.cli.options import colour_flag
from gradcli.cli.outputs import write_text
from gradcli.cli.session import prepare
from gradcli.errors import ExitStatus, GradcliError
from gradcli.execute.backends.choice import using
from gradcli.language import ast
from gradcli.language.parser import parse_expression
from gradcli.lowering.unbound import unbound
from gradcli.render import ci
from gradcli.render.checking import checks_json, checks_text
from gradcli.render.markup import painter, use_colour
from gradcli.source import Source, Span
from gradcli.tensor import Tensor
from gradcli.tensor.symbols import declared_sizes, placeholder

ANY_SHAPE = (3, 5)
"""Of a variable that was given neither value nor shape: elementwise formulas hold for any."""
EXPECTED = re.compile(r"\s*([^\W\d]\w*(?:\s*,\s*[^\W\d]\w*)?)\s*=(?!=)(.*)", re.DOTALL)


def run(
    *,
    expression: str,
    bindings: tuple[str, ...],
    expect: tuple[str, ...],
    wrt: str | None,
    format: str,
    output: str | None,
    max_memory: str | None,
    timeout: float | None,
    backend: str,
    device: str | None,
    **settings: Any,
) -> int:
    """The command; `settings` are those of `Settings`."""
    prepare(
        seed=settings["seed"],
        dtype="float64",
        precision=None,
        max_memory=max_memory,
        timeout=timeout,
    )
    with using(backend, device):
        found = _checked(expression, bindings, expect, wrt, settings)
    _write(found, format, output, named=expression.endswith(".toml"))
    if any(report.error is not None for report in found):
        return ExitStatus.USAGE
    return ExitStatus.OK if all(report.ok for report in found) else ExitStatus.FAILED


def _checked(
    expression: str,
    bindings: Sequence[str],
    expect: Sequence[str],
    wrt: str | None,
    settings: Mapping[str, Any],
) -> list[Report]:
    if expression.endswith(".toml"):
        _no_options(expect, wrt)
        return [r for path in (expression, *bindings) for r in _file(path, settings)]
    chosen = listed(wrt)
    return list(_one(expression, bindings, expect, {**settings, "wrt": chosen}))


def _one(
    expression: str, bindings: Sequence[str], expect: Sequence[str], settings: Mapping[str, Any]
) -> Iterator[Report]:
    standard = Standard()
    tree = parse_expression(expression_source(expression, standard))
    pairs = [_expectation(text) for text in expect]
    expected = dict(pairs)
    if len(expected) < len(pairs):
        raise GradcliError(
            "G070",
            "two derivatives are expected for one variable",
            help="-e x=FORMULA -e y=FORMULA",
        )
    return _reports(tree.span.source.text.strip(), tree, bindings, expected, settings, standard)


def _file(path: str, settings: Mapping[str, Any]) -> Iterator[Report]:
    for record in records(Source(path, read_text(path))):
        try:
            yield from _recorded(record, settings)
        except GradcliError as error:
            found = record.located(error.diagnostic)
            inside = [x.span for x in found.labels if x.span.source is record.span.source]
            report = Report(record.name, place=next(iter(inside), record.span))
            report.verdict, report.error = Verdict.ERROR, found
            yield report


def _recorded(record: Record, settings: Mapping[str, Any]) -> Iterator[Report]:
    tree = parse_expression(Source(f"<{record.name}>", record.expression))
    own = {**settings, "wrt": None, **record.settings}
    expected = {name: str(formula) for name, formula in record.expect.items()}
    return _reports(record.name, tree, record.bindings, expected, own, Standard(), record.span)


def _reports(
    name: str,
    tree: ast.Expression,
    bindings: Sequence[str],
    expected: Mapping[str, str],
    settings: Mapping[str, Any],
    standard: Standard,
    place: Span | None = None,
) -> Iterator[Report]:
    variables = bind(bindings, standard, shapes=True, dtype="float64")
    shapes = (tuple(v.shape) for v in variables.values() if isinstance(v, Tensor))
    sizes = declared_sizes(shapes)
    closed = partial(closed_form, tree, dict(variables))
    for free in unbound(tree, {*variables, *sizes}):
        variables[free] = placeholder(free, ANY_SHAPE)
    formulas = {key: _formula(key, text) for key, text in expected.items()}
    return check(name, tree, variables, formulas, Settings(**settings), place, closed)


def closed_form(
    tree: ast.Expression, variables: Mapping[str, Any], by: Sequence[str]
) -> ast.Expression | None:
    """The derivative by a variable, or by two, as a formula; None where it has none."""
    from gradcli.calculus import differentiate

    try:
        found = differentiate(tree, wrt=by, values=variables, order=len(by), cse=False)
    except GradcliError:
        return None
    derivative = found.get(",".join(by))
    return None if derivative is None or derivative.meanings else derivative.tree


def _expectation(text: str) -> tuple[str, str]:
    """The variable and the formula of `--expect`; no variable where only a formula is given."""
    found = EXPECTED.fullmatch(text)
    return (found[1], found[2]) if found else ("", text)


def _formula(name: str, text: str) -> ast.Expression:
    if text.startswith("@"):
        return parse_expression(Source(text[1:], read_text(text[1:]).strip()))
    return parse_expression(Source(f"<expect {name}>" if name else "<expect>", text))


def _no_options(expect: Sequence[str], wrt: str | None) -> None:
    if expect or wrt is not None:
        raise GradcliError(
            "G070",
            "a file of checks says itself what is expected",
            help="write expect and wrt into the file, or check one expression",
        )


def _write(
    found: Sequence[Report],
    format: str,
    output: str | None,
    *,
    named: bool,
) -> None:
    colour = use_colour(sys.stdout, colour_flag(sys.argv[1:]), os.environ)
    paint = painter(output is None and colour)
    if format == "json":
        write_text(checks_json(found), output)
    elif format == "junit":
        write_text(ci.junit(found), output)
    elif format == "sarif":
        write_text(ci.sarif(found), output)
    else:
        text = checks_text(found, paint, named=named)
        if format == "github":
            text = "\n".join(part for part in (ci.github(found), text) if part)
            _summarize(ci.summary(found))
        write_text(text, output)


def _summarize(text: str) -> None:
    """Appends to the page that GitHub shows for the step."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        try:
            with open(path, "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise GradcliError("G053", f"{path}: {error.strerror}") from None

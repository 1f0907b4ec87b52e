"""`gradcli eval --each`: one expression for every JSON record on standard input, a result a line.

Constraints: order is kept, each line is written before the next record is read, memory does not
grow; a bad record is reported with its line while the others go on, unless the first one shall
stop everything.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gradcli.api import as_leaf, evaluate
from gradcli.cli.eval import explain_steps, read, remark, vectors_of
from gradcli.cli.inputs import Standard, no_value
from gradcli.cli.main import report
from gradcli.cli.outputs import chosen_format, note
from gradcli.cli.rows import follow
from gradcli.cli.tracing import Trace
from gradcli.errors import ExitStatus, GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.evaluate import silence
from gradcli.execute.limits import memory
from gradcli.execute.program import Unplannable
from gradcli.files import write_file
from gradcli.files.json_records import Record, records
from gradcli.graph.dtype import default
from gradcli.language import ast
from gradcli.language.parser import parse_expression
from gradcli.lowering.unbound import names_in, unbound
from gradcli.planned import Function, argument
from gradcli.render.result import JsonForm, result_json
from gradcli.result import Result
from gradcli.source import Source

TIME_LIMIT = "G061"
LINES = (".jsonl", ".ndjson")
Variables = dict[str, Any]
Options = Mapping[str, Any]


def each(
    given: tuple[str, tuple[str, ...], str | None, str | None],
    format: str | None,
    output: str | None,
    trace: Trace,
    fail_fast: bool,
    verbose: bool,
    **asked: Any,
) -> int:
    """The command; `given` are the arguments of `eval.read`, `asked` those of `vectors_of`."""
    _refuse(format, output, trace)
    standard = Standard()
    stream = standard.take("--each")
    tree, fixed, wrt = read(standard, *given, shapes=False)
    follow(fixed, verbose)
    said = not asked["gradients"] or any(asked[n] for n in ("vjp", "jvp", "jacobian"))

    def options(variables: Variables) -> Options:
        return vectors_of(variables, standard=standard, **asked)

    def finish(result: Result, variables: Variables) -> None:
        nonlocal said
        explain_steps(result, variables)
        if not said and not result.gradients:
            said = remark(result, {n: as_leaf(n, v) for n, v in variables.items()})

    varies = asked["steps"] or _mentions_others(asked, fixed)
    work = Each(tree, fixed, wrt, options if varies else options(fixed), finish)
    return _run(work, stream, output, fail_fast=fail_fast)


def _refuse(format: str | None, output: str | None, trace: Trace) -> None:
    """Refuses (G070) what is for one result."""
    lines = output is not None and Path(output).suffix.lower() in LINES
    chosen = "json" if lines else chosen_format(format, output)
    if trace or (chosen != "json" and (format, chosen) != (None, "text")):
        raise GradcliError(
            "G070",
            f"{'a trace' if trace else chosen} shows one result, --each gives many",
            help="evaluate a record alone: gradcli eval EXPR NAME=VALUE..."
            if trace
            else "results of --each are JSON lines: -f json, -o FILE.jsonl",
        )


class Each:
    """What is done with a record.

    Args:
        tree: the expression.
        fixed: variables that every record has, unless it says otherwise.
        wrt: the variables to differentiate by; None for every floating-point one.
        options: further arguments of `evaluate`; or what gives them for the variables of a
            record, where they depend on it.
        finish: is called with each result and the record's variables.
    """

    def __init__(
        self,
        tree: ast.Expression,
        fixed: Variables,
        wrt: list[str] | None,
        options: Options | Callable[[Variables], Options],
        finish: Callable[[Result, Variables], object],
    ) -> None:
        self._tree = tree
        self._fixed = {n: argument(n, v) for n, v in fixed.items()}
        self._wrt = wrt
        self._used = names_in(tree).union(wrt or ())
        self._complete: set[frozenset[str]] = set()
        self._options: Any = options
        self._finish = finish
        self._function: Function | None = None
        if not callable(options):
            rest = dict(options)
            seed = rest.pop("cotangent")
            self._cotangent = None if seed is None else argument("cotangent", seed)
            self._function = Function(tree, fixed=self._fixed, wrt=wrt, **rest)

    def line(self, record: Record) -> str:
        """The result for a record; what the expression does not name is left aside.

        Raises:
            GradcliError: with a place in the record.
        """
        try:
            members = record.members()
            given = {n: _value(record.value(n, v)) for n, v in members.items() if n in self._used}
            return self._planned(given) or result_json(self._evaluated(given))
        except GradcliError as error:
            raise record.placed(error, "this record") from None

    def _planned(self, given: Variables) -> str | None:
        """The result where there is a plan that gives its numbers: all else is as before."""
        plan = None if self._function is None else self._function.plan(given, self._cotangent)
        if plan is None:
            return None
        try:
            values = plan.values(given, self._cotangent)
        except Unplannable:
            return None
        if plan.form is None:
            plan.form = JsonForm(plan.like, plan.tensors)
        return plan.form.filled(values)  # type: ignore[no-any-return]

    def _evaluated(self, given: Variables) -> Result:
        self._refuse_missing(frozenset(given))
        if self._function is not None:
            result = self._function(cotangent=self._cotangent, **given)
            self._finish(result, {**self._fixed, **given})
            return result
        variables = {n: as_leaf(n, v) for n, v in {**self._fixed, **given}.items()}
        result = evaluate(self._tree, variables, wrt=self._wrt, **self._options(variables))
        self._finish(result, variables)
        return result

    def _refuse_missing(self, given: frozenset[str]) -> None:
        if given in self._complete:
            return
        for name, node in unbound(self._tree, given.union(self._fixed)).items():
            error = no_value(name, node.span)
            error.diagnostic.help = [f'write {{"{name}": 3}} into it, or give all of them {name}=3']
            raise error
        self._complete.add(given)


def _run(work: Each, stream: BinaryIO, output: str | None, *, fail_fast: bool) -> int:
    """Reads `stream` to its end and writes a line for each good record; 2 where one was bad."""
    bad = count = 0
    # What is loaded by now stays; plans come and go, and an endless stream waits for no collection.
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)

    def fill(target: BinaryIO) -> None:
        nonlocal bad, count
        for record in records(stream, limit=memory.limit):
            count += 1
            try:
                line = work.line(record)
            except GradcliError as error:
                if fail_fast or error.diagnostic.code == TIME_LIMIT:
                    raise
                bad += 1
                report(error.diagnostic, sys.argv, error.exit_status)
                continue
            target.write(line.encode() + b"\n")
            if output is None:
                target.flush()

    with silence:
        if output is None:
            fill(sys.stdout.buffer)
        else:
            write_file(Path(output), fill)
    if not count:
        note("standard input held no record", ['write one a line: {"x": 3}'])
    return ExitStatus.USAGE if bad else ExitStatus.OK


def _value(value: Any) -> Any:
    """Floating-point numbers in the default dtype, as text has none."""
    if value.__class__ is np.ndarray and value.dtype.char == "d":
        return value.astype(NUMPY_DTYPES[default.dtype])
    return value


def _mentions_others(asked: Mapping[str, Any], fixed: Variables) -> bool:
    """Whether a vector that is asked for needs variables that only records have."""
    pairs = (text.partition("=")[2] for name in ("jvp", "hvp") for text in asked[name])
    texts = [text for text in (asked["vjp"] or "", *pairs) if text[:1] not in ("", "-", "@")]
    return any(unbound(parse_expression(Source("", text)), fixed) for text in texts)

"""`gradcli run`: a script, with bindings as its variables."""

from __future__ import annotations

from typing import Any

from gradcli import api
from gradcli.cli.inputs import Standard, bind, read_text
from gradcli.cli.rows import follow
from gradcli.cli.session import prepare
from gradcli.cli.tracing import Trace
from gradcli.errors import ExitStatus
from gradcli.source import Source


def run(
    *,
    script: str,
    bindings: tuple[str, ...],
    trace_nan: bool,
    kinks: str | None,
    backend: str,
    device: str | None,
    verbose: bool,
    **session: Any,
) -> int:
    """The command."""
    prepare(backend=backend, **session)
    standard = Standard()
    stdin = script == "-"
    source = standard.source("the script") if stdin else Source(script, read_text(script))
    variables = bind(bindings, standard, dtype=session["dtype"])
    follow(variables, verbose)
    trace = Trace(trace_nan, kinks)
    try:
        with trace.watching(backend, device):
            api.run(source, variables, backend=backend, device=device)
    finally:
        failed = trace.report(variables)
    return ExitStatus.FAILED if failed else ExitStatus.OK

"""`--trace-nan` and `--kinks`: what was watched while a command computed, reported on stderr.

Constraints: nothing of it is imported where neither option is given.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from gradcli.cli.options import colour_flag
from gradcli.cli.outputs import note
from gradcli.errors import Diagnostic


class Trace:
    """What the two options ask for.

    Args:
        trace_nan, kinks: the options.
    """

    def __init__(self, trace_nan: bool, kinks: str | None) -> None:
        self._tracer: Any = None
        self._kinks: Any = None
        if trace_nan:
            from gradcli.trace.nonfinite import Tracer

            self._tracer = Tracer()
        if kinks is not None:
            from gradcli.trace.kinks import Kinks

            self._kinks = Kinks(kinks)

    def __bool__(self) -> bool:
        """Whether there is anything to watch for."""
        return self._tracer is not None or self._kinks is not None

    def watching(self, backend: str, device: str | None) -> AbstractContextManager[None]:
        """The block in which to compute; what is watched is computed op by op, on a backend too."""
        if not self:
            return nullcontext()
        from gradcli.execute.backends.choice import chosen
        from gradcli.trace.watch import watching

        observers = (o for o in (self._tracer, self._kinks) if o is not None)
        return watching(*observers, library=chosen(backend, device))

    def report(self, variables: Mapping[str, Any], *, expression: bool = False) -> bool:
        """Prints what was found; says whether that is a failure.

        A rewrite of an `expression` is shown when it was tried and found good; of a script as it
        is.
        """
        if self._tracer is not None:
            self._report_nonfinite(variables, expression)
        found = [] if self._kinks is None else list(self._kinks.found.values())
        for report in found:
            show(report)
        if self._kinks is not None and not found:
            note("no kink was hit")
        return any(report.severity == "error" for report in found)

    def _report_nonfinite(self, variables: Mapping[str, Any], expression: bool) -> None:
        from gradcli.trace.leak import tried
        from gradcli.trace.nonfinite import given_reports

        tracer = self._tracer
        reports = given_reports(variables)
        for found in (*tracer.forward, *tracer.backward):
            if (leak := found.leak) is not None:
                good = tried(leak, variables) if expression else next(iter(leak.rewrites), None)
                found.report.help += [] if good is None else [f"write {good}"]
            reports.append(found.report)
        for report in reports:
            show(report)
        if not reports:
            note("every value and every gradient is finite")


def show(report: Diagnostic) -> None:
    """Prints a report on stderr."""
    from gradcli.render.diagnostic import render_diagnostic
    from gradcli.render.markup import use_colour

    colour = use_colour(sys.stderr, colour_flag(sys.argv[1:]), os.environ)
    print(render_diagnostic(report, colour=colour), file=sys.stderr)

"""`gradcli repl`: reads a statement, runs it, prints the value of an expression, and again.

Constraints: variables live on between statements; an error ends its statement, never the session;
without a terminal there is no prompt, and a mistake in the input is the exit code's business.
"""

from __future__ import annotations

import codeop
import sys
import warnings
from collections.abc import Callable
from typing import Any

from gradcli.api import as_leaf
from gradcli.cli.inputs import Standard, bind
from gradcli.cli.session import prepare
from gradcli.errors import Diagnostic, ExitStatus, GradcliError
from gradcli.language import ast
from gradcli.language.parser import parse_script
from gradcli.lowering.interpret import Interpreter
from gradcli.lowering.names import known_names
from gradcli.source import Source

PROMPT, MORE = ">>> ", "... "


def run(*, bindings: tuple[str, ...], **options: Any) -> int:
    """The command; the exit code is 2 where a statement from a pipe or file failed."""
    prepare(**options)
    standard = Standard()
    if not sys.stdin.isatty():
        standard.reader = "the session"
    variables = bind(bindings, standard, dtype=options["dtype"])
    session = Session({name: as_leaf(name, value) for name, value in variables.items()})
    if sys.stdin.isatty():
        _terminal(session)
        return ExitStatus.OK
    return _piped(session)


class Session:
    """Statements run one after the other on the same variables."""

    def __init__(self, variables: dict[str, Any]) -> None:
        self.variables = variables
        self._interpreter = Interpreter(variables)
        self._count = 0

    def run(self, text: str) -> None:
        """Runs what `text` says and prints the value of its expressions; raises GradcliError."""
        self._count += 1
        script = parse_script(Source(f"<repl {self._count}>", text))
        for statement in script.body:
            if isinstance(statement, ast.ExpressionStatement):
                self._show(self._interpreter.evaluate(statement.value))
            else:
                self._interpreter.run(ast.Script([statement], span=script.span))

    def _show(self, value: Any) -> None:
        if value is not None:
            try:
                shown = repr(value)
            except ValueError:
                from gradcli.render.result import too_long

                raise too_long() from None
            print(shown, flush=True)
            self.variables["_"] = value

    def complete(self, prefix: str) -> list[str]:
        """The names that begin with `prefix`."""
        names = {*self.variables, *known_names()}
        return sorted(name for name in names if name.startswith(prefix))


def unfinished(text: str) -> bool:
    """Whether more lines belong to the statement that `text` begins; the language is Python's."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return codeop.compile_command(text, symbol="single") is None
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return False


def statement(read: Callable[[str], str]) -> str | None:
    """The next statement, line by line from `read(prompt)`; None at the end of the input."""
    lines: list[str] = []
    while True:
        try:
            lines.append(read(MORE if lines else PROMPT))
        except EOFError:
            return "\n".join(lines) if lines else None
        text = "\n".join(lines)
        if not unfinished(text):
            return text


def _terminal(session: Session) -> None:
    _edit_lines(session)
    while True:
        try:
            text = statement(input)
            if text is None:
                print()
                return
            session.run(text)
        except KeyboardInterrupt:
            print()
        except GradcliError as error:
            _report(error.diagnostic)


def _piped(session: Session) -> int:
    status = int(ExitStatus.OK)
    while (text := statement(_next_line)) is not None:
        try:
            session.run(text)
        except GradcliError as error:
            _report(error.diagnostic)
            status = int(error.exit_status)
    return status


def _next_line(prompt: str) -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\r\n")


def _report(diagnostic: Diagnostic) -> None:
    from gradcli.cli.main import report

    sys.stdout.flush()
    report(diagnostic, sys.argv[1:], ExitStatus.USAGE)


def _edit_lines(session: Session) -> None:
    """Line editing, history and completion, where Python has them."""
    try:
        import readline
    except ImportError:
        return

    def complete(prefix: str, number: int) -> str | None:
        found = session.complete(prefix)
        return found[number] if number < len(found) else None

    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")

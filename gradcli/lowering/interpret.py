"""The interpreter: runs scripts and evaluates expressions on one set of variables.

Constraints: nothing but `GradcliError` leaves it for whatever a script does, besides
`KeyboardInterrupt` and the exceptions of gradcli's own bugs; variables stay between runs, so a
session can go on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TextIO

from gradcli.execute.evaluate import silence
from gradcli.graph.node import current
from gradcli.language import ast
from gradcli.lowering import comprehensions as comprehensions
from gradcli.lowering import failing as failing
from gradcli.lowering import functions as functions
from gradcli.lowering import loops as loops
from gradcli.lowering import names
from gradcli.lowering import statements as statements
from gradcli.lowering.builtins import printer
from gradcli.lowering.calls import prepare_stack
from gradcli.lowering.failures import finish
from gradcli.lowering.limits import calls
from gradcli.lowering.lower import lower, lower_block
from gradcli.lowering.scope import Code, Environment, Scope


class Interpreter:
    """Runs the language on `variables`.

    Args:
        variables: name -> value; scripts read and write it.
        stdout: where `print` writes; `sys.stdout` of the moment when None.
    """

    def __init__(self, variables: dict[str, Any], stdout: TextIO | None = None) -> None:
        self.variables = variables
        self.stdout = stdout
        self._print = printer(lambda: self.stdout or sys.stdout)
        self._scope = Scope(Environment(variables, self._lookup))
        prepare_stack()

    def run(self, script: ast.Script) -> None:
        """Does what the script says; raises `GradcliError` with its place."""
        self._perform(lambda: lower_block(script.body, self._scope))

    def evaluate(self, expression: ast.Expression) -> Any:
        """The value of the expression; raises `GradcliError` with its place."""
        return self._perform(lambda: lower(expression, self._scope))

    def _perform(self, lowered: Callable[[], Code]) -> Any:
        before, depth = current.span, calls.depth
        try:
            code = lowered()
            with silence:
                return code([None, None])
        except Exception as error:
            failure = finish(error)
            if failure is error:
                raise
            raise failure from error
        finally:
            current.span, calls.depth = before, depth

    def _lookup(self, name: str) -> Any:
        return self._print if name == "print" else names.lookup(name)


def evaluate(expression: ast.Expression, variables: dict[str, Any]) -> Any:
    """The value of `expression` over `variables`."""
    return Interpreter(variables).evaluate(expression)

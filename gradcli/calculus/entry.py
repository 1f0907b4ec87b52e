"""`differentiate`: the derivatives of an expression as formulas that were checked.

Constraints: the one entry that the command line and programs use; renders to text, other languages
are render/latex.py and render/code.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradcli.calculus.results import Derivatives
from gradcli.calculus.task import Task
from gradcli.calculus.vectors import Given
from gradcli.calculus.verify import Withheld
from gradcli.execute.evaluate import silence
from gradcli.graph.dim import Dims
from gradcli.language import ast
from gradcli.language.parser import parse_expression
from gradcli.source import Source
from gradcli.tensor.symbols import placeholder

POLES = "where the formula is not finite (0/0), PyTorch's gradient may be a number"
"""What is said of a formula that was right wherever it has a value."""


def differentiate(
    expression: str | Source | ast.Expression,
    shapes: Mapping[str, Any] | None = None,
    wrt: Sequence[str] | None = None,
    *,
    values: Mapping[str, Any] | None = None,
    order: int = 1,
    vjp: Given | None = None,
    jvp: Given | Mapping[str, Given] | None = None,
    cse: bool = True,
) -> Derivatives:
    """The derivatives of an expression as formulas.

    Args:
        expression: text of the language.
        shapes: variable -> tuple of names and numbers (`("m", "n")`, `()` for a scalar); a variable
            that is not there stands for a tensor of any shape.
        wrt: the variables to differentiate by; all by default.
        values: variable -> placeholder or value, as the command line binds them.
        order: 2 for second derivatives.
        vjp: a cotangent: a name for it, an expression, or a value, for which a name stands; the
            result is its product with the Jacobian.
        jvp: likewise a direction of the only variable, or variable -> direction.
        cse: whether shared subexpressions get names.

    Raises:
        GradcliError: for mistakes in the expression; G015 where a declaration is missing, G038
            where there is no closed form; `Withheld` where the formula fails its check.
    """
    with silence:
        return _differentiated(
            Task(_parsed(expression), _given(shapes, values), wrt, order, vjp, jvp), cse
        )


def _differentiated(task: Task, cse: bool) -> Derivatives:
    for plain, guards in ((False, False), (True, False), (False, True)):
        if guards:
            task.keep_guards()
        found = task.written(plain=plain, cse=cse)
        if task.wrong(found) is None:
            return _annotated(task, found)
    wrong = task.wrong(found, poles=True)
    if wrong is not None:
        raise _withheld(wrong, task)
    return _annotated(task, found, POLES)


def _annotated(task: Task, found: Derivatives, *notes: str) -> Derivatives:
    """With `notes`, and with where the formulas are not what PyTorch gives."""
    if task.rewrite.dropped:
        from gradcli.calculus.singular import exceptions

        for name, said in exceptions(task, found).items():
            found[name].notes = said
    for derivative in found.values():
        derivative.notes = [*derivative.notes, *notes]
    return found


def _withheld(wrong: str, task: Task) -> Withheld:
    """G098 for a formula that failed its check."""
    return Withheld(
        "G098",
        f"the formula for {wrong} failed its check against the gradient and is withheld",
        task.traced.expression.span,
        help="please report the expression; gradcli eval gives the gradient at values",
    )


def _parsed(expression: str | Source | ast.Expression) -> ast.Expression:
    if isinstance(expression, ast.Expression):
        return expression
    source = expression if isinstance(expression, Source) else Source("<expr>", expression)
    return parse_expression(source)


def _given(shapes: Mapping[str, Any] | None, values: Mapping[str, Any] | None) -> dict[str, Any]:
    dims = Dims()
    given = dict(values or {})
    for name, shape in (shapes or {}).items():
        sizes = (shape,) if isinstance(shape, (str, int)) else tuple(shape)
        given[name] = placeholder(name, tuple(dims[n] if isinstance(n, str) else n for n in sizes))
    return given

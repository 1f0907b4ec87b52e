"""`gradcli eval`: the value of an expression, its grad_fn and its gradients.

Constraints: parses options, calls the library, hands the result to a renderer.
"""

from __future__ import annotations

from typing import Any

from gradcli import api
from gradcli.cli.inputs import (
    Standard,
    bind,
    expression_source,
    given,
    listed,
    no_value,
    symbolic_vectors,
    vectors,
)
from gradcli.cli.outputs import chosen_format, note, write_arrays, write_text
from gradcli.cli.rows import follow
from gradcli.cli.session import prepare
from gradcli.cli.tracing import Trace, show
from gradcli.errors import ExitStatus, GradcliError
from gradcli.graph.shape import numel
from gradcli.graph.shape import text as shape_text
from gradcli.language import ast
from gradcli.language.parser import parse_expression
from gradcli.lowering.unbound import unbound
from gradcli.render.result import (
    result_arrays,
    result_json,
    result_text,
    steps_text,
    too_long,
)
from gradcli.result import Result
from gradcli.source import Span
from gradcli.tensor import Tensor
from gradcli.tensor.symbols import is_placeholder

SESSION = ("seed", "precision", "max_memory", "timeout", "rows", "chunk_rows")
"""Options that `prepare` takes as they are."""


def run(
    *,
    expression: str,
    bindings: tuple[str, ...],
    wrt: str | None,
    no_grad: bool,
    format: str | None,
    output: str | None,
    dtype: str | None,
    **asked: Any,
) -> int:
    """The command; `asked` are the options of the session, of tracing, and of derivatives."""
    prepare(dtype=dtype, backend=asked["backend"], **{n: asked.pop(n) for n in SESSION})
    trace = Trace(asked.pop("trace_nan"), asked.pop("kinks"))
    place = {"backend": asked.pop("backend"), "device": asked.pop("device")}
    fail_fast, verbose = asked.pop("fail_fast"), asked.pop("verbose")
    if asked.pop("each"):
        from gradcli.cli.each import each

        asked |= {"gradients": not no_grad, "fail_fast": fail_fast, "verbose": verbose, **place}
        return each((expression, bindings, wrt, dtype), format, output, trace, **asked)
    if fail_fast:
        raise GradcliError("G070", "--fail-fast is for --each", help="add --each, or leave it out")
    chosen = chosen_format(format, output)
    tree, variables, names = read(Standard(), expression, bindings, wrt, dtype)
    missing = _without_value(tree, variables)
    if missing:
        if no_grad or trace or chosen not in ("text", "json"):
            raise no_value(next(iter(missing)), next(iter(missing.values())))
        return _formulas(tree, variables, names, missing, chosen, output, **asked)
    more = {"gradients": not no_grad, **place, **vectors_of(follow(variables, verbose), **asked)}
    with trace.watching(**place):
        result = api.evaluate(tree, variables, wrt=names, **more)
    if trace.report(variables, expression=True):
        return ExitStatus.FAILED
    explain_steps(result, variables)
    _show(result, chosen, output)
    if not (no_grad or asked["vjp"] or asked["jvp"] or asked["jacobian"]):
        remark(result, variables)
    return ExitStatus.OK


def read(
    standard: Standard,
    expression: str,
    bindings: tuple[str, ...],
    wrt: str | None,
    dtype: str | None,
    *,
    shapes: bool = True,
) -> tuple[ast.Expression, dict[str, Any], list[str] | None]:
    """What the arguments say: the expression, the variables, and by which to differentiate."""
    source = expression_source(expression, standard)
    variables = bind(bindings, standard, shapes=shapes, dtype=dtype)
    return parse_expression(source), variables, listed(wrt)


def vectors_of(
    variables: dict[str, Any],
    vjp: str | None,
    jvp: tuple[str, ...],
    hvp: tuple[str, ...],
    standard: Standard | None = None,
    **flags: bool,
) -> dict[str, Any]:
    """The derivatives asked for, as `evaluate` takes them."""
    standard = standard or Standard()
    return {
        "cotangent": None if vjp is None else given("vjp", vjp, variables, standard),
        "jvp": vectors("--jvp", jvp, variables, standard),
        "hvp": vectors("--hvp", hvp, variables, standard),
        **flags,
    }


def _without_value(tree: ast.Expression, variables: dict[str, Any]) -> dict[str, Span | None]:
    """The variables that have no value, with the place where each is first used."""
    missing: dict[str, Span | None] = {
        name: None for name, value in variables.items() if is_placeholder(value)
    }
    missing.update({name: node.span for name, node in unbound(tree, variables).items()})
    return missing


def _formulas(
    tree: ast.Expression,
    variables: dict[str, Any],
    wrt: list[str] | None,
    missing: dict[str, Span | None],
    format: str,
    output: str | None,
    vjp: str | None,
    jvp: tuple[str, ...],
    hessian: bool,
    **asked: Any,
) -> int:
    """Answers with formulas where a variable has no value."""
    names = list(missing)
    _refuse_values(names[0], missing[names[0]], asked)
    from gradcli.calculus import differentiate
    from gradcli.render.derivatives import symbolic_json, symbolic_text

    note(
        f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} no value",
        no_value(names[0]).diagnostic.help,
    )
    directions = symbolic_vectors(vjp, jvp, variables, Standard())
    order = 2 if hessian else 1
    found = differentiate(tree, wrt=wrt, values=variables, order=order, **directions)
    show = symbolic_json if format == "json" else symbolic_text
    write_text(show(found), output)
    return ExitStatus.OK


WITHOUT_VALUES = {
    "steps": "gradcli graph shows the steps without values, with the formula of each",
    "hvp": "gradcli diff --order 2 gives the Hessian as a formula, --hessian here too",
}
"""Options that need values, and what answers without."""


def _refuse_values(name: str, place: Span | None, asked: dict[str, Any]) -> None:
    """Raises G012 for an option that needs values; a Jacobian is what a formula says anyway."""
    for option, way in WITHOUT_VALUES.items():
        if asked.get(option):
            error = no_value(name, place)
            raise GradcliError(
                "G012",
                f"{name} has no value, and --{option} needs one",
                place,
                help=[*error.diagnostic.help, way],
                kind=NameError,
            )


def explain_steps(result: Result, variables: dict[str, Any]) -> None:
    """Adds to each step what it does to a gradient."""
    if not result.steps:
        return
    from gradcli.calculus.local import local_formulas, operand_texts

    for step in result.steps:
        texts = operand_texts(step.value.node, variables)
        found = local_formulas(step.value.node, texts)
        step.passes = {texts[x]: formula for x, formula in found.items()}


def _text(result: Result, format: str) -> str:
    """The result as text or JSON."""
    try:
        if format == "json":
            return result_json(result)
        shown = result_text(result)
        return f"{steps_text(result.steps)}\n{shown}" if result.steps else shown
    except ValueError:
        raise too_long() from None


def _show(result: Result, format: str, output: str | None) -> None:
    if format in ("json", "text"):
        if result.output is None and output is None and format == "text":
            return  # the expression was called for its effect, as print(x) is
        write_text(_text(result, format), output)
    else:
        if not isinstance(result.output, Tensor):
            kind = type(result.output).__name__
            fact = f"the result is {kind}, {format} holds tensors"
            raise GradcliError("G053", fact, help="make it one: tensor(...), or write -f json")
        write_arrays(result_arrays(result), format, output)
    _warn_of_tables(result)


def _warn_of_tables(result: Result) -> None:
    """Says where vectors broadcast to a table on the way to one number."""
    made = result.output
    if isinstance(made, Tensor) and numel(made.shape) == 1 and made.node.inputs:
        from gradcli.trace.broadcasts import accidental_tables

        for report in accidental_tables(made.node):
            show(report)


def remark(result: Result, variables: dict[str, Any]) -> bool:
    """Says why there are no gradients, where somebody could expect some; whether it said so."""
    made = result.output
    floating = any(isinstance(v, Tensor) and v.dtype.differentiable for v in variables.values())
    if not floating or not isinstance(made, Tensor):
        return False
    if numel(made.shape) != 1:
        note(
            f"the result is {shape_text(tuple(made.shape))}, not a scalar, so it has no gradient",
            [
                f"reduce it: mean({result.expression}) or sum({result.expression})",
                "or give a cotangent of its shape: --vjp V",
                "or ask for the derivative of every element: --jacobian",
            ],
        )
    elif result.gradients and not made.requires_grad:
        note("no gradient flows to the result: an operation in it has no derivative")
    else:
        return False
    return True

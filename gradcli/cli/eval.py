"""`gradcli eval`: the value of an expression, its grad_fn and its gradients.

Constraints: parses options, calls the library, hands the result to a renderer.
"""

from __future__ import annotations

from typing import Any

from gradcli import api
from gradcli.cli.inputs import (
    Standard,
    as_dtype_of,
    bind,
    expression_source,
    no_value,
    vector,
    vectors,
)
from gradcli.cli.outputs import chosen_format, note, write_arrays, write_text
from gradcli.cli.session import prepare
from gradcli.cli.tracing import Trace
from gradcli.errors import ExitStatus, GradcliError
from gradcli.graph.shape import numel
from gradcli.graph.shape import text as shape_text
from gradcli.language import ast
from gradcli.language.parser import parse_expression
from gradcli.lowering.unbound import unbound
from gradcli.render.result import result_arrays, result_json, result_text, steps_text
from gradcli.result import Result
from gradcli.source import Span
from gradcli.tensor import Tensor
from gradcli.tensor.symbols import is_placeholder

SESSION = ("seed", "precision", "max_memory", "timeout")
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
    prepare(dtype=dtype, **{name: asked.pop(name) for name in SESSION})
    trace = Trace(asked.pop("trace_nan"), asked.pop("kinks"))
    chosen = chosen_format(format, output)
    standard = Standard()
    source = expression_source(expression, standard)
    variables = bind(bindings, standard, shapes=True)
    if dtype is not None:
        variables = as_dtype_of(variables)
    names = None if wrt is None else [w.strip() for w in wrt.split(",") if w.strip()]
    tree = parse_expression(source)
    missing = _without_value(tree, variables)
    if missing:
        if any(asked.values()) or no_grad or trace or chosen not in ("text", "json"):
            raise no_value(next(iter(missing)), next(iter(missing.values())))
        _formulas(tree, variables, names, missing, chosen, output)
        return ExitStatus.OK
    derivatives = _derivatives(variables, **asked)
    with trace.watching():
        result = api.evaluate(tree, variables, wrt=names, gradients=not no_grad, **derivatives)
    if trace.report(variables, expression=True):
        return ExitStatus.FAILED
    if result.steps:
        _explain_steps(result, variables)
    _show(result, chosen, output)
    if not (no_grad or asked["vjp"] or asked["jvp"] or asked["jacobian"]):
        _remark(result, variables)
    return ExitStatus.OK


def _derivatives(
    variables: dict[str, Any],
    vjp: str | None,
    jvp: tuple[str, ...],
    hvp: tuple[str, ...],
    **flags: bool,
) -> dict[str, Any]:
    """The derivatives asked for, as `evaluate` takes them."""
    return {
        "cotangent": None if vjp is None else vector("vjp", vjp, variables),
        "jvp": vectors("--jvp", jvp, variables),
        "hvp": vectors("--hvp", hvp, variables),
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
) -> None:
    """Answers with formulas where a variable has no value."""
    from gradcli.calculus import differentiate
    from gradcli.render.derivatives import symbolic_json, symbolic_text

    found = differentiate(tree, wrt=wrt, values=variables)
    show = symbolic_json if format == "json" else symbolic_text
    write_text(show(found), output)
    names = list(missing)
    note(
        f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} no value",
        no_value(names[0]).diagnostic.help,
    )


def _explain_steps(result: Result, variables: dict[str, Any]) -> None:
    """Adds to each step what it does to a gradient."""
    from gradcli.calculus.local import local_formulas, operand_texts

    for step in result.steps:
        texts = operand_texts(step.value.node, variables)
        found = local_formulas(step.value.node, texts)
        step.passes = {texts[x]: formula for x, formula in found.items()}


def _show(result: Result, format: str, output: str | None) -> None:
    if format == "json":
        write_text(result_json(result), output)
    elif format == "text":
        if result.output is None and output is None:
            return  # the expression was called for its effect, as print(x) is
        shown = result_text(result)
        write_text(f"{steps_text(result.steps)}\n{shown}" if result.steps else shown, output)
    else:
        if not isinstance(result.output, Tensor):
            kind = type(result.output).__name__
            raise GradcliError("G053", f"the result is {kind}, {format} holds tensors")
        write_arrays(result_arrays(result), format, output)


def _remark(result: Result, variables: dict[str, Any]) -> None:
    """Says why there are no gradients, where somebody could expect some."""
    made = result.output
    floating = any(isinstance(v, Tensor) and v.dtype.differentiable for v in variables.values())
    if not floating or not isinstance(made, Tensor):
        return
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

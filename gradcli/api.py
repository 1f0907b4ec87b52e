"""What a program calls: evaluate an expression with its gradients, run a script.

Constraints: the command line is a client of this file; arrays in and out are NumPy's, errors are
`GradcliError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any, TextIO

import numpy as np

from gradcli.errors import GradcliError, did_you_mean
from gradcli.execute.backends.choice import using
from gradcli.execute.whole import fits, stays
from gradcli.graph.node import Node, current
from gradcli.graph.op import LEAF
from gradcli.graph.shape import numel
from gradcli.graph.walk import ancestors
from gradcli.language import ast
from gradcli.language.parser import parse_expression, parse_script
from gradcli.lowering.interpret import Interpreter
from gradcli.lowering.names import forget_assigned
from gradcli.result import Result, Step
from gradcli.source import Source, Span
from gradcli.tensor import Tensor, autograd
from gradcli.tensor.kept import name_of


def evaluate(
    expression: str | Source | ast.Expression,
    bindings: Mapping[str, Any] | None = None,
    *,
    wrt: Sequence[str] | None = None,
    cotangent: Any = None,
    gradients: bool = True,
    backend: str = "numpy",
    device: str | None = None,
    **more: Any,
) -> Result:
    """The value of an expression, and its gradients by its variables.

    Args:
        expression: text of the language, or its syntax tree.
        bindings: variable -> array, nested list, number, `Tensor`, or the path of a file
            (`pathlib.Path`). Large files and memory maps are read by rows.
        wrt: the variables to differentiate by; all floating-point ones by default.
        cotangent: v of the vector-Jacobian product, in the shape of a non-scalar result.
        gradients: False computes the value alone.
        backend: what computes: "numpy", "jax", "torch" or "cupy".
        device: where: "cpu", "cuda", "cuda:N" or "mps"; the backend's own choice by default.
        more: `jacobian=True`, `hessian=True`, `jvp={variable: direction}`, `hvp={variable: vector}`
            for further derivatives; `steps=True` keeps every subexpression.

    Raises:
        GradcliError: for every mistake in the expression, the data or the arguments.
    """
    tree = expression if isinstance(expression, ast.Expression) else parsed(expression)
    with using(backend, device):
        variables = {name: as_leaf(name, value) for name, value in (bindings or {}).items()}
        chosen = differentiated(variables, wrt) if gradients else []
        result = _evaluated(tree, variables, chosen, cotangent, more)
    result.backend = backend
    values = [x.value_node.value for x in variables.values() if isinstance(x, Tensor)]
    result.given = [value for value in values if isinstance(value, np.ndarray)]
    return result


def _evaluated(
    tree: ast.Expression,
    variables: Mapping[str, Any],
    chosen: Sequence[str],
    cotangent: Any,
    more: Mapping[str, Any],
) -> Result:
    """The result, with its derivatives by the variables `chosen`."""
    for name in chosen:
        variables[name].requires_grad = True
    output = Interpreter(dict(variables)).evaluate(tree)
    result = Result(tree.span.source.text.strip(), output)
    if chosen and isinstance(output, Tensor):
        current.span = tree.span
        inputs = {name: variables[name] for name in chosen}
        try:
            _further(result, inputs, **more)
            if cotangent is not None or numel(output.shape) == 1:
                _differentiate(result, inputs, cotangent, more.get("steps"))
        except GradcliError as error:
            raise error.at(tree.span) from None
    return result


def _further(
    result: Result,
    variables: Mapping[str, Tensor],
    jacobian: bool = False,
    hessian: bool = False,
    jvp: Mapping[str, Any] | None = None,
    hvp: Mapping[str, Any] | None = None,
    steps: bool = False,
) -> None:
    """Adds the derivatives beyond the gradient that were asked for."""
    if not (jacobian or hessian or jvp or hvp):
        return
    from gradcli.tensor import derivatives

    inputs, output = list(variables.values()), result.output
    if jacobian:
        parts = derivatives.jacobian(output, inputs)
        result.jacobians = dict(zip(variables, parts, strict=True))
    if hessian:
        blocks = derivatives.hessian(output, inputs)
        rows = (dict(zip(variables, row, strict=True)) for row in blocks)
        result.hessians = dict(zip(variables, rows, strict=True))
    if jvp:
        chosen, vectors = _directions(jvp, variables)
        result.tangent = derivatives.jvp(output, chosen, vectors)
    if hvp:
        chosen, vectors = _directions(hvp, variables)
        result.products = dict(zip(hvp, derivatives.hvp(output, chosen, vectors), strict=True))


def _directions(
    given: Mapping[str, Any], variables: Mapping[str, Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """The variables and vectors of `{variable: vector}`."""
    for name in given:
        if name not in variables:
            raise GradcliError(
                "G012",
                f"{name} is no variable to differentiate by",
                help=did_you_mean(name, variables) or f"there are {', '.join(variables)}",
                kind=NameError,
            )
    vectors = [as_leaf(name, vector) for name, vector in given.items()]
    return [variables[name] for name in given], vectors


def run(
    source: str | Source,
    bindings: Mapping[str, Any] | None = None,
    *,
    stdout: TextIO | None = None,
    backend: str = "numpy",
    device: str | None = None,
) -> dict[str, Any]:
    """Runs a script; what it prints goes to `stdout`.

    `backend` and `device` are those of `evaluate`.

    Returns:
        The script's variables after its last line.

    Raises:
        GradcliError: for every mistake in the script or the data; `CheckFailed` for a failed
            assert.
    """
    script = parse_script(source if isinstance(source, Source) else Source("<script>", source))
    with using(backend, device):
        variables: dict[str, Any] = {k: as_leaf(k, v) for k, v in (bindings or {}).items()}
        try:
            Interpreter(variables, stdout).run(script)
        finally:
            forget_assigned()
    return variables


def parsed(expression: str | Source) -> ast.Expression:
    """The syntax tree of an expression's text."""
    return parse_expression(
        expression if isinstance(expression, Source) else Source("<expr>", expression)
    )


def as_leaf(name: str, value: Any) -> Any:
    """A binding's value: arrays, lists and numbers become leaf tensors; bool, str and None stay."""
    from gradcli.functions import find
    from gradcli.graph.dtype import default

    if isinstance(value, Tensor):
        return value.detach() if value.node.tracked else value
    if value is None or isinstance(value, (bool, str, dict)) or callable(value):
        return value
    if isinstance(value, (int, float, list, tuple)):
        kind = None if _has_complex(value) else default.dtype
        return find("torch.tensor")(value, dtype=kind)
    if isinstance(value, complex):
        return find("torch.tensor")(value)
    if isinstance(value, PathLike):
        from gradcli.functions.data import from_file

        return from_file(fspath(value))

    from gradcli.files.stored import lying
    from gradcli.functions.create import from_array

    try:
        return from_array(lying(value, stays()))
    except GradcliError as error:
        raise GradcliError("G025", f"{name}: {error}", kind=TypeError) from None


def _has_complex(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_has_complex(item) for item in value)
    return isinstance(value, complex) or (isinstance(value, Tensor) and value.dtype.is_complex)


def differentiated(variables: Mapping[str, Any], wrt: Sequence[str] | None) -> list[str]:
    """The variables to differentiate by: the asked ones, checked, or every floating-point one."""
    floating = [
        name
        for name, value in variables.items()
        if isinstance(value, Tensor) and value.dtype.differentiable
    ]
    if wrt is None:
        return floating
    for name in wrt:
        if name not in variables:
            raise GradcliError(
                "G012",
                f"{name} has no value",
                help=did_you_mean(name, variables) or f"give it one: {name}=3",
                kind=NameError,
            )
        if name not in floating:
            value = variables[name]
            kind = value.dtype.name if isinstance(value, Tensor) else type(value).__name__
            raise GradcliError(
                "G025",
                f"{name} is {kind}: only floating-point variables have a gradient",
                help=f"make it floating: {name}='tensor(...).float()'",
            )
    return list(dict.fromkeys(wrt))


def _differentiate(
    result: Result, variables: Mapping[str, Tensor], cotangent: Any, steps: bool | None
) -> None:
    """Adds the gradients, and the subexpressions when they were asked for."""
    output = result.output
    if not output.requires_grad:
        result.gradients = dict.fromkeys(variables)
        return
    inner = _subexpressions(output.node) if steps else []
    inputs = list(variables.values())
    seed = None if cotangent is None else as_leaf("cotangent", cotangent)
    parts = autograd.grad(
        [output], [*inputs, *inner], [seed], retain_graph=steps, allow_unused=True
    )
    result.late = [x.node for x in (output, *parts) if x is not None]
    if all(map(fits, result.late)):
        result.settle()
    result.gradients = dict(zip(variables, parts[: len(inputs)], strict=True))
    result.steps = [
        Step(_text(x.node.span), name_of(x.node), x, part)
        for x, part in zip(inner, parts[len(inputs) :], strict=True)
    ]


def _subexpressions(output: Node) -> list[Tensor]:
    """The differentiable values that functions made on the way to `output`, in order."""
    order = ancestors([output], lambda node: node.tracked)
    return [Tensor(node) for node in order if node.call is not None and node.op is not LEAF]


def _text(span: Span | None) -> str:
    return "" if span is None else span.whole

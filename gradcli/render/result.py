"""Results as text and as JSON: what `eval` prints.

Constraints: the JSON is one object of the same shape everywhere, always valid; the text is
PyTorch's.
"""

from __future__ import annotations

from typing import Any

from gradcli.result import Result, Step
from gradcli.tensor import Tensor
from gradcli.tensor.ends import to_write


def result_text(result: Result) -> str:
    """The value with its grad_fn, then each gradient under its variable's name."""
    blocks = [str(result.output)]
    blocks += [f"{name}:\n{part!s}" for name, part in derivatives(result).items()]
    return "\n".join(blocks)


def derivatives(result: Result) -> dict[str, Tensor | None]:
    """Every derivative of a result under the name that text and npz give it."""
    named: dict[str, Tensor | None] = {}
    if result.tangent is not None:
        named["jvp"] = result.tangent
    for kind, parts in (
        ("grad", result.gradients),
        ("jacobian", result.jacobians),
        ("hvp", result.products),
    ):
        named.update({f"{name}.{kind}": part for name, part in parts.items()})
    for first, row in result.hessians.items():
        named.update({f"{first}.{second}.hessian": part for second, part in row.items()})
    return named


def steps_text(steps: list[Step]) -> str:
    """Every subexpression: its text and grad_fn, value, gradient, and what it passes on of it."""
    blocks = []
    for number, step in enumerate(steps, 1):
        head = f"[{number}] {step.text}    {step.grad_fn}"
        rows = [head, _field("value", step.value), _field("grad", step.grad)]
        rows += [f"    to {operand}: {formula}" for operand, formula in step.passes.items()]
        blocks.append("\n".join(rows))
    return "\n".join(blocks)


def _field(name: str, value: Tensor | None) -> str:
    label = f"    {name + ':':7}"
    plain = value.detach() if isinstance(value, Tensor) else value
    return label + str(plain).replace("\n", "\n" + " " * len(label))


def result_json(result: Result) -> str:
    """The contract's JSON object, on one line."""
    from gradcli.files import json_text

    record: dict[str, Any] = {
        "gradcli": 1,
        "expression": result.expression,
        "value": _plain(result.output),
        "shape": list(result.output.shape) if isinstance(result.output, Tensor) else [],
        "dtype": result.output.dtype.name if isinstance(result.output, Tensor) else None,
        "grad_fn": result.grad_fn,
        "grads": result.grads,
        "backend": result.backend,
    }
    record.update(_further(result))
    if result.steps:
        record["steps"] = [
            {
                "expression": step.text,
                "grad_fn": step.grad_fn,
                "value": _plain(step.value),
                "grad": _plain(step.grad),
                "passes": step.passes,
            }
            for step in result.steps
        ]
    return json_text(record)


def _further(result: Result) -> dict[str, Any]:
    """The derivatives beyond the gradient, where there are any."""
    found: dict[str, Any] = {}
    if result.jacobians:
        found["jacobian"] = result.jacobian
    if result.hessians:
        found["hessian"] = result.hessian
    if result.tangent is not None:
        found["jvp"] = result.tangent.array()
    if result.products:
        found["hvp"] = {name: _plain(part) for name, part in result.products.items()}
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.array()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, (bool, int, float, complex)) else str(value)


def result_arrays(result: Result) -> dict[str, Any]:
    """The members of an npz: `value`, `grad.NAME`, `jacobian.NAME`, `hessian.NAME.NAME`, ..."""
    arrays = {"value": to_write(result.output)}
    for name, part in derivatives(result).items():
        if part is not None:
            *variables, kind = name.split(".")
            arrays[".".join([kind, *variables])] = to_write(part)
    return arrays

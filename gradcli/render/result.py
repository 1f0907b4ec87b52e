"""Results as text and as JSON: what `eval` prints.

Constraints: the JSON is one object of the same shape everywhere, always valid; the text is PyTorch's.
"""

from __future__ import annotations

from typing import Any

from gradcli.api import Result, Step
from gradcli.tensor import Tensor


def result_text(result: Result) -> str:
    """The value with its grad_fn, then each gradient under its variable's name."""
    blocks = [str(result.output)]
    for name, gradient in result.gradients.items():
        blocks.append(f"{name}.grad:\n{gradient!s}")
    return "\n".join(blocks)


def steps_text(steps: list[Step]) -> str:
    """Every subexpression: its text and grad_fn, then value and gradient."""
    blocks = []
    for number, step in enumerate(steps, 1):
        head = f"[{number}] {step.text}    {step.grad_fn}"
        blocks.append(f"{head}\n{_field('value', step.value)}\n{_field('grad', step.grad)}")
    return "\n".join(blocks)


def _field(name: str, value: Tensor | None) -> str:
    label = f"    {name + ':':7}"
    plain = value.detach() if isinstance(value, Tensor) else value
    return label + str(plain).replace("\n", "\n" + " " * len(label))


def result_json(result: Result, backend: str = "numpy") -> str:
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
        "backend": backend,
    }
    if result.steps:
        record["steps"] = [
            {
                "expression": step.text,
                "grad_fn": step.grad_fn,
                "value": _plain(step.value),
                "grad": _plain(step.grad),
            }
            for step in result.steps
        ]
    return json_text(record)


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.array()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, (bool, int, float, complex)) else str(value)


def result_arrays(result: Result) -> dict[str, Any]:
    """The members of an npz: `value`, and `grad.NAME` for each gradient there is."""
    arrays = {"value": result.value}
    for name, gradient in result.grads.items():
        if gradient is not None:
            arrays[f"grad.{name}"] = gradient
    return arrays

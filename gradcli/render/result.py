"""Results as text and as JSON: what `eval` prints.

Constraints: the JSON is one object of the same shape everywhere, always valid; the text is
PyTorch's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.result import Result, Step
from gradcli.tensor import Tensor
from gradcli.tensor.ends import to_write


def result_text(result: Result) -> str:
    """The value with its grad_fn, then each gradient under its variable's name."""
    result.settle()
    blocks = [str(result.output)]
    blocks += [f"{name}:\n{part!s}" for name, part in derivatives(result).items()]
    return "\n".join(blocks)


def too_long() -> GradcliError:
    """G062, in place of the ValueError by which Python refuses to print an integer."""
    return GradcliError(
        "G062",
        f"an integer of more than {sys.get_int_max_str_digits()} digits is not printed",
        help="make it a tensor of floating-point numbers",
    )


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

    result.settle()
    return json_text(_record(result, Tensor.array))


class JsonForm:
    """The JSON of results that differ from one in nothing but their numbers.

    Args:
        like: the one.
        tensors: those of its tensors whose numbers differ.
    """

    def __init__(self, like: Result, tensors: Sequence[Tensor]) -> None:
        from gradcli.files import array_text, json_text

        places = {id(tensor): f"\0{number}\0" for number, tensor in enumerate(tensors)}
        text = json_text(_record(like, lambda tensor: places[id(tensor)]))
        self._first, *rest = re.split(r'"\\u0000(\d+)\\u0000"', text)
        self._rest = [(int(n), after) for n, after in zip(rest[::2], rest[1::2], strict=True)]
        self._text = array_text

    def filled(self, values: Sequence[Any]) -> str:
        """The JSON with these arrays in the places of the tensors."""
        return self._first + "".join(
            [f"{self._text(values[number])}{after}" for number, after in self._rest]
        )


def _record(result: Result, show: Callable[[Tensor], Any]) -> dict[str, Any]:
    """The contract's object; `show` says what stands for a tensor."""
    made = result.output
    record: dict[str, Any] = {
        "gradcli": 1,
        "expression": result.expression,
        "value": _plain(made, show),
        "shape": list(made.shape) if isinstance(made, Tensor) else [],
        "dtype": made.dtype.name if isinstance(made, Tensor) else None,
        "grad_fn": result.grad_fn,
        "grads": _plain(result.gradients, show),
        "backend": result.backend,
    }
    for name, part in (
        ("jacobian", result.jacobians),
        ("hessian", result.hessians),
        ("jvp", result.tangent),
        ("hvp", result.products),
    ):
        if part is not None and part != {}:
            record[name] = _plain(part, show)
    if result.steps:
        record["steps"] = [
            {
                "expression": step.text,
                "grad_fn": step.grad_fn,
                "value": _plain(step.value, show),
                "grad": _plain(step.grad, show),
                "passes": step.passes,
            }
            for step in result.steps
        ]
    return record


def _plain(value: Any, show: Callable[[Tensor], Any]) -> Any:
    if isinstance(value, Tensor):
        return show(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item, show) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, show) for key, item in value.items()}
    return value if value is None or isinstance(value, (bool, int, float, complex)) else str(value)


def result_arrays(result: Result) -> dict[str, Any]:
    """The members of an npz: `value`, `grad.NAME`, `jacobian.NAME`, `hessian.NAME.NAME`, ..."""
    named = {"value": result.output}
    for name, part in derivatives(result).items():
        if part is not None:
            *variables, kind = name.split(".")
            named[".".join([kind, *variables])] = part
    return to_write(named)

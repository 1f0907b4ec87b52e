"""Type promotion is PyTorch's: every pair of dtypes as tensor, 0-dim tensor and Python number."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from op_db_values import array_of  # noqa: E402

from gradcli.errors import GradcliError  # noqa: E402
from gradcli.functions import find  # noqa: E402
from gradcli.graph.dtype import DTYPES  # noqa: E402
from gradcli.tensor import Tensor  # noqa: E402

NUMBERS = {"True": True, "2": 2, "2.5": 2.5, "1+2j": 1 + 2j}
RARE = frozenset(name for name, dtype in DTYPES.items() if dtype.bare) | {"complex32"}
"""Dtypes that PyTorch stores and computes little with."""
OPERANDS = (
    *((name, shape) for name in DTYPES if name not in RARE for shape in ("tensor", "0-dim")),
    *((name, "number") for name in NUMBERS),
)
"""(dtype or number, what it is)."""


def _function(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    theirs: Any = torch
    for part in name.split("."):
        theirs = getattr(theirs, part)
    return find(f"torch.{name}"), theirs


def _both(function: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return function, function


def _named(name: str, arrange: Callable[..., Any]) -> tuple[Callable[..., Any], ...]:
    return tuple(lambda x, y, f=f: arrange(f, x, y) for f in _function(name))


OPERATIONS: dict[str, tuple[Callable[..., Any], ...]] = {
    **{
        sign: _both(getattr(operator, name))
        for sign, name in {
            **{"+": "add", "-": "sub", "*": "mul", "/": "truediv", "//": "floordiv"},
            **{"%": "mod", "**": "pow", "==": "eq", "!=": "ne", "<": "lt", "<=": "le"},
            **{">": "gt", ">=": "ge", "&": "and_", "|": "or_", "^": "xor"},
            **{"<<": "lshift", ">>": "rshift"},
        }.items()
    },
    **{
        name: _function(name)
        for name in (
            *("add", "sub", "mul", "div", "pow", "maximum", "minimum", "fmax", "fmin"),
            *("atan2", "hypot", "xlogy", "logaddexp", "fmod", "remainder", "floor_divide"),
            *("float_power", "copysign", "heaviside", "logical_and", "bitwise_and", "rsub"),
        )
    },
    "where": _named("where", lambda f, x, y: f(_condition(f), x, y)),
    "clamp(min)": _named("clamp", lambda f, x, y: f(x, y)),
    "clamp(max)": _named("clamp", lambda f, x, y: f(x, max=y)),
    "clamp(x, y, y)": _named("clamp", lambda f, x, y: f(x, y, y)),
    "lerp": _named("lerp", lambda f, x, y: f(x, y, 0.5)),
    "addcmul": _named("addcmul", lambda f, x, y: f(x, y, y)),
    "add(alpha)": _named("add", lambda f, x, y: f(x, y, alpha=2)),
    "add(alpha=1.5)": _named("add", lambda f, x, y: f(x, y, alpha=1.5)),
    "cat": _named("cat", lambda f, x, y: f([x, y])),
    "stack": _named("stack", lambda f, x, y: f([x, y])),
    "div(floor)": _named("div", lambda f, x, y: f(x, y, rounding_mode="floor")),
    "div(trunc)": _named("div", lambda f, x, y: f(x, y, rounding_mode="trunc")),
    "+=": _both(operator.iadd),
    "*=": _both(operator.imul),
}


def _condition(function: Any) -> Any:
    return (find("torch.tensor") if function is find("torch.where") else torch.tensor)(True)


def _operand(name: str, kind: str) -> tuple[Any, Any]:
    """The operand under gradcli and under PyTorch."""
    if kind == "number":
        return NUMBERS[name], NUMBERS[name]
    numbers = [1, 2] if kind == "tensor" else 2
    ours = find("torch.tensor")(numbers, dtype=DTYPES[name])
    return ours, torch.tensor(numbers, dtype=getattr(torch, name))


def _result(function: Callable[..., Any], x: Any, y: Any) -> Any:
    try:
        return function(x, y)
    except (GradcliError, RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        return error.kind if isinstance(error, GradcliError) else type(error)


def _said(result: Any) -> str:
    if isinstance(result, type):
        return result.__name__
    return str(result.dtype) if isinstance(result, (Tensor, torch.Tensor)) else repr(result)


def _wrong(ours: Any, theirs: Any) -> str:
    if _said(ours) != _said(theirs):
        return f"{_said(ours)} in place of {_said(theirs)}"
    if not isinstance(ours, Tensor):
        return ""
    a, b = ours.array(), array_of(theirs)
    loose = 2e-2 if ours.dtype.name == "bfloat16" else 2e-3 if ours.dtype.itemsize < 8 else 1e-6
    if a.shape != b.shape or not np.allclose(a, b, rtol=loose, atol=loose, equal_nan=True):
        return f"{a.tolist()} in place of {b.tolist()}"
    return ""


@pytest.mark.parametrize("name", OPERATIONS)
def test_promotion_table(name: str) -> None:
    mine, theirs = OPERATIONS[name]
    wrong = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for left in OPERANDS:
            for right in OPERANDS:
                if left[1] == right[1] == "number":
                    continue
                (a, b), (c, d) = _operand(*left), _operand(*right)
                if torch.result_type(b, d) is torch.complex32:
                    continue
                expected = _result(theirs, b, d)
                if (
                    isinstance(expected, type)
                    and "number" in (left[1], right[1])
                    and name[0].isalpha()
                ):
                    continue
                problem = _wrong(_result(mine, a, c), expected)
                if problem:
                    wrong.append(f"{' '.join(left)} {name} {' '.join(right)}: {problem}")
    assert not wrong, f"{len(wrong)} wrong\n" + "\n".join(wrong[:400])

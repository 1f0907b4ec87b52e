"""Programs of small arrays give the bits of evaluation on demand, for every op that has steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcli
from gradcli.execute.steps import STEPS

EXPRESSIONS = {
    "contract": [
        "x.T @ y",
        "x @ y.T",
        "x @ y[0]",
        "y[0] @ y[0]",
        "x @ (y.T @ x)",
        "outer(x[0], y[0])",
        "einsum('aij,kj->aik', stack([x, y, x * y]), x)",
        "einsum('abij,jk->abik', (x * y).reshape(1, 1, *x.shape), x.T)",
        "einsum('aij,kj->iak', stack([x, y]), y)",
    ],
    "sum": ["sum(x*y)", "sum(x, 0)", "sum(x, 1, keepdim=True) * y", "mean(x) + y"],
    "pow": ["x**2", "x**3 + y", "abs(x)**y", "x**2.5", "x**0 * y + x"],
    "sigmoid": ["sigmoid(x) * y"],
    "relu": ["relu(x - y)"],
    "where": ["where(x > y, x, y)", "where(x > 0, x, 0.0)", "where(x > 0, 1.0, y)"],
    "embed": ["x[:, 0].exp() + y[:, -1]", "x[0] * y[-1]"],
    "diagonal_embed": ["diag_embed(x * y)", "diag_embed(x, 1) * y[0, 0]", "diag_embed(y, -2)"],
    "slice_put": ["select_scatter(x, y[0], 0, 0)", "slice_scatter(x, y[:1] * 2, 0, 0, 1)"],
    "concat": ["cat([x, y], 0)", "cat([x, y * x, y], 1)", "stack([x, y], -1)"],
    "softmax": ["softmax(x, -1) * y", "softmax(x, 0) * y", "softmax(x[0], 0) * y"],
    "log_softmax": ["log_softmax(x, -1) * y", "log_softmax(x, 0) * y", "log_softmax(y[0], 0)"],
    "logsumexp": ["logsumexp(x, 1)", "logsumexp(x, 1, keepdim=True) * y", "logsumexp(x[0] + y, 0)"],
    **{name: [f"{name}(x) * y"] for name in ("exp", "exp2", "sin", "cos", "tan", "sinh", "cosh")},
    **{name: [f"{name}(x) * y"] for name in ("tanh", "expm1")},
    **{name: [f"{name}(abs(x)) * y"] for name in ("log", "log2", "log10")},
    "atan": ["atan(x) - y"],
    "acos": ["acos(x / 10) - y"],
}
BROADCASTS = [
    "x + y[0]",
    "x[:, :1] * y",
    "x[:, :1] - y[0]",
    "x[0, 0] / y",
    "maximum(x, y[0])",
    "x[:1, :1] + x",
]


ALL = [text for texts in EXPRESSIONS.values() for text in texts] + BROADCASTS


def test_every_op_with_steps_has_expressions() -> None:
    assert set(STEPS) == set(EXPRESSIONS)


def bits(result: Any) -> list[tuple[Any, bytes]]:
    arrays = [result.value, *result.grads.values()]
    return [(np.shape(a), np.ascontiguousarray(a).tobytes()) for a in arrays]


def assert_same_bits(expression: str, shape: tuple[int, int], dtype: Any, special: float) -> None:
    """A planned function, on numbers that it was not recorded with, beside evaluation."""
    rng = np.random.default_rng(0)

    def draw() -> dict[str, Any]:
        return {name: 3 * rng.standard_normal(shape).astype(dtype) for name in "xy"}

    whole = f"({expression}).sum()"
    for text in (expression, whole):
        wrt = ["x", "y"] if text is whole else []
        planned = gradcli.function(text, wrt=wrt)
        for _ in range(3):
            planned(**draw())
        data = draw()
        data["x"].flat[0] = special
        assert bits(planned(**data)) == bits(gradcli.evaluate(text, data, wrt=wrt))


@pytest.mark.parametrize("expression", ALL)
@pytest.mark.parametrize("special", [0.5, float("nan"), float("-inf")])
def test_steps_have_the_bits_of_kernels(expression: str, special: float) -> None:
    for shape in ((1, 1), (2, 2), (5, 3), (40, 2), (33, 17)):
        assert_same_bits(expression, shape, np.float32, special)
    assert_same_bits(expression, (6, 4), np.float64, special)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(ALL),
    st.integers(1, 70),
    st.integers(1, 40),
    st.sampled_from([np.float32, np.float64]),
)
def test_steps_have_the_bits_of_kernels_in_any_shape(
    expression: str, rows: int, columns: int, dtype: Any
) -> None:
    assert_same_bits(expression, (rows, columns), dtype, 0.25)

"""Sums of polynomials that are multiplied out give what adding up gives, for any numbers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.execute import evaluate, expanded, narrow, tiles

EXPRESSIONS = [
    "sum(exp(-0.5*((X[:,None,:] - Y)**2).sum(-1)))",
    "(((X[:,None,:] - Y)*exp(-w))**2).sum(-1).amin(1).mean()",
    "logsumexp(-0.5*(((X[:,None,:] - Y)*exp(-W))**2).sum(-1), 1).mean()",
    "log1p(((Y - X[:,None,:])**2*w*w).sum(2)).mean()",
    "sum(((X[:,None,:] - Y)**2).sum(-1, keepdim=True).sqrt()*w)",
    "(X[:,None,:]*W*(-0.5)).sum(-1).square().mean()",
    "mean(((X[:,:,None] - Y.T)**2).sum(1))",
    "((X[:,None,:] - Y)**2).mean((0, 2)).log1p().sum()",
    "((X[:,None,:] - Y)**2).sum().log1p()",
    "sum(1/(1 + ((tanh(X)[:,None,:] - Y)**2).sum(-1)))",
]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "SMALL", 0)
    monkeypatch.setattr(evaluate, "SWEEP", 0)
    monkeypatch.setattr(expanded, "LEAST", 0)
    monkeypatch.setattr(narrow, "LEAST", 30)
    monkeypatch.setattr(tiles, "TILE", 4096)
    monkeypatch.setattr(tiles, "CALL", 0)


def values(kind: str, rows: int, others: int, width: int) -> dict[str, Any]:
    """Data that lie around the origin, far from it, in clusters far apart, or on each other."""
    rng = np.random.default_rng(rows)
    x, y = rng.standard_normal((rows, width)), rng.standard_normal((others, width))
    if kind == "far":
        x, y = 1000 + x / 100, 1000 + y / 100
    elif kind == "clusters":
        x += 50 * (np.arange(rows) % 3 == 0)[:, None]
        y += 50 * (np.arange(others) % 2 == 0)[:, None]
    elif kind == "close":
        x = y[rng.integers(0, others, rows)] + rng.choice([0, 1e-6, 1e-3], (rows, 1)) * x
    found = {"X": x, "Y": y, "w": rng.standard_normal(width) / 4}
    found["W"] = rng.standard_normal((others, width)) / 4
    return {name: value.astype(np.float32) for name, value in found.items()}


def wide(expression: str, bindings: dict[str, Any]) -> dict[str, Any]:
    found = gradcli.evaluate(expression, {n: v.astype(np.float64) for n, v in bindings.items()})
    return {"value": found.value, **found.grads}


@pytest.mark.parametrize("kind", ["near", "far", "clusters", "close"])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_as_exact_as_float32_is(expression: str, kind: str) -> None:
    every = values(kind, 211, 7, 3)
    bindings = {name: value for name, value in every.items() if name in expression}
    found = gradcli.evaluate(expression, bindings)
    for name, expected in wide(expression, bindings).items():
        mine = found.value if name == "value" else found.grads[name]
        assert mine.dtype == np.float32
        assert mine.shape == expected.shape
        if "sqrt" in expression and kind == "close":  # its slope at 0 is infinite
            continue
        scale = np.abs(expected).max()
        np.testing.assert_allclose(mine, expected, rtol=2e-5, atol=2e-6 * scale, err_msg=name)


@pytest.mark.parametrize("kind", ["near", "far", "clusters", "close"])
@pytest.mark.parametrize("shape", [(1, 7, 3), (211, 1, 3), (90, 7, 1), (50, 30, 40)])
def test_distances_are_relatively_exact(kind: str, shape: tuple[int, int, int]) -> None:
    bindings = values(kind, *shape)
    del bindings["w"], bindings["W"]
    found = gradcli.evaluate("((X[:,None,:] - Y)**2).sum(-1)", bindings, gradients=False).value
    x, y = (bindings[n].astype(np.float64) for n in "XY")
    expected = ((x[:, None, :] - y) ** 2).sum(-1)
    np.testing.assert_allclose(found, expected, rtol=2e-7, atol=1e-37)
    np.testing.assert_array_equal(found == 0, expected == 0)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_infinities_and_nan_are_where_they_are_as_written(
    expression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = values("near", 211, 7, 3)
    every["X"][3, 1], every["X"][70, 0], every["Y"][0, 2] = np.nan, np.inf, -np.inf
    bindings = {name: value for name, value in every.items() if name in expression}
    found = gradcli.evaluate(expression, bindings)
    monkeypatch.setattr(expanded, "LEAST", 1 << 60)
    plain = gradcli.evaluate(expression, bindings)
    np.testing.assert_allclose(found.value, plain.value, rtol=1e-5)
    for name, expected in plain.grads.items():
        np.testing.assert_allclose(found.grads[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)


def test_no_table_with_all_axes_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    plain = tiles.Sweep.__init__

    def noted(self: Any, nodes: Any, *more: Any) -> None:
        plain(self, nodes, *more)
        made.extend(node.size for node in self.nodes if not node.op.view)

    monkeypatch.setattr(tiles.Sweep, "__init__", noted)
    for expression in EXPRESSIONS[:4]:
        every = values("near", 211, 7, 3)
        gradcli.evaluate(expression, {n: v for n, v in every.items() if n in expression})
    assert max(made) < 211 * 7 * 3


def test_another_process_knows_the_op_that_plans_make() -> None:
    source = "from gradcli.execute.packing import _op; print(_op('refined'))"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.stdout == "<op refined>\n", done.stderr

"""Factors and shifts of rows: another form where all is moderate, as written where not."""

from __future__ import annotations

import re

import numpy as np
import pytest

import gradcli
from gradcli.execute import evaluate, guards, threads, tiles

EXPRESSIONS = [
    "mean(cosine_similarity(x, y))",
    "sum(normalize(x, dim=1)*y)",
    "sum(x/x.abs().sum(1, True)*y/y.norm(dim=1, keepdim=True))",
    "sum(sum(-x*u[:,None]*(3*y/w[:,None]), 1)**2)",
    "sum((x*u[:,None]).sum(1)*w) + sum((x/u[:,None])**2)",
    "sum(tanh(x*u[:,None]/w[:,None]) * sum(x*y*u[:,None], 1, True))",
    "sum(where(u[:,None] > 9, 0, x*u[:,None])*y) + sum(where(w[:,None] > -9, y/w[:,None], 0)*y)",
    "mean((x*u[:,None]*5 + y)*x/w[:,None]) + sum(-(x*u[:,None])*w[:,None]*y)",
    "((x/x.norm(dim=1, keepdim=True))*(y/y.norm(dim=1, keepdim=True))).sum(-1).exp().mean()",
    "sum(x[:,None,:]*u[:,None,None]*y[:,None,:]/w[:,None,None], (0, 2)).sum()",
]


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Small tiles; what was found of the form of each."""
    monkeypatch.setattr(evaluate, "SMALL", 0)
    monkeypatch.setattr(tiles, "TILE", 4096)
    monkeypatch.setattr(tiles, "CALL", 0)
    found: list[bool] = []
    hold = guards.Guards.hold

    def noted(self: guards.Guards) -> bool:
        holds = hold(self)
        if self.sizes.size:
            found.append(holds)
        return holds

    monkeypatch.setattr(guards.Guards, "hold", noted)
    return found


def data(dtype: type) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found = {"x": rng.standard_normal((301, 40)), "y": rng.standard_normal((301, 40))}
    found |= {"u": rng.standard_normal(301), "w": rng.standard_normal(301)}
    found |= {"v": rng.standard_normal(40), "b": rng.standard_normal(40)}
    return {name: array.astype(dtype) for name, array in found.items()}


def compare(
    expression: str, bindings: dict[str, np.ndarray], tolerance: float, wrt: str = ""
) -> None:
    given = {k: b for k, b in bindings.items() if re.search(rf"\b{k}\b", expression)}
    found = []
    for sweep, count in ((0, 1), (0, 3), (1 << 60, 1)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(evaluate, "SWEEP", sweep)
            patch.setattr(threads, "THREADS", [count])
            result = gradcli.evaluate(expression, given, wrt=[n for n in wrt if n in given] or None)
            found.append([result.value, *(g for g in result.grads.values() if g is not None)])
    for one, three, plain in zip(*found, strict=True):
        assert one.tobytes() == three.tobytes()
        size = np.abs(plain).max(axis=-1, keepdims=True, initial=0, where=np.isfinite(plain))
        np.testing.assert_allclose(one / (size + 1), plain / (size + 1), rtol=0, atol=tolerance)


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moderate_rows(expression: str, dtype: type, held: list[bool]) -> None:
    compare(expression, data(dtype), 2e-5 if dtype is np.float32 else 1e-13)
    assert held
    assert all(held)


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("number", [0.0, 1e-130, 1e130, np.inf, np.nan])
def test_rows_that_are_not_moderate(expression: str, number: float, held: list[bool]) -> None:
    bindings = data(np.float64)
    for name, rows in (("x", (3, 140)), ("y", (80, 140)), ("u", (200, 300)), ("w", (201, 140))):
        for row in rows:
            bindings[name][row] *= number
    with np.errstate(all="ignore"):
        compare(expression, bindings, 1e-12)
    assert not all(held)


@pytest.mark.parametrize(
    "expression",
    ["sum((x*u.relu()[:,None]*y).sum(1)**2)", "triplet_margin_loss(x, y, 2*x + y, margin=0.3)"],
)
@pytest.mark.parametrize("number", [np.inf, np.nan, 1e200])
def test_factors_that_may_be_zero(expression: str, number: float, held: list[bool]) -> None:
    bindings = data(np.float64)
    compare(expression, bindings, 1e-12)
    assert held
    assert all(held)
    bindings["x"][140] *= number
    bindings["y"][140] *= number
    with np.errstate(all="ignore"):
        compare(expression, bindings, 1e-12)
    assert not all(held)


@pytest.mark.parametrize(
    "expression",
    [
        "sum((x*u[:,None]*w[:,None]).amin(0)*v)",
        "sum((x/w[:,None]*relu(u)[:,None]).amax(0)*v)",
        "(x*u[:,None]/w[:,None]).amax() + (y/w[:,None]*u[:,None]).norm(p=float('inf'))",
        "((x - y)/3).norm(dim=1).sum() + sum((y/w[:,None]).amin(0)*v)",
        "sum(softmax(x, 1).amax(0)*v) + sum((softmax(x, 1)*y).sum(1)**2)",
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_go_to_the_extremes_that_another_sweep_found(
    expression: str, dtype: type
) -> None:
    compare(expression, data(dtype), 2e-5 if dtype is np.float32 else 1e-13)


COLUMNS = [
    "sum(layer_norm(x, [40], v, b)*y)",
    "sum(rms_norm(x, [40], v)*y)",
    "sum((b + x*u[:,None]*v)*(y*w[:,None]))",
    "sum((x/w[:,None]*v + b + v)*y)",
]


@pytest.mark.parametrize("expression", COLUMNS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_columns(expression: str, dtype: type, held: list[bool]) -> None:
    compare(expression, data(dtype), 4e-5 if dtype is np.float32 else 1e-12, "xvb")
    assert held
    assert all(held)


@pytest.mark.parametrize("expression", COLUMNS)
@pytest.mark.parametrize("number", [0.0, 1e-130, 1e130, np.inf, np.nan])
def test_columns_that_are_not_moderate(expression: str, number: float, held: list[bool]) -> None:
    for name in ("x", "y", "v", "b"):
        bindings = data(np.float64)
        bindings[name][..., 7] *= number
        with np.errstate(all="ignore"):
            compare(expression, bindings, 1e-12, "xvb")
    assert not all(held)
    bindings["x"][9] *= number
    bindings["y"][140:] *= number
    with np.errstate(all="ignore"):
        compare(expression, bindings, 1e-12, "xvb")


def test_rows_of_both_dtypes(held: list[bool]) -> None:
    bindings = data(np.float64)
    compare("sum(normalize(x.float(), dim=1)*y) + sum(normalize(x, dim=1)*y)", bindings, 1e-6)
    assert all(held)
    bindings["x"][9] *= 1e130
    bindings["y"][9] *= 1e-130
    compare("sum(normalize(x/1e130, dim=1)*y) + sum(normalize(x, dim=1)*y)", bindings, 1e-12)
    compare("sum(normalize(y.float(), dim=1)*x) + sum(normalize(x, dim=1)*y)", bindings, 1e-6)
    assert not all(held)


def test_a_row_of_opposites_adds_up_to_nothing(held: list[bool]) -> None:
    bindings = data(np.float32)
    bindings["x"][7, 20:] = -bindings["x"][7, :20]
    bindings["y"][7] = 1
    compare("mean(cosine_similarity(x, y))", bindings, 1e-6)
    assert held


SHIFTED = [
    "sum(softmax(x, 1)*y)",
    "sum(log_softmax(x, 1)*y)",
    "logsumexp(x, 1).mean()",
    "cross_entropy(x, (u.abs()*100).long() % 40)",
    "sum(softmax(softmax(x, 1)*y, 1)*x)",
    "logsumexp(x[:,None,:5] + y[:,:5,None], 2).mean()",
]


@pytest.mark.parametrize("expression", SHIFTED)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shifts_are_left_out(expression: str, dtype: type, held: list[bool]) -> None:
    compare(expression, data(dtype), 2e-6 if dtype is np.float32 else 1e-14)
    assert held
    assert all(held)


@pytest.mark.parametrize("expression", SHIFTED)
@pytest.mark.parametrize("number", [-np.inf, np.inf, np.nan, 1e3, -1e3, 20.0, -20.0])
def test_shifts_that_are_needed(expression: str, number: float, held: list[bool]) -> None:
    bindings = data(np.float64)
    bindings["x"][3] += number
    bindings["x"][140, 2] += number
    with np.errstate(all="ignore"):
        compare(expression, bindings, 1e-12)
    assert not all(held)


@pytest.mark.parametrize(
    "expression",
    ["sum((x - x.amax(1, True))*y)", "sum(exp(x - x.amax(1, True))*y)", "x.amax(1).exp().sum()"],
)
def test_what_depends_on_the_largest(expression: str) -> None:
    compare(expression, data(np.float64), 1e-14)

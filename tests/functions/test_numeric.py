"""Numerical analysis and geometry: what op_db leaves out, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from functional_oracle import compare, compare_error

import gradcli

X = np.array([3.0, 1.0, 2.0])
M = np.array([[1.5, 0.5, -2.0], [4.0, 1.0, 0.25]])
POINTS = np.linspace(-1.0, 1.0, 90).reshape(30, 3) ** 2
VALUES: dict[str, Any] = {
    **{"x": X, "m": M, "p": POINTS, "ci": np.array([1, 2, 3]), "cb": X > 1},
    "ct": np.array([0.0, 1.0, 3.0]),
}

EXPRESSIONS = [
    *("torch.diff(x, n=2)", "torch.diff(m, dim=0, prepend=m[:1])", "torch.diff(x, n=0)"),
    *("torch.gradient(x)[0]", "torch.gradient(x, spacing=(ct,), edge_order=2)[0]"),
    *("torch.gradient(m, spacing=[1., 2.])[1]", "torch.trapezoid(x)", "torch.trapezoid(x, ct)"),
    *("torch.trapezoid(m, dx=2, dim=0)", "torch.cumulative_trapezoid(x)"),
    *("torch.cumulative_trapezoid(x, ct)", "torch.cov(m)", "torch.cov(x)", "torch.corrcoef(m)"),
    *(
        "torch.cov(m, fweights=ci, aweights=ct + 1)",
        "torch.corrcoef(x)",
        "torch.renorm(m, 2, 0, 1)",
    ),
    *("torch.dist(x, ct, 3)", "torch.cdist(m, p[:4])", "torch.cdist(p, p[3:] * 2)"),
    *("F.pdist(p[:5])", "torch.combinations(x, 2, True)", "torch.cartesian_prod(x, x)"),
    *("torch.block_diag(m, x, x[0])", "torch.cross(x, ct, 0)", "torch.linalg.cross(m, x[None])"),
    *("torch.rot90(m)", "torch.rot90(m, 2)", "torch.rot90(m, -1, [1, 0])", "torch.rot90(m, 4)"),
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_value_name_and_derivatives(expression: str) -> None:
    smooth = "cdist" not in expression and "pdist" not in expression
    compare(expression, VALUES, order=2 if smooth else 1, double=1e-7)


@pytest.mark.parametrize(
    "expression",
    ["torch.tril_indices(3, 4, 1)", "torch.triu_indices(3, 2, -1)", "torch.diff(cb)"],
)
def test_positions_and_truth_values(expression: str) -> None:
    compare(expression, VALUES, order=0)


def test_equal_points_have_gradient_zero() -> None:
    for count in (2, 30):
        compare("torch.cdist(x, x)", {"x": np.ones((count, 3))}, order=1)


ERRORS = [
    *("torch.diff(x, n=-1)", "torch.diff(x[0])", "torch.gradient(x, edge_order=3)"),
    *("torch.gradient(x[:1])", "torch.gradient(m, spacing=[1., 2., 3.])", "torch.trapezoid(x[0])"),
    *("torch.trapezoid(m, ct[:2])", "torch.cov(m[None])", "torch.cov(m, fweights=ci[:2])"),
    *("torch.cov(m, fweights=ct)", "torch.cov(m, aweights=ci)", "torch.cov(m, aweights=ct - 1)"),
    *("torch.cov(m, aweights=m)", "torch.corrcoef(m[None])", "torch.renorm(x, 2, 0, 1)"),
    *("torch.renorm(m, -2, 0, 1)", "torch.renorm(m, 2, 0, -1)", "torch.cdist(m, m[:, :2])"),
    *("torch.cdist(x, x)", "torch.cdist(m, m, p=-1)", "torch.cdist(m, m, compute_mode='x')"),
    *("F.pdist(x)", "F.pdist(m, -1.)", "torch.combinations(m)", "torch.combinations(x, -1)"),
    *("torch.cartesian_prod(m, x)", "torch.block_diag(m[None])", "torch.linalg.cross(m, x)"),
    *("torch.linalg.cross(m, m, dim=0)", "torch.rot90(x)", "torch.rot90(m, 1, [0])"),
    *("torch.rot90(m, 1, [0, 0])", "torch.rot90(m, 1, [0, 5])", "torch.tril_indices(-1, 3)"),
]


@pytest.mark.parametrize("expression", ERRORS)
def test_refusals(expression: str) -> None:
    compare_error(expression, VALUES)


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8"])
@pytest.mark.parametrize(
    "expression",
    [
        "torch.div(x, y, rounding_mode='trunc')",
        "torch.div(x, y, rounding_mode='floor')",
        *("torch.fmod(x, y)", "torch.remainder(x, y)"),
    ],
)
def test_the_least_whole_numbers_are_divided_too(expression: str, kind: str) -> None:
    limits = np.iinfo(kind)
    x = np.array([limits.min, limits.min + 1, limits.max, 7, 0, 5], kind)[:, None]
    y = np.array([v for v in (2, 3, -2, -3, 7) if v >= limits.min], kind)
    found = gradcli.evaluate(expression, {"x": x, "y": y}, gradients=False).value
    wanted = eval(expression, {"torch": torch}, {"x": torch.tensor(x), "y": torch.tensor(y)})
    assert (found == wanted.numpy()).all()
    assert found.dtype == wanted.numpy().dtype

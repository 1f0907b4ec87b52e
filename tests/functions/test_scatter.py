"""Scatter and relatives: what op_db leaves out, against PyTorch: names, views, writes, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from functional_oracle import compare, compare_error, ours, theirs

X = np.arange(6.0).reshape(2, 3) + 0.5
S = np.linspace(-1.0, 1.0, 6).reshape(2, 3)
INDEX = np.array([[0, 1, 0], [1, 1, 0]])
J = np.array([1, 0])
VALUES: dict[str, Any] = {"x": X, "s": S, "ci": INDEX, "cj": J, "cm": X > 2}

EXPRESSIONS = [
    *("x.scatter(0, ci, s)", "x.scatter(0, ci, 2.5)", "x.scatter(0, ci, value=2.5)"),
    *("x.scatter_add(0, ci, s)", "x.scatter_reduce(1, ci, s, 'prod', include_self=False)"),
    *("x.index_add(0, cj, s, alpha=3)", "x.index_copy(0, cj, s)", "x.index_fill(1, cj, 7)"),
    *("x.index_reduce(0, cj, s, 'mean')", "x.masked_scatter(cm, s)", "x.put(cj, s[0, :2])"),
    *("x.put(cj, s[0, :2], True)", "torch.slice_scatter(x, s[:, :1], 1, 1, 2)"),
    *("torch.select_scatter(x, s[0], 0, -1)", "torch.diagonal_scatter(x, s[0, :2])"),
    *("x.as_strided((2, 2), (1, 2), 1)", "x.unfold(1, 2, 1)", "x.unfold(0, 2, 2)"),
    *("x.scatter_reduce(0, ci, s, 'amax')", "x.scatter_reduce(0, ci, s, 'mean')"),
]


@pytest.mark.filterwarnings("ignore:index_reduce")
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_value_name_and_derivatives(expression: str) -> None:
    compare(expression, VALUES)


WRITES = [
    *("y.scatter_(0, ci, s)", "y.scatter_add_(0, ci, s)", "y.index_add_(0, cj, s)"),
    *("y.index_copy_(0, cj, s)", "y.index_fill_(0, cj, 2)", "y.masked_scatter_(cm, s)"),
    *("y.put_(cj, s[0, :2])", "y.scatter_reduce_(0, ci, s, 'prod')"),
    *("y.index_reduce_(0, cj, s, 'amax')", "y[0].index_fill_(0, cj, 2)"),
    *("y.as_strided((2, 2), (2, 1)).mul_(s[:, :2])", "y.unfold(1, 2, 2).mul_(3)"),
]


@pytest.mark.filterwarnings("ignore:index_reduce")
@pytest.mark.parametrize("write", WRITES)
def test_writes_reach_the_tensor_and_its_gradients(write: str) -> None:
    compare(f"(lambda y: [{write}, y * y][1])(x * 1)", VALUES)
    compare(f"(lambda y: [{write}, y][1])(x * 1)", VALUES, order=1)


ERRORS = [
    *("x.scatter(0, ci + 7, s)", "x.scatter(0, ci - 1, s)", "x.scatter(0, ci[0], s)"),
    *("x.scatter(0, ci, s.float())", "x.scatter(0, ci, s[:1])", "x.scatter(5, ci, s)"),
    *("x.scatter(0, ci.float(), s)", "x.scatter(0, ci, s, reduce='bad')"),
    *("x.scatter_reduce(0, ci, s, 'bad')", "x.scatter_add(0, ci, s[:, :2])"),
    *("x.index_add(0, cj[:1], s)", "x.index_add(0, cj + 5, s)", "x.index_add(0, cj, s.float())"),
    *("x.index_add(0, cj.float(), s)", "x.index_add(0, ci, s)", "x.index_add(0, cj, s[:, :2])"),
    *("x.index_copy(0, cj[:1], s)", "x.index_copy(0, cj + 5, s)", "x.index_copy(0, cj.int(), s)"),
    *("x.index_copy(0, ci, s)", "x.index_copy(0, cj, s[:, :2])", "x.index_copy(0, cj, s.float())"),
    *("x.index_fill(0, cj + 5, 1)", "x.index_fill(0, cj, s)", "x.index_fill(0, ci, 1)"),
    *("x.index_fill(0, cj.float(), 1)", "x.index_reduce(0, cj, s, 'sum')"),
    *("x.index_reduce(0, cj + 5, s, 'mean')", "x.masked_scatter(cm, s[0, :1])"),
    *("x.masked_scatter(ci, s)", "x.masked_scatter(cm, s.float())", "x.put(cj, s)"),
    *("x.put(cj + 50, s[0, :2])", "x.put(cj.int(), s[0, :2])", "x.put(cj, s[0, :2].float())"),
    *("torch.slice_scatter(x, s, 0, 0, 1)", "torch.select_scatter(x, s[0], 0, 5)"),
    *("torch.diagonal_scatter(x, s)", "x.as_strided((2, 2), (10, 2))", "x.as_strided((2,), ())"),
    *("x.as_strided((2, 2), (1, -1))", "x.unfold(1, 5, 1)", "x.unfold(1, 2, 0)"),
    *("x.unfold(1, -2, 1)", "x.unfold(3, 2, 1)"),
]


@pytest.mark.filterwarnings("ignore:index_reduce")
@pytest.mark.parametrize("expression", ERRORS)
def test_refusals(expression: str) -> None:
    compare_error(expression, VALUES)


@pytest.mark.filterwarnings("ignore:The reduce argument")
def test_scatter_with_reduce_has_no_derivative_as_in_pytorch() -> None:
    mine, _ = ours("x.scatter(0, ci, s, reduce='multiply')", VALUES)
    other, _ = theirs("x.scatter(0, ci, s, reduce='multiply')", VALUES)
    np.testing.assert_allclose(mine.array(), other.detach().numpy())
    assert repr(mine) == repr(other)
    compare_error("x.scatter(0, ci, s, reduce='multiply').sum().backward()", VALUES)


def test_integers_divide_downwards_in_a_mean() -> None:
    compare("ci.scatter_reduce(0, ci, -3 * ci, 'mean')", {"ci": INDEX}, order=0)


def test_a_scalar_counts_as_a_row_of_one() -> None:
    values = {"x": np.array(3.0), "s": np.array(4.0), "ci": np.array(0)}
    for call in ("scatter(0, ci, s)", "index_add(0, ci, s)", "index_copy(0, ci, s)"):
        compare(f"x.{call}", values)

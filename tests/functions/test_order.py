"""Order, counting and numeric functions: what op_db leaves out, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from functional_oracle import compare, compare_error, ours, theirs

X = np.array([3.0, -1.0, 2.0, 2.0, 5.0])
M = np.array([[1.5, 0.5, -2.0], [4.0, 1.0, 0.25]])
GAPS = np.array([1.0, np.nan, 3.0, 2.0])
VALUES: dict[str, Any] = {"x": X, "m": M, "ci": np.array([1, 2, 1, 0, 2]), "cz": X + 1j}

PRINTED = [
    *("torch.sort(m)", "torch.sort(m, stable=True)", "torch.topk(x, 2)", "torch.kthvalue(x, 1)"),
    *("torch.mode(x)", "torch.median(m, 0)", "torch.median(x)", "torch.nanmedian(x)"),
    *("torch.aminmax(m)", "torch.aminmax(m, dim=1)", "torch.cummax(x, 0)", "torch.cummin(x, 0)"),
    *("torch.unique(x)", "torch.unique(x, return_counts=True)", "torch.unique(m, dim=0)"),
    *("torch.unique_consecutive(x)", "torch.quantile(x, 0.3)", "torch.quantile(m, 0.5, dim=1)"),
    *("torch.max(m, 1)", "m.min(0)", "torch.bincount(ci)", "torch.bincount(ci, x)"),
    *("torch.histc(x.detach(), 4)", "torch.histogram(x.detach(), 3)", "torch.argsort(x)"),
]


@pytest.mark.parametrize("expression", PRINTED)
def test_printed_as_pytorch_prints_it(expression: str) -> None:
    assert repr(ours(expression, VALUES)[0]) == repr(theirs(expression, VALUES)[0])


@pytest.mark.parametrize(
    "expression",
    [
        *("torch.sort(x)[0]", "torch.median(x)", "torch.quantile(x, 0.3)", "torch.msort(m)"),
        *("torch.cummax(x, 0)[0]", "torch.topk(m, 2).values", "torch.aminmax(x)[1]"),
    ],
)
def test_second_order(expression: str) -> None:
    compare(expression, VALUES)


@pytest.mark.parametrize(
    "expression",
    [
        *("torch.sort(x)[0]", "torch.median(x)", "torch.nanmedian(x)", "torch.median(x, 0)[1]"),
        *("torch.nanmedian(x, 0)[1]", "torch.cummax(x, 0)[1]", "torch.cummin(x, 0)[1]"),
        *("torch.quantile(x, 0.4)", "torch.nanquantile(x, 0.4)", "torch.kthvalue(x, 4)[1]"),
        *("torch.sort(x, descending=True)[1]", "torch.topk(x, 2)[0]", "torch.unique(x)"),
    ],
)
def test_nan_is_the_largest_number(expression: str) -> None:
    compare(expression, {"x": GAPS}, order=1 if "unique" not in expression else 0)


LENGTHS = (1, 2, 3, 8, 16, 17, 33, 64, 100, 200, 700)


@pytest.mark.parametrize("levels", [1, 2, 3, 10])
@pytest.mark.parametrize("length", LENGTHS)
def test_equal_elements_come_as_pytorch_puts_them(length: int, levels: int) -> None:
    rng = np.random.default_rng(length + levels)
    x = rng.integers(0, levels, (2, length)).astype("float64")
    x[1, rng.random(length) < 0.3] = np.nan
    for k in {1, max(1, length // 64), (length + 1) // 2, length}:
        for call in (
            *("torch.sort(x)", "torch.sort(x, descending=True)", "torch.argsort(x, 0)"),
            *(f"torch.topk(x, {k})", f"torch.topk(x, {k}, largest=False)"),
            *(f"torch.topk(x, {k}, sorted=False)", f"torch.kthvalue(x, {k})"),
        ):
            found, expected = ours(call, {"x": x})[0], theirs(call, {"x": x})[0]
            assert repr(found) == repr(expected), call


ERRORS = [
    *("torch.kthvalue(x, 0)", "torch.topk(x, 9)", "torch.quantile(x, 2)", "torch.sort(x, 5)"),
    *("torch.quantile(x.float(), x)", "torch.quantile(ci, 0.5)", "torch.median(cz)"),
    *("torch.quantile(x, 0.5, interpolation='x')", "torch.mode(cz)", "torch.cummax(cz, 0)"),
    *("torch.median(x[:0], 0)", "torch.mode(x[:0])", "torch.aminmax(x[:0])", "torch.nanmean(ci)"),
    *("torch.aminmax(x[:0], dim=0)", "torch.quantile(x[:0], 0.5)", "torch.bincount(x)"),
    *("torch.histc(x, 0)", "torch.searchsorted(x, x, side='up')", "torch.bucketize(x, m)"),
    *("torch.searchsorted(x.sum(), x)", "torch.bincount(ci, x).sum().backward()"),
]


@pytest.mark.parametrize("expression", ERRORS)
def test_refusals(expression: str) -> None:
    compare_error(expression, VALUES)

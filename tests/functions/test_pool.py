"""Pooling against PyTorch: values, two derivatives, names, ties, NaN, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from functional_oracle import compare, compare_error
from hypothesis import given, settings
from hypothesis import strategies as st

IMAGE, VOLUME, LINE = (2, 3, 5, 6), (1, 2, 4, 5, 6), (2, 3, 9)
CALLS = [
    *((f"F.max_pool1d(x, {a})", LINE) for a in ("2", "3, 2", "3, 1, 1, 2", "2, ceil_mode=True")),
    *((f"torch.max_pool1d(x, {a})", LINE[1:]) for a in ("2", "[3], [2], [1]")),
    *((f"F.max_pool2d(x, {a})", IMAGE) for a in ("2", "(2, 3), (1, 2), (1, 1)", "3, 2, 1")),
    *((f"F.max_pool2d(x, {a})", IMAGE) for a in ("2, dilation=2", "2, 3, ceil_mode=True")),
    *((f"F.max_pool2d(x, {a})", IMAGE[1:]) for a in ("2", "2, stride=[]")),
    *((f"F.max_pool3d(x, {a})", VOLUME) for a in ("2", "(1, 2, 3), 1", "3, 2, 1, ceil_mode=True")),
    *((f"F.avg_pool1d(x, {a})", LINE) for a in ("2", "3, 2, 1", "3, 2, 1, True, False")),
    *((f"torch.avg_pool1d(x, {a})", LINE[1:]) for a in ("2", "4, 1")),
    *((f"F.avg_pool2d(x, {a})", IMAGE) for a in ("2", "(2, 3), 1, 1", "3, 2, 1, True, False")),
    *((f"F.avg_pool2d(x, {a})", IMAGE[1:]) for a in ("2", "2, divisor_override=3", "5")),
    *((f"F.avg_pool3d(x, {a})", VOLUME) for a in ("2", "3, 2, 1, True, False", "(4, 5, 6)")),
    *((f"F.lp_pool1d(x.abs(), 2, {a})", LINE) for a in ("2", "3, 2")),
    ("F.lp_pool2d(x.abs(), 3., (2, 3), ceil_mode=True)", IMAGE),
    ("F.lp_pool3d(x.abs(), 1.5, 2)", VOLUME),
    *((f"F.adaptive_avg_pool1d(x, {n})", LINE) for n in (3, 4, 1, 9, 12)),
    *((f"F.adaptive_avg_pool2d(x, {n})", IMAGE) for n in (3, 1, (5, 2), (None, 4), 0)),
    *((f"F.adaptive_avg_pool3d(x, {n})", VOLUME) for n in (2, 1, (2, None, 4))),
    ("torch.adaptive_avg_pool1d(x, 2)", LINE[1:]),
    *((f"F.adaptive_max_pool1d(x, {n})", LINE) for n in (3, 4, 1, 12)),
    *((f"F.adaptive_max_pool2d(x, {n})", IMAGE) for n in (3, 1, (5, 2), (None, 4))),
    *((f"F.adaptive_max_pool3d(x, {n})", VOLUME[1:]) for n in (2, (2, None, 4))),
    ("torch.adaptive_max_pool1d(x, 2)[0]", LINE),
    ("F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2)", LINE),
    ("F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2, output_size=(9,))", LINE[1:]),
    ("F.max_unpool2d(*F.max_pool2d(x, 2, 1, return_indices=True), 2, 1)", IMAGE),
    (
        "F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2, output_size=(2, 3, 5, 6))",
        IMAGE,
    ),
    ("F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2)", (1, 2, 4, 2, 6)),
    ("F.fractional_max_pool2d(x, 2, (3, 4), _random_samples=cs)", IMAGE),
    ("F.fractional_max_pool2d(x, (2, 1), output_ratio=(0.5, 0.7), _random_samples=cs)", IMAGE),
    ("F.fractional_max_pool3d(x, 2, (2, 3, 4), _random_samples=ct)", VOLUME),
]
"""Calls with the shape of `x`."""
INDICES = [
    *(
        "F.max_pool1d(cx[0], 3, 2, return_indices=True)[1]",
        "torch.adaptive_max_pool1d(cx[0], 4)[1]",
    ),
    *("F.max_pool2d(cx, 3, 2, 1, return_indices=True)[1]", "F.max_pool2d_with_indices(cx, 2)[1]"),
    *("F.max_pool2d(cx, 2, 1, 0, 2, return_indices=True)[1]",),
    *("F.max_pool3d(cx, 2, return_indices=True)[1]", "F.max_pool1d_with_indices(cx[0], 2)[1]"),
    *("F.adaptive_max_pool2d(cx, (3, 4), return_indices=True)[1]",),
    *("F.adaptive_max_pool2d_with_indices(cx, 2)[1]", "torch.max_pool1d_with_indices(cx[0], 2)[1]"),
    *("F.adaptive_max_pool3d(cx, 2, True)[1]",),
]


def _drawn(shape: tuple[int, ...], dtype: str = "float64") -> dict[str, Any]:
    numbers = np.random.default_rng(5)
    samples = {"cs": numbers.uniform(0, 1, (2, 3, 2)), "ct": numbers.uniform(0, 1, (1, 2, 3))}
    arrays = {"x": numbers.standard_normal(shape), **samples}
    return {name: array.astype(dtype) for name, array in arrays.items()}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("expression", "shape"), CALLS, ids=[c for c, _ in CALLS])
def test_values_derivatives_and_names(expression: str, shape: tuple[int, ...], dtype: str) -> None:
    order = 1 if "fractional" in expression else 0 if ", 0)" in expression else 2
    compare(expression, _drawn(shape, dtype), order=order)


@pytest.mark.parametrize("expression", INDICES)
def test_positions_of_ties_and_nan(expression: str) -> None:
    numbers = np.random.default_rng(0)
    for unusual in (np.nan, -np.inf, np.inf, 0.0):
        choices = np.array([1.0, 2.0, unusual, -np.inf])
        compare(expression, {"cx": choices[numbers.integers(0, 4, (2, 3, 6, 7))]})


def test_whole_numbers() -> None:
    x = {"cx": np.arange(-20, 40).reshape(1, 2, 5, 6)}
    compare("F.max_pool2d(cx, 2)", x)
    compare("F.avg_pool2d(cx, 2)", x)
    compare("F.avg_pool2d(cx, 2, padding=1, count_include_pad=False)", x)


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d", "adaptive_max_pool2d"])
def test_nothing_in_the_batch(name: str) -> None:
    compare(f"F.{name}(x, 2)", _drawn((0, 3, 4, 4)), order=1)


REFUSED = [
    *("F.max_pool2d(x[0, 0], 2)", "F.max_pool1d(x[0, 0, 0], 2)", "F.max_pool2d(x, 0)"),
    *("F.max_pool2d(x, -1)", "F.max_pool2d(x, 2, stride=0)", "F.max_pool2d(x, 2, stride=-1)"),
    *("F.max_pool2d(x, 2, padding=2)", "F.max_pool2d(x, 2, padding=-1)", "F.max_pool2d(x, 9)"),
    *("F.max_pool2d(x, 2, dilation=0)", "F.max_pool2d(x, (2, 2, 2))"),
    *("F.max_pool2d(x, 2, (1, 1, 1))", "F.max_pool2d(x, 2, padding=(1, 1, 1))"),
    *("F.max_pool2d(x, 2, dilation=(1, 1, 1))", "F.max_pool2d(x.bool(), 2)"),
    *("F.max_pool2d(x[:, :0], 2)", "F.max_pool2d(x[:, :, :0], 2)", "F.max_pool1d(x[0], (2, 2))"),
    *("F.max_pool1d(x[0], 0)", "F.max_pool1d(x[0], 2, 0)", "F.max_pool1d(x[0], 2, padding=-1)"),
    *("F.max_pool1d(x[0], 2, padding=2)", "F.max_pool1d(x[0], 2, dilation=0)"),
    *("F.max_pool1d(x[0, :, :0], 2)", "F.max_pool1d(x[0, ..., :0], 2)", "F.max_pool3d(x[0], 2)"),
    *("F.max_pool3d(x, 0)", "F.max_pool3d(x, 2, padding=2)", "F.max_pool3d(x, 9)"),
    *("F.max_pool3d(x, (2, 2))", "F.avg_pool1d(x[0, 0, 0], 2)", "F.avg_pool1d(x[0], 0)"),
    *("F.avg_pool1d(x[0], 9)", "F.avg_pool1d(x[0], 2, 0)", "F.avg_pool1d(x[0], 2, padding=2)"),
    *("F.avg_pool1d(x[0], (2, 2))", "F.avg_pool1d(x[0], 2, padding=-1)", "F.avg_pool2d(x, 0)"),
    *("F.avg_pool2d(x, 9)", "F.avg_pool2d(x, 2, stride=0)", "F.avg_pool2d(x, 2, padding=2)"),
    *("F.avg_pool2d(x, (2, 2, 2))", "F.avg_pool2d(x, 2, padding=(1, 1, 1))"),
    *("F.avg_pool2d(x, 2, stride=(1, 1, 1))", "F.avg_pool2d(x, 2, divisor_override=0)"),
    *("F.avg_pool2d(x.bool(), 2)", "F.avg_pool2d(x[:, :0], 2)", "F.avg_pool3d(x[0, 0], 2)"),
    *("F.avg_pool3d(x, 0)", "F.avg_pool3d(x, (2, 2))", "F.avg_pool3d(x, 9)"),
    *("F.avg_pool3d(x, 2, divisor_override=0)", "F.adaptive_avg_pool1d(x[0, 0, 0], 2)"),
    *("F.adaptive_avg_pool1d(x[0], (2, 2))", "F.adaptive_avg_pool1d(x[0], -1)"),
    *("F.adaptive_avg_pool2d(x[0, 0], 2)", "F.adaptive_avg_pool2d(x, (2, 2, 2))"),
    *("F.adaptive_avg_pool2d(x, -1)", "F.adaptive_avg_pool2d(x[:, :, :0], 2)"),
    *("F.adaptive_avg_pool2d(x.long(), 2)", "F.adaptive_avg_pool2d(x.long(), 1)"),
    *("F.adaptive_avg_pool3d(x[0, 0], 2)", "F.adaptive_avg_pool3d(x, (2, 2))"),
    *("F.adaptive_avg_pool3d(x, -1)", "F.adaptive_max_pool1d(x[0, 0, 0], 2)"),
    *("F.adaptive_max_pool1d(x[0], (2, 2))", "F.adaptive_max_pool1d(x[0], -1)"),
    *("F.adaptive_max_pool2d(x[0, 0], 2)", "F.adaptive_max_pool2d(x, (2, 2, 2))"),
    *("F.adaptive_max_pool2d(x, -1)", "F.adaptive_max_pool2d(x[:, :, :0], 2)"),
    *("F.adaptive_max_pool2d(x.long(), 2)", "F.adaptive_max_pool3d(x[0, 0], 2)"),
    *("F.adaptive_max_pool3d(x, (2, 2))", "F.max_unpool2d(x, x, 2)"),
    *("F.max_unpool2d(x, x.int(), 2)", "F.max_unpool2d(x, x.long()[..., :1], 2)"),
    *("F.max_unpool2d(x, x.long()*0 + 999, 2)", "F.max_unpool2d(x, x.long()*0 - 1, 2)"),
    *("F.max_unpool2d(x[0, 0], x[0, 0].long(), 2)",),
    *("F.max_unpool2d(x, x.long(), 2, output_size=(99, 9))",),
    *("F.max_unpool2d(x, x.long(), 2, output_size=[99, 9])",),
    *("F.max_unpool2d(x, x.long(), 2, output_size=(9, 9, 9))",),
    *("F.lp_pool1d(x[0], 2, 9)", "F.fractional_max_pool2d(x, 2)", "F.fractional_max_pool3d(x, 2)"),
    *("F.fractional_max_pool2d(x, 9, output_size=3)",),
    *("F.fractional_max_pool2d(x, (2, 2, 2), output_size=3)",),
    *("F.fractional_max_pool2d(x, 2, output_size=(3, 3, 3))",),
]


@pytest.mark.parametrize("expression", REFUSED)
def test_refusals_are_pytorch_s(expression: str) -> None:
    compare_error(expression, {"x": np.random.default_rng(0).standard_normal((2, 3, 4, 5))})


@st.composite
def _pooling(draw: Any) -> tuple[str, tuple[int, ...]]:
    dims = draw(st.integers(1, 3))
    kernel = [draw(st.integers(1, 3)) for _ in range(dims)]
    stride = [draw(st.integers(1, 3)) for _ in range(dims)]
    padding = [draw(st.integers(0, k // 2)) for k in kernel]
    kind = draw(st.sampled_from(["max", "avg"]))
    dilation = [draw(st.integers(1, 2)) if kind == "max" else 1 for _ in range(dims)]
    sizes = [
        d * (k - 1) + 1 + draw(st.integers(0, 4)) for k, d in zip(kernel, dilation, strict=True)
    ]
    options = f"{kernel}, {stride}, {padding}, ceil_mode={draw(st.booleans())}"
    if kind == "max":
        options += f", dilation={dilation}"
    else:
        options += f", count_include_pad={draw(st.booleans())}"
    return f"F.{kind}_pool{dims}d(x, {options})", (2, draw(st.integers(1, 2)), *sizes)


@given(_pooling())
@settings(max_examples=60, deadline=None)
def test_any_pooling(call: tuple[str, tuple[int, ...]]) -> None:
    compare(call[0], {"x": np.random.default_rng(3).standard_normal(call[1])})


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=3))
@settings(max_examples=30, deadline=None)
def test_any_adaptive_pooling(pairs: list[tuple[int, int]]) -> None:
    sizes, wanted = (list(column) for column in zip(*pairs, strict=True))
    x = {"x": np.random.default_rng(3).standard_normal((2, *sizes))}
    for kind in ("max", "avg"):
        compare(f"F.adaptive_{kind}_pool{len(pairs)}d(x, {wanted})", x)

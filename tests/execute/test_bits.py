"""Sums of small arrays have PyTorch's bits, functions of them nearly always."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from gradcli.execute.backends import cascade  # noqa: E402
from gradcli.execute.backends.cascade import MOST  # noqa: E402
from gradcli.functions import find  # noqa: E402

WIDE = torch.backends.cpu.get_cpu_capability() == "AVX512"
"""Whether PyTorch's kernels take 16 numbers of float32 at a time here; the bits of some follow."""
SIZES = st.sampled_from([1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100, 257, 513, 3000])


def _numbers(shape: tuple[int, ...], kind: str) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(kind)


@given(st.lists(SIZES, min_size=1, max_size=4), st.sampled_from(["f", "d"]), st.data())
@settings(max_examples=400, deadline=None)
def test_sums_have_the_bits_of_pytorch(shape: list[int], kind: str, data: st.DataObject) -> None:
    while prod(shape) > MOST:
        shape.remove(max(shape))
    rank = len(shape)
    axes = data.draw(st.sets(st.integers(-rank, -1), min_size=1)) if rank else {}
    x = _numbers(tuple(shape), kind)
    found = cascade.total(x, tuple(sorted(axes)))
    if found is not None:
        expected = torch.from_numpy(x).sum(tuple(sorted(axes))).numpy()
        np.testing.assert_array_equal(found, expected, strict=True)


@pytest.mark.parametrize("shape", [(5,), (40,), (600,), (20000,), (7, 12), (12, 7), (2, 9, 40)])
@pytest.mark.parametrize("kind", ["f", "d"])
def test_every_axis_is_known(shape: tuple[int, ...], kind: str) -> None:
    for axis in range(-len(shape), 0):
        assert cascade.total(_numbers(shape, kind), (axis,)) is not None
    assert cascade.total(_numbers(shape, kind), tuple(range(-len(shape), 0))) is not None


@pytest.mark.parametrize(
    "name",
    [
        *("exp", "log", "tanh", "sin", "cos", "tan", "log1p", "expm1", "atan", "acos", "sigmoid"),
        *("log2", "log10", "exp2", "sinh", "cosh", "erf", "cumsum", "cumprod", "log_softmax"),
    ],
)
def test_functions_of_float32_nearly_always_have_the_bits_of_pytorch(name: str) -> None:
    x = np.abs(_numbers((40, 12), "f")) / 4 + np.float32(0.01)
    rest = (1,) if name.startswith(("cum", "log_s")) else ()
    ours = find(f"torch.{name}")(find("torch.tensor")(x), *rest).array()
    theirs = getattr(torch, name)(torch.from_numpy(x), *rest).numpy()
    exact = getattr(torch, name)(torch.from_numpy(x).double(), *rest).float().numpy()
    # PyTorch's tangent rounds another way on each make of processor; then ours is the nearest.
    assert np.mean((ours == theirs) | (ours == exact)) > (0.85 if WIDE else 0.75)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_softmax_of_columns_and_of_rows_adds_up_as_pytorch_does() -> None:
    for length in (3, 12, 16, 20, 50):
        x = _numbers((30, length), "f")
        for dim in (0, 1):
            ours = find("torch.softmax")(find("torch.tensor")(x), dim).array()
            same = np.mean(ours == torch.softmax(torch.from_numpy(x), dim).numpy())
            assert same > (0.75 if WIDE or dim == 0 else 0.4)

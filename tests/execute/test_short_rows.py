"""Reductions of short rows give what NumPy's own give, for any length and type."""

from __future__ import annotations

import numpy as np
import pytest

from gradcli.execute.backends import short_rows


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 16, 25, 64, 99, 100, 128, 130, 201, 512, 3000])
def test_extremes(length: int, name: str, kind: str) -> None:
    rng = np.random.default_rng(length)
    x = rng.standard_normal((3, 100, length)).astype(kind)
    x[0, 3, 0], x[1, 5, -1], x[2, 7, length // 2], x[2, 8] = np.nan, np.inf, -np.inf, -np.inf
    for each in (x, x[0]):
        found = short_rows.extremes(each, (-1,), name)
        if found is None:
            assert length > short_rows.LONGEST_EXTREME or each.size <= 256
        else:
            np.testing.assert_array_equal(found, getattr(each, name)(axis=-1))
            assert found.dtype == each.dtype
    assert length == 1 or short_rows.extremes(x[:, :, ::-1], (-1,), name) is None
    assert short_rows.extremes(x, (-2,), name) is None


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(64, 3), (1000, 7), (2, 129, 5), (3, 2, 4000), (700, 2, 2)])
def test_sums_are_as_accurate_as_adding_pairwise(shape: tuple[int, ...], kind: str) -> None:
    x = np.random.default_rng(0).uniform(0, 1, shape).astype(kind)
    for axis in range(-x.ndim, 0):
        found = short_rows.sums(x, (axis,))
        if found is not None:
            wanted = x.astype(np.longdouble).sum(axis=axis)
            np.testing.assert_allclose(found, wanted, rtol=2 * np.finfo(kind).eps)
            assert found.dtype == x.dtype
            for each in (x[..., ::-1], np.broadcast_to(x[..., :1], x.shape), x.T[::-1]):
                found = short_rows.sums(each, (axis,))
                found = each.sum(axis=axis) if found is None else found
                wanted = each.astype(np.longdouble).sum(axis=axis)
                np.testing.assert_allclose(found, wanted, rtol=9 * np.finfo(kind).eps)

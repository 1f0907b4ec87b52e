"""Fast forms of slow functions give what the slow ones give, at every kind of number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special

from gradcli.execute.backends import pointwise, vectorised

EDGES = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1e-45,
    -1e-45,
    1e-20,
    3.9,
    -4.2,
    30.0,
    -30.0,
    88.0,
    -100.0,
]
RANGE = np.random.default_rng(0).standard_normal(20_000) * 4
TINY = np.random.default_rng(1).uniform(-1e-3, 1e-3, 2_000)
BEYOND = [np.inf, -np.inf, np.nan, -2.0, 1e38, -1e38]
CASES = {
    "log1p": (vectorised.log1p, np.log1p, 4),
    "softplus": (vectorised.softplus, lambda x: np.logaddexp(x, 0), 4),
    "expm1": (vectorised.expm1, np.expm1, 4),
    "sinh": (vectorised.sinh, np.sinh, 6),
    "cosh": (vectorised.cosh, np.cosh, 4),
    "tan": (vectorised.tan, np.tan, 4),
    "atan": (vectorised.arctan, np.arctan, 3),
    "sign": (vectorised.sign, lambda x: np.where(np.isnan(x), 0, np.sign(x)), 0),
    "reciprocal": (vectorised.reciprocal, np.reciprocal, 0),
    "relu": (vectorised.relu, lambda x: np.maximum(0, x), 0),
    "sigmoid": (pointwise.sigmoid, scipy.special.expit, 5),
    "erf": (pointwise.erf, scipy.special.erf, 4),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("beyond", [[], BEYOND], ids=["finite", "with NaN and inf"])
def test_large_float32_arrays(name: str, beyond: list[float]) -> None:
    fast, slow, most = CASES[name]
    x = np.concatenate([EDGES, RANGE, TINY, beyond]).astype(np.float32)
    if name == "log1p" and not beyond:
        x = x[x > -1]
    with np.errstate(all="ignore"):
        expected = slow(x.astype(np.float64)).astype(np.float32)
        found = fast(x)
        out = np.empty_like(x)
        assert fast(x, out=out) is out
    np.testing.assert_array_equal(out, found)
    assert_close(found, expected, most, x)


def assert_close(found: Any, expected: Any, most: float, x: Any) -> None:
    """Within `most` units in the last place, and of the same sign where zero."""
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    tiny = np.abs(expected) < 1e-36
    with np.errstate(invalid="ignore"):
        units = np.abs(found - expected) / np.spacing(np.abs(expected))
    wrong = ~(same | tiny | (units <= most))
    assert not wrong.any(), x[wrong][:5]
    zero = expected == 0
    np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(expected[zero]))


def test_softplus_where_no_exponential_overflows() -> None:
    x = np.concatenate([[e for e in EDGES if e < 80], RANGE, TINY, [-np.inf]]).astype(np.float32)
    expected = np.logaddexp(x.astype(np.float64), 0).astype(np.float32)
    assert_close(vectorised.softplus(x), expected, 4, x)


@pytest.mark.parametrize("exponent", [4, 5, 7, 8, 9, 100, -3, -4, -5, -101, 1e20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whole_powers_of_any_sign(exponent: float, dtype: type[np.floating[Any]]) -> None:
    x = np.concatenate([EDGES, BEYOND, RANGE, TINY]).astype(dtype)
    with np.errstate(all="ignore"):
        expected = np.power(x.astype(np.longdouble), np.longdouble(exponent)).astype(dtype)
        found = pointwise.power(x, np.asarray(exponent, dtype))
        least = np.spacing(np.abs(expected))
        near = (found == expected) | (np.abs(found - expected) <= least)
    assert found.dtype == dtype
    assert np.all(near | (np.isnan(x) & np.isnan(found)))
    assert np.array_equal(np.signbit(found)[~np.isnan(x)], np.signbit(expected)[~np.isnan(x)])


@pytest.mark.parametrize("bounds", [(-0.5, 1), (-0.6, 1), (0, 1e30), (1e-30, 5), (-0.999, 40)])
def test_log1p_between_bounds(bounds: tuple[float, float]) -> None:
    """Blocks of other ranges go other ways."""
    x = np.concatenate([np.random.default_rng(3).uniform(*bounds, 9000), bounds, TINY, [-0.0]])
    x = x[(x >= bounds[0]) & (x <= bounds[1])].astype(np.float32)
    expected = np.log1p(x.astype(np.float64)).astype(np.float32)
    assert_close(vectorised.log1p(np.tile(x, 2)), np.tile(expected, 2), 4, np.tile(x, 2))


def test_logaddexp_of_large_float32_arrays() -> None:
    x, y = np.meshgrid(np.array([*EDGES, *BEYOND], np.float32), RANGE[:1000].astype(np.float32))
    y[:5, :2], x[0, 0], y[1, 0] = x[:5, :2], np.nan, -np.inf
    with np.errstate(all="ignore"):
        expected = np.logaddexp(x.astype(np.float64), y.astype(np.float64)).astype(np.float32)
        found = vectorised.logaddexp(x, y)
        near = np.abs(found - expected) <= 4e-7 * np.maximum(1, np.maximum(abs(x), abs(y)))
    right = near | (found == expected) | (np.isnan(found) & np.isnan(expected))
    assert right.all(), (x[~right][:5], y[~right][:5])


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extremes_of_an_array_and_a_number(name: str, kind: str) -> None:
    x = np.concatenate([EDGES, RANGE, BEYOND]).astype(kind)
    fast, slow = getattr(vectorised, name), getattr(np, name)
    for number in (0.0, -1.5, np.inf, np.nan):
        y = np.asarray(number, kind)
        for values in (x, x[::2], x[:20_000].reshape(4, -1).T):
            expected = slow(values, y)
            np.testing.assert_array_equal(fast(values, y), expected)
            out = np.array(values)
            assert fast(out, y, out=out) is out
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("kind", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("forms", ["xy", "x0", "0y", "x1", "1y", "01", "10", "1-", "-1", "0-"])
def test_where_chooses_bit_by_bit(kind: str, forms: str) -> None:
    rng = np.random.default_rng(2)
    condition = rng.integers(0, 2, 5000).astype(bool)  # more than BRANCHES
    x, y = (rng.integers(-9, 9, 5000).astype(kind) for _ in range(2))
    if kind.startswith("float"):
        x[:3], y[3:6] = [np.nan, np.inf, -0.0], [np.nan, np.inf, -0.0]
    options = {"x": x, "y": y, "0": np.zeros((), kind), "1": np.ones((), kind)}
    options["-"] = -np.array(0.0 if kind.startswith("float") else 7, kind)
    a, b = options[forms[0]], options[forms[1]]
    expected = np.where(condition, a, b)
    assert pointwise.where(condition, a, b).tobytes() == expected.tobytes()
    out = np.empty_like(expected)
    assert pointwise.where(condition, a, b, out=out).tobytes() == expected.tobytes()
    column = pointwise.where(condition[:40, None], a[:40, None] if a.ndim else a, b)
    with np.errstate(all="ignore"):
        wanted = np.where(condition[:40, None], a[:40, None] if a.ndim else a, b)
    assert column.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("chosen", ["none", "all", "some"])
@pytest.mark.parametrize("shape", [(1000, 1), (1, 50), (50,), (), (1,)])
def test_where_with_fewer_conditions_than_elements(chosen: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    condition = np.full(shape, chosen == "all")
    if chosen == "some":
        condition = rng.integers(0, 2, shape).astype(bool)
    x, y = rng.standard_normal((2, 1000, 50)).astype(np.float32)
    x[0, :3], y[1, :2] = [np.nan, -0.0, np.inf], np.nan
    numbers = np.float32(-0.0).reshape(()), np.float32(0.1).reshape(())
    some = (x, y), (x, np.zeros((), np.float32)), (np.ones(50, np.float32), y), numbers
    for a, b in some:
        expected = np.where(condition, a, b)
        assert pointwise.where(np.asarray(condition), a, b).tobytes() == expected.tobytes()
        out = np.empty_like(expected)
        assert pointwise.where(np.asarray(condition), a, b, out=out) is out
        assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("exponent", [-2, -1, -0.5, 0, 0.5, 1, 2, 3, 2.5, -3])
def test_powers_are_those_of_pytorch(exponent: float) -> None:
    torch = pytest.importorskip("torch")
    x = np.concatenate([RANGE, [0.0, -0.0, np.inf, -np.inf, np.nan]])
    with np.errstate(all="ignore"):
        found = pointwise.power(x, np.asarray(exponent))
    expected = torch.pow(torch.from_numpy(x), exponent).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    np.testing.assert_array_equal(np.signbit(found[-5:-3]), np.signbit(expected[-5:-3]))

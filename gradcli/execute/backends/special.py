"""Special functions on NumPy arrays: SciPy's, and what SciPy has under no single name.

Constraints: imported when an op first needs it. Degrees of polynomials are whole numbers written in
the dtype of x, as PyTorch takes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as scipy

Array = Any
Kernel = Callable[..., Array]


def _spherical_j0(x: Array) -> Array:
    angle = np.where(x == 0, 1, x)
    return np.where(np.isinf(x), 0, np.where(x == 0, 1, np.sin(angle) / angle))


# -- polynomials


def _degrees(polynomial: Kernel) -> Kernel:
    """Evaluates at whole degrees; a negative degree gives 0, a NaN one NaN."""

    def evaluate(x: Array, n: Array) -> Array:
        x, n = np.broadcast_arrays(x, n)
        degree = np.clip(np.nan_to_num(n), -1, 2**31).astype(np.int64)
        value = polynomial(x.astype(np.float64), np.maximum(degree, 0))
        return np.where(degree < 0, 0, value)

    return evaluate


def _angles(x: Array) -> tuple[Array, Array, Array]:
    """Where |x| < 1, its arc cosine there (elsewhere that of 0), and x where it is not."""
    inside = np.abs(x) < 1
    return inside, np.arccos(np.where(inside, x, 0)), np.where(inside, 2, x)


def _chebyshev_t(x: Array, n: Array) -> Array:
    inside, angle, outside = _angles(x)
    return np.where(inside, np.cos(n * angle), scipy.eval_chebyt(n, outside))


def _chebyshev_u(x: Array, n: Array) -> Array:
    inside, angle, outside = _angles(x)
    return np.where(inside, np.sin((n + 1) * angle) / np.sin(angle), _rising(outside, n))


def _rising(x: Array, n: Array) -> Array:
    return np.where(n < 0, 0, scipy.eval_chebyu(np.maximum(n, 0), x))


def _chebyshev_v(x: Array, n: Array) -> Array:
    inside, angle, outside = _angles(x)
    edge = _rising(outside, n) - _rising(outside, n - 1)
    return np.where(inside, np.cos((n + 0.5) * angle) / np.cos(angle / 2), edge)


def _chebyshev_w(x: Array, n: Array) -> Array:
    inside, angle, outside = _angles(x)
    edge = _rising(outside, n) + _rising(outside, n - 1)
    return np.where(inside, np.sin((n + 0.5) * angle) / np.sin(angle / 2), edge)


CHEBYSHEV = {"t": _chebyshev_t, "u": _chebyshev_u, "v": _chebyshev_v, "w": _chebyshev_w}


def _shifted(polynomial: Kernel) -> Kernel:
    return lambda x, n: polynomial(2 * x - 1, n)


def _by_degree(polynomial: Kernel) -> Kernel:
    return lambda x, n: polynomial(n, x)


# -- whole numbers and binary digits


def _ldexp(x: Array, y: Array) -> Array:
    return x * (np.power(2, y) if y.dtype.kind == "c" else np.exp2(y))


def _of_gamma(part: Kernel, at_zero: float) -> Kernel:
    """A part of the gamma function; where an end of it is NaN PyTorch asks about the other one."""

    def compute(a: Array, x: Array) -> Array:
        whole = (a == 0) | (np.isinf(x) & (x > 0) & ~(a < 0) & ~np.isinf(a))
        nothing = (x == 0) | (np.isinf(a) & (a > 0) & ~(x < 0) & ~np.isinf(x))
        found = np.where(np.isnan(a) & whole, 1 - at_zero, part(a, x))
        return np.where((np.isnan(a) | np.isnan(x)) & nothing, at_zero, found).astype(found.dtype)

    return compute


KERNELS: dict[str, Kernel] = {
    **{f"special_{name}": getattr(scipy, name) for name in ("i0", "i0e", "i1", "i1e", "entr")},
    **{f"special_{name}": getattr(scipy, name) for name in ("erfcx", "ndtri", "log_ndtr")},
    **{f"special_bessel_{name}": getattr(scipy, name) for name in ("j0", "j1", "y0", "y1")},
    **{f"special_modified_bessel_{n}": getattr(scipy, n) for n in ("i0", "i1", "k0", "k1")},
    **{f"special_scaled_modified_bessel_{n}": getattr(scipy, f"{n}e") for n in ("k0", "k1")},
    "special_airy_ai": lambda x: scipy.airy(x)[0],
    "special_spherical_bessel_j0": _spherical_j0,
    "special_igamma": _of_gamma(scipy.gammainc, 0),
    "special_igammac": _of_gamma(scipy.gammaincc, 1),
    "special_zeta": scipy.zeta,
    "special_xlog1py": scipy.xlog1py,
    **{f"special_chebyshev_polynomial_{k}": _degrees(p) for k, p in CHEBYSHEV.items()},
    **{
        f"special_shifted_chebyshev_polynomial_{k}": _degrees(_shifted(p))
        for k, p in CHEBYSHEV.items()
    },
    "special_hermite_polynomial_h": _degrees(_by_degree(scipy.eval_hermite)),
    "special_hermite_polynomial_he": _degrees(_by_degree(scipy.eval_hermitenorm)),
    "special_laguerre_polynomial_l": _degrees(_by_degree(scipy.eval_laguerre)),
    "special_legendre_polynomial_p": _degrees(_by_degree(scipy.eval_legendre)),
    **{"special_gcd": np.gcd, "special_lcm": np.lcm},
    "special_frexp_exponent": lambda x: np.frexp(x)[1],
    **{"special_ldexp": _ldexp, "special_frexp": lambda x: np.frexp(x)[0]},
}
"""Kernels by name."""

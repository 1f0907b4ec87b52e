"""Box-Muller, rounded as PyTorch's x86 builds round it.

Constraints: float64 goes through the C library as PyTorch does, so it agrees bit for bit on one
machine; float32 in blocks of 16 repeats the AVX2 arithmetic: Cephes' single-precision log, sin and
cos (S. Moshier) with each multiply-add rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.tensor.fused import multiply_add

if TYPE_CHECKING:  # numpy.typing costs a start-up ten milliseconds
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

_CHUNK = 1 << 15


def fill(values: NDArray[Any], mean: float, std: float) -> None:
    """Turns uniform numbers into normal ones in place, 16 at a time: 8 radii, then 8 angles.

    Args:
        values: shape (16*n,), float32 or float64, of [0, 1).
        mean: of the result.
        std: the standard deviation of the result.
    """
    single = values.dtype == np.float32
    if single:
        with np.errstate(over="ignore"):
            mean, std = float(np.float32(mean)), float(np.float32(std))
    for start in range(0, len(values), _CHUNK):
        part = values[start : start + _CHUNK].reshape(-1, 2, 8)
        radius, cosine, sine = (_polar_single if single else _polar_double)(part)
        for row, factor in enumerate((cosine, sine)):
            factor *= radius
            if single:
                factor = _rounded(factor) * std + mean
            elif (mean, std) != (0.0, 1.0):
                factor = multiply_add(factor, std, mean)
            part[:, row] = factor.reshape(-1, 8)


def through_libm(function: Callable[[float], float], values: Doubles) -> Doubles:
    """`function` of the C library for each value; NumPy's own loops differ in the last bit."""
    out = np.empty(len(values))
    for start in range(0, len(values), _CHUNK):
        part = values[start : start + _CHUNK]
        try:
            out[start : start + _CHUNK] = list(map(function, part.tolist()))
        except (ValueError, OverflowError):  # Python raises where C gives an infinity
            with np.errstate(all="ignore"):
                out[start : start + _CHUNK] = getattr(np, function.__name__)(part)
    return out


def _polar_double(part: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    radius = np.sqrt(-2.0 * through_libm(math.log, 1.0 - part[:, 0].ravel()))
    angle = 2.0 * math.pi * part[:, 1].ravel()
    return radius, through_libm(math.cos, angle), through_libm(math.sin, angle)


def _polar_single(part: NDArray[np.float32]) -> tuple[Doubles, Doubles, Doubles]:
    radius = _rounded(np.sqrt(_rounded(-2.0 * _log(1.0 - part[:, 0].ravel().astype(np.float64)))))
    angle = _rounded(_TWO_PI * part[:, 1].ravel().astype(np.float64))
    return radius, *_cos_sin(angle)


def _rounded(x: Doubles) -> Doubles:
    """To float32 and back: float64 holds a float32 product exactly, so x*y + z rounds once."""
    return x.astype(np.float32).astype(np.float64)


def _single(*constants: float) -> list[float]:
    return [float(np.float32(constant)) for constant in constants]


def _horner(x: Doubles, coefficients: list[float]) -> Doubles:
    y = _rounded(x * coefficients[0] + coefficients[1])
    for coefficient in coefficients[2:]:
        y = _rounded(y * x + coefficient)
    return y


_SQRT_HALF, _TWO_PI, _FOUR_OVER_PI, _LN2_LOW = _single(
    0.707106781186547524, 2.0 * math.pi, 1.27323954473516, -2.12194440e-4
)
_LN2_HIGH = 0.693359375
_LOG = _single(
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
_COS = _single(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_SIN = _single(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_QUARTER_PI_PARTS = _single(0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)


def _log(x: Doubles) -> Doubles:
    """The natural logarithm of float32 numbers of (0, 1]."""
    fraction, exponent = np.frexp(x)
    small = fraction < _SQRT_HALF
    power = (exponent - small).astype(np.float64)
    fraction += fraction * small
    fraction -= 1.0
    square = _rounded(fraction * fraction)
    y = _rounded(_horner(fraction, _LOG) * fraction)
    y = _rounded(y * square + _rounded(power * _LN2_LOW))
    y = _rounded(y - 0.5 * square)
    return _rounded(_rounded(fraction + y) + power * _LN2_HIGH)


def _cos_sin(angle: Doubles) -> tuple[Doubles, Doubles]:
    """Cosine and sine of float32 numbers of [0, 2 pi]."""
    octant = _rounded(angle * _FOUR_OVER_PI).astype(np.int32)
    octant = (octant + 1) & ~1
    x, turns = angle, octant.astype(np.float64)
    for part in _QUARTER_PI_PARTS:
        x = _rounded(x - turns * part)
    square = _rounded(x * x)
    cosine = _rounded(_horner(square, _COS) * square)
    cosine = _rounded(_rounded(cosine * square - 0.5 * square) + 1.0)
    sine = _rounded(_rounded(_horner(square, _SIN) * square) * x + x)
    swapped = (octant & 2) != 0
    cosine, sine = np.where(swapped, sine, cosine), np.where(swapped, cosine, sine)
    np.negative(cosine, out=cosine, where=((octant + 2) & 4) != 0)
    np.negative(sine, out=sine, where=(octant & 4) != 0)
    return cosine, sine

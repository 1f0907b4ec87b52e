"""Functions of small float32 arrays, computed in float64 and rounded once; powers of a few float64.

Constraints: `(x, out=None)` as a ufunc takes them. PyTorch's own are within a unit in the last
place, and give the correctly rounded number 99 times out of 100; NumPy's for float32 give it 50 to
90 times. Large arrays, complex numbers and float64 but for powers go NumPy's way: its power misses
even whole numbers, as in 27 ** (1/3), where it computes several at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any
MOST = 16384
"""Elements up to which the bits of a result count for more than its speed."""
FEW = 32
"""Elements of which Python computes powers as fast as NumPy."""


def applies(x: Array) -> bool:
    """Whether a result is rounded from float64."""
    return bool(x.dtype.char == "f" and x.size <= MOST)


def rounded(ufunc: Any, *values: Array, out: Array = None) -> Array:
    """`ufunc` of float32 values in float64, as float32."""
    if out is None:
        return ufunc(*[x.astype(np.float64) for x in values]).astype(np.float32)
    return ufunc(*values, out=out, dtype=np.float64, casting="same_kind")


def few_powers(x: Array, y: Array) -> Array | None:
    """`x**y` of at most `FEW` float64 numbers by the C library; None where NumPy has to do it."""
    if x.dtype.char != "d" or x.size > FEW or (np.ndim(y) and np.shape(y) != x.shape):
        return None
    exponents = np.broadcast_to(y, x.shape).ravel().tolist()
    try:
        made = np.array([v**e for v, e in zip(x.ravel().tolist(), exponents, strict=True)])
    except (OverflowError, ZeroDivisionError):
        return None
    return made.reshape(x.shape) if made.dtype is x.dtype else None


def complex_log1p(z: Array, out: Array = None) -> Array:
    """log(1 + z) of complex numbers, whose length 1 + z is not rounded: NumPy's is."""
    wide = np.asarray(z, np.complex128)
    x, y = wide.real, wide.imag
    with np.errstate(all="ignore"):
        beyond = x * (2 + x) + y * y
        near = np.where(beyond == 0, x, 0.5 * np.log1p(beyond))
        low, high = np.sort(np.abs([1 + x, y]), axis=0)
        far = np.where(high == 0, -np.inf, np.log(high) + 0.5 * np.log1p(np.square(low / high)))
        length = np.where(np.abs(wide) < 0.5, near, far)
        length = np.where(np.isinf(high) | np.isinf(low), np.inf, length)
    made = np.empty(wide.shape, z.dtype) if out is None else out
    made.real, made.imag = length, np.arctan2(y, 1 + x)
    return made


def _of(ufunc: Any) -> Callable[..., Array]:
    def compute(x: Array, out: Array = None) -> Array:
        return rounded(ufunc, x, out=out) if applies(x) else ufunc(x, out=out)

    return compute


UFUNCS = {
    **{"exp": np.exp, "exp2": np.exp2, "log": np.log, "log2": np.log2, "log10": np.log10},
    **{"sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh},
    **{"tanh": np.tanh, "atan": np.arctan, "acos": np.arccos, "expm1": np.expm1},
}
"""Kernel name -> the ufunc that computes it, for small arrays by way of float64."""
PRECISE = {name: _of(ufunc) for name, ufunc in UFUNCS.items()}
"""Kernel name -> the function of arrays of any size."""
exp, log = PRECISE["exp"], PRECISE["log"]

"""Functions of small float32 arrays, computed in float64 and rounded once.

Constraints: `(x, out=None)` as a ufunc takes them. PyTorch's own are within a unit in the last
place, and give the correctly rounded number 99 times out of 100; NumPy's for float32 give it 50 to
90 times. Large arrays, float64 and complex numbers go NumPy's way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any
MOST = 16384
"""Elements up to which the bits of a result count for more than its speed."""


def applies(x: Array) -> bool:
    """Whether a result is rounded from float64."""
    return bool(x.dtype.char == "f" and x.size <= MOST)


def rounded(ufunc: Any, *values: Array, out: Array = None) -> Array:
    """`ufunc` of float32 values in float64, as float32."""
    if out is None:
        return ufunc(*[x.astype(np.float64) for x in values]).astype(np.float32)
    return ufunc(*values, out=out, dtype=np.float64, casting="same_kind")


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

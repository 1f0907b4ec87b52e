"""Reductions along short rows, where NumPy's own spend their time on starting each row.

Constraints: used only for real floating-point arrays; measured on rows of 8 to 1000 elements: a
product with ones is 4 to 11 times as fast as `sum`, the maximum of the transpose 1.4 to 14 times
as fast up to 50 elements.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

Array = Any
LONGEST_SUM = 1024
LONGEST_EXTREME = 48


def sums(x: Array, axis: tuple[int, ...]) -> Array | None:
    """The sums along `axis` without it; None where NumPy's own are as good."""
    if not _applies(x) or len(axis) != 1:
        return None
    if axis[0] == -1 and x.shape[-1] <= LONGEST_SUM:
        return x @ _ones(x.shape[-1], x.dtype.char)
    if axis[0] == -2 and x.shape[-1] <= LONGEST_SUM and x.ndim == 2 and len(x) <= 1 << 14:
        return _ones(len(x), x.dtype.char) @ x
    return None


def extremes(x: Array, axis: tuple[int, ...], name: str) -> Array | None:
    """The largest or smallest elements along the last axis; None where NumPy's own are as good."""
    if axis != (-1,) or x.ndim != 2 or not _applies(x) or x.shape[-1] > LONGEST_EXTREME:
        return None
    return getattr(np.ascontiguousarray(x.T), name)(axis=0)


def _applies(x: Array) -> bool:
    return x.dtype.char in "fd" and x.ndim > 1 and x.size > 256 and x.flags.c_contiguous


@lru_cache(maxsize=64)
def _ones(count: int, kind: str) -> Array:
    return np.ones(count, kind)

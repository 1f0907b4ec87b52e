"""NumPy kernels of writes that combine, and of memory read by strides.

Constraints: no input changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
Numbers = tuple[int, ...]


def scatter_reduce(
    x: Array, y: Array, *indices: Array, axes: int, reduce: str, include: bool
) -> Array:
    """`x` with `y` multiplied or compared into it at positions, from the first one without `x`."""
    out = np.array(x)
    places = (..., *indices, *(slice(None),) * (axes - len(indices)))
    if not include:
        out[places] = _identity(reduce, out.dtype)
    ufunc = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}[reduce]
    ufunc.at(out, places, y)
    return out


def _identity(reduce: str, dtype: Any) -> Any:
    if reduce == "prod":
        return 1
    if dtype.kind == "b":
        return reduce == "amin"
    if dtype.kind == "f":
        return -np.inf if reduce == "amax" else np.inf
    limits = np.iinfo(dtype)
    return limits.min if reduce == "amax" else limits.max


def _cells(shape: Numbers, strides: Numbers, offset: int) -> Array:
    cells = np.full((), offset, np.int64)
    for size, stride in zip(shape, strides, strict=True):
        cells = cells[..., None] + np.arange(size) * stride
    return cells


def as_strided(
    x: Array, *, shape: Numbers, strides: Numbers, offset: int, source: Numbers
) -> Array:
    """The last axes as one row, read by strides."""
    lead = x.shape[: x.ndim - len(source)]
    return x.reshape(*lead, -1)[..., _cells(shape, strides, offset)]


def strided_add(
    x: Array, *, shape: Numbers, strides: Numbers, offset: int, source: Numbers
) -> Array:
    """Zeros of the shape `source`, with `x` added where `as_strided` would read."""
    lead = x.shape[: x.ndim - len(shape)]
    out = np.zeros((*lead, int(np.prod(source, dtype=np.int64))), x.dtype)
    cells: Any = (..., _cells(shape, strides, offset))
    np.add.at(out, cells, x)
    return out.reshape(lead + source)


KERNELS = {
    **{"scatter_reduce": scatter_reduce, "as_strided": as_strided, "strided_add": strided_add},
}
"""Kernels by name."""

"""Which old pixels a new pixel of a resized axis is made of, and how much of each.

Constraints: NumPy arrays, along one axis, from sizes and scale alone. A rounded position chooses
the pixel, so everything is computed in the precision that PyTorch computes it in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.graph.dtype import DType

Array = Any
Taps = tuple[Array, Array]
"""For each tap of each new pixel the old pixel and its weight: arrays (taps, pixels).

Positions alone, and None, where each new pixel is an old one; positions in one dimension and a
matrix (new, old) where a new pixel is made of many.
"""


def _scale(old: int, new: int, scale: float | None, align: bool, kind: Any) -> Any:
    """How far apart new pixels are among old ones."""
    if align:
        return kind(old - 1) / kind(new - 1) if new > 1 else kind(0)
    return kind(1 / scale) if scale is not None and scale > 0 else kind(old) / kind(new)


def nearest(old: int, new: int, scale: float | None, align: bool, dtype: DType) -> Taps:
    """The old pixel that a new one begins in."""
    places = np.arange(new, dtype=np.float32) * _scale(old, new, scale, False, np.float32)
    if old == new:
        places = np.arange(new)
    elif new == 2 * old:
        places = np.arange(new) >> 1
    return np.minimum(np.floor(places).astype(np.int64), old - 1), None


def nearest_exact(old: int, new: int, scale: float | None, align: bool, dtype: DType) -> Taps:
    """The old pixel that a new one's middle lies in."""
    step = _scale(old, new, scale, False, np.float32)
    places = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * step
    return np.minimum(np.floor(places).astype(np.int64), old - 1), None


def _places(old: int, new: int, scale: float | None, align: bool, dtype: DType) -> Array:
    kind = NUMPY_DTYPES[dtype].type if dtype.itemsize > 2 else np.float32
    step, count = _scale(old, new, scale, align, kind), np.arange(new, dtype=kind)
    return step * count if align else step * (count + kind(0.5)) - kind(0.5)


def linear(old: int, new: int, scale: float | None, align: bool, dtype: DType) -> Taps:
    """The two old pixels around a new one's middle, by how near they are."""
    if old == new:
        return np.arange(new), None
    places = np.maximum(_places(old, new, scale, align, dtype), 0)
    first = np.minimum(places.astype(np.int64), old - 1)
    second = np.minimum(first + 1, old - 1)
    late = np.clip(places - first, 0, 1)
    return np.stack([first, second]), np.stack([1 - late, late]).astype(NUMPY_DTYPES[dtype])


def cubic_weights(late: Array, sharpness: float = -0.75) -> Array:
    """The weights of the four pixels around a position `late` behind the second (Keys 1981)."""
    a = late.dtype.type(sharpness)

    def near(x: Array) -> Array:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Array) -> Array:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return np.stack([far(late + 1), near(late), near(1 - late), far(2 - late)])


def cubic(old: int, new: int, scale: float | None, align: bool, dtype: DType) -> Taps:
    """The four old pixels around a new one's middle (Keys 1981)."""
    places = _places(old, new, scale, align, dtype)
    first = np.minimum(np.floor(places).astype(np.int64), old - 1)
    late = np.clip(places - first.astype(places.dtype), 0, 1)
    chosen = np.clip(first + np.arange(-1, 3)[:, None], 0, old - 1)
    return chosen, cubic_weights(late).astype(NUMPY_DTYPES[dtype])


def smoothed(reach: int, shape: Callable[[Array], Array]) -> Callable[..., Taps]:
    """Taps of a filter that widens as the image shrinks, as a matrix (new, old)."""

    def taps(old: int, new: int, scale: float | None, align: bool, dtype: DType) -> Taps:
        kind = NUMPY_DTYPES[dtype].type
        step = _scale(old, new, scale, align, kind)
        wide = max(step, kind(1))
        matrix = np.zeros((new, old), NUMPY_DTYPES[dtype])
        for row, middle in zip(
            matrix, step * (np.arange(new, dtype=kind) + kind(0.5)), strict=True
        ):
            low = max(int(middle - reach * wide + 0.5), 0)
            high = min(int(middle + reach * wide + 0.5), old)
            weights = shape((np.arange(low, high, dtype=kind) - middle + kind(0.5)) / wide)
            total = weights.sum()
            row[low:high] = weights / total if total else weights
        return np.arange(new), matrix

    return taps


def triangle(x: Array) -> Array:
    """The filter of linear interpolation."""
    return np.maximum(1 - np.abs(x), 0)


def soft_cubic(x: Array) -> Array:
    """The filter of cubic interpolation with the sharpness -0.5."""
    x = np.abs(x)
    weights = cubic_weights(np.where(x < 1, x, x - 1), -0.5)
    return np.where(x < 1, weights[1], np.where(x < 2, weights[0], 0))


def lanczos(x: Array) -> Array:
    """The sinc function under its own first lobe, stretched threefold."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)

"""NumPy kernels of the ops on windows: views by strides, loops over the positions inside one.

Constraints: a loop's body works on whole arrays, so that its cost is that of the arithmetic; no
input changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

Array = Any
Numbers = tuple[int, ...]
Range = tuple[int, int, int]
MOST_PLACES = 4096
"""Positions inside a window up to which a loop over them is the fastest sum."""


def windows(x: Array, *, kernel: Numbers, stride: Numbers, dilation: Numbers) -> Array:
    """A view of `x` with an axis for the position inside a window before one for the window."""
    core = len(kernel)
    lead, sizes = x.shape[: x.ndim - core], x.shape[x.ndim - core :]
    steps = x.strides[x.ndim - core :]
    counts = [
        max(0, (n - d * (k - 1) - 1) // s + 1)
        for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True)
    ]
    return np.lib.stride_tricks.as_strided(
        x,
        (*lead, *kernel, *counts),
        (
            *x.strides[: x.ndim - core],
            *(b * d for b, d in zip(steps, dilation, strict=True)),
            *(b * s for b, s in zip(steps, stride, strict=True)),
        ),
        writeable=False,
    )


def overlap_add(x: Array, *, stride: Numbers, dilation: Numbers, shape: tuple[int, ...]) -> Array:
    """Adds up windows where they overlap: a strided addition for each position, or each window."""
    core = len(shape)
    lead, kernel, counts = (
        x.shape[: x.ndim - 2 * core],
        x.shape[x.ndim - 2 * core : x.ndim - core],
        x.shape[x.ndim - core :],
    )
    out = np.zeros(lead + shape, x.dtype)
    if not x.size:
        return out
    by_window = np.prod(counts) < np.prod(kernel)
    near, far = (stride, dilation) if by_window else (dilation, stride)
    loop, rest = (counts, kernel) if by_window else (kernel, counts)
    for place in product(*map(range, loop)):
        target = _strided(place, near, far, rest)
        whole = (slice(None),) * core
        out[(..., *target)] += x[(..., *whole, *place)] if by_window else x[(..., *place, *whole)]
    return out


def _strided(place: Numbers, near: Numbers, far: Numbers, counts: Numbers) -> Iterator[Any]:
    for p, start, step, n in zip(place, near, far, counts, strict=True):
        yield slice(p * start, p * start + step * (n - 1) + 1, step)


def window_sum(x: Array, *, kernel: Numbers, stride: Numbers) -> Array:
    """The sum of each window, added up in the order in which a window is read."""
    one = (1,) * len(kernel)
    apart = windows(x, kernel=kernel, stride=stride, dilation=one)
    if not 0 < np.prod(kernel) <= MOST_PLACES:
        return apart.sum(tuple(range(-2 * len(kernel), -len(kernel))))
    rest = (slice(None),) * len(kernel)
    places = product(*map(range, kernel))
    out = np.array(apart[(..., *next(places), *rest)])
    for place in places:
        out += apart[(..., *place, *rest)]
    return out


def window_argmax(x: Array, *, ranges: tuple[tuple[Range, ...], ...]) -> Array:
    """Where each window's first maximum (or last NaN) is, counted through the flattened last axes.

    The last axis first: the best of each row, then the best row, is the best in reading order.
    """
    core = len(ranges)
    sizes = x.shape[x.ndim - core :]
    found = np.broadcast_to(np.arange(np.prod(sizes, dtype=np.int64)).reshape(sizes), x.shape)
    for axis in range(-1, -core - 1, -1):
        x, found = (np.moveaxis(v, axis, 0) for v in (x, found))
        x, found = _best(x, found, np.array(ranges[axis], np.int64).reshape(-1, 3))
        x, found = (np.moveaxis(v, 0, axis) for v in (x, found))
    return np.ascontiguousarray(found)


def _best(x: Array, found: Array, ranges: Array) -> tuple[Array, Array]:
    """Along the first axis: the maximum of each range, and what `found` says there."""
    starts, stops, steps = ranges.T
    lengths = -((starts - stops) // steps)
    best, where = x[starts], found[starts]
    for i in range(1, int(lengths.max(initial=1))):
        outputs = np.nonzero(lengths > i)[0]
        source = _progression(starts[outputs] + i * steps[outputs])
        rows = _progression(outputs)
        candidate = x[source]
        better = (candidate > best[rows]) | (candidate != candidate)
        best[rows] = np.where(better, candidate, best[rows])
        where[rows] = np.where(better, found[source], where[rows])
    return best, where


def _progression(positions: Array) -> Any:
    """Evenly spaced positions as a slice: reading a view is far faster than picking."""
    if len(positions) < 2:
        return positions
    step = int(positions[1] - positions[0])
    if step > 0 and np.all(np.diff(positions) == step):
        return slice(int(positions[0]), int(positions[-1]) + 1, step)
    return positions


KERNELS: dict[str, Callable[..., Array]] = {
    **{"windows": windows, "overlap_add": overlap_add},
    **{"window_sum": window_sum, "window_argmax": window_argmax},
}
"""What the numpy backend takes from here."""

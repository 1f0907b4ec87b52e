"""Order on NumPy arrays: places of running extremes, medians, the most frequent elements.

Constraints: imported when an op first needs it; NaN counts as the largest number, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.execute.backends import unstable

Array = Any


def running_place(x: Array, *, axis: int, largest: bool) -> Array:
    """Where the extreme so far is; of equal ones the last."""
    best = (np.maximum if largest else np.minimum).accumulate(x, axis=axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    places = np.arange(x.shape[axis]).reshape(shape)
    hit = (x == best) | (x != x)
    return np.maximum.accumulate(np.where(hit, places, 0), axis=axis)


def median_place(x: Array, *, axis: int, skip: bool) -> Array:
    """Where the lower median is along `axis`, which stays with length 1."""
    order = np.argsort(x, axis=axis, kind="stable")
    empty = np.count_nonzero(x != x, axis=axis, keepdims=True)
    count = x.shape[axis]
    middle = np.full_like(empty, (count - 1) // 2)
    if skip:
        middle = np.maximum(count - 1 - empty, 0) // 2
    else:
        middle = np.where(empty > 0, count - empty, middle)
    return np.take_along_axis(order, middle, axis=axis)


def mode_place(x: Array, *, axis: int) -> Array:
    """Where the smallest of the most frequent elements is last once sorted, along `axis`."""
    rows = np.moveaxis(x, axis, -1)
    order = unstable.reordered(rows, np.argsort(rows, axis=-1, kind="stable"), ("sort",))
    for index in map(tuple, np.argwhere((rows != rows).any(-1))):
        if rows.shape[-1] <= unstable.FEW:  # PyTorch sorts NaN like any number here
            order[index] = unstable.inserted(rows[index].tolist())
    ordered = np.take_along_axis(rows, order, -1)
    places = np.arange(rows.shape[-1])
    starts = np.ones(rows.shape, bool)
    starts[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    first = np.maximum.accumulate(np.where(starts, places, 0), axis=-1)
    # The run with the most elements is found at its end, where its length is known.
    longest = np.argmax(places - first, axis=-1)[..., None]
    return np.moveaxis(np.take_along_axis(order, longest, -1), -1, axis)


def lower_median(x: Array, *, axis: tuple[int, ...], skip: bool) -> Array:
    """The lower median of all elements."""
    flat = np.reshape(x, -1)
    if not flat.size:
        return np.full((), np.nan, x.dtype)
    return flat[median_place(flat, axis=-1, skip=skip)[0]]


KERNELS: dict[str, Callable[..., Array]] = {
    **{"running_place": running_place, "median_place": median_place},
    **{"mode_place": mode_place, "lower_median": lower_median},
}
"""Kernels by name."""

"""Sums of small arrays in PyTorch's order, so that they have its bits.

Constraints: float32 and float64, and what lies in memory in order; anything else is left to NumPy.
The order is that of PyTorch's CPU kernel (SumKernel.cpp): vectors of 32 bytes, four of them beside
each other, and sums of sums of 16. NumPy adds along an axis that is not the last one element after
the other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from gradcli.graph.shape import Shape

Array = Any
MOST = 32768
"""Elements up to which PyTorch sums on one thread."""
LANES = {"f": 8, "d": 4}
"""Numbers in a vector of the kernel, by NumPy's letter."""
TOGETHER = 4
"""Vectors that are summed beside each other."""
LEVELS = 4
Call = Callable[..., Any]


def at_once(function: Callable[..., Any], *values: Any) -> None:
    """A step of a sum that is wanted now."""
    function(*values)


def total(x: Array, axes: tuple[int, ...], call: Call = at_once) -> Array | None:
    """The sum over `axes` (negative), of the other axes; None where it is not known here.

    Args:
        call: does each step, a function of arrays, at once or whenever the sum is wanted again.
    """
    lanes = LANES.get(x.dtype.char)
    if lanes is None or x.size > MOST:
        return None
    if not x.flags.c_contiguous:
        if any(x.strides):
            return None
        number, x = x, np.empty(x.shape, x.dtype)  # one number, which PyTorch has written out
        call(np.copyto, x, number)
    rows, last, kept = _arranged(x.shape, axes)
    if rows is None:
        return None
    columns = rows[2]
    if columns == 1:
        found = _inner(x.reshape(rows[:2]), lanes, call)
    else:
        found = _outer(x.reshape(rows), TOGETHER * (lanes if columns >= lanes else 1), call)
    if last:
        found = _accumulated(_shaped(found, last, call), 0, call)
    return _shaped(found, kept, call)


@lru_cache(maxsize=1024)
def _arranged(shape: Shape, axes: tuple[int, ...]) -> tuple[Any, Any, Shape]:
    """The shape (before, reduced, after) of a sum, that of parts to add in turn, the result's.

    The first is None for what is not known here, the second where there is nothing more to add.
    """
    kept = tuple([n for i, n in enumerate(shape, -len(shape)) if i not in axes])
    reduced = [i for i, n in enumerate(shape) if i - len(shape) in axes and n != 1]
    if not prod(shape):
        return None, None, kept
    if not reduced:
        return (prod(shape), 1, 1), None, kept
    first, last = reduced[0], reduced[-1]
    parts = None
    if any(i not in reduced and shape[i] != 1 for i in range(first, last)):
        if first != 0 or reduced[1:] != list(range(len(shape) - len(reduced) + 1, len(shape))):
            return None, None, kept
        parts, first = (shape[0], *kept), reduced[1]
    rows = (prod(shape[:first]), prod(shape[first : last + 1]), prod(shape[last + 1 :]))
    return rows, parts, kept


def softmax_total(powers: Array, axis: int) -> Array | None:
    """The norm of a softmax of small arrays along `axis`, kept; None where it is not known here.

    PyTorch adds up rows in vectors of 64 bytes whose elements it adds up pairwise, short rows and
    columns one element after the other.
    """
    length = powers.shape[axis]
    lanes = 2 * LANES.get(powers.dtype.char, 0)
    if not lanes or powers.size > MOST or not length:
        return None
    if length < lanes or axis != -1:
        sums = np.add.accumulate(powers, axis)
        return sums[..., -1:] if axis == -1 else np.take(sums, [-1], axis)
    whole = length // lanes * lanes
    vectors = np.reshape(powers[..., :whole], (*powers.shape[:-1], whole // lanes, lanes))
    sums = np.add.accumulate(vectors, -2)[..., -1, :]
    if whole < length:
        sums[..., : length - whole] += powers[..., whole:]
    while sums.shape[-1] > 1:
        half = sums.shape[-1] // 2
        sums = sums[..., :half] + sums[..., half:]
    return sums


def _reduced(x: Array, axis: int, call: Call) -> Array:
    out = np.empty((*x.shape[:axis], *x.shape[axis + 1 :]), x.dtype)
    call(np.add.reduce, x, axis, None, out)
    return out


def _accumulated(x: Array, axis: int, call: Call) -> Array:
    """The sum over an axis, from its first element to its last."""
    out = np.empty(x.shape, x.dtype)
    call(np.add.accumulate, x, axis, None, out)
    return out[-1] if axis == 0 else out[:, -1]


def _joined(parts: tuple[Array, ...], call: Call) -> Array:
    """The parts one after the other along the second axis."""
    first = parts[0]
    out = np.empty((len(first), sum([len(x[0]) for x in parts]), *first.shape[2:]), first.dtype)
    call(np.concatenate, parts, 1, out)
    return out


def _shaped(x: Array, shape: Shape, call: Call) -> Array:
    """The array in another shape: a view, or what a step copies."""
    if x.flags.c_contiguous:
        return x.reshape(shape)
    out = np.empty(x.shape, x.dtype)
    call(np.copyto, out, x)
    return out.reshape(shape)


def _split(x: Array, shape: Shape, call: Call) -> Array:
    """As `_shaped`, of what starts each row of a longer one and need not be copied to be split."""
    view = x.reshape(shape)
    return view if np.may_share_memory(view, x) else _shaped(x, shape, call)


def _inner(rows: Array, lanes: int, call: Call) -> Array:
    """The sums of rows, shape (count, length)."""
    count, length = rows.shape
    if length < lanes:
        return _beside(rows[..., None], call)
    whole = length // lanes * lanes
    sums = _beside(_split(rows[:, :whole], (count, whole // lanes, lanes), call), call)
    if whole < length:
        sums = _joined((rows[:, whole:], sums), call)
    return _accumulated(sums, 1, call)


def _outer(rows: Array, width: int, call: Call) -> Array:
    """The sums of columns, shape (batch, length, columns); `width` of them are summed at once."""
    columns = rows.shape[2]
    apart = columns // width * width
    if apart == columns:
        return _levels(rows, call)
    if not apart:
        return _beside(rows, call)
    return _joined((_levels(rows[..., :apart], call), _beside(rows[..., apart:], call)), call)


def _beside(rows: Array, call: Call) -> Array:
    """Sums over the second axis: of every fourth element, then of these."""
    batch, length, width = rows.shape
    if length < 2 * TOGETHER:
        if length > TOGETHER:
            rows = _joined((rows[:, :1], rows[:, TOGETHER:], rows[:, 1:TOGETHER]), call)
        return _reduced(rows, 1, call)
    whole = length // TOGETHER * TOGETHER
    shape = (batch, whole // TOGETHER, TOGETHER * width)
    sums = _levels(_split(rows[:, :whole], shape, call), call)
    sums = _shaped(sums, (batch, TOGETHER, width), call)
    if whole < length:
        sums = _joined((sums[:, :1], rows[:, whole:], sums[:, 1:]), call)
    return _reduced(sums, 1, call)


def _levels(rows: Array, call: Call) -> Array:
    """Sums over the second axis: of 16 elements, of 16 such sums and so on; what is over first."""
    batch, length, width = rows.shape
    step = 1 << max(4, (length - 1).bit_length() // LEVELS)
    if length < step:
        return _reduced(rows, 1, call)
    found = None
    for level in range(LEVELS):
        count = rows.shape[1] if level < LEVELS - 1 else 0
        whole = count // step * step
        if whole < rows.shape[1]:
            part = _reduced(rows[:, whole:], 1, call)
            if found is not None:
                call(np.add, found, part, part)
            found = part
        if not whole:
            break
        shape = (batch, whole // step, step, width)
        rows = _reduced(_split(rows[:, :whole], shape, call), 2, call)
    return found

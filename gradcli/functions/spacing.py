"""Numbers at equal distances, rounded as PyTorch rounds them: what ranges are made of.

Constraints: NumPy arrays, made after the memory limit was asked.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES, stored
from gradcli.execute.limits import memory
from gradcli.graph.dtype import BOOL, COMPLEX, FLOATING, INTEGER, SCALAR_TYPES, DType, int64
from gradcli.tensor.fused import multiply_add
from gradcli.tensor.operands import as_number


def counted(first: Any, last: Any, step: Any, kind: DType) -> Any:
    """The numbers from `first` up to and without `last`, `step` apart: whole ones, of a `kind`
    that holds no others, from whole ends and by whole steps."""
    require_range("arange", kind)
    count = count_of(first, last, step)
    if kind.category == INTEGER:
        for end in (first, last, step):
            as_number(end, int64)
        first, last, step = int(first), int(last), int(step)
        if kind is int64:
            if step == 0:
                raise GradcliError("G026", "step must be nonzero", kind=ValueError)
            count = count_of(first, last, step)
    memory.refuse(count, kind.itemsize)
    if all(isinstance(v, int) for v in (first, step)):
        return first + np.arange(count) * step
    return _in_vectors(float(first), float(step), count, kind)


def require_range(name: str, kind: DType) -> None:
    """Raises G025 for a dtype of which PyTorch makes no range."""
    if kind.category in (BOOL, COMPLEX):
        message = f"\"{name}_cpu\" not implemented for '{SCALAR_TYPES[kind]}'"
        raise GradcliError("G025", message, kind=NotImplementedError)


def count_of(first: Any, last: Any, step: Any) -> int:
    """How many numbers there are from `first` up to and without `last`."""
    if step == 0:
        raise GradcliError("G026", "step must be nonzero")
    if not (isfinite(first) and isfinite(last)):
        raise GradcliError("G026", f"unsupported range: {first} -> {last}")
    if (last - first) * step < 0:
        raise GradcliError("G026", "upper bound and lower bound inconsistent with step sign")
    if all(isinstance(v, int) for v in (first, last, step)):
        return int(-(-(last - first) // step))
    return int(np.ceil((last - first) / step))


def spaced(start: float, end: float, steps: int, kind: DType) -> Any:
    """Evenly spaced numbers, counted from both ends as PyTorch does."""
    if steps < 0:
        raise GradcliError("G026", "number of steps must be non-negative")
    memory.refuse(steps, kind.itemsize)
    if steps == 1:
        return np.array([start], NUMPY_DTYPES[kind])
    index = np.arange(steps, dtype=np.float64)
    if kind.category < FLOATING:
        step = (end - start) / (steps - 1)
        forward, backward = np.trunc(start + step * index), np.trunc(end - step * index[::-1])
    elif kind.wider is not None:  # each step is rounded
        given = np.array([start, end, steps - 1], np.float64)
        first, last, count = stored(given, kind)
        step = stored(stored(last - first, kind) / count, kind)
        forward, backward = (stored(step * stored(i, kind), kind) for i in (index, index[::-1]))
        forward, backward = first + forward, last - backward
    else:
        scalar = NUMPY_DTYPES[kind].type
        step = (scalar(end) - scalar(start)) / scalar(steps - 1)
        forward = multiply_add(index, float(step), float(scalar(start)))
        backward = multiply_add(index[::-1], -float(step), float(scalar(end)))
    return np.where(index < steps // 2, forward, backward).astype(NUMPY_DTYPES[kind])


def between(ends: tuple[complex, complex], steps: int, kind: DType) -> Any:
    """Evenly spaced numbers, their two parts apart where they are complex."""
    if not kind.is_complex:
        return spaced(ends[0].real, ends[1].real, steps, kind)
    first, last, part = *ends, kind.to_real()
    real = spaced(first.real, last.real, steps, part)
    imaginary = spaced(first.imag, last.imag, steps, part)
    return real + imaginary * NUMPY_DTYPES[kind].type(1j)


def _in_vectors(first: float, step: float, count: int, kind: DType) -> Any:
    """`count` numbers from `first`, `step` apart, rounded as PyTorch's vectors round them.

    A vector of 32 bytes counts from its first number, rounded to `kind`; what does not fill two
    vectors counts from `first`. Above 32,768 numbers PyTorch's last digits depend on its threads.
    """
    width = 32 // kind.itemsize
    index = np.arange(count, dtype=np.float64)
    lane = index % width
    lane[count - count % (2 * width) :] = 0
    exact = np.float64 if kind.wider is None else np.float32
    first, step = float(exact(first)), float(exact(step))
    starts = multiply_add(index - lane, step, first).astype(exact)
    return multiply_add(lane, step, stored(starts, kind).astype(np.float64)).astype(exact)

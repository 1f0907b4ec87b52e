"""Kernels composed of other kernels, for libraries that have no single function for them.

Constraints: `(library, *values, **attrs) -> value`; nothing here looks at a value, so that every
one of them can be compiled. Positions that follow from attributes are found once, on the host.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.window import MOST_PLACES
from gradcli.graph.shape import Shape, numel

Array = Any
Numbers = tuple[int, ...]
Ranges = tuple[tuple[tuple[int, int, int], ...], ...]


# -- exponentials


def softmax(b: Any, x: Array, *, axis: int) -> Array:
    """exp(x) as shares of its sum."""
    if not _has_elements(x):
        return x
    powers = b.exp(x - b.max(b.real(x), axis=(axis,), keepdims=True))
    return powers / b.sum(powers, axis=(axis,), keepdims=True)


def log_softmax(b: Any, x: Array, *, axis: int) -> Array:
    """The logarithm of softmax."""
    if not _has_elements(x):
        return x
    moved = x - b.max(b.real(x), axis=(axis,), keepdims=True)
    return moved - b.log(b.sum(b.exp(moved), axis=(axis,), keepdims=True))


def logsumexp(b: Any, x: Array, *, axis: Numbers, keepdims: bool) -> Array:
    """The logarithm of the sum of exponentials."""
    if not _has_elements(x):
        return b.log(b.sum(x, axis=axis, keepdims=keepdims))
    top = b.max(b.real(x), axis=axis, keepdims=True)
    top = b.where(b.isfinite(top), top, b.zeros_like(top))
    found = b.log(b.sum(b.exp(x - top), axis=axis, keepdims=True)) + top
    if keepdims:
        return found
    kept = tuple(n for i, n in enumerate(x.shape) if i - x.ndim not in axis)
    return b.reshape(found, axes=x.ndim, shape=kept)


def _has_elements(x: Array) -> bool:
    return numel(tuple(x.shape)) > 0


def logaddexp(b: Any, x: Array, y: Array) -> Array:
    """log(exp(x) + exp(y))."""
    if b.is_complex(x):
        top = b.where(b.real(x) >= b.real(y), x, y)
        return top + b.log(b.exp(x - top) + b.exp(y - top))
    top, low = b.maximum(x, y), b.minimum(x, y)
    return b.where(top == low, top + math.log(2), top + b.log1p(b.exp(low - top)))


# -- windows and strides


def _cells(sizes: Shape, steps: list[Array]) -> Array:
    """Flat positions from one array of positions along each axis; they broadcast."""
    flat: Array = np.zeros((), np.int64)
    for size, step in zip(sizes, steps, strict=True):
        flat = flat * size + step
    return flat


def _window_cells(
    sizes: Shape, kernel: Numbers, counts: Numbers, stride: Numbers, dilation: Numbers
) -> Array:
    """Where the elements of windows are: axes for places inside, then axes for windows."""
    core, steps = len(kernel), []
    for axis in range(core):
        inside = np.arange(kernel[axis]).reshape([-1] + [1] * (2 * core - axis - 1))
        window = np.arange(counts[axis]).reshape([-1] + [1] * (core - axis - 1))
        steps.append(inside * dilation[axis] + window * stride[axis])
    return _cells(sizes, steps)


def windows(b: Any, x: Array, *, kernel: Numbers, stride: Numbers, dilation: Numbers) -> Array:
    """Windows over the last axes."""
    core = len(kernel)
    sizes = tuple(x.shape[x.ndim - core :])
    counts = tuple(
        max(0, (n - d * (k - 1) - 1) // s + 1)
        for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True)
    )
    cells = _window_cells(sizes, kernel, counts, stride, dilation)
    return _read(b, x, cells, core)


def _read(b: Any, x: Array, cells: Array, core: int) -> Array:
    """The elements of the last `core` axes at flat positions."""
    flat = b.reshape(x, axes=core, shape=(numel(tuple(x.shape[x.ndim - core :])),))
    return b.index(flat, b.from_numpy(cells), axes=1)


def _add(b: Any, x: Array, cells: Array, shape: Shape) -> Array:
    """Zeros of `shape` with `x` added at flat positions."""
    flat = b.index_add(x, b.from_numpy(cells), shape=(numel(shape),))
    return b.reshape(flat, axes=1, shape=shape)


def overlap_add(b: Any, x: Array, *, stride: Numbers, dilation: Numbers, shape: Shape) -> Array:
    """Adds up windows where they overlap."""
    core = len(shape)
    kernel, counts = tuple(x.shape[-2 * core : -core]), tuple(x.shape[x.ndim - core :])
    return _add(b, x, _window_cells(shape, kernel, counts, stride, dilation), shape)


def window_sum(b: Any, x: Array, *, kernel: Numbers, stride: Numbers) -> Array:
    """The sum of each window."""
    core = len(kernel)
    if not 0 < numel(kernel) <= MOST_PLACES:
        apart = b.windows(x, kernel=kernel, stride=stride, dilation=(1,) * core)
        return b.sum(apart, axis=tuple(range(-2 * core, -core)), keepdims=False)
    sizes = x.shape[x.ndim - core :]
    counts = [(n - k) // s + 1 for n, k, s in zip(sizes, kernel, stride, strict=True)]
    out: Array = None
    for place in product(*map(range, kernel)):
        part = b.slice(x, slices=tuple(zip(place, counts, stride, strict=True)))
        out = part if out is None else out + part
    return out


def window_argmax(b: Any, x: Array, *, ranges: Ranges) -> Array:
    """Where each window's first maximum (or last NaN) is, in the flattened last axes."""
    core = len(ranges)
    sizes = tuple(x.shape[x.ndim - core :])
    grid = np.arange(numel(sizes)).reshape(sizes)
    found = b.from_numpy(np.array(np.broadcast_to(grid, tuple(x.shape))))
    for axis in range(-1, -core - 1, -1):
        x, found = _best(b, x, found, ranges[axis], axis)
    return found


def _best(b: Any, x: Array, found: Array, ranges: Any, axis: int) -> tuple[Array, Array]:
    """Along an axis: the best of each range, and what `found` says there.

    Shorter ranges repeat their last place, which changes neither a first nor a last one.
    """
    lines = [list(range(*bounds)) for bounds in ranges]
    longest = max(map(len, lines), default=1)
    places = np.array([line + line[-1:] * (longest - len(line)) for line in lines], np.int64)
    at = b.from_numpy(places.reshape(-1, longest))
    rows, labels = (
        b.index(b.permute_dims(v, axes=_last(v.ndim, axis)), at, axes=1) for v in (x, found)
    )
    reverse = b.flip(rows != rows, axis=(-1,))
    last = longest - 1 - b.argmax(reverse, axis=-1, keepdims=True)
    first = b.argmax(rows, axis=-1, keepdims=True)
    place = b.where(b.any(reverse, axis=(-1,), keepdims=True), last, first)
    back = _back(x.ndim, axis)
    best, where = (b.permute_dims(_one(b, v, place), axes=back) for v in (rows, labels))
    return best, where


def _one(b: Any, rows: Array, place: Array) -> Array:
    """The element at `place` of the last axis, which goes."""
    picked = b.take_along_axis(rows, place, axis=-1)
    return b.reshape(picked, axes=1, shape=())


def _last(rank: int, axis: int) -> Numbers:
    """The permutation (negative) that puts an axis last."""
    return (*(a for a in range(-rank, 0) if a != axis), axis)


def _back(rank: int, axis: int) -> Numbers:
    """The permutation that puts the last axis back."""
    order = list(range(-rank, -1))
    order.insert(rank + axis, -1)
    return tuple(order)


def as_strided(
    b: Any, x: Array, *, shape: Shape, strides: Numbers, offset: int, source: Shape
) -> Array:
    """The last axes as one row, read by strides."""
    return _read(b, x, _strided_cells(shape, strides, offset), len(source))


def strided_add(
    b: Any, x: Array, *, shape: Shape, strides: Numbers, offset: int, source: Shape
) -> Array:
    """The adjoint of `as_strided`."""
    return _add(b, x, _strided_cells(shape, strides, offset), source)


def _strided_cells(shape: Shape, strides: Numbers, offset: int) -> Array:
    cells = np.full((), offset, np.int64)
    for size, stride in zip(shape, strides, strict=True):
        cells = cells[..., None] + np.arange(size) * stride
    return cells


# -- order


def median_place(b: Any, x: Array, *, axis: int, skip: bool) -> Array:
    """Where the lower median is along `axis`, which stays with length 1; NaN is the largest."""
    order = b.argsort(x, axis=axis)
    is_nan = b.where(x != x, b.ones_like(order), b.zeros_like(order))
    empty = b.sum(is_nan, axis=(axis,), keepdims=True)
    count = x.shape[axis]
    if skip:
        rest = count - 1 - empty
        middle = b.where(rest > 0, rest, b.zeros_like(rest)) // 2
    else:
        middle = b.where(empty > 0, count - empty, b.zeros_like(empty) + (count - 1) // 2)
    return b.take_along_axis(order, middle, axis=axis)


def lower_median(b: Any, x: Array, *, axis: Numbers, skip: bool) -> Array:
    """The lower median of all elements."""
    flat = b.reshape(x, axes=x.ndim, shape=(numel(tuple(x.shape)),))
    if not _has_elements(x):
        return b.sum(flat, axis=(-1,), keepdims=False) / 0.0
    place = b.median_place(flat, axis=-1, skip=skip)
    return b.reshape(b.index(flat, place, axes=1), axes=1, shape=())


# -- elementwise


def _binary_cross_entropy(b: Any, x: Array, y: Array) -> Array:
    def bounded(log: Array) -> Array:
        return b.where(log < -100, b.zeros_like(log) - 100, log)

    return (y - 1) * bounded(b.log1p(-x)) - y * bounded(b.log(x))


def _sinc(b: Any, x: Array) -> Array:
    nowhere, one = x == 0, b.ones_like(x)
    angle = b.where(nowhere, one, x * math.pi)
    return b.where(nowhere, one, b.sin(angle) / angle)


def _product_with_log(log: str) -> Callable[..., Array]:
    def kernel(b: Any, x: Array, y: Array) -> Array:
        nothing = b.logical_and(x == 0, y == y)
        return b.where(nothing, b.zeros_like(x * y), x * getattr(b, log)(y))

    return kernel


def _sigmoid(b: Any, x: Array) -> Array:
    return 1 / (b.exp(-x) + 1)


def _polygamma(b: Any, x: Array, *, n: int) -> Array:
    if n == 0:
        return b.digamma(x)
    sign = -1.0 if n % 2 == 0 else 1.0
    return b.special_zeta(b.ones_like(x) * (n + 1), x) * (sign * math.factorial(n))


def _checked(b: Any, x: Array, holds: Array, *, sentence: str) -> Array:
    """The identity where a condition holds; the one kernel here that looks at a value."""
    if not b.all(holds):
        raise GradcliError("G037", sentence)
    return x


def _spherical_j0(b: Any, x: Array) -> Array:
    nowhere, one = x == 0, b.ones_like(x)
    angle = b.where(nowhere, one, x)
    made = b.where(nowhere, one, b.sin(angle) / angle)
    return b.where(b.isinf(x), b.zeros_like(x), made)


COMPOSED: dict[str, Callable[..., Any]] = {
    **{"softmax": softmax, "log_softmax": log_softmax, "logsumexp": logsumexp},
    **{"logaddexp": logaddexp, "windows": windows, "overlap_add": overlap_add},
    **{"window_sum": window_sum, "window_argmax": window_argmax},
    **{"as_strided": as_strided, "strided_add": strided_add},
    **{"median_place": median_place, "lower_median": lower_median},
    **{"binary_cross_entropy": _binary_cross_entropy, "sinc": _sinc, "sigmoid": _sigmoid},
    **{"xlogy": _product_with_log("log"), "special_xlog1py": _product_with_log("log1p")},
    **{"polygamma": _polygamma, "checked": _checked},
    "special_spherical_bessel_j0": _spherical_j0,
    "softplus": lambda b, x: b.logaddexp(x, b.zeros_like(x)),
    "logit": lambda b, x: b.log(x / (1 - x)),
    "reciprocal": lambda b, x: 1 / x,
    "rsqrt": lambda b, x: 1 / b.sqrt(x),
    "relu": lambda b, x: b.maximum(x, b.zeros_like(x)),
    "frac": lambda b, x: x - b.trunc(x),
    "square": lambda b, x: x * x,
}
"""Kernels by name."""
NEEDS = {
    **{"overlap_add": ("index_add",), "strided_add": ("index_add",)},
    **{"polygamma": ("digamma", "special_zeta")},
}
"""Which kernels some of them are made of that a library may lack; then the host has to do it."""

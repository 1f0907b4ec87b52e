"""Kernels for arrays whose shapes are known before they are: what follows from these is decided
once.

Constraints: each gives the very array that its kernel in numpy.py gives, bit for bit, for arrays of
the dtypes and shapes that it was made for; strides may differ from one to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter, methodcaller
from threading import Lock
from typing import Any

import numpy as np

from gradcli.execute.backends import blas, cascade
from gradcli.execute.backends.contraction import Product, recipe
from gradcli.execute.backends.numpy import KERNELS
from gradcli.graph.shape import Shape, numel

Array = Any
Kernel = Callable[..., Array]
Kind = tuple[Shape, np.dtype[Any]]
"""The shape and dtype of an array."""


def bound(kernel: str, kinds: Sequence[Kind], attrs: Mapping[str, Any]) -> Kernel | None:
    """The kernel of this name for arrays of these kinds; None where it stands in no table here."""
    bind = BINDERS.get(kernel)
    return None if bind is None else bind(*kinds, **attrs)


def _reshape(x: Kind, *, axes: int, shape: Shape) -> Kernel:
    return methodcaller("reshape", x[0][: len(x[0]) - axes] + shape)


def _permute(x: Kind, *, axes: tuple[int, ...]) -> Kernel:
    rank = len(x[0])
    return methodcaller("transpose", (*range(rank - len(axes)), *(rank + a for a in axes)))


def _slice(x: Kind, *, slices: tuple[tuple[int, int, int], ...]) -> Kernel:
    parts = [
        slice(start, start + max(length - 1, 0) * step + (length > 0), step)
        for start, length, step in slices
    ]
    return itemgetter((..., *parts))


def _expand(x: Kind, *, shape: Shape) -> Kernel | None:
    """Repeating an array that lies in memory in order needs no look at its strides."""
    (sizes, dtype), kernel = x, KERNELS["expand"]
    if not sizes or len(sizes) > len(shape) or not numel(shape):
        return None
    strides, step = [0] * len(shape), dtype.itemsize
    for place in range(-1, -len(sizes) - 1, -1):
        strides[place] = step if sizes[place] != 1 else 0
        step *= sizes[place]
    steps = tuple(strides)

    def expand(x: Array) -> Array:
        if not x.flags.c_contiguous:
            return kernel(x, shape=shape)
        made = np.ndarray(shape, dtype, x, 0, steps)
        made.flags.writeable = False
        return made

    return expand


def _contract(x: Kind, y: Kind, *, spec: str) -> Kernel | None:
    multiply = recipe(spec, len(x[0]), len(y[0]))
    if max(numel(x[0]), numel(y[0])) >= blas.LEAST:
        return None
    if multiply is np.matmul:
        return np.matmul
    return _product(multiply) if isinstance(multiply, Product) else None


def _product(product: Product) -> Kernel:
    operands, arranged, multiply = product.operands, product.arranged, np.matmul
    return lambda x, y: arranged(multiply(*operands(x, y)))


def _sum(x: Kind, *, axis: tuple[int, ...], keepdims: bool) -> Kernel | None:
    """The steps of a sum in PyTorch's order, on arrays that stay; one run at a time."""
    shape, dtype = x
    cell = np.empty(shape, dtype)
    steps: list[tuple[Any, ...]] = []
    total = cascade.total(cell, axis, lambda *step: steps.append(step)) if shape else None
    if total is None:
        return None
    found = np.expand_dims(total, axis) if keepdims else total
    lock, kernel = Lock(), KERNELS["sum"]

    def add(x: Array) -> Array:
        if not x.flags.c_contiguous or not lock.acquire(blocking=False):
            return kernel(x, axis=axis, keepdims=keepdims)
        try:
            cell[...] = x
            for function, *operands in steps:
                function(*operands)
            return found.copy()
        finally:
            lock.release()

    return add


BINDERS: dict[str, Callable[..., Kernel | None]] = {
    **{"reshape": _reshape, "permute_dims": _permute, "slice": _slice, "expand": _expand},
    **{"contract": _contract, "sum": _sum},
}
"""What makes the kernel of a name for arrays of known kinds."""

"""Matrix products on BLAS, split over threads so that the bits do not depend on their number.

Constraints: BLAS adds up in another order for each number of its own threads, so a product that it
might split runs on one, and is split here instead, by its shape alone. Where the library is not
OpenBLAS it keeps its threads.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.execute import outputs
from gradcli.execute.threads import on_threads

Array = Any
LEAST = 4096
"""Elements of an operand from which BLAS may use threads."""
HEAVY = 1 << 22
"""Multiplications from which it pays to split a product."""
ROWS = 192
PARTS = 16


class _OneThread:
    """A block in which BLAS uses one thread; entering an inner one is free."""

    def __init__(self) -> None:
        self.depth = 0
        self.before = 1
        self.lock = threading.Lock()
        self.functions: tuple[Callable[[], int], Callable[[int], None]] | None = None
        self.searched = False

    def __enter__(self) -> None:
        with self.lock:
            self.depth += 1
            if self.depth == 1 and (found := self._found()):
                self.before = found[0]()
                found[1](1)

    def __exit__(self, *exception: object) -> None:
        with self.lock:
            self.depth -= 1
            if self.depth == 0 and (found := self._found()):
                found[1](self.before)

    def _found(self) -> tuple[Callable[[], int], Callable[[int], None]] | None:
        """OpenBLAS's own functions, in the library that NumPy is linked to."""
        if not self.searched:
            self.searched = True
            self.functions = _functions()
        return self.functions


def _functions() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    try:
        library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
    except (AttributeError, OSError):
        return None
    for front, back in (("scipy_", "64_"), ("", "64_"), ("scipy_", ""), ("", "")):
        get = getattr(library, f"{front}openblas_get_num_threads{back}", None)
        put = getattr(library, f"{front}openblas_set_num_threads{back}", None)
        if get and put:
            put.restype = None
            return get, put
    return None


one_thread = _OneThread()


def matmul(x: Array, y: Array) -> Array:
    """`numpy.matmul`."""
    if max(x.size, y.size) < LEAST or x.dtype.kind not in "fc":
        return np.matmul(x, y)
    with one_thread:
        if min(x.ndim, y.ndim) < 2:
            return np.matmul(x, y)
        lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        out = outputs.empty((*lead, x.shape[-2], y.shape[-1]), np.result_type(x, y))
        pieces = _pieces(x, y) if one_thread.depth == 1 else []
        if len(pieces) < 2:
            return np.matmul(x, y, out=out)

        def piece(number: int) -> None:
            a, b, place = pieces[number]
            np.matmul(a, b, out=out[place])

        on_threads(len(pieces), lambda: piece)
        return out


def _pieces(x: Array, y: Array) -> list[tuple[Array, Array, Any]]:
    """Parts of the operands, and the part of the result that each pair gives."""
    if x.ndim != y.ndim or x.size * y.shape[-1] < HEAVY or x.shape[:-2] != y.shape[:-2]:
        return []
    if x.ndim > 2:
        parts = _parts(len(x), 1)
        return [(x[p], y[p], p) for p in parts]
    if x.shape[0] >= y.shape[1]:
        return [(x[p], y, p) for p in _parts(x.shape[0], ROWS)]
    return [(x, y[:, p], (slice(None), p)) for p in _parts(y.shape[1], ROWS)]


def _parts(count: int, least: int) -> list[slice]:
    step = max(least, -(-count // PARTS))
    return [slice(a, min(a + step, count)) for a in range(0, count, step)]

"""Memory for results: arrays that nobody holds any more are handed out again.

Constraints: fresh memory costs a page fault for each page, more than most computations take to
fill it; so large arrays are kept and given out again once the last view of them is gone. At most
KEPT bytes are held back. Arrays begin with a line of the cache, as other libraries ask of memory
that they share.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np

Array = Any
LEAST = 1 << 21
"""Bytes from which an array is worth keeping."""
KEPT = 1 << 28
"""Bytes that may lie idle."""
ALIGNED = 64
"""Bytes of a line of the cache."""

_lock = threading.Lock()
_blocks: list[Array] = []
"""Every array handed out or idle, oldest first; results are views of them."""


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array with any numbers in it, as `numpy.empty` makes one."""
    count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if count < LEAST:
        return np.empty(shape, dtype)
    with _lock:
        block = _idle(count + ALIGNED)
        if block is None:
            block = np.empty(count + ALIGNED, np.uint8)
            _blocks.append(block)
        _trim()
        start = -block.ctypes.data % ALIGNED
        return block[start : start + count].view(dtype).reshape(shape)


def aligned(array: Array) -> Array:
    """The array, or where it is large and begins elsewhere, a copy that does not; C order."""
    if array.nbytes < LEAST or array.ctypes.data % ALIGNED == 0:
        return array
    made = empty(array.shape, array.dtype)
    made[...] = array
    return made


def own(array: Array, inputs: Iterable[Array]) -> Array:
    """The array, or a copy where it may lie in the memory of one of `inputs`, which may change."""
    shared = any(np.may_share_memory(array, given) for given in inputs)
    return np.array(array) if shared else array


def _references(place: int, blocks: list[Array]) -> int:
    return sys.getrefcount(blocks[place])


ALONE = _references(0, [np.empty(1)])
"""What `_references` counts for an array that only the list holds."""


def _idle(count: int) -> Array | None:
    for place in range(len(_blocks)):
        if _blocks[place].nbytes == count and _references(place, _blocks) == ALONE:
            return _blocks[place]
    return None


def _trim() -> None:
    """Lets go of the oldest idle blocks beyond KEPT, and of those in use beyond it."""
    total = sum(block.nbytes for block in _blocks)
    place = 0
    while total > KEPT and place < len(_blocks):
        total -= _blocks[place].nbytes
        del _blocks[place]

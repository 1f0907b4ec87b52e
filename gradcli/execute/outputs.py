"""Memory for results: arrays that nobody holds any more are handed out again.

Constraints: fresh memory costs a page fault for each page, more than most computations take to
fill it; so large arrays are kept and given out again once the last view of them is gone. At most
KEPT bytes are held back.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np

Array = Any
LEAST = 1 << 21
"""Bytes from which an array is worth keeping."""
KEPT = 1 << 28
"""Bytes that may lie idle."""

_lock = threading.Lock()
_blocks: list[Array] = []
"""Every array handed out or idle, oldest first; results are views of them."""


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array with any numbers in it, as `numpy.empty` makes one."""
    count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if count < LEAST:
        return np.empty(shape, dtype)
    with _lock:
        block = _idle(count)
        if block is None:
            block = np.empty(count, np.uint8)
            _blocks.append(block)
        _trim()
        return block.view(dtype).reshape(shape)


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

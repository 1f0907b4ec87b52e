"""An array as plain data that keeps how it lies in memory: repeated, transposed, with gaps.

Constraints: a kernel may add in another order where an operand lies otherwise, so another process
must get it as it lies here to give the same bits. Repeated elements travel once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
SPREAD = 16
"""How much larger than its elements the memory of an array with gaps may be to be made again."""


class Laid:
    """An array, to be pickled."""

    __slots__ = ("elements", "shape", "strides")

    def __init__(self, array: Array) -> None:
        once = tuple(slice(0, 1) if s == 0 else slice(None) for s in array.strides)
        self.elements = np.array(array[once], order="C")
        self.shape = array.shape
        self.strides = array.strides

    def array(self) -> Array:
        """The array, lying as it did."""
        core = self.elements
        reach = [(n - 1) * s for n, s in zip(core.shape, self.strides, strict=True)]
        size = sum(map(abs, reach)) + core.itemsize
        if size > SPREAD * max(core.nbytes, 4096):
            return np.broadcast_to(core, self.shape)
        memory = np.empty(size, np.uint8)
        offset = -sum(r for r in reach if r < 0)
        made: Array = np.ndarray(core.shape, core.dtype, memory.data, offset, self.strides)
        made[...] = core
        return np.lib.stride_tricks.as_strided(made, self.shape, self.strides)

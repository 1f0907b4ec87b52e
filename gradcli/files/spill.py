"""Rows that wait in a temporary file for the next pass over them: computed ones, and parsed ones.

Constraints: the file goes when nobody holds the array any more.
"""

from __future__ import annotations

import os
import weakref
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.files import temporary
from gradcli.files.data import amount, shown
from gradcli.files.stored import Array, Plain, Shape

SPARE = 2
"""How many times its size must be free on the disk for what could be parsed again."""


class Spill(Plain):
    """An array in a temporary file, which goes when nobody holds the array any more.

    Args:
        axis: the axis along which `append` goes; it lies outermost in the file.
    """

    def __init__(self, shape: Shape, dtype: np.dtype[Any], axis: int) -> None:
        import tempfile  # late: few runs need one, and it is slow to import

        handle, name = tempfile.mkstemp(prefix="gradcli-", suffix=".rows")
        os.close(handle)
        temporary.made(name)
        super().__init__(Path(name), "a temporary file", shape, dtype, 0, False)
        self.axis = axis
        weakref.finalize(self, temporary.remove, name)

    def write(self, first: int, array: Array) -> None:
        """Puts an array at place `first` along the axis."""
        axis = self.axis % self.ndim
        inner = prod(self.shape[axis + 1 :]) * self.raw.itemsize
        length = array.shape[axis] * inner
        memory = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        try:
            with open(self.path, "r+b", buffering=0) as file:
                for number in range(prod(self.shape[:axis])):
                    file.seek((number * self.shape[axis] + first) * inner)
                    _write_all(file, memory[number * length : (number + 1) * length])
        except OSError as error:
            raise GradcliError(
                "G053",
                f"a temporary file of {amount(self.nbytes)} cannot be written to "
                f"{shown(str(Path(self.path).parent))}: {(error.strerror or str(error)).lower()}",
                help=["raise --max-memory, or name a directory with more room: TMPDIR=/path"],
                kind=OSError,
            ) from error


class Parsed:
    """Blocks of rows that were parsed once, in a temporary file.

    Args:
        shape, dtype: of all rows.
        starts: the first row of each block, and the number of rows.

    Attributes:
        nbytes: that all rows take.
        room: whether the disk has room for them; if not, they are parsed in each pass.
    """

    def __init__(self, shape: Shape, dtype: np.dtype[Any], starts: list[int]) -> None:
        self._starts = starts
        self._done: set[int] = set()
        self._spill: Spill | None = None
        self._lock = Lock()
        self._about = shape, dtype
        self.nbytes = prod(shape) * dtype.itemsize
        self.room = SPARE * self.nbytes <= _free()

    @property
    def complete(self) -> bool:
        """Whether nothing need be parsed again."""
        return len(self._done) == len(self._starts) - 1

    def holds(self, blocks: range) -> bool:
        """Whether these blocks need not be parsed again."""
        return self._done.issuperset(blocks)

    def read(self, first: int, last: int, into: Array | None) -> Array:
        """The rows from `first` to `last`, all of blocks that are held."""
        assert self._spill is not None
        return self._spill.read(0, first, last, into)

    def put(self, block: int, rows: Array) -> None:
        """Takes the rows of a block, if there is room; a full disk only ends that."""
        if not self.room:
            return
        try:
            with self._lock:
                if self._spill is None:
                    self._spill = Spill(*self._about, 0)
            self._spill.write(self._starts[block], rows)
        except (GradcliError, OSError):
            self.room = False
            self._done, self._spill = set(), None
        else:
            self._done.add(block)


def _free() -> int:
    """Bytes that are free where temporary files go."""
    import shutil
    import tempfile

    try:
        return shutil.disk_usage(tempfile.gettempdir()).free
    except OSError:
        return 0


def _write_all(file: Any, memory: memoryview) -> None:
    done = 0
    while done < len(memory):
        done += file.write(memory[done:])

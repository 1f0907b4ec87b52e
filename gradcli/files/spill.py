"""Rows that wait in a temporary file for the next pass over them.

Constraints: the file goes when nobody holds the array any more.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.files.data import amount, shown
from gradcli.files.stored import Array, Plain, Shape


class Spill(Plain):
    """An array in a temporary file, which goes when nobody holds the array any more.

    Args:
        axis: the axis along which `append` goes; it lies outermost in the file.
    """

    def __init__(self, shape: Shape, dtype: np.dtype[Any], axis: int) -> None:
        import tempfile  # late: few runs need one, and it is slow to import

        handle, name = tempfile.mkstemp(prefix="gradcli-", suffix=".rows")
        os.close(handle)
        super().__init__(Path(name), "a temporary file", shape, dtype, 0, False)
        self.axis = axis
        weakref.finalize(self, _remove, name)

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


def _write_all(file: Any, memory: memoryview) -> None:
    done = 0
    while done < len(memory):
        done += file.write(memory[done:])


def _remove(name: str) -> None:
    with suppress(OSError):
        os.unlink(name)

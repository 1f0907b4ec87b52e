"""Arrays that stay in their files: what is asked for is read, rows at a time.

Constraints: picklable (paths and facts, no open handle), so that another process can read the same
rows; safe to read from several threads. Nothing is mapped: mapped pages count as this process's
memory, bytes read into a buffer that is used again do not.
"""

from __future__ import annotations

import io
import mmap
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.files import remote
from gradcli.files.data import Data, amount, fill, shown, unreadable
from gradcli.files.dtypes import UPCAST, normalise

Array = Any
Shape = tuple[int, ...]
FED = 8 << 20
"""Bytes that `feed` gives at a time."""


SCATTERED = 4096
"""Bytes below which a run is not worth a call of its own."""


class Stored(ABC):
    """An array in a file.

    Args:
        name: what errors call it.
        shape, dtype: of the array; a dtype that gradcli computes with, in native byte order.
    """

    def __init__(self, name: str, shape: Shape, dtype: np.dtype[Any]) -> None:
        self.name = shown(name)
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes that the whole array takes in memory."""
        return self.size * self.dtype.itemsize

    @abstractmethod
    def read(self, axis: int, first: int, last: int, into: Array | None = None) -> Array:
        """The places `first` to `last` along `axis`, all of the other axes.

        Args:
            into: an array to fill, of the result's shape and dtype.

        Raises:
            GradcliError: G051 where the file is not what it was, or is broken there.
        """

    def facts(self) -> Sequence[Any]:
        """What says which elements these are: the same for the same ones, in any process."""
        return list(vars(self).values())

    def keep(self) -> list[Any]:
        """Has what must be parsed kept for the next pass over the rows.

        Returns:
            What holds it (`spill.Parsed`); nothing where elements lie in the file as in memory.
        """
        return []

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """All of it, whatever memory that takes."""
        found = self.read(0, 0, self.shape[0])
        return found if dtype is None else found.astype(dtype, copy=False)

    def feed(self, put: Callable[[Array], object]) -> None:
        """Gives all of it to `put`, some rows at a time."""
        height = max(1, FED // max(1, self.nbytes // max(1, self.shape[0])))
        for first in range(0, self.shape[0], height):
            put(self.read(0, first, min(first + height, self.shape[0])))

    def _local(self, axis: int, first: int, last: int) -> Shape:
        shape = list(self.shape)
        shape[axis] = last - first
        return tuple(shape)


class Plain(Stored):
    """Elements that lie in a file as they lie in memory, from byte `start` on.

    Args:
        path: of the file, or its URL.
        raw: the dtype that they have there.
        fortran: whether the first axis runs fastest.
    """

    def __init__(
        self,
        path: Path | str,
        name: str,
        shape: Shape,
        raw: np.dtype[Any],
        start: int,
        fortran: bool,
    ) -> None:
        dtype = np.dtype(np.int64) if raw.char in UPCAST else raw.newbyteorder("=")
        super().__init__(name, shape, dtype)
        # Another process may work in another directory.
        self.path = path if isinstance(path, str) else Path(os.path.abspath(path))
        self.raw = raw
        self.start = start
        self.fortran = fortran

    def read(self, axis: int, first: int, last: int, into: Array | None = None) -> Array:
        """See `Stored.read`."""
        shape = self._local(axis, first, last)
        exact = self.raw == self.dtype and self.raw.kind != "b"
        if exact and into is not None and _lies(into, self.fortran):
            self._fill(into, axis, first)
            return into
        order = "F" if self.fortran else "C"
        kind = np.dtype(np.uint8) if self.raw.kind == "b" else self.raw
        raw: Array = np.empty(shape, kind, order=order)  # type: ignore[call-overload]
        self._fill(raw, axis, first)
        if self.raw.kind == "b":
            # A byte other than 0 and 1 is no valid numpy bool and would break its arithmetic.
            raw = raw != 0
        return placed(normalise(raw, Data(self.name, io.BytesIO(), 0, sys.maxsize)), into)

    def _fill(self, target: Array, axis: int, first: int) -> None:
        """Reads each run of bytes that lies together."""
        shape, local, axis = self.shape, target, axis % self.ndim
        if self.fortran:
            shape, local, axis = shape[::-1], target.T, self.ndim - 1 - axis
        inner = prod(shape[axis + 1 :]) * self.raw.itemsize
        length = local.shape[axis] * inner
        if axis and length < SCATTERED and local.shape[axis] < shape[axis]:
            self._gather(shape, local, axis, first)
            return
        memory = local.reshape(-1).view(np.uint8).data
        try:
            with self._opened() as file:
                for number in range(prod(shape[:axis])):
                    file.seek(self.start + (number * shape[axis] + first) * inner)
                    self._fill_run(file, memory[number * length : (number + 1) * length])
        except OSError as error:
            raise unreadable(self.name, Path(self.path), error) from error

    def _opened(self) -> Any:
        if isinstance(self.path, str):
            return remote.opened(self.path, ahead=False)
        return open(self.path, "rb", buffering=0)

    def _gather(self, shape: Shape, local: Array, axis: int, first: int) -> None:
        """Reads short runs with all that lies between them."""
        step = max(1, FED // max(1, prod(shape[1:]) * self.raw.itemsize))
        last = first + local.shape[axis]
        whole = Plain(self.path, self.name, shape, self.raw, self.start, False)
        whole.dtype = local.dtype
        whole.raw = local.dtype
        for a in range(0, shape[0], step):
            b = min(a + step, shape[0])
            local[a:b] = whole.read(0, a, b).take(range(first, last), axis)

    def _fill_run(self, file: Any, target: memoryview) -> None:
        missing = len(target) - fill(file, target)
        if missing:
            raise GradcliError(
                "G051",
                f"{self.name} became shorter while it was read: {amount(missing)} are missing",
                help="run again when nobody writes to it",
                kind=ValueError,
            )


def placed(found: Array, into: Array | None) -> Array:
    """What `read` returns: `found`, or `into` with its elements."""
    if into is None:
        return found
    into[...] = found
    return into


def held(value: Any) -> Any:
    """What is stored as it is, anything else as an array."""
    return value if isinstance(value, Stored) else np.asarray(value)


def lying(value: Any, keep: int) -> Any:
    """A value as an array; a memory map of at least `keep` bytes as what lies in its file."""
    array = np.asarray(value)
    mapped = getattr(value, "_mmap", None)
    known = type(value) is np.memmap and value.mode != "c" and value.filename is not None
    if not known or mapped is None or array.nbytes < max(keep, 1) or not array.ndim:
        return array
    fortran = not array.flags.c_contiguous
    if fortran and not array.flags.f_contiguous:
        return array
    begin = value.offset - value.offset % mmap.ALLOCATIONGRANULARITY
    inside = array.ctypes.data - np.frombuffer(mapped, np.uint8).ctypes.data
    path = Path(value.filename)
    return Plain(path, str(path), array.shape, array.dtype, begin + inside, fortran)


def _lies(array: Array, fortran: bool) -> bool:
    return bool(array.flags.f_contiguous if fortran else array.flags.c_contiguous)

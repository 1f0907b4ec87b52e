"""Stored arrays that are made of others: joined, in another dtype, cut, some columns.

Constraints: those of `Stored`; nothing is copied before it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.files.stored import Array, Shape, Stored, placed


class Joined(Stored):
    """Several arrays one behind the other along their first axis.

    Args:
        parts: `Stored` or arrays of the same dtype and the same shape behind the first axis.
    """

    def __init__(self, name: str, parts: Sequence[Any]) -> None:
        first = parts[0]
        super().__init__(name, (sum(p.shape[0] for p in parts), *first.shape[1:]), first.dtype)
        self.parts = list(parts)

    def keep(self) -> list[Any]:
        """See `Stored.keep`."""
        return [kept for part in self.parts if isinstance(part, Stored) for kept in part.keep()]

    def read(self, axis: int, first: int, last: int, into: Array | None = None) -> Array:
        """See `Stored.read`."""
        if into is None:
            into = np.empty(self._local(axis, first, last), self.dtype)
        leading = axis % self.ndim == 0
        begin = 0
        for part in self.parts:
            end = begin + part.shape[0]
            if not leading:
                _read(part, axis, first, last, into[begin:end])
            elif begin < last and end > first:
                a, b = max(first, begin), min(last, end)
                _read(part, axis, a - begin, b - begin, into[a - first : b - first])
            begin = end
        return into


class View(Stored):
    """An array that is made of another, `source`, whenever it is read."""

    def __init__(self, source: Stored, shape: Shape, dtype: np.dtype[Any]) -> None:
        super().__init__(source.name, shape, dtype)
        self.source = source

    def keep(self) -> list[Any]:
        """See `Stored.keep`."""
        return self.source.keep()


class Cast(View):
    """An array in another dtype than its file has it in."""

    def __init__(self, source: Stored, dtype: np.dtype[Any]) -> None:
        super().__init__(source, source.shape, dtype)

    def read(self, axis: int, first: int, last: int, into: Array | None = None) -> Array:
        """See `Stored.read`."""
        found = self.source.read(axis, first, last)
        return found.astype(self.dtype) if into is None else placed(found, into)


class Part(View):
    """A slice of another.

    Args:
        slices: for each axis (start, length, step), as ops have them.
    """

    def __init__(self, source: Stored, slices: Sequence[tuple[int, int, int]]) -> None:
        super().__init__(source, tuple(length for _, length, _ in slices), source.dtype)
        self.slices = tuple(slices)

    def read(self, axis: int, first: int, last: int, into: Array | None = None) -> Array:
        """See `Stored.read`."""
        axis %= self.ndim
        start, _, step = self.slices[axis]
        a, b = start + first * step, start + max(first, last - 1) * step + (last > first)
        if step == 1 and self._cuts_only(axis):
            return self.source.read(axis, a, b, into)
        taken = [slice(s, s + n * t, t) for s, n, t in self.slices]
        taken[axis] = slice(None, None, step)
        return placed(self.source.read(axis, a, b)[tuple(taken)], into)

    def _cuts_only(self, axis: int) -> bool:
        """Whether all other axes are taken as they are."""
        sides = enumerate(zip(self.slices, self.source.shape, strict=True))
        return all(place == axis or s == (0, n, 1) for place, (s, n) in sides)


class Columns(View):
    """Some columns of a table of several, (rows, columns); one of them is (rows,)."""

    def __init__(self, source: Stored, places: Sequence[int]) -> None:
        rows = source.shape[:1]
        shape = rows if len(places) == 1 else (*rows, len(places))
        super().__init__(source, shape, source.dtype)
        self.places = list(places)

    def read(self, axis: int, first: int, last: int, into: Array | None = None) -> Array:
        """See `Stored.read`."""
        whole = axis % self.ndim == 0
        a, b = (first, last) if whole else (0, self.shape[0])
        taken: Any = self.places if whole else self.places[first:last]
        found = self.source.read(0, a, b).take(taken[0] if self.ndim == 1 else taken, 1)
        return placed(found, into)


def _read(part: Any, axis: int, first: int, last: int, into: Array) -> None:
    if isinstance(part, Stored):
        part.read(axis, first, last, into)
    else:
        into[...] = part.take(range(first, last), axis)

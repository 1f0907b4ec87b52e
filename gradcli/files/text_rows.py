"""A table of text that stays in its file: an index of its lines, of which blocks are read.

Constraints: one pass over the bytes counts the rows; a block is read by the same code as a whole
table, and names the same lines. What was parsed may be kept in a temporary file, so that the next
pass reads numbers; another process parses its own. Tables with quoted line ends, or with other line
ends than \\n, are not indexed.
"""

from __future__ import annotations

import io
import os
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gradcli.files.csv_layout import Layout
from gradcli.files.csv_table import exact, fast
from gradcli.files.data import Data
from gradcli.files.spill import Parsed
from gradcli.files.stored import Array, Stored, placed
from gradcli.files.text import MARK, check, not_utf8

_LINES = 16384

Block = tuple[int, int, int]
"""Where a block starts: byte, number of its first line, number of its first row."""


def stored(data: Data, key: str) -> Stored | None:
    """The table or its columns, in the file; None where it cannot be read in blocks.

    Raises:
        GradcliError: G051 for an empty table, G052 for a missing column.
    """
    head = data.head()
    check(head, data)
    if data.path is None or b"\r" in head.replace(b"\r\n", b""):
        return None
    text = io.TextIOWrapper(data.stream, encoding="utf-8-sig", newline=None)
    try:
        layout = Layout.of(iter(text), key, data)
    except UnicodeDecodeError as error:
        raise not_utf8(error, None, data) from error
    finally:
        text.detach()
    layout.pending = []
    blocks = _index(data, layout.first_line)
    if blocks is None:
        return None
    if blocks[-1][2] == 0:
        raise data.malformed("has a header but no rows")
    return TextRows(data.path, data.name, layout, blocks)


def _index(data: Data, first: int) -> list[Block] | None:
    """Where each block starts, and behind the last one where the file ends."""
    data.stream.seek(0)
    offset = row = 0
    found: list[Block] = []
    for number, line in enumerate(data.stream, 1):
        if number >= first and (number - first) % _LINES == 0:
            found.append((offset, number, row))
        if line.count(b'"') % 2:
            return None
        offset += len(line)
        row += number >= first and not line.isspace() and line[:1] != b"#"
    return [*found, (offset, 0, row)]


class TextRows(Stored):
    """Rows of numbers as float64.

    Args:
        layout: how the table is laid out.
        blocks: where they start, and where the file ends.
    """

    def __init__(self, path: Path, name: str, layout: Layout, blocks: list[Block]) -> None:
        width = layout.width if layout.chosen is None else len(layout.chosen)
        count = blocks[-1][2]
        shape = (count,) if width == 1 else (count, width)
        super().__init__(name, shape, np.dtype(np.float64))
        self.path = Path(os.path.abspath(path))  # another process may work elsewhere
        self.layout = layout
        self.blocks = blocks
        self._starts = [block[2] for block in blocks]
        self._held: dict[int, Array] = {}
        self._parsed: Parsed | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": {}, "_parsed": None}

    def facts(self) -> Sequence[Any]:
        """See `Stored.facts`."""
        return [self.path, self.layout.chosen, self.blocks]

    def keep(self) -> list[Parsed]:
        """See `Stored.keep`."""
        self._parsed = self._parsed or Parsed(self.shape, self.dtype, self._starts)
        return [self._parsed]

    def read(self, axis: int, first: int, last: int, into: Array | None = None) -> Array:
        """See `Stored.read`."""
        if axis % self.ndim:
            return placed(self.read(0, 0, self.shape[0])[:, first:last], into)
        blocks = range(bisect_right(self._starts, first) - 1, bisect_left(self._starts, last))
        if self._parsed is not None and self._parsed.holds(blocks):
            return self._parsed.read(first, last, into)
        # Chunks end where tiles do, so the next one begins in the block where this one ended; and
        # where several take columns of this table, they read the same rows one after the other.
        held = self._held
        self._held = {n: held[n] if n in held else self._block(n) for n in blocks}
        starts = self._starts
        parts = [p[max(first - starts[n], 0) : last - starts[n]] for n, p in self._held.items()]
        found = np.concatenate(parts) if parts else np.empty((0, *self.shape[1:]))
        return placed(found.reshape(last - first, *self.shape[1:]), into)

    def _block(self, number: int) -> Array:
        """The rows of a block."""
        found = self._read_block(number)
        if self._parsed is not None:
            self._parsed.put(number, found)
        return found

    def _read_block(self, number: int) -> Array:
        """The rows of a block, (rows, columns)."""
        (start, line, _), (end, _, _) = self.blocks[number], self.blocks[number + 1]
        data = Data(self.name, io.BytesIO(), 0, sys.maxsize)
        with open(self.path, "rb") as file:
            file.seek(start)
            content = file.read(end - start)
        if len(content) < end - start:
            raise data.malformed("became shorter while it was read")
        try:
            text = content.removeprefix(MARK if not start else b"").decode()
        except UnicodeDecodeError as error:
            at = line + content.count(b"\n", 0, error.start)
            raise not_utf8(error, at, data) from error
        batch = list(io.StringIO(text, newline=None))
        if all(row.isspace() for row in batch):
            return np.empty((0, *self.shape[1:]))
        part = fast(batch, self.layout)
        return exact(batch, line, self.layout, data) if part is None else part

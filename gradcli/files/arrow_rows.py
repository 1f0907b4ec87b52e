"""A Parquet table that stays in its file: record batches are read one after the other.

Constraints: rows come in the order of the file; reading on where the last reading ended costs
nothing twice. Other tables of pyarrow are read whole.
"""

from __future__ import annotations

import io
import os
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from gradcli.files.arrow_data import check_plain, choose, column, library
from gradcli.files.data import Data
from gradcli.files.dtypes import UPCAST
from gradcli.files.stored import Array, Stored, placed

_BATCH = 65536


def stored(data: Data, key: str) -> Stored | None:
    """The columns of a Parquet file, in the file; None for another table of pyarrow.

    Raises:
        GradcliError: as `arrow_data.read`.
    """
    _, _, parquet = library(data)
    if data.path is None or not data.head().startswith(b"PAR1"):
        return None
    with data.guard("table"):
        file = parquet.ParquetFile(data.stream)
        names = choose(file.schema_arrow.names, key, data)
        kinds = []
        for name in names:
            kind = file.schema_arrow.field(name).type
            check_plain(str(kind), name, data)
            kinds.append(_dtype(np.dtype(kind.to_pandas_dtype())))
        about = file.metadata
        groups = [about.row_group(i).num_rows for i in range(about.num_row_groups)]
        starts = [0, *accumulate(groups)]
    return ArrowRows(data.path, data.name, names, np.result_type(*kinds), starts)


def _dtype(kind: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.int64) if kind.char in UPCAST else kind


class ArrowRows(Stored):
    """Columns of a Parquet file.

    Args:
        names: of the columns.
        starts: the first row of each row group, and how many rows there are.
    """

    def __init__(
        self, path: Path, name: str, names: list[str], dtype: np.dtype[Any], starts: list[int]
    ) -> None:
        shape = (starts[-1],) if len(names) == 1 else (starts[-1], len(names))
        super().__init__(name, shape, dtype)
        self.path = Path(os.path.abspath(path))  # another process may work elsewhere
        self.names = names
        self.starts = starts
        self._cursor: tuple[int, Iterator[Array]] | None = None
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cursor": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=Lock())

    def facts(self) -> Sequence[Any]:
        """See `Stored.facts`."""
        return [self.path, self.names, self.starts]

    def read(self, axis: int, first: int, last: int, into: Array | None = None) -> Array:
        """See `Stored.read`."""
        if axis % self.ndim:
            return placed(self.read(0, 0, self.shape[0])[:, first:last], into)
        if into is None:
            into = np.empty(self._local(axis, first, last), self.dtype)
        with self._lock:
            at, batches = self._cursor or (last + 1, iter(()))
            if at > first:
                group = bisect_right(self.starts, first) - 1
                at, batches = self.starts[group], self._batches(group)
            while at < last:
                part = next(batches)
                a, b = max(first, at), min(last, at + len(part))
                if a < b:
                    into[a - first : b - first] = part[a - at : b - at]
                if at + len(part) > last:
                    batches = _before(part, batches)
                    break
                at += len(part)
            self._cursor = at, batches
        return into

    def _batches(self, group: int) -> Iterator[Array]:
        """The rows from a row group on, in pieces."""
        data = Data(self.name, io.BytesIO(), 0, sys.maxsize)
        _, _, parquet = library(data)
        with data.guard("table"), parquet.ParquetFile(str(self.path)) as file:
            groups = list(range(group, len(self.starts) - 1))
            for batch in file.iter_batches(_BATCH, row_groups=groups, columns=self.names):
                columns = [column(_table(batch), name, data) for name in self.names]
                yield columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


def _table(batch: Any) -> Any:
    import pyarrow

    return pyarrow.Table.from_batches([batch])


def _before(part: Array, batches: Iterator[Array]) -> Iterator[Array]:
    yield part
    yield from batches

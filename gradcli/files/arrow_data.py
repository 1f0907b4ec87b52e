"""Parquet, Arrow and Feather tables as arrays of their columns, through pyarrow (extra `arrow`).

Constraints: pyarrow is imported when such a file is read; columns of plain numbers without nulls.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.files.columns import chosen, written
from gradcli.files.data import Data, shown
from gradcli.files.dtypes import normalise


def read(data: Data, key: str) -> np.ndarray[Any, Any]:
    """The columns `key` (names with commas between) or all: one gives (n,), several (n, k).

    Columns of several dtypes get the one that NumPy promotes them to.

    Raises:
        GradcliError: G050 without pyarrow, G051 for nulls, text and nested columns, G052 for a
            missing column.
    """
    pyarrow, feather, parquet = library(data)
    with data.guard("table"):
        if data.head().startswith(b"PAR1"):
            names, table = _parquet(parquet, key, data)
        else:
            data.take(data.size)
            table = (
                feather.read_table(data.stream)
                if _is_file(data)
                else (pyarrow.ipc.open_stream(data.stream).read_all())
            )
            data.take(table.nbytes)
            names = choose(table.column_names, key, data)
        columns = [column(table, name, data) for name in names]
    return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)


def library(data: Data) -> tuple[Any, Any, Any]:
    """pyarrow and its modules feather and parquet; raises G050 where it is not installed."""
    try:
        import pyarrow
        from pyarrow import feather, parquet
    except ImportError as error:
        raise GradcliError(
            "G050",
            f"{data.name} needs pyarrow, which is not installed",
            help="pip install 'gradcli[arrow]'",
            kind=ImportError,
        ) from error
    return pyarrow, feather, parquet


def _is_file(data: Data) -> bool:
    return data.head().startswith((b"ARROW1", b"FEA1"))


def _parquet(parquet: Any, key: str, data: Data) -> tuple[list[str], Any]:
    file = parquet.ParquetFile(data.stream)
    names = choose(file.schema_arrow.names, key, data)
    data.take(file.metadata.num_rows * 16 * len(names))
    return names, file.read(columns=names)


def choose(names: list[str], key: str, data: Data) -> list[str]:
    """The columns `key`, or all; raises G052 for a missing one."""
    if not names:
        raise data.malformed("has no columns")
    wanted = chosen(key, names) if key else names
    for name in wanted:
        if name not in names:
            raise data.missing("column", name, (written([name]) for name in names))
        if names.count(name) > 1:
            raise data.malformed(f"has several columns {shown(name)!r}")
    return wanted


def column(table: Any, name: str, data: Data) -> np.ndarray[Any, Any]:
    """A column of numbers without nulls; raises G051 for others."""
    values = table.column(name)
    count = values.null_count
    if count:
        raise data.malformed(
            f"column {shown(name)!r} has {count} null{'s' * (count > 1)}",
            "fill or drop them first, or choose other columns",
        )
    check_plain(str(values.type), name, data)
    return normalise(values.to_numpy(), data)


def check_plain(kind: str, name: str, data: Data) -> None:
    """Refuses (G051) a column of anything but numbers; `kind` is pyarrow's name of its type."""
    if not _is_plain(kind):
        raise data.malformed(
            f"column {shown(name)!r} holds {shown(kind)}, not plain numbers",
            f"choose columns of numbers: @{data.name}:a,b",
        )


def _is_plain(name: str) -> bool:
    return name in ("bool", "halffloat", "float", "double") or name.lstrip("u").startswith("int")

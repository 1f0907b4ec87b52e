"""CSV, TSV and other tables of text as arrays: columns of numbers, with or without a header.

Constraints: values are float64. A batch of lines goes through NumPy's reader; a batch that it
refuses is read cell by cell, which either knows better (quotes, comments, decimal commas) or names
line and column of what is wrong. Memory is the result and one batch.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from gradcli.files.csv_layout import Layout, number, split
from gradcli.files.data import Data, shown
from gradcli.files.text import check, not_utf8

_BATCH = 16384  # lines; 4096 are half as fast, 65536 no faster


def read(data: Data, key: str) -> np.ndarray[Any, Any]:
    """The table, or its columns `key` (names with commas between; counted from 0 without header).

    Several columns or none chosen: (rows, columns). One column, chosen or the only one: (rows,),
    as `np.loadtxt` does; a table of one row stays (1, columns). A first line in which a cell is no
    number is a header; `nan` and `inf` are numbers. Lines that start with # are comments.

    Raises:
        GradcliError: G051 with line and column for a ragged row, an empty cell, a cell that is
            no number; G052 for a missing column.
    """
    check(data.head(), data)
    with io.TextIOWrapper(data.stream, encoding="utf-8-sig", newline=None) as text:
        try:
            table = _table(iter(text), key, data)
        except UnicodeDecodeError as error:
            raise not_utf8(error, None, data) from error
    return table[:, 0] if table.shape[1] == 1 else table


def _table(lines: Iterator[str], key: str, data: Data) -> np.ndarray[Any, Any]:
    layout = Layout.of(lines, key, data)
    parts: list[np.ndarray[Any, Any]] = []
    size = 0
    for start, batch in _batches(layout, lines):
        part = fast(batch, layout)
        parts.append(exact(batch, start, layout, data) if part is None else part)
        size += parts[-1].nbytes
        data.take(2 * size)
    if not size:
        raise data.malformed("has a header but no rows")
    return np.concatenate(parts)


def _batches(layout: Layout, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """Lists of lines with the number of their first; a quoted cell never straddles two."""
    start, pending = layout.first_line, layout.pending
    while batch := pending + list(islice(lines, _BATCH - len(pending))):
        pending = []
        if layout.delimiter != " " and any('"' in line for line in batch):
            _close_quotes(batch, lines)
        if any(not line.isspace() for line in batch):
            yield start, batch
        start += len(batch)


def _close_quotes(batch: list[str], lines: Iterator[str]) -> None:
    open_quotes = sum(line.count('"') for line in batch) % 2
    room = _BATCH  # a quote that is never closed is an error, not a reason to read everything
    while open_quotes and room and (line := next(lines, None)) is not None:
        batch.append(line)
        open_quotes = (open_quotes + line.count('"')) % 2
        room -= 1


def fast(batch: list[str], layout: Layout) -> np.ndarray[Any, Any] | None:
    """The batch by NumPy's reader, or None where cell by cell is needed."""
    delimiter = None if layout.delimiter == " " else layout.delimiter
    if layout.trailing or layout.decimal == ",":
        return None
    if layout.chosen is not None and not _regular(batch, layout):
        return None
    try:
        part = np.loadtxt(batch, delimiter=delimiter, comments=None, ndmin=2, usecols=layout.chosen)
    except ValueError:
        return None
    if layout.chosen is None and part.shape[1] != layout.width:
        return None
    if layout.delimiter == ";" and any("." in line for line in batch):
        layout.decimal = "."
    return None if np.isinf(part).any() else part


def _regular(batch: list[str], layout: Layout) -> bool:
    """Whether every line has the layout's number of cells, which NumPy does not check here."""
    if layout.delimiter == " ":
        return False
    counts = {line.count(layout.delimiter) for line in batch}
    return counts == {layout.width - 1} and not any('"' in line for line in batch)


def exact(batch: list[str], start: int, layout: Layout, data: Data) -> np.ndarray[Any, Any]:
    """The batch cell by cell; raises with line and column."""
    rows, numbers = _rows(batch, start, layout, data)
    chosen = range(layout.width) if layout.chosen is None else layout.chosen
    table = np.empty((len(rows), len(chosen)))
    convert = layout.number if layout.delimiter == ";" else number
    for j, k in enumerate(chosen):
        cells = [row[k] for row in rows]
        try:
            table[:, j] = list(map(convert, cells))
        except (ValueError, OverflowError):
            bad = next(i for i, cell in enumerate(cells) if not _reads(layout.number, cell))
            line = numbers[bad]
            raise _bad_cell(cells[bad], k, line, batch[line - start], layout, data) from None
    return table


def _reads(convert: Callable[[str], float], cell: str) -> bool:
    try:
        convert(cell)
    except (ValueError, OverflowError):
        return False
    return True


def _rows(
    batch: list[str], start: int, layout: Layout, data: Data
) -> tuple[list[list[str]], list[int]]:
    """The cells of each row, all rows of one length, and the number of its line."""
    import csv

    rows, numbers = [], []
    clean = ["\n" if line.startswith("#") else line for line in batch]
    reader = split(clean, layout.delimiter)
    try:
        for line, row in reader:
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            if layout.trailing and len(row) == layout.width + 1 and not row[-1].strip():
                row.pop()
            if len(row) != layout.width:
                raise _ragged(row, start + line, batch[line], layout, data)
            rows.append(row)
            numbers.append(start + line)
    except csv.Error as error:
        raise data.malformed(f"{shown(str(error))} (in the lines from {start} on)") from error
    return rows, numbers


def _ragged(row: list[str], number: int, line: str, layout: Layout, data: Data) -> Exception:
    line = line.rstrip("\n")
    first = layout.width if len(row) > layout.width else len(row)
    spans = layout.spans(line)
    cell = (spans[first][0], len(line)) if first < len(spans) else (len(line), len(line) + 1)
    has = "1 cell" if len(row) == 1 else f"{len(row)} cells"
    what = "the header" if layout.names else "the first row"
    return data.at_cell(
        f"line {number} has {has}, {what} has {layout.width}",
        line,
        number,
        cell,
        _delimiter_help(row, layout),
    )


def _delimiter_help(row: list[str], layout: Layout) -> list[str]:
    if layout.delimiter == "," and len(row) == 2 * layout.width:
        return ["with decimal commas, separate the cells with semicolons"]
    return ['a cell with the delimiter inside needs quotes: "a,b"'] if len(row) > 1 else []


def _bad_cell(
    cell: str, column: int, number_: int, line: str, layout: Layout, data: Data
) -> Exception:
    line = line.rstrip("\n")
    spans = layout.spans(line)
    span = spans[column] if column < len(spans) else (0, len(line))
    where = f"line {number_}, column {layout.label(column)}"
    if not cell.strip():
        fact, help = f"{where} is empty", ["write nan for a missing value"]
    elif layout.overflows(cell):
        fact, help = f"{where}: {shown(cell.strip())} is too large for a 64-bit float", []
    else:
        fact, help = f"{where}: {shown(cell.strip())!r} is not a number", _number_help(cell, layout)
    if layout.names and len(layout.names) > 1:
        help.append(f"choose columns by name: @{data.name}:{shown(layout.names[0])}")
    return data.at_cell(fact, line, number_, (span[0], max(span[1], span[0] + 1)), help)


MISSING = frozenset(("na", "n/a", "null", "none", "-", "--", "?", "."))
"""What other programs write where there is no number."""


def _number_help(cell: str, layout: Layout) -> list[str]:
    if cell.strip().lower() in MISSING:
        return ["write nan for a missing value"]
    if ("," in cell and "." in cell) or layout.decimal:
        return ["use one decimal sign in the whole table and no thousands separators"]
    if "," in cell and _reads(number, cell.replace(",", ".")):
        return ["write decimal points, or separate the cells with semicolons"]
    return []

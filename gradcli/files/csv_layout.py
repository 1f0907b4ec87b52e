"""How a table of text is laid out: delimiter, header, width, decimal sign, chosen columns.

Constraints: decided from the first two lines that are neither blank nor comments; the rest of the
file must keep to it (csv_table.py says where it does not).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator

from gradcli.errors import GradcliError
from gradcli.files.columns import chosen, written
from gradcli.files.data import Data, shown

_DELIMITERS = "\t;,"


class Layout:
    """The shape of one table.

    Attributes:
        delimiter: a character; a space stands for any run of white space.
        names: the header's cells, or None without a header.
        width: cells in a row.
        trailing: whether rows may end in one more delimiter.
        decimal: "," or "." once a table with semicolons has shown which, else "".
        chosen: positions of the columns to return, or None for all.
        first_line: the number of the first line of `pending`.
        pending: lines that were looked at and belong to the data.
    """

    __slots__ = (
        "chosen",
        "decimal",
        "delimiter",
        "first_line",
        "names",
        "pending",
        "trailing",
        "width",
    )
    chosen: list[int] | None

    def __init__(self, delimiter: str, names: list[str] | None, rows: list[list[str]]) -> None:
        self.delimiter = delimiter
        self.names = names
        self.decimal = ""
        self.chosen = None
        self.first_line = 1
        self.pending: list[str] = []
        first = rows[0] if rows else []
        ends_empty = len(first) > 1 and all(not row[-1:] or not row[-1].strip() for row in rows)
        if names is None:
            self.trailing = ends_empty
            self.width = len(first) - self.trailing
            return
        if len(names) > 1 and not names[-1] and (ends_empty or not rows):
            names.pop()
        self.width = len(names)
        self.trailing = ends_empty and len(first) == self.width + 1

    @classmethod
    def of(cls, lines: Iterator[str], key: str, data: Data) -> Layout:
        """Reads the first lines and decides; they come back as `pending`.

        Raises:
            GradcliError: G051 for an empty table, G052 for a missing column.
        """
        looked = _look(lines)
        if not looked:
            raise data.malformed("is empty")
        texts = [line for _, line in looked]
        try:
            delimiter = _delimiter(texts, "\t" if data.name.endswith(".tsv") else _DELIMITERS)
            rows = [cells(line, delimiter) for line in texts]
        except csv.Error as error:
            raise _no_cells(error, looked, data) from error
        names = None
        if any(cell.strip() and not _numeric(cell, delimiter) for cell in rows[0]):
            names = [cell.strip() for cell in rows.pop(0)]
            looked.pop(0)
        layout = cls(delimiter, names, rows)
        if looked:
            layout.first_line = looked[0][0]
            # Blank lines for what stood between keep the line numbers.
            gap = looked[-1][0] - looked[0][0] - 1
            layout.pending = texts[-len(looked) :]
            layout.pending[1:1] = ["\n"] * gap
        if key:
            layout.chosen = layout.choose(key, data)
        return layout

    def choose(self, key: str, data: Data) -> list[int]:
        """The positions of the columns `key`."""
        names = self.names or [str(i) for i in range(self.width)]
        wanted = chosen(key, names)
        for name in wanted:
            if name not in names:
                raise self._unknown(name, names, data)
            if names.count(name) > 1:
                at = " and ".join(str(i + 1) for i, other in enumerate(names) if other == name)
                raise GradcliError(
                    "G052",
                    f"{data.name} has several columns {shown(name)!r}: {at}",
                    help="rename all but one in the header",
                    kind=KeyError,
                )
        return [names.index(name) for name in wanted]

    def number(self, cell: str) -> float:
        """The value of a cell; with semicolons between cells a comma is the decimal sign."""
        if self.delimiter == ";" and ("," in cell or "." in cell):
            sign = "," if "," in cell else "."
            if self.decimal not in ("", sign):
                raise ValueError(cell)
            value = number(cell.replace(",", ".", 1))
            self.decimal = sign
            return value
        return number(cell)

    def overflows(self, cell: str) -> bool:
        """Whether the cell is a number beyond float64."""
        try:
            self.number(cell)
        except OverflowError:
            return True
        except ValueError:
            pass
        return False

    def label(self, column: int) -> str:
        """What errors call a column: its number from 1, and its name."""
        name = self.names[column] if self.names else ""
        return f"{column + 1} ({shown(name)})" if name else str(column + 1)

    def spans(self, line: str) -> list[tuple[int, int]]:
        """Where the cells stand in a line, without the delimiters."""
        if self.delimiter == " ":
            return [match.span() for match in re.finditer(r"\S+", line)]
        found, start, quoted = [], 0, False
        for i, char in enumerate(line):
            if char == '"':
                quoted = not quoted
            elif char == self.delimiter and not quoted:
                found.append((start, i))
                start = i + 1
        return [*found, (start, len(line))]

    def _unknown(self, name: str, names: list[str], data: Data) -> GradcliError:
        error = data.missing("column", name, (written([name]) for name in names))
        if not self.names:
            error.diagnostic.notes.append("it has no header; columns count from 0")
        return error


def number(cell: str) -> float:
    """The value of a cell; `nan` and `inf` are numbers.

    Raises:
        ValueError: for text that is no number.
        OverflowError: for a number beyond float64.
    """
    if "_" in cell or not cell.isascii():
        raise ValueError(cell)
    value = float(cell)
    if value in (float("inf"), -float("inf")) and "n" not in cell.lower():
        raise OverflowError(cell)
    return value


def cells(line: str, delimiter: str) -> list[str]:
    """The cells of one line."""
    return next(iter(split([line], delimiter)), (0, [""]))[1]


def split(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row with the position of its last line, from 0; blank lines give [].

    Raises:
        csv.Error: for a quote that is never closed.
    """
    if delimiter == " ":
        yield from ((i, line.split()) for i, line in enumerate(lines))
        return
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    for row in reader:
        yield reader.line_num - 1, row


def _look(lines: Iterator[str]) -> list[tuple[int, str]]:
    """The first two lines, numbered from 1, that are neither blank nor comments."""
    found = []
    for number_, line in enumerate(lines, 1):
        if not line.isspace() and not line.startswith("#"):
            found.append((number_, line))
            if len(found) == 2:
                break
    return found


def _no_cells(error: csv.Error, looked: list[tuple[int, str]], data: Data) -> GradcliError:
    """The error for first lines that are no cells: a quote that its line does not close, mostly."""
    for number, line in looked:
        if line.count('"') % 2 and "end of data" in str(error):
            place = line.rindex('"')
            fact = f"line {number} does not close its quote"
            help = ["numbers need no quotes; a quoted cell of the first rows ends in its own line"]
            return data.at_cell(fact, line.rstrip("\r\n"), number, (place, place + 1), help)
    return data.malformed(f"{shown(str(error))} (line {looked[0][0]})")


def _delimiter(texts: list[str], candidates: str) -> str:
    """The character that cuts both lines into equally many cells, several if possible."""
    for candidate in candidates + " ":
        try:
            widths = {len(cells(line, candidate)) for line in texts}
        except csv.Error:  # quotes that this delimiter does not explain
            continue
        if len(widths) == 1 and widths != {1}:
            return candidate
    return next((c for c in candidates if c in texts[0]), candidates[-1])


def _numeric(cell: str, delimiter: str) -> bool:
    try:
        number(cell.replace(",", ".", 1) if delimiter == ";" else cell)
    except ValueError:
        return False
    except OverflowError:
        pass
    return True

"""Tables of which several bindings take columns: `X=@t.csv:a,b y=@t.csv:c` parses `t.csv` once.

Constraints: a table is read when its first binding is; where that fails, each binding reads its own
columns, so that an error stands at the binding that it is about.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.files import columns
from gradcli.files.csv_layout import Layout
from gradcli.files.data import budget, open_path
from gradcli.files.formats import by_suffix
from gradcli.files.reading import read, split
from gradcli.files.stored import Stored
from gradcli.files.views import Columns


class Together:
    """References that will be read, and the tables of text among them that have been.

    Args:
        references: as `read` takes them.
    """

    def __init__(self, references: Iterable[str]) -> None:
        self._keys: dict[Path, set[str]] = {}
        for path, key in map(_parts, references):
            if key:
                self._keys.setdefault(path, set()).add(key)
        self._tables: dict[Path, _Table | None] = {}

    def read(self, reference: str, **options: Any) -> np.ndarray[Any, Any] | Stored:
        """As `read` does, from a table that other references take columns of too."""
        path, key = _parts(reference)
        if not key or len(self._keys.get(path, ())) < 2:
            return read(reference, **options)
        if path not in self._tables:
            self._tables[path] = _read(path, self._keys[path], options)
        table = self._tables[path]
        return read(reference, **options) if table is None else table.columns(key)


class _Table:
    """The columns that some keys name.

    Args:
        places: key -> the positions of its columns in `array`.
    """

    def __init__(self, array: Any, places: dict[str, list[int]]) -> None:
        self._array = array
        self._places = places

    def columns(self, key: str) -> Any:
        """Those of a key, as reading it alone gives them."""
        places = self._places[key]
        if isinstance(self._array, Stored):
            return Columns(self._array, places)
        return self._array.take(places[0] if len(places) == 1 else places, 1)


def _read(path: Path, keys: Iterable[str], options: Any) -> _Table | None:
    """What all keys name; None where they name one column, or something is wrong."""
    try:
        with open_path(path, str(path), budget(None), lambda head: None) as data:
            text = io.TextIOWrapper(data.stream, encoding="utf-8-sig", newline=None)
            header = Layout.of(iter(text), "", data).names or []
        chosen = {key: columns.chosen(key, header) for key in keys}
        names = list(dict.fromkeys(name for some in chosen.values() for name in some))
        if len(names) < 2:
            return None
        array = read(f"{path}:{columns.written(names)}", **options)
    except (GradcliError, UnicodeDecodeError):
        return None
    return _Table(array, {key: [names.index(n) for n in some] for key, some in chosen.items()})


def _parts(reference: str) -> tuple[Path, str]:
    """The path and the key of a table of text; no key for anything else."""
    try:
        path, key = split(reference)
        return path, key if path.exists() and by_suffix(path.suffix, reference) == "csv" else ""
    except GradcliError:  # reading it will say so
        return Path(reference), ""

"""The columns that a binding names behind a colon: `@t.csv:a,b`, `@t.csv:a,"c, d"`.

Constraints: one form for all tables; a name with a comma of its own stands alone, or in quotes.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable
from io import StringIO


def chosen(key: str, names: Collection[str]) -> list[str]:
    """The names that `key` means in a table that has `names`; they may be missing there."""
    return [key] if key in names else listed(key)


def listed(key: str) -> list[str]:
    """The names in `key`, commas between."""
    try:
        return [name.strip() for name in next(csv.reader([key], skipinitialspace=True))]
    except csv.Error:  # a line end, which no list has
        return [key]


def written(names: Iterable[str]) -> str:
    """The key that `listed` takes apart into `names`."""
    text = StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()

"""The parser's tables, read from tables.txt, which generate.py makes from the grammar.

Constraints: no Lark at run time (importing it costs 20 ms, these tables 1.5 ms); a row or a rule is
decoded when the parser first comes by. A terminal is called by its own text (`+`, `if`) or by a
name in capitals (`NUMBER`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Generic, TypeVar

Row = TypeVar("Row")
Action = int
"""What to do on a symbol: the state to go to, or `~n` (below zero) for the end of rule n."""


class Rule:
    """A rule of the grammar that the parser has come to the end of.

    `origin` is the symbol that it makes of `size` symbols; `builder` the name of its builder, `=`
    for the only child itself, `-` for a list that the rule around it takes in. `children` are
    (index of a symbol, whether its children take its place); an index of -1 stands for None. A
    `unit` replaces one symbol and does nothing else.
    """

    __slots__ = ("builder", "children", "origin", "size", "unit")

    def __init__(self, line: str) -> None:
        self.origin, size, self.builder, *children = line.split()
        self.size = int(size)
        self.unit = self.builder == "=" and self.size == 1
        self.children = [
            (-1 if child == "." else int(child.rstrip("*")), child.endswith("*"))
            for child in children
        ]


class _Decoded(dict[int, Row], Generic[Row]):
    """Numbered lines, each decoded when it is first asked for."""

    __slots__ = ("decode", "lines")

    def __init__(self, lines: list[str], decode: Callable[[str], Row]) -> None:
        self.lines = lines
        self.decode = decode

    def __missing__(self, number: int) -> Row:
        row = self[number] = self.decode(self.lines[number])
        return row


def _row(line: str) -> dict[str, Action]:
    row: dict[str, Action] = {}
    for group in filter(None, line.split("\t")):
        action, *symbols = group.split(" ")
        row.update(dict.fromkeys(symbols, int(action)))
    return row


class Tables:
    """Everything that the grammar says, in the form in which the parser and the printer need it.

    `pattern` matches the next token, its group's name is the token's kind (`LITERAL`: the text is);
    `rows` holds for each state what to do on a symbol, 0 being no place to go to; `starts` maps a
    start rule to its first and last state.
    """

    def __init__(self, text: str) -> None:
        sections: dict[str, list[str]] = {}
        for line in text.splitlines():
            section, _, rest = line.partition(" ")
            sections.setdefault(section, []).append(rest)
        self.pattern = re.compile(sections["pattern"][0])
        self.keywords = frozenset(sections["keyword"])
        self.rows = _Decoded(sections["state"], _row)
        self.rules = _Decoded(sections["rule"], Rule)
        words = [line.split(" ") for line in sections["start"]]
        self.starts = {name: (int(first), int(last)) for name, first, last in words}
        self._levels = sections["level"]

    @property
    def levels(self) -> list[tuple[str, str, list[str]]]:
        """The ladder of precedence, the weakest first: (rule, builder, operators) each."""
        split = [[*line.split(" "), ""] for line in self._levels]
        return [(rule, builder, rest[:-1]) for rule, builder, *rest in split]


_loaded: Tables | None = None


def load() -> Tables:
    """The tables of the grammar; read once."""
    global _loaded
    if _loaded is None:
        path = os.path.join(os.path.dirname(__file__), "tables.txt")
        with open(path, encoding="utf-8") as file:
            _loaded = Tables(file.read())
    return _loaded

"""Source text and the spans in it: the ground floor that every error points through.

Constraints: imports nothing; a span is half-open, in characters, and cheap enough for every node.
"""

from __future__ import annotations


class Source:
    """A named text: an expression, a script, or a binding's value.

    Args:
        name: what errors call it, such as `<expr>`, `train.py` or `<x>`.
        text: the whole text, unchanged; of a long file the lines from `first` on.
        first: the number of the text's first line.
    """

    __slots__ = ("first", "name", "text")

    def __init__(self, name: str, text: str, first: int = 1) -> None:
        self.name = name
        self.text = text
        self.first = first

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of the character at `offset`."""
        offset = max(0, min(offset, len(self.text)))
        line = self.text.count("\n", 0, offset) + self.first
        return line, offset - (self.text.rfind("\n", 0, offset) + 1) + 1

    def line(self, number: int) -> str:
        """Line `number` without its line end; empty where there is none."""
        lines = self.text.split("\n")
        place = number - self.first
        return lines[place].rstrip("\r") if 0 <= place < len(lines) else ""


class Span:
    """A half-open range of characters of one source.

    Args:
        source, start, end: the text, and where the span begins and ends in it.
        parts: the spans of an operation's operands, so that an error can name them.
    """

    __slots__ = ("end", "parts", "source", "start")

    def __init__(self, source: Source, start: int, end: int, parts: tuple[Span, ...] = ()) -> None:
        self.source = source
        self.start = start
        self.end = max(start, end)
        self.parts = parts

    @property
    def text(self) -> str:
        """The characters that the span covers."""
        return self.source.text[self.start : self.end]

    @property
    def whole(self) -> str:
        """The characters on one line, with the brackets that the span cuts through."""
        text = " ".join(self.text.split())
        depth = low = 0
        for character in text:
            depth += (character in "([{") - (character in ")]}")
            low = min(low, depth)
        return "(" * -low + text + ")" * (depth - low)

    def to(self, other: Span) -> Span:
        """The smallest span that covers this one and `other`, of the same source."""
        return Span(self.source, min(self.start, other.start), max(self.end, other.end))

    @staticmethod
    def operation(*operands: Span) -> Span:
        """The span from the first operand to the last one, which are its parts."""
        first, last = operands[0], operands[-1]
        return Span(first.source, first.start, last.end, operands)

    def __repr__(self) -> str:
        line, column = self.source.position(self.start)
        return f"<{self.source.name}:{line}:{column} {self.text!r}>"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Span)
            and (self.start, self.end) == (other.start, other.end)
            and (self.source is other.source or self.source.text == other.source.text)
        )

    def __hash__(self) -> int:
        return hash((self.start, self.end))

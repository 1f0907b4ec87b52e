"""JSON records, one a line: an endless stream of objects whose members are numbers and arrays.

Constraints: holds one line at a time, of at most the memory limit; a complaint has the number of
its line and, where it is about a part of it, the place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from gradcli.errors import GradcliError, Label
from gradcli.files.data import Data, amount, budget
from gradcli.files.json_data import check_weight, parse, to_array
from gradcli.files.text import MARK
from gradcli.source import Source, Span

_PIECE = 1 << 20  # bytes that are read at once
_LIGHT = 1 << 16  # bytes of a line whose Python objects need no counting
_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"\s*")
_KINDS = {list: "a list", str: "a string", bool: "true or false", float: "a number"}


class Record:
    """One line that is no empty one.

    Args:
        line: its bytes, complete unless it is longer than the limit.
        number: from 1, as an editor counts.
        data: the stream, for complaints.
    """

    __slots__ = ("_data", "_line", "_number")

    def __init__(self, line: bytes, number: int, data: Data) -> None:
        self._line = line
        self._number = number
        self._data = data

    def members(self) -> dict[str, Any]:
        """The object that the line holds, its values not yet looked at.

        Raises:
            GradcliError: G051 where it is no JSON object, G050 where it is too long.
        """
        if len(self._line) > _LIGHT:
            self._refuse_long()
        text = self._text()
        found = parse(text, self._data, self._number)
        if type(found) is not dict:
            kind = _KINDS.get(type(found), "null")
            fact = f"{kind}, where an object of variables is expected"
            raise self.placed(self._data.malformed(fact, 'write {"x": 3, "y": [1, 2]}'))
        return found

    def value(self, name: str, member: Any) -> Any:
        """A member as a float64 or bool array; true and false alone stay what they are.

        Raises:
            GradcliError: G051 for anything else, with the member's place.
        """
        if type(member) is float and member - member == 0:
            return np.array(member)
        if type(member) is bool:
            return member
        try:
            return to_array(member, name, self._data)
        except GradcliError as error:
            raise error.at(self._span_of(name)) from None

    def placed(self, error: GradcliError, word: str = "") -> GradcliError:
        """The error with the whole record as a place of it, unless one in the record is there."""
        labels = error.diagnostic.labels
        if not any(label.span.source.name == self._data.name for label in labels):
            text = self._text()
            labels.append(Label(Span(self._source(), 0, len(text)), word))
        return error

    def _text(self) -> str:
        try:
            return self._line.decode().rstrip()
        except UnicodeDecodeError as error:
            byte = self._line[error.start]
            shown = Source(self._data.name, self._line.decode(errors="replace").rstrip())
            shown.first = self._number
            start = len(self._line[: error.start].decode(errors="replace"))
            fact = f"byte 0x{byte:02x} is not UTF-8"
            raise self._data.malformed(fact, (), Span(shown, start, start + 1)) from None

    def _source(self) -> Source:
        return Source(self._data.name, self._text(), self._number)

    def _refuse_long(self) -> None:
        if len(self._line) > self._data.limit:
            limit = amount(self._data.limit)
            raise GradcliError(
                "G050",
                f"line {self._number} holds more than the memory limit of {limit}",
                help="raise the limit with --max-memory",
                kind=MemoryError,
            )
        check_weight(self._text(), self._data)

    def _span_of(self, name: str) -> Span:
        """Where the value of a member stands; the last one where a name is repeated."""
        source = self._source()
        text = source.text
        found = Span(source, 0, len(text))
        end = text.index("{") + 1
        while text[_after_blank(text, end) :][:1] not in ("}", ""):
            key, end = _DECODER.raw_decode(text, _after_blank(text, end))
            start = _after_blank(text, text.index(":", end) + 1)
            _, end = _DECODER.raw_decode(text, start)
            if key == name:
                found = Span(source, start, end)
            end = _after_blank(text, end) + 1
        return found


def records(stream: BinaryIO, name: str = "<stdin>", *, limit: int | None = None) -> Iterator[Any]:
    """The lines of a stream that are not empty, as soon as each is there.

    Args:
        stream: buffered; an endless one will do.
        name: what errors call it.
        limit: bytes of memory that a line may take; None for half of the machine's.
    """
    data = Data(name, BytesIO(), 0, budget(limit))
    number = 0
    while line := stream.readline(_PIECE):
        number += 1
        if number == 1:
            line = line.removeprefix(MARK)
        if len(line) == _PIECE:
            line = _long(line, stream, data)
        if line and not line.isspace():
            yield Record(line, number, data)


def _long(line: bytes, stream: BinaryIO, data: Data) -> bytes:
    """The rest of a line as well, but no more of it than shows that it is too long."""
    if b"\0" in line:
        raise data.malformed("is binary, not text")
    pieces, size, last = [line], len(line), line
    while not last.endswith(b"\n") and (last := stream.readline(_PIECE)):
        size += len(last)
        if size <= data.limit + _PIECE:
            pieces.append(last)
    return b"".join(pieces)


def _after_blank(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return position if found is None else found.end()

"""Text to tokens: the grammar's terminals, and what depends on lines, brackets and f-strings.

Constraints: which words and signs there are comes from the tables; reads lazily, in linear time and
without recursion, so that errors come in the order of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gradcli.errors import GradcliError
from gradcli.language import fence, literals, unreadable
from gradcli.language.tables import Tables
from gradcli.source import Source, Span

CLOSING = {"(": ")", "[": "]", "{": "}"}
TAB = 8


class Token:
    """A piece of text: `kind` is its own text for words and signs of the language."""

    __slots__ = ("end", "kind", "start", "text")

    def __init__(self, kind: str, text: str, start: int, end: int) -> None:
        self.kind = kind
        self.text = text
        self.start = start
        self.end = end


class Open:
    """What is open where the lexer stands: a bracket, an f-string, a field of one, or its spec.

    `text` is `(`, `[` or `{`; for `string`, `field` and `spec` the quote of the f-string.
    """

    __slots__ = ("kind", "raw", "start", "text")

    def __init__(self, kind: str, text: str, start: int, raw: bool = False) -> None:
        self.kind = kind
        self.text = text
        self.start = start
        self.raw = raw


class Lexer:
    """The tokens of one source, once.

    With `lines`, line ends and indentation are tokens (a script); without, they are blanks (an
    expression). `open` holds what is open around the token that was given last.
    """

    def __init__(self, source: Source, tables: Tables, *, lines: bool) -> None:
        self.source = source
        self.tables = tables
        self.lines = lines
        self.open: list[Open] = []
        self.indents = [(0, 0)]

    def __iter__(self) -> Iterator[Token]:
        unreadable.check_text(self.source)
        position = 1 if self.source.text.startswith("\ufeff") else 0
        line_start, last_end, fresh = position, position, True
        while True:
            token = self.read(position)
            position = token.end
            if token.kind == "NEWLINE":
                if not self.open and self.lines:
                    if not fresh:
                        yield Token("NEWLINE", token.text, last_end, last_end)
                    fresh, line_start = True, position
                continue
            if token.kind == "END":
                break
            if fresh and self.lines:
                yield from self._indentation(line_start, token.start, last_end)
            fresh, last_end = False, position
            yield token
            self.track(token)
        if not self.open and self.lines:
            if not fresh:
                yield Token("NEWLINE", "", last_end, last_end)
            for _ in self.indents[1:]:
                yield Token("DEDENT", "", last_end, last_end)
        yield Token("END", "", last_end, last_end)

    def read(self, position: int) -> Token:
        """The token at `position` or, after blanks, behind it."""
        around = self.open[-1].kind if self.open else ""
        if around in ("string", "spec"):
            return self._string_part(position)
        found = self.tables.pattern.match(self.source.text, position)
        assert found is not None
        assert found.lastgroup is not None
        kind = found.lastgroup
        start, end = found.span(kind)
        text = found.group(kind)
        if kind == "LITERAL" and around == "field":
            return self._in_field(text, start, end)
        if kind == "LITERAL":
            return Token(text, text, start, end)
        if kind == "NAME":
            return self._word(text, start, end)
        if kind == "UNKNOWN":
            if around == "field" and text == "!":
                return self._conversion(start)
            raise unreadable.character(self.source, start, self.open)
        return Token(kind, text, start, end)

    def _word(self, text: str, start: int, end: int) -> Token:
        if self.source.text[end : end + 1] > "\x7f":
            end = unreadable.end_of_name(self.source.text, start, end)
            text = self.source.text[start:end]
        if text in self.tables.keywords:
            return Token(text, text, start, end)
        if text in fence.WORDS:
            raise fence.refusal(text, Span(self.source, start, end))
        if not text.isascii():
            text = unreadable.normalized(self.source, text, start, self.tables.keywords)
        return Token("NAME", text, start, end)

    def track(self, token: Token) -> None:
        """Opens and closes; the parser has refused a closing bracket that does not fit by now."""
        kind, start = token.kind, token.start
        if kind in CLOSING:
            self.open.append(Open("bracket", kind, start))
        elif kind in (")", "]", "}", "FSTRING_END"):
            del self.open[-1:]
        elif kind == "FSTRING_START":
            quote = token.text.lstrip("fFrR")
            self.open.append(Open("string", quote, start, "r" in token.text.lower()))
        elif kind in ("FIELD_OPEN", "FIELD_COLON"):
            above = self.open[-1]
            name = "field" if kind == "FIELD_OPEN" else "spec"
            self.open.append(Open(name, above.text, start, above.raw))
        elif kind == "FIELD_CLOSE":
            while self.open and self.open.pop().kind != "field":
                pass

    # -- f-strings

    def _in_field(self, text: str, start: int, end: int) -> Token:
        """A sign right inside the braces of a field, where `:`, `=` and `}` belong to the field."""
        if text[0] == ":":
            return Token("FIELD_COLON", ":", start, start + 1)
        if text == "}":
            return Token("FIELD_CLOSE", text, start, end)
        if text == "=":
            while self.source.text[end : end + 1] in (" ", "\t"):
                end += 1
            prefix = self.source.text[self.open[-1].start + 1 : end]
            return Token("FIELD_EQUALS", prefix, start, end)
        return Token(text, text, start, end)

    def _conversion(self, start: int) -> Token:
        word = re.compile(r"\w*").match(self.source.text, start + 1)
        assert word is not None
        if word.group() not in ("r", "s", "a"):
            span = Span(self.source, start, word.end())
            message = "a conversion in an f-string is !r, !s or !a"
            raise GradcliError("G001", message, span, kind=SyntaxError)
        return Token("CONVERSION", word.group(), start, word.end())

    def _string_part(self, position: int) -> Token:
        """The next piece of an f-string's text or of a field's format specification."""
        text, around = self.source.text, self.open[-1]
        spec = around.kind == "spec"
        found = _text_pattern(around.text, around.raw, spec).match(text, position)
        if found is not None and found.end() > position:
            place = Span(self.source, position, found.end())
            value = literals.string_body(found.group(), place, raw=around.raw, braces=not spec)
            return Token("FSTRING_TEXT", value, position, found.end())
        if text.startswith("{", position):
            return Token("FIELD_OPEN", "{", position, position + 1)
        if text.startswith("}", position) and spec:
            return Token("FIELD_CLOSE", "}", position, position + 1)
        if text.startswith(around.text, position) and not spec:
            end = position + len(around.text)
            return Token("FSTRING_END", around.text, position, end)
        raise unreadable.string_part(self.source, position, self.open)

    # -- lines

    def _indentation(self, line_start: int, start: int, last_end: int) -> Iterator[Token]:
        """INDENT and DEDENT before the first token of a line.

        As in Python, an indentation that means different things for tabs of 8 and of 1 is refused.
        """
        leading = re.compile(r"[ \t]*").match(self.source.text, line_start)
        assert leading is not None
        text = leading.group()
        width, narrow = len(text.expandtabs(TAB)), len(text)
        place = Span(self.source, line_start, start)
        level, narrow_level = self.indents[-1]
        if width > level:
            if narrow <= narrow_level:
                raise unreadable.mixed_tabs(place)
            self.indents.append((width, narrow))
            yield Token("INDENT", text, line_start, start)
            return
        while width < self.indents[-1][0]:
            self.indents.pop()
            yield Token("DEDENT", "", last_end, last_end)
        if width != self.indents[-1][0]:
            raise unreadable.dedent(place)
        if narrow != self.indents[-1][1]:
            raise unreadable.mixed_tabs(place)


def _text_pattern(quote: str, raw: bool, spec: bool) -> re.Pattern[str]:
    """What an f-string's text, or a format specification, goes on with."""
    long = len(quote) == 3
    stop = quote[0] + ("" if long else r"\r\n")
    parts = [rf"[^{{}}\\{stop}]"]
    parts += [] if raw else [r"\\N\{[^{}]*\}"]
    parts += [r"\\(?:\r\n|[^{}])", r"\\(?=[{}])"]
    parts += [] if spec else [r"\{\{", r"\}\}"]
    parts += [f"{quote[0]}(?!{quote[0] * 2})"] if long else []
    return re.compile(f"(?:{'|'.join(parts)})*+")

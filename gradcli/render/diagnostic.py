"""A diagnostic as the block that a user sees: header, source with carets, notes and help.

Constraints: the only writer of error blocks; what is invisible in a text (control, bidirectional
and zero-width characters) is escaped, so that no input garbles a terminal; colour only adds style;
the output is bounded by a window around each span, however long the line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from gradcli.errors import Diagnostic, Label
from gradcli.render.markup import STYLES, Paint, painter
from gradcli.source import Source, Span


def render_diagnostic(diagnostic: Diagnostic, *, colour: bool = False) -> str:
    """The block of one diagnostic, without a line end after its last line.

    The first label is the place, marked with `^`; other labels are marked with `-`. Every source
    has its own excerpt. Without labels there are only the header, the notes and the help.
    """
    paint = painter(colour)
    severity = diagnostic.severity if diagnostic.severity in STYLES else "error"
    rows = _header(diagnostic, severity, paint)
    sections = [_Section(labels) for labels in _by_source(diagnostic.labels)]
    gutter = max((len(str(section.last_number())) for section in sections), default=0)
    tail = [
        *_paragraphs("note", diagnostic.notes, paint),
        *_paragraphs("help", diagnostic.help, paint),
    ]
    for index, section in enumerate(sections):
        rows += section.rows(index == 0, gutter, severity, paint)
        if tail or index < len(sections) - 1:
            rows.append(_bar(gutter, paint))
    return "\n".join(rows + tail)


_WINDOW = 100  # columns of a source line that are shown
_CUT = "..."  # stands for what a window leaves out
_TAB = "    "


class _Section:
    """The excerpts of one source, from the top down."""

    __slots__ = ("excerpts", "first")

    def __init__(self, labels: list[Label]) -> None:
        self.first = labels[0]
        self.excerpts: list[_Excerpt] = []
        for label in labels:
            self._place(label)
        self.excerpts.sort(key=lambda excerpt: excerpt.line_start)  # keeps the order in one line

    def _place(self, label: Label) -> None:
        for excerpt in self.excerpts:
            if excerpt.holds(label.span):
                break
        else:
            excerpt = _Excerpt(label.span)
            self.excerpts.append(excerpt)
        excerpt.labels.append(label)

    def last_number(self) -> int:
        return self.excerpts[-1].number

    def rows(self, main: bool, gutter: int, severity: str, paint: Paint) -> list[str]:
        """The arrow line, then each excerpt; `main` is the section of the diagnostic's place."""
        source = self.first.span.source
        line, column = source.position(self.first.span.start)
        arrow = " " * (gutter + 1) + ("-->" if main else ":::")
        rows = [f"{paint(arrow, 'gutter')} {_shown(source.name)}:{line}:{column}"]
        rows.append(_bar(gutter, paint))
        previous = None
        for excerpt in self.excerpts:
            if previous is not None and excerpt.number > previous + 1:
                rows.append(paint(_CUT, "gutter"))
            previous = excerpt.number
            rows.append(_numbered(excerpt, gutter, paint))
            for label in excerpt.labels:
                style = (severity, "^") if main and label is self.first else ("gutter", "-")
                rows += [
                    f"{_bar(gutter, paint)} {indent}{paint(text, style[0])}"
                    for indent, text in excerpt.marks(label, style[1])
                ]
        return rows


class _Excerpt:
    """One line of a source, or a window of it around a span, with the labels that fall into it."""

    __slots__ = ("end", "labels", "line_end", "line_start", "number", "start", "text")

    def __init__(self, span: Span) -> None:
        self.text = span.source.text
        focus = _start(span)
        self.line_start, self.line_end = _line_bounds(self.text, focus)
        self.number = self.text.count("\n", 0, self.line_start) + span.source.first
        focus = min(focus, self.line_end)
        self.start, self.end = _window(self.text, self.line_start, self.line_end, focus)
        self.labels: list[Label] = []

    def holds(self, span: Span) -> bool:
        """Whether the span begins inside what is shown, its end of the line included."""
        start = _start(span)
        if not self.line_start <= start <= self.line_end:
            return False
        return self.start <= start and (start < self.end or self.end == self.line_end)

    def shown(self) -> str:
        """The line as it is displayed."""
        after = _CUT if self.end < self.line_end else ""
        return self._before() + _shown(self.text[self.start : self.end]) + after

    def marks(self, label: Label, mark: str) -> list[tuple[str, str]]:
        """For each row under the line its indentation and its text: the carets, then the words."""
        start = min(_start(label.span), self.line_end)
        stop = max(start, min(label.span.end, self.end))
        indent = len(self._before()) + _width(self.text[self.start : start])
        carets = mark * max(1, _width(self.text[start:stop]))
        first, *others = label.text.split("\n")
        rows = [(" " * indent, f"{carets} {_shown(first)}".rstrip())]
        indent += len(carets) + 1
        return rows + [(" " * indent, _shown(line)) for line in others if line]

    def _before(self) -> str:
        return _CUT if self.start > self.line_start else ""


def _by_source(labels: Iterable[Label]) -> list[list[Label]]:
    """Labels in groups of the same source, the groups and their members in the given order."""
    groups: dict[tuple[str, str, int], list[Label]] = {}
    for label in labels:
        source: Source = label.span.source
        groups.setdefault((source.name, source.text, source.first), []).append(label)
    return list(groups.values())


def _header(diagnostic: Diagnostic, severity: str, paint: Paint) -> list[str]:
    name = _shown(diagnostic.severity) + (f"[{_shown(diagnostic.code)}]" if diagnostic.code else "")
    first, *others = map(_shown, diagnostic.message.split("\n"))
    indent = " " * (len(name) + 2)
    rows = [paint(name, severity) + paint(f": {first}", "strong")]
    return rows + [indent + paint(line, "strong") if line else "" for line in others]


def _paragraphs(word: str, texts: Iterable[str], paint: Paint) -> list[str]:
    rows: list[str] = []
    for text in texts:
        first, *others = map(_shown, text.split("\n"))
        rows.append(f"{paint(word + ':', word)} {first}")
        rows += [f"{' ' * (len(word) + 2)}{line}" if line else "" for line in others]
    return rows


def _bar(gutter: int, paint: Paint) -> str:
    return paint(" " * (gutter + 2) + "|", "gutter")


def _numbered(excerpt: _Excerpt, gutter: int, paint: Paint) -> str:
    line = excerpt.shown().rstrip(" ")
    return paint(f" {excerpt.number:>{gutter}} |", "gutter") + (f" {line}" if line else "")


def _start(span: Span) -> int:
    return max(0, min(span.start, len(span.source.text)))


def _line_bounds(text: str, offset: int) -> tuple[int, int]:
    """Where the line around `offset` begins and ends, its line end (also a `\\r\\n`) left out."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    if end < 0:
        return start, len(text)
    return start, end - (end > start and text[end - 1] == "\r")


def _window(text: str, low: int, high: int, focus: int) -> tuple[int, int]:
    """The part of a line that is shown: up to a third of the columns lie before the focus."""
    lead = _WINDOW // 3
    start, unused = _extend(text, focus, low, lead)
    end, unused = _extend(text, focus, high, _WINDOW - lead + unused)
    start, _ = _extend(text, start, low, unused)
    return start, end


def _extend(text: str, position: int, limit: int, room: int) -> tuple[int, int]:
    """How far towards `limit` the room reaches, and the room that is left.

    A character without width costs a column too: a heap of accents must not escape the window.
    """
    step = 1 if limit > position else -1
    while position != limit:
        cost = max(1, _width(text[min(position, position + step)]))
        if cost > room:
            break
        position += step
        room -= cost
    return position, room


def _shown(text: str) -> str:
    """The text as it is displayed: tabs as four spaces, whatever is invisible as its escape."""
    if text.isprintable():
        return text
    return "".join(map(_shown_character, text))


def _shown_character(character: str) -> str:
    if character == "\t":
        return _TAB
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def _width(text: str) -> int:
    """The columns that the text takes in a terminal once `_shown`."""
    shown = _shown(text)
    return len(shown) if shown.isascii() else sum(map(_character_width, shown))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me") or "\u1160" <= character <= "\u11ff":
        return 0  # an accent, or a vowel or final consonant of a Korean syllable written in parts
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

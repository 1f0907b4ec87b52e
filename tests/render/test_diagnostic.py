"""Error blocks: exact texts, and what holds for every block."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcli.errors import Diagnostic, GradcliError, Label
from gradcli.render.diagnostic import render_diagnostic
from gradcli.source import Source, Span


def place(source: Source, text: str) -> Span:
    start = source.text.index(text)
    return Span(source, start, start + len(text))


def block(*labels: Label, **others) -> str:
    return render_diagnostic(Diagnostic("G001", "fact", labels, **others))


def expected(text: str) -> str:
    """A block written with one level of indentation too many, without its outer line ends."""
    return re.sub("^ {8}", "", text.strip("\n"), flags=re.M).rstrip()


def test_the_contract() -> None:
    source = Source("<expr>", "mean(X @ w)")
    error = GradcliError(
        "G021",
        "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
        place(source, "X @ w"),
        "X is (2, 3), w is (4, 5)",
        help="did you mean X @ w.T?",
    )
    assert render_diagnostic(error.diagnostic) == expected("""
        error[G021]: mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)
          --> <expr>:1:6
           |
         1 | mean(X @ w)
           |      ^^^^^ X is (2, 3), w is (4, 5)
           |
        help: did you mean X @ w.T?
    """)


def test_no_label_and_several_lines() -> None:
    diagnostic = Diagnostic("G053", "first\nsecond", help=["a", "b\nc"], notes=["n"])
    assert render_diagnostic(diagnostic) == expected("""
        error[G053]: first
                     second
        note: n
        help: a
        help: b
              c
    """)
    assert render_diagnostic(Diagnostic("", "fact", severity="warning")) == "warning: fact"
    assert render_diagnostic(Diagnostic("G001", "", severity="note")) == "note[G001]: "


def test_labels_on_other_lines_and_in_other_sources() -> None:
    script = Source("train.py", "w = ones(3)\n" + "\n" * 8 + "y = w + b\nz = y\n")
    binding = Source("<b>", "[1,\n 2]")
    labels = [
        Label(place(script, "w + b"), "shapes differ"),
        Label(Span(script, 24, 25), "here"),
        Label(place(binding, "2"), "given\nhere"),
        Label(place(script, "ones(3)"), "made here"),
        Label(place(script, "z = y")),
    ]
    assert block(*labels, help="h") == expected("""
        error[G001]: fact
           --> train.py:10:5
            |
          1 | w = ones(3)
            |     ------- made here
        ...
         10 | y = w + b
            |     ^^^^^ shapes differ
            |     - here
         11 | z = y
            | -----
            |
           ::: <b>:2:2
            |
          2 |  2]
            |  - given
            |    here
            |
        help: h
    """)


def test_span_over_lines_ends_with_its_first_line() -> None:
    source = Source("s", "f(a,\r\n  b)\n")
    assert block(Label(place(source, "(a,\r\n  b)"), "call")) == expected("""
        error[G001]: fact
          --> s:1:2
           |
         1 | f(a,
           |  ^^^ call
    """)


@pytest.mark.parametrize(
    ("text", "start", "rows"),
    [
        ("", 0, [" 1 |", "   | ^ x"]),
        ("ab", 2, [" 1 | ab", "   |   ^ x"]),
        ("ab", 99, [" 1 | ab", "   |   ^ x"]),
        ("ab", -5, [" 1 | ab", "   | ^ x"]),
        ("ab\n", 2, [" 1 | ab", "   |   ^ x"]),
        ("ab\r\nc", 3, [" 1 | ab", "   |   ^ x"]),
        ("ab\n", 3, [" 2 |", "   | ^ x"]),
        ("a\n\nb", 2, [" 2 |", "   | ^ x"]),
    ],
)
def test_empty_spans(text: str, start: int, rows: list[str]) -> None:
    shown = block(Label(Span(Source("s", text), start, start), "x"))
    assert shown.split("\n")[3:] == rows


@pytest.mark.parametrize(
    ("before", "word", "line", "carets"),
    [
        ("\t", "a\tb", "    a    b;", "    ^^^^^^"),
        ("'漢字' + ", "é", "'漢字' + é;", "         ^"),
        ("", "漢字", "漢字;", "^^^^"),
        ("e\u0301e\u0301", "x", "e\u0301e\u0301x;", "  ^"),
        ("\x1b[31m", "x", "\\x1b[31mx;", "        ^"),
        ("a\u202eb", "x", "a\\u202ebx;", "        ^"),
        ("\u200b", "\xa0x", "\\u200b\\xa0x;", "      ^^^^^"),
        ("\u1112\u1161\u11ab", "x", "\u1112\u1161\u11abx;", "  ^"),
        ("a\rb\u2028", "x", "a\\rb\\u2028x;", "          ^"),
        ("\ud800", "x", "\\ud800x;", "      ^"),
        ("", "\u0301", "\u0301;", "^"),
        ("a\u20dd\uff01", "x", "a\u20dd\uff01x;", "   ^"),
    ],
)
def test_widths(before: str, word: str, line: str, carets: str) -> None:
    source = Source("s", before + word + ";")
    span = Span(source, len(before), len(before) + len(word))
    rows = block(Label(span)).split("\n")
    assert rows[3:] == [" 1 | " + line, "   | " + carets]


def test_hostile_words_are_escaped() -> None:
    source = Source("a\nb\x1b]0;x\x07", "x")
    label = Label(Span(source, 0, 1), "l\x1b[2J")
    diagnostic = Diagnostic("G001", "m\x9b1m\r", [label], help="h\u202e", notes=["\x00"])
    shown = render_diagnostic(diagnostic)
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert shown.split("\n")[1] == "  --> a\\nb\\x1b]0;x\\x07:1:1"


def test_long_line_is_a_window() -> None:
    source = Source("s", "x" * 300 + "@" + "y" * 300)
    labels = [
        Label(Span(source, 300, 301), "op"),
        Label(Span(source, 5, 8), "far"),
        Label(Span(source, 310, 500), "long"),
    ]
    rows = block(*labels).split("\n")[3:]
    assert rows == [
        " 1 | ..." + "x" * 33 + "@" + "y" * 66 + "...",
        "   | " + " " * 36 + "^ op",
        "   | " + " " * 46 + "-" * 57 + " long",
        " 1 | " + "x" * 100 + "...",
        "   |      --- far",
    ]


def test_window_fills_up_at_the_end_of_a_line() -> None:
    source = Source("s", "x" * 200)
    rows = block(Label(Span(source, 200, 200), "end")).split("\n")
    assert rows[3:] == [" 1 | ..." + "x" * 100, "   | " + " " * 103 + "^ end"]
    exact = Source("s", "漢" * 50)
    for start in range(50):
        assert "..." not in block(Label(Span(exact, start, start + 1)))


def test_label_behind_a_window_gets_its_own() -> None:
    source = Source("s", "x" * 300)
    labels = [
        Label(Span(source, 0, 1)),
        Label(Span(source, 99, 100)),
        Label(Span(source, 100, 101)),
    ]
    rows = block(*labels).split("\n")[3:]
    assert [row[:3] for row in rows] == [" 1 ", "   ", "   ", " 1 ", "   "]
    assert rows[-1] == "   | " + " " * 36 + "-"


def test_enormous_line_is_fast_and_short() -> None:
    for text in ("x" * 10**7, "e" + "\u0301" * 10**6, "\x00" * 10**6, "x\n" * 10**6):
        middle = len(text) // 2
        shown = block(Label(Span(Source("s", text), middle, len(text)), "x"))
        assert len(shown) < 1000


SOURCES = st.text(st.characters() | st.sampled_from("ab \t\n漢\u0301\x1b\u202e"), max_size=300)
WORDS = st.text(max_size=20)


@st.composite
def diagnostics(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> Diagnostic:
    sources = [Source(f"<{i}>", draw(texts)) for i in range(draw(st.integers(1, 2)))]
    offsets = st.integers(-3, 310)
    labels = [
        Label(Span(draw(st.sampled_from(sources)), draw(offsets), draw(offsets)), draw(WORDS))
        for _ in range(draw(st.integers(0, 4)))
    ]
    severity = draw(st.sampled_from(["error", "warning", "note"]))
    notes, help_ = (draw(st.lists(WORDS, max_size=2)) for _ in range(2))
    return Diagnostic("G001", draw(WORDS), labels, help=help_, notes=notes, severity=severity)


@given(diagnostics(SOURCES))
@settings(max_examples=200, deadline=None)
def test_colour_only_adds_style(diagnostic: Diagnostic) -> None:
    plain = render_diagnostic(diagnostic)
    coloured = render_diagnostic(diagnostic, colour=True)
    assert re.sub("\x1b\\[[0-9;]*m", "", coloured) == plain
    assert "\x1b[" in coloured
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in plain if c != "\n")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=400), st.data())
@settings(max_examples=200, deadline=None)
def test_carets_are_under_the_span(line: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(line)))
    end = data.draw(st.integers(start, len(line)))
    source = Source("s", f"first\n{line}\nlast")
    rows = block(Label(Span(source, 6 + start, 6 + end))).split("\n")
    shown, carets = rows[3].ljust(len(rows[4])), rows[4]
    assert rows[1] == f"  --> s:2:{start + 1}"
    first, stop = carets.index("^"), carets.rindex("^") + 1
    marked = shown[first:stop].rstrip()
    if line[start:end].strip():
        assert marked == line[start:end][: stop - first].rstrip()
        assert stop - first == end - start or shown.rstrip().endswith("...")
    else:
        assert marked.strip() == line[start : start + stop - first].strip()
    assert len(shown) <= 5 + 106 + 1


def test_imports_nothing_heavy() -> None:
    code = (
        "import sys, gradcli.render.diagnostic as d;"
        "print([m for m in ('rich', 'numpy', 'click', 'typing', 're') if m in sys.modules])"
    )
    command = [sys.executable, "-S", "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"

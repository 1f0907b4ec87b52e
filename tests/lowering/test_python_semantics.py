"""Programs that need no tensor mean the same as under CPython, failures included.

`programs.txt` holds them: a line `=== name`, then the program.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

TEXT = Path(__file__).with_name("programs.txt").read_text(encoding="utf-8")
PARTS = re.split(r"^=== (.*)$", TEXT, flags=re.MULTILINE)
PROGRAMS = dict(zip(PARTS[1::2], PARTS[2::2], strict=True))


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_means_what_it_means_in_python(name, gradcli_output, python_output):
    assert gradcli_output(PROGRAMS[name]) == python_output(PROGRAMS[name])


NUMBERS = st.one_of(
    st.integers(-9, 9).map(str),
    st.sampled_from(["0.5", "1.5e3", "True", "i", "x", "y"]),
)
BINARY = st.sampled_from(["+", "-", "*", "/", "//", "%", "<", "==", ">=", "and", "or", "&", "<<"])


def combined(inner):
    return st.one_of(
        st.tuples(inner, BINARY, inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-({text})"),
        inner.map(lambda text: f"(not {text})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        inner.map(lambda text: f"abs({text})"),
        inner.map(lambda text: f"f({text})"),
        inner.map(lambda text: f"sum([{text} for i in range(3)])"),
    )


EXPRESSIONS = st.recursive(NUMBERS, combined, max_leaves=8)
ASSIGNMENTS = st.tuples(
    st.sampled_from("xy"), st.sampled_from(["=", "+=", "-=", "*="]), EXPRESSIONS
)
SIMPLE = st.one_of(
    ASSIGNMENTS.map(" ".join),
    EXPRESSIONS.map(lambda text: f"print({text})"),
    EXPRESSIONS.map(lambda text: f"l.append({text})"),
    st.sampled_from(["break", "continue", "l = l[1:]", "x, y = y, x", "x, *l = [y, x, i]"]),
)


def indented(lines):
    return [f"    {line}" for statement in lines for line in statement.split("\n")]


def nested(inner):
    block = st.lists(inner, min_size=1, max_size=3).map(indented).map("\n".join)
    return st.one_of(
        st.tuples(EXPRESSIONS, block, block).map(lambda t: f"if {t[0]}:\n{t[1]}\nelse:\n{t[2]}"),
        st.tuples(block, block).map(lambda t: f"for i in range(3):\n{t[0]}\nelse:\n{t[1]}"),
        st.tuples(block, block).map(
            lambda t: f"try:\n{t[0]}\nexcept TypeError as e:\n{t[1]}\nfinally:\n    print('f')"
        ),
    )


@settings(max_examples=150, deadline=None)
@given(body=st.lists(st.recursive(SIMPLE, nested, max_leaves=6), min_size=1, max_size=6))
def test_random_program_means_what_it_means_in_python(body, gradcli_output, python_output):
    lines = [*indented(body), "    print(x, y, l)"]
    program = "\n".join(
        [
            *("x, y, l = 1, 2.5, []", "def f(v):", "    return v if v else x"),
            *("for i in range(2):", *lines),
        ]
    )
    assert gradcli_output(program) == python_output(program)

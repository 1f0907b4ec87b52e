"""Any tree prints to a text that means it; any text parses as Python reads it, or is refused."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from python_oracle import python_tree
from trees import expressions, scripts

from gradcli.errors import GradcliError
from gradcli.language import ast, tables
from gradcli.language.parser import parse_expression, parse_script
from gradcli.language.print import unparse
from gradcli.source import Source

QUICK = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@QUICK
@given(expressions())
def test_printed_expressions_parse_to_the_same_tree(tree: ast.Expression) -> None:
    printed = unparse(tree)
    assert parse_expression(Source("", printed)) == tree
    assert unparse(parse_expression(Source("", printed))) == printed


@settings(QUICK, max_examples=100)
@given(scripts())
def test_printed_scripts_parse_to_the_same_tree(tree: ast.Script) -> None:
    assert parse_script(Source("", unparse(tree))) == tree


LOADED = tables.load()
WORDS = sorted(LOADED.keywords) + sorted(
    {o for _, _, operators in LOADED.levels for o in operators}
    | {"=", "+=", ",", ";", ":", "...", "->"}
)
PIECES = [
    *[
        "x",
        "y",
        "f",
        "1",
        "2.5",
        "2j",
        "'s'",
        "f'a{x!r:>{y}}'",
        "f'{",
        "}'",
        "'",
        '"',
        "0x1",
        "(x)",
        "{}",
    ],
    *[
        "\n",
        "\n    ",
        "\n",
        "\\\n",
        "# c\n",
        "\t",
        " ",
        "[i for i in x]",
        "f(x, y=1)",
        ":=",
        "!",
        "$",
    ],
    *[
        "if x:\n    ",
        "else:\n    ",
        "for i in x: ",
        "def f(x, *, y=1):\n    ",
        "try: x\n",
        "except E: y\n",
    ],
    *[
        "match",
        "async",
        "print",
        "²",
        "×",
        "\x00",
        "lambda x: ",
        "import torch",
        "b'a'",
        "x = ",
        "x, *y",
    ],
]
soup = st.lists(st.sampled_from(WORDS + PIECES), max_size=12).flatmap(
    lambda pieces: st.sampled_from(["", " "]).map(lambda gap: gap.join(pieces))
)


def check(text: str) -> None:
    for parse in (parse_expression, parse_script):
        try:
            tree = parse(Source("<text>", text))
        except GradcliError as error:
            diagnostic = error.diagnostic
            assert diagnostic.code in ("G001", "G002", "G003", "G062")
            assert 0 <= diagnostic.labels[0].span.start <= len(text)
            internal = ("__", "FSTRING", "FIELD", "NEWLINE", "INDENT", "DEDENT")
            assert not any(word in diagnostic.message and word not in text for word in internal)
        else:
            assert parse(Source("<printed>", unparse(tree))) == tree


@QUICK
@given(soup)
def test_any_mixture_of_words_parses_or_is_refused(text: str) -> None:
    check(text)


@QUICK
@given(st.text(max_size=30))
def test_any_text_parses_or_is_refused(text: str) -> None:
    check(text)


@QUICK
@given(soup)
def test_what_parses_means_what_python_says(text: str) -> None:
    try:
        tree = parse_script(Source("<text>", text))
    except GradcliError:
        return
    if (
        "f'" in text or "\\\n" in text
    ):  # Python 3.11 reads less inside f-strings and after the last `\`
        return
    assert tree == python_tree(text)


@QUICK
@given(expressions())
def test_printed_trees_mean_the_same_to_python(tree: ast.Expression) -> None:
    printed = unparse(tree)
    if 'f"' in printed or any(not c.isascii() for c in printed):
        return
    assert python_tree(f"({printed}\n)", "eval") == tree


def test_the_check_would_notice_a_wrong_tree() -> None:
    with pytest.raises(AssertionError):
        assert parse_expression(Source("", "a - b")) == python_tree("a + b", "eval")

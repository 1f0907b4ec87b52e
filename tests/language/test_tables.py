"""The grammar, its committed tables, its builders and the syntax tree agree with each other."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gradcli.language import ast, tables
from gradcli.language.parser import BUILDERS
from gradcli.language.print_expressions import EXPRESSIONS
from gradcli.language.print_statements import STATEMENTS

ROOT = Path(__file__).parents[2]
GRAMMAR = (ROOT / "grammar" / "gradcli.lark").read_text("utf-8")


def node_classes() -> set[type[ast.Node]]:
    found, pending = set(), [ast.Node]
    while pending:
        subclasses = pending.pop().__subclasses__()
        found |= set(subclasses)
        pending += subclasses
    return found - {ast.Expression, ast.Statement}


def test_the_committed_tables_are_what_the_grammar_generates() -> None:
    pytest.importorskip("lark")
    from gradcli.language.generate import generate

    committed = (ROOT / "gradcli" / "language" / "tables.txt").read_text("utf-8")
    assert committed == generate(GRAMMAR), "run: python -m gradcli.language.generate"


def test_a_conflict_in_the_grammar_is_an_error() -> None:
    lark = pytest.importorskip("lark")
    from gradcli.language.generate import generate

    ambiguous = GRAMMAR.replace("?power: postfix\n", "?power: postfix | atom\n")
    assert ambiguous != GRAMMAR
    with pytest.raises(lark.exceptions.GrammarError):
        generate(ambiguous)


def test_each_rule_has_one_builder_and_each_builder_a_rule() -> None:
    loaded = tables.load()
    named = {loaded.rules[i].builder for i in range(len(loaded.rules.lines))} - {"=", "-"}
    assert named == set(BUILDERS)


def test_each_kind_of_node_has_one_printer() -> None:
    assert set(EXPRESSIONS) | set(STATEMENTS) == node_classes()
    assert not set(EXPRESSIONS) & set(STATEMENTS)


def test_the_words_of_the_language_stand_in_the_grammar_only() -> None:
    quoted = set(re.findall(r'"([a-zA-Z]+)"', GRAMMAR))
    assert tables.load().keywords == quoted


def test_every_state_and_rule_can_be_decoded() -> None:
    loaded = tables.load()
    states = [loaded.rows[i] for i in range(len(loaded.rows.lines))]
    rules = [loaded.rules[i] for i in range(len(loaded.rules.lines))]
    for row in states:
        assert all(-len(rules) <= action < len(states) for action in row.values())
        assert 0 not in row.values()


def test_the_ladder_goes_from_weak_to_strong() -> None:
    rules = list(dict.fromkeys(rule for rule, _, _ in tables.load().levels))
    ladder = "expression disjunction conjunction inversion comparison bitor bitxor bitand shift"
    assert rules == [*ladder.split(), "sum", "product", "sign", "power", "postfix", "atom"]


def test_parsing_imports_neither_lark_nor_anything_heavy() -> None:
    program = (
        "import sys; from gradcli.source import Source; from gradcli.language import parser;"
        "parser.parse_expression(Source('', 'mean(3*(x+2)**2)'));"
        "print(sorted({'lark', 'numpy', 'json', 'inspect', 'unicodedata'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT
    )
    assert found.stdout == "[]\n", found.stderr

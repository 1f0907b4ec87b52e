"""Text to syntax tree: the loop that drives the grammar's tables, and the two ways in.

Constraints: LALR(1) with a stack of its own, so no nesting of the text can exhaust Python's; the
builders run while it parses, so there is no parse tree; raises only GradcliError (G001, G002, G003,
G062).
"""

from __future__ import annotations

from typing import Any

from gradcli.language import ast, fence, syntax_errors, tables
from gradcli.language.expressions import EXPRESSIONS
from gradcli.language.lexer import Lexer, Token
from gradcli.language.make import Builder
from gradcli.language.statements import STATEMENTS
from gradcli.source import Source, Span

BUILDERS: dict[str, Builder] = {**EXPRESSIONS, **STATEMENTS}
"""The builder of each rule, or alias of a rule, in grammar/gradcli.lark."""


def parse_script(source: Source) -> ast.Script:
    """The script that `source` is; nothing in it is outside the language."""
    script: ast.Script = _Parser(source, "script").run()
    fence.check(script)
    return script


def parse_expression(source: Source) -> ast.Expression:
    """The one expression that `source` is; line ends in it are blanks."""
    expression: ast.Expression = _Parser(source, "formula").run()
    fence.check(expression)
    return expression


class _Parser:
    """One parse: parallel stacks of states, of values, and of where each value starts and ends."""

    def __init__(self, source: Source, start: str) -> None:
        self.source = source
        self.start = start
        self.tables = tables.load()
        first, self.last = self.tables.starts[start]
        self.lexer = Lexer(source, self.tables, lines=start == "script")
        self.states = [first]
        self.values: list[Any] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def run(self) -> Any:
        """What the start rule's builder made of the whole text."""
        rows, rules, states = self.tables.rows, self.tables.rules, self.states
        before = Token("", "", 0, 0)
        for token in self.lexer:
            kind = token.kind
            while (action := rows[states[-1]].get(kind, 0)) < 0:
                rule = rules[~action]
                if rule.unit:
                    states[-1] = rows[states[-2]][rule.origin]
                    continue
                self._reduce(rule, token, before)
                if kind == "END" and states[-1] == self.last:
                    return self.values[-1]
            if action == 0:
                raise syntax_errors.explain(self.lexer, self.start, states, before, token)
            states.append(action)
            self.values.append(token)
            self.starts.append(token.start)
            self.ends.append(token.end)
            before = token
        raise AssertionError("the end of the text is a token")

    def _reduce(self, rule: tables.Rule, token: Token, before: Token) -> None:
        """Replaces the symbols of a rule by what its builder makes of them."""
        states, values, starts, ends = self.states, self.values, self.starts, self.ends
        size = rule.size
        if size == 0:
            span = Span(self.source, token.start, before.end)
            values.append(self._built(rule, span, []))
            starts.append(token.start)
            ends.append(before.end)
        else:
            span = Span(self.source, starts[-size], ends[-1])
            values[-size:] = [self._built(rule, span, values[-size:])]
            del states[-size:], starts[len(starts) - size + 1 :]
            ends[-size:] = ends[-1:]
        states.append(self.tables.rows[states[-1]][rule.origin])

    def _built(self, rule: tables.Rule, span: Span, symbols: list[Any]) -> Any:
        children: list[Any] = []
        for index, spread in rule.children:
            if index < 0:
                children.append(None)
            elif not spread:
                children.append(symbols[index])
            elif children:
                children += symbols[index]
            else:  # a list that grows by one each time is not copied each time
                children = symbols[index]
        if rule.builder == "-":
            return children
        if rule.builder == "=":
            return children[0]
        return BUILDERS[rule.builder](span, *children)

"""A failed parse: where it stands, what it found, and everything that would have fitted.

Constraints: asks the tables; judges nothing (syntax_errors.py does).
"""

from __future__ import annotations

from gradcli.language.lexer import Lexer, Open, Token
from gradcli.source import Span

WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a string",
    "FSTRING_START": "a string",
    "NEWLINE": "the end of the line",
    "END": "the end of the text",
    "INDENT": "an indented block",
    "DEDENT": "the end of the block",
    "FIELD_CLOSE": "'}'",
    "FIELD_COLON": "':'",
    "FIELD_EQUALS": "'='",
    "CONVERSION": "a conversion",
}
"""The kinds of tokens that are not called by their own text, in words."""


class Failure:
    """A failed parse: the token before, the token found, and all that would have fitted."""

    def __init__(
        self, lexer: Lexer, start: str, states: list[int], before: Token, found: Token
    ) -> None:
        self.lexer = lexer
        self.source = lexer.source
        self.text = lexer.source.text
        self.start = start
        self.before = before
        self.found = found
        self.fits = _fitting(lexer, states)
        self.top: Open | None = lexer.open[-1] if lexer.open else None

    @property
    def span(self) -> Span:
        """Where the token was found."""
        return Span(self.source, self.found.start, self.found.end)

    @property
    def touching(self) -> bool:
        """Whether nothing stands between the token before and the one found."""
        return self.before.end == self.found.start

    def statements(self) -> frozenset[str]:
        """The words that begin a statement, and no expression."""
        tables = self.lexer.tables
        script, formula = (tables.rows[tables.starts[name][0]] for name in ("script", "formula"))
        return tables.keywords & (script.keys() - formula.keys())

    def operand_expected(self) -> bool:
        """Whether an expression would have fitted."""
        return {"NAME", "NUMBER"} <= self.fits

    def begins_operand(self) -> bool:
        """Whether the token found is an operand by itself."""
        return self.found.kind in ("NAME", "NUMBER", "STRING", "FSTRING_START")


def _fitting(lexer: Lexer, states: list[int]) -> set[str]:
    """The terminals that the parser could take next, by trying each on a copy of the states."""
    rows, rules = lexer.tables.rows, lexer.tables.rules
    symbols = {line.split(" ", 1)[0] for line in rules.lines}
    fits = set()
    for kind in rows[states[-1]].keys() - symbols:
        stack = states[-1:]
        rest = len(states) - 1
        while (action := rows[stack[-1]].get(kind, 0)) < 0:
            rule = rules[~action]
            missing = max(0, rule.size - len(stack) + 1)
            stack[:0] = states[rest - missing : rest]
            rest -= missing
            del stack[len(stack) - rule.size :]
            stack.append(rows[stack[-1]][rule.origin])
        if action > 0:
            fits.add(kind)
    return fits


def describe(token: Token) -> str:
    """A token in words."""
    if token.kind in ("NAME", "NUMBER") or token.kind not in WORDS:
        return f"'{token.text if len(token.text) < 30 else token.text[:27] + '...'}'"
    return WORDS[token.kind]

"""Products in mathematical notation: factors side by side, element by element, over each other.

Constraints: a product without a sign binds tighter than one element by element; a vector on the
left of a matrix is a row.
"""

from __future__ import annotations

from typing import Any

from gradcli.language import ast
from gradcli.render.functions import ATOM, EACH, PRODUCT, SIGN, SUM, Piece
from gradcli.render.tree import Tree


def product(n: Any, tree: ast.Chain) -> Piece:
    """A chain of `*`, `@` and `/`, as the `Notation` n writes it."""
    first = tree.first
    negative = isinstance(first, ast.Unary) and first.operator == "-"
    if negative:
        first = first.operand  # type: ignore[attr-defined]
    above = [("*", first), *((sign, x) for sign, x in tree.rest if sign != "/")]
    below = [("*", x) for sign, x in tree.rest if sign == "/"]
    if below:
        text, level = n.m.fraction(_over(n, above), _over(n, below)), SIGN
    else:
        text, level = _side_by_side(n, above)
    return (n.m.row(n.m.sign("minus"), text), SUM) if negative else (text, level)


def _over(n: Any, factors: list[tuple[str, Tree]]) -> str:
    """What stands on one side of a fraction, whose line is its brackets."""
    return n(factors[0][1]) if len(factors) == 1 else _side_by_side(n, factors)[0]


def _side_by_side(n: Any, factors: list[tuple[str, Tree]]) -> Piece:
    row = _Factors(n)
    for (sign, x), (following, other) in zip(factors, [*factors[1:], ("@", None)], strict=True):
        row.add(sign, x, n.rank(other) if following == "*" and not row.parts else 0)
    return n.m.row(*row.parts), row.level


class _Factors:
    """Factors that stand side by side.

    Attributes:
        parts: their texts and signs.
        level: how tightly they bind.
        rank: how many dims the product has.
        numbers: how many of the parts, from the left, are numbers.
    """

    def __init__(self, notation: Any) -> None:
        self.n = notation
        self.parts: list[str] = []
        self.level = PRODUCT
        self.rank = 0
        self.numbers = 0
        self._last: Tree | None = None
        self._row = False
        """Whether they begin with a vector that was turned into a row."""

    def add(self, sign: str, tree: Tree, beside: int) -> None:
        """One more, after a sign; `beside` is the rank of what follows a first one."""
        own = self.n.rank(tree)
        self._row = self._row and sign == "@"
        if sign == "@":
            self._group()
        each = sign == "*" and self.rank > 0 and own > 0
        least = SIGN if self.parts else PRODUCT
        if self.parts:
            digits = isinstance(tree.base if isinstance(tree, ast.Power) else tree, ast.Constant)
            self.parts.append(self.n.m.sign("each" if each else "dot" if digits else "beside"))
        if self.rank == 0:
            self.numbers = len(self.parts)
        self.parts.append(self.n.spread(tree, least, max(self.rank, beside) if sign == "*" else 0))
        if each:
            self.level = EACH
        inner = sign == "@" and self.rank > 0 and own > 0
        self.rank = self.rank + own - 2 if inner else max(self.rank, own)
        self._last = tree

    def _group(self) -> None:
        """What is multiplied by a matrix: in brackets if need be, and a vector as a row."""
        vector = self.rank == 1 and not self._row
        single = len(self.parts) == self.numbers + 1
        if not vector and self.level != EACH:
            return
        if single:
            text = self.n.at(self._last, ATOM)
        else:
            text = self.n.m.fenced(self.n.m.row(*self.parts[self.numbers :]))
        if vector:
            text = self.n.m.power(text, self.n.m.sign("transpose"))
            self._row = True
        self.parts[self.numbers :] = [text]
        self.level = PRODUCT

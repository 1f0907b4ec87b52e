"""Formulas in mathematical notation: one walk over the tree for every markup language.

Constraints: a `Markup` says how its language writes a fraction or a power; what is written is
decided here, in one table of functions. Numbers multiply by standing side by side, tensors element
by element with a sign of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcli.language import ast
from gradcli.language.print import unparse
from gradcli.render.functions import (
    ATOM,
    BOTH,
    COMPARED,
    EACH,
    EITHER,
    FUNCTIONS,
    POWER,
    PRODUCT,
    SIGN,
    SUM,
    Piece,
    called,
    split,
)
from gradcli.render.juxtaposition import product
from gradcli.render.markups import Markup
from gradcli.render.ranks import rank
from gradcli.render.tree import Tree

NAMED = frozenset(("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "det"))
"""Functions whose names are set upright by every markup."""
SQUARED = NAMED - {"exp", "det"}
"""Functions whose powers are written at their names: `sin^2 x`."""
MODULES = frozenset(("math", "linalg", "F"))
SHAPED = frozenset(("expand", "expand_as", "reshape", "reshape_as", "flatten"))
"""Methods whose arguments only say a shape."""
JOINED = {
    "<=": "le",
    ">=": "ge",
    "<": "lt",
    ">": "gt",
    "==": "eq",
    "!=": "ne",
    "&": "and",
    "|": "or",
    "%": "mod",
}

LEVELS = {"&": (BOTH, COMPARED), "|": (EITHER, BOTH), "%": (EACH, PRODUCT)}
"""How tightly what these join binds, and what is joined has to."""


class Notation:
    """Writes trees with a markup.

    Args:
        markup: the language.
        ranks: how many dimensions each variable has.
        sizes: variable -> the names of its sizes.
    """

    def __init__(
        self, markup: Markup, ranks: Mapping[str, int], sizes: Mapping[str, list[str]]
    ) -> None:
        self.m = markup
        self.ranks = dict(ranks)
        self.sizes = sizes

    def __call__(self, tree: Tree) -> str:
        """The notation of a formula."""
        return self._piece(tree)[0]

    def _piece(self, tree: Tree) -> Piece:
        rule = _RULES.get(type(tree))
        return rule(self, tree) if rule is not None else (self.m.text(unparse(tree)), ATOM)

    def define(self, name: str, tree: Tree) -> str:
        """The notation of what a name means, which has the rank of its meaning from now on."""
        self.ranks[name] = self.rank(tree)
        return self(tree)

    def at(self, tree: Tree, least: int) -> str:
        """The notation of a part, in brackets where it binds less than `least`."""
        text, own = self._piece(tree)
        return self.m.fenced(text) if own < least else text

    def rank(self, tree: Tree) -> int:
        """The number of dimensions of a part."""
        return rank(tree, self.ranks)

    def spread(self, tree: Tree, least: int, rank: int) -> str:
        """As `at`; a vector beside a matrix, which has it in every row, is `1 v^T`."""
        if rank == 2 and self.rank(tree) == 1:
            return self.m.row(*self.rows_of(tree))
        return self.at(tree, least)

    def rows_of(self, vector: Tree) -> tuple[str, ...]:
        """A matrix with a vector in every row."""
        row = self.m.power(self.at(vector, ATOM), self.m.sign("transpose"))
        return self.m.sign("ones"), self.m.sign("beside"), row

    # -- pieces

    def constant(self, tree: ast.Constant) -> Piece:
        """A number, or anything else as text."""
        value = tree.value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            text = f"{value:.12g}"
            return self.m.number(text), ATOM
        return self.m.text(str(value)), ATOM

    def variable(self, tree: ast.Name) -> Piece:
        """A variable."""
        return self.m.name(tree.id), ATOM

    def unary(self, tree: ast.Unary) -> Piece:
        """A sign before something."""
        name = {"-": "minus", "~": "not", "not": "not", "+": "plus"}[tree.operator]
        inner = self.at(tree.operand, EACH)
        return self.m.row(self.m.sign(name), inner), SIGN if name == "not" else SUM

    def power(self, tree: ast.Power) -> Piece:
        """A power; of tensors element by element."""
        exponent = self(tree.exponent)
        if self.rank(tree.base) > 0:
            exponent = self.m.row(self.m.sign("times_each"), exponent)
        name = called(tree.base)
        whole = isinstance(tree.exponent, ast.Constant) and isinstance(tree.exponent.value, int)
        if isinstance(tree.base, ast.Call) and name in SQUARED and whole:
            made = self.m.power(self.m.function(name, known=True), exponent)
            return self.m.row(made, self.arguments(tree.base)), POWER
        return self.m.power(self.at(tree.base, ATOM), exponent), POWER

    def compare(self, tree: ast.Compare) -> Piece:
        """A comparison."""
        parts = [self.at(tree.first, SUM)]
        for sign, x in tree.rest:
            parts += [self.m.sign(JOINED[sign]), self.at(x, SUM)]
        return self.m.row(*parts), COMPARED

    def chain(self, tree: ast.Chain) -> Piece:
        """A sum, a product with quotients, or conditions joined."""
        signs = {sign for sign, _ in tree.rest}
        if signs <= {"+", "-"}:
            whole = self.rank(tree)
            parts = [self.spread(tree.first, SUM, whole)]
            for sign, x in tree.rest:
                parts.append(self.m.sign("plus" if sign == "+" else "minus"))
                parts.append(self.spread(x, EACH, whole))
            return self.m.row(*parts), SUM
        if signs <= {"*", "@", "/"}:
            return product(self, tree)
        if signs == {"//"} and len(tree.rest) == 1:
            return self.m.fenced(
                self.m.fraction(self(tree.first), self(tree.rest[0][1])), "floor", "floor"
            ), ATOM
        level, least = LEVELS[tree.rest[0][0]]
        parts = [self.at(tree.first, least)]
        for sign, x in tree.rest:
            parts += [self.m.sign(JOINED[sign]), self.at(x, least)]
        return self.m.row(*parts), level

    def attribute(self, tree: ast.Attribute) -> Piece:
        """A transpose, or a constant such as pi."""
        if tree.name in ("T", "mT"):
            if called(tree.value) == "inv":
                inner = self.at(tree.value.arguments[0], ATOM)  # type: ignore[attr-defined]
                mark = self.m.row(self.m.sign("minus"), self.m.sign("transpose"))
                return self.m.power(inner, mark), POWER
            return self.m.power(self.at(tree.value, ATOM), self.m.sign("transpose")), POWER
        if tree.name == "pi":
            return self.m.name("pi"), ATOM
        return self.m.text(unparse(tree)), ATOM

    def item(self, tree: ast.Subscript) -> Piece:
        """A size, a column, or elements."""
        owner = tree.value
        if isinstance(owner, ast.Attribute) and owner.name == "shape":
            place = getattr(tree.index, "value", 0)
            names = self.sizes.get(getattr(owner.value, "id", ""), [])
            if isinstance(place, int) and place < len(names):
                return self.size(names[place]), ATOM
        if unparse(tree.index) == ":, None":
            turned = self.m.power(self.m.sign("ones"), self.m.sign("transpose"))
            return self.m.row(self.at(owner, SIGN), self.m.sign("beside"), turned), PRODUCT
        if all(getattr(part, "value", 0) is None for part in _parts(tree.index)):
            return self._piece(owner)
        unit = called(owner) == "eye" and not isinstance(tree.index, ast.Slice)
        base = self.m.name("e") if unit else self.at(owner, ATOM)
        return self.m.index(base, self._places(tree.index)), ATOM

    def _places(self, tree: Tree) -> str:
        """An index: numbers and formulas as they are, slices as text."""
        shown: list[str] = []
        for part in _parts(tree):
            plain = isinstance(part, ast.Slice) or getattr(part, "value", 0) is None
            made = self.m.text(unparse(part)) if plain else self(part)
            shown += [self.m.sign("comma"), made] if shown else [made]
        return self.m.row(*shown)

    def size(self, name: str) -> str:
        """A size: a number or its name."""
        return self.m.number(name) if name.isdigit() else self.m.name(name)

    def call(self, tree: ast.Call) -> Piece:
        """A function."""
        function = tree.function
        if isinstance(function, ast.Attribute):
            if isinstance(function.value, ast.Name) and function.value.id in MODULES:
                return self._named(function.name, tree)
            return self._method(function, tree)
        assert isinstance(function, ast.Name)
        return self._named(function.id, tree)

    def _named(self, name: str, tree: ast.Call) -> Piece:
        rule = FUNCTIONS.get(name)
        if rule is not None:
            made: Piece | None = rule(self, tree)
            if made is not None:
                return made
        if name == "sigmoid":
            named = self.m.name("sigma")
        else:
            shown = {"sgn": "sign"}.get(name, name)
            named = self.along(self.m.function(shown, known=shown in NAMED), tree)
        return self.m.row(named, self.arguments(tree)), ATOM

    def along(self, text: str, tree: ast.Call) -> str:
        """With the dim of a call on a matrix as an index."""
        dims = split(tree).dims
        if not dims or self.rank(tree.arguments[0]) < 2:
            return text
        return self.m.index(text, self.m.text(f"dim {unparse(dims[0])}"))

    def arguments(self, tree: ast.Call) -> str:
        """What a function is called with, dims left out."""
        given = split(tree)
        return self._listed([*map(self, given.operands), *map(self._keyword, given.options)])

    def _listed(self, parts: list[str], left: str = "(", right: str = ")") -> str:
        shown: list[str] = []
        for x in parts:
            shown += [self.m.sign("comma"), x] if shown else [x]
        return self.m.fenced(self.m.row(*shown), left, right)

    def sequence(self, tree: ast.List | ast.Tuple) -> Piece:
        """A list, or a tuple."""
        brackets = ("[", "]") if isinstance(tree, ast.List) else ("(", ")")
        return self._listed([self(x) for x in tree.items], *brackets), ATOM

    def _method(self, function: ast.Attribute, tree: ast.Call) -> Piece:
        inner = function.value
        if function.name in ("expand_as", "expand") and self.rank(inner) < 3:
            turned = self.m.power(self.m.sign("ones"), self.m.sign("transpose"))
            beside = self.m.sign("beside")
            if unparse(inner).endswith("[:, None]"):
                return self._piece(inner)  # a column times a row of ones already
            if isinstance(inner, ast.Subscript):
                return self.m.row(self.at(inner, PRODUCT), beside, turned), PRODUCT
            if self.rank(inner) == 1:
                return self.m.row(*self.rows_of(inner)), PRODUCT
        named = self.m.function(function.name, known=False)
        more = [] if function.name in SHAPED else tree.arguments
        return self.m.row(named, self._listed([self(x) for x in (inner, *more)])), ATOM

    def _keyword(self, keyword: ast.Keyword) -> str:
        """An argument under its name."""
        return self.m.row(self.m.text(str(keyword.name)), self.m.sign("eq"), self(keyword.value))


def _parts(index: Tree) -> list[Tree]:
    """What an index says of each dim."""
    return list(index.items) if isinstance(index, ast.Tuple) else [index]


_RULES: dict[type[ast.Node], Any] = {
    **{ast.Constant: Notation.constant, ast.Name: Notation.variable, ast.Unary: Notation.unary},
    **{ast.Power: Notation.power, ast.Compare: Notation.compare, ast.Chain: Notation.chain},
    **{ast.Attribute: Notation.attribute, ast.Subscript: Notation.item, ast.Call: Notation.call},
    **{ast.List: Notation.sequence, ast.Tuple: Notation.sequence},
}

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
    FUNCTIONS,
    POWER,
    PRODUCT,
    SIGN,
    SUM,
    WINDOWED,
    Piece,
    called,
    operands,
)
from gradcli.render.markups import Markup
from gradcli.render.ranks import rank
from gradcli.render.tree import Tree

NAMED = frozenset(("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "det"))
"""Functions whose names are set upright by every markup."""
MODULES = frozenset(("math", "linalg", "F"))
SHAPED = frozenset(("expand", "expand_as", "reshape", "reshape_as", "flatten"))
"""Methods whose arguments only say a shape."""
ARROWS = {
    "<=": "le",
    ">=": "ge",
    "<": "lt",
    ">": "gt",
    "==": "eq",
    "!=": "ne",
    "&": "and",
    "|": "or",
}


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
        names = {"-": "minus", "~": "not", "not": "not", "+": "plus"}
        inner = self.at(tree.operand, PRODUCT)
        return self.m.row(self.m.sign(names[tree.operator]), inner), SIGN

    def power(self, tree: ast.Power) -> Piece:
        """A power; of tensors element by element."""
        base = self.at(tree.base, ATOM)
        exponent = self(tree.exponent)
        if self.rank(tree.base) > 0:
            exponent = self.m.row(self.m.sign("times_each"), exponent)
        return self.m.power(base, exponent), POWER

    def compare(self, tree: ast.Compare) -> Piece:
        """A comparison."""
        parts = [self(tree.first)]
        for sign, x in tree.rest:
            parts += [self.m.sign(ARROWS.get(sign, "eq")), self(x)]
        return self.m.row(*parts), SUM

    def chain(self, tree: ast.Chain) -> Piece:
        """A sum, a product with quotients, or conditions joined."""
        signs = {sign for sign, _ in tree.rest}
        if signs <= {"+", "-"}:
            parts = [self.at(tree.first, SUM)]
            for sign, x in tree.rest:
                parts += [self.m.sign("plus" if sign == "+" else "minus"), self.at(x, PRODUCT)]
            return self.m.row(*parts), SUM
        if signs <= {"*", "@", "/"}:
            return self._product(tree)
        parts = [self.at(tree.first, SUM)]
        for sign, x in tree.rest:
            parts += [self.m.sign(ARROWS.get(sign, "eq")), self.at(x, SUM)]
        return self.m.row(*parts), SUM

    def _product(self, tree: ast.Chain) -> Piece:
        above: list[tuple[str, Tree]] = [("", tree.first)]
        below: list[Tree] = []
        for sign, x in tree.rest:
            if sign == "/":
                below.append(x)
            else:
                above.append((sign, x))
        negative = isinstance(tree.first, ast.Unary) and tree.first.operator == "-"
        if negative:
            above[0] = ("", tree.first.operand)  # type: ignore[attr-defined]
        top = self._side_by_side(above, alone=bool(below))
        if below:
            bottom = self._side_by_side([("*", x) for x in below], alone=True)
            top = self.m.fraction(top, bottom)
        if negative:
            return self.m.row(self.m.sign("minus"), top), SIGN
        return top, PRODUCT

    def _side_by_side(self, factors: list[tuple[str, Tree]], *, alone: bool) -> str:
        if len(factors) == 1 and alone:
            return self(factors[0][1])
        parts: list[str] = []
        previous = start = 0
        turned = False
        for place, (sign, x) in enumerate(factors):
            own = self.rank(x)
            turned = turned and sign == "@"
            if sign == "@" and previous == 1 and not turned:  # a vector on the left is a row
                left = self.m.row(*parts[start:])
                single = len(parts) == start + 1
                base = self.at(factors[place - 1][1], ATOM) if single else self.m.fenced(left)
                parts[start:] = [self.m.power(base, self.m.sign("transpose"))]
                turned = True
            if place:
                each = sign == "*" and previous > 0 and own > 0
                digits = isinstance(x, ast.Constant)
                parts.append(self.m.sign("each" if each else "dot" if digits else "beside"))
            start = len(parts) if previous == 0 else start
            parts.append(self.at(x, PRODUCT if place == 0 else SIGN))
            both = previous > 0 and own > 0
            previous = previous + own - 2 if sign == "@" and both else max(previous, own)
        return self.m.row(*parts)

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
        unit = called(owner) == "eye" and not isinstance(tree.index, ast.Slice)
        base = self.m.name("e") if unit else self.at(owner, ATOM)
        return self.m.index(base, self._places(tree.index)), ATOM

    def _places(self, tree: Tree) -> str:
        """An index: numbers and formulas as they are, slices as text."""
        parts = tree.items if isinstance(tree, ast.Tuple) else [tree]
        shown: list[str] = []
        for part in parts:
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
        shown = {"sgn": "sign", "sigmoid": "sigma"}.get(name, name)
        arguments = [self(x) for x in operands(tree)]
        if name.startswith(WINDOWED):
            arguments += [self._keyword(k) for k in tree.keywords]
        if shown == "sigma":
            return self.m.row(self.m.name("sigma"), self._arguments(arguments)), ATOM
        named = self.along(self.m.function(shown, known=shown in NAMED), tree)
        return self.m.row(named, self._arguments(arguments)), ATOM

    def along(self, text: str, tree: ast.Call) -> str:
        """With the dim of a call on a matrix as an index."""
        first, *rest = tree.arguments
        places = [*rest[:1], *(k.value for k in tree.keywords if k.name == "dim")]
        dims = [x for x in places if isinstance(x, ast.Constant)]
        if not dims or self.rank(first) < 2:
            return text
        return self.m.index(text, self.m.text(f"dim {dims[0].value}"))

    def _arguments(self, arguments: list[str]) -> str:
        parts: list[str] = []
        for x in arguments:
            parts += [self.m.sign("comma"), x] if parts else [x]
        return self.m.fenced(self.m.row(*parts))

    def _method(self, function: ast.Attribute, tree: ast.Call) -> Piece:
        inner = function.value
        if function.name in ("expand_as", "expand") and self.rank(inner) < 3:
            ones = self.m.sign("ones")
            turned = self.m.power(ones, self.m.sign("transpose"))
            beside = self.m.sign("beside")
            if unparse(inner).endswith("[:, None]"):
                return self._piece(inner)  # a column times a row of ones already
            if isinstance(inner, ast.Subscript):
                return self.m.row(self.at(inner, PRODUCT), beside, turned), PRODUCT
            if self.rank(inner) == 1:
                row = self.m.power(self.at(inner, ATOM), self.m.sign("transpose"))
                return self.m.row(ones, beside, row), PRODUCT
        named = self.m.function(function.name.replace("_", " "), known=False)
        more = [] if function.name in SHAPED else tree.arguments
        return self.m.row(named, self._arguments([self(x) for x in (inner, *more)])), ATOM

    def _keyword(self, keyword: ast.Keyword) -> str:
        """An argument under its name."""
        return self.m.row(self.m.text(str(keyword.name)), self.m.sign("eq"), self(keyword.value))


_RULES: dict[type[ast.Node], Any] = {
    **{ast.Constant: Notation.constant, ast.Name: Notation.variable, ast.Unary: Notation.unary},
    **{ast.Power: Notation.power, ast.Compare: Notation.compare, ast.Chain: Notation.chain},
    **{ast.Attribute: Notation.attribute, ast.Subscript: Notation.item, ast.Call: Notation.call},
}

"""Pieces of formulas as syntax trees of gradcli's language, so that one printer writes them all.

Constraints: makes trees and looks into them; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gradcli.language import ast
from gradcli.language.make import make
from gradcli.source import Source, Span

NOWHERE = Span(Source("<formula>", ""), 0, 0)
Tree = ast.Expression


def number(value: Any) -> Tree:
    """A number; a whole one without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if value < 0:
        return negative(number(-value))
    return make(ast.Constant, NOWHERE, value)


def real(value: float) -> Tree:
    """A floating-point literal, with its point."""
    return make(ast.Constant, NOWHERE, value)


def constant(value: Any) -> Tree:
    """A literal of any kind."""
    if isinstance(value, (tuple, list)):
        kind = ast.Tuple if isinstance(value, tuple) else ast.List
        return make(kind, NOWHERE, [constant(v) for v in value])
    if isinstance(value, ast.Expression):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    return make(ast.Constant, NOWHERE, value)


def name(text: str) -> Tree:
    """A name, or a dotted one."""
    first, *members = text.split(".")
    made: Tree = make(ast.Name, NOWHERE, first)
    for member in members:
        made = attribute(made, member)
    return made


def attribute(value: Tree, member: str) -> Tree:
    """`value.member`."""
    return make(ast.Attribute, NOWHERE, value, member)


def call(function: str | Tree, *arguments: Any, **keywords: Any) -> Tree:
    """`function(arguments, keywords)`."""
    callee = name(function) if isinstance(function, str) else function
    named = [make(ast.Keyword, NOWHERE, k, constant(v)) for k, v in keywords.items()]
    return make(ast.Call, NOWHERE, callee, [constant(a) for a in arguments], named)


def method(value: Tree, member: str, *arguments: Any) -> Tree:
    """`value.member(arguments)`."""
    return call(attribute(value, member), *arguments)


def item(value: Tree, *indices: Any) -> Tree:
    """`value[indices]`; a `slice` stands for one."""
    parts = [_index(i) for i in indices]
    index = parts[0] if len(parts) == 1 else make(ast.Tuple, NOWHERE, parts)
    return make(ast.Subscript, NOWHERE, value, index)


def _index(value: Any) -> ast.Expression:
    if isinstance(value, slice):
        ends = [None if v is None else constant(v) for v in (value.start, value.stop, value.step)]
        return make(ast.Slice, NOWHERE, *ends)
    return constant(value)


def chain(first: Tree, rest: Sequence[tuple[str, Tree]]) -> Tree:
    """`first op x op y`; `first` itself for no rest; a chain of the same level that comes first is
    continued.
    """
    if not rest:
        return first
    rest = list(rest)
    if isinstance(first, ast.Chain) and _continues([o for o, _ in first.rest], rest[0][0]):
        return make(ast.Chain, NOWHERE, first.first, [*first.rest, *rest])
    return make(ast.Chain, NOWHERE, first, rest)


LEVELS = ("+-", "*/@", "&", "|")


def _continues(signs: Sequence[str], sign: str) -> bool:
    """Whether a chain goes on with an operator: `(A@B)*c` and `(a/b)@C` keep their parentheses."""
    level = next((own for own in LEVELS if sign in own), sign)
    mixed = "*/" if sign == "@" else "@" if sign == "*" else ""
    return all(own in level and own not in mixed for own in signs)


def negative(value: Tree) -> Tree:
    """`-value`: the sign goes to the first factor of a product."""
    if isinstance(value, ast.Chain) and value.rest[0][0] in "*/@":
        first = value.first
        if isinstance(first, ast.Chain):  # -(w@m)*x, not (-w@m)*x
            return make(ast.Chain, NOWHERE, make(ast.Unary, NOWHERE, "-", first), value.rest)
        return make(ast.Chain, NOWHERE, negative(first), value.rest)
    if isinstance(value, ast.Unary) and value.operator == "-":
        return value.operand
    return make(ast.Unary, NOWHERE, "-", value)


def power(base: Tree, exponent: Tree) -> Tree:
    """`base**exponent`."""
    return make(ast.Power, NOWHERE, base, exponent)


def compare(left: Tree, sign: str, right: Tree) -> Tree:
    """`left < right`."""
    return make(ast.Compare, NOWHERE, left, [(sign, right)])


def both(conditions: Sequence[Tree]) -> Tree:
    """All of the conditions at once: `(a) & (b)`."""
    first, *rest = conditions
    return make(ast.Chain, NOWHERE, first, [("&", x) for x in rest]) if rest else first


def transpose(value: Tree) -> Tree:
    """`value.T`; the transpose of a transpose is what it was, of a symmetric matrix itself."""
    if isinstance(value, ast.Attribute) and value.name == "T":
        return value.value
    return value if _symmetric(value) else attribute(value, "T")


def _symmetric(value: Tree) -> bool:
    """Whether a matrix looks like its own transpose: `eye(n)`, `inv(X.T@X)`."""
    if called(value) in ("diag", "eye"):
        return True
    if called(value) == "inv" and isinstance(value, ast.Call):
        return _symmetric(value.arguments[0])
    if not isinstance(value, ast.Chain):
        return False
    signs = {sign for sign, _ in value.rest}
    parts = [value.first, *(x for _, x in value.rest)]
    if signs == {"@"}:
        return [transpose(x) for x in reversed(parts)] == parts
    if signs <= {"+", "-"}:
        signed = list(zip(("+", *(sign for sign, _ in value.rest)), parts, strict=True))
        turned = [(sign, transpose(x)) for sign, x in signed]
        return all(turned.count(x) == signed.count(x) for x in signed)
    return signs <= {"*", "/"} and all(isinstance(x, ast.Constant) or _symmetric(x) for x in parts)


def called(value: Tree) -> str:
    """The name of the function that a tree calls; empty for anything else."""
    if isinstance(value, ast.Call) and isinstance(value.function, ast.Name):
        return value.function.id
    return ""


def _repeated(value: Tree, count: int) -> Tree:
    return value if count == 1 else power(value, number(count))


def product(factors: Iterable[Tree]) -> Tree:
    """`a*b*c`; a factor that stands there several times is a power."""
    known = list(factors)
    once = [x for i, x in enumerate(known) if x not in known[:i]]
    first, *rest = [_repeated(x, known.count(x)) for x in once]
    return chain(first, [("*", x) for x in rest])


def matrix_product(factors: Iterable[Tree]) -> Tree:
    """`A@B@v`."""
    first, *rest = factors
    return chain(first, [("@", x) for x in rest])

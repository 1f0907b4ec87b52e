"""Pieces of products as trees: powers, numbers, quotients, labels as letters.

Constraints: see render/tree.py.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from gradcli.language import ast
from gradcli.render import tree
from gradcli.render.numbers import known_number
from gradcli.render.pieces import fraction, ratio
from gradcli.render.tree import Tree
from gradcli.rewrite.terms import Number

LETTERS = "ijklmnopqrstuvwxyzabcdefgh"


def letters(labels: Any, order: Any) -> str:
    """Labels as the letters of an `einsum`."""
    places = {x: LETTERS[i] for i, x in enumerate(dict.fromkeys(order))}
    return "".join(places[x] for x in labels)


def to_power(base: Tree, power: Number) -> Tree:
    """`base**power`, of a positive power; a square root as `sqrt`."""
    if power == 1:
        return base
    if power == Fraction(1, 2):
        return tree.call("sqrt", base)
    up, down = fraction(power)
    exponent = (
        tree.number(up) if down == 1 else tree.chain(tree.number(up), [("/", tree.number(down))])
    )
    return tree.power(base, exponent)


def magnitude(number: Number) -> Number:
    """The number without its sign."""
    return number if number >= 0 else -number


def numeric(scale: Number) -> tuple[list[Tree], list[Tree]]:
    """A positive number as factors above and below the line."""
    if scale == 1:
        return [], []
    known = known_number(scale)
    if known is not None:
        return known
    up, down = fraction(scale)
    return [tree.number(up)] if up != 1 else [], [tree.number(down)] if down != 1 else []


def decimal(up: list[Tree], down: list[Tree]) -> Tree | None:
    """A number alone with its point, where that is short: `0.01`."""
    if not all(isinstance(x, ast.Constant) and x.value != 0 for x in (*up, *down)) or not down:
        return None
    value = Fraction(1)
    for x in up:
        value *= Fraction(x.value)  # type: ignore[attr-defined]
    for x in down:
        value /= Fraction(x.value)  # type: ignore[attr-defined]
    return tree.real(float(value)) if 10000 % value.denominator == 0 else None


def joined(up: list[Tree], down: list[Tree], core: Tree) -> Tree:
    """Numbers before a product, what divides behind it."""
    one = tree.number(1)
    if core == one:
        return decimal(up, down) or ratio(up, down)
    top, below = split_quotient(core)
    if not up:
        first = top
    elif isinstance(top, ast.Chain) and top.rest[0][0] not in "+-":
        rest = [("*", top.first), *top.rest]
        first = tree.chain(up[0], [*(("*", x) for x in up[1:]), *rest])
        if top == one:
            first = tree.product(up)
    else:
        first = tree.product([*up, top] if top != one else up)
    lower = [*down, *(x for _, x in below)]
    return tree.chain(first, [("/", tree.product(_flat(lower)))]) if lower else first


def _flat(factors: list[Tree]) -> list[Tree]:
    found: list[Tree] = []
    for x in factors:
        if isinstance(x, ast.Chain) and all(sign == "*" for sign, _ in x.rest):
            found += [x.first, *(y for _, y in x.rest)]
        else:
            found.append(x)
    return found


def split_quotient(value: Tree) -> tuple[Tree, list[tuple[str, Tree]]]:
    """A product's part above the line, and the divisions at its end."""
    if not isinstance(value, ast.Chain):
        return value, []
    rest = value.rest
    at = next((i for i, (sign, _) in enumerate(rest) if sign == "/"), len(rest))
    if any(sign != "/" for sign, _ in rest[at:]):
        return value, []
    return tree.chain(value.first, rest[:at]), rest[at:]

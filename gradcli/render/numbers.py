"""Numbers that have a name: pi, logarithms and roots, with small fractions of them.

Constraints: a number is taken for a named one only where all of its digits agree.
"""

from __future__ import annotations

import math
from fractions import Fraction

from gradcli.render import tree
from gradcli.render.tree import Tree
from gradcli.rewrite.terms import Number

NAMED: list[tuple[float, str]] = [
    (math.pi, "pi"),
    (math.sqrt(math.pi), "sqrt"),
    (math.log(2), "2"),
    (math.log(10), "10"),
    (math.sqrt(2), "sqrt2"),
    (math.sqrt(2 * math.pi), "sqrt2pi"),
    (math.sqrt(2 / math.pi), "sqrt2/pi"),
]


def _tree(kind: str) -> Tree:
    pi = tree.name("math.pi")
    if kind == "pi":
        return pi
    two = tree.number(2)
    inside = {
        "sqrt": pi,
        "sqrt2": two,
        "sqrt2pi": tree.product([two, pi]),
        "sqrt2/pi": tree.chain(two, [("/", pi)]),
    }
    if kind in inside:
        return tree.call("math.sqrt", inside[kind])
    return tree.call("math.log", int(kind))


def known_number(scale: Number) -> tuple[list[Tree], list[Tree]] | None:
    """A positive number as factors above and below the line, where it has a name; else None."""
    if isinstance(scale, Fraction):
        return None
    found: list[tuple[Fraction, bool, str]] = []
    for value, kind in NAMED:
        for up, rest in ((True, scale / value), (False, scale * value)):
            near = Fraction(rest).limit_denominator(64)
            if near and abs(float(near) - rest) <= 4e-16 * abs(rest):
                found.append((near, up, kind))
    if not found:
        return None
    near, up, kind = min(found, key=lambda one: one[0].numerator + one[0].denominator)
    above = [tree.number(near.numerator)] if near.numerator != 1 else []
    below = [tree.number(near.denominator)] if near.denominator != 1 else []
    (above if up else below).append(_tree(kind))
    return above, below

"""Declared sizes as nodes: `m*n`, `n - 1` in a formula.

Constraints: a plain number has no node.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

from gradcli.graph.node import Node
from gradcli.rewrite.terms import CALL, SIZE, Factor, Terms, exact


def size_node(terms: Terms, size: Any) -> Node | None:
    """The node of a named size; None for a plain number."""
    form = getattr(size, "form", None)
    if form is None:
        return None
    if isinstance(form, str):
        return terms.node(SIZE, (), (), name=form, value=int(size))
    sign, left, right = form
    made: Node = _OPERATIONS[sign](terms, left, right)
    return made


def remainder(terms: Terms, size: Any, step: int) -> Any:
    """`size % step`: a number, or the node of it where the size has a name."""
    named = getattr(size, "form", None) is not None
    return _whole("%")(terms, size, step) if named and step != 1 else int(size) % step


def _value(terms: Terms, size: Any) -> Node:
    return size_node(terms, size) or terms.number(size)


def _sum(sign: int) -> Any:
    def total(terms: Terms, left: Any, right: Any) -> Node:
        pair = [(Fraction(1), _value(terms, left)), (Fraction(sign), _value(terms, right))]
        return terms.total(pair, ())

    return total


def _product(power: int) -> Any:
    def product(terms: Terms, left: Any, right: Any) -> Node:
        return _powers(terms, [(left, Fraction(1)), (right, Fraction(power))])

    return product


def _powers(terms: Terms, pairs: list[tuple[Any, Any]]) -> Node:
    from gradcli.rewrite.products import product

    factors = [Factor(_value(terms, size), (), power) for size, power in pairs]
    return product(terms, factors, (), ())


def _divides(right: Any, left: Any) -> bool:
    """Whether a size is a product that has `right` in it, whatever the sizes are."""
    number, names = _parts(left)
    other, wanted = _parts(right)
    return number % other == 0 and not wanted - names


def _parts(size: Any) -> tuple[int, Counter[Any]]:
    """A product of sizes as its number and its other factors."""
    form = getattr(size, "form", None)
    if form is None:
        return int(size), Counter()
    if not isinstance(form, tuple) or form[0] != "*":
        return 1, Counter([form])
    (a, left), (b, right) = (_parts(x) for x in form[1:])
    return a * b, left + right


def _whole(name: str) -> Any:
    def call(terms: Terms, left: Any, right: Any) -> Node:
        if name == "//" and _divides(right, left):
            return _powers(terms, [(left, Fraction(1)), (right, Fraction(-1))])
        return terms.node(CALL, (_value(terms, left), _value(terms, right)), (), name=name)

    return call


_OPERATIONS: dict[str, Any] = {
    **{"+": _sum(1), "-": _sum(-1), "*": _product(1), "/": _product(-1)},
    **{"//": _whole("//"), "%": _whole("%")},
    "**": lambda terms, left, right: _powers(terms, [(left, exact(right))]),
}

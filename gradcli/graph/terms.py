"""A product as what it is made of, and the node that it becomes.

Constraints: smaller factors are multiplied first, so that a scalar or a row costs nothing beside a
matrix; results the same up to rounding.
"""

from __future__ import annotations

from typing import NamedTuple

from gradcli.graph.build import Builder
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.shape import Shape, broadcast, numel

RANGE = 1e-30, 1e30
"""Where a gathered number must stay: its float32 rounds, and does not overflow or vanish."""


class Term(NamedTuple):
    """`number * scalars * over / under`; scalars are 0-dimensional, `over` and `under` larger."""

    number: float = 1.0
    scalars: tuple[Node, ...] = ()
    over: tuple[Node, ...] = ()
    under: tuple[Node, ...] = ()

    def times(self, other: Term) -> Term:
        """The product."""
        return Term(
            self.number * other.number,
            self.scalars + other.scalars,
            self.over + other.over,
            self.under + other.under,
        )

    @property
    def length(self) -> int:
        """How many factors there are."""
        return len(self.scalars) + len(self.over) + len(self.under)

    @property
    def is_signed_node(self) -> bool:
        """Whether this is a node or its negative."""
        return self.number in (1.0, -1.0) and not self.scalars + self.under and len(self.over) == 1


class TermBuilder(Builder):
    """Makes the nodes of products."""

    def built(self, term: Term, place: Node, shape: Shape | None) -> Node:
        """The node of a product, in `shape` or in the shape that its factors have together."""
        parts = [x.shape for x in (*term.over, *term.under)]
        full = broadcast(*parts) if parts else ()
        made = self._product(term, place, full)
        if shape is not None and made.shape != shape:
            if made.op is FULL:
                return self.constant(made.attrs["value"], made.dtype, shape)
            made = self.shaped("expand", (made,), shape, made.dtype, place, {"shape": shape})
        return made

    def _product(self, term: Term, place: Node, full: Shape) -> Node:
        """Smaller factors are multiplied first."""
        size = numel(full)
        front: Node | None = None
        for scalar in term.scalars:
            front = self._pair("mul", front, scalar, place)
        under = list(term.under)
        if front is not None or not term.over:
            for x in [x for x in under if x.ndim == 0]:
                under.remove(x)
                front = self._pair("div", front or self._number(1.0, place), x, place)
        number = term.number
        if number not in ((1.0,) if front is not None else (1.0, -1.0)):
            constant = self._number(number, place)
            front = constant if front is None else self._pair("mul", constant, front, place)
            number = 1.0
        large: list[Node] = []
        for x in sorted(term.over, key=lambda x: x.size):
            if x.size < size and (front is None or numel(broadcast(front.shape, x.shape)) < size):
                front = self._pair("mul", front, x, place)
            else:
                large.append(x)
        made = self._powers(large, place)
        if front is not None:
            made = front if made is None else self._pair("mul", front, made, place)
        if made is None:
            made = self._number(number, place)
            number = 1.0
        for x in under:
            made = self._pair("div", made, x, place)
        return made if number == 1.0 else self.make("neg", (made,), made)

    def _powers(self, factors: list[Node], place: Node) -> Node | None:
        """The product of `factors`, equal ones as squares."""
        made: Node | None = None
        for x in dict.fromkeys(factors):
            count = factors.count(x)
            power = self.make("square", (x,), x) if count > 1 else x
            for _ in range(count - 2):
                power = self._pair("mul", power, x, place)
            made = self._pair("mul", made, power, place)
        return made

    def _pair(self, name: str, x: Node | None, y: Node, place: Node) -> Node:
        if x is None:
            return y
        shape = broadcast(x.shape, y.shape)
        return self.shaped(name, (x, y), shape, place.dtype, place)

    def _number(self, number: float, place: Node) -> Node:
        return self.constant(number, place.dtype)


def in_range(number: float) -> bool:
    """Whether a number may be gathered."""
    return number == 0 or RANGE[0] < abs(number) < RANGE[1]

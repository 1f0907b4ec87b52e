"""Parts of products that are laid out: elementwise factors, or matrices in a row.

Constraints: see layout.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from gradcli.graph.shape import Shape
from gradcli.render import tree
from gradcli.render.tree import Tree
from gradcli.rewrite.terms import Labels, Number

EXTENT = slice(None)


class Written(NamedTuple):
    """A formula and the shape that its value has."""

    tree: Tree
    shape: Shape


class Stuck(Exception):
    """Matrix notation has no words for this product."""


class Piece:
    """A part of a product: elementwise factors, or matrices in a row; a label for each axis."""

    def __init__(
        self,
        labels: Labels,
        up: list[Tree],
        down: list[Tree],
        row: list[Tree] | None = None,
        conditions: Sequence[Tree] = (),
    ) -> None:
        self.labels = labels
        self.up = up
        self.down = down
        self.row = row
        self.conditions = list(conditions)

    def tree(self) -> Tree:
        """The formula of the piece."""
        if self.row is not None:
            return tree.matrix_product(self.row)
        if not self.conditions:
            return ratio(self.up, self.down)
        inside = ratio(self.up, self.down) if self.up or self.down else tree.real(1.0)
        other = tree.real(0.0) if not self.up and not self.down else tree.number(0)
        return tree.call("where", tree.both(self.conditions), inside, other)

    def matrices(self) -> list[Tree]:
        """The piece as factors of a matrix product."""
        return self.row if self.row is not None else [self.tree()]

    def factors(self) -> tuple[list[Tree], list[Tree]]:
        """The piece as elementwise factors, above and below."""
        if self.row is not None:
            return [tree.matrix_product(self.row)], []
        return ([self.tree()], []) if self.conditions else (self.up, self.down)

    def turned(self) -> Piece:
        """The transpose."""
        if len(self.labels) != 2:
            return self
        if self.row is not None:
            return Piece(self.labels[::-1], [], [], [tree.transpose(x) for x in self.row[::-1]])
        if len(self.up) + len(self.down) > 1 or self.conditions:
            return Piece(self.labels[::-1], [tree.transpose(self.tree())], [])
        up, down = ([tree.transpose(x) for x in part] for part in (self.up, self.down))
        return Piece(self.labels[::-1], up, down)

    def along(self, labels: Labels) -> Piece:
        """The piece with its axes in the order of `labels`."""
        return self if self.labels == labels else self.turned()


def ratio(up: list[Tree], down: list[Tree]) -> Tree:
    """`a*b/(c*d)`."""
    top = tree.product(up) if up else tree.number(1)
    return tree.chain(top, [("/", tree.product(down))]) if down else top


def fraction(scale: Number) -> tuple[int | float, int]:
    """A positive number as numerator and denominator."""
    if isinstance(scale, Fraction):
        return scale.numerator, scale.denominator
    return scale, 1

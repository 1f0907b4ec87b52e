"""Products over labelled axes in matrix notation: `2*X.T@(X@w - y)/numel(y)`.

Constraints: an axis at a time is summed over by `@`, `sum` or a diagonal matrix; what matrices
cannot say is an `einsum`. The result may lack axes along which it would only be repeated; `Written`
says which it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from gradcli.graph.shape import Shape
from gradcli.language import ast
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


class Layout:
    """One product while it is laid out; `sizes` has the size of each label."""

    def __init__(
        self, pieces: list[Piece], result: Labels, sizes: dict[int, int], *, diagonals: bool
    ) -> None:
        self.pieces = pieces
        self.result = result
        self.sizes = sizes
        self.diagonals = diagonals
        self.up: list[Tree] = []
        self.down: list[Tree] = []

    def run(self) -> Piece:
        """One piece whose labels are among the result's, in order; numbers are left in `up`."""
        if any(len(p.labels) > 2 for p in self.pieces):
            return self._elementwise()
        self._merge()
        while summed := {x for p in self.pieces for x in p.labels} - set(self.result):
            self._eliminate(summed)
            self._merge()
        return self._joined()

    def _elementwise(self) -> Piece:
        """Pieces of more than two axes: they must already lie along the result's last axes."""
        up: list[Tree] = []
        down: list[Tree] = []
        longest: Labels = ()
        for p in self.pieces:
            if p.labels != self.result[len(self.result) - len(p.labels) :]:
                raise Stuck
            longest = max(longest, p.labels, key=len)
            above, below = p.factors()
            up += above
            down += below
        return Piece(longest, up, down)

    def _merge(self) -> None:
        """Pieces along the same axes are multiplied element by element."""
        found: dict[Labels, Piece] = {}
        for p in self.pieces:
            if not p.labels:
                above, below = p.factors()
                self.up += above
                self.down += below
                continue
            known = next((k for k in (p.labels, p.labels[::-1]) if k in found), None)
            if known is None:
                found[p.labels] = p
                continue
            first, second = found[known], p.along(known)
            if first.conditions or second.conditions:
                found[known] = _under_conditions(known, first, second)
                continue
            if first.row is not None and second.row is None:
                first, second = second, first
            (up, down), (more, below) = first.factors(), second.factors()
            found[known] = Piece(known, [*up, *more], [*down, *below])
        self.pieces = list(found.values())

    def _eliminate(self, summed: set[int]) -> None:
        with_label = {x: [p for p in self.pieces if x in p.labels] for x in sorted(summed)}
        for step in (self._dot, self._matrix_vector, self._matrix_matrix, self._row_sums):
            for label, pieces in with_label.items():
                if step(label, pieces):
                    return
        for label, pieces in with_label.items():
            if self._split(label, pieces):
                return
        raise Stuck

    def _replace(self, gone: list[Piece], made: Piece) -> bool:
        self.pieces = [p for p in self.pieces if p not in gone]
        self.pieces.append(made)
        return True

    def _dot(self, label: int, pieces: list[Piece]) -> bool:
        if len(pieces) != 1 or len(pieces[0].labels) != 1:
            return False
        (p,) = pieces
        if p.row is None and len(p.up) == 2 and not p.down and not p.conditions:
            left, right = p.up
            if not _raised(left) and not _raised(right):
                return self._replace([p], Piece((), [], [], [left, *_continued(right)]))
        made = p.tree()
        if isinstance(made, ast.Call) and tree.called(made) == "diag":
            return self._replace([p], Piece((), [tree.call("trace", *made.arguments)], []))
        return self._replace([p], Piece((), [tree.call("sum", made)], []))

    def _matrix_vector(self, label: int, pieces: list[Piece]) -> bool:
        if len(pieces) != 2 or sorted(len(p.labels) for p in pieces) != [1, 2]:
            return False
        vector, matrix = sorted(pieces, key=lambda p: len(p.labels))
        if matrix.labels[1] != label:
            matrix = matrix.turned()
        made = Piece(matrix.labels[:1], [], [], [*matrix.matrices(), *vector.matrices()])
        return self._replace(pieces, made)

    def _matrix_matrix(self, label: int, pieces: list[Piece]) -> bool:
        if len(pieces) != 2 or any(len(p.labels) != 2 for p in pieces):
            return False
        left, right = pieces
        ends = [next(x for x in p.labels if x != label) for p in pieces]
        if ends[1] in self.result and (
            ends[0] not in self.result or self.result.index(ends[1]) < self.result.index(ends[0])
        ):
            left, right = right, left
        left = left if left.labels[1] == label else left.turned()
        right = right if right.labels[0] == label else right.turned()
        row = [*left.matrices(), *right.matrices()]
        return self._replace(pieces, Piece((left.labels[0], right.labels[1]), [], [], row))

    def _row_sums(self, label: int, pieces: list[Piece]) -> bool:
        if len(pieces) != 1:
            return False
        (p,) = pieces
        axis = p.labels.index(label)
        if not set(p.labels) & set(self.result) and self._alone(p):
            return self._replace([p], Piece((), [tree.call("sum", p.tree())], []))
        rest = p.labels[:axis] + p.labels[axis + 1 :]
        return self._replace([p], Piece(rest, [tree.call("sum", p.tree(), axis)], []))

    def _alone(self, piece: Piece) -> bool:
        return not any(set(p.labels) & set(piece.labels) for p in self.pieces if p is not piece)

    def _split(self, label: int, pieces: list[Piece]) -> bool:
        """A vector between two matrices is a diagonal matrix between them."""
        vectors = [p for p in pieces if len(p.labels) == 1]
        matrices = [p for p in pieces if len(p.labels) == 2]
        if len(vectors) != 1 or len(matrices) != 2:
            return False
        fresh = max(self.sizes) + 1
        self.sizes[fresh] = self.sizes[label]
        last = matrices[1]
        labels = tuple(fresh if x == label else x for x in last.labels)
        self.pieces = [p for p in self.pieces if p is not last and p is not vectors[0]]
        self.pieces.append(Piece((label, fresh), [tree.call("diag", vectors[0].tree())], []))
        self.pieces.append(Piece(labels, last.up, last.down, last.row, last.conditions))
        return True

    # -- what is left lies along the result's axes

    def _joined(self) -> Piece:
        matrices = [p for p in self.pieces if len(p.labels) == 2]
        vectors = {p.labels[0]: p for p in self.pieces if len(p.labels) == 1}
        if len(matrices) > 1 or (len(self.result) > 2 and len(self.pieces) > 1):
            return self._elementwise()
        if matrices:
            order = tuple(x for x in self.result if x in matrices[0].labels)
            return self._scaled_matrix(matrices[0].along(order), vectors, order)
        if len(vectors) == 2:
            left, right = (vectors[x] for x in self.result if x in vectors)
            order = (left.labels[0], right.labels[0])
            return Piece(order, [tree.call("outer", left.tree(), right.tree())], [])
        return next(iter(vectors.values()), Piece((), [], []))

    def _scaled_matrix(self, matrix: Piece, vectors: dict[int, Piece], order: Labels) -> Piece:
        if not vectors:
            return matrix
        if matrix.row is not None or self.diagonals:
            row = list(matrix.matrices())
            for label, p in vectors.items():
                diagonal = tree.call("diag", p.tree())
                row = [diagonal, *row] if label == order[0] else [*row, diagonal]
            return Piece(order, [], [], row)
        up, down = (list(part) for part in matrix.factors())
        for label, p in vectors.items():
            above, below = p.factors()
            if label == order[0]:
                above, below = ([_column(x) for x in part] for part in (above, below))
                up, down = [*above, *up], [*down, *below]
            else:
                up, down = [*up, *above], [*down, *below]
        return Piece(order, up, down)


def _under_conditions(labels: Labels, first: Piece, second: Piece) -> Piece:
    """A product of which a part holds under conditions: all of it does."""
    up: list[Tree] = []
    down: list[Tree] = []
    for p in (first, second):
        above, below = p.factors() if p.row is not None else (p.up, p.down)
        up += above
        down += below
    return Piece(labels, up, down, None, [*first.conditions, *second.conditions])


def _column(vector: Tree) -> Tree:
    return tree.item(vector, EXTENT, None)


def _raised(value: Tree) -> bool:
    return isinstance(value, ast.Power)


def _continued(value: Tree) -> list[Tree]:
    """A matrix product as its factors; anything else alone."""
    if isinstance(value, ast.Chain) and all(sign == "@" for sign, _ in value.rest):
        return [value.first, *(x for _, x in value.rest)]
    return [value]


def fraction(scale: Number) -> tuple[int | float, int]:
    """A positive number as numerator and denominator."""
    if isinstance(scale, Fraction):
        return scale.numerator, scale.denominator
    return scale, 1

"""Products over labelled axes in matrix notation: `2*X.T@(X@w - y)/numel(y)`.

Constraints: an axis at a time is summed over by `@`, `sum` or a diagonal matrix; what matrices
cannot say is an `einsum`. The result may lack axes along which it would only be repeated; `Written`
says which it has.
"""

from __future__ import annotations

from gradcli.language import ast
from gradcli.render import tree
from gradcli.render.pieces import EXTENT, Piece, Stuck
from gradcli.render.tree import Tree
from gradcli.rewrite.terms import Labels


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
        conditions: list[Tree] = []
        longest: Labels = ()
        for p in self.pieces:
            if p.labels != self.result[len(self.result) - len(p.labels) :]:
                raise Stuck
            longest = max(longest, p.labels, key=len)
            above, below = p.factors() if p.row is not None else (p.up, p.down)
            up += above
            down += below
            conditions += p.conditions
        return Piece(longest, up, down, None, conditions)

    def _merge(self) -> None:
        """Pieces along the same axes are multiplied element by element."""
        found: dict[Labels, Piece] = {}
        for p in self.pieces:
            if not p.labels:
                above, below = _least_turned(p).factors()
                self.up += above
                self.down += below
                continue
            known = next((k for k in (p.labels, p.labels[::-1]) if k in found), None)
            if known is None:
                found[p.labels] = p
                continue
            if known != p.labels and self._closed(p):
                row = [*found.pop(known).matrices(), *p.matrices()]
                self.up.append(tree.call("trace", tree.matrix_product(row)))
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
        if not self.diagonals:
            self._absorb()

    def _absorb(self) -> None:
        """Vectors along the axes of a choice between elements and 0 go into it."""
        for matrix in [p for p in self.pieces if len(p.labels) == 2 and p.conditions]:
            vectors = [
                p
                for p in self.pieces
                if len(p.labels) == 1 and p.labels[0] in matrix.labels and not p.down
            ]
            by_axis = {p.labels[0]: p.tree() for p in vectors}
            left, right = (by_axis.get(label) for label in matrix.labels)
            if left is not None and right is not None:
                more = [tree.call("outer", left, right)]
            else:
                more = [right] if right is not None else [] if left is None else [_column(left)]
            made = Piece(matrix.labels, [*more, *matrix.up], matrix.down, None, matrix.conditions)
            self.pieces = [p for p in self.pieces if p not in (matrix, *vectors)] + [made]

    def _closed(self, piece: Piece) -> bool:
        """Whether the axes of a matrix are summed over, and only another one has them too."""
        axes = set(piece.labels)
        joined = [p for p in self.pieces if axes & set(p.labels)]
        return not axes & set(self.result) and len(joined) == 2

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
        if not self.diagonals and (scaled := _scaled_columns(label, matrices, vectors[0])):
            self.pieces = [p for p in self.pieces if p not in (matrices[0], vectors[0])]
            self.pieces.append(scaled)
            return True
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


def _scaled_columns(label: int, matrices: list[Piece], vector: Piece) -> Piece | None:
    """The first matrix with its columns multiplied, `X*v`, where they lie along `label`."""
    matrix = matrices[0]
    if matrix.row is not None or matrix.labels[1] != label:
        return None
    (up, down), (more, below) = matrix.factors(), vector.factors()
    return Piece(matrix.labels, [*up, *more], [*down, *below])


def _least_turned(piece: Piece) -> Piece:
    """A number `x@A.T@y` as `y@A@x`, which has fewer transposes."""
    if piece.row is None or len(piece.row) < 3:
        return piece
    first, *inner, last = piece.row
    turned = [last, *(tree.transpose(x) for x in reversed(inner)), first]
    count = [sum(isinstance(x, ast.Attribute) for x in row) for row in (piece.row, turned)]
    return piece if count[0] <= count[1] else Piece((), [], [], turned)


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

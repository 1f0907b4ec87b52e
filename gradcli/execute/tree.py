"""Partial results of tiles, put together in a binary tree that is fixed by the tiles' numbers.

Constraints: the bits of the total do not depend on the order in which pieces arrive, nor on how
the tiles were dealt out; at most two pieces for each level are held, so that memory does not grow
with the rows. Sums are held in the widest type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.laid import Laid
from gradcli.execute.plan import Rows
from gradcli.graph.node import Node

Array = Any

COMBINE: dict[str, np.ufunc] = {
    **{"sum": np.add, "contract": np.add, "amax": np.maximum, "amin": np.minimum},
    **{"any": np.logical_or, "all": np.logical_and},
}
"""How the partial results of a node are put together."""
WIDE = {"f": np.dtype(np.float64), "c": np.dtype(np.complex128)}


class Tree:
    """The pieces of one node so far.

    Args:
        node: a node that combines rows; only its op, attributes and dtype are kept.

    Attributes:
        pieces: (level, index) -> the total of the tiles from `index << level` on, `1 << level` of
            them.
    """

    __slots__ = ("axis", "dtype", "name", "pieces")

    def __init__(self, node: Node, axis: int = 0) -> None:
        self.name = node.op.name
        self.dtype = NUMPY_DTYPES[node.dtype]
        self.axis = axis
        self.pieces: dict[tuple[int, int], Array] = {}

    @classmethod
    def of(cls, node: Node, rows: Rows) -> Tree:
        """The empty tree of a node that combines rows."""
        return cls(node, rows.axis[node.inputs[0]] if node.op.name == "slice" else 0)

    def __reduce__(self) -> Any:
        return _again, (
            self.name,
            self.dtype,
            self.axis,
            {k: Laid(v) for k, v in self.pieces.items()},
        )

    def add(self, number: int, value: Array) -> None:
        """Takes the piece of tile `number`, which is copied."""
        if self.name == "slice" and not value.shape[self.axis]:
            return
        kind = WIDE.get(self.dtype.kind) if COMBINE.get(self.name) is np.add else None
        self._join(0, number, np.array(value, kind))

    def merge(self, other: Tree) -> None:
        """Takes all pieces of another tree, of other tiles."""
        for (level, index), value in other.pieces.items():
            self._join(level, index, value)

    def total(self) -> Array:
        """All pieces together, from the right: the last ones have no sibling."""
        order = sorted(self.pieces, key=lambda key: key[1] << key[0])
        found = self.pieces[order[-1]]
        for key in reversed(order[:-1]):
            found = self._both(self.pieces[key], found)
        return found.astype(self.dtype, copy=False)

    def _join(self, level: int, index: int, value: Array) -> None:
        while (sibling := self.pieces.pop((level, index ^ 1), None)) is not None:
            value = self._both(sibling, value) if index & 1 else self._both(value, sibling)
            level, index = level + 1, index >> 1
        self.pieces[level, index] = value

    def _both(self, left: Array, right: Array) -> Array:
        combine: Callable[[Array, Array], Array] | None = COMBINE.get(self.name)
        if combine is None:
            return np.concatenate([left, right], self.axis)
        return np.asarray(combine(left, right))


def _again(name: str, dtype: Any, axis: int, pieces: dict[tuple[int, int], Laid]) -> Tree:
    tree = Tree.__new__(Tree)
    tree.name, tree.dtype, tree.axis = name, dtype, axis
    tree.pieces = {key: laid.array() for key, laid in pieces.items()}
    return tree

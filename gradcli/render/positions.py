"""Positions along axes as formulas: what an index holds.

Constraints: whole numbers stay whole, so that they can index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcli.graph.node import Node
from gradcli.render import tree
from gradcli.render.layout import EXTENT, Written
from gradcli.render.tree import Tree
from gradcli.rewrite.terms import number_of

if TYPE_CHECKING:
    from gradcli.render.formula import Writer


def iota(writer: Writer, node: Node) -> Written:
    """Positions along an axis: `arange(n)`, with axes of length 1 beside it."""
    axis = node.attrs["axis"] + node.ndim
    made = tree.call("arange", *writer.sizes(node.shape[axis : axis + 1]))
    if node.ndim > 1:
        made = tree.item(made, *(EXTENT if i == axis else None for i in range(node.ndim)))
    shape = tuple(n if i == axis else 1 for i, n in enumerate(node.shape))
    return Written(made, shape)


def position(writer: Writer, index: Node) -> Tree:
    """Positions in an index; whole numbers stay whole."""
    number = number_of(index)
    if number is None or any(n != 1 for n in index.shape):
        return writer.whole(index)
    made = tree.number(int(number))
    for _ in index.shape:
        made = tree.constant([made])
    return tree.call("tensor", made)

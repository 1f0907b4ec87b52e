"""What is shown or written of a result that does not fit into memory: its ends, or row by row.

Constraints: where no pass over all rows has kept the ends, they are slices of the graph, so that
only the tiles that they lie in are computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.execute.evaluate import array, evaluate
from gradcli.execute.whole import fits
from gradcli.graph.node import Node
from gradcli.ops.movement import concat, slice_
from gradcli.tensor.text import current

Array = Any


class Ends:
    """A result as its summary needs it.

    Attributes:
        shape, ndim, size: as of a NumPy array.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.shape = node.shape
        self.ndim = node.ndim
        self.size = node.size

    def __getitem__(self, index: tuple[Array, ...]) -> Array:
        """The elements at places that `numpy.ix_` gives, each axis's first and last ones."""
        from gradcli.execute import feeding

        node = self.node
        kept = feeding.ends(node)
        if kept is not None and kept.shape == tuple(x.size for x in index):
            return kept
        for place, wanted in enumerate(index):
            axis, places = place - self.ndim, wanted.reshape(-1)
            if len(places) < node.shape[axis]:
                half = len(places) // 2
                ends = [_cut(node, axis, 0, half), _cut(node, axis, node.shape[axis] - half, half)]
                node = concat(*ends, axis=axis)
        return array(node)


def _cut(node: Node, axis: int, start: int, length: int) -> Node:
    slices = [(0, size, 1) for size in node.shape]
    slices[axis] = (start, length, 1)
    return slice_(node, slices=tuple(slices))


def to_show(node: Node) -> Any:
    """An array to print: all of it where it fits, else what gives its ends."""
    return array(node) if fits(node) else Ends(node)


def settle(nodes: Sequence[Node]) -> None:
    """Gives the nodes their values: all that fit into memory, and the ends of the others."""
    if all(map(fits, nodes)):
        evaluate(nodes)
        return
    from gradcli.execute import feeding

    feeding.settle(nodes, current.edgeitems)


def to_write(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays to write: all of each where it fits, else what gives its rows as they are computed.

    What does not fit comes first: the others are computed on the way, in the order of sums that
    they have in memory.
    """
    from gradcli.execute.feeding import Computed

    nodes = {name: tensor.value_node for name, tensor in tensors.items()}
    small = [node for node in nodes.values() if fits(node)]
    if len(small) == len(nodes):
        return {name: np.asarray(array(node)) for name, node in nodes.items()}
    order = sorted(nodes, key=lambda name: fits(nodes[name]))
    return {name: Computed(nodes[name], small) for name in order}

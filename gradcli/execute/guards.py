"""What a tile must fulfil so that another form of its nodes has the values of the one written.

Constraints: looks at values of one number for each row, so that it costs little.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.calls import Instruction, write_to
from gradcli.execute.local import local_shape
from gradcli.execute.written import Form
from gradcli.graph.node import Node

Array = Any


class Guards:
    """Factors and sums that have to be moderate, and conditions that must not hold.

    Args:
        form: whose they are.
        height: how many rows a tile has.
    """

    def __init__(self, form: Form, height: int) -> None:
        self.never, self.zeros = form.never, form.zeros
        nodes = [*form.guards, *form.never]
        shapes = [local_shape(node, form.rows, height) for node in nodes]
        sizes = [int(np.prod(shape, dtype=np.int64)) for shape in shapes]
        dtype = np.result_type(*(NUMPY_DTYPES[x.dtype] for x in form.guards), np.float32)
        self.sizes = np.empty(sum(sizes), dtype)
        limits = [form.guards.get(node, (1.0, 1.0)) for node in nodes]
        self.least, self.most = np.repeat(np.array(limits, dtype).reshape(-1, 2), sizes, axis=0).T
        ends = np.cumsum(sizes)
        self.places = {
            node: self.sizes[end - n : end].reshape(shape)
            for node, shape, n, end in zip(nodes, shapes, sizes, ends, strict=True)
        }

    def look(self, node: Node, slot: int) -> Instruction:
        """Takes note of what a register holds."""
        writer = np.logical_not if node in self.never else np.abs
        return write_to(_size_or_one if node in self.zeros else writer, slot, self.places[node])

    def hold(self) -> bool:
        """Whether all is as it has to be in the present tile."""
        sizes = self.sizes
        if not sizes.size:
            return True
        return bool(((sizes >= self.least) & (sizes <= self.most)).all())


def _size_or_one(x: Array, out: Array) -> None:
    """The absolute value, 1 for zero: what is multiplied by it is zero either way."""
    np.copyto(np.abs(x, out=out), 1, where=out == 0)

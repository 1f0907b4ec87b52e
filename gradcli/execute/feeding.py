"""Rows that are computed while somebody takes them: results larger than memory on their way out.

Constraints: rows come in order, each once; the node that they are of stays without a value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.evaluate import evaluate
from gradcli.execute.rows import Sink, Task, settings
from gradcli.files.spill import Spill
from gradcli.files.stored import Stored
from gradcli.graph.node import Node

Array = Any
Put = Callable[[Array], object]


class Computed:
    """An array that is computed when it is asked for, some rows at a time.

    Args:
        beside: nodes of which those without a value get theirs on the way.

    Attributes:
        shape, ndim, size, dtype: as of a NumPy array.
    """

    def __init__(self, node: Node, beside: Sequence[Node] = ()) -> None:
        self.node = node
        self.beside = beside
        self.shape = node.shape
        self.ndim = node.ndim
        self.size = node.size
        self.dtype = NUMPY_DTYPES[node.dtype]

    def feed(self, put: Put) -> None:
        """Computes it and gives all rows to `put`, in order."""
        node = self.node
        if node.value is None:
            sink = settings.sinks[node] = _Feed(put)
            try:
                evaluate([node, *self.beside])
            finally:
                del settings.sinks[node]
            if sink.fed:
                return
        value = node.value
        if isinstance(value, Stored):
            value.feed(put)
        else:
            put(np.asarray(value))


class _Feed(Sink):
    """Hands rows on; where other axes lie outside of the rows, through a temporary file."""

    def __init__(self, put: Put) -> None:
        self.put = put
        self.fed = False
        self.spill: Spill | None = None

    def room(self, task: Task, node: Node, first: int, last: int) -> Array:
        axis = task.sweep.rows.axis[node]
        if axis != -node.ndim and self.spill is None:
            self.spill = Spill(node.shape, NUMPY_DTYPES[node.dtype], axis)
        return super().room(task, node, first, last)

    def write(self, first: int, rows: Array) -> None:
        if self.spill is None:
            self.put(rows)
        else:
            self.spill.write(first, rows)

    def value(self) -> Any:
        if self.spill is not None:
            self.spill.feed(self.put)
        self.fed = True
        return None

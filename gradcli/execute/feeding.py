"""Rows that are computed while somebody takes them: results larger than memory on their way out.

Constraints: rows come in order, each once; the node that they are of stays without a value. Sums
that are computed on the way have the bits that they have where everything fits into memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.evaluate import evaluate
from gradcli.execute.rows import Sink, Task, settings
from gradcli.execute.whole import fits, reads_files
from gradcli.files.spill import Spill
from gradcli.files.stored import Stored
from gradcli.graph.node import Node
from gradcli.graph.walk import ancestors

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


def settle(nodes: Sequence[Node], edge: int) -> None:
    """Gives those that fit into memory their values, and keeps the ends of the others.

    Args:
        nodes: where one that does not fit cannot be computed row by row, or nothing lies in files,
            no ends are kept.
        edge: how many items are kept at either end of each axis, for `ends`.
    """
    order = ancestors(nodes, lambda node: node.value is None)
    if not reads_files(order):
        return evaluate([node for node in nodes if fits(node)])
    found = {node: _Ends(node, edge) for node in nodes if node.value is None and not fits(node)}
    settings.sinks.update(found)
    try:
        evaluate(nodes)
        _kept.update({node: sink.array for node, sink in found.items() if sink.fed})
    except GradcliError as error:
        if not found or error.diagnostic.code != "G060":
            raise
        evaluate([node for node in nodes if node not in found])
    finally:
        for node in found:
            del settings.sinks[node]


def ends(node: Node) -> Array | None:
    """What `settle` kept of a node: both ends of each long axis, put together."""
    return _kept.get(node)


_kept: WeakKeyDictionary[Node, Array] = WeakKeyDictionary()


class _Ends(Sink):
    """Keeps the ends of all axes."""

    def __init__(self, node: Node, edge: int) -> None:
        self.places = [_at_ends(size, edge) for size in node.shape]
        self.array = np.empty([len(p) for p in self.places], NUMPY_DTYPES[node.dtype])
        self.axis = 0
        self.fed = False

    def takes(self, task: Task, node: Node, first: int, last: int) -> bool:
        wanted = self.places[task.sweep.rows.axis[node]]
        return bool(((wanted >= first) & (wanted < last)).any())

    def room(self, task: Task, node: Node, first: int, last: int) -> Array:
        self.axis = task.sweep.rows.axis[node]
        return super().room(task, node, first, last)

    def write(self, first: int, rows: Array) -> None:
        wanted, index = self.places[self.axis], list(self.places)
        inside = (wanted >= first) & (wanted < first + rows.shape[self.axis])
        index[self.axis] = wanted[inside] - first
        kept, found = (np.moveaxis(x, self.axis, 0) for x in (self.array, rows[np.ix_(*index)]))
        kept[inside] = found

    def value(self) -> Any:
        self.fed = True
        return None


def _at_ends(size: int, edge: int) -> Array:
    return np.r_[:edge, size - edge : size] if size > 2 * edge else np.arange(size)

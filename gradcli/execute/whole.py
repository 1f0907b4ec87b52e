"""What lies in a file and is needed in one piece: read where it fits into memory, else refused.

Constraints: light, since every evaluation imports it; planning and sweeps are elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.limits import human, memory
from gradcli.files.stored import Stored
from gradcli.files.views import Part
from gradcli.graph.node import Node
from gradcli.graph.op import ALIASES, DATA, LEAF
from gradcli.graph.shape import text

LARGE = 1 << 22
"""Elements from which an array may stay in its file; reading fewer costs nothing."""
STAYS = 4
"""The part of the memory limit from which on an array stays in its file."""
SMALL = 32768
"""Elements up to which a value may always be held."""
COMBINING = frozenset(("sum", "contract", "amax", "amin", "any", "all"))
"""Ops that sweeps do faster than one call where they read much."""


class Chunks:
    """What the user said about rows.

    Attributes:
        rows: of a chunk, rounded up to whole tiles; None where nothing was said.
        named: the variables whose first axis the rows are; empty to find them.
        along: the values of those.
        spread: whether other processes are to read large files.
        watch: makes what is told of passes over files.
    """

    def __init__(self) -> None:
        self.rows: int | None = None
        self.named: tuple[str, ...] = ()
        self.along: list[Any] = []
        self.spread = False
        self.watch: Callable[[], Any] | None = None


chunks = Chunks()


def stays() -> int:
    """The bytes from which on an array stays in its file, if it has `LARGE` elements."""
    return 0 if chunks.rows or chunks.named or chunks.spread else memory.limit // STAYS


def reads_much(order: Iterable[Node]) -> bool:
    """Whether something reads so much that it pays to plan; what is stored is always that."""
    return any(
        isinstance(x.value, Stored) or (x.size >= LARGE and node.op.name in COMBINING)
        for node in order
        for x in node.inputs
        if x.value is not None
    )


def reads_files(order: Iterable[Node]) -> bool:
    """Whether something reads what lies in a file."""
    return any(isinstance(x.value, Stored) for node in order for x in node.inputs)


def give_parts(order: Iterable[Node]) -> bool:
    """Gives slices and other names of large known values theirs, which are stored, views or small.

    Returns:
        Whether there were any.
    """
    found = False
    for node in order:
        value = node.inputs[0].value if node.inputs else None
        if isinstance(value, Stored) and node.op.name in ALIASES:
            node.value, found = value, True
        elif value is not None and node.op.name == "slice" and _cuts_rows(node):
            node.value, found = _sliced(value, node), True
    return found


def apart(order: Iterable[Node]) -> list[list[Node]]:
    """Small values that need only some of what is stored, grouped by what that is.

    Tables whose rows have nothing to do with each other are gone over one after the other.
    """
    reads: dict[Node, frozenset[Node]] = {}
    groups: dict[frozenset[Node], list[Node]] = {}
    for node in order:
        own = [x for x in node.inputs if isinstance(x.value, Stored)]
        reads[node] = frozenset(own).union(*(reads.get(x, ()) for x in node.inputs))
        if reads[node] and node.size <= SMALL and any(x.size > SMALL for x in node.inputs):
            groups.setdefault(reads[node], []).append(node)
    every: frozenset[Node] = frozenset().union(*reads.values())
    return [nodes for needed, nodes in groups.items() if needed != every]


def whole(value: Any, node: Node) -> Any:
    """A value that `node` needs in one piece; what is stored is read.

    Raises:
        GradcliError: G060 with the place of `node` where it does not fit.
    """
    if not isinstance(value, Stored):
        return value
    if not fits(value):
        raise coupled(value, node)
    return np.asarray(value)


def fits(value: Any, part: float = 1) -> bool:
    """Whether an array or node of this size, or a part of it, may be in memory in one piece."""
    return bool(part * value.size * value.dtype.itemsize <= memory.limit // 2)


def too_large(node: Node) -> GradcliError:
    """G060 for a row-by-row result that only a file can hold."""
    return GradcliError(
        "G060",
        f"a result of shape {text(node.shape)} needs {human(node.size * node.dtype.itemsize)}, "
        f"the limit is {human(memory.limit)}",
        node.span,
        help=[
            'write it to a file, some rows at a time: -o result.npy, or save("result.npy", ...)',
            "raise the limit with --max-memory, of which one array may take half",
        ],
    )


def coupled(value: Any, node: Node) -> GradcliError:
    """G060 for a node that needs all rows at once."""
    size = human(value.size * value.dtype.itemsize)
    source = value.value if isinstance(value, Node) else value
    name = f" of {source.name}" if isinstance(source, Stored) and source.name else ""
    what = f"{node.op.torch} needs all rows{name} at once"
    if node.op is DATA or node.op is LEAF:
        what = f"all rows{name} are needed at once"
    return GradcliError(
        "G060",
        f"{what}: {size}, the limit is {human(memory.limit)}",
        node.span,
        help=[
            "what goes row by row, and sums, means and extrema over rows, need a part at a time",
            "raise the limit with --max-memory, of which one array may take half",
        ],
    )


def _sliced(value: Any, node: Node) -> Any:
    """The value of a slice of rows: a view, stored where it takes many rows of a file."""
    slices = list(node.attrs["slices"])
    if not isinstance(value, Stored):
        return value[tuple(slice(a, a + count * step, step) for a, count, step in slices)]
    part = Part(value, slices)
    if part.size >= LARGE:
        return part
    if not fits(part):
        raise coupled(part, node)
    return np.asarray(part)


def _cuts_rows(node: Node) -> bool:
    """Whether a slice takes only some of the rows; columns of all rows are taken tile by tile."""
    x, slices = node.inputs[0], node.attrs["slices"]
    return len(slices) == x.ndim and slices[0] != (0, x.shape[0], 1)

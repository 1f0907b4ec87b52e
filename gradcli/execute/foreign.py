"""Sweeps over rows in files whose tiles a library computes: PyTorch, JAX or CuPy.

Constraints: the plan, the tiles and the tree of partial results are those of NumPy's sweeps; only
what is done with a tile is the library's, compiled once for all tiles of a form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.base import Library, Run
from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.forms import is_open, shared
from gradcli.execute.local import local_attributes, local_shape, rows_of, window
from gradcli.execute.plan import CROSS
from gradcli.execute.rows import settings
from gradcli.execute.schedule import Plan
from gradcli.execute.tiles import Sweep
from gradcli.execute.tree import Tree
from gradcli.execute.whole import apart, give_parts, whole
from gradcli.files.stored import Stored
from gradcli.graph.node import Node, data
from gradcli.graph.op import FULL
from gradcli.graph.walk import ancestors

Known = dict[Node, Any]
Program = tuple[Run, list[Node], Known, list[Any]]
"""What computes a tile, the nodes whose values it takes, room for their rows, and the numbers that
it takes after them."""


def by_rows(library: Library, targets: Sequence[Node]) -> list[Any]:
    """The values of `targets`, NumPy's, of which some need rows of files.

    Raises:
        GradcliError: G060, with its place, for what needs all rows at once or is larger than
            memory.
    """
    try:
        return _by_rows(library, targets)
    except GradcliError as error:
        if error.diagnostic.code == "G060":
            way = "results larger than memory go to a file with --backend numpy: -o result.npy"
            error.diagnostic.help = [way, *error.diagnostic.help[1:]]
        raise


def _by_rows(library: Library, targets: Sequence[Node]) -> list[Any]:
    order = ancestors(targets, is_open)
    if give_parts(order):
        order = ancestors(targets, is_open)
    try:
        plan = Plan(order, set(targets), by_numpy=False)
    except GradcliError:
        groups = apart(order)
        if not groups:
            raise
        for group in groups:
            for node, value in zip(group, _by_rows(library, group), strict=True):
                node.value = value
        return _by_rows(library, targets)
    inputs = {x: x.value for x in plan.inputs if not isinstance(x.value, (Stored, np.ndarray))}
    given = {x: np.asarray(library.fetched(library.sent(v))) for x, v in inputs.items()}

    def compute(node: Node, values: Known) -> Any:
        return library.alone(node, [whole(values[x], node) for x in node.inputs])

    before, settings.tiles = settings.tiles, Tiles(library).run
    try:
        found = plan.run(compute, given)
    finally:
        settings.tiles = before
    return [found[node] for node in targets]


class Tiles:
    """What computes the tiles of sweeps on a library."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.known: dict[tuple[Sweep, int], Program] = {}

    def run(self, sweep: Sweep, values: Known, first: int, last: int, offset: int) -> Any:
        """See `Sweep.run_rows`."""
        library, axes, height = self.library, sweep.rows.axis, sweep.height
        trees = {node: Tree.of(node, sweep.rows) for node in sweep.crosses}
        sent: Known = {}
        with library.computing():
            for a in range(first, last, height):
                b = min(a + height, last)
                run, reads, room, numbers = self._compiled(sweep, b - a)
                for x in reads:
                    if x in axes:
                        # How a tile lies in memory must not depend on its place in a chunk.
                        room[x][...] = rows_of(values[x], axes[x], a - offset, b - offset)
                        sent[x] = library.sent(room[x])
                    elif x not in sent:
                        sent[x] = library.sent(values[x])
                made = map(library.to_numpy, run([*(sent[x] for x in reads), *numbers]))
                for node, part in zip((*sweep.crosses, *_kept(sweep)), made, strict=True):
                    if node not in trees:
                        rows_of(values[node], axes[node], a - offset, b - offset)[...] = part
                    elif node.op.name == "slice":
                        taken = window(node, axes[node.inputs[0]], a, b - a)
                        trees[node].add(a // height, part[taken])
                    else:
                        trees[node].add(a // height, part)
        return trees

    def _compiled(self, sweep: Sweep, height: int) -> Program:
        """What computes a tile of a height."""
        found = self.known.get((sweep, height))
        if found is None:
            copies: dict[Node, Node] = {}
            reads: list[Node] = []
            for node in sweep.nodes:
                for x in node.inputs:
                    if x not in copies:
                        copies[x] = _leaf(x, sweep, height)
                        if x.op is not FULL and x.op.name != "iota":
                            reads.append(x)
                copies[node] = _part(node, tuple(copies[x] for x in node.inputs), sweep, height)
            # A slice of all rows takes what lies in the tile, which differs from tile to tile.
            ends = [n.inputs[0] if n.op.name == "slice" else n for n in sweep.crosses]
            wanted = [copies[node] for node in (*ends, *_kept(sweep))]
            rows = [copies[x] for x in reads if x in sweep.rows.axis and self.library.copies]
            run, inputs, numbers = shared(self.library, ancestors(wanted, is_open), wanted, rows)
            place = {copies[x]: x for x in reads}
            reads = [place[x] for x in inputs]
            room = {
                x: np.empty(local_shape(x, sweep.rows, height), NUMPY_DTYPES[x.dtype])
                for x in reads
                if x in sweep.rows.axis
            }
            found = self.known[sweep, height] = run, reads, room, numbers
        return found


def _kept(sweep: Sweep) -> list[Node]:
    return [node for node in sweep.nodes if node in sweep.kept]


def _leaf(x: Node, sweep: Sweep, height: int) -> Node:
    """What stands in a tile for a node that the sweep does not compute."""
    if x.op is FULL or x.op.name == "iota":
        return _part(x, (), sweep, height)
    return data(True, local_shape(x, sweep.rows, height), x.dtype)


def _part(node: Node, inputs: tuple[Node, ...], sweep: Sweep, height: int) -> Node:
    rows = sweep.rows
    across = rows.kind.get(node) == CROSS
    attrs = node.attrs if across else local_attributes(node, rows, height)
    made = Node(node.op, inputs, attrs, local_shape(node, rows, height), node.dtype)
    made.span = node.span
    return made

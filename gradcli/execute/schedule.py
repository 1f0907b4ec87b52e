"""From a graph to its values in sweeps: what is computed when, and what is kept.

Constraints: nodes that combine all rows (CROSS) end a sweep; what follows from them goes into the
next one. A value that a later sweep needs is computed again there when that is cheaper than
storing it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gradcli.execute.plan import CROSS, FIXED, ROWS, WHOLE, Rows, find_rows
from gradcli.execute.tiles import Sweep
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.simplify import simplified
from gradcli.graph.walk import ancestors

CHEAP = 4
"""Cost up to which a value is computed again instead of stored between two sweeps."""
COSTS = {"contract": 64, "pow": 8, "exp": 8, "log": 8, "tanh": 8, "sin": 8, "cos": 8, "erf": 16}
"""What computing an element costs, where it is not 1; unknown functions of one number cost 8."""

Compute = Callable[[Node, dict[Node, Any]], Any]


def run(order: Sequence[Node], targets: set[Node], compute: Compute) -> dict[Node, Any] | None:
    """The values of `targets`, by sweeps over the rows; None where the graph has no rows to go
    along.

    Args:
        order: the nodes to compute, inputs first.
        targets: the nodes whose values are wanted.
        compute: computes one node in one piece, from the values so far.
    """
    smaller = simplified(order)
    wanted = {smaller[node] for node in targets}
    order = ancestors(wanted, lambda node: node.value is None)
    found = _swept(order, wanted, compute)
    if found is None:
        return None
    return {node: found.get(smaller[node], smaller[node].value) for node in targets}


def _swept(order: Sequence[Node], targets: set[Node], compute: Compute) -> dict[Node, Any] | None:
    rows = find_rows(order)
    if rows is None or not any(kind in (ROWS, CROSS) for kind in rows.kind.values()):
        return None
    level = _levels(order, rows)
    kept = _kept(order, rows, level, targets)
    values: dict[Node, Any] = {}
    for stage in range(max(level.values()) + 1):
        for node in order:
            if level[node] == stage and rows.kind[node] in (FIXED, WHOLE):
                values[node] = compute(node, values)
        group = _group(order, rows, level, stage, kept)
        if group:
            Sweep(group, kept, rows).run(values)
    return {node: values[node] for node in targets if node in values}


def _levels(order: Sequence[Node], rows: Rows) -> dict[Node, int]:
    """The sweep that a node belongs to, or that it is computed before (FIXED, WHOLE)."""
    level: dict[Node, int] = {}
    for node in order:
        swept = rows.kind[node] in (ROWS, CROSS)
        found = 0
        for x in node.inputs:
            if x in level:
                ends = rows.kind[x] == CROSS or (rows.kind[x] == ROWS and not swept)
                found = max(found, level[x] + ends)
        level[node] = found
    return level


def _kept(
    order: Sequence[Node], rows: Rows, level: dict[Node, int], targets: set[Node]
) -> set[Node]:
    """The row-by-row values that are stored: targets, and what later stages need and cannot redo
    cheaply."""
    kept = set(targets)
    cost: dict[Node, int] = {}
    for node in order:
        own = COSTS.get(node.op.name, 1)
        cost[node] = own + sum(cost.get(x, 0) for x in node.inputs if x not in kept)
    for node in order:
        for x in node.inputs:
            if x not in level or rows.kind[x] != ROWS or x.op is FULL:
                continue
            later = level[node] > level[x]
            whole = rows.kind[node] in (FIXED, WHOLE)
            if whole or (later and cost[x] > CHEAP):
                kept.add(x)
    return kept


def _group(
    order: Sequence[Node], rows: Rows, level: dict[Node, int], stage: int, kept: set[Node]
) -> list[Node]:
    """What a sweep computes: the nodes of its level that something needs, and earlier ones anew."""
    wanted: set[Node] = set()
    for node in reversed(order):
        if rows.kind[node] not in (ROWS, CROSS) or node.op is FULL or level[node] > stage:
            continue
        if level[node] == stage and (node in kept or rows.kind[node] == CROSS):
            wanted.add(node)
        if node in wanted:
            wanted.update(_redone(node.inputs, rows, level, stage, kept))
    return [node for node in order if node in wanted]


def _redone(
    inputs: Iterable[Node], rows: Rows, level: dict[Node, int], stage: int, kept: set[Node]
) -> list[Node]:
    return [
        x
        for x in inputs
        if x in level
        and rows.kind[x] == ROWS
        and x.op is not FULL
        and (level[x] == stage or x not in kept)
    ]

"""Which nodes of a plan are computed together: the stages that its sweeps are.

Constraints: reads the graph and its rows, computes nothing. What combines all rows (CROSS) ends a
stage; a value that a later one needs is computed again there when that is cheaper than storing it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gradcli.execute.plan import CROSS, FIXED, ROWS, WHOLE, Rows
from gradcli.graph.node import Node
from gradcli.graph.op import FULL

CHEAP = 4
"""Cost up to which a value is computed again instead of stored between two sweeps."""
COSTS = {"contract": 64, "pow": 8, "exp": 8, "log": 8, "tanh": 8, "sin": 8, "cos": 8, "erf": 16}
"""What computing an element costs, where it is not 1; unknown functions of one number cost 8."""


def apart(order: Sequence[Node], rows: Rows, wanted: set[Node]) -> set[Node]:
    """What is computed node by node, between the sweeps; constants only where those ask for one."""
    apart = {n for n in order if rows.kind[n] in (FIXED, WHOLE) and n.op is not FULL}
    constants = {x for n in apart for x in n.inputs} | wanted
    return apart | {n for n in order if n.op is FULL and n in constants}


def levels(order: Sequence[Node], rows: Rows) -> dict[Node, int]:
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


def kept(
    order: Sequence[Node], rows: Rows, level: dict[Node, int], targets: set[Node]
) -> set[Node]:
    """The row-by-row values that are stored: targets, and what later stages need and cannot redo
    cheaply."""
    kept = set(targets)
    cost: dict[Node, int] = {}
    for node in order:
        if rows.kind[node] == ROWS:  # what combines rows is known by then
            own = 0 if node.op.view else COSTS.get(node.op.name, 1)
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


def group(
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

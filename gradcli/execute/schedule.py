"""From a graph to its values in sweeps: what is computed when, and what is kept.

Constraints: nodes that combine all rows (CROSS) end a sweep; what follows from them goes into the
next one. A value that a later sweep needs is computed again there when that is cheaper than
storing it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from gradcli.execute.backends.blas import one_thread
from gradcli.execute.expanded import expanded
from gradcli.execute.limits import VIRTUAL, memory
from gradcli.execute.narrow import rows_last
from gradcli.execute.plan import CROSS, FIXED, ROWS, WHOLE, Rows, find_rows, find_stored_rows, goes
from gradcli.execute.rows import Sinks, settings
from gradcli.execute.tiles import Sweep
from gradcli.execute.whole import SMALL, chunks, coupled, fits, too_large
from gradcli.files.stored import Stored, held
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.simplify import Simplifier
from gradcli.graph.walk import ancestors

CHEAP = 4
"""Cost up to which a value is computed again instead of stored between two sweeps."""
COSTS = {"contract": 64, "pow": 8, "exp": 8, "log": 8, "tanh": 8, "sin": 8, "cos": 8, "erf": 16}
"""What computing an element costs, where it is not 1; unknown functions of one number cost 8."""

Compute = Callable[[Node, dict[Node, Any]], Any]
Values = Mapping[Node, Any]


class Plan:
    """How a graph is computed by sweeps over the rows: made once from shapes, run on any values.

    Args:
        order: the nodes to compute, inputs first.
        targets: the nodes whose values are wanted.
    """

    def __init__(self, order: Sequence[Node], targets: set[Node]) -> None:
        every = Simplifier().run(order)
        wanted = {every[node] for node in targets}
        products = expanded(ancestors(wanted, lambda node: node.value is None))
        every = {node: products.get(found, found) for node, found in every.items()}
        self.found = {node: every[node] for node in targets}
        wanted = set(self.found.values())
        self.targets = targets
        order = ancestors(wanted, lambda node: node.value is None)
        self.inputs = {x for n in order for x in n.inputs if x.value is not None}
        self.inputs |= {node for node in wanted if node.value is not None}
        self.steps: list[Node | Sweep] = []
        self.made: list[set[Node]] = []
        self.drops: list[list[Node]] = []
        stored = {x for x in self.inputs if isinstance(x.value, Stored)}
        rows = self._rows(order, stored) if stored else find_rows(order)
        swept = rows is not None and any(
            kind in (ROWS, CROSS) and not node.op.view for node, kind in rows.kind.items()
        )
        self.also: dict[Node, Node] = {}
        if rows is not None and swept:
            small = {n for n in order if rows.kind[n] in (FIXED, CROSS) and n.size <= SMALL}
            turned = rows_last(order, wanted | small, rows)
            place = {node: node for node in wanted | small}
            if turned is not None:
                order, place, rows = turned
                self.found = {node: place[found] for node, found in self.found.items()}
                wanted = set(self.found.values())
            self.also = {n: place[m] for n, m in every.items() if m in small and m.op is not FULL}
            self._arrange(order, rows, wanted)
        elif stored:
            self._line_up(order, wanted)
        self.pays = bool(self.steps or stored)

    def _rows(self, order: Sequence[Node], stored: set[Node]) -> Rows | None:
        """The rows of a graph on what is stored; refuses what cannot be computed by them."""
        named = [x for x in self.inputs if any(x.value is value for value in chunks.along)]
        rows = find_stored_rows(order, stored, named, fits)
        for node in order:
            if rows is not None and not goes(node, rows, stored, fits):
                raise coupled(max(node.inputs, key=lambda x: x.size), node)
        return rows

    def run(
        self, compute: Compute, values: Values | None = None, also: bool = False
    ) -> dict[Node, Any]:
        """The values of the targets.

        Args:
            compute: computes one node in one piece, from the values so far.
            values: values of `inputs`, where they are not the nodes' own.
            also: whether to give small values that were needed on the way.
        """
        known = {x: held(x.value) for x in self.inputs}
        known.update(values or {})
        asked = {self.found[n]: sink for n, sink in settings.sinks.items() if n in self.targets}
        if not any(isinstance(value, Stored) for value in known.values()):
            self._refuse_excess(asked)  # of what is in files, rows may stay there
        for step, drop in zip(self.steps, self.drops, strict=True):
            if isinstance(step, Sweep):
                self._sweep(step, known, asked)
            else:
                known[step] = compute(step, known)
            for node in drop:
                del known[node]
        found = {**self.also, **self.found} if also else self.found
        return {node: known[value] for node, value in found.items()}

    def _refuse_excess(self, sinks: Sinks) -> None:
        """Refuses work whose results would not fit into memory at some time on the way."""
        held: dict[Node, None] = {}
        for makes, drop in zip(self.made, self.drops, strict=True):
            for node in makes:
                if node not in sinks and not node.op.view and node.op.name not in VIRTUAL:
                    held[node] = None
            memory.refuse_together(list(held))
            for node in drop:
                held.pop(node, None)

    def _sweep(self, sweep: Sweep, known: dict[Node, Any], sinks: Sinks) -> None:
        inputs = (known.get(x) for node in sweep.nodes for x in node.inputs)
        if settings.tiles is not Sweep.run_rows or any(isinstance(x, Stored) for x in inputs):
            wanted = {self.found[node] for node in self.targets}
            for node in sweep.kept:
                if node in wanted and node not in sinks and not fits(node):
                    raise too_large(node)
            settings.runner(sweep, known, sinks)
        else:
            with one_thread:
                sweep.run(known)

    def _line_up(self, order: Sequence[Node], wanted: set[Node]) -> None:
        """Computes everything in one piece."""
        self.steps += order
        made = [{node} for node in order]
        self._find_last_uses(made, [set(node.inputs) for node in order], wanted)

    def _arrange(self, order: Sequence[Node], rows: Rows, wanted: set[Node]) -> None:
        """Fills `steps`, and `drops`: the values that nobody needs after each."""
        level = _levels(order, rows)
        kept = _kept(order, rows, level, wanted)
        apart = _apart(order, rows, wanted)
        ready = set(self.inputs)
        made: list[set[Node]] = []
        read: list[set[Node]] = []
        for stage in range(max(level.values()) + 1):
            for node in order:
                if level[node] == stage and node in apart:
                    self.steps.append(node)
                    made.append({node})
                    read.append(set(node.inputs))
                    ready.add(node)
            group = _group(order, rows, level, stage, kept)
            if group:
                sweep = Sweep(group, kept, set(ready), rows)
                self.steps.append(sweep)
                made.append(sweep.kept.union(sweep.crosses))
                ready |= made[-1]
                read.append({x for node in group for x in node.inputs if x in ready})
        self._find_last_uses(made, read, wanted)

    def _find_last_uses(
        self, made: list[set[Node]], read: list[set[Node]], wanted: set[Node]
    ) -> None:
        self.made = made
        later = wanted | self.inputs | set(self.also.values())
        for makes, reads in zip(reversed(made), reversed(read), strict=True):
            self.drops.append([node for node in makes | reads if node not in later])
            later = later | reads
        self.drops.reverse()


def _apart(order: Sequence[Node], rows: Rows, wanted: set[Node]) -> set[Node]:
    """What is computed node by node, between the sweeps; constants only where those ask for one."""
    apart = {n for n in order if rows.kind[n] in (FIXED, WHOLE) and n.op is not FULL}
    constants = {x for n in apart for x in n.inputs} | wanted
    return apart | {n for n in order if n.op is FULL and n in constants}


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

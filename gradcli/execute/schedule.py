"""From a graph to its values in sweeps: what is computed when, and what is kept.

Constraints: nodes that combine all rows (CROSS) end a sweep; what follows from them goes into the
next one. A value that a later sweep needs is computed again there when that is cheaper than
storing it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.execute import stages
from gradcli.execute.backends.blas import one_thread
from gradcli.execute.backends.numpy import NUMPY_DTYPES, repeated
from gradcli.execute.expanded import expanded, may_expand
from gradcli.execute.limits import VIRTUAL, memory
from gradcli.execute.narrow import rows_last
from gradcli.execute.plan import CROSS, FIXED, ROWS, Rows, find_rows, find_stored_rows, goes
from gradcli.execute.rows import Sinks, settings
from gradcli.execute.tiles import Sweep
from gradcli.execute.whole import SMALL, chunks, coupled, fits, too_large
from gradcli.files.stored import Stored, held
from gradcli.graph.node import Node, data
from gradcli.graph.op import FULL
from gradcli.graph.simplify import Simplifier
from gradcli.graph.walk import ancestors

BRANCH = 1 << 20
"""Elements to compute from which a plan of their own pays."""
Compute = Callable[[Node, dict[Node, Any]], Any]
Values = Mapping[Node, Any]


class Plan:
    """How a graph is computed by sweeps over the rows: made once from shapes, run on any values.

    Args:
        order: the nodes to compute, inputs first.
        targets: the nodes whose values are wanted.
        by_numpy: whether NumPy computes, which is faster with products of matrices.
    """

    def __init__(self, order: Sequence[Node], targets: set[Node], by_numpy: bool = True) -> None:
        every = Simplifier().run(order)
        if by_numpy and any(map(may_expand, every.values())):
            wanted = {every[node] for node in targets}
            products = expanded(ancestors(wanted, lambda node: node.value is None))
            every = {node: products.get(found, found) for node, found in every.items()}
        self.found = {node: every[node] for node in targets}
        wanted = set(self.found.values())
        self.targets = targets
        order = ancestors(wanted, lambda node: node.value is None)
        self.inputs = {x for n in order for x in n.inputs if x.value is not None}
        self.inputs |= {node for node in wanted if node.value is not None}
        self.steps: list[Node | Sweep | Branch] = []
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
            elif isinstance(step, Branch):
                known.update(step.run(compute, known))
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
        level = stages.levels(order, rows)
        kept = stages.kept(order, rows, level, wanted)
        apart = stages.apart(order, rows, wanted)
        ready = set(self.inputs)
        made: list[set[Node]] = []
        read: list[set[Node]] = []
        for stage in range(max(level.values()) + 1):
            here = [node for node in order if level[node] == stage and node in apart]
            for step in self._branched(here, order, wanted):
                self.steps.append(step)
                made.append({step} if isinstance(step, Node) else set(step.outputs))
                read.append(set(step.inputs))
                ready |= made[-1]
            group = stages.group(order, rows, level, stage, kept)
            if group:
                sweep = Sweep(group, kept, set(ready), rows)
                self.steps.append(sweep)
                made.append(sweep.kept.union(sweep.crosses))
                ready |= made[-1]
                read.append({x for node in group for x in node.inputs if x in ready})
        self._find_last_uses(made, read, wanted)

    def _branched(
        self, here: list[Node], order: Sequence[Node], wanted: set[Node]
    ) -> list[Node | Branch]:
        """Nodes that go by none of the rows found, which may go by others: as a plan, if it pays.

        Args:
            here: the nodes, inputs first.
            order: all nodes of this plan.
            wanted: those whose values are.
        """
        large = [n for n in here if n.op.elementwise and n.size > SMALL]
        reads = any(isinstance(x.value, Stored) for x in self.inputs)
        if reads or sum(n.size for n in large) < BRANCH:
            return [*here]
        inner = set(here)
        needed = {x for n in order if n not in inner for x in n.inputs if x in inner}
        needed |= inner & (wanted | set(self.also.values()))
        branch = Branch(here, needed)
        return [branch] if branch.plan.pays else [*here]

    def _find_last_uses(
        self, made: list[set[Node]], read: list[set[Node]], wanted: set[Node]
    ) -> None:
        self.made = made
        later = wanted | self.inputs | set(self.also.values())
        for makes, reads in zip(reversed(made), reversed(read), strict=True):
            self.drops.append([node for node in makes | reads if node not in later])
            later = later | reads
        self.drops.reverse()


class Branch:
    """Nodes of a plan as a plan of their own, with rows of their own.

    Args:
        nodes: what to compute, inputs first.
        needed: those of them whose values others need.
    """

    def __init__(self, nodes: Sequence[Node], needed: set[Node]) -> None:
        copies: dict[Node, Node] = {}
        self.inputs: dict[Node, Node] = {}
        for node in nodes:
            for x in node.inputs:
                if x not in copies and x.op is not FULL:
                    copies[x] = self.inputs[x] = placeholder(x)
            sources = tuple([copies.get(x, x) for x in node.inputs])
            copies[node] = Node(node.op, sources, node.attrs, node.shape, node.dtype)
            copies[node].span = node.span
        self.outputs = {node: copies[node] for node in needed}
        targets = set(self.outputs.values())
        self.plan = Plan(ancestors(targets, lambda node: node.value is None), targets)

    def run(self, compute: Compute, known: Values) -> dict[Node, Any]:
        """The values of what is needed."""
        values = {copy: known.get(x, x.value) for x, copy in self.inputs.items()}
        found = self.plan.run(compute, values)
        return {node: found[copy] for node, copy in self.outputs.items()}


def placeholder(node: Node) -> Node:
    """What stands for a node while a plan is made for any value of it."""
    zero = np.zeros((), NUMPY_DTYPES[node.dtype])
    return data(repeated(zero, node.shape), node.shape, node.dtype)

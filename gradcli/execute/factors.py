"""Factors that are the same along a row, kept beside tables until somebody needs the product.

Constraints: graph to graph, for the nodes of a sweep. `sum_j (a_i*x_ij)*(b_i*y_ij)` is
`a_i*b_i*sum_j x_ij*y_ij`, and `((x_ij/a_i)*b_i)/c_i` is one product; shifts that cancel are left
out. What over- or underflows may do so elsewhere then, so every factor and every such sum of a tile
is looked at: where one is not moderate, the tile is computed as written (`guards`, `never`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import numpy as np

from gradcli.execute import columns
from gradcli.execute.exact import compared
from gradcli.execute.plan import CROSS, FIXED, ROWS, Rows
from gradcli.execute.shifts import cancelling
from gradcli.execute.written import Form, cost
from gradcli.graph.build import Builder
from gradcli.graph.node import Node
from gradcli.graph.numbers import KINDS, number_of
from gradcli.graph.op import FULL
from gradcli.graph.walk import depth_first

GAIN = 0.9
"""What is left of the elements to compute, from which another form pays."""
MODERATE = {"float32": (1e-12, 1e12), "float64": (1e-100, 1e100)}
"""Between which sizes factors and sums have to be, so that products of FEW are exact."""
FEW = 3
SHIFTED = 3.4e-4, 2.9e3
"""Between which sums of exponentials have to be without a shift: their logarithms are below 8 then,
in float32 to 2.4e-7."""


def factored(written: Form, kept: Collection[Node], known: Collection[Node]) -> Form | None:
    """The form with factors apart; None where that is no gain.

    Args:
        written: the nodes as written.
        kept: the results whose rows are wanted.
        known: the nodes that have values before the sweep.
    """
    axis = written.rows.axis
    made = _Factors(written, kept)
    if not made.shifts and all(axis.get(node, -1) == -1 for node in written.nodes):
        return None
    for node in written.nodes:
        if node not in made.totals and node not in made.made:
            made.add(node)
    made.add_totals()
    results = {made.of(node): node for node in written.results}
    if not made.guards or len(results) < len(written.results) or any(x in known for x in results):
        return None
    order = depth_first(results, made.group)
    asked = {*known, *order}
    guards = {x: limits for x, limits in made.guards.items() if x in asked}
    order = depth_first((*guards, *made.never, *results), made.group)
    form = Form(order, results, made.rows, guards, [*made.never], made.zeros)
    stored = {found for found, node in results.items() if node in kept}
    return form if cost(form, stored) < GAIN * cost(written, set(kept)) else None


class _Factors(Builder):
    """Makes the form.

    Attributes:
        splits: node -> (what is the same along a row, the table), whose product it is.
        made: node -> what takes its place; to begin with itself, where each bit has to stay.
        guards, never, zeros: see `Form`.
        alone: what one node reads.
        shifts: what may be zero instead, where the sums `exponentials` are moderate then.
        counts: factor -> of how many moderate ones it is the product.
        rows: the analysis with the new nodes.
    """

    def __init__(self, written: Form, kept: Collection[Node]) -> None:
        super().__init__()
        nodes, rows = written.nodes, written.rows
        exact = compared(nodes, written.results)
        self.shifts, self.exponentials = cancelling(nodes, written.results, exact)
        self.group = set(nodes)
        self.rows = Rows(rows.extent, dict(rows.axis), dict(rows.kind), rows.heavy)
        self.splits: dict[Node, tuple[Node, Node]] = {}
        self.made = {node: node for node in exact}
        self.guards: dict[Node, tuple[float, float]] = {}
        self.counts: dict[Node, int] = {}
        self.never: dict[Node, None] = {}
        self.zeros: set[Node] = set()
        self.totals = columns.totals(nodes, rows)
        readers = Counter(x for node in nodes for x in node.inputs)
        self.alone = {x for x, count in readers.items() if count == 1 and x not in kept}

    def add(self, node: Node) -> None:
        """Takes the next node of the sweep."""
        if node in self.shifts:
            zero = self.constant(0.0, node.dtype, node.shape)
            self.made[node] = self._note(zero, ROWS, self.rows.axis.get(node))
        elif not (self._has_rows_before_the_last(node) and self._taken_apart(node)):
            inputs = tuple([self.of(x) for x in node.inputs])
            self.made[node] = self._unshifted(node, inputs) or self._again(node, inputs)

    def add_totals(self) -> None:
        """Makes the sums that consist of others, once those are made."""
        for node, terms in self.totals.items():
            made = columns.total(self, [(c, self.of(sums)) for c, sums in terms], node)
            for x in made:
                self._note(x, CROSS, None)
            for c, _ in terms:
                self.guards.setdefault(c, (0.0, MODERATE[c.dtype.name][1]))
            self._guarded(made[-1])
            self.made[node] = made[-1]

    def _column_sums(self, node: Node) -> Node | None:
        """The sums of columns, rows weighted by their factor."""
        (x,) = node.inputs
        found = self._weighted(x)
        if found is None or found[0].shape != (x.shape[0], 1):
            return None
        weights = self._note(self.reshape(found[0], x.shape[:1]), ROWS, -1)
        inputs, attrs = (weights, found[1]), {"spec": "i,ij->j"}
        made = self.shaped("contract", inputs, node.shape, node.dtype, node, attrs)
        self._guarded(made)
        return self._note(made, CROSS, None)

    def _taken_apart(self, node: Node) -> bool:
        """Takes a table or a sum of one, where it has a factor."""
        if (found := self._split(node)) is not None:
            self.splits[node] = found
        elif (total := self._total(node)) is not None:
            self.made[node] = total
        return node in self.splits or node in self.made

    def _again(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """A node on other inputs."""
        made = self.unified(node, inputs, self.like)
        if node in self.exponentials:
            self.guards[made] = SHIFTED
        return self._note(made, self.rows.kind[node], self.rows.axis.get(node))

    def _unshifted(self, node: Node, inputs: tuple[Node, ...]) -> Node | None:
        """A sum or difference with a shift that is zero."""
        if node.op.name not in ("add", "sub") or not self.shifts.intersection(node.inputs):
            return None
        rest = [x for x, y in zip(inputs, node.inputs, strict=True) if y not in self.shifts]
        first = node.op.name == "add" or node.inputs[1] in self.shifts
        return rest[0] if rest and first and rest[0].shape == node.shape else None

    def of(self, node: Node) -> Node:
        """What takes the place of a node."""
        found = self.made.get(node)
        if found is None and node in self.splits:
            factor, table = self.splits[node]
            found = self.made[node] = self._like("mul", (factor, table), node)
        return node if found is None else found

    def _has_rows_before_the_last(self, node: Node) -> bool:
        """Whether this is a table of real numbers, or a sum of one, with rows beside each other."""
        x = node.inputs[0] if node.op.name == "sum" else node
        axis = self.rows.axis.get(x, -1)
        real = node.dtype.name in KINDS and x.dtype is node.dtype
        return real and axis != -1 and x.shape[-1] > 1 and self.rows.kind.get(x) == ROWS

    def _split(self, node: Node) -> tuple[Node, Node] | None:
        """A product with what is the same along a row, as that and the table."""
        name = node.op.name
        if name in ("mul", "div"):
            x, y = node.inputs
            if name == "mul" and y in self.splits:
                x, y = y, x
            number = number_of(y)
            if x in self.splits and name == "mul" and number is not None:
                return self._multiple(number, x)
            for table, thin in ((x, y), (y, x))[: 2 if name == "mul" else 1]:
                if table.shape == node.shape and self._is_thin(thin, node):
                    return self._times(name, table, thin)
        elif name == "neg" and node.inputs[0] in self.splits:
            factor, table = self.splits[node.inputs[0]]
            return self._factor("neg", factor), table
        elif name == "where":
            return self._chosen(node)
        return None

    def _multiple(self, number: float, x: Node) -> tuple[Node, Node] | None:
        least, most = MODERATE[x.dtype.name]
        if not least <= abs(number) <= most:
            return None
        factor, table = self.splits[x]
        constant = self.constant(number, x.dtype)
        self.counts[constant] = 1
        return self._factor("mul", factor, constant), table

    def _chosen(self, node: Node) -> tuple[Node, Node] | None:
        """A choice of zero by rows: no choice where no row is zero."""
        condition, first, second = node.inputs
        if not self._is_thin(condition, node):
            return None
        condition = self.of(self._unexpanded(condition))
        for zero, chosen in ((first, second), (second, first)):
            if number_of(zero) == 0 and chosen in self.splits and chosen.shape == node.shape:
                if zero is second:
                    condition = self._factor("logical_not", condition)
                self.never[condition] = None
                return self.splits[chosen]
        return None

    def _times(self, name: str, x: Node, thin: Node) -> tuple[Node, Node]:
        other = self.of(self._unexpanded(thin))
        if name == "div" or other not in self.counts:
            self._guarded(other, zero=name == "mul")
        factor, table = self.splits.get(x, (None, self.of(x)))
        if factor is not None:
            return self._factor(name, factor, other), table
        return other if name == "mul" else self._factor("reciprocal", other), table

    def _total(self, node: Node) -> Node | None:
        """A sum along rows, and along further axes, without the factors."""
        if columns.is_column_sum(node, self.rows):
            return self._column_sums(node)
        if node.op.name != "sum" or -1 not in node.attrs["axis"]:
            return None
        (x,) = node.inputs
        if (found := self._weighted(x)) is None:
            return None
        factor, table = found
        shape = (*x.shape[:-1], 1)
        attrs = {"axis": (-1,), "keepdims": True}
        total = self.shaped("sum", (table,), shape, x.dtype, node, attrs)
        self._note(total, ROWS, self.rows.axis[x])
        self._guarded(total)
        return self._reduced(self._factor("mul", factor, total), node)

    def _weighted(self, x: Node) -> tuple[Node, Node] | None:
        """A table as a factor and a table, also where it is a product of two that have factors."""
        if x in self.splits:
            return self.splits[x]
        if x not in self.alone or x not in self.group or x.op.name not in ("mul", "square"):
            return None
        both = (x.inputs[0], x.inputs[-1])
        splits = [self.splits[y] for y in both if y in self.splits]
        if not splits or any(y.shape != x.shape or y.op is FULL for y in both):
            return None
        factor = splits[0][0]
        if len(splits) == 2:
            factor = self._factor("mul", factor, splits[1][0])
        tables = {self.splits[y][1] if y in self.splits else self.of(y): None for y in both}
        factors = tuple(sorted(tables, key=lambda y: y.serial))
        return factor, self._like("mul" if len(factors) == 2 else "square", factors, x)

    def _reduced(self, rows: Node, node: Node) -> Node:
        """The sums of rows, of length 1, as the sum `node`."""
        if rows.shape == node.shape:
            return rows
        made = (
            self.shaped("sum", (rows,), node.shape, node.dtype, node, node.attrs)
            if len(node.attrs["axis"]) > 1
            else self.reshape(rows, node.shape)
        )
        return self._note(made, self.rows.kind[node], self.rows.axis.get(node))

    def _is_thin(self, x: Node, node: Node) -> bool:
        """Whether `x` is the same along the rows of `node`, and no number."""
        source = self._unexpanded(x)
        return source.op is not FULL and (source.ndim == 0 or source.shape[-1] == 1)

    def _unexpanded(self, x: Node) -> Node:
        while x.op.name == "expand" and x in self.group:
            (x,) = x.inputs
        return x

    def _factor(self, name: str, *inputs: Node) -> Node:
        """What is computed from things that are the same along a row."""
        shape = np.broadcast_shapes(*(x.shape for x in inputs))
        made = self.shaped(name, inputs, shape, inputs[0].dtype, inputs[0])
        axis = min((self.rows.axis[x] for x in inputs if x in self.rows.axis), default=None)
        if made.dtype.name in KINDS:
            self.counts[made] = sum(self.counts[x] for x in inputs)
            if self.counts[made] > FEW:
                self._guarded(made)
        return self._note(made, FIXED if axis is None else ROWS, axis)

    def _guarded(self, x: Node, zero: bool = False) -> None:
        """Sees to it that a factor is moderate, or may be 0 where nobody needs it not to be."""
        if not zero:
            self.zeros.discard(x)
        elif x not in self.guards:
            self.zeros.add(x)
        self.guards.setdefault(x, MODERATE[x.dtype.name])
        self.counts[x] = 1

    def _like(self, name: str, inputs: tuple[Node, ...], form: Node) -> Node:
        return self._note(self.make(name, inputs, form), ROWS, self.rows.axis[form])

    def _note(self, node: Node, kind: int, axis: int | None) -> Node:
        self.group.add(node)
        self.rows.kind[node] = kind
        if axis is not None:
            self.rows.axis[node] = axis
        return node

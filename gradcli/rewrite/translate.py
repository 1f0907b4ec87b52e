"""Each primitive as a term: what is a product or a sum becomes one, the rest is kept as it is.

Constraints: one row in `ROWS` for each op that changes; inputs are terms already.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

from gradcli.graph.dim import Dim, recovered
from gradcli.graph.dtype import BOOL
from gradcli.graph.node import Node
from gradcli.graph.op import ALIASES, DATA, FULL, OPS
from gradcli.graph.shape import Shape
from gradcli.graph.walk import ancestors
from gradcli.rewrite.places import unit_vector
from gradcli.rewrite.products import product
from gradcli.rewrite.sizes import size_node
from gradcli.rewrite.terms import (
    INDICATOR,
    PRODUCT,
    UNIT,
    Factor,
    Labels,
    Number,
    Terms,
    exact,
    factors_of,
    number_of,
)

Row = Callable[["Rewriter", Node, tuple[Node, ...]], "Node | None"]
"""`(rewriter, original, inputs as terms) -> term`; None leaves the op as it is."""
ROWS: dict[str, Row] = {}


def row(*names: str) -> Callable[[Row], Row]:
    """Puts a rule into `ROWS`."""

    def put(rule: Row) -> Row:
        for name in names:
            ROWS[name] = rule
        return rule

    return put


class Rewriter:
    """Rewrites graphs into terms.

    Args:
        dims: the declared sizes, which constants may have been computed from.
        last: the serial of the last node that is not part of a derivative.
        guards: whether choices around singular points stay.

    Attributes:
        idle, spared: conditions that never or always hold, because they only choose between two
            forms of one function.
        dropped: the conditions of choices that were left out.
    """

    def __init__(
        self, dims: Iterable[Dim] = (), last: int = 1 << 62, *, guards: bool = False
    ) -> None:
        self.dims = list(dims)
        self.guards = guards
        self.last = last
        self.idle: set[Node] = set()
        self.spared: set[Node] = set()
        self.dropped: dict[Node, None] = {}
        self.terms = Terms()
        self._known: dict[Node, Node] = {}

    def __call__(self, root: Node) -> Node:
        """The term of a node."""
        for node in ancestors([root], lambda node: node not in self._known):
            inputs = tuple(self._known[x] for x in node.inputs)
            self._known[node] = self._one(node, inputs)
        return self._known[root]

    def name(self, node: Node, term: Node) -> None:
        """Makes `term` what stands for `node`."""
        self._known[node] = term

    def _one(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        if node.value is not None and not inputs and node.op not in (DATA, FULL):
            return known(self, node)
        rule = ROWS.get(node.op.name)
        made = None if rule is None else rule(self, node, inputs)
        if made is None and len(inputs) == 1 and node.op.elementwise:
            made = self._folded(node, number_of(inputs[0]))
        if made is None:
            made = self.terms.node(node.op, inputs, node.shape, node.dtype, **node.attrs)
            made.span = made.span or node.span
        return made

    def _folded(self, node: Node, value: Number | None) -> Node | None:
        """A function of a number is a number."""
        function = getattr(math, node.op.name, None)
        if value is None or function is None:
            return None
        try:
            return self.terms.number(function(float(value)), node.shape)
        except (ValueError, OverflowError):
            return None

    # -- what rows are written with

    def times(self, shape: Shape, *factors: tuple[Node, Any], scale: Number = Fraction(1)) -> Node:
        """The product of powers of nodes that broadcast to `shape`."""
        result = self.terms.labels(len(shape))
        made = [Factor(x, aligned(x, result), exact(power)) for x, power in factors]
        return product(self.terms, made, result, shape, scale)

    def spread(self, x: Node, shape: Shape) -> Node:
        """`x` broadcast to `shape`."""
        return x if x.shape == shape else self.times(shape, (x, 1))

    def total(self, shape: Shape, *pairs: tuple[int, Node]) -> Node:
        """A sum of signed nodes that broadcast to `shape`."""
        return self.terms.total([(exact(s), self.spread(x, shape)) for s, x in pairs], shape)

    def relabelled(self, x: Node, labels: Labels, result: Labels, shape: Shape) -> Node:
        """One node with its axes elsewhere."""
        return product(self.terms, [self.unit(Factor(x, labels, Fraction(1)))], result, shape)

    def linear(self, node: Node, x: Node) -> Node:
        """The op of `node`, which is linear, on `x`: numbers come out."""
        scale, numbers, bare = self.bare(x)
        if scale == 0:
            return self.terms.number(0, node.shape)
        inner = self.terms.node(node.op, (bare,), node.shape, node.dtype, **node.attrs)
        if numbers and number_of(bare) is not None:
            inner = ROWS[node.op.name](self, inner, (bare,)) or inner
        return self.times(node.shape, (inner, 1), *numbers, scale=scale)

    def bare(self, x: Node) -> tuple[Number, list[tuple[Node, Number]], Node]:
        """A node as its scale, powers of numbers, and what is left of it."""
        scale, bare = self.terms.scaled(x)
        factors, result = factors_of(bare, self.terms)
        numbers = [f for f in factors if not f.labels]
        rest = [f for f in factors if f.labels]
        if numbers and bare.op is PRODUCT:
            bare = product(self.terms, rest, result, bare.shape)
        return scale, [(f.node, f.power) for f in numbers], bare

    def again(self, op: str, x: Node, shape: Shape, /, **attrs: Any) -> Node:
        """The term of another op on a term."""
        node = self.terms.node(OPS[op], (x,), shape, x.dtype, **attrs)
        return ROWS[op](self, node, (x,)) or node

    def unit(self, factor: Factor) -> Factor:
        """A factor with the common label on its axes of length 1."""
        pairs = zip(factor.labels, factor.node.shape, strict=True)
        return factor._replace(labels=tuple(UNIT if n == 1 else a for a, n in pairs))

    def size(self, value: Any) -> Node:
        """A number, with the names of the sizes that it was computed from."""
        named = recovered(value, self.dims)
        return size_node(self.terms, named) or self.terms.number(value)


def aligned(x: Node, result: Labels) -> Labels:
    """Labels of an operand's axes, matched from the right."""
    own = result[len(result) - x.ndim :]
    return tuple(UNIT if n == 1 else a for a, n in zip(own, x.shape, strict=True))


# -- numbers and variables


@row("full")
def _full(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    value = node.attrs["value"]
    if isinstance(value, complex) or not math.isfinite(value):
        return None
    number = r.size(int(value) if isinstance(value, bool) else value)
    return r.spread(number, node.shape)


def known(r: Rewriter, node: Node) -> Node:
    """A value that was computed already: one number everywhere, a unit matrix, or itself."""
    value = node.value
    if node.op is not DATA:
        node = Node(DATA, (), {}, node.shape, node.dtype, False, value)
    if node.dtype.is_complex or (
        node.dtype.category < 2 and (node.ndim or not node.dtype.category)
    ):
        return node
    if node.size and (value == value.flat[0]).all() and math.isfinite(value.flat[0]):
        return r.spread(r.size(value.flat[0].item()), node.shape)
    if node.ndim == 1 and value.sum() == 1 and value.max() == 1 and (value >= 0).all():
        return unit_vector(r.terms, node.shape[0], int(value.argmax()))
    square = node.ndim == 2 and node.shape[0] == node.shape[1]
    if square and (value.sum(0) == 1).all() and (value.diagonal() == 1).all():
        (i,) = r.terms.labels(1)
        size = recovered(int(node.shape[0]), r.dims)
        return product(r.terms, [], (i, i), (size, size))
    return node


@row("data")
def _data(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    return known(r, node)


@row("symbol")
def _itself(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    return node


@row(*ALIASES, "require", "conj_physical", "real")
def _same(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    return inputs[0]


@row("overwrite")
def _written(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    return inputs[1]


@row("cast")
def _cast(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    (x,) = inputs
    number = number_of(x)
    if node.inputs[0].dtype.category == BOOL and node.dtype.category != BOOL:
        return x if number is not None else r.terms.node(INDICATOR, (x,), x.shape)
    if node.dtype.category < 2 and number is not None:
        return r.terms.number(int(number), x.shape)
    if node.dtype.category < 2:
        return x if node.inputs[0].dtype.category < 2 else None
    return _counted(r, x) or x


def _counted(r: Rewriter, x: Node) -> Node | None:
    """A number that is everywhere in an array of whole numbers, such as how many were summed."""
    if x.op is not DATA or x.value is None or x.value.dtype.kind not in "iu" or not x.size:
        return None
    first = x.value.flat[0]
    return r.spread(r.size(int(first)), x.shape) if (x.value == first).all() else None


# -- arithmetic


@row("add")
def _add(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """A sum; cotangents are added up from the last use to the first, and written the other way."""
    x, y = inputs
    if node.serial > r.last and number_of(x) is None and number_of(y) is None:
        x, y = y, x
    return r.total(node.shape, (1, x), (1, y))


@row("sub")
def _sub(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    return r.total(node.shape, (1, inputs[0]), (-1, inputs[1]))


@row("neg")
def _neg(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    return r.terms.times(Fraction(-1), inputs[0])


@row("mul")
def _mul(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    return r.times(node.shape, (inputs[0], 1), (inputs[1], 1))


@row("div")
def _div(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    return r.times(node.shape, (inputs[0], 1), (inputs[1], -1))


@row("div_floor", "div_trunc")
def _rounded_quotient(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    quotient = r.times(node.shape, (inputs[0], 1), (inputs[1], -1))
    return r.terms.node(OPS[node.op.name.removeprefix("div_")], (quotient,), node.shape)


@row("pow")
def _pow(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    exponent = number_of(inputs[1])
    return None if exponent is None else r.times(node.shape, (inputs[0], exponent))


def _raised(power: Any) -> Row:
    return lambda r, node, inputs: r.times(node.shape, (inputs[0], power))


ROWS["square"] = _raised(2)
ROWS["reciprocal"] = _raised(-1)
ROWS["sqrt"] = _raised(Fraction(1, 2))
ROWS["rsqrt"] = _raised(Fraction(-1, 2))

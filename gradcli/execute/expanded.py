"""Sums of polynomials of tables, multiplied out so that BLAS adds them up.

Constraints: graph to graph. In `sum((X[:,None,:] - Y)**2, -1)` each factor lacks an axis that the
sum goes along or that is left, so the sum is a few products of matrices, and no table with all
axes is made. Differences of large numbers would cancel, so float32 is multiplied out in float64
and around a centre, and squares that come out too small to be exact are computed as written.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradcli.execute.backends.refined import Expression
from gradcli.execute.products import Factor, Products, axes_of
from gradcli.files.stored import Stored
from gradcli.graph.dtype import float32, float64
from gradcli.graph.node import Node
from gradcli.graph.numbers import number_of
from gradcli.graph.op import FULL
from gradcli.graph.shape import Shape

MOST = 8
"""Terms of a polynomial at most."""
LEAST = 1 << 21
"""Elements of a table from which it is worth a rewrite."""
UFUNCS = {"sub": "subtract", "mul": "multiply", "square": "square", "neg": "negative"}
"""Ops that make polynomials, and NumPy's names for them."""
Terms = dict[tuple[Factor, ...], float]


def expanded(order: Sequence[Node]) -> dict[Node, Node]:
    """For every node (inputs first) one that means the same, sums multiplied out where they can."""
    made = _Expander()
    found: dict[Node, Node] = {}
    for node in order:
        changed = made.like(node, tuple([found.get(x, x) for x in node.inputs]))
        found[node] = made.sum_of(changed) or changed
    return found


def may_expand(node: Node) -> bool:
    """Whether a node is a sum that is worth a look."""
    if node.op.name != "sum" or node.dtype is not float32:
        return False
    (x,) = node.inputs
    return x.ndim > 1 and x.size >= LEAST and x.value is None and x.op.name in UFUNCS


class _Expander(Products):
    """Makes the graph of products."""

    def __init__(self) -> None:
        super().__init__()
        self.memo: dict[tuple[Node, Shape], Terms | None] = {}

    def sum_of(self, node: Node) -> Node | None:
        """A sum, multiplied out; None where that is no gain."""
        if not may_expand(node):
            return None
        (x,) = node.inputs
        space, axes = x.shape, frozenset(node.attrs["axis"])
        terms = self._terms(x, space)
        splits = self.splits(terms, axes, space) if terms else None
        if splits is None:
            return None
        whole = tuple([1 if a - len(space) in axes else n for a, n in enumerate(space)])
        total = self.spread(self.total(splits, space), whole)
        made = self.cast(total, float32)
        if any(axes <= shared for shared in _shared(x, space)):
            # Each sum is of the differences of one pair, which may lie on each other.
            bounds = self._bounds(x, axes, space)
            if bounds is None:
                return None
            arrays: list[Node] = []
            attrs = {"bounds": len(bounds), "expression": _expression(x, space, arrays)}
            inputs = (total, *bounds, *arrays)
            made = self.shaped("refined", inputs, whole, float32, node, attrs)
        return self.reshape(made, node.shape)

    def _bounds(self, x: Node, axes: frozenset[int], space: Shape) -> list[Node] | None:
        """What adds up to no less than the absolute terms of a sum of squares with weights."""
        root, weights = _squared(x, space)
        roots = None if root is None else self._terms(root, space)
        if roots is None:
            return None
        sizes = [self.make("abs", (weight,), weight) for weight in weights]
        factors = tuple([Factor(size, axes_of(size)) for size in sizes])
        squares = {(*f, *f, *factors): len(roots) * c * c for f, c in roots.items()}
        splits = self.splits(squares, axes, space)
        return None if splits is None else [self.node_of(each, space) for each in splits]

    def _terms(self, x: Node, space: Shape) -> Terms | None:
        key = x, space
        if key not in self.memo:
            self.memo[key] = self._found_terms(x, space)
        return self.memo[key]

    def _found_terms(self, x: Node, space: Shape) -> Terms | None:
        number = number_of(x)
        if number is not None:
            return {(): number}
        x = _unexpanded(x)
        if _is_factor(x, space):
            return {(Factor(x, axes_of(x)),): 1.0}
        if x.value is not None:
            return None
        if x.op.name == "sub":
            return self._difference(x, space)
        if x.op.name not in UFUNCS:
            return None
        parts = [self._terms(each, space) for each in x.inputs]
        first, last = parts[0], parts[-1]
        if first is None or last is None:
            return None
        if x.op.name == "neg":
            return {factors: -c for factors, c in first.items()}
        return _multiplied(first, last)

    def _difference(self, node: Node, space: Shape) -> Terms | None:
        """The difference of two factors, each less a centre."""
        x, y = map(_unexpanded, node.inputs)
        if not (_is_factor(x, space) and _is_factor(y, space)) or FULL in (x.op, y.op):
            return None
        centre = self._centre(x, y)
        if centre is None:
            return None
        first, second = (self.both("sub", self.cast(z, float64), centre) for z in (x, y))
        return {(Factor(first, axes_of(x)),): 1.0, (Factor(second, axes_of(y)),): -1.0}

    def _centre(self, x: Node, y: Node) -> Node | None:
        """What a known one of two factors has at one place of the axes that the other lacks."""
        known = [z for z in (x, y) if z.value is not None and not isinstance(z.value, Stored)]
        if not known:
            return None
        z = min(known, key=lambda z: z.size)
        shared = axes_of(x) & axes_of(y)
        slices = tuple([(0, n if a - z.ndim in shared else 1, 1) for a, n in enumerate(z.shape)])
        shape = tuple([n for _, n, _ in slices])
        c = self.shaped("slice", (z,), shape, z.dtype, z, {"slices": slices})
        finite = self.make("isfinite", (c,), c, dtype="bool")
        c = self.make("where", (finite, c, self.constant(0, c.dtype)), c)
        return self.cast(c, float64)


def _unexpanded(x: Node) -> Node:
    while x.op.name == "expand" and x.value is None:
        (x,) = x.inputs
    return x


def _is_factor(x: Node, space: Shape) -> bool:
    """Whether a table lacks an axis of the whole."""
    return len(axes_of(x)) < len([n for n in space if n > 1])


def _multiplied(x: Terms, y: Terms) -> Terms | None:
    made: Terms = {}
    for a, p in x.items():
        for b, q in y.items():
            key = tuple(sorted((*a, *b), key=lambda factor: factor.node.serial))
            made[key] = made.get(key, 0.0) + p * q
    return made if len(made) <= MOST else None


def _shared(x: Node, space: Shape) -> list[frozenset[int]]:
    """The axes that both sides of each difference in `x` have."""
    x = _unexpanded(x)
    if _is_factor(x, space):
        return []
    if x.op.name == "sub":
        first, second = x.inputs
        return [axes_of(_unexpanded(first)) & axes_of(_unexpanded(second))]
    return [shared for each in x.inputs for shared in _shared(each, space)]


def _squared(x: Node, space: Shape) -> tuple[Node | None, list[Node]]:
    """What `x` is the square of, and the factors that the square is multiplied by."""
    x = _unexpanded(x)
    if x.op.name == "square":
        return x.inputs[0], []
    if x.op.name == "neg":
        return _squared(x.inputs[0], space)
    if x.op.name != "mul":
        return None, []
    first, second = x.inputs
    if first is second:
        return first, []
    for weight, rest in ((first, second), (second, first)):
        weight = _unexpanded(weight)
        if _is_factor(weight, space):
            root, weights = _squared(rest, space)
            return root, [*weights, weight]
    return None, []


def _expression(x: Node, space: Shape, arrays: list[Node]) -> Expression | int:
    """`x` as ufuncs of numbered arrays."""
    x = _unexpanded(x)
    number = number_of(x)
    if number is not None:
        return ("number", number)
    if _is_factor(x, space):
        if x not in arrays:
            arrays.append(x)
        return arrays.index(x)
    return (UFUNCS[x.op.name], *[_expression(each, space, arrays) for each in x.inputs])

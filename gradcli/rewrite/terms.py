"""The two n-ary ops that formulas are made of: products over labelled axes, and sums.

Constraints: `product` is `scale` times an Einstein sum of powers of its inputs: each factor has a
label for each axis, labels that are not in `result` are summed over, labels that only `result` has
repeat the value, a label twice in `result` is a diagonal. `total` adds inputs of one shape, each
times its scale. Numbers are products without factors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from gradcli.graph.dtype import DType, float64
from gradcli.graph.node import Node
from gradcli.graph.op import NoDerivative, Op
from gradcli.graph.shape import Shape

Labels = tuple[int, ...]
Number = Fraction | float
UNIT = 0
"""The label of every axis of length 1 in a factor."""
WRITTEN = NoDerivative("formulas are differentiated before they are rewritten")


def unshaped(*inputs: Node, **attrs: Any) -> tuple[Shape, DType]:
    """The shape rule of ops that only `Terms` makes, which says the shape itself."""
    raise AssertionError("Terms says the shape")


PRODUCT = Op("product", unshaped, WRITTEN, variadic=True)
"""Attrs `scale`, `powers` and `labels` (of each input), `result` (labels)."""
TOTAL = Op("total", unshaped, WRITTEN, variadic=True)
"""Attr `scales`, of each input."""
SIZE = Op("size", unshaped, WRITTEN)
"""A declared size: attr `name`."""
INDICATOR = Op("indicator", unshaped, WRITTEN)
"""1 where the condition holds, else 0."""
INVERSE = Op("inverse", unshaped, WRITTEN)
"""The inverse of a matrix."""
CALL = Op("call", unshaped, WRITTEN, variadic=True)
"""A function under a name of the language: attrs `name`, `arguments`."""


Pairs = list[tuple[Number, Any]]
"""The terms of a sum: (scale, node)."""
SUM_RULES: list[Any] = []
"""`(terms, pairs, shape) -> the sum as another node`, or None."""
SYMMETRIC: list[Callable[[Terms, Node], bool | None]] = []
"""`(terms, node) -> True` for a matrix that is its own transpose, else None."""


class Factor(NamedTuple):
    """A power of a node along labelled axes."""

    node: Node
    labels: Labels
    power: Number


class Terms:
    """Makes nodes, each once: equal ones are the same object."""

    def __init__(self) -> None:
        self._made: dict[Any, Node] = {}
        self._sums: dict[Any, Node] = {}
        self._label = UNIT
        self._symmetric: dict[Node, bool] = {}
        self._lengths: dict[Node, int] = {}

    def node(
        self,
        op: Op,
        inputs: Iterable[Node],
        shape: Shape,
        dtype: DType = float64,
        /,
        **attrs: Any,
    ) -> Node:
        """The node of `op` on `inputs`."""
        inputs = tuple(inputs)
        key = (op.name, tuple(x.serial for x in inputs), _hashable(attrs), shape)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = Node(op, inputs, attrs, shape, dtype)
        return found

    def labels(self, count: int) -> Labels:
        """New labels."""
        self._label += count
        return tuple(range(self._label - count + 1, self._label + 1))

    def number(self, value: Any, shape: Shape = ()) -> Node:
        """The number `value` in every element."""
        return self._product(exact(value), (), self.labels(len(shape)), shape)

    def _product(
        self, scale: Number, factors: Iterable[Factor], result: Labels, shape: Shape
    ) -> Node:
        """The node of a product in normal form: labels counted from 1 on a walk from the result."""
        named, names = self._walked(list(factors), result)
        named.sort(key=lambda f: _order(f, result, names))
        return self.node(
            PRODUCT,
            [f.node for f in named],
            shape,
            scale=scale,
            powers=tuple(f.power for f in named),
            labels=tuple(tuple(names[label] for label in f.labels) for f in named),
            result=tuple(names[label] for label in result),
        )

    def _walked(self, left: list[Factor], result: Labels) -> tuple[list[Factor], dict[int, int]]:
        """The factors and the numbers of their labels, in the order in which axes lead to them.

        An axis of a symmetric matrix that was reached first stands first.
        """
        names: dict[int, int] = {UNIT: UNIT}
        for label in result:
            names.setdefault(label, len(names))
        named = []
        while left:
            f = min(left, key=lambda f: _reached(f, names))
            left.remove(f)
            if len(f.labels) == 2 and self.symmetric(f.node):
                f = f._replace(labels=tuple(sorted(f.labels, key=lambda x: names.get(x, 1 << 30))))
            for label in f.labels:
                names.setdefault(label, len(names))
            named.append(f)
        return named, names

    def symmetric(self, node: Node) -> bool:
        """Whether a matrix is known to be its own transpose."""
        if node not in self._symmetric:
            self._symmetric[node] = any(rule(self, node) for rule in SYMMETRIC)
        return self._symmetric[node]

    def length(self, node: Node) -> int:
        """How many variables and functions a node is written with; numbers are none."""
        if node not in self._lengths:
            own = node.op not in (PRODUCT, TOTAL) and number_of(node) is None
            self._lengths[node] = int(own) + sum(map(self.length, node.inputs))
        return self._lengths[node]

    def made_product(
        self, scale: Number, factors: Iterable[Factor], result: Labels, shape: Shape
    ) -> Node:
        """A product whose factors are in normal form; a lone factor itself."""
        factors = list(factors)
        if scale == 0:
            return self._product(Fraction(0), (), self.labels(len(shape)), shape)
        if len(factors) == 1 and scale == 1:
            (only,) = factors
            ways = [only.labels, only.labels[:: -1 if self.symmetric(only.node) else 1]]
            alone = only.power == 1 and only.node.shape == shape
            if alone and any(_same_axes(labels, result) for labels in ways):
                return only.node
        return self._product(scale, factors, result, shape)

    def total(self, terms: Iterable[tuple[Number, Node]], shape: Shape) -> Node:
        """The sum of scaled nodes of one shape: like terms together, sums inside sums opened."""
        sums: dict[Node, Number] = {}
        whole: dict[Node, Number] = {}
        for scale, node in terms:
            own, bare = self.scaled(node)
            whole[bare] = whole.get(bare, Fraction(0)) + own * scale
        if len(whole) == 1:
            ((bare, scale),) = whole.items()
            return self.times(scale, bare)
        stack = [(scale, node) for node, scale in whole.items()][::-1]
        while stack:
            scale, node = stack.pop()
            if node.op is TOTAL:
                pairs = zip(node.attrs["scales"], node.inputs, strict=True)
                stack += [(scale * s, x) for s, x in pairs][::-1]
                continue
            own, bare = self.scaled(node)
            if bare.op is TOTAL:
                stack.append((scale * own, bare))
                continue
            sums[bare] = sums.get(bare, Fraction(0)) + scale * own
        left = [(s, x) for x, s in sums.items() if s != 0]
        if not left:
            return self.number(0, shape)
        if len(left) == 1:
            return self.times(left[0][0], left[0][1])
        for rule in SUM_RULES:
            made: Node | None = rule(self, left, shape)
            if made is not None:
                return made
        key = (frozenset((s, x.serial) for s, x in left), shape)
        if key not in self._sums:  # the same terms in another order are the same sum
            scales = tuple(s for s, _ in left)
            self._sums[key] = self.node(TOTAL, [x for _, x in left], shape, scales=scales)
        return self._sums[key]

    def scaled(self, node: Node) -> tuple[Number, Node]:
        """(scale, node without it)."""
        if node.op is not PRODUCT:
            return Fraction(1), node
        scale = node.attrs["scale"]
        if scale in (0, 1):
            return Fraction(scale), node
        return scale, self.times(Fraction(1) / scale, node)

    def times(self, scale: Number, node: Node) -> Node:
        """`scale` times a node."""
        if scale == 1:
            return node
        factors, result = factors_of(node, self)
        own = node.attrs["scale"] if node.op is PRODUCT else Fraction(1)
        return self.made_product(_tidy(own * scale), factors, result, node.shape)


def factors_of(node: Node, terms: Terms) -> tuple[list[Factor], Labels]:
    """The factors and result labels of a node, under new labels; of any but a product itself."""
    if node.op is not PRODUCT:
        own = tuple(
            UNIT if size == 1 else label
            for size, label in zip(node.shape, terms.labels(node.ndim), strict=True)
        )
        result = tuple(label or terms.labels(1)[0] for label in own)
        return [Factor(node, own, Fraction(1))], result
    used = {*node.attrs["result"], *(x for labels in node.attrs["labels"] for x in labels)}
    fresh = dict(zip(sorted(used), terms.labels(len(used)), strict=True)) | {UNIT: UNIT}
    factors = [
        Factor(x, tuple(fresh[label] for label in labels), power)
        for x, labels, power in zip(
            node.inputs, node.attrs["labels"], node.attrs["powers"], strict=True
        )
    ]
    return factors, tuple(fresh[label] for label in node.attrs["result"])


def number_of(node: Node) -> Number | None:
    """The number that a node holds in every element; None for any other node."""
    if node.op is PRODUCT and not node.inputs and len(set(node.attrs["result"])) == node.ndim:
        value: Number = node.attrs["scale"]
        return value
    return None


def exact(value: Any) -> Number:
    """A number as a fraction where it is one of small numbers."""
    if isinstance(value, (int, Fraction)):
        return Fraction(int(value) if isinstance(value, int) else value)
    return _tidy(float(value))


def _tidy(value: Number) -> Number:
    if isinstance(value, Fraction) or value != value or abs(value) > 1e15:
        return value
    near = Fraction(value).limit_denominator(1000)
    return near if abs(float(near) - value) <= 1e-15 * abs(value) else value


def _same_axes(labels: Labels, result: Labels) -> bool:
    """Whether a factor's axes are the result's, in order; axes of length 1 are alike."""
    return len(set(result)) == len(result) and all(
        a == b or (a == UNIT and b not in labels) for a, b in zip(labels, result, strict=True)
    )


def _order(factor: Factor, result: Labels, names: Mapping[int, int]) -> tuple[Any, ...]:
    places = tuple(result.index(x) if x in result else -1 for x in factor.labels)
    numbers = tuple(names[x] for x in factor.labels)
    return (factor.node.serial, places, float(factor.power), numbers)


def _reached(factor: Factor, names: Mapping[int, int]) -> tuple[Any, ...]:
    """What comes first on the walk: what has the first axes that were reached."""
    numbers = sorted(names.get(x, 1 << 30) for x in factor.labels)
    places = tuple(names.get(x, 1 << 30) for x in factor.labels)
    return (numbers, factor.node.serial, float(factor.power), places)


def _hashable(attrs: Mapping[str, Any]) -> Any:
    return tuple(sorted((k, v if _hashes(v) else repr(v)) for k, v in attrs.items()))


def _hashes(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True

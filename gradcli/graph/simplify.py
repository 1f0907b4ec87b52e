"""A graph made smaller before it is executed: repeated work once, constants folded.

Constraints: graph to graph, results the same up to rounding; linear in the nodes. Each rule looks
at one node whose inputs are simplified already; signs and numbers are in numbers.py.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from gradcli.graph import branches, numbers, places
from gradcli.graph.build import Builder
from gradcli.graph.node import Node
from gradcli.graph.op import ALIASES, FULL
from gradcli.graph.places import is_spread
from gradcli.graph.shape import reduced

Attrs = Mapping[str, Any]
MODERATE = 1e-20, 1e20
"""What neither over- nor underflows times a number between 1 and the inverse of a size."""
LARGEST = {"float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}
"""The largest numbers of the dtypes in which exponentials are split."""

Rule = Callable[["Simplifier", tuple[Node, ...], Attrs, Node], Node | None]
"""`(simplifier, inputs, attrs, original) -> node that means the same`, or None."""


def simplified(order: Sequence[Node], targets: Collection[Node]) -> dict[Node, Node]:
    """For every target a node that means the same; equal work is done by one node.

    Args:
        order: the nodes without values that the targets need, inputs first.
    """
    found = Simplifier().run(order)
    return {node: found[node] for node in targets}


class Simplifier(Builder):
    """One pass of local rules.

    Attributes:
        shares: the log of a sum of exponentials, and what it was made of: (x, the shifted
            exponentials, their sum).
        inverses: the inverse of such a sum, which lies between 1 and the inverse of a size.
        readers: how many nodes read each node, as they were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shares: dict[Node, tuple[Node, Node, Node]] = {}
        self.inverses: set[Node] = set()
        self.readers: Counter[Node] = Counter()

    def run(self, order: Sequence[Node]) -> dict[Node, Node]:
        """For every node one that means the same."""
        found: dict[Node, Node] = {}
        self.readers.update([x for node in order for x in node.inputs])
        for node in order:
            inputs = tuple([found.get(x, x) for x in node.inputs])
            found[node] = self.unified(node, inputs, self.rewritten)
        return found

    def rewritten(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """`node` on other inputs, by the rule of its op."""
        rule = RULES.get(node.op.name)
        made = rule(self, inputs, node.attrs, node) if rule is not None else None
        return self.like(node, inputs) if made is None else made


def _alias(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """A value under another name."""
    return inputs[0]


def _written(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """A value in the place of another one, of which only derivatives know."""
    return inputs[1] if inputs[1].shape == node.shape else None


def _sum(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """The sum of negative values is the negative sum; a sum read by one sum only is part of it."""
    (x,) = inputs
    if (
        x.op.name == "neg"
        and x.value is None
        and x.dtype.is_floating_point
        and x.dtype is node.dtype
    ):
        made = _sum(s, x.inputs, attrs, node) or s.make("sum", x.inputs, node, **attrs)
        return s.make("neg", (made,), node)
    if x.op is node.op and x.value is None and x.dtype is node.dtype:
        return _sum_of_sum(s, x, attrs, node) if s.readers[node.inputs[0]] == 1 else None
    return branches.counted(s, x, attrs, node) or places.total(s, inputs, attrs, node)


def _sum_of_sum(s: Simplifier, x: Node, attrs: Attrs, node: Node) -> Node:
    """The axes of both at once."""
    (table,) = x.inputs
    axes = set(x.attrs["axis"])
    left = [a for a in range(-table.ndim, 0) if x.attrs["keepdims"] or a not in axes]
    along = tuple(sorted(axes.union([left[a] for a in attrs["axis"]])))
    both = {"axis": along, "keepdims": False}
    shape = reduced(table.shape, along, False)
    return s.reshape(s.shaped("sum", (table,), shape, node.dtype, node, both), node.shape)


def _respread(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """A constant in another shape is a constant; a reshape of a reshape is one."""
    (x,) = inputs
    if x.op is FULL:
        return s.constant(x.attrs["value"], node.dtype, node.shape)
    if x.shape == node.shape:
        return x
    if node.op.name != "reshape" or x.op is not node.op or x.value is not None:
        return None
    (source,) = x.inputs
    if source.shape == node.shape:
        return source
    return s.make("reshape", (source,), node, axes=source.ndim, shape=node.shape)


def _algebra(
    simplify: Callable[..., Node | None], fold: Callable[[Any, Any], Any] | None = None
) -> Rule:
    """Two constants are one; signs and numbers meet."""

    def rule(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
        if fold is not None and all([x.op is FULL for x in inputs]) and node.dtype.category >= 2:
            values = [x.attrs["value"] for x in inputs]
            try:
                value = fold(*values)
            except (ArithmeticError, ValueError):
                return None
            fits = not all(values) or numbers.RANGE[0] < abs(value) < numbers.RANGE[1]
            return s.constant(value, node.dtype, node.shape) if fits else None
        return simplify(s, *inputs, node)

    return rule


def _total(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """Two contractions with the same factor are one: `A@x + A@y` is `A@(x + y)`."""
    x, y = inputs
    if x.op.name != "contract" or y.op is not x.op or x.attrs != y.attrs or x.shape != y.shape:
        return branches.total(s, x, y, node) or numbers.total(s, x, y, node)
    if x.value is not None or y.value is not None:
        return None
    for shared, other in ((0, 1), (1, 0)):
        a, b = x.inputs[other], y.inputs[other]
        if x.inputs[shared] is y.inputs[shared] and a.shape == b.shape:
            both = s.make("add", (a, b), a)
            factors = (x.inputs[0], both) if other == 1 else (both, x.inputs[1])
            return s.make("contract", factors, node, **x.attrs)
    return None


def _log_softmax(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """`x - max - log(sum)`: what an exponential of it needs is computed already."""
    (x,) = inputs
    if not _splits(x):
        return None
    axis = (attrs["axis"],)
    shifted, powers, norm, _ = _shifted(s, x, axis)
    made = s.make("sub", (shifted, s.make("log", (norm,), norm)), node)
    s.shares[made] = (x, powers, norm)
    return made


def _softmax(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    (x,) = inputs
    if not _splits(x):
        return None
    _, powers, norm, _ = _shifted(s, x, (attrs["axis"],))
    return _share(s, powers, norm, node)


def _share(s: Simplifier, powers: Node, norm: Node, node: Node) -> Node:
    """Shifted exponentials by their sum."""
    inverse = s.make("reciprocal", (norm,), norm)
    s.inverses.add(inverse)
    return s.make("mul", (powers, inverse), node)


def _logsumexp(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    (x,) = inputs
    if not _splits(x):
        return None
    _, powers, norm, top = _shifted(s, x, attrs["axis"], finite=True)
    made = s.make("add", (s.make("log", (norm,), norm), top), norm)
    s.shares[made] = (x, powers, norm)
    return made if attrs["keepdims"] else s.reshape(made, node.shape)


def _splits(x: Node) -> bool:
    return x.dtype.name in LARGEST and x.ndim > 0 and x.size > 0


def _shifted(
    s: Simplifier, x: Node, axis: tuple[int, ...], finite: bool = False
) -> tuple[Node, Node, Node, Node]:
    """x - max, its exponentials, their sum, and max along `axis`.

    Where max is to be `finite` the largest number stands for an infinite one: what is finite beside
    an infinity has the exponential 0, however large it is.
    """
    shape = reduced(x.shape, axis, True)
    rows = s.constant(0, x.dtype, shape)
    top = s.make("amax", (x,), rows, axis=axis, keepdims=True)
    if finite:
        known = s.make("isfinite", (top,), rows, dtype="bool")
        top = s.make("where", (known, top, s.constant(LARGEST[x.dtype.name], x.dtype)), rows)
    shifted = s.make("sub", (x, top), x)
    powers = s.make("exp", (shifted,), x)
    return shifted, powers, s.make("sum", (powers,), rows, axis=axis, keepdims=True), top


def _exp(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """The exponential of a log share is the share."""
    (x,) = inputs
    found = s.shares.get(x)
    if found is None and x.op.name == "sub" and x.value is None:
        whole, part = x.inputs
        while part.op.name in ("reshape", "expand") and part.value is None:
            (part,) = part.inputs
        found = s.shares.get(part)
        if found is not None and found[0] is not whole:
            found = None
    if found is None:
        return None
    _, powers, norm = found
    return _share(s, powers, norm, node)


def _product(s: Simplifier, x: Node, y: Node, node: Node) -> Node | None:
    """A moderate number times a share goes to the inverse of the sum, which is the smaller one."""
    for c, share in ((x, y), (y, x)):
        number = numbers.number_of(c)
        if number is None or not MODERATE[0] < abs(number) < MODERATE[1]:
            continue
        if share.op.name == "mul" and share.value is None and share.inputs[1] in s.inverses:
            powers, inverse = share.inputs
            factor = s.make("mul", (s.constant(number, node.dtype), inverse), inverse)
            return s.make("mul", (powers, factor), node)
    return branches.product(s, x, y, node) or numbers.product(s, x, y, node)


def _difference(s: Simplifier, x: Node, y: Node, node: Node) -> Node | None:
    """Zeros with a value in each row take part where the value is."""
    if x.shape == y.shape == node.shape:
        for spread, whole, name in ((x, _from_zero, "add"), (y, None, "sub")):
            if not is_spread(spread):
                continue
            rest = x if whole is None else whole(s, y, node)
            _, source, *indices = spread.inputs
            read = (rest, *indices)
            picked = s.shaped("index", read, source.shape, node.dtype, node, spread.attrs)
            changed = s.make(name, (picked, source), source)
            return s.make("index_put", (rest, changed, *indices), node, **spread.attrs)
    return branches.total(s, x, y, node, -1) or numbers.difference(s, x, y, node)


def _from_zero(s: Simplifier, x: Node, node: Node) -> Node:
    """`0 - x`: of a negative multiple of a share a positive one, zeros positive all the same."""
    if x.op.name == "mul" and x.value is None and x.inputs[0].op.name == "exp":
        powers, factor = x.inputs
        number = numbers.number_of(factor.inputs[0]) if factor.op.name == "mul" else None
        if number is not None and number < 0 and factor.inputs[1] in s.inverses:
            operands = (s.constant(-number, node.dtype), factor.inputs[1])
            return s.make("mul", (powers, s.make("mul", operands, factor)), node)
    return s.make("sub", (s.constant(0, node.dtype), x), node)


RULES: dict[str, Rule] = {
    **dict.fromkeys(ALIASES, _alias),
    **{"overwrite": _written, "replace": _written, "sum": _sum},
    **{"expand": _respread, "reshape": _respread, "add": _total},
    "mul": _algebra(_product, operator.mul),
    "div": _algebra(numbers.quotient, operator.truediv),
    **{"neg": _algebra(numbers.negative), "sub": _algebra(_difference)},
    "pow": _algebra(numbers.power),
    **{"log_softmax": _log_softmax, "softmax": _softmax, "logsumexp": _logsumexp, "exp": _exp},
    "where": branches.choice,
    **{"index_add": places.index_add, "index": places.index},
}
"""Op name -> its rule."""

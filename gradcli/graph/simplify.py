"""A graph made smaller before it is executed: repeated work once, constants folded.

Constraints: graph to graph, results the same up to rounding; linear in the nodes. Each rule looks
at one node whose inputs are simplified already; signs and numbers are in numbers.py.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from gradcli.graph import numbers
from gradcli.graph.build import Builder
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.shape import reduced

Attrs = Mapping[str, Any]
DEPTH = 8
"""Through how many elementwise ops reading at positions is moved."""

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
    """

    def __init__(self) -> None:
        super().__init__()
        self.shares: dict[Node, tuple[Node, Node, Node]] = {}

    def run(self, order: Sequence[Node]) -> dict[Node, Node]:
        """For every node one that means the same."""
        found: dict[Node, Node] = {}
        for node in order:
            inputs = tuple([found.get(x, x) for x in node.inputs])
            found[node] = self.unified(node, inputs, self._rewritten)
        return found

    def _rewritten(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        rule = RULES.get(node.op.name)
        made = rule(self, inputs, node.attrs, node) if rule is not None else None
        return self.like(node, inputs) if made is None else made


def _alias(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """A value under another name."""
    return inputs[0]


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
        return numbers.total(s, x, y, node)
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
    return s.make("mul", (powers, s.make("reciprocal", (norm,), norm)), node)


def _logsumexp(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    (x,) = inputs
    if not _splits(x):
        return None
    _, powers, norm, top = _shifted(s, x, attrs["axis"])
    made = s.make("add", (s.make("log", (norm,), norm), top), norm)
    s.shares[made] = (x, powers, norm)
    return made if attrs["keepdims"] else s.reshape(made, node.shape)


def _splits(x: Node) -> bool:
    return x.dtype.name in ("float32", "float64") and x.ndim > 0 and x.size > 0


def _shifted(s: Simplifier, x: Node, axis: tuple[int, ...]) -> tuple[Node, Node, Node, Node]:
    """x - max, its exponentials, their sum, and max (0 where it is infinite) along `axis`."""
    shape = reduced(x.shape, axis, True)
    rows = s.constant(0, x.dtype, shape)
    top = s.make("amax", (x,), rows, axis=axis, keepdims=True)
    finite = s.make("isfinite", (top,), rows, dtype="bool")
    top = s.make("where", (finite, top, s.constant(0, x.dtype)), rows)
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
    return s.make("mul", (powers, s.make("reciprocal", (norm,), norm)), node)


def _index_add(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """One value a row, each written to a place of its own, needs no adding."""
    x, *indices = inputs
    if _own_places(x, indices, attrs["shape"]) is None:
        return None
    zeros = s.constant(0, node.dtype, node.shape)
    return s.make("index_put", (zeros, *inputs), node, axes=len(attrs["shape"]))


def _index(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """One value read from each row of an elementwise result needs only that of its operands."""
    x, *indices = inputs
    if attrs["axes"] == x.ndim:
        picked = s.constant(0, node.dtype, node.shape)
        along = _own_places(picked, indices, x.shape)
        if along is not None:
            return _read(s, x, tuple(indices), along, node, DEPTH)
    return None


def _read(
    s: Simplifier, x: Node, indices: tuple[Node, ...], along: int, node: Node, depth: int
) -> Node:
    """`x` read at one place a row: through elementwise ops with one operand of its shape."""
    thin = [y.ndim < -along or y.shape[along] == 1 for y in x.inputs]
    whole = [y.shape == x.shape for y in x.inputs]
    passes = all(a or b for a, b in zip(thin, whole, strict=True)) and whole.count(True) == 1
    if depth == 0 or x.value is not None or not x.op.elementwise or not passes:
        return s.shaped("index", (x, *indices), node.shape, x.dtype, node, node.attrs)
    operands = tuple(
        y if is_thin else _read(s, y, indices, along, node, depth - 1)
        for y, is_thin in zip(x.inputs, thin, strict=True)
    )
    return s.shaped(x.op.name, operands, node.shape, x.dtype, x, x.attrs)


def _own_places(x: Node, indices: Sequence[Node], shape: tuple[int, ...]) -> int | None:
    """The axis along which each row of `x` has one place; None where rows may share places."""
    if x.ndim != len(shape) or len(indices) != len(shape):
        return None
    others = []
    for axis, index in enumerate(indices):
        if index.op.name != "iota" or index.shape[axis] != index.size:
            others.append(axis)
        elif index.size != shape[axis]:
            return None
    return others[0] - x.ndim if len(others) == 1 and x.shape[others[0]] == 1 else None


def _sum(s: Simplifier, inputs: tuple[Node, ...], attrs: Attrs, node: Node) -> Node | None:
    """Summing along the axis that values were spread over gives the values back."""
    (x,) = inputs
    if x.op.name != "index_put" or x.value is not None or x.inputs[0].op is not FULL:
        return None
    zeros, source, *indices = x.inputs
    along = _own_places(source, indices, x.shape)
    if zeros.attrs["value"] != 0 or along is None or attrs["axis"] != (along,):
        return None
    return s.reshape(source, node.shape)


RULES: dict[str, Rule] = {
    **{"leaf": _alias, "detach": _alias, "clone": _alias},
    **{"expand": _respread, "reshape": _respread, "add": _total},
    "mul": _algebra(numbers.product, operator.mul),
    "div": _algebra(numbers.quotient, operator.truediv),
    **{"neg": _algebra(numbers.negative), "sub": _algebra(numbers.difference)},
    "pow": _algebra(numbers.power),
    **{"log_softmax": _log_softmax, "softmax": _softmax, "logsumexp": _logsumexp, "exp": _exp},
    **{"index_add": _index_add, "sum": _sum, "index": _index},
}
"""Op name -> its rule."""

"""A graph made smaller before it is executed: repeated work once, constants folded, factors
gathered.

Constraints: graph to graph, results the same up to rounding; linear in the nodes. Each rule looks
at one node whose inputs are simplified already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.op import FULL, OPS, Op

Rule = Callable[[tuple[Node, ...], dict[str, Any], Node], Node | None]
"""`(inputs, attrs, original) -> node that means the same`, or None."""


def simplified(order: Sequence[Node]) -> dict[Node, Node]:
    """For every node of `order` (inputs first) one that means the same; equal ones share one."""
    found: dict[Node, Node] = {}
    known: dict[Any, Node] = {}
    for node in order:
        inputs = tuple(found.get(x, x) for x in node.inputs)
        key = _key(node.op, inputs, node.attrs, node)
        same = known.get(key)
        if same is None:
            same = known[key] = _rewritten(node, inputs)
        found[node] = same
    return found


def _key(op: Op, inputs: tuple[Node, ...], attrs: Any, node: Node) -> Any:
    try:
        key = (op, inputs, tuple(sorted(attrs.items())), node.shape, node.dtype)
        hash(key)
    except TypeError:
        return node
    return key if inputs or op is FULL else node


def _rewritten(node: Node, inputs: tuple[Node, ...]) -> Node:
    rule = RULES.get(node.op.name)
    made = rule(inputs, dict(node.attrs), node) if rule is not None else None
    if made is not None:
        return made
    if inputs == node.inputs:
        return node
    return _node(node.op, inputs, node, node.attrs)


def _node(op: Op, inputs: tuple[Node, ...], like: Node, attrs: Any) -> Node:
    made = Node(op, inputs, attrs, like.shape, like.dtype, like.tracked)
    made.span = like.span
    return made


def _constant(value: complex, like: Node) -> Node:
    return _node(FULL, (), like, {"value": value, "shape": like.shape})


def _spread_constant(inputs: tuple[Node, ...], attrs: dict[str, Any], node: Node) -> Node | None:
    """A constant in another shape is a constant."""
    (x,) = inputs
    return _constant(x.attrs["value"], node) if x.op is FULL else None


def _product(inputs: tuple[Node, ...], attrs: dict[str, Any], node: Node) -> Node | None:
    """Numbers multiply together: `a*(b*x)` is `(a*b)*x`, `1*x` is `x`."""
    x, y = inputs
    if x.op is FULL and y.op is FULL:
        return _constant(x.attrs["value"] * y.attrs["value"], node)
    number, other = (x, y) if x.op is FULL else (y, x)
    if number.op is not FULL or other.shape != node.shape or node.dtype.category < 2:
        return None
    if number.attrs["value"] == 1:
        return other
    if other.op is not node.op:
        return None
    inner = next((i for i in other.inputs if i.op is FULL), None)
    rest = next((i for i in other.inputs if i.op is not FULL), None)
    if inner is None or rest is None:
        return None
    return _node(node.op, (_scaled(number, inner), rest), node, node.attrs)


def _scaled(a: Node, b: Node) -> Node:
    like = a if a.size >= b.size else b
    return _constant(a.attrs["value"] * b.attrs["value"], like)


def _quotient(inputs: tuple[Node, ...], attrs: dict[str, Any], node: Node) -> Node | None:
    """Constants divide; `x/1` is `x`."""
    x, y = inputs
    if y.op is not FULL or not node.dtype.is_floating_point:
        return None
    value = y.attrs["value"]
    if x.op is FULL and value != 0:
        return _constant(x.attrs["value"] / value, node)
    return x if value == 1 and x.shape == node.shape else None


def _negated(inputs: tuple[Node, ...], attrs: dict[str, Any], node: Node) -> Node | None:
    (x,) = inputs
    return _constant(-x.attrs["value"], node) if x.op is FULL and node.dtype.signed else None


def _total(inputs: tuple[Node, ...], attrs: dict[str, Any], node: Node) -> Node | None:
    """Two contractions with the same factor are one: `A@x + A@y` is `A@(x + y)`."""
    x, y = inputs
    if x.op.name != "contract" or y.op is not x.op or x.attrs != y.attrs or x.shape != y.shape:
        return None
    for shared, other in ((0, 1), (1, 0)):
        a, b = x.inputs[other], y.inputs[other]
        if x.inputs[shared] is y.inputs[shared] and a.shape == b.shape and _computed(x, y):
            both = _node(OPS["add"], (a, b), a, {})
            factors = (x.inputs[0], both) if other == 1 else (both, x.inputs[1])
            return _node(x.op, factors, node, x.attrs)
    return None


def _computed(x: Node, y: Node) -> bool:
    return x.value is None and y.value is None


RULES: dict[str, Rule] = {
    **{"expand": _spread_constant, "reshape": _spread_constant},
    **{"mul": _product, "div": _quotient, "neg": _negated, "add": _total},
}
"""Op name -> its rule."""

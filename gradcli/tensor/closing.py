"""Leaving a level of differentiation: results lose the variables of the level, and keep outer ones.

Constraints: graph to graph, values are kept; what depends on no variable of the level stays the
same node.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from gradcli.graph.call import give, swapped
from gradcli.graph.node import Node
from gradcli.graph.op import LEAF
from gradcli.graph.walk import ancestors
from gradcli.tensor.accumulator import Autograd
from gradcli.tensor.blocks import apart, is_apart
from gradcli.tensor.levels import active
from gradcli.tensor.storage import detached


def closed(outputs: Sequence[Node], owners: set[Autograd]) -> list[Node]:
    """The outputs, with what the variables of `owners` were made from in their place."""
    found: dict[Node, Node] = {}
    calls: dict[int, tuple[Node, ...]] = {}
    for node in ancestors(outputs, _is_tracked):
        if node.op is LEAF and node.attrs["owner"] in owners:
            found[node] = found.get(node.inputs[0], node.inputs[0])
        elif any(x in found for x in node.inputs):
            found[node] = copy = _copied(node, found, calls)
            if is_apart(node) and goes_on(copy, owners):
                apart.copies.add(copy)
            elif is_apart(node):
                found[node] = detached(copy)
    return [found.get(y, y) for y in outputs]


def others(outputs: Sequence[Node], owners: Container[Autograd]) -> bool:
    """Whether the outputs depend on a variable that is not of `owners`."""
    for node in ancestors(outputs, lambda x: x.tracked and not is_apart(x)):
        sources = [x for x in node.inputs if x.tracked]
        variable = node.op is LEAF
        own = variable and node.attrs["owner"] in owners
        if not own and (variable or not sources):
            return True
    return False


def depend(outputs: Sequence[Node], owners: set[Autograd]) -> bool:
    """Whether the outputs depend on a variable of `owners`."""
    known = ancestors(outputs, _is_tracked)
    return any(x.op is LEAF and x.attrs["owner"] in owners for x in known)


def goes_on(node: Node, owners: set[Autograd]) -> bool:
    """Whether forward mode outside of the level of `owners` goes through `node`."""
    forward = (x.autograd for level in active if level.forward for x in level.variables)
    return depend([node], set(forward) - owners)


def _is_tracked(node: Node) -> bool:
    return node.tracked


def _copied(node: Node, found: dict[Node, Node], calls: dict[int, tuple[Node, ...]]) -> Node:
    inputs = tuple(found.get(x, x) for x in node.inputs)
    tracked = any(x.tracked for x in inputs)
    copy = Node(node.op, inputs, node.attrs, node.shape, node.dtype, tracked, node.value)
    copy.span, copy.pending, copy.released = node.span, node.pending, node.released
    if tracked and node.call is not None:
        give(copy, swapped(node.call, lambda x: found.get(x, x), calls))
    if copy.value is not None and not tracked:
        copy.inputs = ()
    return copy

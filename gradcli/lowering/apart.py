"""Whether lists that grow, or histories, hold what a program is about to replace.

Constraints: a program leaves its results in the objects of the iteration before it. Where the loop
makes such an object anew each time, nobody else may have it, or what he kept would change.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from gradcli.graph.forms import is_plain
from gradcli.graph.node import Node
from gradcli.graph.op import LEAF
from gradcli.tensor import Tensor

MOST = 1000
"""Nodes of histories that are gone through."""
_PLAIN = frozenset((int, float, bool, str, type(None)))


def hold(holders: list[Any], fresh: set[int], known: Container[int] = ()) -> bool:
    """Whether lists and nodes lead to an object whose `id` is in `fresh`, or to more than can be
    told.

    Args:
        known: `id`s of tensors that they may hold.
    """
    stack = [*holders]
    nodes: set[Node] = set()
    while stack:
        value = stack.pop()
        if isinstance(value, Tensor):
            if id(value) in known:
                continue
            view = value._view
            stack += () if view is None or view.base is None else (view.base,)
            parts = (value, value._node, value._storage, value._autograd)
            if any(id(part) in fresh for part in parts):
                return True
            value = value._node
        if isinstance(value, Node):
            if id(value) in fresh or len(nodes) > MOST:
                return True
            if value not in nodes and value.tracked and not value.released:
                nodes.add(value)
                if value.op is LEAF:
                    continue
                if not is_plain(tuple(value.attrs.values())):
                    return True
                stack += value.inputs
        elif isinstance(value, (list, tuple)):
            stack += () if set(map(type, value)) <= _PLAIN else value
        elif isinstance(value, dict):
            stack += value.values()
    return False

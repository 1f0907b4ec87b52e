"""Ways through a graph: what a node depends on, in order, without recursion.

Constraints: linear in nodes and edges, for graphs of millions of nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter

from gradcli.graph.node import Node


def ancestors(roots: Iterable[Node], follow: Callable[[Node], bool]) -> list[Node]:
    """The nodes that `roots` depend on, roots included, in topological order (inputs first).

    Only nodes for which `follow` holds are listed and walked through.
    """
    seen: set[Node] = set()
    stack = [root for root in roots if follow(root)]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        stack.extend([x for x in node.inputs if x not in seen and follow(x)])
    return sorted(seen, key=attrgetter("serial"))


def depth_first(roots: Iterable[Node], group: set[Node]) -> list[Node]:
    """The nodes of `group` that `roots` depend on, inputs first, each as late as it can be.

    What few others need is dropped soon, so that few values are held at a time.
    """
    order: list[Node] = []
    seen: set[Node] = set()
    for root in roots:
        stack = [(root, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                order.append(node)
            elif node in group and node not in seen:
                seen.add(node)
                stack.append((node, True))
                stack.extend([(x, False) for x in reversed(node.inputs)])
    return order

"""What a sweep has to compute to the last bit as other sweeps do.

Constraints: reads nodes, computes nothing. A gradient of extremes goes where an element equals
the extreme, so both must come of the same steps, also where a sweep finds the one and a later
sweep computes the other anew.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.walk import ancestors

EXTREMES = ("amax", "amin")
COMPARISONS = ("eq", "ne")


def compared(nodes: Sequence[Node], results: Collection[Node]) -> set[Node]:
    """The nodes of a sweep that an extreme among its results, or a comparison with what is known
    before the sweep, is computed from."""
    group, found = set(nodes), set[Node]()
    for node in nodes:
        name = node.op.name
        seen = name in EXTREMES and node in results
        if seen or (name in COMPARISONS and any(_is_known(x, group) for x in node.inputs)):
            found.update(node.inputs)
    return set(ancestors(found & group, group.__contains__))


def _is_known(x: Node, group: Collection[Node]) -> bool:
    while x in group and x.op.view:
        x = x.inputs[0]
    return x not in group and x.op is not FULL

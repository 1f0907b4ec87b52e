"""What a box does to a gradient: its derivative by each operand, as a graph of the rules.

Constraints: graph to graph; nothing is computed. The cotangent is a symbol called `g`.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradcli.graph.backward import Cotangents, propagate
from gradcli.graph.node import Node
from gradcli.graph.op import LEAF, SYMBOL
from gradcli.graph.walk import ancestors
from gradcli.tensor.storage import Stop


def local_derivatives(node: Node, operands: Sequence[Node]) -> dict[Node, Node]:
    """The cotangent that each tracked operand gets when `node` gets `g`.

    What lies behind the operands does not count, also where one depends on another.
    """
    wanted = {x for x in operands if x.tracked and x is not node}
    if node.op is LEAF or node.op.multiple or not wanted:
        return {}
    inner = ancestors([node], lambda x: x.tracked and x not in wanted and x.op is not LEAF)
    reached = {*inner, *wanted}
    cotangents = Cotangents([(node, Node(SYMBOL, (), {"name": "g"}, node.shape, node.dtype))])
    with Stop(True):
        for x in reversed(inner):
            cotangent = cotangents.take(x)
            if cotangent is not None:
                for y, part in propagate(x, cotangent, reached):
                    cotangents.add(y, part, x)
        found = {x: cotangents.take(x) for x in operands if x in wanted}
    return {x: part for x, part in found.items() if isinstance(part, Node)}

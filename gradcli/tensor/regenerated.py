"""How autograd records a view again, after a write to what it is a view of.

Constraints: names and order are PyTorch's, which reads memory by strides wherever they tell the
view, and makes the steps of conjugates and of complex numbers' parts once more.
"""

from __future__ import annotations

from itertools import groupby

from gradcli.graph.node import Node
from gradcli.tensor.kept import called
from gradcli.tensor.storage import View, through

STRIDED = "AsStridedBackward0"
APART = frozenset(("conj", "view_as_complex", "view_as_real"))
"""View ops that no strides tell."""


def regenerated(root: Node, view: View, seen: Node) -> Node:
    """What a view, which last was `seen`, is of `root`; the one that autograd must not follow has
    its old name, others as few nodes as PyTorch makes of their steps."""
    node = root
    if view.caution:
        node = through(root, view.steps)
        node.call = seen.call
        return node
    for apart, run in groupby(view.steps, key=lambda step: step[0].name in APART):
        for part in [(step,) for step in run] if apart else [tuple(run)]:
            below = node
            node = called(through(below, part), part[0][0].name if apart else STRIDED, below)
    return node

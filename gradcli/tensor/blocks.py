"""Blocks of a script in which something holds for the nodes that are made there.

Constraints: a node's serial number says whether it was made in such a block.
"""

from __future__ import annotations

import math
import weakref

from gradcli.graph.dtype import bool_
from gradcli.graph.node import Node, constant
from gradcli.graph.op import LEAF


class Blocks:
    """Whether a block of one kind runs now, and the serial numbers of all of them.

    Attributes:
        asked: the grad mode that a script asked for inside, where it has no effect.
    """

    __slots__ = ("asked", "blocks", "copies", "enabled")

    def __init__(self) -> None:
        self.asked = False
        self.copies: weakref.WeakSet[Node] = weakref.WeakSet()
        self.enabled = False
        self.blocks: list[list[float]] = []

    def switch(self, enabled: bool) -> None:
        """Begins or ends a block."""
        if enabled is not self.enabled:
            now = constant(0, bool_).serial
            if enabled:
                self.blocks.append([now, math.inf])
            else:
                self.blocks[-1][1] = now
            self.enabled = enabled

    def covers(self, node: Node) -> bool:
        """Whether `node` was made in a block, or is one of the `copies` of such nodes."""
        return node in self.copies or any(
            first <= node.serial < last for first, last in self.blocks
        )


inference = Blocks()
"""Those of `inference_mode`."""
apart = Blocks()
"""Those without gradients inside of forward mode, which goes on there."""


def is_apart(node: Node) -> bool:
    """Whether only forward mode goes through `node`."""
    return bool(apart.blocks) and node.op is not LEAF and apart.covers(node)

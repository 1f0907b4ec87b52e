"""Anomaly mode: a backward pass that stops at the first gradient that is not a number.

Constraints: PyTorch's functions are what is named, of however many graph nodes one is made.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import array
from gradcli.graph.call import Call
from gradcli.graph.node import Node
from gradcli.graph.op import ITEM, LEAF
from gradcli.tensor.refusals import with_places


class Anomaly:
    """Whether the mode is on, and whether it looks for NaN."""

    __slots__ = ("check_nan", "enabled")

    def __init__(self) -> None:
        self.enabled = False
        self.check_nan = True


anomaly = Anomaly()


class Watch:
    """Looks at the gradients of one backward pass."""

    def __init__(self) -> None:
        self._functions: dict[Node, tuple[Node, Call]] = {}

    def __call__(self, node: Node, parts: Sequence[tuple[Node, Node]]) -> None:
        """Looks at what `node` passes on.

        Raises:
            GradcliError: G027 for a NaN that leaves one of PyTorch's functions.
        """
        made = self._functions.get(node) or (node, node.call)
        if node.call is not None:
            made = (node, node.call)
        last, call = made
        if call is None:
            return
        for i, (x, part) in enumerate(parts):
            if x not in call[1] and x.call is None and x.op is not LEAF:
                self._functions[x] = (last, call)
            elif x.op is not ITEM and np.isnan(array(part)).any():
                raise _found(last, call, x, sum(y is x for y, _ in parts[:i]))


def _found(node: Node, call: Call, x: Node, before: int) -> GradcliError:
    """The error about the gradient of `x`, which the function also took `before` places ahead."""
    places = [i for i, argument in enumerate(call[1]) if argument is x]
    place = places[before] if before < len(places) else 0
    error = GradcliError(
        "G027",
        f"Function '{call[0]}' returned nan values in its {place}th output.",
        help="look at the values it was computed from: --steps shows them",
    )
    return with_places(error, (node.span, "its gradient is not a number"))

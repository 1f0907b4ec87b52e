"""Primitives of networks and losses whose derivative is more than the derivative of their formula.

Constraints: see gradcli/ops. Everything else of `torch.nn.functional` is composed of other ops.
"""

from __future__ import annotations

from gradcli.graph.node import Node, lift
from gradcli.ops.elementwise import clamp_min, log, log1p, sigmoid
from gradcli.ops.rows import elementwise

LOWEST_LOG = -100.0
"""What PyTorch's binary cross entropy takes for the logarithm of 0."""
LEAST_SLOPE = 1e-12
"""The smallest x*(1 - x) that its gradient divides by."""


def _at_least(x: Node, least: float) -> Node:
    return clamp_min(x, lift(least, x))


# Composed of exp and log1p, the second derivative would be inf/inf for large negative x.
softplus = elementwise("softplus", lambda g, out, x: g * sigmoid(x), promotes="")
binary_cross_entropy = elementwise(
    "binary_cross_entropy",
    lambda g, out, x, y: g * (x - y) / _at_least((1 - x) * x, LEAST_SLOPE),
    lambda g, out, x, y: g * (_at_least(log1p(-x), LOWEST_LOG) - _at_least(log(x), LOWEST_LOG)),
    promotes="",
)

"""Primitives of networks and losses whose derivative is more than the derivative of their formula.

Constraints: see gradcli/ops. Everything else of `torch.nn.functional` is composed of other ops.
"""

from __future__ import annotations

import math

from gradcli.graph.dtype import COMPLEX
from gradcli.graph.node import Node, constant, current, lift
from gradcli.ops.elementwise import clamp_min, eq, log, log1p, sigmoid, where
from gradcli.ops.rows import elementwise, lacks

LEAST_SLOPE = 1e-12
"""The smallest x*(1 - x) that PyTorch's gradient of binary cross entropy divides by."""


# Composed of exp and log1p, the second derivative would be inf/inf for large negative x.
softplus = elementwise("softplus", lambda g, out, x: g * sigmoid(x), promotes="", fused=True)


def _logit(g: Node, out: Node, x: Node) -> Node:
    inside, nan = eq(out, out), constant(math.nan, x.dtype)
    if current.forward:  # which needs a factor of g
        return g / where(inside, x * (1 - x), nan)
    return where(inside, g / (x * (1 - x)), nan)


# Composed of log and div, the derivative would be NaN at 0 and 1 and a number outside.
logit = elementwise(
    "logit",
    _logit,
    promotes="",
    refuses=lacks("logit_cpu", COMPLEX),
    fused=True,
    halves=lambda x: log(x / (1 - x)),
)
binary_cross_entropy = elementwise(
    "binary_cross_entropy",
    lambda g, out, x, y: g * (x - y) / clamp_min((1 - x) * x, lift(LEAST_SLOPE, x)),
    lambda g, out, x, y: g * (log1p(-x) - log(x)),
    promotes="",
    halves=lambda x, y: (
        (y - 1) * clamp_min(log1p(-x), lift(-100, x)) - y * clamp_min(log(x), lift(-100, x))
    ),
)

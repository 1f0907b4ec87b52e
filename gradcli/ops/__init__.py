"""The op table: the primitives that rules speak of and that backends execute, one row an op.

Constraints: a row says shape, dtype, derivative for each input, kernel name and how it prints; it
knows no array library. Rules are `(g, out, x, y, *, attrs)`: `g` the cotangent, `out` the result.
Axes are negative (counted from the right), so that a cotangent with leading batch axes passes
through every rule.
"""

from gradcli.ops import (
    activation,
    elementwise,
    indexing,
    linalg,
    movement,
    reduction,
)
from gradcli.ops.rows import OPS

__all__ = [
    "OPS",
    "activation",
    "elementwise",
    "indexing",
    "linalg",
    "movement",
    "reduction",
]

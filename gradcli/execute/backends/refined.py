"""Sums of squares whose fast form may have cancelled: those that came out small are done again.

Constraints: the op is one of plans only; nobody differentiates it. Its operands are aligned with
the table whose squares are summed: an axis that they do not differ along has length 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.graph.dtype import DType, float32
from gradcli.graph.node import Node
from gradcli.graph.op import NoDerivative, Op
from gradcli.graph.shape import Shape

Array = Any
Expression = tuple[Any, ...]
"""(ufunc's name, operands): the number of an array, or an expression again."""
UNIT = 2.0**-53
"""Rounding of a float64."""
EXACT = 2.0**-25
"""The relative error that a float32 may have before it is rounded."""
PIECE = 1 << 16
"""Sums that are done again at a time."""


def _shape(x: Node, *others: Node, **attrs: Any) -> tuple[Shape, DType]:
    return x.shape, float32


refined = Op(
    "refined",
    _shape,
    NoDerivative("plans are made of graphs that are differentiated already"),
    variadic=True,
    elementwise=True,
)
"""Sums (float64) as float32. Further inputs: `bounds` arrays whose sum is no smaller than the sum
of the absolute terms; then the arrays that `expression` is of."""


def kernel(x: Array, *values: Array, bounds: int, expression: Expression) -> Array:
    """The sums, those computed as written that are below what the terms' rounding leaves exact."""
    limits, arrays = values[:bounds], values[bounds:]
    summed = [
        a
        for a in range(-x.ndim, 0)
        if x.shape[a] == 1 and any(v.ndim >= -a and v.shape[a] > 1 for v in arrays)
    ]
    out = x.astype(np.float32)
    count = 1
    for a in summed:
        count *= max(v.shape[a] for v in arrays if v.ndim >= -a)
    unit = (count + 5) * UNIT / EXACT
    if not x.size or x.min() >= unit * sum([limit.max() for limit in limits]):
        return out
    least = unit * sum(limits[1:], limits[0])
    again = np.flatnonzero(~(x >= least))  # NaN too
    places = np.unravel_index(again, x.shape)
    kept = [a for a in range(-x.ndim, 0) if a not in summed]
    turned = [_turned(v, x.ndim, kept, summed) for v in arrays]
    for first in range(0, again.size, PIECE):
        part = slice(first, first + PIECE)
        here = [places[a][part] for a in kept]
        picked = [
            v[tuple([i if n > 1 else 0 for i, n in zip(here, v.shape, strict=False)])]
            for v in turned
        ]
        found = _value(expression, picked)
        axes = tuple(range(-len(summed), 0))
        out.reshape(-1)[again[part]] = np.broadcast_to(found, _full(found, picked)).sum(axis=axes)
    return out


def _full(found: Array, picked: list[Array]) -> Shape:
    return np.broadcast_shapes(found.shape, *(v.shape for v in picked))


def _turned(value: Array, rank: int, kept: list[int], summed: list[int]) -> Array:
    """All axes, those that are summed over last."""
    whole = value.reshape((1,) * (rank - value.ndim) + value.shape)
    return np.transpose(whole, [rank + a for a in (*kept, *summed)])


def _value(expression: Any, arrays: list[Array]) -> Array:
    if isinstance(expression, int):
        return arrays[expression].astype(np.float64)
    name, *operands = expression
    if name == "number":
        return np.asarray(operands[0])
    ufunc = getattr(np, name)
    return ufunc(*[_value(each, arrays) for each in operands])


KERNELS = {"refined": kernel}

"""The ground of steps: what they are added to, and those that many ops have in common.

Constraints: see gradcli/execute/steps.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from gradcli.execute.backends import precise
from gradcli.execute.backends.numpy import NUMPY_DTYPES, Array
from gradcli.graph.node import Node

FEW = 4
"""Slices that are combined one by one faster than by a reduction."""
SPREAD = 2048
"""Elements up to which a smaller operand is written out before it is used."""


class Lines(Protocol):
    """What the steps are added to.

    Attributes:
        memo: what several ops have in common, by what it is and of which array.
    """

    memo: dict[Any, Any]

    def add(self, function: Callable[..., Any], *values: Any) -> None:
        """A call, without names."""

    def call(self, function: Callable[..., Any], values: Sequence[Any], **named: Any) -> None:
        """A call with names."""

    def put(self, target: Array, source: Array) -> None:
        """`target[...] = source`."""

    def new(self, node: Node) -> Array:
        """The array for a node's value."""

    def put_result(self, target: Array, function: Callable[..., Any], *values: Any) -> None:
        """`target[...] = function(*values)`."""

    def unexpanded(self, node: Node) -> Array:
        """The value of a node, or of what it is expanded from."""


Step = Callable[[Lines, Node, Sequence[Node], list[Any]], Array | None]
"""(lines, node, its inputs, their arrays): adds the steps and gives the array of the value."""


PLACED = "placed"
"""With the `id` of zeros, which live as long as the lines: the memo's key of the part written."""


def placed(lines: Lines, node: Node, part: Callable[[Array], Array], x: Array) -> Array:
    """Zeros, written once, with `x` in a `part` of them, which the memo knows of that array."""
    out = np.zeros(node.shape, NUMPY_DTYPES[node.dtype])
    lines.memo[PLACED, id(out)] = seen = part(out)
    lines.put(seen, x)
    return out


def is_float(node: Node, arrays: Sequence[Array]) -> bool:
    """Whether operands and result are real numbers of one dtype."""
    wanted = NUMPY_DTYPES[node.dtype]
    return wanted.char in "fd" and all(x.dtype == wanted for x in arrays)


def reduced(lines: Lines, function: Callable[..., Any], values: Sequence[Any]) -> None:
    """A step of a sum, along an axis without axes of one element before it."""
    if function not in (np.add.reduce, np.add.accumulate):
        return lines.add(function, *values)
    x, axis, dtype, out = values
    while axis and x.shape[0] == 1:
        x, axis, out = x[0], axis - 1, out[0, ...]
    if function == np.add.reduce and x.shape[axis] <= 2:
        parts = np.moveaxis(x, axis, 0)
        chain(lines, np.add, parts, out)
        # A reduction begins with 0, which a sum of negative zeros shows.
        return lines.add(np.add, out if len(parts) > 1 else parts[0, ...], ZERO[x.dtype.char], out)
    lines.add(function, x, axis, dtype, out)


ZERO = {kind: np.zeros((), kind) for kind in "fd"}


def chain(lines: Lines, ufunc: np.ufunc, parts: Array, out: Array) -> None:
    """The parts combined one after the other."""
    first = parts[0, ...]
    for i in range(1, len(parts)):
        apply(lines, ufunc, [first, parts[i, ...]], out)
        first = out


NAMED = (np.maximum, np.minimum)
"""The ufuncs that want the name of `out`."""


def apply(lines: Lines, ufunc: np.ufunc, operands: Sequence[Array], out: Array) -> None:
    """A ufunc of operands that broadcast to `out`."""
    given = [_spread(lines, x, out) for x in operands]
    if ufunc in NAMED:
        lines.call(ufunc, given, out=out)
    else:
        lines.add(ufunc, *given, out)


def fits(operands: Sequence[Array], out: Array) -> bool:
    """Whether each operand is one number, or as many as the result."""
    return all(x.size == 1 or x.shape == out.shape for x in operands)


def column(x: Array, place: int) -> Array:
    """What belongs to a place of the result along the last axis."""
    return x if not x.ndim else x[..., 0 if x.shape[-1] == 1 else place]


def _spread(lines: Lines, x: Array, out: Array) -> Array:
    """An operand in a form that NumPy is fast with: one number, or as many as the result has."""
    if x.size == 1:
        return x.reshape(())
    if x.shape == out.shape or x.size * 2 > out.size or out.size > SPREAD:
        return x
    wide = np.empty(out.shape, x.dtype)
    lines.put(wide, x)
    return wide


def rounded(lines: Lines, ufunc: np.ufunc, x: Array, out: Array) -> Array:
    """A ufunc, of small float32 arrays in float64, rounded; gives `out`."""
    if not precise.applies(x):
        lines.add(ufunc, x, out)
        return out
    wide = np.empty(x.shape, np.float64)
    lines.put(wide, x)
    lines.add(ufunc, wide, wide)
    lines.put(out, wide)
    return out

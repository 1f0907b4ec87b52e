"""The steps of softmax and its kin along rows.

Constraints: see gradcli/execute/steps.py; real numbers, so few that they are computed by way of
float64. What several of them have in common is done once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.execute.backends import cascade, precise
from gradcli.execute.backends.numpy import Array
from gradcli.execute.stepping import FEW, Lines, chain, is_float, reduced, rounded
from gradcli.graph.node import Node


def _shifted(
    lines: Lines, node: Node, arrays: list[Any], finite: bool = False
) -> tuple[Array, Array, Array] | None:
    """(max, x - max, its exponential) along rows of a few real numbers.

    Where max is to be `finite` it is 0 for an infinite one.
    """
    (x,), axis = arrays, node.attrs["axis"]
    rows = x.ndim and x.size and axis in (-1, (-1,))
    if not rows or not is_float(node, arrays) or not precise.applies(x):
        return None
    key = "shifted", id(x), finite
    known: tuple[Array, Array, Array] | None = lines.memo.get(key)
    if known is not None:
        return known
    top = np.empty((*x.shape[:-1], 1), x.dtype)
    if 1 < x.shape[-1] <= FEW:
        chain(lines, np.maximum, np.moveaxis(x, -1, 0), top[..., 0])
    else:
        lines.add(np.maximum.reduce, x, -1, None, top, True)
    if finite:
        infinite, zero = np.empty(top.shape, bool), np.zeros((), x.dtype)
        lines.add(np.isfinite, top, infinite)
        lines.add(np.logical_not, infinite, infinite)
        lines.add(np.putmask, top, infinite, zero)
    shifted, powers = np.empty_like(x, order="C"), np.empty_like(x, order="C")
    lines.add(np.subtract, x, top, shifted)
    rounded(lines, np.exp, shifted, powers)
    found = lines.memo[key] = top, shifted, powers
    return found


def _norm(lines: Lines, powers: Array) -> Array:
    """The sum of each row of exponentials, in PyTorch's order."""
    norm = np.empty((*powers.shape[:-1], 1), powers.dtype)
    if 1 < powers.shape[-1] <= FEW:
        chain(lines, np.add, np.moveaxis(powers, -1, 0), norm[..., 0])
    elif powers.shape[-1] < 2 * cascade.LANES[powers.dtype.char]:
        sums = np.empty_like(powers)
        lines.add(np.add.accumulate, powers, -1, None, sums)
        norm = sums[..., -1:]
    else:
        lines.put_result(norm, cascade.softmax_total, powers, -1)
    return norm


def softmax(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array | None:
    """Powers multiplied by the inverse of their sum."""
    found = _shifted(lines, node, arrays)
    if found is None:
        return None
    norm, out = _norm(lines, found[2]), lines.new(node)
    inverse, one = np.empty(norm.shape, norm.dtype), np.ones((), norm.dtype)
    lines.add(np.divide, one, norm, inverse)
    lines.add(np.multiply, found[2], inverse, out)
    return out


def log_softmax(
    lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]
) -> Array | None:
    """x - max less the logarithm of the sum."""
    found = _shifted(lines, node, arrays)
    if found is None:
        return None
    norm, out = _norm(lines, found[2]), lines.new(node)
    logarithm = rounded(lines, np.log, norm, np.empty(norm.shape, norm.dtype))
    lines.add(np.subtract, found[1], logarithm, out)
    return out


def logsumexp(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array | None:
    """The logarithm of the sum, and max."""
    found = _shifted(lines, node, arrays, finite=True)
    if found is None:
        return None
    top, _, powers = found
    total = cascade.total(powers, (-1,), lambda step, *values: reduced(lines, step, values))
    assert total is not None  # a few numbers in order
    out = lines.new(node)
    logarithm = rounded(lines, np.log, total, np.empty(total.shape, total.dtype))
    lines.add(np.add, logarithm, top[..., 0], out.reshape(total.shape))
    return out

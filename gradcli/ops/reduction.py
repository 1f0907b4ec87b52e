"""Reductions and scans: sums, products, extremes, cumulative ops, order.

Constraints: see gradcli/ops; `axis` is a tuple of negative axes, a single negative axis for scans
and order. Ties share a gradient evenly where PyTorch shares it (amax, amin).
"""

from __future__ import annotations

from typing import Any

from gradcli.graph.dtype import COMPLEX, LARGEST, DType, bool_, int64
from gradcli.graph.node import Node, constant, current
from gradcli.graph.op import FULL, INTEGRAL, Op
from gradcli.graph.shape import Shape, reduced
from gradcli.ops.elementwise import (
    cast,
    conj,
    eq,
    exp,
    gt,
    isnan,
    log,
    logical_and,
    logical_or,
    where,
)
from gradcli.ops.movement import expand, flip, reshape
from gradcli.ops.rows import lacks, same, zero

Axes = tuple[int, ...]


def restore(value: Node, x: Node, axis: Axes, keepdims: bool) -> Node:
    """A reduction's result (or its cotangent) with the reduced axes back, each of length 1."""
    if keepdims:
        return value
    kept = reduced(x.shape, axis, True)
    return reshape(value, axes=x.ndim - len(axis), shape=kept)


def spread(value: Node, x: Node, axis: Axes, keepdims: bool) -> Node:
    """A reduction's result (or its cotangent) repeated over the reduced axes."""
    return expand(restore(value, x, axis, keepdims), shape=x.shape)


def _reduce(x: Node, *, axis: Axes, keepdims: bool) -> tuple[Shape, DType]:
    return reduced(x.shape, axis, keepdims), x.dtype


def _reduce_truth(x: Node, *, axis: Axes, keepdims: bool) -> tuple[Shape, DType]:
    return reduced(x.shape, axis, keepdims), bool_


def _reduce_index(x: Node, *, axis: int, keepdims: bool) -> tuple[Shape, DType]:
    return reduced(x.shape, (axis,), keepdims), int64


def _order(x: Node, *, axis: int, **attrs: Any) -> tuple[Shape, DType]:
    return x.shape, int64


def _share_extreme(g: Node, out: Node, x: Node, *, axis: Axes, keepdims: bool) -> Node:
    hit = cast(eq(x, restore(out, x, axis, keepdims)), x.dtype)
    return restore(g, x, axis, keepdims) * (hit / total(hit, axis=axis, keepdims=True))


def evenly(g: Node, out: Node, x: Node, *, axis: Axes, keepdims: bool = False) -> Node:
    """A cotangent shared by the elements of `x` that are `out`, a NaN too, of reduced axes."""
    value = restore(out, x, axis, keepdims)
    hit = logical_or(eq(x, value), logical_and(isnan(x), isnan(value)))
    count = total(cast(hit, x.dtype), axis=axis, keepdims=True)
    return where(hit, restore(g, x, axis, keepdims) / count, zero(g))


def _zeros(x: Node, axis: int) -> tuple[Node, Node, list[Node]]:
    """Where `x` is 0, how often so far, and where for the first time, and the second, on an axis.

    A product with one zero has a slope along it alone; with two zeros it has none, but the slope
    along one changes with the other, which only second derivatives ask for.
    """
    is_zero = eq(x, zero(x))
    count = cumsum(cast(is_zero, int64), axis=axis)
    numbers = (1, 2) if current.tracking else (1,)
    return is_zero, count, [logical_and(is_zero, eq(count, constant(n, int64))) for n in numbers]


def _prod_rule(g: Node, out: Node, x: Node, *, axis: int, keepdims: bool) -> Node:
    one = zero(x) + 1
    is_zero, _, places = _zeros(x, axis)
    rest = zero(x)
    for place in places:
        others = prod(where(place, one, x), axis=axis, keepdims=keepdims)
        rest = where(place, spread(others, x, (axis,), keepdims), rest)
    quotient = spread(out, x, (axis,), keepdims) / where(is_zero, one, x)
    return spread_like(g, x, axis, keepdims) * conj(where(is_zero, rest, quotient))


def spread_like(g: Node, x: Node, axis: int, keepdims: bool) -> Node:
    """A cotangent with the reduced axis back, to broadcast against `x`."""
    return restore(g, x, (axis,), keepdims)


def _cumprod_rule(g: Node, out: Node, x: Node, *, axis: int) -> Node:
    one = zero(x) + 1
    if x.shape[axis] == 1:
        return g
    is_zero, count, places = _zeros(x, axis)

    def only(number: int, value: Node) -> Node:
        # What comes behind a zero is 0, whatever it is multiplied with; its slope is not.
        here = eq(count, constant(number, int64))
        return value if current.tracking else where(here, value, zero(value))

    without = zero(g)
    for place in places:
        others = only(1, g) * conj(cumprod(where(place, one, x), axis=axis))
        without = where(place, _reverse_cumsum(others, axis), without)
    quotient = _reverse_cumsum(only(0, g * conj(out)), axis) / conj(where(is_zero, one, x))
    return where(is_zero, without, only(0, quotient))


def _reverse_cumsum(g: Node, axis: int) -> Node:
    if g.shape[axis] == 1:
        return g
    return flip(cumsum(flip(g, axis=(axis,)), axis=axis), axis=(axis,))


def _logcumsumexp_rule(g: Node, out: Node, x: Node, *, axis: int) -> Node:
    if current.forward:  # a rule that is linear in g: its transpose is PyTorch's formula
        grown = exp(x if x.dtype.is_complex else x - amax(x, axis=(axis,), keepdims=True))
        shares = flip(g / conj(cumsum(grown, axis=axis) + 1e-13), axis=(axis,))
        return conj(grown) * flip(cumsum(shares, axis=axis), axis=(axis,))
    # A sum of g*exp(x - out), on a logarithmic scale because exp(x) and exp(-out) may overflow.
    if x.dtype.is_complex:
        logs = flip(log(conj(g)) - out, axis=(axis,))
        return conj(exp(flip(logcumsumexp(logs, axis=axis), axis=(axis,)) + x))
    return _rising(g, out, x, axis) - _rising(-g, out, x, axis)


def _rising(g: Node, out: Node, x: Node, axis: int) -> Node:
    """The share of the positive elements of `g` in the gradient of logcumsumexp."""
    least, rises = constant(-LARGEST[g.dtype], g.dtype), gt(g, zero(g))
    logs = where(rises, log(where(rises, g, zero(g) + 1)), least)
    logs = flip(logs - out, axis=(axis,))
    return exp(flip(logcumsumexp(logs, axis=axis), axis=(axis,)) + x)


total = Op(
    "sum",
    _reduce,
    lambda g, out, x, *, axis, keepdims: _spread_cotangent(g, x, axis, keepdims),
)
prod = Op(
    "prod",
    lambda x, *, axis, keepdims: _reduce(x, axis=(axis,), keepdims=keepdims),
    _prod_rule,
)
amax = Op("amax", _reduce, _share_extreme, kernel="max", refuses=lacks("max_values_cpu", COMPLEX))
amin = Op("amin", _reduce, _share_extreme, kernel="min", refuses=lacks("min_values_cpu", COMPLEX))
any_ = Op("any", _reduce_truth, INTEGRAL)
all_ = Op("all", _reduce_truth, INTEGRAL)
argmax = Op("argmax", _reduce_index, INTEGRAL)
argmin = Op("argmin", _reduce_index, INTEGRAL)
argsort = Op("argsort", _order, INTEGRAL)
cumsum = Op(
    "cumsum", same, lambda g, out, x, *, axis: _reverse_cumsum(g, axis), kernel="cumulative_sum"
)
cumprod = Op("cumprod", same, _cumprod_rule, kernel="cumulative_prod")
logcumsumexp = Op("logcumsumexp", same, _logcumsumexp_rule)


def _spread_cotangent(g: Node, x: Node, axis: Axes, keepdims: bool) -> Node:
    if g.op is FULL:
        lead = g.ndim - (x.ndim if keepdims else x.ndim - len(axis))
        return constant(g.attrs["value"], g.dtype, g.shape[:lead] + x.shape)
    g = restore(g, x, axis, keepdims)
    return expand(g, shape=x.shape)


def _softmax_rule(g: Node, out: Node, x: Node, *, axis: int) -> Node:
    weighted = g * out
    return weighted - out * total(weighted, axis=(axis,), keepdims=True)


softmax = Op("softmax", same, _softmax_rule)
log_softmax = Op(
    "log_softmax",
    same,
    lambda g, out, x, *, axis: g - exp(out) * total(g, axis=(axis,), keepdims=True),
)
logsumexp = Op(
    "logsumexp",
    _reduce,
    lambda g, out, x, *, axis, keepdims: (
        restore(g, x, axis, keepdims) * conj(exp(x - restore(out, x, axis, keepdims)))
    ),
)

"""Places of order: where running extremes, medians and the most frequent elements are.

Constraints: see gradcli/ops; `axis` is one negative axis, and the places keep it with length 1
where it is reduced. NaN counts as the largest number.
"""

from __future__ import annotations

from typing import Any

from gradcli.graph.dtype import DType, int64
from gradcli.graph.node import Node
from gradcli.graph.op import INTEGRAL, Op
from gradcli.graph.shape import Shape, reduced
from gradcli.ops.reduction import evenly


def _each(x: Node, **attrs: Any) -> tuple[Shape, DType]:
    return x.shape, int64


def _one(x: Node, *, axis: int, **attrs: Any) -> tuple[Shape, DType]:
    return reduced(x.shape, (axis,), True), int64


def _all(x: Node, *, axis: tuple[int, ...], **attrs: Any) -> tuple[Shape, DType]:
    return reduced(x.shape, axis, False), x.dtype


running_place = Op("running_place", _each, INTEGRAL)
"""Where the largest (attr `largest`) or smallest element so far is; of equal ones the last."""
median_place = Op("median_place", _one, INTEGRAL)
"""Where the lower median is: the first NaN, or without them (attr `skip`)."""
mode_place = Op("mode_place", _one, INTEGRAL)
"""Where the smallest of the most frequent elements last is."""
median = Op(
    "median",
    _all,
    lambda g, out, x, *, axis, skip: evenly(g, out, x, axis=axis),
    kernel="lower_median",
)
"""The lower median of the axes `axis`, all of them; elements equal to it share its gradient."""

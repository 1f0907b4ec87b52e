"""Kinks that were hit: points where a function has a slope on either side, and PyTorch takes one.

Constraints: a table of ops with what is a kink of them and which slope is taken; looks at values of
the forward pass through which a gradient flows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import Diagnostic, Label
from gradcli.graph.node import Node
from gradcli.trace.watch import Observer

Array = Any
CODE = "G084"
Mask = Callable[..., Array]
"""`(values, result, attrs) -> where the op is at a kink`."""


def _zero(values: list[Array], result: Array, attrs: Any) -> Array:
    return values[0] == 0


def _equal(values: list[Array], result: Array, attrs: Any) -> Array:
    return np.equal(values[0], values[1])


def _whole(values: list[Array], result: Array, attrs: Any) -> Array:
    return values[0] == np.floor(values[0])


def _half(values: list[Array], result: Array, attrs: Any) -> Array:
    return np.abs(values[0] - np.trunc(values[0])) == 0.5


def _origin(values: list[Array], result: Array, attrs: Any) -> Array:
    return (values[0] == 0) & (values[1] == 0)


def _root(values: list[Array], result: Array, attrs: Any) -> Array:
    return (values[0] == 0) & (values[1] > 0) & (values[1] < 1)


def _ties(values: list[Array], result: Array, attrs: Any) -> Array:
    (x,) = values
    axis = attrs.get("axis", tuple(range(x.ndim)))
    hit = x == x.max(axis=axis, keepdims=True) if _largest(x, result) else None
    if hit is None:
        hit = x == x.min(axis=axis, keepdims=True)
    return hit & (hit.sum(axis=axis, keepdims=True) > 1)


def _in_order(values: list[Array], result: Array, attrs: Any) -> Array:
    x, axis = values[0], attrs["axis"]
    along = np.take_along_axis(x, result, axis)
    same = np.diff(along, axis=axis) == 0
    ends = [(0, 0)] * x.ndim
    before, after = ends.copy(), ends.copy()
    before[axis], after[axis] = (1, 0), (0, 1)
    hit = np.zeros(x.shape, bool)
    np.put_along_axis(hit, result, np.pad(same, before) | np.pad(same, after), axis)
    return hit


def _window_ties(values: list[Array], result: Array, attrs: Any) -> Array:
    """The windows in which another element is as large as the chosen one."""
    x, ranges = values[0], attrs["ranges"]
    lead = x.shape[: x.ndim - len(ranges)]
    chosen = np.take_along_axis(x.reshape(*lead, -1), result.reshape(*lead, -1), -1)
    chosen = chosen.reshape(result.shape)
    hit = np.zeros(result.shape, bool)
    for window in np.ndindex(*map(len, ranges)):
        inside = tuple(slice(*axis[at]) for axis, at in zip(ranges, window, strict=True))
        same = x[(..., *inside)] == chosen[(..., *window)].reshape(*lead, *(1,) * len(ranges))
        hit[(..., *window)] = same.sum(axis=tuple(range(-len(ranges), 0))) > 1
    return hit


def _middle(values: list[Array], result: Array, attrs: Any) -> Array:
    hit = values[0] == result
    return hit & (np.count_nonzero(hit) > 1)


def _middle_along(values: list[Array], result: Array, attrs: Any) -> Array:
    x, axis = values[0], attrs["axis"]
    places = result.reshape([1 if a == axis % x.ndim else n for a, n in enumerate(x.shape)])
    hit = x == np.take_along_axis(x, places, axis)
    return hit & (np.count_nonzero(hit, axis=axis, keepdims=True) > 1)


def _corner(values: list[Array], result: Array, attrs: Any) -> Array:
    return (result == 0) & attrs.get("corner", False)


def _largest(x: Array, result: Array) -> bool:
    return x.size > 0 and bool(np.max(result) == x.max())


KINKS: dict[str, tuple[Mask, str]] = {
    "abs": (_zero, "abs at 0: the slope jumps from -1 to 1, PyTorch takes 0"),
    "relu": (_zero, "relu at 0: the slope jumps from 0 to 1, PyTorch takes 0"),
    "sqrt": (_zero, "sqrt at 0: the slope is infinite"),
    "pow": (_root, "a root at 0: the slope is infinite"),
    "sign": (_zero, "sign at 0: the function jumps, PyTorch takes the slope 0"),
    "sgn": (_zero, "sgn at 0: the function jumps, PyTorch takes the slope 0"),
    "heaviside": (_zero, "heaviside at 0: the function jumps, PyTorch takes the slope 0"),
    "floor": (_whole, "floor at a whole number: the function jumps, PyTorch takes the slope 0"),
    "ceil": (_whole, "ceil at a whole number: the function jumps, PyTorch takes the slope 0"),
    "round": (_half, "round half-way: the function jumps, PyTorch takes the slope 0"),
    "frac": (_whole, "frac at a whole number: the function jumps, PyTorch takes the slope 1"),
    "maximum": (_equal, "maximum of equal numbers: PyTorch gives half of the gradient to each"),
    "minimum": (_equal, "minimum of equal numbers: PyTorch gives half of the gradient to each"),
    "fmax": (_equal, "fmax of equal numbers: PyTorch gives the gradient to the first"),
    "fmin": (_equal, "fmin of equal numbers: PyTorch gives the gradient to the first"),
    "clamp_min": (_equal, "clamp at its bound: PyTorch takes the slope inside, 1"),
    "clamp_max": (_equal, "clamp at its bound: PyTorch takes the slope inside, 1"),
    "amax": (_ties, "the largest number is there several times: PyTorch shares the gradient"),
    "amin": (_ties, "the smallest number is there several times: PyTorch shares the gradient"),
    "argmax": (_ties, "the largest number is there several times: PyTorch takes the first one"),
    "argmin": (_ties, "the smallest number is there several times: PyTorch takes the first one"),
    "window_argmax": (
        _window_ties,
        "the largest number of a window is there several times: PyTorch takes the first one",
    ),
    "argsort": (_in_order, "equal numbers in an order: which of them stands first is a choice"),
    "median": (_middle, "the median is there several times: PyTorch shares the gradient"),
    "median_place": (_middle_along, "the median is there several times: PyTorch takes one"),
    "atan2": (_origin, "atan2 at the origin: there is no slope, PyTorch takes 0"),
    "hypot": (_origin, "hypot at the origin: there is no slope"),
    **dict.fromkeys(
        ("ruled", "ruled_whole"), (_corner, "a norm at 0: there is no slope, PyTorch takes 0")
    ),
    **{
        name: (_equal, "the comparison is decided at equality: one of two slopes is taken")
        for name in ("gt", "ge", "lt", "le")
    },
}
"""Op -> where it is at a kink, and what PyTorch does there."""

SMOOTH = re.compile(r"\b(elu|celu|selu|softplus|huber_loss|smooth_l1_loss|HuberLoss)\b")
"""Functions made of two pieces that meet with the same slope."""
LEVELS = {"note": "note", "warn": "warning", "error": "error"}
"""What `--kinks` says -> the severity of the reports."""


class Kinks(Observer):
    """Collects a report for each place where a kink was hit, the first time it is."""

    def __init__(self, level: str) -> None:
        self.severity = LEVELS[level]
        self.found: dict[Any, Diagnostic] = {}

    def computed(self, node: Node, values: list[Array], result: Array) -> None:
        """Notes a kink that a gradient flows through."""
        row = KINKS.get(node.op.name)
        if row is None or not any(x.tracked for x in node.inputs) or node.span is None:
            return
        text = node.span.text
        if SMOOTH.search(text):
            return
        mask, sentence = row
        with np.errstate(all="ignore"):
            hit = np.asarray(mask([np.asarray(v) for v in values], np.asarray(result), node.attrs))
        if not hit.any():
            return
        place = tuple(int(i) for i in np.argwhere(hit)[0])
        count = int(np.count_nonzero(hit))
        where = f"at {list(place)}" if place else "here"
        label = where if count == 1 else f"{where} and {count - 1} more"
        report = Diagnostic(CODE, sentence, [Label(node.span, label)], severity=self.severity)
        self.found.setdefault((node.span.start, node.span.end, sentence), report)

"""Derivatives from differences of a function, with an estimate of their error.

Constraints: central differences at halving steps, extrapolated to step zero (Richardson's tableau,
as Ridders uses it: Adv. Eng. Software 4, 1982); coarse steps first, finer ones where those do not
settle. Knows arrays and a function, nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any
Function = Callable[[Array], Array]
"""A float64 array of any shape in, a float64 array of any shape out."""

STEPS = (1e-2, 1e-4, 1e-6)
"""Where the halving starts, relative to the size of the coordinate."""
LEVELS = 6
TINY = 1e-11
"""The step, relative to a coordinate, over which only rounding changes a function."""
SETTLED = 1e-7
"""The relative error at which no finer steps are tried."""


class Slope:
    """The derivative of every output by one coordinate.

    Attributes:
        value, error: arrays of the output's shape: the best extrapolation and its error estimate.
        scale: how large a slope is that changes the output by itself over the coordinate's size.
        typical: the largest of the one-sided slopes at the coarsest steps: what is small beside it
            is small.
        left, right: the one-sided slopes at the smallest step.
        growth: how the difference of the one-sided slopes changes when the step is halved, as an
            exponent of two: about 1 where the function is smooth, 0 at a kink, below 0 where it
            jumps or has a vertical tangent.
    """

    __slots__ = ("error", "growth", "left", "right", "scale", "typical", "value")
    scale: Array

    def __init__(
        self, value: Array, error: Array, left: Array, right: Array, growth: Array, typical: Array
    ) -> None:
        self.value = value
        self.error = error
        self.left = left
        self.right = right
        self.growth = growth
        self.typical = typical


def rounding(function: Function, point: Array, middle: Array, precision: float) -> Array:
    """How far rounding alone moves the outputs of `function` at `point`.

    From higher differences along a line of steps so small that nothing else shows (after Moré and
    Wild, SIAM J. Sci. Comput. 33, 2011), on the smoother side of a kink, and at least what one
    rounding leaves.

    Args:
        function, point, middle: as of `slope`.
        precision: the relative error of one rounding, of the least precise dtype in the function.

    Returns:
        an absolute error for every output, NaN where there is no value on either side.
    """
    signs = np.random.default_rng(0).choice((-1.0, 1.0), point.shape)
    step = TINY * np.maximum(np.abs(point), 1e-2) * signs
    with np.errstate(all="ignore"):
        ahead, behind = (
            _jitter(np.stack([middle, *(function(point + k * side) for k in range(1, 5))]))
            for side in (step, -step)
        )
        return 4 * np.maximum(np.fmin(ahead, behind), precision * np.abs(middle))


def _jitter(values: Array) -> Array:
    """The size of what is not smooth in a row of values, from differences of orders 2 to 4."""
    orders = [
        np.abs(np.diff(values, k, axis=0)).max(0) / math.comb(2 * k, k) ** 0.5 for k in (2, 3, 4)
    ]
    return np.max(orders, axis=0)


def slope(
    function: Function, point: Array, place: tuple[int, ...], middle: Array, noise: Array
) -> Slope:
    """The derivative of `function` at `point` by the coordinate at `place`.

    Args:
        function: see `Function`; not called with anything but neighbours of `point`.
        point: float64.
        place: an index into `point`.
        middle: `function(point)`.
        noise: its error from rounding, see `rounding`.
    """
    size = max(abs(float(point[place])), 1e-2)
    best: Slope | None = None
    for start in STEPS:
        found = _halved(function, point, place, middle, start * size, noise)
        if best is None:
            best = found
            best.scale = np.abs(middle) / size
        else:
            better = ~(best.error <= found.error)
            best.value = np.where(better, found.value, best.value)
            best.error = np.where(better, found.error, best.error)
            best.left, best.right, best.growth = found.left, found.right, found.growth
            best.typical = np.where(np.isfinite(best.typical), best.typical, found.typical)
        if np.all(best.error <= SETTLED * np.abs(best.value)) and np.all(best.growth > 0.5):
            break
    assert best is not None
    return best


def _halved(
    function: Function,
    point: Array,
    place: tuple[int, ...],
    middle: Array,
    start: float,
    noise: Array,
) -> Slope:
    ahead, behind, lost = [], [], []
    for level in range(LEVELS):
        up, down = point.copy(), point.copy()
        up[place] += start / 2**level
        down[place] -= start / 2**level
        above, below = function(up), function(down)
        ahead.append((above - middle) / (up[place] - point[place]))
        behind.append((middle - below) / (point[place] - down[place]))
        ends = 4 * np.finfo(np.float64).eps * np.maximum(np.abs(above), np.abs(below))
        lost.append((np.fmax(noise, ends) + 1e-315) / (up[place] - down[place]))
    central = [(a + b) / 2 for a, b in zip(ahead, behind, strict=True)]
    gaps = [a - b for a, b in zip(ahead, behind, strict=True)]
    return Slope(
        *_extrapolated(central, lost),
        behind[-1],
        ahead[-1],
        _growth(gaps, lost[-1]),
        np.maximum(np.abs(ahead[0]), np.abs(behind[0])),
    )


def _extrapolated(differences: list[Array], lost: list[Array]) -> tuple[Array, Array]:
    """The entry of Richardson's tableau with the smallest error estimate, for every output.

    `lost` is what rounding makes of each difference.
    """
    previous = [differences[0]]
    value = differences[0]
    error = np.full(np.shape(value), np.inf)
    for difference, noise in zip(differences[1:], lost[1:], strict=True):
        row = [difference]
        for order, before in enumerate(previous, 1):
            finer = row[-1] + (row[-1] - before) / (4.0**order - 1)
            estimate = np.maximum(np.abs(finer - row[-1]), np.abs(finer - before))
            estimate = np.maximum(estimate, noise)
            better = estimate < error
            value, error = np.where(better, finer, value), np.where(better, estimate, error)
            row.append(finer)
        previous = row
    return value, error


def _growth(gaps: list[Array], noise: Array) -> Array:
    """The exponent with which the gap between the one-sided slopes shrinks, step by step."""
    first, last = np.abs(gaps[0]), np.abs(gaps[-1])
    flat = last <= 8 * noise
    ratio = np.where(flat, 2.0 ** (LEVELS - 1), first / np.where(flat, 1.0, last))
    return np.log2(np.maximum(ratio, 1e-30)) / (LEVELS - 1)

"""Derivatives from differences of a function, with an estimate of their error.

Constraints: central differences at halving steps, extrapolated to step zero (Richardson's tableau,
as Ridders uses it: Adv. Eng. Software 4, 1982); coarse steps first, finer ones where those do not
settle. Knows arrays and a function, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any
Function = Callable[[Array], Array]
"""A float64 array of any shape in, a float64 array of any shape out."""

STEPS = (1e-2, 1e-4, 1e-6)
"""Where the halving starts, relative to the size of the coordinate."""
LEVELS = 6
SETTLED = 1e-7
"""The relative error at which no finer steps are tried."""


class Slope:
    """The derivative of every output by one coordinate.

    Attributes:
        value, error: arrays of the output's shape: the best extrapolation and its error estimate.
        scale: how large a slope is that changes the output by itself over the coordinate's size.
        left, right: the one-sided slopes at the smallest step.
        growth: how the difference of the one-sided slopes changes when the step is halved, as an
            exponent of two: about 1 where the function is smooth, 0 at a kink, below 0 where it
            jumps or has a vertical tangent.
    """

    __slots__ = ("error", "growth", "left", "right", "scale", "value")

    def __init__(
        self, value: Array, error: Array, left: Array, right: Array, growth: Array, scale: Array
    ) -> None:
        self.value = value
        self.error = error
        self.left = left
        self.right = right
        self.growth = growth
        self.scale = scale


def slope(function: Function, point: Array, place: tuple[int, ...], middle: Array) -> Slope:
    """The derivative of `function` at `point` by the coordinate at `place`.

    Args:
        function: see `Function`; not called with anything but neighbours of `point`.
        point: float64.
        place: an index into `point`.
        middle: `function(point)`.
    """
    size = max(abs(float(point[place])), 1e-2)
    best: Slope | None = None
    for start in STEPS:
        found = _halved(function, point, place, middle, start * size)
        found.scale = np.abs(middle) / size
        if best is None:
            best = found
        else:
            better = ~(best.error <= found.error)
            best.value = np.where(better, found.value, best.value)
            best.error = np.where(better, found.error, best.error)
            best.left, best.right, best.growth = found.left, found.right, found.growth
        if np.all(best.error <= SETTLED * np.abs(best.value)) and np.all(best.growth > 0.5):
            break
    assert best is not None
    return best


def _halved(
    function: Function, point: Array, place: tuple[int, ...], middle: Array, start: float
) -> Slope:
    ahead, behind, steps = [], [], []
    for level in range(LEVELS):
        up, down = point.copy(), point.copy()
        up[place] += start / 2**level
        down[place] -= start / 2**level
        ahead.append((function(up) - middle) / (up[place] - point[place]))
        behind.append((middle - function(down)) / (point[place] - down[place]))
        steps.append(up[place] - down[place])
    value, error = _extrapolated([(a + b) / 2 for a, b in zip(ahead, behind, strict=True)])
    noise = 4 * np.finfo(np.float64).eps * (np.abs(middle) + 1e-300) / steps[-1]
    return Slope(
        value,
        np.maximum(error, noise),
        behind[-1],
        ahead[-1],
        _growth([a - b for a, b in zip(ahead, behind, strict=True)], noise),
        np.zeros_like(value),
    )


def _extrapolated(differences: list[Array]) -> tuple[Array, Array]:
    """The entry of Richardson's tableau with the smallest error estimate, for every output."""
    previous = [differences[0]]
    value = differences[0]
    error = np.full(np.shape(value), np.inf)
    for difference in differences[1:]:
        row = [difference]
        for order, before in enumerate(previous, 1):
            finer = row[-1] + (row[-1] - before) / (4.0**order - 1)
            estimate = np.maximum(np.abs(finer - row[-1]), np.abs(finer - before))
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

"""Many coordinates at once: a derivative along random directions, by autodiff and by differences.

Constraints: says only whether autodiff is wrong somewhere; a direction along which the function has
a kink or is too steep for differences says nothing.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from gradcli.checks.differences import Function, slope
from gradcli.checks.judge import floor_of, near

Array = Any
DIRECTIONS = 4


def contradiction(
    function: Function,
    point: Array,
    autodiff: Array,
    noise: Array,
    places: Array,
    seed: int,
    tolerance: float,
) -> tuple[float, float] | None:
    """The slope along a random direction of some coordinates and what autodiff says it is.

    Args:
        function, point, noise: see `slope`.
        autodiff: the derivative; the last dims are those of `point`.
        places: the numbers of the coordinates.
        seed: of the directions.
        tolerance: relative.

    Returns:
        the two where they differ, else None.
    """
    random = np.random.default_rng(seed)
    middle = np.asarray(function(point))
    rows = autodiff.reshape(*middle.shape, point.size)
    for _ in range(DIRECTIONS):
        direction = np.zeros(point.size)
        direction[places] = random.choice((-1.0, 1.0), len(places))
        line = partial(_along, function, point, direction.reshape(point.shape))
        found = slope(line, np.zeros(()), (), middle, noise)
        said = rows @ direction
        size = np.maximum(np.abs(said), np.abs(found.value))
        settled = found.error <= 1e-3 * size + floor_of(said, found.value)
        clear = settled & (found.growth > 0.5) & np.isfinite(said)
        wrong = clear & ~near(
            said, found.value, 10 * tolerance, 1e-9 * np.abs(rows).max(initial=0.0), 8 * found.error
        )
        if wrong.any():
            at = np.argmax(wrong)
            return float(found.value.flat[at]), float(said.flat[at])
    return None


def _along(function: Function, point: Array, direction: Array, t: Array) -> Array:
    return function(point + t * direction)

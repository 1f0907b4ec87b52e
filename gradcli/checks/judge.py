"""Who is right: autodiff, differences and a hand-written derivative compared entry by entry.

Constraints: arrays in, verdicts out; a kink, a jump and a slope too steep for differences are told
apart from a wrong derivative.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from gradcli.checks.differences import Slope

Array = Any


class Verdict(IntEnum):
    """What was found, the worst last."""

    AGREE = 0
    KINK = 1
    STEEP = 2
    UNDECIDED = 3
    HAND = 4
    ALL = 5
    BOTH = 6
    AUTODIFF = 7
    NOT_FINITE = 8
    ERROR = 9

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against the derivative."""
        return self <= Verdict.STEEP


SENTENCES = {
    Verdict.AGREE: "autodiff and differences agree",
    Verdict.KINK: "agree; autodiff takes a slope between the two sides of a kink",
    Verdict.STEEP: "autodiff and the hand-written derivative agree; differences do not settle here",
    Verdict.UNDECIDED: "undecided: differences do not settle: a jump, a steep slope, or rounding",
    Verdict.HAND: "the hand-written derivative is wrong: autodiff and differences agree",
    Verdict.ALL: "autodiff, differences and the hand-written derivative all differ",
    Verdict.BOTH: "autodiff and the hand-written derivative agree, but differences do not",
    Verdict.AUTODIFF: "autodiff is wrong: differences give another slope",
    Verdict.NOT_FINITE: "the function or its derivative is NaN or infinite",
    Verdict.ERROR: "cannot be checked",
}
CODES = {
    Verdict.UNDECIDED: "G082",
    Verdict.HAND: "G080",
    Verdict.ALL: "G081",
    Verdict.BOTH: "G081",
    Verdict.AUTODIFF: "G081",
    Verdict.NOT_FINITE: "G083",
}
"""The error code of a verdict that is no success."""
WITH_HAND = {
    Verdict.AGREE: "autodiff, differences and the hand-written derivative agree",
    Verdict.AUTODIFF: "autodiff is wrong: differences and the hand-written derivative agree",
}


class Entries:
    """The three derivatives of one variable at one point, and what came of comparing them.

    Args:
        noise: how far rounding moves the derivative by autodiff.

    Attributes:
        autodiff, differences, hand: arrays of one shape; `hand` is None where there is none,
            `differences` NaN where none were taken.
        verdicts: of every entry.
        errors: relative errors, of the worse of differences and hand-written derivative.
    """

    def __init__(
        self,
        autodiff: Array,
        slopes: Slopes,
        hand: Array | None,
        tolerance: float,
        noise: Array | float = 0.0,
    ) -> None:
        self.autodiff = autodiff
        self.differences = slopes.value
        self.hand = hand
        with np.errstate(all="ignore"):
            self.verdicts = _verdicts(autodiff, slopes, hand, tolerance, noise)
            excused = (self.verdicts == Verdict.KINK) | (self.verdicts == Verdict.STEEP)
            self.errors = np.where(excused, 0.0, _errors(autodiff, slopes, hand, noise))

    @property
    def doubts_autodiff(self) -> bool:
        """Whether an entry by autodiff seems wrong."""
        return bool(np.isin(self.verdicts, (Verdict.ALL, Verdict.BOTH, Verdict.AUTODIFF)).any())


_ARRAYS = ("value", "error", "left", "right", "growth", "scale", "typical")


class Slopes:
    """Differences by every coordinate, as arrays of the shape of the output and the variable.

    `value` is NaN and `measured` False where no differences were taken; see `Slope` for the others.
    """

    value: Array
    error: Array
    left: Array
    right: Array
    growth: Array
    scale: Array
    typical: Array

    def __init__(self, shape: tuple[int, ...], size: int) -> None:
        self.shape = shape
        self.measured = np.zeros((*shape, size), bool)
        for name in _ARRAYS:
            setattr(self, name, np.full((*shape, size), np.nan))

    def add(self, place: int, slope: Slope) -> None:
        """Notes the slopes by coordinate number `place`."""
        self.measured[..., place] = True
        for name in _ARRAYS:
            getattr(self, name)[..., place] = getattr(slope, name)

    def reshaped(self, shape: tuple[int, ...]) -> Slopes:
        """The same with the coordinates in the variable's shape."""
        for name in ("measured", *_ARRAYS):
            setattr(self, name, getattr(self, name).reshape(shape))
        return self


def near(a: Array, b: Array, tolerance: float, floor: float, extra: Array = 0.0) -> Array:
    """Where `a` and `b` are equal up to a relative error, an absolute one, and `extra`."""
    return np.abs(a - b) <= tolerance * np.maximum(np.abs(a), np.abs(b)) + floor + extra


def floor_of(*arrays: Array | None) -> float:
    """The absolute error that rounding leaves in arrays of this size."""
    sizes = [np.abs(a[np.isfinite(a)]).max(initial=0.0) for a in arrays if a is not None]
    return 1e-10 * max(sizes, default=0.0) + 1e-300


def _verdicts(
    autodiff: Array, slopes: Slopes, hand: Array | None, tolerance: float, noise: Array | float
) -> Array:
    floor = floor_of(autodiff, slopes.value)
    size = np.maximum(np.abs(autodiff), np.abs(slopes.value))
    blur = 1e-9 * slopes.scale + 1e-5 * slopes.typical
    settled = slopes.error <= 0.01 * size + floor + blur
    slack = _slack(slopes)
    close = settled & near(autodiff, slopes.value, tolerance, floor, slack + noise)
    matches = close | (autodiff == slopes.value)
    low, high = np.minimum(slopes.left, slopes.right), np.maximum(slopes.left, slopes.right)
    bent = (np.abs(slopes.growth) < 0.5) & (high - low > 1e-6 * (np.abs(low) + np.abs(high)))
    between = bent & _within(autodiff, low, high)
    broken = slopes.measured & ((slopes.growth <= -0.25) | ~settled) & ~bent
    good = matches | between | ~slopes.measured
    if hand is None:
        bad = np.where(broken, Verdict.UNDECIDED, Verdict.AUTODIFF)
        found = np.where(matches, Verdict.AGREE, np.where(between, Verdict.KINK, bad))
        found = np.where(slopes.measured, found, Verdict.AGREE)
        return np.where(np.isfinite(autodiff), found, Verdict.NOT_FINITE)
    same = near(autodiff, hand, tolerance, floor)
    right = settled & near(hand, slopes.value, tolerance, floor, slack)
    other = np.where(same, Verdict.BOTH, np.where(right, Verdict.AUTODIFF, Verdict.ALL))
    unsettled = np.where(same, Verdict.STEEP, Verdict.UNDECIDED)
    kinked = np.where(same | _within(hand, low, high), Verdict.KINK, Verdict.HAND)
    agreed = np.where(same, Verdict.AGREE, Verdict.HAND)
    agreed = np.where(between & ~matches, kinked, agreed)
    found = np.where(good, agreed, np.where(broken, unsettled, other))
    return np.where(np.isfinite(autodiff), found, Verdict.NOT_FINITE)


def _slack(slopes: Slopes) -> Array:
    """How far differences may be off by what is known of their errors."""
    return 8 * np.where(np.isfinite(slopes.error), slopes.error, 0.0) + 1e-11 * slopes.scale


def _within(value: Array, low: Array, high: Array) -> Array:
    slack = 1e-5 * (np.abs(low) + np.abs(high))
    return (value >= low - slack) & (value <= high + slack)


def _errors(autodiff: Array, slopes: Slopes, hand: Array | None, noise: Array | float) -> Array:
    floor = floor_of(autodiff, slopes.value)
    errors = _relative(autodiff, slopes.value, floor + _slack(slopes) + noise)
    errors = np.where(slopes.measured, errors, 0.0)
    return errors if hand is None else np.fmax(errors, _relative(autodiff, hand, floor))


def _relative(a: Array, b: Array, floor: Array) -> Array:
    gap = np.abs(a - b)
    return np.where(gap <= floor, 0.0, gap / np.maximum(np.abs(a), np.abs(b)))

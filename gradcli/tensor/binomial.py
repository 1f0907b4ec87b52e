"""Binomial numbers: W. Hoermann's transformed rejection (1993), sums of geometric ones for few.

Constraints: takes numbers from the stream one at a time and in PyTorch's order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gradcli.tensor.random_stream import Stream

LARGE = 10
"""The expected number from which on rejection needs fewer numbers than the sum."""
Uniform = Callable[[], float]


def binomial(stream: Stream, counts: Any, chances: Any) -> Any:
    """How many of `counts` trials succeed with `chances`: two floating arrays of one dtype.

    Returns an array of that dtype and the shape that both broadcast to.
    """

    def uniform() -> float:
        return float(stream.engine.doubles(1)[0])

    both = np.broadcast_arrays(counts, chances)
    trials = zip(*(x.reshape(-1).astype(np.float64).tolist() for x in both), strict=True)
    return np.array([_number(n, p, uniform) for n, p in trials], counts.dtype).reshape(
        both[0].shape
    )


def _number(n: float, p: float, uniform: Uniform) -> float:
    if n <= 0 or p <= 0:
        return 0
    if p >= 1:
        return n
    if math.isnan(p):
        return p
    rarer = min(p, 1 - p)
    draw = _by_rejection if n * rarer >= LARGE else _by_gaps
    found = draw(n, rarer, uniform)
    return found if p <= 0.5 else n - found


def _by_gaps(n: float, p: float, uniform: Uniform) -> float:
    """Counts how many successes fit, whose distances are geometric."""
    place, found, slope = 0.0, 0, math.log1p(-p)
    while True:
        drawn = uniform()
        place += math.ceil(math.log(drawn) / slope) if drawn else math.inf
        if place > n:
            return found
        found += 1


def _by_rejection(n: float, p: float, uniform: Uniform) -> float:
    spread = math.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    ratio, mode = p / (1 - p), math.floor((n + 1) * p)
    alpha, squeeze = (2.83 + 5.1 / b) * spread, 0.92 - 4.2 / b
    while True:
        u = uniform() - 0.5
        v = uniform()
        distance = 0.5 - abs(u)
        k = math.floor((2 * a / distance + b) * u + n * p + 0.5)
        if distance >= 0.07 and v <= squeeze:
            return k
        if k < 0 or k > n:
            continue
        most = (
            (mode + 0.5) * math.log((mode + 1) / (ratio * (n - mode + 1)))
            + (n + 1) * math.log((n - mode + 1) / (n - k + 1))
            + (k + 0.5) * math.log(ratio * (n - k + 1) / (k + 1))
            + (_rest(mode) + _rest(n - mode) - _rest(k) - _rest(n - k))
        )
        if math.log(v * alpha / (a / (distance * distance) + b)) <= most:
            return k


def _rest(k: float) -> float:
    """What `log(k!)` is beyond Stirling's `(k + 1/2)*log(k + 1) - (k + 1) + log(2*pi)/2`."""
    return math.lgamma(k + 1) - (k + 0.5) * math.log(k + 1) + k + 1 - 0.5 * math.log(2 * math.pi)

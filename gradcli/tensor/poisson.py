"""Poisson numbers: W. Hoermann's transformed rejection (1993), Knuth's product for small rates.

Constraints: takes numbers from the stream one at a time and in PyTorch's order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.tensor.random_checks import refused

if TYPE_CHECKING:
    from gradcli.tensor.random_stream import Stream

LARGE = 10
"""The rate from which on rejection needs fewer numbers than the product."""


def poisson(stream: Stream, rates: Any) -> Any:
    """Counts of events at `rates`, a floating array: an array of its shape and dtype.

    Raises:
        GradcliError: G026 for a negative rate.
    """

    def uniform() -> float:
        return float(stream.engine.doubles(1)[0])

    counts = [_count(rate, uniform) for rate in np.reshape(rates, -1).astype(np.float64).tolist()]
    return np.reshape(np.array(counts, rates.dtype), rates.shape)


def _count(rate: float, uniform: Callable[[], float]) -> int:
    if not rate >= 0:
        raise refused("invalid Poisson rate, expected rate to be non-negative")
    if rate == 0:
        return 0
    return _by_rejection(rate, uniform) if rate >= LARGE else _by_product(rate, uniform)


def _by_product(rate: float, uniform: Callable[[], float]) -> int:
    least, product, count = math.exp(-rate), uniform(), 0
    while product > least:
        count += 1
        product *= uniform()
    return count


def _by_rejection(rate: float, uniform: Callable[[], float]) -> int:
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    squeeze = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = uniform() - 0.5
        v = uniform()
        distance = 0.5 - abs(u)
        k = math.floor((2 * a / distance + b) * u + rate + 0.43)
        if distance >= 0.07 and v <= squeeze:
            return k
        if k < 0 or (distance < 0.013 and v > distance):
            continue
        hat = math.log(v) + math.log(inverse_alpha) - math.log(a / (distance * distance) + b)
        if hat <= -rate + k * math.log(rate) - math.lgamma(k + 1.0):
            return k

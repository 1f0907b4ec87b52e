"""Timings side by side: turns of all peers, one after another, again and again.

Constraints: a turn lasts a few milliseconds, so that the clock does not matter; the median of the
turns counts. Peers whose numbers differ from gradcli's are said to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np

from gradcli.benching.peers import Call, Peer, Problem
from gradcli.errors import GradcliError

TURN = 0.004
"""Seconds that a turn lasts at least."""
MOST = 50
"""Turns of each peer."""
TOLERANCE = {"float64": 1e-9, "complex128": 1e-9}
"""How far from gradcli's a number may be, relative to the largest; 1e-3 for the narrower types."""

Progress = Callable[[float], None]


class Timing:
    """What came of one peer.

    Attributes:
        name, version: of the peer.
        seconds: of one computation, one number a turn.
        agrees: whether its numbers are gradcli's; None where that is not known.
        error: why it could not run the expression.
    """

    __slots__ = ("agrees", "error", "name", "seconds", "version")

    def __init__(self, peer: Peer) -> None:
        self.name = peer.name
        self.version = peer.version
        self.seconds: list[float] = []
        self.agrees: bool | None = None
        self.error = ""

    @property
    def median(self) -> float | None:
        """Seconds of one computation; None where there is none."""
        return median(self.seconds) if self.seconds else None


def compare(
    problem: Problem, peers: Sequence[Peer], budget: float, progress: Progress
) -> list[Timing]:
    """Times `problem` with each of `peers`, the first of which is gradcli's.

    Args:
        budget: about how many seconds the turns may take together.
        progress: told how much of that is over, from 0 to 1.

    Raises:
        GradcliError: for mistakes in the expression or the data.
    """
    found = [Timing(peer) for peer in peers]
    calls: list[tuple[Timing, Call, int]] = []
    results: list[Any] = []
    for timing, peer in zip(found, peers, strict=True):
        try:
            call = peer.prepare(problem)
            first = [None if x is None else np.asarray(x) for x in call()]
            results = results or first
            timing.agrees = _agree(first, results)
            calls.append((timing, call, _repeats(call)))
        except Exception as error:
            if isinstance(error, GradcliError) and timing is found[0]:
                raise
            timing.error = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
    _take_turns(calls, budget, progress)
    return found


def _take_turns(
    calls: Sequence[tuple[Timing, Call, int]], budget: float, progress: Progress
) -> None:
    start = time.perf_counter()
    for turn in range(MOST):
        for timing, call, count in calls:
            began = time.perf_counter()
            for _ in range(count):
                call()
            timing.seconds.append((time.perf_counter() - began) / count)
        spent = (time.perf_counter() - start) / budget
        progress(max(spent, (turn + 1) / MOST))
        if spent >= 1 and turn >= 2:
            return


def _repeats(call: Call) -> int:
    """How many calls make a turn."""
    count, seconds = 1, 0.0
    while seconds < TURN and count < 1 << 20:
        began = time.perf_counter()
        for _ in range(count):
            call()
        seconds = time.perf_counter() - began
        count = count if seconds >= TURN else count * 2
    return count


def _agree(found: list[Any], wanted: list[Any]) -> bool:
    if len(found) != len(wanted):
        return False
    for a, b in zip(found, wanted, strict=True):
        if a is None or b is None:
            if a is not b and np.any(a if b is None else b):
                return False
            continue
        if a.shape != b.shape:
            return False
        limit = TOLERANCE.get(b.dtype.name, 1e-3) * (1 + np.abs(b).max(initial=0))
        if not np.allclose(a, b, rtol=0, atol=limit, equal_nan=True):
            return False
    return True

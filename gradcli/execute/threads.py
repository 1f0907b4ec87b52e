"""Numbered pieces of work on several threads; NumPy lets go of the interpreter while it computes.

Constraints: which thread does which piece may differ from run to run, so pieces must not depend
on each other.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from time import perf_counter

import numpy as np


def thread_count() -> int:
    """How many threads a sweep uses."""
    return THREADS[0] or _cores()


def _asked() -> int:
    """What GRADCLI_THREADS says; the command line checks it, a program may have anything there."""
    text = os.environ.get("GRADCLI_THREADS", "")
    return int(text) if text.isdecimal() else 0


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


THREADS = [_asked()]
"""The number that `--threads` asked for; 0 for one a core."""


class Crew:
    """How many threads one kind of work gets, found out while it is done.

    Threads that share a core, or that wait for each other at the interpreter's lock, can take
    longer together than one of them alone. Unless it was said how many to use, one thread does the
    first pieces of a run, all do the next, and the rest is done by those that were faster.
    """

    FEWEST, ALONE, TOGETHER = 12, 3, 3
    """Pieces worth a trial, and of them those that the first thread does alone and in company."""
    GAIN = 1.05
    """How many times faster company has to be."""
    LONGEST = 64
    """Runs for which an answer holds at most; the first hold for few, as memory is new then."""

    def __init__(self) -> None:
        self.pays = True
        self.left = 0
        self.holds = 1
        self._start()

    def _start(self) -> None:
        self.own, self.best, self.now = 0, math.inf, perf_counter()
        self.begun = 0.0, 0

    def tries(self, workers: int, count: int) -> bool:
        """Whether a run begins with one thread, to compare."""
        if THREADS[0] or workers == 1 or count < self.FEWEST:
            self.pays = True
            return False
        self.left -= 1
        if self.left >= 0:
            return False
        self.pays = True
        self._start()
        return True

    def compare(self, done: int, join: Callable[[], None]) -> None:
        """After each piece of the first thread; `join` starts the others.

        Args:
            done: the pieces that all threads have done.
        """
        before, self.now = self.now, perf_counter()
        self.own += 1
        if self.own <= self.ALONE:
            self.best = min(self.best, self.now - before)
            if self.own == self.ALONE:
                join()
        elif self.own == self.ALONE + 1:
            self.begun = self.now, done
        elif self.own == self.ALONE + 1 + self.TOGETHER:
            since, first = self.begun
            self.pays = (self.now - since) * self.GAIN < self.best * (done - first)
            self.left = self.holds
            self.holds = min(2 * self.holds, self.LONGEST)


def on_threads(
    count: int,
    make: Callable[[], Callable[[int], None]],
    buffer: int = 8192,
    crew: Crew | None = None,
) -> None:
    """Does tiles 0 to count - 1, each thread with a worker of its own.

    Args:
        count: how many tiles.
        make: makes the worker of a thread.
        buffer: NumPy's buffer size meanwhile, in elements.
        crew: what is known of such work; None for all threads.
    """
    _Run(count, make, buffer, crew or Crew()).all()


class _Run:
    """One run; its threads let go of it when they end, so that nothing outlives it."""

    def __init__(
        self, count: int, make: Callable[[], Callable[[int], None]], buffer: int, crew: Crew
    ) -> None:
        self.make, self.buffer, self.crew = make, buffer, crew
        self.workers = min(thread_count(), count)
        self.tries = crew.tries(self.workers, count)
        self.numbers = iter(range(count))
        self.done: list[int] = []
        self.failures: list[BaseException] = []
        self.threads: list[threading.Thread] = []

    def all(self) -> None:
        """Does it; raises what a worker raised."""
        if self.crew.pays and not self.tries:
            self.join()
        self.work(first=True)
        for thread in self.threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def join(self) -> None:
        """Starts the other threads."""
        for _ in range(self.workers - 1):
            self.threads.append(threading.Thread(target=self.work))
            self.threads[-1].start()

    def work(self, first: bool = False) -> None:
        """What each thread does."""
        try:
            worker = self.make()
            with np.errstate(all="ignore"):
                np.setbufsize(self.buffer)  # until the block ends
                while not self.failures and (first or self.crew.pays):
                    number = next(self.numbers, None)  # one step of the interpreter: no lock
                    if number is None:
                        return
                    worker(number)
                    if self.tries:
                        self.done.append(number)
                        if first:
                            self.crew.compare(len(self.done), self.join)
        except BaseException as error:
            self.failures.append(error)

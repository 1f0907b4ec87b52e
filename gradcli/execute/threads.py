"""Numbered pieces of work on several threads; NumPy lets go of the interpreter while it computes.

Constraints: which thread does which piece may differ from run to run, so pieces must not depend
on each other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

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


def on_threads(count: int, make: Callable[[], Callable[[int], None]], buffer: int = 8192) -> None:
    """Does tiles 0 to count - 1, each thread with a worker of its own.

    Args:
        count: how many tiles.
        make: makes the worker of a thread.
        buffer: NumPy's buffer size meanwhile, in elements.
    """
    workers = min(thread_count(), count)
    numbers = iter(range(count))
    failures: list[BaseException] = []

    def work() -> None:
        try:
            worker = make()
            with np.errstate(all="ignore"):
                np.setbufsize(buffer)  # until the block ends
                while not failures:
                    number = next(numbers, None)  # one step of the interpreter: needs no lock
                    if number is None:
                        return
                    worker(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(workers - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]

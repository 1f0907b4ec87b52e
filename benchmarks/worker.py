"""One process that runs one case with one peer, a turn at a time, as its parent asks.

Constraints: a line of JSON out for each line in. `ready` when the case has been run twice to warm
up; `turn N` runs it N times and answers the seconds of each; `memory` answers the bytes that a run
needs beyond its inputs and outputs.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from typing import Any

import numpy as np

from benchmarks.case import Case
from benchmarks.cases import CASES
from benchmarks.runners import RUNNERS, Call

SEED = 0


def main() -> None:
    """Serves one case with one peer until its input ends."""
    number, peer = int(sys.argv[1]), sys.argv[2]
    case = CASES[number]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a peer prints is no answer
    try:
        call, first = prepare(case, peer)
        _say(answers, {"ready": summary(first)})
    except Exception as error:
        _say(answers, {"error": f"{type(error).__name__}: {error}"[:300]})
        return
    for line in sys.stdin:
        command, _, count = line.strip().partition(" ")
        if command == "turn":
            _say(answers, {"seconds": [_timed(call) for _ in range(int(count))]})
        elif command == "memory":
            _say(answers, {"bytes": spare_memory(call)})


def prepare(case: Case, peer: str) -> tuple[Call, list[Any]]:
    """The call, warmed up, and its results."""
    data = dict(case.data(np.random.default_rng(SEED)))
    call = RUNNERS[case.kind, peer](case, data)
    call()
    return call, [np.asarray(x) for x in call()]


def summary(results: list[Any]) -> list[list[float]]:
    """A few numbers of each result, enough to see whether two peers computed the same."""
    found = []
    for x in results:
        flat = np.asarray(x, np.float64).reshape(-1)
        some = flat[:: max(1, flat.size // 64)][:64]
        found.append([float(np.abs(flat).max(initial=0)), *map(float, some)])
    return found


def spare_memory(call: Call) -> int | None:
    """Bytes beyond inputs and outputs at the highest point of a run; None where not told."""
    gc.collect()
    held = call()  # results in use, so that the next ones need memory of their own
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # the peak starts anew
        before = _status("VmRSS")
        results = call()
        peak = _status("VmHWM")
    except OSError:
        return None
    del held
    return peak - before - sum(np.asarray(x).nbytes for x in results)


def _status(field: str) -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise OSError(f"no {field}")


def _timed(call: Call) -> float:
    start = time.perf_counter()
    results = call()
    seconds = time.perf_counter() - start
    del results
    return seconds


def _say(answers: Any, what: dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()

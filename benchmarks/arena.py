"""Runs a case with all its peers, each in its own process, turn by turn.

Constraints: one process runs at a time; turns interleave, so that a slow minute of the machine
meets all of them; medians are of all runs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from benchmarks.case import Case
from benchmarks.runners import THREADS, peers_of

RUNS_A_TURN = 3


@dataclass
class Outcome:
    """What one peer did: the median seconds, the spare bytes, or why it did not run."""

    seconds: float | None = None
    spare: int | None = None
    error: str = ""
    numbers: list[list[float]] = field(default_factory=list)


class Contestant:
    """A worker process."""

    def __init__(self, number: int, peer: str) -> None:
        environment = dict(os.environ)
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = str(THREADS)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", str(number), peer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.outcome = Outcome()
        self.seconds: list[float] = []

    def ask(self, command: str = "") -> dict[str, Any]:
        """Sends a command, unless it is empty, and waits for the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if command:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "the process ended"}

    def close(self) -> Outcome:
        """Ends the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)
        if self.seconds:
            self.outcome.seconds = statistics.median(self.seconds)
        return self.outcome


def compete(case: Case, number: int, rounds: int, only: set[str] | None) -> dict[str, Outcome]:
    """The outcome of gradcli and of each peer that can run the case."""
    contestants = {}
    for peer in ["gradcli", *peers_of(case)]:
        if only is not None and peer not in only and peer != "gradcli":
            continue
        contestant = Contestant(number, peer)
        ready = contestant.ask()
        contestant.outcome.error = ready.get("error", "")
        contestant.outcome.numbers = ready.get("ready", [])
        contestants[peer] = contestant
    running = [c for c in contestants.values() if not c.outcome.error]
    for _ in range(rounds):
        for contestant in running:
            contestant.seconds += contestant.ask(f"turn {RUNS_A_TURN}").get("seconds", [])
    for contestant in running:
        contestant.outcome.spare = contestant.ask("memory").get("bytes")
    return {peer: contestant.close() for peer, contestant in contestants.items()}


def disagreement(case: Case, outcomes: dict[str, Outcome]) -> str:
    """The peer whose numbers are not gradcli's, and where; empty when all agree."""
    mine = outcomes["gradcli"].numbers
    for peer, outcome in outcomes.items():
        for place, (a, b) in enumerate(zip(mine, outcome.numbers, strict=False)):
            scale = max(abs(a[0]), abs(b[0]), 1e-30)
            if len(a) != len(b):
                return f"{peer}: result {place} has another size"
            if max(abs(p - q) for p, q in zip(a, b, strict=True)) > case.tolerance * scale:
                return f"{peer}: result {place} differs from gradcli's"
    return ""

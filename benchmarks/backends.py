"""gradcli on its backends beside the libraries alone: `python -m benchmarks.backends jax [CASE]`.

Constraints: the same expression, once as `gradcli.function(..., backend=...)` and once as the
library's own program, both on the library's arrays, warm, turns interleaved in one process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib import import_module
from statistics import median
from typing import Any

import numpy as np

from benchmarks.case import Case
from benchmarks.cases import CASES
from benchmarks.runners import RUNNERS

CHOSEN = ("mean(tanh", "row softmax", "tanh network", "Hessian, logistic", "n=60")
"""Beginnings or parts of the names of the cases: elementwise, softmax, a network, Hessians."""
TURNS = 9
LIMIT = 1.1
"""How many times the library's own program a case may take."""


def ours(
    case: Case, data: dict[str, Any], backend: str, device: str | None = None
) -> Callable[[], list[Any]]:
    """The public function on a backend, NumPy arrays out."""
    import gradcli

    hessian = case.kind == "hessian"
    source, wrt = case.sources["gradcli"], list(case.wrt)
    f = gradcli.function(source, wrt=wrt, hessian=hessian, backend=backend, device=device)

    def call() -> list[Any]:
        result = f(**data)
        if hessian:
            return [result.hessian[wrt[0]][wrt[0]]]
        return [result.value, *(result.grads[name] for name in wrt)]

    return call


def own(array: Any, backend: str) -> Any:
    """The library's array of a NumPy array: nothing is copied on the way to the function."""
    library = import_module("jax.numpy" if backend == "jax" else backend)
    return library.asarray(array)


def compared(case: Case, backend: str) -> tuple[float, float]:
    """Seconds of gradcli on the backend, and of the library alone.

    Raises:
        AssertionError: where their numbers differ.
    """
    data = dict(case.data(np.random.default_rng(0)))
    alone = RUNNERS[case.kind, backend](case, data)
    calls = (ours(case, {n: own(x, backend) for n, x in data.items()}, backend), alone)
    for _ in range(2):
        found = [[np.asarray(x) for x in call()] for call in calls]
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=case.tolerance * np.abs(b).max())
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(TURNS):
        for call, taken in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
    return median(seconds[0]), median(seconds[1])


def main() -> None:
    """Prints a table."""
    print(
        "| case | library | gradcli on it, ms | alone, ms | ratio (at most 1.1) |",
        "|---|---|---|---|---|",
        sep="\n",
    )
    backend, *parts = sys.argv[1:]
    for case in CASES:
        if any(part in case.name for part in parts or CHOSEN) and backend in case.sources:
            here, alone = compared(case, backend)
            told = "" if here <= LIMIT * alone else ": MISSED"
            row = f"{here * 1e3:.3g} | {alone * 1e3:.3g} | {here / alone:.2f}{told}"
            print(f"| {case.name} | {backend} | {row} |", flush=True)


if __name__ == "__main__":
    main()

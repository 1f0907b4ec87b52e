"""The table of a device: `python -m benchmarks.device [--device cuda:0] [--write]`.

Constraints: value and gradients of large cases, once with the arrays on the device before and
after, beside the library's own program there, and once from NumPy arrays to NumPy arrays. Numbers
are compared before anything is timed. Without a CUDA device it says so; `--device cpu` tries the
script at few elements.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import runners, small_runners
from benchmarks.backends import LIMIT, ours
from benchmarks.case import Case, Data
from benchmarks.cases import CASES
from gradcli.execute.backends.choice import chosen, devices, installed
from gradcli.planned import argument

LIBRARIES = ("jax", "torch", "cupy")
RESULTS = Path(__file__).parent / "RESULTS.md"
MARK = "## On a device: "
SIZE = r" (?=[0-9^]+ x )"
"""Where a case's name begins to tell its usual size."""


def _normal(rng: Any, rows: int, *shape: int) -> Any:
    return rng.standard_normal((max(rows, 8), *shape), np.float32)


def _shares(rng: Any, n: int) -> Data:
    z = _normal(rng, n // 100, 100)
    return {"z": z, "t": rng.integers(0, 100, len(z))}


def _network(rng: Any, n: int) -> Data:
    whole = next(case for case in CASES if case.name.startswith("tanh network")).data(rng)
    X = _normal(rng, n // 784, 784)
    return {**whole, "X": X, "t": rng.integers(0, 10, len(X))}


def _logistic(rng: Any, n: int) -> Data:
    X = _normal(rng, n // 300, 300).astype(np.float64)
    y = (rng.random(len(X)) > 0.5).astype(np.float64)
    return {"X": X, "y": y, "w": rng.standard_normal(300) / 10}


SIZED: dict[str, Callable[[Any, int], Data]] = {
    "mean(tanh": lambda rng, n: {"x": _normal(rng, n)},
    "row softmax": _shares,
    "tanh network": _network,
    "Hessian, logistic": _logistic,
}
"""How the case's name begins -> its arrays, the first of about so many elements."""


def cases(elements: int) -> Iterator[Case]:
    """The cases at a size."""
    for start, data in SIZED.items():
        case = next(case for case in CASES if case.name.startswith(start))
        table = next(iter(data(np.random.default_rng(0), elements).values()))
        size = " x ".join(map(str, table.shape))
        name = f"{re.split(SIZE, case.name)[0]}, {size}"
        yield replace(case, name=name, data=partial(_made, data, elements))


def _made(data: Callable[[Any, int], Data], elements: int, rng: Any) -> Data:
    return data(rng, elements)


def there(case: Case, data: dict[str, Any], backend: str, device: str) -> Callable[[], list[Any]]:
    """What a planned function runs, from arrays on the device to arrays on the device."""
    import gradcli

    hessian = case.kind == "hessian"
    f = gradcli.function(
        case.sources["gradcli"],
        wrt=list(case.wrt),
        hessian=hessian,
        backend=backend,
        device=device,
    )
    f(**data)
    given = {name: argument(name, x) for name, x in data.items()}
    plan = f.plan(given)
    assert plan is not None, "no plan was made"
    library, run = chosen(backend, device), plan.program.compiled
    with library.computing():
        arrays = [library.sent(x) for x in given.values()]

    def call() -> list[Any]:
        with library.computing():
            found = run(arrays)
            library.finish(found)
        return list(found)[-1:] if hessian else list(found)

    return call


def alone(case: Case, data: dict[str, Any], backend: str, device: str) -> Any:
    """The library's own program with its arrays on the device; None where it has no derivatives."""
    if (case.kind, backend) not in runners.RUNNERS:
        return None
    library = chosen(backend, device)
    small_runners.PLACE["torch"] = device
    # JAX computes where its block says; PyTorch's own programs need their autograd.
    block = library.computing if backend == "jax" else nullcontext
    with block():
        made = runners.RUNNERS[case.kind, backend](case, data)

    def call() -> list[Any]:
        with block():
            found = made()
            library.finish(found)
        return found

    return call


def timed(calls: dict[str, Any], turns: int) -> dict[str, float]:
    """Median seconds of each call, turns interleaved, after two that warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(turns + 2):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn > 1:
                seconds[name].append(time.perf_counter() - start)
    return {name: median(taken) for name, taken in seconds.items()}


def compared(case: Case, backend: str, device: str, turns: int) -> str:
    """A row of the table.

    Raises:
        AssertionError: where the numbers differ from those of NumPy.
    """
    data = dict(case.data(np.random.default_rng(0)))
    library = chosen(backend, device)
    library.copies = False  # arrays that stay there for the next turn are not written over
    calls = {
        "there": there(case, data, backend, device),
        "alone": alone(case, data, backend, device),
        "whole": ours(case, data, backend, device),
    }
    calls = {name: call for name, call in calls.items() if call is not None}
    wanted = ours(case, data, "numpy", None)()
    for name, call in calls.items():
        for a, b in zip(call(), wanted, strict=True):
            array = np.asarray(a if name == "whole" else library.to_numpy(a))
            np.testing.assert_allclose(array, b, rtol=0, atol=case.tolerance * np.abs(b).max())
    took = timed(calls, turns)
    own = ["-", "-"]
    if "alone" in took:
        ratio = took["there"] / took["alone"]
        own = [f"{took['alone'] * 1e3:.3g}", f"{ratio:.2f}{'' if ratio <= LIMIT else ': MISSED'}"]
    cells = (case.name, backend, f"{took['there'] * 1e3:.3g}", *own, f"{took['whole'] * 1e3:.3g}")
    return f"| {' | '.join(cells)} |"


def name_of(backend: str, device: str) -> str:
    """What the device calls itself."""
    library = chosen(backend, device)
    if backend == "jax":
        return str(library.place.device_kind)
    if device.startswith("cuda") and backend == "torch":
        return str(library.spaces[0].cuda.get_device_name(library.place))
    if backend == "cupy":
        number = int(device.partition(":")[2] or 0)
        return str(library.xp.cuda.runtime.getDeviceProperties(number)["name"].decode())
    return device


def table(rows: list[str], name: str, elements: int) -> str:
    """The section of the results."""
    lines = (
        f"{MARK}{name}",
        "",
        f"`python -m benchmarks.device`, {elements:,} elements; medians in milliseconds, turns",
        "interleaved. There: arrays on the device before and after; whole: NumPy's in and out.",
        "",
        "| case | library | gradcli there | the library alone | ratio (at most 1.1) | whole |",
        "|---|---|---|---|---|---|",
        *rows,
    )
    return "\n".join(lines) + "\n"


def written(old: str, section: str) -> str:
    """The results with the section of this device, an earlier one of it replaced."""
    head = section.partition("\n")[0]
    kept = [part for part in old.split("\n## ") if f"## {part}".partition("\n")[0] != head]
    return "\n## ".join(kept).rstrip("\n") + "\n\n" + section


def main() -> None:
    """Prints the table, and writes it where that is asked for."""
    parser = argparse.ArgumentParser("python -m benchmarks.device", description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--elements", type=int, default=10**8)
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=LIBRARIES)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--write", type=Path, nargs="?", const=RESULTS, help="default: RESULTS.md")
    options = parser.parse_args()
    there_are = [b for b in options.libraries if installed(b) and options.device in devices(b)]
    if not there_are:
        sys.exit(f"no library here finds {options.device}; --device cpu --elements 10000 tries it")
    rows = [
        compared(case, backend, options.device, options.turns)
        for case in cases(options.elements)
        for backend in there_are
    ]
    section = table(rows, name_of(there_are[0], options.device), options.elements)
    print(section)
    if options.write:
        old = options.write.read_text(encoding="utf-8") if options.write.exists() else ""
        options.write.write_text(written(old, section), encoding="utf-8")


if __name__ == "__main__":
    main()

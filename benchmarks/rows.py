"""Files larger than memory: `python -m benchmarks.rows` times a loss and its gradient over them.

Constraints: each run is a process of its own, turns interleaved; wall time of the whole process
and its peak resident set; the data is made, used and deleted. What is written by hand is what
people write: a loop over chunks of a memory map.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

WIDTH = 25
LIMIT = "512MB"
LOSS = "mean(log1p(exp(-y*(X@w))))"
BY_HAND = """
import sys, json, numpy as np
X, y = np.load("X.npy", mmap_mode="r"), np.load("y.npy", mmap_mode="r")
w = np.full(X.shape[1], 0.1, np.float32)
n, total, gradient = len(X), 0.0, np.zeros(X.shape[1])
for a in range(0, n, 100_000):
    A, b = X[a:a + 100_000], y[a:a + 100_000]
    m = b * (A @ w)
    e = np.exp(-m)
    total += np.log1p(e).sum(dtype=np.float64)
    gradient += A.T @ (-b * e / (1 + e))
print(json.dumps([total / n, (gradient / n).tolist()]))
"""
PEAKS = (700e6, 1.3)
"""The most bytes that may be resident, and how many times the loop by hand it may take."""


def made(folder: Path, rows: int) -> None:
    """Writes X.npy (rows x 25) and y.npy, float32."""
    random = np.random.default_rng(0)
    large = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float32, (rows, WIDTH))
    labels = np.lib.format.open_memmap(folder / "y.npy", "w+", np.float32, (rows,))
    for a in range(0, rows, 1_000_000):
        part = random.standard_normal((min(1_000_000, rows - a), WIDTH), np.float32)
        large[a : a + len(part)] = part
        noise = random.standard_normal(len(part), np.float32)
        labels[a : a + len(part)] = np.sign(part[:, 0] + noise)
    large.flush()
    labels.flush()


def timed(folder: Path, command: list[str]) -> tuple[float, float, list[Any]]:
    """Seconds, peak resident bytes, and [loss, gradient] of a process."""
    start = time.perf_counter()
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE)
    assert child.stdout is not None
    content = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{command[:3]} failed")
    found = json.loads(content)
    if isinstance(found, dict):
        found = [found["value"], found["grads"]["w"]]
    return wall, usage.ru_maxrss * 1024.0, found


def commands() -> dict[str, list[str]]:
    """What is run."""
    bindings = ["X=@X.npy", "y=@y.npy", f"w=full([{WIDTH}], 0.1)", "-w", "w", "-f", "json"]
    ours = [sys.executable, "-m", "gradcli", "eval", LOSS, *bindings, "--max-memory", LIMIT]
    return {"gradcli": ours, "NumPy by hand": [sys.executable, "-c", BY_HAND]}


def main() -> None:
    """Runs both in turns; prints a table."""
    parser = argparse.ArgumentParser("python -m benchmarks.rows", description=__doc__)
    parser.add_argument("--rows", type=int, default=25_000_000, help="of 25 float32")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--folder", type=Path, help="use the data there, and leave it")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).parent.parent)
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        if not (folder / "X.npy").exists():
            made(folder, options.rows)
        runs: dict[str, list[Any]] = {who: [] for who in commands()}
        for _ in range(options.rounds):
            for who, command in commands().items():
                runs[who].append(timed(folder, command))
        size = (folder / "X.npy").stat().st_size
    told(size, runs)


def told(size: int, runs: dict[str, list[Any]]) -> None:
    """Prints the table, and whether the targets are met."""
    (ours, loop) = ([median(run[i] for run in runs[who]) for i in (0, 1)] for who in runs)
    ratio = median(a[0] / b[0] for a, b in zip(*runs.values(), strict=True))
    for mine, theirs in zip(*runs.values(), strict=True):
        assert np.allclose(mine[2][0], theirs[2][0], rtol=1e-4)
        assert np.allclose(mine[2][1], theirs[2][1], rtol=1e-3, atol=1e-7)
    most, times = PEAKS
    met = "met" if ours[1] <= most and ratio <= times else "MISSED"
    cells = [
        f"logistic loss and gradient, {size / 1e9:.1f} GB of float32, --max-memory {LIMIT}",
        f"{ours[0]:.2f} s, {ours[1] / 1e6:.0f} MB",
        f"{loop[0]:.2f} s, {loop[1] / 1e6:.0f} MB",
        f"{ratio:.2f} (at most {times}), {ours[1] / 1e6:.0f} MB (at most {most / 1e6:.0f}): {met}",
    ]
    print("|", " | ".join(cells), "|")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()

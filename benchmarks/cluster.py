"""A cluster of this machine: `python -m benchmarks.cluster` times passes over a file in processes.

Constraints: each run is a process of its own, turns interleaved: two threads of one process, and
two processes of `--backend dask`, both reading the file by rows. Starting processes is told apart;
from the third pass on they find the rows where the second one left them. The bits must be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.rows import LOSS, WIDTH, made

PASSES = 6
AT_MOST = 1.4
"""How many times the wall of threads a pass may take."""
RUN = f"""
import json, sys, time
import numpy as np
import gradcli
from gradcli.execute.whole import chunks
chunks.spread = True  # both read the file by rows, as if it were larger than memory
X, y = np.load("X.npy", mmap_mode="r"), np.load("y.npy", mmap_mode="r")
times, bits = [], []
for turn in range({PASSES} + 1):
    n = len(X) if turn else 400_000
    w = np.full({WIDTH}, 0.1 + turn / 100, np.float32)
    start = time.perf_counter()
    found = gradcli.evaluate({LOSS!r}, {{"X": X[:n], "y": y[:n], "w": w}}, wrt=["w"],
                             backend=sys.argv[1])
    times.append(time.perf_counter() - start)
    bits.append(found.value.tobytes().hex() + found.grads["w"].tobytes().hex())
print(json.dumps([times, bits]))
"""


def timed(folder: Path, backend: str) -> list[Any]:
    """Seconds of each pass, the start before them, and the bits of what they gave."""
    root = str(Path(__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": root, "GRADCLI_THREADS": "2"}
    command = [sys.executable, "-c", RUN, backend]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    found: list[Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Runs both in turns; prints a table."""
    parser = argparse.ArgumentParser("python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="of 25 float32")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--folder", type=Path, help="use the data there, and leave it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        if not (folder / "X.npy").exists():
            made(folder, options.rows)
        rounds = [[timed(folder, who) for who in ("numpy", "dask")] for _ in range(options.rounds)]
        size = (folder / "X.npy").stat().st_size
    told(size, rounds)


def told(size: int, rounds: list[list[Any]]) -> None:
    """Prints the table, and whether the target is met."""
    for (_, here), (_, there) in rounds:
        assert here == there, "the bits differ"
    print(f"processes start in {median(there[0][0] for _, there in rounds):.1f} s")
    for what, turns in (("first pass", (1,)), ("later passes", range(3, PASSES + 1))):
        here, there = (
            [median(run[i][0][turn] for turn in turns) for run in rounds] for i in (0, 1)
        )
        ratio = median(b / a for a, b in zip(here, there, strict=True))
        met = "met" if ratio <= AT_MOST else "MISSED"
        cells = [
            f"logistic loss and gradient, {size / 1e9:.1f} GB of float32, {what}",
            *(f"{median(here):.2f} s", f"{median(there):.2f} s"),
            f"{ratio:.2f} (at most {AT_MOST}): {met}",
        ]
        print("|", " | ".join(cells), "|")


if __name__ == "__main__":
    main()

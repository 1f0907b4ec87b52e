"""Losses over rows in files on a backend, tile by tile, beside NumPy in memory.

Constraints: run in a process of its own, for one backend at a time.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import gradcli
from gradcli.execute.limits import memory
from gradcli.execute.whole import chunks

ROWS, WIDTH = 250_007, 18
EXPRESSIONS = (
    "mean(log1p(exp(-y*(X@w))))",
    "sum(((X - X.mean(0))/X.std(0))@w * y)",
    "sum((X.T@X)@w)",
    "sum(softmax(X@w, 0)*y)",
    "amax(X@w) - amin(X*y[:, None])",
    "mean((X[:240_000]@w)**2)",
    "sum(X[5]*w) + sum((X*2)[-4:]@w) + sum((X*2)[1:9:3]@w)",
    "sum(where(X > 0, X, 0.5)@w * 3) + any(X > 100) + cross_entropy(X*w, (y > 0).long())",
)


def compare(backend: str, folder: Path) -> None:
    """Fails where numbers differ, or depend on the chunks."""
    random = np.random.default_rng(0)
    table = random.standard_normal((ROWS, WIDTH), np.float32)
    y = np.sign(table[:, 0] + random.standard_normal(ROWS)).astype(np.float32)
    np.save(folder / "X.npy", table)
    given = {"X": table, "y": y, "w": random.standard_normal(WIDTH).astype(np.float32) / 10}
    stored = {**given, "X": np.load(folder / "X.npy", mmap_mode="r")}
    for expression in EXPRESSIONS:
        wanted = gradcli.evaluate(expression, given, wrt=["w"])
        memory.set(15_000_000)
        bits = set()
        for chunks.rows in (30_000, 100_000):
            found = gradcli.evaluate(expression, stored, wrt=["w"], backend=backend)
            near(found.value, wanted.value, expression)
            near(found.grads["w"], wanted.grads["w"], expression)
            bits.add((found.value.tobytes(), found.grads["w"].tobytes()))
        assert len(bits) == 1, f"{expression}: the bits depend on the chunks"
        memory.set(1 << 30)


def near(found: Any, wanted: Any, what: str) -> None:
    scale = float(np.abs(wanted).max())
    assert np.allclose(found, wanted, rtol=1e-5, atol=1e-5 * scale), (what, found, wanted)


if __name__ == "__main__":
    if sys.argv[1] == "cupy":
        from backend_table import stand_in

        stand_in()
    with tempfile.TemporaryDirectory() as name:
        compare(sys.argv[1], Path(name))

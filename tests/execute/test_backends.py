"""Every backend computes what NumPy computes: the whole op table, the samples, rows in files.

Constraints: a backend's library is never imported in this process: JAX starts threads.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BACKENDS = {"torch": "torch", "jax": "jax", "array-api-strict": "array_api_strict"}
"""Backend -> what must be installed; cupy is its table of names on NumPy's functions, and where
CuPy is installed, as far as it has these."""
QUICKLY = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
"""What makes XLA compile in half the time."""


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(Path(__file__).parent / script), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "XLA_FLAGS": QUICKLY},
        capture_output=True,
        text=True,
        timeout=600,
    )


SCRIPTS = ("backend_table.py", "backend_arrays.py", "backend_rows.py", "backend_samples.py")


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("backend", [*BACKENDS, "cupy"])
def test_a_backend_computes_what_numpy_computes(script: str, backend: str) -> None:
    if backend in BACKENDS and find_spec(BACKENDS[backend]) is None:
        pytest.skip(f"{BACKENDS[backend]} is not installed")
    done = run(script, backend)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")
def test_results_are_written_over_what_nobody_reads() -> None:
    done = run("backend_donation.py")
    assert done.returncode == 0, done.stderr

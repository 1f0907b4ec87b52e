"""What every computing command sets up first: dtype, seed, precision, limits of memory and time.

Constraints: options arrive as click parsed them; each is checked here before anything is computed.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from types import FrameType

from gradcli.errors import ExitStatus, GradcliError
from gradcli.execute.backends.choice import CLUSTER, using
from gradcli.execute.limits import memory
from gradcli.execute.whole import chunks
from gradcli.graph.dtype import DTYPES, as_dtype, default

UNITS = {
    **{"": 1, "b": 1, "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9},
    **{"gb": 10**9, "t": 10**12, "tb": 10**12},
    **{"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40},
}


def prepare(
    *,
    seed: int | None,
    dtype: str | None,
    precision: int | None,
    max_memory: str | None,
    timeout: float | None,
    rows: str | None = None,
    chunk_rows: int | None = None,
    backend: str = "numpy",
) -> None:
    """Applies the options that `eval` and `run` share."""
    if backend == CLUSTER:
        using(backend).__enter__()  # to the end: results are computed while they are written
    if rows or chunk_rows:
        chunks.rows = chunk_rows
        chunks.named = tuple(name.strip() for name in (rows or "").split(",") if name.strip())
    if timeout is not None:
        stop_after(timeout)
    if max_memory is not None:
        memory.set(byte_count(max_memory))
    if dtype is not None:
        default.dtype = as_dtype(dtype)
        if not default.dtype.is_floating_point:
            floating = [name for name, d in DTYPES.items() if d.is_floating_point]
            raise GradcliError(
                "G070",
                f"--dtype must be a floating-point dtype, not {dtype}",
                help=f"choose one of {', '.join(floating)}",
            )
    if seed is not None:
        from gradcli.tensor.generator import default_generator

        if not -(2**63) <= seed < 2**64:
            raise GradcliError("G070", f"--seed: {seed} does not fit into 64 bits", help="--seed 0")
        default_generator.manual_seed(seed)
    if precision is not None:
        from gradcli.tensor.text import set_printoptions

        set_printoptions(precision=precision)


def byte_count(text: str) -> int:
    """A size such as `512MB`, `2GiB` or `1e9` in bytes; raises G070 for anything else."""
    found = re.fullmatch(r"\s*([0-9.]+(?:e[0-9]+)?)\s*([a-z]*)\s*", text.lower())
    unit = UNITS.get(found[2]) if found else None
    try:
        count = float(found[1]) * unit if found and unit else 0.0
    except ValueError:
        count = 0.0
    if not 0 < count < 1e18:
        raise GradcliError(
            "G070", f"--max-memory: {text!r} is no size", help="write it as 512MB, 2GB or 2GiB"
        )
    return int(count)


LONGEST = 1e8
"""Seconds, three years: more than the system's timers take."""


def stop_after(seconds: float) -> None:
    """Raises G061 after `seconds`; ends the process a second later where one call never returns."""

    seconds = min(seconds, LONGEST)

    def expire(number: int, frame: FrameType | None) -> None:
        raise time_limit(seconds)

    watchdog = threading.Timer(seconds + 1.0, _end_process, [seconds])
    watchdog.daemon = True
    watchdog.start()
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, expire)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def time_limit(seconds: float) -> GradcliError:
    """G061."""
    return GradcliError(
        "G061", f"stopped after {seconds:g} s", help="raise it with --timeout", kind=TimeoutError
    )


def _end_process(seconds: float) -> None:
    from gradcli.files import temporary
    from gradcli.render.diagnostic import render_diagnostic

    temporary.remove_all()
    print(render_diagnostic(time_limit(seconds).diagnostic), file=sys.stderr, flush=True)
    os._exit(int(ExitStatus.USAGE))

"""LAPACK's routines for single matrices, and stacks of matrices one by one.

Constraints: SciPy is imported when a routine is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


def routine(name: str, like: Array, module: str = "lapack") -> Callable[..., Any]:
    """LAPACK's or BLAS's routine for arrays of `like`'s dtype."""
    import scipy.linalg

    source = scipy.linalg.lapack if module == "lapack" else scipy.linalg.blas
    letter = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}[like.dtype.name]
    return getattr(source, letter + name)  # type: ignore[no-any-return]


def each(run: Callable[..., Any], outs: list[tuple[tuple[int, ...], Any]], *stacks: Array) -> Any:
    """Runs on each matrix of the stacks; `outs` says shape and dtype of each result for one matrix.

    A stack is (array, number of axes of one element); their leading axes broadcast.
    """
    lead = np.broadcast_shapes(*(x.shape[: x.ndim - core] for x, core in stacks))
    wide = [np.broadcast_to(x, lead + x.shape[x.ndim - core :]) for x, core in stacks]
    results = [np.zeros(lead + shape, dtype) for shape, dtype in outs]
    # LAPACK takes no empty matrices; the first result is empty where one is.
    for place in np.ndindex(*lead) if results[0].size else ():
        for result, value in zip(results, run(*(x[place] for x in wide)), strict=True):
            result[place] = value
    return results

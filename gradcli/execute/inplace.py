"""Kernels that write into a buffer, for the ops that NumPy has under no single ufunc.

Constraints: `(*inputs, out=buffer)`; the buffer is none of the inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


def _where(condition: Array, x: Array, y: Array, out: Array) -> None:
    np.copyto(out, y)
    np.copyto(out, x, where=condition)


def _sigmoid(x: Array, out: Array) -> None:
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    np.reciprocal(out, out=out)


def _rsqrt(x: Array, out: Array) -> None:
    np.sqrt(x, out=out)
    np.reciprocal(out, out=out)


def _power(x: Array, y: Array, out: Array) -> None:
    if y.ndim == 0 and x.dtype.kind == "f":
        exponent = float(y)
        if exponent in (2.0, 3.0):
            np.multiply(x, x, out=out)
            if exponent == 3.0:
                np.multiply(out, x, out=out)
            return
    if x.dtype.kind in "iub":
        from gradcli.execute.backends.numpy import KERNELS

        np.copyto(out, KERNELS["pow"](x, y))
        return
    np.power(x, y, out=out)


def _relu(x: Array, out: Array) -> None:
    np.maximum(x, 0, out=out)


def _cast(x: Array, out: Array) -> None:
    np.copyto(out, x, casting="unsafe")


def _frac(x: Array, out: Array) -> None:
    np.trunc(x, out=out)
    np.subtract(x, out, out=out)


WRITERS: dict[str, Callable[..., None]] = {
    **{"where": _where, "sigmoid": _sigmoid, "rsqrt": _rsqrt, "pow": _power},
    **{"relu": _relu, "cast": _cast, "frac": _frac},
    **{"leaf": _cast, "detach": _cast, "clone": _cast},
}
"""Kernel name -> the function that writes it."""

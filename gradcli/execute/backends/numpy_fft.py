"""Fourier transforms on NumPy arrays.

Constraints: imported when an op first needs it. Single precision is SciPy's, whose sums are single
too (as PyTorch's), double precision NumPy's, which is the same algorithm and loads faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.execute.backends.shared import BACK, FFT

Array = Any


def _library(x: Array) -> Any:
    if x.dtype in (np.float64, np.complex128):
        return np.fft
    import scipy.fft

    return scipy.fft


def _complex(x: Array, *, axes: tuple[int, ...], scale: str, forward: bool) -> Array:
    if not x.size or not axes:
        return x
    if forward:
        return _library(x).fftn(x, axes=axes, norm=FFT[scale])
    return _library(x).ifftn(x, axes=axes, norm=BACK[scale])


def _from_real(x: Array, *, axes: tuple[int, ...], scale: str, half: bool) -> Array:
    found = _library(x).rfftn(x, axes=axes, norm=FFT[scale])
    if half:
        return found
    # Every other frequency along the axis is the mirror image of one that is there.
    found, size = np.moveaxis(found, axes[-1], -1), x.shape[axes[-1]]
    rest = np.conj(found[..., (size - 1) // 2 : 0 : -1])
    return np.moveaxis(np.concatenate((found, rest), -1), -1, axes[-1])


def _to_real(x: Array, *, axes: tuple[int, ...], scale: str, size: int) -> Array:
    sizes = (*(x.shape[axis] for axis in axes[:-1]), size)
    return _library(x).irfftn(x, s=sizes, axes=axes, norm=BACK[scale])


KERNELS: dict[str, Callable[..., Array]] = {
    **{"fft_c2c": _complex, "fft_r2c": _from_real, "fft_c2r": _to_real},
}
"""Kernels by name."""

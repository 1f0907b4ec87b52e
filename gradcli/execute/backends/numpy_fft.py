"""Fourier transforms on NumPy arrays.

Constraints: imported when an op first needs it; NumPy 2 keeps single precision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any
FORWARD = {"none": "backward", "root": "ortho", "all": "forward"}
BACK = {"none": "forward", "root": "ortho", "all": "backward"}
"""What NumPy calls a scale, by direction."""


def _complex(x: Array, *, axes: tuple[int, ...], scale: str, forward: bool) -> Array:
    if not x.size or not axes:
        return x
    if forward:
        return np.fft.fftn(x, axes=axes, norm=FORWARD[scale])  # type: ignore[arg-type]
    return np.fft.ifftn(x, axes=axes, norm=BACK[scale])  # type: ignore[arg-type]


def _from_real(x: Array, *, axes: tuple[int, ...], scale: str, half: bool) -> Array:
    run = np.fft.rfftn if half else np.fft.fftn
    return run(x, axes=axes, norm=FORWARD[scale])  # type: ignore[arg-type]


def _to_real(x: Array, *, axes: tuple[int, ...], scale: str, size: int) -> Array:
    sizes = (*(x.shape[axis] for axis in axes[:-1]), size)
    return np.fft.irfftn(x, s=sizes, axes=axes, norm=BACK[scale])  # type: ignore[arg-type]


KERNELS: dict[str, Callable[..., Array]] = {
    **{"fft_c2c": _complex, "fft_r2c": _from_real, "fft_c2r": _to_real},
}
"""Kernels by name."""

"""Kernels that libraries share: those that move elements, and Fourier transforms.

Constraints: `(library, *values, **attrs) -> value`, by what a `Library` offers and by functions
that have one name and one order of arguments everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.graph.shape import Shape, numel

if TYPE_CHECKING:
    from gradcli.execute.backends.base import Library

Array = Any
Axes = tuple[int, ...]
Slices = tuple[tuple[int, int, int], ...]

FFT = {"none": "backward", "root": "ortho", "all": "forward"}
BACK = {"none": "forward", "root": "ortho", "all": "backward"}
"""What libraries call a scale, by direction."""


def taken(slices: Slices) -> tuple[Any, ...]:
    """An index of the last axes from what ops have: start, length and step of each."""
    return (..., *(slice(i, i + max(n - 1, 0) * step + (n > 0), step) for i, n, step in slices))


def places(axes: int, indices: tuple[Array, ...]) -> tuple[Any, ...]:
    """An index of the last `axes` axes, the first of them by `indices`."""
    return (..., *indices, *(slice(None),) * (axes - len(indices)))


def expand(b: Library, x: Array, *, shape: Shape) -> Array:
    """The last axes repeated to `shape`."""
    core = min(x.ndim, len(shape))
    kept = np.broadcast_shapes(tuple(x.shape[x.ndim - core :]), shape)
    return b.xp.broadcast_to(x, (*x.shape[: x.ndim - core], *kept))


def _permute(b: Library, x: Array, *, axes: Axes) -> Array:
    order = (*range(x.ndim - len(axes)), *(x.ndim + a for a in axes))
    return getattr(b.xp, b.renamed.get("permute_dims", "permute_dims"))(x, order)


def _complex_fft(b: Library, x: Array, *, axes: Axes, scale: str, forward: bool) -> Array:
    if not axes or not numel(tuple(x.shape)):
        return x
    if forward:
        return b.transform("fftn", x, axes, FFT[scale])
    return b.transform("ifftn", x, axes, BACK[scale])


def _real_fft(b: Library, x: Array, *, axes: Axes, scale: str, half: bool) -> Array:
    if half:
        return b.transform("rfftn", x, axes, FFT[scale])
    return b.transform("fftn", b.as_complex(x), axes, FFT[scale])


def _half_fft(b: Library, x: Array, *, axes: Axes, scale: str, size: int) -> Array:
    sizes = (*(x.shape[axis] for axis in axes[:-1]), size)
    return b.transform("irfftn", x, axes, BACK[scale], sizes)


SHARED: dict[str, Callable[..., Any]] = {
    "slice": lambda b, x, *, slices: x[taken(slices)],
    "reshape": lambda b, x, *, axes, shape: b.xp.reshape(x, (*x.shape[: x.ndim - axes], *shape)),
    **{"permute_dims": _permute, "expand": expand},
    "concat": lambda b, *arrays, axis: b.xp.concat(arrays, axis=axis),
    "index": lambda b, x, *indices, axes: x[places(axes, indices)],
    **{"fft_r2c": _real_fft, "fft_c2c": _complex_fft, "fft_c2r": _half_fft},
}
"""What a library has unless its own table says otherwise."""

"""Images of another size: interpolation between pixels along each axis in turn.

Constraints: inputs are (N, C, sizes). Along an axis each new pixel is a sum of a few old ones
("taps") with weights that follow from sizes and scale alone, computed in the precision that PyTorch
computes them in, because a rounded position chooses the pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.limits import memory
from gradcli.functions import resize_taps as taps
from gradcli.functions.create import from_array
from gradcli.functions.index import positions
from gradcli.functions.pool_mean import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    mixed,
)
from gradcli.functions.resize_taps import Taps
from gradcli.functions.shape import whole
from gradcli.graph.node import Node
from gradcli.graph.shape import numel
from gradcli.ops.indexing import index
from gradcli.tensor.function import Function, composite, internal
from gradcli.tensor.named import Named
from gradcli.tensor.operands import no_kernel

Array = Any
MODES = (
    "nearest",
    "linear",
    "bilinear",
    "bicubic",
    "trilinear",
    "lanczos",
    "area",
    "nearest-exact",
)
SMOOTH = {"linear": 1, "bilinear": 2, "trilinear": 3}
"""Modes that interpolate linearly, and the dims that they take."""


@composite(
    "nn.functional.interpolate",
    Named("nn.functional.upsample", recompute_scale_factor=None, antialias=None),
    method=False,
)
def interpolate(
    input: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """`input` with its dims after the second resized to `size`, or by `scale_factor`."""
    count = len(input.shape) - 2
    if mode in ("nearest", "area", "nearest-exact") and align_corners is not None:
        raise GradcliError(
            "G026",
            "align_corners option can only be set with the interpolating modes: "
            "linear | bilinear | bicubic | trilinear",
            kind=ValueError,
        )
    sizes, scales = _sizes(input, size, scale_factor, recompute_scale_factor or mode == "area")
    if recompute_scale_factor and size is not None:
        raise _refused("recompute_scale_factor is not meaningful with an explicit size.")
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and count == 2):
        raise _refused(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires "
            "a 4-D tensor as input"
        )
    _check_mode(mode, count, antialias)
    if mode == "area":
        pools = (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)
        return pools[count - 1](input, sizes)
    resized = _RESIZED[mode, count, antialias]
    return resized(input, tuple(sizes), scales, bool(align_corners))


def _refused(sentence: str) -> GradcliError:
    return GradcliError("G026", sentence, kind=ValueError)


def _check_mode(mode: str, count: int, antialias: bool) -> None:
    if (mode, count, antialias) in _RESIZED or (mode == "area" and 1 <= count <= 3):
        return
    if 1 <= count <= 3 and mode in SMOOTH:
        text = f"Got {count + 2}D input, but {mode} mode needs {SMOOTH[mode] + 2}D input"
    else:
        text = (
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {count + 2}D) for the "
            f"modes: {' | '.join(MODES)} (got {mode})"
        )
    raise GradcliError("G026", text, kind=NotImplementedError)


def _sizes(
    input: Any, size: Any, scale_factor: Any, recompute: bool
) -> tuple[list[int], Sequence[float | None]]:
    """The new size of each dim, and the scale where the positions follow from it."""
    old = list(input.shape[2:])
    if size is not None and scale_factor is not None:
        raise _refused("only one of size or scale_factor should be defined")
    if size is not None:
        many = isinstance(size, (list, tuple))
        if many and len(size) != len(old):
            raise _misfit(
                old, f"Input and output must have{_SAME}{old} and output size of {size}", "o"
            )
        sizes = [whole(n) for n in size] if many else [whole(size)] * len(old)
        return sizes, [None] * len(old)
    if scale_factor is None:
        raise _refused("either size or scale_factor should be defined")
    many = isinstance(scale_factor, (list, tuple))
    if many and len(scale_factor) != len(old):
        start = (
            f"Input and scale_factor must have{_SAME}{old} and scale_factor of shape {scale_factor}"
        )
        raise _misfit(old, start, "s")
    scales = [float(s) for s in scale_factor] if many else [float(scale_factor)] * len(old)
    sizes = [
        math.floor(n * s) if recompute else int(n * s) for n, s in zip(old, scales, strict=True)
    ]
    return sizes, [None] * len(old) if recompute else scales


_SAME = " the same number of spatial dimensions, but got input with spatial dimensions of "


def _misfit(old: list[int], start: str, letter: str) -> GradcliError:
    what = "scale_factor" if letter == "s" else "output size"
    return _refused(
        f"{start}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and {what} in "
        f"({letter}1, {letter}2, ...,{letter}K) format."
    )


# -- one way of resizing


def _resized(shown: str, kernel: str, placed: Callable[..., Taps], bytes_too: bool) -> Function:
    @internal(shown)
    def resized(
        x: Node, sizes: tuple[int, ...], scales: Sequence[float | None], align: bool
    ) -> Node:
        _check(x, sizes)
        memory.refuse(numel((*x.shape[:2], *sizes)), x.dtype.itemsize)
        # Positions, weights, and a matrix for filters, are made before the result is.
        for old, new in zip(x.shape[2:], sizes, strict=True):
            memory.refuse(new * (old + 16 if shown.endswith("aa") else 16), 8)
        if not (x.dtype.is_floating_point or (bytes_too and x.dtype.name == "uint8")):
            raise no_kernel(kernel, x)
        for axis, size, scale in zip(
            range(-1, -len(sizes) - 1, -1), sizes[::-1], scales[::-1], strict=True
        ):
            x = _tapped(x, axis, *placed(x.shape[axis], size, scale, align, x.dtype))
        return x

    return resized


def _check(x: Node, sizes: tuple[int, ...]) -> None:
    core = len(sizes)
    if min(*x.shape[-core:], *sizes) < 1:
        letters = {1: ["W"], 2: ["H", "W"], 3: ["D", "H", "W"]}[core]
        given, made = (
            ", ".join(f"{c}: {n}" for c, n in zip(letters, ns, strict=True))
            for ns in (x.shape[-core:], sizes)
        )
        raise GradcliError(
            "G024",
            "Input and output sizes should be greater than 0, but got input "
            f"({given}) {'and ' * (core == 1)}output ({made})",
        )
    if x.shape[1] == 0:
        raise GradcliError(
            "G024",
            f"Non-empty {core + 2}D data tensor expected but got a tensor with sizes "
            f"{list(x.shape)}",
        )


def _tapped(x: Node, axis: int, chosen: Array, weights: Array | None) -> Node:
    """`x` along `axis` as weighted sums of a few positions; as a matrix where there are many."""
    if weights is None:
        return index(x, positions(chosen), axes=-axis)
    if chosen.ndim == 1:
        return mixed(x, axis, weights)
    total = None
    for places, factors in zip(chosen, weights, strict=True):
        factor = from_array(factors.reshape(-1, *(1,) * (-axis - 1))).node
        part = index(x, positions(places), axes=-axis) * factor
        total = part if total is None else total + part
    assert total is not None
    return total


def _table() -> dict[tuple[str, int, bool], Function]:
    found = {}
    lists = "channels_last"
    for count in (1, 2, 3):
        kernel = f"upsample_nearest2d_{lists}" if count == 2 else "compute_indices_weights_nearest"
        for mode, placed in (("nearest", taps.nearest), ("nearest-exact", taps.nearest_exact)):
            shown = f"upsample_{mode.replace('-', '_')}{count}D"
            found[mode, count, False] = _resized(shown, kernel, placed, True)
    for mode, count in SMOOTH.items():
        kernel = f"upsample_bilinear2d_{lists}" if count == 2 else "compute_indices_weights_linear"
        found[mode, count, False] = _resized(f"upsample_{mode}{count}D", kernel, taps.linear, False)
    cubic = _resized("upsample_bicubic2D", "compute_indices_weights_cubic", taps.cubic, False)
    found["bicubic", 2, False] = cubic
    for mode, reach, shape in (
        ("bilinear", 1, taps.triangle),
        ("bicubic", 2, taps.soft_cubic),
        ("lanczos", 3, taps.lanczos),
    ):
        placed = taps.smoothed(reach, shape)
        shown = f"upsample_{mode}2D_aa"
        found[mode, 2, True] = _resized(shown, f"compute_indices_weights_{mode}_aa", placed, False)
    return found


_RESIZED = _table()


@composite("nn.functional.upsample_nearest", method=False)
def upsample_nearest(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """`interpolate` with mode "nearest"."""
    return interpolate(input, size, scale_factor, mode="nearest")


@composite("nn.functional.upsample_bilinear", method=False)
def upsample_bilinear(input: Any, size: Any = None, scale_factor: Any = None) -> Any:
    """`interpolate` with mode "bilinear" and aligned corners."""
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)

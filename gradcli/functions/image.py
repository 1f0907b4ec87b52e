"""Pixels moved between channels and space.

Constraints: images are (..., C, H, W); nothing is computed, only arranged.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.shape import permuted, reshaped
from gradcli.graph.node import Node
from gradcli.tensor.function import function
from gradcli.tensor.function import tensor_operand as tensor


def _check_shuffle(name: str, x: Node, factor: int) -> None:
    if x.ndim < 3:
        raise GradcliError(
            "G021",
            f"{name} expects input to have at least 3 dimensions, but got input with {x.ndim} "
            "dimension(s)",
        )
    if factor < 1:
        which = "downscale" if "un" in name else "upscale"
        raise GradcliError("G026", f"{name} expects a positive {which}_factor, but got {factor}")


@function("pixel_shuffle", "nn.functional.pixel_shuffle", method=False, out=None, python=False)
def pixel_shuffle(input: Any, upscale_factor: int) -> Node:
    """(C*r*r, H, W) as (C, H*r, W*r): each block of channels becomes a block of pixels."""
    x, r = tensor(input), upscale_factor
    _check_shuffle("pixel_shuffle", x, r)
    *lead, channels, rows, columns = x.shape
    if channels % (r * r):
        raise GradcliError(
            "G021",
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={channels} is not divisible by {r * r}",
        )
    apart = reshaped(x, (*lead, channels // (r * r), r, r, rows, columns))
    moved = permuted(apart, (-5, -2, -4, -1, -3))
    return reshaped(moved, (*lead, channels // (r * r), rows * r, columns * r))


@function("pixel_unshuffle", "nn.functional.pixel_unshuffle", method=False, out=None, python=False)
def pixel_unshuffle(input: Any, downscale_factor: int) -> Node:
    """(C, H*r, W*r) as (C*r*r, H, W): the inverse of `pixel_shuffle`."""
    x, r = tensor(input), downscale_factor
    _check_shuffle("pixel_unshuffle", x, r)
    for side, axis in (("height", -2), ("width", -1)):
        if x.shape[axis] % r:
            raise GradcliError(
                "G021",
                f"pixel_unshuffle expects {side} to be divisible by downscale_factor, but "
                f"input.size({axis})={x.shape[axis]} is not divisible by {r}",
            )
    *lead, channels, rows, columns = x.shape
    apart = reshaped(x, (*lead, channels, rows // r, r, columns // r, r))
    moved = permuted(apart, (-5, -3, -1, -4, -2))
    return reshaped(moved, (*lead, channels * r * r, rows // r, columns // r))


@function("channel_shuffle", "nn.functional.channel_shuffle", method=False, out=None, python=False)
def channel_shuffle(input: Any, groups: int) -> Node:
    """Channels (dim 1) dealt out: the first of each group, then the second of each, and so on."""
    x = tensor(input)
    if x.ndim < 3:
        raise GradcliError(
            "G021",
            "channel_shuffle expects input with > 2 dims, but got input with sizes "
            f"{list(x.shape)}",
        )
    if groups < 1:
        raise GradcliError(
            "G026",
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}",
        )
    batch, channels, *rest = x.shape
    if channels % groups:
        raise GradcliError(
            "G021",
            f"Number of channels must be divisible by groups. Got {channels} channels and {groups} "
            "groups.",
        )
    apart = reshaped(x, (batch, groups, channels // groups, *rest))
    order = (0, 2, 1, *range(3, apart.ndim))
    return reshaped(permuted(apart, tuple(a - apart.ndim for a in order)), x.shape)

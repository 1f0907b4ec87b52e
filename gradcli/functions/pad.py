"""Padding: a border around a tensor, of one value or of the tensor's own elements.

Constraints: users give amounts as (before, after) of the last dim, then outwards; negative ones
crop. A border of the tensor's own elements is a choice of positions along each axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.limits import memory
from gradcli.functions.index import positions
from gradcli.functions.shape import whole
from gradcli.graph.dtype import BOOL
from gradcli.graph.node import Node
from gradcli.ops import movement
from gradcli.ops.indexing import index
from gradcli.tensor.function import composite, internal
from gradcli.tensor.kinds import Number
from gradcli.tensor.operands import no_kernel, number_like

Around = Sequence[tuple[int, int]]
"""(before, after) for each of the last axes."""


def padded(x: Node, around: Around, value: complex = 0) -> Node:
    """`x` with `value` around its last axes; negative amounts crop. `x` itself for no amounts.

    Raises:
        GradcliError: G024 when more is cropped than there is.
    """
    if not any(map(any, around)):
        return x
    taken, placed, shape = [], [], []
    for (before, after), size in zip(around, x.shape[x.ndim - len(around) :], strict=True):
        kept = size + min(before, 0) + min(after, 0)
        if kept < 0:
            raise GradcliError("G024", "narrow(): length must be non-negative.")
        taken.append((max(-before, 0), kept, 1))
        placed.append((max(before, 0), kept, 1))
        shape.append(size + before + after)
    inner = movement.slice_(x, slices=tuple(taken)) if min(map(min, around)) < 0 else x
    if value == 0:
        return movement.embed(inner, slices=tuple(placed), shape=tuple(shape))
    filled = movement.expand(
        number_like(x, value), shape=x.shape[: x.ndim - len(around)] + tuple(shape)
    )
    return movement.slice_put(filled, inner, slices=tuple(placed))


@composite("nn.functional.pad")
def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """`input` with a border: `pad` is (before, after) of the last dim, then outwards.

    The border is `value` ("constant"), the input mirrored ("reflect"), its edge repeated
    ("replicate") or its other end ("circular"). Negative amounts crop.
    """
    if mode == "constant":
        return _constant(input, pad, 0 if value is None else value * 1.0)
    around, rank = _pairs(pad), len(input.shape)
    if mode != "circular" and mode not in _MODES:
        raise GradcliError("G026", f"Unrecognised padding mode {mode}", kind=NotImplementedError)
    if value is not None and value != 0:
        raise GradcliError("G026", f'Padding mode "{mode}" doesn\'t take in value argument')
    if not 1 <= len(around) <= 3 or rank - len(around) not in (1, 2):
        raise GradcliError(
            "G024",
            f"Padding size {2 * len(around)} is not supported for {rank}D input tensor.",
            kind=NotImplementedError,
        )
    if mode == "circular":
        return _circular(input, around)
    return _BORDERS[mode, len(around)](input, around)


def _pairs(pad: Any) -> list[tuple[int, int]]:
    """(before, after) of each padded dim, the last dim last."""
    sizes = [whole(size) for size in pad]
    if len(sizes) % 2:
        raise GradcliError("G024", "Padding length must be divisible by 2")
    return list(zip(sizes[::2], sizes[1::2], strict=True))[::-1]


@composite("constant_pad_nd", method=False, out=None)
def _constant(input: Any, pad: Any, value: Number = 0) -> Any:
    """`nn.functional.pad` with the mode "constant"."""
    around = _pairs(pad)
    _check_length(2 * len(around), len(input.shape))
    return constant_pad_nd(input, around, value)


def _check_length(length: int, rank: int) -> None:
    if length > 2 * rank:
        raise GradcliError(
            "G024",
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {length} and input of dimension {rank}",
        )


@internal("constant_pad_nd")
def constant_pad_nd(x: Node, around: Around, value: complex = 0) -> Node:
    """`padded`, as a function of its own in the graph that a user sees."""
    if x.ndim == 0 or not any(map(any, around)):
        return whole_of(x)
    return padded(x, around, value)


def whole_of(x: Node) -> Node:
    """A node of its own with the value of `x`."""
    return movement.slice_(x, slices=tuple((0, size, 1) for size in x.shape))


# -- borders of the tensor's own elements


def _reflected(places: Any, size: int) -> Any:
    return size - 1 - np.abs(size - 1 - np.abs(places))


_MODES: dict[str, Callable[[Any, int], Any]] = {
    "reflect": _reflected,
    "replicate": lambda places, size: np.clip(places, 0, size - 1),
}
"""Which element stands at each place, where 0 is the first and `size` is beyond the last."""


def _bordered(x: Node, around: Around, mode: str) -> Node:
    """`x` read along each of its last axes at the places that `mode` says."""
    for axis, (before, after) in zip(range(-len(around), 0), around, strict=True):
        if before or after:
            size = x.shape[axis]
            memory.refuse(size + before + after, 8)
            places = np.arange(-before, size + after)
            x = index(x, positions(_MODES[mode](places, max(size, 1))), axes=-axis)
    return x


def _border(mode: str, kernel: str, count: int) -> Any:
    @internal(f"{kernel}_pad{count}D")
    def border(x: Node, around: Around) -> Node:
        if x.dtype.category == BOOL:
            raise no_kernel(f"{kernel}_pad{count}d", x)
        _check_sizes(x, count)
        if mode == "reflect":
            _check_reflection(x, around)
        for (before, after), size in zip(around, x.shape[-count:], strict=True):
            if size + before + after < 1:
                raise _too_small(x, around)
        return _bordered(x, around, mode)

    return border


_BORDERS = {
    (mode, count): _border(mode, kernel, count)
    for mode, kernel in (("reflect", "reflection"), ("replicate", "replication"))
    for count in (1, 2, 3)
}


def _check_sizes(x: Node, count: int) -> None:
    batched = x.ndim == count + 2
    if 0 in x.shape[batched:]:
        raise GradcliError(
            "G024",
            f"Expected {count + 1}D or {count + 2}D (batch mode) tensor with possibly 0 batch size "
            f"and other non-zero dimensions for input, but got: {list(x.shape)}",
        )


def _check_reflection(x: Node, around: Around) -> None:
    for place, (before, after) in enumerate(reversed(around)):
        axis = x.ndim - 1 - place
        if max(before, after) >= x.shape[axis]:
            raise GradcliError(
                "G024",
                f"Argument #{4 + 2 * place}: Padding size should be less than the corresponding "
                f"input dimension, but got: padding ({before}, {after}) at dimension {axis} of "
                f"input {list(x.shape)}",
            )


def _too_small(x: Node, around: Around) -> GradcliError:
    letters = "DHW"[-len(around) :]
    sizes = x.shape[-len(around) :]
    given = " ".join(f"{c}: {n}" for c, n in zip(letters, sizes, strict=True))
    made = " ".join(
        f"{c}: {n + sum(amounts)}" for c, n, amounts in zip(letters, sizes, around, strict=True)
    )
    return GradcliError("G024", f"input ({given}) is too small. Calculated output {made}")


def _circular(input: Any, around: Around) -> Any:
    for (before, after), size in zip(around, input.shape[-len(around) :], strict=True):
        if before > size or after > size:
            raise GradcliError("G024", "Padding value causes wrapping around more than once.")
        if size + before + after < 0:
            raise GradcliError("G024", "Negative padding value is resulting in an empty dimension")
    lead, sizes = input.shape[: -len(around)], input.shape[-len(around) :]
    widths = [size + sum(amounts) for size, amounts in zip(sizes, around, strict=True)]
    made = input.new_empty([*lead, *widths])
    target, source = made, input
    wraps = [(a, *around[a]) for a in range(-1, -len(around) - 1, -1)]
    for axis, before, after in wraps:  # a negative amount crops
        kept = sizes[axis] + min(before, 0) + min(after, 0)
        target = target.narrow(axis, max(before, 0), kept)
        source = source.narrow(axis, max(-before, 0), kept)
    target.copy_(source)
    for axis, before, after in wraps:
        end = widths[axis] - max(after, 0)
        if before > 0:
            made.narrow(axis, 0, before).copy_(made.narrow(axis, end - before, before))
        if after > 0:
            made.narrow(axis, end, after).copy_(made.narrow(axis, max(before, 0), after))
    return made

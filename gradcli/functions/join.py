"""Joining, splitting, repeating and reordering: tensors made of parts of tensors.

Constraints: pieces of a tensor share its memory; what is joined or repeated is a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.functions.shape import (
    grown,
    part,
    reshaped,
    sizes_of,
    whole,
)
from gradcli.graph.dtype import int32, int64
from gradcli.graph.node import Node, data
from gradcli.graph.op import REPLACE, Op
from gradcli.graph.shape import axes_from_right, axis_from_right, own_axis, text
from gradcli.ops import elementwise as ops
from gradcli.ops import movement
from gradcli.tensor import Tensor
from gradcli.tensor.arguments import require_tensors
from gradcli.tensor.function import composite, function, promoted
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import AnyTensor, Dims, Listed, Tensors
from gradcli.tensor.operands import no_kernel
from gradcli.tensor.storing import GATHERING, JOINED, METHOD, SAME

# -- joining


def _listed_tensors(tensors: Any, name: str) -> list[Any]:
    require_tensors(tensors)
    if not tensors:
        if name == "cat":
            sentence = "torch.cat(): expected a non-empty list of Tensors"
            raise GradcliError("G013", sentence, kind=ValueError)
        raise GradcliError("G013", f"{name} expects a non-empty TensorList")
    return list(tensors)


@function("cat", "concat", "concatenate", shown="cat", method=False, out=JOINED, memory=GATHERING)
def cat(tensors: Tensors, dim: int = 0) -> Node:
    """The tensors one after another along `dim`."""
    nodes = promoted(*_listed_tensors(tensors, "cat"))
    for position, x in enumerate(nodes):
        if x.ndim == 0:
            raise GradcliError(
                "G024",
                f"zero-dimensional tensor (at position {position}) cannot be concatenated",
                help="stack() joins scalars",
            )
    empty = [x for x in nodes if x.shape == (0,)]
    nodes = [x for x in nodes if x.shape != (0,)] or nodes
    axis = -1 if nodes[0].shape == (0,) else axis_from_right(whole(dim), nodes[0].ndim)
    _same_elsewhere(nodes, axis)
    joined = movement.concat(*nodes, axis=axis)
    for x in empty if nodes[0].shape != (0,) else ():  # connected, however few elements it has
        joined = REPLACE(x, joined) if x.tracked else joined
    return joined


def _same_elsewhere(nodes: list[Node], axis: int) -> None:
    first = nodes[0]
    for position, x in enumerate(nodes):
        if x.ndim != first.ndim:
            raise GradcliError(
                "G024",
                f"Tensors must have same number of dimensions: got {first.ndim} and {x.ndim}",
            )
        for other in range(-first.ndim, 0):
            if other != axis and x.shape[other] != first.shape[other]:
                raise GradcliError(
                    "G024",
                    f"Sizes of tensors must match except in dimension {axis + first.ndim}. "
                    f"Expected size {first.shape[other]} but got size {x.shape[other]} for tensor "
                    f"number {position} in the list.",
                )


@function("stack", method=False, out=JOINED)
def stack(tensors: Tensors, dim: int = 0) -> Node:
    """The tensors, all of one shape, side by side along a new dim."""
    nodes = promoted(*_listed_tensors(tensors, "stack"))
    first = nodes[0].shape
    for position, x in enumerate(nodes):
        if x.shape != first:
            raise GradcliError(
                "G024",
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and "
                f"{list(x.shape)} at entry {position}",
                label=f"entry 0 is {text(first)}, entry {position} is {text(x.shape)}",
            )
    rank = len(first) + 1
    axis = axis_from_right(whole(dim), rank)
    cut = axis + rank
    return movement.concat(
        *(reshaped(x, (*first[:cut], 1, *first[cut:])) for x in nodes), axis=axis
    )


def _stacked(names: Sequence[str], rank: int, dim: int, words: str) -> None:
    @composite(*names, method=False, out=JOINED)
    def stacked(tensors: Tensors) -> Any:
        several = [grown(x, rank) for x in _listed_tensors(tensors, names[0])]
        return cat(several, dim if len(several[0].shape) > dim else 0)

    stacked.doc = f"The tensors one after another, {words}."


_stacked(["hstack"], 1, 1, "along the second dim (vectors along the first)")
_stacked(["vstack", "row_stack"], 2, 0, "as rows")
_stacked(["dstack"], 3, 2, "along the third dim")


@composite("column_stack", method=False, out=JOINED)
def column_stack(tensors: Tensors) -> Any:
    """The tensors side by side, vectors as columns."""
    several = _listed_tensors(tensors, "column_stack")
    return cat([x if len(x.shape) > 1 else x.reshape(-1, 1) for x in several], 1)


def _each_position(repeats: Tensor) -> Tensor:
    """Each position as often as `repeats` says there."""
    if repeats.dtype not in (int32, int64):
        raise no_kernel("repeat_interleave_cpu", repeats)
    if len(repeats.shape) != 1:
        raise GradcliError("G024", "repeat_interleave only accept 1D vector as repeat")
    counts = repeats.array()
    if (counts < 0).any():
        raise GradcliError("G026", "repeats can not be negative")
    known = np.repeat(np.arange(len(counts), dtype=counts.dtype), counts)
    return Tensor(data(known, known.shape, repeats.dtype))


# -- repeating


@function("Tensor.repeat", layout=False)
def repeat(input: Any, *repeats: Any) -> Node:
    """Repeated along each dim the given number of times."""
    x = tensor(input)
    times = list(sizes_of(repeats))
    if len(times) < x.ndim:
        raise GradcliError(
            "G024",
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor",
        )
    shape = (1,) * (len(times) - x.ndim) + x.shape
    full = tuple(a * b for a, b in zip(times, shape, strict=True))
    for size in full:
        if size < 0:
            raise GradcliError(
                "G024", f"Trying to create tensor with negative dimension {size}: {list(full)}"
            )
    paired = [n for size in shape for n in (1, size)]
    spread = [n for count, size in zip(times, shape, strict=True) for n in (count, size)]
    repeated = movement.expand(reshaped(x, tuple(paired)), shape=tuple(spread))
    return ops.clone(reshaped(repeated, full))


@composite("tile", out=None)
def tile(input: Any, *dims: Listed) -> Any:
    """Repeated along the last dims the given number of times."""
    if not dims:
        sentence = 'tile() missing 1 required positional arguments: "dims"'
        raise GradcliError("G013", sentence, help="x.tile(2)", kind=TypeError)
    times = sizes_of(dims)
    return repeat(input, *(1,) * (len(input.shape) - len(times)), *times)


@composite("repeat_interleave", out=None)
def repeat_interleave(
    input: Any,
    repeats: AnyTensor | int | None = None,
    dim: int | None = None,
    *,
    output_size: int | None = None,
) -> Any:
    """Each element (or slice along `dim`) repeated `repeats` times in place."""
    if repeats is None:
        return _each_position(input)
    counts = list(repeats.shape) if isinstance(repeats, Tensor) else []
    if len(counts) > 1:
        raise GradcliError("G024", "repeats must be 0-dim or 1-dim tensor")
    if dim is None:
        input, dim = input.flatten(), 0
    axis = axis_from_right(whole(dim), len(input.shape))
    if not input.shape:  # PyTorch flattens the dim and the repetitions after it
        axis_from_right(1, 0)
    size = input.shape[axis]
    if not isinstance(repeats, Tensor):
        if whole(repeats) < 0:
            raise GradcliError("G026", "Repeats must be non-negative")
        return _interleaved(input, axis, whole(repeats))
    if counts not in ([], [1], [size]):
        raise GradcliError(
            "G024",
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{counts[0]} and input.size({axis + len(input.shape)}) = {size}",
        )
    return input.index_select(dim, _each_position(repeats.expand(size)))


def _interleaved(input: Any, axis: int, count: int) -> Any:
    at = axis + len(input.shape) + 1
    shape = tuple(input.shape)
    spread = input.unsqueeze(at).expand(*shape[:at], count, *shape[at:])
    spread = spread.contiguous() if count != 1 else spread.clone()
    return spread.view(*shape[: at - 1], shape[at - 1] * count, *shape[at:])


# -- order and triangles


@function("flip", layout=True, out=None)
def flip(input: Any, *dims: Listed) -> Node:
    """Reversed along `dims`."""
    x = tensor(input)
    if not dims:
        sentence = 'flip() missing 1 required positional arguments: "dims"'
        raise GradcliError("G013", sentence, help="x.flip(0)", kind=TypeError)
    axes = axes_from_right(sizes_of(dims), x.ndim)
    return movement.flip(x, axis=axes if x.ndim else ())


def _flipped(name: str, rank: int, words: str) -> None:
    @composite(name, out=None)
    def flipped(input: Any) -> Any:
        if len(input.shape) < rank:
            raise GradcliError("G023", f"Input must be >= {rank}-d.")
        return flip(input, rank - 1)

    flipped.doc = f"Reversed along the {words} dim."


_flipped("flipud", 1, "first")
_flipped("fliplr", 2, "second")


@function("roll", out=None)
def roll(input: Any, shifts: Dims, dims: Dims | None = None) -> Node:
    """Shifted along `dims`, what falls out at the end coming in at the start."""
    x = tensor(input)
    steps = [whole(s) for s in _listed(shifts)]
    along = [] if dims is None else _listed(dims)
    if not steps:
        raise GradcliError("G013", "`shifts` required")
    if len(steps) != len(along) and (along or len(steps) > 1):
        raise GradcliError(
            "G013", f"shifts and dimensions must align. shifts: {len(steps)}, dims:{len(along)}"
        )
    if not along:
        return reshaped(_rolled(reshaped(x, (x.size,)), steps[0], -1), x.shape)
    for shift, dim in zip(steps, along, strict=True):
        x = _rolled(x, shift, own_axis(whole(dim), x.ndim))
    return x


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _rolled(x: Node, shift: int, axis: int) -> Node:
    size = x.shape[axis]
    cut = -shift % size if size else 0
    if cut == 0:
        return ops.clone(x)
    return movement.concat(part(x, axis, cut, size - cut), part(x, axis, 0, cut), axis=axis)


def _triangle(name: str, op: Op, words: str) -> None:
    @function(name, out=SAME, in_place=METHOD)
    def triangle(input: Any, diagonal: int = 0) -> Node:
        x = tensor(input)
        if x.ndim < 2:
            raise GradcliError("G023", f"{name}: input tensor must have at least 2 dimensions")
        return op(x, diagonal=whole(diagonal))

    triangle.doc = f"The {words} triangle of a matrix (from `diagonal` on), zero elsewhere."


_triangle("tril", movement.tril, "lower")
_triangle("triu", movement.triu, "upper")

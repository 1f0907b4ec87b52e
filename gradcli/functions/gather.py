"""Reading at positions: gather, take, index_select, nonzero, masks.

Constraints: every position is checked before anything is read; the results are copies.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import array
from gradcli.execute.limits import memory
from gradcli.functions.index import (
    gather_along,
    in_range,
    in_range_or_raise,
    nonzero_columns,
    positions,
    read,
)
from gradcli.functions.shape import reshaped, whole
from gradcli.graph.dtype import BOOL, C_TYPES, INTEGER, SCALAR_TYPES, int32, int64
from gradcli.graph.node import Node, constant
from gradcli.graph.shape import axis_from_right, broadcast
from gradcli.ops import indexing, movement
from gradcli.ops.elementwise import cast, clone, remainder, where
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite, function
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import Operand
from gradcli.tensor.levels import lanes_of, of_all_examples
from gradcli.tensor.operands import number_like, refuse_complex
from gradcli.tensor.storage import Storage
from gradcli.tensor.storing import BOTH, GATHERING, OF_NUMBERS, SAME, Memory, Out

# -- positions


@function("gather", out=SAME, memory=GATHERING)
def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Node:
    """`input` read along `dim` at `index`: one position for every element of the result."""
    x, chosen = tensor(input), tensor(index)
    if chosen.dtype not in (int64, int32) and chosen.size:
        raise GradcliError("G022", "gather(): Expected dtype int32/int64 for index")
    axis = axis_from_right(whole(dim), x.ndim)
    if max(chosen.ndim, 1) != max(x.ndim, 1) and chosen.size:
        raise GradcliError(
            "G022", "Index tensor must have the same number of dimensions as input tensor"
        )
    if not chosen.size:
        nothing = movement.slice_(reshaped(x, (x.size,)), slices=((0, 0, 1),))
        return reshaped(nothing, chosen.shape)
    if x.ndim == 0:
        return movement.expand(x, shape=in_range_or_raise(chosen, 1, 0).shape)
    if chosen.ndim == 0:
        at = in_range_or_raise(reshaped(chosen, (1,)), x.shape[axis], 0)
        return reshaped(gather_along(x, at, axis), ())
    for other in range(-x.ndim, 0):
        if other != axis and chosen.shape[other] > x.shape[other]:
            raise GradcliError(
                "G022",
                f"Size does not match at dimension {other + x.ndim} expected index "
                f"{list(chosen.shape)} to be no larger than self {list(x.shape)} apart from "
                f"dimension {axis + x.ndim}",
            )
    return gather_along(x, in_range_or_raise(chosen, x.shape[axis], axis + x.ndim), axis)


@composite("take_along_dim", out=SAME, memory=GATHERING)
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """`input` read along `dim` at `indices`, broadcast against each other elsewhere."""
    if indices.dtype is not int64:
        raise GradcliError(
            "G025",
            "torch.take_along_dim(): dtype of indices should be Long but got "
            f"{SCALAR_TYPES[indices.dtype]}",
        )
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    rank = len(input.shape)
    if len(indices.shape) != rank:
        raise GradcliError(
            "G024",
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {rank} dimensions for input, and {len(indices.shape)} dimensions for indices",
        )
    at = axis_from_right(whole(dim), rank) + rank
    own, given = ([*v.shape[:at], 1, *v.shape[at + 1 :]] for v in (input, indices))
    shape = list(broadcast(tuple(own), tuple(given)))
    sizes = ((v, [*shape[:at], v.shape[at], *shape[at + 1 :]]) for v in (input, indices))
    source, chosen = (v.expand(*size) for v, size in sizes)
    known = in_range(chosen.node, input.shape[at], at)
    return gather(source, dim, Tensor(known))


@function("index_select", out=BOTH, memory=GATHERING)
def index_select(input: Any, dim: int, index: Any) -> Node:
    """The slices of `input` along `dim` at the positions of a vector."""
    x, chosen = tensor(input), _vector("index_select", index)
    if x.ndim == 0:
        if chosen.size != 1:
            raise GradcliError(
                "G022",
                "index_select(): Index to scalar can have only 1 value, got "
                f"{chosen.size} value(s)",
            )
        return clone(x)
    axis = axis_from_right(whole(dim), x.ndim) + x.ndim
    known = array(of_all_examples(chosen))
    beyond = known[(known < 0) | (known >= x.shape[axis])]
    if beyond.size and (x.size or x.ndim == 1):
        raise GradcliError("G022", "index out of range in self", kind=IndexError)
    if beyond.size:
        bounds = f"INDICES element is out of DATA bounds, id={beyond[0]} axis_dim={x.shape[axis]}"
        empty = "index_select(): self indexing axis dim should be positive"
        raise GradcliError("G022", bounds if x.shape[axis] else empty)
    return read(x, [(axis, cast(chosen, int64))])


def _vector(name: str, index: Any) -> Node:
    chosen = tensor(index)
    if chosen.ndim > 1:
        raise GradcliError("G022", f"{name}(): Index is supposed to be a vector", kind=IndexError)
    if chosen.dtype not in (int64, int32):
        raise GradcliError("G022", f"{name}(): Expected dtype int32 or int64 for index")
    return reshaped(chosen, (chosen.size,))


def _flat_positions(name: str, x: Node, index: Any) -> Node:
    chosen = tensor(index)
    if chosen.dtype is not int64:
        raise GradcliError(
            "G022",
            f"{name}(): Expected a long tensor for index, but got {SCALAR_TYPES[chosen.dtype]}",
        )
    known = array(of_all_examples(chosen))
    beyond = (known < -x.size) | (known >= x.size)
    if beyond.any():
        raise GradcliError(
            "G022",
            f"out of range: tried to access index {known[beyond].flat[0]} on a tensor of {x.size} "
            "elements.",
            kind=IndexError,
        )
    return remainder(chosen, constant(max(x.size, 1), int64))


@function(
    "take",
    out=Out(
        "take(): self and out expected to have the same dtype, but got self.dtype = {Wanted} and "
        "out.dtype = {Got}"
    ),
    memory=GATHERING,
)
def take(input: Any, index: Any) -> Node:
    """The elements of `input`, as if it had one dimension, at `index`."""
    x = tensor(input)
    return indexing.index(reshaped(x, (x.size,)), _flat_positions("take", x, index), axes=1)


@composite(
    "nonzero",
    out=Out("nonzero: Expected out tensor to have scalar type {Wanted} but got scalar type{Got}"),
    memory=GATHERING,
)
def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not zero: a row each, or a vector for each dim."""
    if lanes_of(input.value_node):
        raise GradcliError(
            "G016",
            "vmap: We do not support batching operators that can output dynamic shape. Attempted "
            "to vmap over aten::nonzero. Please file an issue at "
            "https://github.com/pytorch/pytorch/issues if you need this feature.",
        )
    value = input.array()
    if as_tuple:
        return tuple(Tensor(positions(c)) for c in np.nonzero(np.atleast_1d(value)))
    if value.ndim == 0:
        return Tensor(positions(np.zeros((int(bool(value)), 0))))
    found = positions(np.stack(np.nonzero(value), -1))
    return Tensor(found, Storage(found, (1, found.shape[0])))


@composite("nonzero_static")
def nonzero_static(input: Any, *, size: int, fill_value: int = -1) -> Any:
    """The first `size` places where `input` is not 0, a row each; `fill_value` after the last."""
    if size < 0:
        raise GradcliError("G026", "nonzero_static: 'size' must be an non-negative integer")
    memory.refuse(size * len(input.shape), 8)
    found = np.stack(np.nonzero(input.array()), -1) if input.shape else np.zeros((size, 0))
    rows = np.full((size, len(input.shape)), fill_value, np.int64)
    rows[: len(found)] = found[:size]
    return Tensor(positions(rows))


@composite("unravel_index", method=False)
def unravel_index(indices: Any, shape: Any) -> Any:
    """Positions in a tensor of `shape` that flat positions stand for: a tensor for each dim."""
    if indices.dtype.category != INTEGER:
        raise GradcliError(
            "G025",
            f"expected 'indices' to be integer dtype, but got {indices.dtype!r}",
            kind=TypeError,
        )
    sizes = [whole(n) for n in (shape if isinstance(shape, (list, tuple)) else [shape])]
    if min(sizes, default=0) < 0:
        raise GradcliError(
            "G024",
            f"'shape' cannot have negative values, but got {tuple(sizes)}",
            kind=ValueError,
        )
    places, parts = indices.array().astype(np.int64), []
    for size in reversed(sizes):
        parts.append(places % max(size, 1))
        places = places // max(size, 1)
    return tuple(Tensor(positions(part)) for part in reversed(parts))


@composite("argwhere", out=None)
def argwhere(input: Any) -> Any:
    """The positions of the elements that are not zero, a row each."""
    if lanes_of(input.value_node):
        input.array()  # each example has its own
    return nonzero(input)


# -- masks


def _mask(name: str, mask: Any) -> Node:
    chosen = tensor(mask)
    if chosen.dtype.category == BOOL:
        return chosen
    if name == "masked_fill":
        raise GradcliError(
            "G025",
            "masked_fill_ only supports boolean masks, but got mask with dtype "
            f"{C_TYPES[chosen.dtype]}",
            help="make a mask by a comparison: x > 0",
        )
    raise GradcliError(
        "G025", f"{name}: expected BoolTensor for mask", help="use a comparison: x > 0"
    )


@function("masked_select", out=BOTH, memory=GATHERING)
def masked_select(input: Any, mask: Any) -> Node:
    """The elements where `mask` holds, in one dimension."""
    x, chosen = _together(tensor(input), _mask("masked_select", mask))
    return indexing.index(x, *nonzero_columns(chosen), axes=x.ndim)


def _together(x: Node, mask: Node) -> tuple[Node, Node]:
    """Both in their common shape, which has at least one dim."""
    shape = broadcast(x.shape, mask.shape)
    x, mask = movement.expand(x, shape=shape), movement.expand(mask, shape=shape)
    return (x, mask) if shape else (reshaped(x, (1,)), reshaped(mask, (1,)))


@function(
    "masked_fill",
    overload=lambda input, mask, value: int(isinstance(value, Tensor)),
    layout=False,
    out=None,
    memory=Memory(numbers=False, repeated=False),
    in_place=OF_NUMBERS,
)
def masked_fill(input: Any, mask: Any, value: Operand) -> Node:
    """`input` with `value` where `mask` holds."""
    x, chosen = tensor(input), _mask("masked_fill", mask)
    if isinstance(value, Node) and value.ndim:
        raise GradcliError(
            "G024",
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s).",
        )
    filler = value if isinstance(value, Node) else number_like(x, value)
    refuse_complex(x.dtype, filler.dtype)
    filled: Node = where(chosen, cast(filler, x.dtype), x)
    return filled

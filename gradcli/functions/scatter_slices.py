"""Slices written, added and combined at positions along one dim; masks and flat positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.execute.evaluate import array
from gradcli.functions.index import in_range, in_range_or_raise, nonzero_columns, positions
from gradcli.functions.scatter import as_row, combine, scatter_error, written
from gradcli.functions.shape import reshaped
from gradcli.graph.dtype import BOOL, COMPLEX, SCALAR_TYPES, int32, int64
from gradcli.graph.node import Node
from gradcli.graph.shape import axis_from_right, broadcast
from gradcli.ops import elementwise as ops
from gradcli.ops import movement
from gradcli.ops.elementwise import cast
from gradcli.ops.rows import lacks
from gradcli.ops.scatter import Places
from gradcli.tensor.function import function
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import AnyTensor, Number, Operand
from gradcli.tensor.operands import as_number, given_dtype, number_like
from gradcli.tensor.storing import METHOD, SAME, SCATTERING, Memory


def _slices(name: str, x: Node, dim: int, index: Any, kinds: Sequence[Any], sentence: str) -> Node:
    """The positions of a vector along `dim` for their dtype."""
    axis_from_right(dim, x.ndim)
    chosen = tensor(index)
    if chosen.dtype not in kinds:
        raise scatter_error(sentence.format(SCALAR_TYPES[chosen.dtype]))
    if chosen.ndim > 1:
        raise scatter_error(
            f"{name}(): Index is supposed to be a vector, but got dim: {chosen.ndim} with type: "
            f"{SCALAR_TYPES[chosen.dtype]} and size: {list(chosen.shape)}",
            kind=IndexError,
        )
    return as_row(chosen)


def _source(name: str, x: Node, axis: int, chosen: Node, source: Node) -> None:
    """Raises where `source` is not a stack of slices of `x`, one for each position."""
    if source.dtype is not x.dtype:
        raise scatter_error(
            f"{name}(): self ({SCALAR_TYPES[x.dtype]}) and source ({SCALAR_TYPES[source.dtype]}) "
            "must have the same scalar type",
            "G025",
        )
    place = axis + max(x.ndim, 1)
    length = source.shape[place] if place < source.ndim else 1
    if chosen.size != length:
        raise scatter_error(
            f"{name}(): Number of indices ({chosen.size}) should be equal to source.size(dim): "
            f"({length}), for dim: {place}",
            "G024",
        )
    if _other_sizes(x, axis) != _other_sizes(source, axis) or source.ndim != x.ndim:
        raise scatter_error(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            f"Got self.shape = {list(x.shape)} source.shape = {list(source.shape)}",
            "G024",
        )


def _other_sizes(x: Node, axis: int) -> list[int]:
    return [n for i, n in enumerate(x.shape) if i - x.ndim != axis]


_WHOLE = (int64, int32)


@function("index_add", out=SAME, memory=SCATTERING, in_place=METHOD)
def index_add(input: Any, dim: int, index: Any, source: AnyTensor, *, alpha: Number = 1) -> Node:
    """`input` with `alpha` times the slices of `source` added along `dim` at positions."""
    x, value = tensor(input), tensor(source)
    sentence = "index_add_(): Expected dtype int32/int64 for index but got: {}"
    chosen = _slices("index_add_", x, dim, index, _WHOLE, sentence)
    axis = axis_from_right(dim, x.ndim)
    _source("index_add_", x, axis, chosen, value)
    x, value = as_row(x), as_row(value)
    known = in_range_or_raise(chosen, x.shape[axis], axis + x.ndim)
    added = value if alpha == 1 else ops.mul(value, number_like(x, alpha))
    total = ops.add(x, Places(x, (known,), -axis).added(added))
    return reshaped(total, input.shape)


@function("index_copy", out=SAME, memory=SCATTERING, in_place=METHOD)
def index_copy(input: Any, dim: int, index: Any, source: AnyTensor) -> Node:
    """`input` with the slices of `source` written along `dim` at positions."""
    x, value, chosen = tensor(input), tensor(source), tensor(index)
    axis = axis_from_right(dim, x.ndim)
    _copied(x, axis, chosen, value)
    x, value = as_row(x), as_row(value)
    known = array(as_row(chosen))
    beyond = known[(known < 0) | (known >= x.shape[axis])]
    if beyond.size:
        raise scatter_error(
            f"index_copy_(): index {beyond.flat[0]} is out of bounds for dimension {axis + x.ndim} "
            f"with size {x.shape[axis]}",
            kind=IndexError,
        )
    return reshaped(written(x, Places(x, (positions(known),), -axis), value), input.shape)


def _copied(x: Node, axis: int, chosen: Node, value: Node) -> None:
    """Raises what PyTorch's index_copy raises about its arguments."""
    name, dim = "index_copy_()", axis + max(x.ndim, 1)
    if chosen.ndim > 1:
        raise scatter_error(
            f"{name}: Index should have dimension 1 or 0 (got {chosen.ndim})", kind=IndexError
        )
    if chosen.dtype is not int64:
        raise scatter_error(
            f"{name}: Expected a long tensor for index, but got {SCALAR_TYPES[chosen.dtype]}"
        )
    if value.dtype is not x.dtype:
        raise scatter_error(
            f"{name}: self and source expected to have the same dtype, but got (self) "
            f"{SCALAR_TYPES[x.dtype]} and (source) {SCALAR_TYPES[value.dtype]}",
            "G025",
        )
    if value.ndim and x.ndim and value.ndim != x.ndim:
        raise scatter_error(
            f"{name}: When source and destination are not scalars, their dimensionality must "
            f"match. Source dimensionality ({value.ndim}), destination dimensionality ({x.ndim})",
            "G024",
            IndexError,
        )
    mine, theirs = _other_sizes(x, axis), _other_sizes(value, axis)
    if mine != theirs and x.ndim and value.ndim:
        raise scatter_error(
            f"{name}: Source/destination tensor must have same slice shapes. Destination slice "
            f"shape: {' '.join(map(str, mine))} at dimension {dim} and source slice shape: "
            f"{' '.join(map(str, theirs))} at dimension 0.",
            "G024",
        )
    if value.ndim and chosen.size != value.shape[axis]:
        raise scatter_error(
            f"{name}: Number of indices ({chosen.size}) should be equal to source.size(dim) "
            f"({value.shape[axis]})",
            "G024",
            IndexError,
        )


@function(
    "index_fill",
    overload=lambda input, dim, index, value: int(hasattr(value, "node")),
    layout=True,
    out=None,
    memory=Memory(apart=1, numbers=False, repeated=False),
    in_place=METHOD,
)
def index_fill(input: Any, dim: int, index: Any, value: Operand) -> Node:
    """`input` with one number in the slices along `dim` at positions."""
    x, chosen = tensor(input), tensor(index)
    axis = axis_from_right(dim, x.ndim)
    if chosen.dtype is not int64:
        raise scatter_error("index_fill_(): Expected dtype int64 for index.", kind=IndexError)
    if chosen.ndim > 1:
        raise scatter_error("Index has to be a vector/scalar")
    filler = _filler(x, value)
    row = as_row(x)
    known = in_range(as_row(chosen), row.shape[axis], axis + row.ndim)
    places = Places(row, (positions(np.unique(array(known))),), -axis)
    picked = places.read(row).shape
    return reshaped(written(row, places, movement.expand(filler, shape=picked)), x.shape)


def _filler(x: Node, value: Any) -> Node:
    if isinstance(value, Node):
        if value.ndim:
            raise scatter_error(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.ndim} dimension(s).",
                "G024",
            )
        return cast(value, x.dtype)
    if isinstance(value, complex) and x.dtype.category < COMPLEX:
        raise scatter_error(
            "index_fill_(): Converting complex Scalar to non-complex type is not supported", "G025"
        )
    return cast(as_number(value, given_dtype(x)), x.dtype)


@function(
    "index_reduce", refuses=lacks("index_func_", BOOL, COMPLEX), memory=SCATTERING, in_place=METHOD
)
def index_reduce(
    input: Any, dim: int, index: Any, source: AnyTensor, reduce: str, *, include_self: bool = True
) -> Node:
    """`input` combined along `dim` with the slices of `source` that go to each position."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise scatter_error(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}.",
            "G026",
        )
    x, value = tensor(input), tensor(source)
    sentence = "index_reduce_(): Expected dtype int32/int64 for index but got: {}"
    chosen = _slices("index_reduce_", x, dim, index, _WHOLE, sentence)
    axis = axis_from_right(dim, x.ndim)
    _source("index_reduce_", x, axis, chosen, value)
    x, value = as_row(x), as_row(value)
    known = array(chosen)
    if ((known < 0) | (known >= x.shape[axis])).any():
        raise scatter_error("index out of range in self", kind=IndexError)
    places = Places(x, (positions(known),), -axis)
    return reshaped(combine(x, places, value, reduce, include_self), input.shape)


@function("masked_scatter", out=None, memory=Memory(operands=False), in_place=METHOD)
def masked_scatter(input: Any, mask: Any, source: AnyTensor) -> Node:
    """`input` with the elements of `source`, one after another, where `mask` holds."""
    x, where, value = tensor(input), tensor(mask), tensor(source)
    if where.dtype.category != BOOL:
        raise scatter_error(
            "masked_scatter_ only supports boolean masks, but got mask with dtype "
            f"{SCALAR_TYPES[where.dtype]}",
            "G025",
        )
    if value.dtype is not x.dtype:
        raise scatter_error(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{SCALAR_TYPES[x.dtype]} and {SCALAR_TYPES[value.dtype]}",
            "G025",
        )
    shape = broadcast(where.shape, x.shape)
    row = as_row(movement.expand(x, shape=shape))
    columns = nonzero_columns(as_row(movement.expand(where, shape=shape)))
    if columns[0].size > value.size:
        raise scatter_error("Number of elements of source < number of ones in mask", "G024")
    front = movement.slice_(reshaped(value, (value.size,)), slices=((0, columns[0].size, 1),))
    return reshaped(written(row, Places(row, columns, row.ndim), front), shape)


@function("put", layout=True, out=None, memory=SCATTERING, in_place=METHOD)
def put(input: Any, index: Any, source: AnyTensor, accumulate: bool = False) -> Node:
    """`input` with `source` written (or added) at positions that count all elements."""
    x, chosen, value = tensor(input), tensor(index), tensor(source)
    if chosen.dtype is not int64:
        raise scatter_error(
            f"put_(): Expected a long tensor for index, but got {SCALAR_TYPES[chosen.dtype]}"
        )
    if value.dtype is not x.dtype:
        raise scatter_error(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{SCALAR_TYPES[x.dtype]} and source.dtype = {SCALAR_TYPES[value.dtype]}",
            "G025",
        )
    if value.size != chosen.size:
        raise scatter_error(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {value.size}, index.numel() = {chosen.size}",
            "G024",
            IndexError,
        )
    known = array(chosen)
    beyond = known[(known < -x.size) | (known >= x.size)]
    if beyond.size:
        raise scatter_error(
            f"out of range: tried to access index {beyond.flat[0]} on a tensor of {x.size} "
            "elements.",
            kind=IndexError,
        )
    row = reshaped(x, (x.size,))
    places = Places(row, (positions(np.reshape(known % max(x.size, 1), -1)),), 1)
    value = reshaped(value, (value.size,))
    total = ops.add(row, places.added(value)) if accumulate else written(row, places, value)
    return reshaped(total, x.shape)

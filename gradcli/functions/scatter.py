"""Writing to positions of a tensor: scatter, index_add and relatives, and views by strides.

Constraints: every position is checked before anything is written; a function here returns a new
tensor, its in-place form (`scatter_` ...) is made in functions/inplace.py. Errors are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import array
from gradcli.functions.index import grid, in_range, in_range_or_raise, nonzero_columns, positions
from gradcli.functions.shape import permuted, reshaped, select_at, sizes_of, whole
from gradcli.graph.dtype import BOOL, COMPLEX, FLOATING, SCALAR_TYPES, int32, int64
from gradcli.graph.node import Node, constant
from gradcli.graph.shape import axes_from_right, axis_from_right, broadcast
from gradcli.ops import elementwise as ops
from gradcli.ops import indexing, movement, window
from gradcli.ops import scatter as combining
from gradcli.ops.elementwise import cast
from gradcli.ops.opaque import opaque
from gradcli.ops.scatter import Places
from gradcli.tensor import Tensor, layout
from gradcli.tensor.function import composite, function, promoted
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import Number, Operand
from gradcli.tensor.operands import as_number
from gradcli.tensor.storage import View, view_steps
from gradcli.tensor.storage import put as put_through


def _error(sentence: str, code: str = "G022", kind: type[Exception] = RuntimeError) -> GradcliError:
    return GradcliError(code, sentence, kind=kind)


def _as_row(x: Node) -> Node:
    """A 0-dim tensor as a row of one element, as PyTorch treats it here."""
    return x if x.ndim else reshaped(x, (1,))


# -- one position for each element


def _places(x: Node, dim: int, index: Any, source: Any) -> tuple[Node, Places, Node]:
    """Where `index` points along `dim` of `x`, and the elements of `source` that go there.

    Returns:
        `x` with a dim at least, the places, and the values for them.
    """
    axis, chosen = axis_from_right(dim, x.ndim), tensor(index)
    if chosen.dtype not in (int64, int32):
        raise _error("scatter(): Expected dtype int32/int64 for index")
    x, at = _as_row(x), _as_row(chosen)
    if at.size and isinstance(source, Node):
        _fits(x, at, _as_row(source), axis)
    elif at.size and at.ndim != x.ndim:
        raise _error("Index tensor must have the same number of dimensions as self tensor")
    if not at.size:
        at = reshaped(at, (0,) * x.ndim)
    known = in_range_or_raise(at, x.shape[axis], axis + x.ndim)
    return x, Places(x, tuple(grid(known, axis)), x.ndim), _cut(x, source, at)


def _cut(x: Node, source: Any, at: Node) -> Node:
    """The elements of `source` at the front, as many along each dim as there are positions."""
    if isinstance(source, complex) and not x.dtype.is_complex:
        as_number(source, x.dtype)
    if not isinstance(source, Node):
        return movement.expand(cast(promoted(x, source)[1], x.dtype), shape=at.shape)
    row = _as_row(source)
    if row.shape == at.shape:
        return row
    if row.ndim != at.ndim:
        row = reshaped(row, (row.size,) + (1,) * (at.ndim - 1))
    return movement.slice_(row, slices=tuple((0, n, 1) for n in at.shape))


def _fits(x: Node, at: Node, source: Node, axis: int) -> None:
    for other, what in ((x, "self"), (source, "src")):
        if at.ndim != other.ndim:
            raise _error(
                f"Index tensor must have the same number of dimensions as {what} tensor", "G024"
            )
    wide = any(
        n > m and i - x.ndim != axis for i, (n, m) in enumerate(zip(at.shape, x.shape, strict=True))
    )
    if wide or any(n > m for n, m in zip(at.shape, source.shape, strict=True)):
        raise _error(
            f"Expected index {list(at.shape)} to be no larger than self {list(x.shape)} apart from "
            f"dimension {axis + x.ndim} and to be no larger size than src {list(source.shape)}",
            "G024",
        )
    if source.dtype is not x.dtype:
        raise _error("scatter(): Expected self.dtype to be equal to src.dtype", "G025")


def _written(x: Node, places: Places, value: Node) -> Node:
    return indexing.index_put(x, value, *places.indices, axes=places.axes)


@composite("scatter")
def scatter(
    input: Any,
    dim: int,
    index: Any,
    src: Operand | None = None,
    *,
    value: Number | None = None,
    reduce: str | None = None,
) -> Any:
    """`input` with `src` (a tensor, or one number) written along `dim` at the positions `index`."""
    given = src if value is None else value
    if given is None:
        raise _error(
            "scatter() received an invalid combination of arguments",
            "G013",
            TypeError,
        )
    if reduce is None:
        return _scattered(input, dim, index, given)
    if reduce not in _COMBINED:
        raise _error("reduce argument must be either add or multiply.", "G026")
    return _combined(input, dim, index, given, _COMBINED[reduce])


_COMBINED = {"add": "sum", "multiply": "prod"}


@function(
    "Tensor._scattered",
    shown="scatter",
    overload=lambda i, d, n, src: int(not hasattr(src, "node")),
)
def _scattered(input: Any, dim: int, index: Any, src: Operand) -> Node:
    x, places, value = _places(tensor(input), dim, index, src)
    return reshaped(_written(x, places, value), input.shape)


@function("Tensor._combined", shown="NotImplemented")
def _combined(input: Any, dim: int, index: Any, src: Any, reduce: str) -> Node:
    x, places, value = _places(tensor(input), dim, index, src)
    result = reshaped(_combine(x, places, value, reduce, True), input.shape)
    sources = [v for v in (input, src) if isinstance(v, Node)]
    return opaque(
        result,
        *sources,
        sentence="derivative for aten::scatter is not implemented",
        kind=RuntimeError,
    )


@function("scatter_add")
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Node:
    """`input` with the elements of `src` added along `dim` at the positions `index`."""
    x, places, value = _places(tensor(input), dim, index, tensor(src))
    return reshaped(ops.add(x, places.added(value)), input.shape)


@function("scatter_reduce")
def scatter_reduce(
    input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True
) -> Node:
    """`input` combined along `dim` with the elements of `src` that go to each position."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise _error(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}", "G026"
        )
    x, places, value = _places(tensor(input), dim, index, tensor(src))
    return reshaped(_combine(x, places, value, reduce, include_self), input.shape)


def _combine(x: Node, places: Places, value: Node, reduce: str, include: bool) -> Node:
    """`x` with the values that go to each place added, averaged, multiplied or compared into it."""
    if reduce not in ("sum", "mean"):
        return combining.scatter_reduce(
            x, value, *places.indices, axes=places.axes, reduce=reduce, include=include
        )
    kept = x if include else places.cleared(x)
    total = ops.add(kept, places.added(value))
    if reduce == "sum":
        return total
    ones = constant(1, x.dtype, x.shape)
    falling = movement.expand(constant(1, x.dtype), shape=value.shape)
    count = ops.add(ones if include else places.cleared(ones), places.added(falling))
    least = ops.where(ops.eq(count, constant(0, x.dtype)), constant(1, x.dtype), count)
    return total / least if x.dtype.category >= FLOATING else ops.div_floor(total, least)


# -- one position for each slice


def _slices(name: str, x: Node, dim: int, index: Any, kinds: Sequence[Any], sentence: str) -> Node:
    """The positions of a vector along `dim` for their dtype."""
    axis_from_right(dim, x.ndim)
    chosen = tensor(index)
    if chosen.dtype not in kinds:
        raise _error(sentence.format(SCALAR_TYPES[chosen.dtype]))
    if chosen.ndim > 1:
        raise _error(
            f"{name}(): Index is supposed to be a vector, but got dim: {chosen.ndim} with type: "
            f"{SCALAR_TYPES[chosen.dtype]} and size: {list(chosen.shape)}",
            kind=IndexError,
        )
    return _as_row(chosen)


def _source(name: str, x: Node, axis: int, chosen: Node, source: Node) -> None:
    """Raises where `source` is not a stack of slices of `x`, one for each position."""
    if source.dtype is not x.dtype:
        raise _error(
            f"{name}(): self ({SCALAR_TYPES[x.dtype]}) and source ({SCALAR_TYPES[source.dtype]}) "
            "must have the same scalar type",
            "G025",
        )
    place = axis + max(x.ndim, 1)
    length = source.shape[place] if place < source.ndim else 1
    if chosen.size != length:
        raise _error(
            f"{name}(): Number of indices ({chosen.size}) should be equal to source.size(dim): "
            f"({length}), for dim: {place}",
            "G024",
        )
    if _other_sizes(x, axis) != _other_sizes(source, axis) or source.ndim != x.ndim:
        raise _error(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            f"Got self.shape = {list(x.shape)} source.shape = {list(source.shape)}",
            "G024",
        )


def _other_sizes(x: Node, axis: int) -> list[int]:
    return [n for i, n in enumerate(x.shape) if i - x.ndim != axis]


_WHOLE = (int64, int32)


@function("index_add")
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Number = 1) -> Node:
    """`input` with `alpha` times the slices of `source` added along `dim` at positions."""
    x, value = tensor(input), tensor(source)
    sentence = "index_add_(): Expected dtype int32/int64 for index but got: {}"
    chosen = _slices("index_add_", x, dim, index, _WHOLE, sentence)
    axis = axis_from_right(dim, x.ndim)
    _source("index_add_", x, axis, chosen, value)
    x, value = _as_row(x), _as_row(value)
    known = in_range_or_raise(chosen, x.shape[axis], axis + x.ndim)
    added = value if alpha == 1 else ops.mul(value, cast(promoted(x, alpha)[1], x.dtype))
    total = ops.add(x, Places(x, (known,), -axis).added(added))
    return reshaped(total, input.shape)


@function("index_copy")
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Node:
    """`input` with the slices of `source` written along `dim` at positions."""
    x, value, chosen = tensor(input), tensor(source), tensor(index)
    axis = axis_from_right(dim, x.ndim)
    _copied(x, axis, chosen, value)
    x, value = _as_row(x), _as_row(value)
    known = array(_as_row(chosen))
    beyond = known[(known < 0) | (known >= x.shape[axis])]
    if beyond.size:
        raise _error(
            f"index_copy_(): index {beyond.flat[0]} is out of bounds for dimension {axis + x.ndim} "
            f"with size {x.shape[axis]}",
            kind=IndexError,
        )
    return reshaped(_written(x, Places(x, (positions(known),), -axis), value), input.shape)


def _copied(x: Node, axis: int, chosen: Node, value: Node) -> None:
    """Raises what PyTorch's index_copy raises about its arguments."""
    name, dim = "index_copy_()", axis + max(x.ndim, 1)
    if chosen.ndim > 1:
        raise _error(
            f"{name}: Index should have dimension 1 or 0 (got {chosen.ndim})", kind=IndexError
        )
    if chosen.dtype is not int64:
        raise _error(
            f"{name}: Expected a long tensor for index, but got {SCALAR_TYPES[chosen.dtype]}"
        )
    if value.dtype is not x.dtype:
        raise _error(
            f"{name}: self and source expected to have the same dtype, but got (self) "
            f"{SCALAR_TYPES[x.dtype]} and (source) {SCALAR_TYPES[value.dtype]}",
            "G025",
        )
    if value.ndim and x.ndim and value.ndim != x.ndim:
        raise _error(
            f"{name}: When source and destination are not scalars, their dimensionality must "
            f"match. Source dimensionality ({value.ndim}), destination dimensionality ({x.ndim})",
            "G024",
            IndexError,
        )
    mine, theirs = _other_sizes(x, axis), _other_sizes(value, axis)
    if mine != theirs and x.ndim and value.ndim:
        raise _error(
            f"{name}: Source/destination tensor must have same slice shapes. Destination slice "
            f"shape: {' '.join(map(str, mine))} at dimension {dim} and source slice shape: "
            f"{' '.join(map(str, theirs))} at dimension 0.",
            "G024",
        )
    if value.ndim and chosen.size != value.shape[axis]:
        raise _error(
            f"{name}: Number of indices ({chosen.size}) should be equal to source.size(dim) "
            f"({value.shape[axis]})",
            "G024",
            IndexError,
        )


@function("index_fill", overload=lambda i, d, n, value: int(hasattr(value, "node")), layout=True)
def index_fill(input: Any, dim: int, index: Any, value: Operand) -> Node:
    """`input` with one number in the slices along `dim` at positions."""
    x, chosen = tensor(input), tensor(index)
    axis = axis_from_right(dim, x.ndim)
    if chosen.dtype is not int64:
        raise _error("index_fill_(): Expected dtype int64 for index.", kind=IndexError)
    if chosen.ndim > 1:
        raise _error("Index has to be a vector/scalar")
    filler = _filler(x, value)
    row = _as_row(x)
    known = in_range(_as_row(chosen), row.shape[axis], axis + row.ndim)
    places = Places(row, (positions(np.unique(array(known))),), -axis)
    picked = places.read(row).shape
    return reshaped(_written(row, places, movement.expand(filler, shape=picked)), x.shape)


def _filler(x: Node, value: Any) -> Node:
    if isinstance(value, Node):
        if value.ndim:
            raise _error(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.ndim} dimension(s).",
                "G024",
            )
        return cast(value, x.dtype)
    if isinstance(value, complex) and x.dtype.category < COMPLEX:
        raise _error(
            "index_fill_(): Converting complex Scalar to non-complex type is not supported", "G025"
        )
    return cast(promoted(x, value)[1], x.dtype)


@function("index_reduce")
def index_reduce(
    input: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True
) -> Node:
    """`input` combined along `dim` with the slices of `source` that go to each position."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise _error(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}.",
            "G026",
        )
    x, value = tensor(input), tensor(source)
    sentence = "index_reduce_(): Expected dtype int32/int64 for index but got: {}"
    chosen = _slices("index_reduce_", x, dim, index, _WHOLE, sentence)
    axis = axis_from_right(dim, x.ndim)
    _source("index_reduce_", x, axis, chosen, value)
    x, value = _as_row(x), _as_row(value)
    known = array(chosen)
    if ((known < 0) | (known >= x.shape[axis])).any():
        raise _error("index out of range in self", kind=IndexError)
    places = Places(x, (positions(known),), -axis)
    return reshaped(_combine(x, places, value, reduce, include_self), input.shape)


# -- masks and flat positions


@function("masked_scatter")
def masked_scatter(input: Any, mask: Any, source: Any) -> Node:
    """`input` with the elements of `source`, one after another, where `mask` holds."""
    x, where, value = tensor(input), tensor(mask), tensor(source)
    if where.dtype.category != BOOL:
        raise _error(
            "masked_scatter_ only supports boolean masks, but got mask with dtype "
            f"{SCALAR_TYPES[where.dtype]}",
            "G025",
        )
    if value.dtype is not x.dtype:
        raise _error(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{SCALAR_TYPES[x.dtype]} and {SCALAR_TYPES[value.dtype]}",
            "G025",
        )
    shape = broadcast(where.shape, x.shape)
    row = _as_row(movement.expand(x, shape=shape))
    columns = nonzero_columns(_as_row(movement.expand(where, shape=shape)))
    if columns[0].size > value.size:
        raise _error("Number of elements of source < number of ones in mask", "G024")
    front = movement.slice_(reshaped(value, (value.size,)), slices=((0, columns[0].size, 1),))
    return reshaped(_written(row, Places(row, columns, row.ndim), front), shape)


@function("put", layout=True)
def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Node:
    """`input` with `source` written (or added) at positions that count all elements."""
    x, chosen, value = tensor(input), tensor(index), tensor(source)
    if chosen.dtype is not int64:
        raise _error(
            f"put_(): Expected a long tensor for index, but got {SCALAR_TYPES[chosen.dtype]}"
        )
    if value.dtype is not x.dtype:
        raise _error(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{SCALAR_TYPES[x.dtype]} and source.dtype = {SCALAR_TYPES[value.dtype]}",
            "G025",
        )
    if value.size != chosen.size:
        raise _error(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {value.size}, index.numel() = {chosen.size}",
            "G024",
            IndexError,
        )
    known = array(chosen)
    beyond = known[(known < -x.size) | (known >= x.size)]
    if beyond.size:
        raise _error(
            f"out of range: tried to access index {beyond.flat[0]} on a tensor of {x.size} "
            "elements.",
            kind=IndexError,
        )
    row = reshaped(x, (x.size,))
    places = Places(row, (positions(np.reshape(known % max(x.size, 1), -1)),), 1)
    value = reshaped(value, (value.size,))
    total = ops.add(row, places.added(value)) if accumulate else _written(row, places, value)
    return reshaped(total, x.shape)


# -- parts given as views


def _replaced(x: Node, view: Node, source: Any) -> Node:
    """`x` with `source` in place of the part that `view` shows."""
    value = tensor(source)
    if value.shape != view.shape:
        raise _error(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(value.shape)}, slice size = {list(view.shape)}",
            "G024",
        )
    steps = view_steps(view, x)
    assert steps is not None
    return put_through(x, steps, cast(value, x.dtype))


@function("slice_scatter")
def slice_scatter(
    input: Any,
    src: Any,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Node:
    """`input` with `src` in place of `input[start:end:step]` along `dim`."""
    x = tensor(input)
    axis = axis_from_right(dim, x.ndim)
    if step <= 0:
        raise _error("slice step must be positive", "G026")
    first, stop, _ = slice(start, end, step).indices(x.shape[axis])
    length = max(0, -(-(stop - first) // step))
    slices = [(0, n, 1) for n in x.shape[axis:]]
    slices[0] = (first, length, step)
    return _replaced(x, movement.slice_(x, slices=tuple(slices)), src)


@function("select_scatter")
def select_scatter(input: Any, src: Any, dim: int, index: int) -> Node:
    """`input` with `src` in place of its slice at one position of `dim`."""
    x = tensor(input)
    axis = axis_from_right(dim, x.ndim)
    size = x.shape[axis]
    if not -size <= index < size:
        raise _error(
            f"select(): index {index} out of range for tensor of size {list(x.shape)} at dimension "
            f"{axis + x.ndim}",
            kind=IndexError,
        )
    return _replaced(x, select_at(x, axis, index % size), src)


@function("diagonal_scatter")
def diagonal_scatter(input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Node:
    """`input` with `src` in place of its diagonals over two dims."""
    x = tensor(input)
    first, second = axes_from_right((dim1, dim2), x.ndim)
    rest = [a for a in range(-x.ndim, 0) if a not in (first, second)]
    front = permuted(x, (*rest, first, second))
    return _replaced(x, movement.diagonal(front, offset=offset), src)


# -- memory by strides


@composite("as_strided")
def as_strided(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """The memory of `input` read by strides."""
    view, storage = input._view, input._storage
    offset = layout.offset_of(input) if storage_offset is None else storage_offset
    root = input if view is None or view.base is None else view.base
    if root.view_path:  # an alias of a part, without history: the memory is there without any
        root = Tensor(storage.node, storage, View(None, (), own=root._view.own))
    strides = (storage and storage.strides) or None
    made = _as_strided(root, size, stride, offset, strides)
    if made.node.tracked and root is not input:
        made.node.call = (made.node.call[0], (input.node,))
    return made


@function("Tensor._as_strided", shown="as_strided", view=True)
def _as_strided(
    input: Any, size: Any, stride: Any, storage_offset: int, strides: tuple[int, ...] | None
) -> Node:
    x = tensor(input)
    if strides is not None:
        x = permuted(x, tuple(sorted(range(-x.ndim, 0), key=lambda axis: -strides[axis])))
    return _strided(x, size, stride, storage_offset)


def _strided(x: Node, size: Any, stride: Any, offset: int | None) -> Node:
    shape, strides, first = sizes_of([size]), sizes_of([stride]), whole(offset or 0)
    if len(shape) != len(strides):
        raise _error("mismatch in length of strides and shape", "G024")
    if any(n < 0 for n in shape):
        raise _error(
            f"Storage size calculation overflowed with sizes={list(shape)} and "
            f"strides={list(strides)}",
            "G024",
        )
    if any(s < 0 for s in strides):
        raise _error(
            "as_strided: Negative strides are not supported at the moment, got strides: "
            f"{list(strides)}",
            "G026",
        )
    reach = first + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + 1
    bytes_ = x.dtype.itemsize
    if all(shape) and not 0 < reach <= x.size:
        raise _error(
            f"setStorage: sizes {list(shape)}, strides {list(strides)}, storage offset {first}, "
            f"and itemsize {bytes_} requiring a storage size of {reach * bytes_} are out of bounds "
            f"for storage of size {x.size * bytes_}",
            "G024",
        )
    return combining.as_strided(x, shape=shape, strides=strides, offset=first, source=x.shape)


@function("as_strided_scatter")
def as_strided_scatter(
    input: Any, src: Any, size: Any, stride: Any, storage_offset: int | None = None
) -> Node:
    """`input` with `src` in place of what `as_strided` reads."""
    x = tensor(input)
    return _replaced(x, _strided(x, size, stride, storage_offset), src)


@function("Tensor.unfold", view=True)
def unfold(input: Any, dimension: int, size: int, step: int) -> Node:
    """The windows of `size` elements along a dim, `step` apart; the window is the last dim."""
    x = tensor(input)
    axis = axis_from_right(dimension, x.ndim)
    length = x.shape[axis] if x.ndim else 1
    if size < 0:
        raise _error(f"size is {size} but must be >= 0", "G026")
    if size > length:
        raise _error(
            f"maximum size for tensor at dimension {axis + max(x.ndim, 1)} is {length} but size is "
            f"{size}",
            "G026",
        )
    if step <= 0:
        raise _error(f"step is {step} but must be > 0", "G026")
    if x.ndim == 0:
        return movement.slice_(reshaped(x, (1,)), slices=((0, size, 1),))
    rank = x.ndim
    last = permuted(x, (*(a for a in range(-rank, 0) if a != axis), axis))
    apart = window.windows(last, kernel=(size,), stride=(step,), dilation=(1,))
    order = list(range(-rank - 1, -2))
    order.insert(axis + rank, -1)
    return permuted(apart, (*order, -2))

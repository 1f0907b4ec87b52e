"""Indexing: reading and writing parts of tensors.

Constraints: `x[...]` reads basic parts as views and positions as copies, as PyTorch does; negative positions
count from the end; every position is checked before anything is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import dtype_of
from gradcli.execute.evaluate import array
from gradcli.functions.shape import part, permuted, reshaped, select_at
from gradcli.graph.dtype import BOOL, INTEGER, int64
from gradcli.graph.node import Node, data
from gradcli.graph.shape import axis_from_right
from gradcli.ops import indexing, movement
from gradcli.ops.elementwise import cast
from gradcli.tensor import Tensor
from gradcli.tensor.function import Hidden, composite, function, promoted
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.write import write


def positions(values: Any) -> Node:
    """A node of int64 positions from a NumPy array."""
    known = np.asarray(values, np.int64)
    return data(known, known.shape, int64)


def nonzero_columns(condition: Node) -> tuple[Node, ...]:
    """The positions where `condition` holds, one vector for each dim."""
    return tuple(positions(column) for column in np.nonzero(array(condition)))


# -- x[index]


class Plan:
    """What an index asks for: view steps first, then positions along some axes of what they leave.

    Attributes:
        parts: for each axis of the tensor an int, a (start, length, step) or a position node.
        new: places of new axes, in the order of the result's axes.
    """

    __slots__ = ("advanced", "view")

    def __init__(self, view: Node, advanced: list[tuple[int, Node]]) -> None:
        self.view = view
        self.advanced = advanced


def _listed(index: Any) -> list[Any]:
    items = list(index) if isinstance(index, tuple) else [index]
    return [_as_tensor_index(item) for item in items]


def _as_tensor_index(item: Any) -> Any:
    if isinstance(item, Tensor):
        return item.value_node
    if isinstance(item, (list, range)):
        return _from_list(item)
    return item


def _from_list(item: Any) -> Node:
    values = [v.item() if isinstance(v, Tensor) else v for v in item] if item else []
    known = np.asarray(values if values else np.zeros(0, np.int64))
    if known.dtype.kind not in "ib":
        raise GradcliError(
            "G022",
            "tensors used as indices must be long, int, byte or bool tensors",
            kind=IndexError,
        )
    return data(known, known.shape, dtype_of(known))


def plan(x: Node, index: Any) -> Plan:
    """Applies the basic parts of an index to `x` and collects its positions."""
    items = _listed(index)
    used = sum(_axes_taken(item) for item in items)
    if used > x.ndim:
        raise GradcliError(
            "G022", f"too many indices for tensor of dimension {x.ndim}", kind=IndexError
        )
    if items.count(Ellipsis) > 1 if not any(isinstance(i, Node) for i in items) else False:
        raise GradcliError("G022", "an index can have only one '...'", kind=IndexError)
    if not any(item is Ellipsis for item in items):
        items.append(Ellipsis)
    view, axis = x, 0
    advanced: list[tuple[int, Node]] = []
    for item in items:
        if item is Ellipsis:
            axis += x.ndim - used
        else:
            view, axis = _step(x, view, axis, item, advanced)
    return Plan(view, advanced)


def _axes_taken(item: Any) -> int:
    if item is None or item is Ellipsis or isinstance(item, bool):
        return 0
    if isinstance(item, Node) and item.dtype.category == BOOL:
        return item.ndim
    return 1


def _step(
    x: Node, view: Node, axis: int, item: Any, advanced: list[tuple[int, Node]]
) -> tuple[Node, int]:
    """Applies one part of an index at `axis` of `view`; returns the new view and the next axis."""
    if item is None:
        return reshaped(view, (*view.shape[:axis], 1, *view.shape[axis:])), axis + 1
    if isinstance(item, slice):
        return part(view, axis - view.ndim, *_extent(item, view.shape[axis])), axis + 1
    if isinstance(item, bool):
        view = reshaped(view, (*view.shape[:axis], 1, *view.shape[axis:]))
        advanced.append((axis, positions(np.zeros(int(item)))))
        return view, axis + 1
    if isinstance(item, Node):
        return _positions_step(view, axis, item, advanced)
    if hasattr(item, "__index__"):
        return _integer_step(view, axis, item.__index__()), axis
    raise GradcliError(
        "G022",
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
        f"indices (got {type(item).__name__})",
        kind=IndexError,
    )


def _integer_step(view: Node, axis: int, position: int) -> Node:
    size = view.shape[axis]
    if not -size <= position < size:
        raise GradcliError(
            "G022",
            f"index {position} is out of bounds for dimension {axis} with size {size}",
            kind=IndexError,
        )
    return select_at(view, axis - view.ndim, position % size)


def _positions_step(
    view: Node, axis: int, item: Node, advanced: list[tuple[int, Node]]
) -> tuple[Node, int]:
    if item.dtype.category == BOOL:
        if item.ndim == 0:
            view = reshaped(view, (*view.shape[:axis], 1, *view.shape[axis:]))
            advanced.append((axis, positions(np.zeros(int(array(item))))))
            return view, axis + 1
        for i, size in enumerate(item.shape):
            if size != view.shape[axis + i]:
                raise GradcliError(
                    "G022",
                    f"The shape of the mask {list(item.shape)} at index {i} does not match the shape "
                    f"of the indexed tensor {list(view.shape)} at index {axis + i}",
                    kind=IndexError,
                )
        advanced.extend((axis + i, column) for i, column in enumerate(nonzero_columns(item)))
        return view, axis + item.ndim
    if item.dtype.category != INTEGER:
        raise GradcliError(
            "G022",
            "tensors used as indices must be long, int, byte or bool tensors",
            kind=IndexError,
        )
    if item.ndim == 0 and not item.tracked:
        return _integer_step(view, axis, int(array(item))), axis
    advanced.append((axis, in_range(item, view.shape[axis], axis)))
    return view, axis + 1


def in_range(item: Node, size: int, axis: int) -> Node:
    """Positions with negative ones counted from the end; raises G022 for one out of range."""
    known = array(item)
    beyond = (known < -size) | (known >= size)
    if beyond.any():
        raise GradcliError(
            "G022",
            f"index {known[beyond].flat[0]} is out of bounds for dimension {axis} with size {size}",
            kind=IndexError,
        )
    return positions(np.where(known < 0, known + size, known))


def _extent(item: slice, size: int) -> tuple[int, int, int]:
    step = 1 if item.step is None else int(item.step)
    if step <= 0:
        raise GradcliError(
            "G022",
            "step must be greater than zero",
            help="flip(x, dims) reverses",
            kind=ValueError,
        )
    start, stop, step = slice(_bound(item.start), _bound(item.stop), step).indices(size)
    return start, max(0, -(-(stop - start) // step)), step


def _bound(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.__index__()
    return value


def _front(planned: Plan) -> tuple[Node, tuple[int, ...], bool]:
    """The view with its indexed axes moved to the front, the order, and whether they were adjacent."""
    rank = planned.view.ndim
    axes = [a for a, _ in planned.advanced]
    adjacent = axes == list(range(axes[0], axes[0] + len(axes)))
    order = tuple(a - rank for a in (*axes, *(a for a in range(rank) if a not in axes)))
    plain = order == tuple(range(-rank, 0))
    return planned.view if plain else permuted(planned.view, order), order, adjacent


def read_positions(planned: Plan) -> Node:
    """The elements at a plan's positions, with axes where PyTorch puts them."""
    front, _, adjacent = _front(planned)
    nodes = [n for _, n in planned.advanced]
    picked = indexing.index(front, *nodes, axes=front.ndim)
    before = planned.advanced[0][0] if adjacent else 0
    if before == 0:
        return picked
    width = picked.ndim - (front.ndim - len(nodes))
    return permuted(picked, _moved(picked.ndim, width, before))


def _moved(rank: int, width: int, before: int) -> tuple[int, ...]:
    """The order that moves the first `width` axes behind the next `before`."""
    order = [*range(width, width + before), *range(width), *range(width + before, rank)]
    return tuple(a - rank for a in order)


@function("Tensor._read_basic", shown="slice", view=True)
def _read_basic(input: Any, index: Any) -> Node:
    """A part of a tensor, sharing its memory."""
    return _viewed(input, plan(input, index).view)


def _viewed(x: Node, view: Node) -> Node:
    if view is not x:
        return view
    return movement.slice_(x, slices=tuple((0, n, 1) for n in x.shape))


@function("Tensor._select_basic", shown="select", view=True)
def _select_basic(input: Any, index: Any) -> Node:
    """A part of a tensor that ends with the choice of one position."""
    return _viewed(input, plan(input, index).view)


@function("Tensor._unsqueeze_basic", shown="unsqueeze", view=True)
def _unsqueeze_basic(input: Any, index: Any) -> Node:
    """A part of a tensor that ends with a new axis."""
    return _viewed(input, plan(input, index).view)


@function("Tensor._alias_basic", shown="alias", view=True)
def _alias_basic(input: Any, index: Any) -> Node:
    """The whole tensor, sharing its memory."""
    return _viewed(input, input)


@function("Tensor._read_positions", shown="index")
def _read_positions(input: Any, index: Any) -> Node:
    """The elements at positions, copied."""
    return read_positions(plan(input, index))


def _is_advanced(index: Any) -> bool:
    items = index if isinstance(index, tuple) else (index,)
    return any(
        isinstance(i, (list, range, bool))
        or (isinstance(i, Tensor) and (bool(i.shape) or i.dtype.category == BOOL))
        for i in items
    )


@composite("Tensor.__getitem__")
def getitem(input: Any, index: Any) -> Any:
    """`x[index]`: ints, slices, None, `...`, lists and tensors of positions, masks."""
    if isinstance(index, list) and any(isinstance(i, (slice, type(None))) for i in index):
        index = tuple(index)
    hidden = Hidden(index if isinstance(index, tuple) else (index,))
    if _is_advanced(index):
        return _read_positions(input, hidden)
    return _BASIC[_last_kind(index)](input, hidden)


def _last_kind(index: Any) -> str:
    items = index if isinstance(index, tuple) else (index,)
    for item in reversed(items):
        if item is Ellipsis:
            continue
        if item is None:
            return "unsqueeze"
        if not isinstance(item, slice):
            return "select"
        if item != slice(None):
            return "slice"
    return "alias" if all(i is Ellipsis for i in items) else "slice"


_BASIC = {
    **{"slice": _read_basic, "select": _select_basic},
    **{"unsqueeze": _unsqueeze_basic, "alias": _alias_basic},
}


@composite("Tensor.__setitem__")
def setitem(input: Any, index: Any, value: Any) -> None:
    """`x[index] = value`."""
    if _is_advanced(index):
        input.index_put_(index if isinstance(index, tuple) else (index,), value)
    else:
        getitem(input, index).copy_(value)


def _put(input: Node, indices: Any, values: Any, accumulate: bool = False) -> Node:
    planned = plan(input, Hidden(tuple(indices)))
    front, order, adjacent = _front(planned)
    nodes = [n for _, n in planned.advanced]
    value = (
        promoted(input, values)[1] if not isinstance(values, Node) else cast(values, input.dtype)
    )
    picked = indexing.index(front, *nodes, axes=front.ndim).shape
    before = planned.advanced[0][0] if adjacent else 0
    width = len(picked) - (front.ndim - len(nodes))
    spread = tuple(picked[a] for a in _moved(len(picked), width, before))
    value = movement.expand(value, shape=spread) if value.shape != spread else value
    if before:
        value = permuted(value, movement.inverse(_moved(len(picked), width, before)))
    if accumulate:
        written = front + indexing.index_add(value, *nodes, shape=front.shape)
    else:
        written = indexing.index_put(front, value, *nodes, axes=front.ndim)
    back = permuted(written, movement.inverse(order)) if front is not planned.view else written
    return _put_view(input, planned.view, back)


def _put_view(x: Node, view: Node, new: Node) -> Node:
    from gradcli.tensor.storage import put, view_steps

    steps = view_steps(view, x)
    assert steps is not None
    return put(x, steps, new) if steps else new


@function("index_put", shown="index_put")
def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Node:
    """`input` with `values` written (or added) at positions."""
    return _put(input, _restored(indices), values, accumulate)


def _restored(indices: Any) -> tuple[Any, ...]:
    return tuple(Tensor(i) if isinstance(i, Node) else i for i in indices)


@composite("Tensor.index_put_")
def index_put_(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """Writes (or adds) `values` at positions."""
    return write(input, index_put(input, indices, values, accumulate))


# -- gather and relatives


def gather_along(x: Node, indices: Node, axis: int) -> Node:
    """`x` read along `axis` at `indices`, which say a position for every element of the result."""
    return indexing.index(x, *grid(indices, axis), axes=x.ndim)


def grid(indices: Node, axis: int) -> list[Node]:
    """Positions along every axis of what `indices` say along one, to broadcast to its shape."""
    rank = indices.ndim
    grid = []
    for i in range(rank):
        if i - rank == axis:
            grid.append(indices)
        else:
            shape = [1] * rank
            shape[i] = indices.shape[i]
            grid.append(positions(np.arange(indices.shape[i]).reshape(shape)))
    return grid


@function("gather")
def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Node:
    """`input` read along `dim` at `index`: one position for every element of the result."""
    x, chosen = tensor(input), tensor(index)
    if chosen.dtype is not int64 and chosen.dtype.name != "int32" and chosen.size:
        raise GradcliError("G022", "gather(): Expected dtype int32/int64 for index")
    axis = axis_from_right(dim, x.ndim)
    if chosen.ndim != x.ndim and chosen.size and (x.ndim or chosen.ndim > 1):
        raise GradcliError(
            "G022", "Index tensor must have the same number of dimensions as input tensor"
        )
    if x.ndim == 0:
        return reshaped(x, chosen.shape)
    if not chosen.size:
        nothing = movement.slice_(reshaped(x, (x.size,)), slices=((0, 0, 1),))
        return reshaped(nothing, chosen.shape)
    _fits(x, chosen, axis)
    known = in_range_or_raise(chosen, x.shape[axis], axis + x.ndim)
    return gather_along(x, known, axis)


def _fits(x: Node, chosen: Node, axis: int) -> None:
    for other in range(-x.ndim, 0):
        if other != axis and chosen.shape[other] > x.shape[other]:
            raise GradcliError(
                "G022",
                f"Size does not match at dimension {other + x.ndim} expected index "
                f"{list(chosen.shape)} to be no larger than self {list(x.shape)} apart from dimension "
                f"{axis + x.ndim}",
            )


def in_range_or_raise(item: Node, size: int, axis: int) -> Node:
    """Positions from 0 to size - 1; raises G022 as PyTorch's gather does."""
    known = array(item)
    beyond = (known < 0) | (known >= size)
    if beyond.any():
        raise GradcliError(
            "G022",
            f"index {known[beyond].flat[0]} is out of bounds for dimension {axis} with size {size}",
        )
    return positions(known)


@function("take_along_dim", shown="gather")
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Node:
    """`input` read along `dim` at `indices`, broadcast against each other elsewhere."""
    x, chosen = tensor(input), tensor(indices)
    if dim is None:
        flat = reshaped(x, (x.size,))
        known = in_range(reshaped(chosen, (chosen.size,)), x.size, 0)
        return indexing.index(flat, known, axes=1)
    axis = axis_from_right(dim, x.ndim)
    from gradcli.graph.shape import broadcast

    shape = list(broadcast(_without(x.shape, axis), _without(chosen.shape, axis)))
    at = axis + x.ndim
    x = movement.expand(x, shape=(*shape[:at], x.shape[axis], *shape[at + 1 :]))
    chosen = movement.expand(chosen, shape=(*shape[:at], chosen.shape[axis], *shape[at + 1 :]))
    return gather_along(x, in_range(chosen, x.shape[axis], at), axis)


def _without(shape: Sequence[int], axis: int) -> tuple[int, ...]:
    return tuple(1 if i - len(shape) == axis else n for i, n in enumerate(shape))


@function("index_select")
def index_select(input: Any, dim: int, index: Any) -> Node:
    """The slices of `input` along `dim` at the positions of a vector."""
    x, chosen = tensor(input), tensor(index)
    if chosen.dtype.category != INTEGER:
        raise GradcliError("G022", "index_select(): Expected dtype int32 or int64 for index")
    if chosen.ndim > 1:
        raise GradcliError(
            "G022", "index_select(): Index is supposed to be a vector", kind=IndexError
        )
    chosen = reshaped(chosen, (chosen.size,))
    if x.ndim == 0:
        return reshaped(x, ()) if chosen.size == 1 else movement.expand(x, shape=chosen.shape)
    axis = axis_from_right(dim, x.ndim) + x.ndim
    known = _checked_select(chosen, x.shape[axis])
    return read_positions(Plan(x, [(axis, known)]))


def _checked_select(chosen: Node, size: int) -> Node:
    known = array(chosen)
    if ((known < 0) | (known >= size)).any():
        raise GradcliError("G022", "index out of range in self", kind=IndexError)
    return positions(known)


@function("masked_select")
def masked_select(input: Any, mask: Any) -> Node:
    """The elements where `mask` holds, in one dimension."""
    from gradcli.graph.shape import broadcast

    x, where = tensor(input), tensor(mask)
    if where.dtype.category != BOOL:
        raise GradcliError("G025", "masked_select: expected BoolTensor for mask")
    shape = broadcast(x.shape, where.shape)
    x, where = movement.expand(x, shape=shape), movement.expand(where, shape=shape)
    if not shape:
        x, where = reshaped(x, (1,)), reshaped(where, (1,))
    return indexing.index(x, *nonzero_columns(where), axes=x.ndim)


@function("take")
def take(input: Any, index: Any) -> Node:
    """The elements of `input`, as if it had one dimension, at `index`."""
    x, chosen = tensor(input), tensor(index)
    if chosen.dtype is not int64:
        raise GradcliError("G022", "take(): Expected a long tensor for index")
    known = array(chosen)
    if ((known < -x.size) | (known >= x.size)).any():
        raise GradcliError(
            "G022", "out of range: tried to access index out of bounds", kind=IndexError
        )
    return indexing.index(reshaped(x, (x.size,)), positions(known % max(x.size, 1)), axes=1)


@composite("nonzero")
def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not zero: a row each, or a vector for each dim."""
    columns = np.nonzero(input.array()) if input.shape else (np.zeros(int(bool(input)), np.int64),)
    if as_tuple:
        return tuple(Tensor(positions(c)) for c in columns)
    rows = np.stack(columns, -1) if input.shape else np.zeros((len(columns[0]), 0), np.int64)
    return Tensor(positions(rows))


@composite("argwhere")
def argwhere(input: Any) -> Any:
    """The positions of the elements that are not zero, a row each."""
    return nonzero(input)


@function("masked_fill")
def masked_fill(input: Any, mask: Any, value: Any) -> Node:
    """`input` with `value` where `mask` holds."""
    from gradcli.ops.elementwise import where

    x = tensor(input)
    filler = cast(value, x.dtype) if isinstance(value, Node) else promoted(x, value)[1]
    return where(mask, cast(filler, x.dtype), x)

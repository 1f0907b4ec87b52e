"""Indexing: `x[index]` and `x[index] = value`.

Constraints: basic parts (ints, slices, None, `...`) are views, positions and masks are copies, as
in PyTorch; negative positions count from the end; every position is checked before anything is
read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import dtype_of
from gradcli.execute.evaluate import answer, array, settle, unknown
from gradcli.functions.shape import part, permuted, reshaped, select_at, unsqueezed
from gradcli.graph.call import Arguments
from gradcli.graph.dim import Dim
from gradcli.graph.dtype import BOOL, SCALAR_TYPES, int8, int16, int32, int64, uint8
from gradcli.graph.node import Node, data
from gradcli.graph.shape import broadcast
from gradcli.ops import elementwise as ops
from gradcli.ops import indexing, movement
from gradcli.ops.elementwise import cast
from gradcli.ops.rows import zero
from gradcli.tensor import Tensor, saved
from gradcli.tensor.function import called, composite, internal, viewed
from gradcli.tensor.in_place import in_place
from gradcli.tensor.kinds import AnyTensor, Tensors
from gradcli.tensor.layout import Strides, row_major, strides_of
from gradcli.tensor.levels import lanes_of, of_all_examples
from gradcli.tensor.operands import as_scalar, refuse_complex
from gradcli.tensor.result_layout import is_reordered, ordered
from gradcli.tensor.storage import view_steps
from gradcli.tensor.storing import EVERYWHERE, PUTTING
from gradcli.tensor.values import followed
from gradcli.tensor.wrapping import placed
from gradcli.tensor.write import refuse

Advanced = list[tuple[int, Node]]
"""Positions along some axes: (axis counted from the left, node of positions from 0 on)."""


def positions(values: Any) -> Node:
    """A node of int64 positions from a NumPy array."""
    known = np.asarray(values, np.int64)
    return data(known, known.shape, int64)


def nonzero_columns(condition: Node) -> tuple[Node, ...]:
    """The positions where `condition` holds, one vector for each dim."""
    return tuple(positions(column) for column in np.nonzero(np.atleast_1d(array(condition))))


# -- reading


@composite("Tensor.__getitem__")
def getitem(input: Any, index: object) -> Any:
    """`x[index]`: ints, slices, None, `...`, lists and tensors of positions, masks."""
    if is_view(index):
        return _part.of_two(input, index)
    x = input.node
    view, advanced = planned(x, index)
    if not advanced:
        return _viewed(input, view)
    reordered = input._storage is not None and is_reordered(input)
    source = input if view is x or not reordered else _viewed(input, view)
    found = read(view, advanced)
    nodes = [item for item in _items(index) if isinstance(item, Node)]
    if found.tracked:
        found.call = ("IndexBackward0", Arguments((view,), (view, *nodes)))
    settle(found)
    made = placed(found, _order_of_read(source, advanced, found) if reordered else None)
    if saved.watchers:
        saved.keep(made, list(map(Tensor, nodes)), nodes)
    return made


def _order_of_read(source: Tensor, advanced: Advanced, found: Node) -> Strides | None:
    """The strides of what was read at positions of a tensor whose dims lie in another order."""
    strides, axes = strides_of(source), [axis for axis, _ in advanced]
    rest = [stride for axis, stride in enumerate(strides) if axis not in axes]
    width, before = found.ndim - len(rest), _before(axes)
    steps = [
        (*rest[:before], *[0] * width, *rest[before:]),
        (
            *[0] * before,
            *row_major(found.shape[before : before + width]),
            *[0] * len(rest[before:]),
        ),
    ]
    return ordered(steps, found.shape)


_PARTS = frozenset((int, slice, type(None), type(...)))
"""Classes of the parts of an index that make a view."""


def is_view(index: Any) -> bool:
    """Whether `x[index]` is a view, as far as the classes of the parts say."""
    if index.__class__ is tuple:
        return all([part.__class__ in _PARTS for part in index])
    return index.__class__ in _PARTS


@internal("select", view=True, names=True)
def _part(input: Any, index: object) -> Node:
    """`x[index]` where that is a view."""
    view, _ = planned(input, index)
    return _everything(input) if view is input else view


def _everything(x: Node) -> Node:
    """A view of all of `x`."""
    return called(movement.slice_(x, slices=tuple((0, n, 1) for n in x.shape)), "alias", x)


def _viewed(input: Tensor, view: Node) -> Tensor:
    x = input.node
    if view is x:
        view = _everything(x)
    steps = view_steps(view, x)
    assert steps is not None
    return viewed(input, view, steps)


def read(x: Node, advanced: Advanced) -> Node:
    """The elements at positions, with axes where PyTorch puts them."""
    front, _, before = _front(x, advanced)
    nodes = [n for _, n in advanced]
    picked = indexing.index(front, *nodes, axes=front.ndim)
    if not before:
        return picked
    width = picked.ndim - (front.ndim - len(nodes))
    return permuted(picked, _behind(picked.ndim, width, before))


def _front(x: Node, advanced: Advanced) -> tuple[Node, tuple[int, ...], int]:
    """`x` with its indexed axes first, the order, and how many axes the picked ones follow."""
    rank = x.ndim
    axes = [a for a, _ in advanced]
    order = tuple(a - rank for a in (*axes, *(a for a in range(rank) if a not in axes)))
    plain = order == tuple(range(-rank, 0))
    return x if plain else permuted(x, order), order, _before(axes)


def _before(axes: list[int]) -> int:
    """How many axes stand before the picked ones, where several are picked."""
    return axes[0] if axes == list(range(axes[0], axes[0] + len(axes))) else 0


def _behind(rank: int, width: int, before: int) -> tuple[int, ...]:
    """The order that moves the first `width` axes behind the next `before`."""
    order = [*range(width, width + before), *range(width), *range(width + before, rank)]
    return tuple(a - rank for a in order)


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
            grid.append(indexing.iota(shape=tuple(shape), axis=i - rank))
    return grid


# -- what an index asks for


def planned(x: Node, index: Any, *, whole: bool = True) -> tuple[Node, Advanced]:
    """The view that the basic parts of an index ask for, and positions along some of its axes.

    A slice of all of `x` is a view where it is the only part and `whole` holds, else nothing.
    """
    items = _items(index)
    used = sum(map(_axes_taken, items))
    if used > x.ndim:
        message = f"too many indices for tensor of dimension {x.ndim}"
        if x.ndim == 0:
            message = _index_of_scalar(index) or message
        raise GradcliError("G022", message, kind=IndexError)
    view, axis, place, skip = x, 0, 0, x.ndim - used
    advanced: Advanced = []
    for item in items:
        if item is Ellipsis:
            axis, place, skip = axis + skip, place + skip, 0
        elif isinstance(item, slice):
            view, axis = (
                _sliced(view, axis, item, alone=whole and not isinstance(index, tuple)),
                axis + 1,
            )
        else:
            view, axis = _step(view, axis, item, place, advanced)
        place += _axes_taken(item)
    if len(advanced) > 1:
        _refuse_misfits([n for _, n in advanced])
    return view, advanced


def _index_of_scalar(index: Any) -> str:
    """PyTorch's sentence about an index without commas for a tensor without dims."""
    if isinstance(index, slice):
        return "slice() cannot be applied to a 0-dim tensor."
    if not isinstance(index, int):
        return ""
    if index:
        return f"index {index} is out of bounds for dimension 0 with size 0"
    return (
        "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
        "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number"
    )


def _refuse_misfits(nodes: list[Node]) -> None:
    try:
        broadcast(*(n.shape for n in nodes))
    except GradcliError:
        shapes = ", ".join(str(list(n.shape)) for n in nodes)
        raise GradcliError(
            "G022",
            "shape mismatch: indexing tensors could not be broadcast together with shapes "
            f"{shapes}",
            kind=IndexError,
        ) from None


def _items(index: Any) -> list[Any]:
    if isinstance(index, list) and any(
        i is None or i is Ellipsis or isinstance(i, (slice, list, tuple, Tensor)) for i in index
    ):
        index = tuple(index)
    return [_item(i) for i in (index if isinstance(index, tuple) else (index,))]


def _item(item: Any) -> Any:
    """Tensors and lists of an index as nodes, the rest as it is."""
    if isinstance(item, Tensor):
        node = item.value_node
        return cast(node, int64) if not node.shape and node.dtype in (int8, int16) else node
    if not isinstance(item, (list, tuple, range)):
        return item
    values = [v._number() if isinstance(v, Tensor) else v for v in item]
    try:
        known = np.asarray(values if values else np.zeros(0, np.int64))
    except ValueError:
        known = np.zeros(0)
    if known.dtype.kind not in "ib":
        raise _not_positions()
    return data(known, known.shape, dtype_of(known))


def _not_positions() -> GradcliError:
    return GradcliError(
        "G022", "tensors used as indices must be long, int, byte or bool tensors", kind=IndexError
    )


def _axes_taken(item: Any) -> int:
    if item is None or item is Ellipsis or isinstance(item, bool):
        return 0
    return item.ndim if isinstance(item, Node) and _is_mask(item) else 1


def _is_mask(item: Node) -> bool:
    return item.dtype.category == BOOL or item.dtype is uint8


def _step(view: Node, axis: int, item: Any, place: int, advanced: Advanced) -> tuple[Node, int]:
    """Applies one part of an index at `axis` of `view`; returns the new view and the next axis.

    `place` is the axis of the tensor that was indexed.
    """
    if item is None:
        return _with_axis(view, axis), axis + 1
    if isinstance(item, bool):
        advanced.append((axis, positions(np.zeros(int(item)))))
        return _with_axis(view, axis), axis + 1
    if isinstance(item, Node):
        return _positions_step(view, axis, item, place, advanced)
    if hasattr(item, "__index__"):
        return _selected(view, axis, item.__index__(), place), axis
    if isinstance(item, str):
        raise GradcliError("G022", "new(): invalid data type 'str'", kind=TypeError)
    raise GradcliError(
        "G022",
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
        f"indices (got {type(item).__name__})",
        kind=IndexError,
    )


def _with_axis(view: Node, axis: int) -> Node:
    new = unsqueezed(view, axis)
    return called(new, "unsqueeze", view)


def _selected(view: Node, axis: int, position: int, place: int) -> Node:
    size = view.shape[axis]
    if not -size <= position < size:
        raise GradcliError(
            "G022",
            f"index {position} is out of bounds for dimension {place} with size {size}",
            kind=IndexError,
        )
    chosen = size + position if position < 0 else position
    return called(select_at(view, axis - view.ndim, chosen), "select", view)


def _sliced(view: Node, axis: int, item: slice, *, alone: bool) -> Node:
    size = view.shape[axis]
    start, length, step = _extent(item, size)
    if (start, length, step) == (0, size, 1) and not alone and not item.start:
        return view
    return called(part(view, axis - view.ndim, start, length, step), "slice", view)


def _extent(item: slice, size: int) -> tuple[int, int, int]:
    start, stop, step = (_bound(bound) for bound in (item.start, item.stop, item.step))
    step = 1 if step is None else step
    if step <= 0:
        raise GradcliError(
            "G022",
            "slice step cannot be zero" if step == 0 else "step must be greater than zero",
            help="flip(x, dims) reverses",
            kind=ValueError,
        )
    first, last = (_inside(at, size, default) for at, default in ((start, 0), (stop, size)))
    length = 0 if last <= first else (last - first + (step - 1)) // step
    return first, length if isinstance(length, Dim) else int(length), step


def _inside(at: int | None, size: int, default: int) -> int:
    """A bound of a slice as a place from 0 to `size`; declared sizes keep their names."""
    if at is None:
        return default
    at = size + at if at < 0 else at
    return 0 if at < 0 else min(at, size)


def _bound(value: Any) -> Any:
    if value is not None and not hasattr(value, "__index__"):
        raise GradcliError(
            "G022",
            "slice indices must be integers or None or have an __index__ method",
            kind=TypeError,
        )
    return value if value is None or isinstance(value, Dim) else value.__index__()


def _positions_step(
    view: Node, axis: int, item: Node, place: int, advanced: Advanced
) -> tuple[Node, int]:
    if _is_mask(item):
        return _mask_step(view, axis, item, advanced)
    if item.dtype not in (int64, int32):
        raise _not_positions()
    if item.ndim == 0 and not lanes_of(item):
        return _selected(view, axis, followed(item, lambda: int(array(item))), place), axis
    advanced.append((axis, in_range(item, view.shape[axis], axis)))
    return view, axis + 1


def _mask_step(view: Node, axis: int, mask: Node, advanced: Advanced) -> tuple[Node, int]:
    if lanes_of(mask):
        raise GradcliError(
            "G016",
            "vmap: We do not support batching operators that can support dynamic shape. Attempting "
            "to batch over indexing with a boolean mask.",
            help="torch.where(mask, x, y) keeps the shape",
        )
    if mask.ndim == 0:
        advanced.append((axis, positions(np.zeros(int(bool(array(mask)))))))
        return _with_axis(view, axis), axis + 1
    for i, size in enumerate(mask.shape):
        if size != view.shape[axis + i]:
            raise GradcliError(
                "G022",
                f"The shape of the mask {list(mask.shape)} at index {i} does not match the shape "
                f"of the indexed tensor {list(view.shape)} at index {axis + i}",
                kind=IndexError,
            )
    advanced.extend((axis + i, column) for i, column in enumerate(nonzero_columns(mask)))
    return view, axis + mask.ndim


def in_range(item: Node, size: int, axis: int, kind: type[BaseException] = IndexError) -> Node:
    """Positions with negative ones counted from the end; raises G022 for one out of range."""
    from_end = checked(item, -size, size, axis, kind)
    whole = cast(item, int64)
    return ops.where(ops.lt(whole, zero(whole)), whole + size, whole) if from_end else whole


def in_range_or_raise(item: Node, size: int, axis: int) -> Node:
    """Positions from 0 to size - 1; raises G022 for others, as PyTorch's gather does."""
    checked(item, 0, size, axis, RuntimeError)
    return cast(item, int64)


def checked(item: Node, low: int, size: int, axis: int, kind: type[BaseException]) -> bool:
    """Whether positions count from the end; raises G022 for one below `low` or not below `size`."""
    if unknown(item):
        return False
    beyond, from_end = answer(of_all_examples(item), lambda known: _beyond(known, low, size))
    if beyond is not None:
        raise GradcliError(
            "G022",
            f"index {beyond} is out of bounds for dimension {axis} with size {size}",
            kind=kind,
        )
    return bool(from_end)


def _beyond(known: Any, low: int, size: int) -> tuple[int | None, bool]:
    """The first position out of range, if there is one, and whether any is negative."""
    if not known.size:
        return None, False
    least = int(known.min())
    if least >= low and known.max() < size:
        return None, least < 0
    return int(known[(known < low) | (known >= size)].flat[0]), least < 0


# -- writing


@composite("Tensor.__setitem__")
def setitem(input: Any, index: object, value: object) -> None:
    """`x[index] = value`."""
    if not isinstance(value, (Tensor, bool, int, float, complex)):
        raise GradcliError(
            "G014",
            f"can't assign a {type(value).__name__} to a torch.{SCALAR_TYPES[input.dtype]}Tensor",
            help="make it a tensor first: x[i] = tensor(...)",
            kind=TypeError,
        )
    x = input.node
    if _takes_one(x, index, value):
        in_place(_put_where, input, index, _converted(value, input))
        return
    view, advanced = planned(x, index, whole=False)
    target = input if view is x else _viewed(input, view)
    if advanced:
        if isinstance(value, Tensor):
            value = _without_leading_ones(value)
            if not value.shape and isinstance(index, Tensor) and _is_mask(index.value_node):
                value = _converted(value, input)
        in_place(_put, target, advanced, _like(value, target))
    else:
        _write_view(target, value if isinstance(value, Tensor) else _number(value, input))


def _takes_one(x: Node, index: object, value: Any) -> bool:
    """Whether one number goes where a mask holds, wherever that is."""
    if not isinstance(index, Tensor) or index.dtype.category != BOOL or lanes_of(index.value_node):
        return False
    fits = index.shape and index.shape == x.shape[: index.ndim]
    is_tensor = isinstance(value, Tensor)
    return bool(fits) and not (is_tensor and (value.shape or value.requires_grad))


def _converted(value: Any, like: Tensor) -> Tensor:
    if isinstance(value, Tensor):
        refuse_complex(like.dtype, value.dtype)
        return value.to(like.dtype)  # type: ignore[no-any-return]  # a method of the table
    return _number(value, like)


def _write_view(target: Tensor, value: Tensor) -> None:
    if value.shape == target.shape:
        target.copy_(value)
    elif not value.shape:
        target.fill_(value)
    else:
        target.copy_(_without_leading_ones(value).expand(target.shape))


def _number(value: complex, like: Tensor) -> Tensor:
    return Tensor(as_scalar(value, like.dtype))


def _without_leading_ones(value: Tensor) -> Tensor:
    shape = tuple(value.shape)
    first = next((i for i, n in enumerate(shape) if n != 1), len(shape))
    return value.view(*shape[first:]) if first else value


def _like(value: Any, input: Tensor) -> Any:
    """A number as a 0-dim tensor of the dtype of `input`; a tensor must have it already."""
    if not isinstance(value, Tensor):
        return _number(value, input)
    if value.dtype is not input.dtype:
        refuse(input, value.requires_grad)
        raise GradcliError(
            "G025",
            "Index put requires the source and destination dtypes match, got "
            f"{SCALAR_TYPES[input.dtype]} for the destination and "
            f"{SCALAR_TYPES[value.dtype]} for the source.",
            help=f"convert the source: .to({input.dtype!r})",
        )
    return value


@internal("index_put", layout=True, memory=PUTTING)
def _put(x: Node, advanced: Any, values: Node, accumulate: bool = False) -> Node:
    front, order, before = _front(x, [tuple(pair) for pair in advanced])
    nodes = [n for _, n in advanced]
    picked = indexing.index(front, *nodes, axes=front.ndim).shape
    width = len(picked) - (front.ndim - len(nodes))
    moved = _behind(len(picked), width, before)
    spread = _spread(values, tuple(picked[a] for a in moved))
    if before:
        spread = permuted(spread, movement.inverse(moved))
    if accumulate:
        written = front + indexing.index_add(spread, *nodes, shape=front.shape)
    else:
        written = indexing.index_put(front, spread, *nodes, axes=front.ndim)
    return written if front is x else permuted(written, movement.inverse(order))


@internal("index_put", layout=True, memory=PUTTING)
def _put_where(x: Node, mask: Node, value: Node) -> Node:
    """`_put` of one number at the places of a mask of the first dims."""
    behind = reshaped(mask, (*mask.shape, *[1] * (x.ndim - mask.ndim)))
    return ops.where(movement.expand(behind, shape=x.shape), value, x)


def _spread(values: Node, shape: tuple[int, ...]) -> Node:
    if values.shape == shape:
        return values
    try:
        fits = broadcast(values.shape, shape) == shape
    except GradcliError:
        fits = False
    if not fits:
        raise GradcliError(
            "G020",
            f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to "
            f"indexing result of shape {list(shape)}",
        )
    return movement.expand(values, shape=shape)


def _indices(input: Tensor, indices: Any) -> Advanced:
    """The positions of `index_put`: one for each of the first dims, None for all of a dim."""
    index = tuple(slice(None) if i is None else i for i in indices)
    used = sum(map(_axes_taken, index))
    if used > input.ndim:
        sentence = f"too many indices for tensor of dimension {input.ndim} (got {used})"
        raise GradcliError("G022", sentence, kind=IndexError)
    return planned(input.node, (*index, Ellipsis))[1]


@composite("index_put", out=None, memory=PUTTING, in_place=EVERYWHERE)
def index_put(input: Any, indices: Tensors, values: AnyTensor, accumulate: bool = False) -> Any:
    """`input` with `values` written (or added) at positions."""
    return _put(input, _indices(input, indices), _like(values, input), accumulate)

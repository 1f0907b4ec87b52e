"""Parts given as views, and memory read by strides."""

from __future__ import annotations

from collections.abc import Sequence
from operator import eq
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.scatter import scatter_error
from gradcli.functions.shape import permuted, reshaped, select_at, sizes_of, whole
from gradcli.graph.node import Node, constant
from gradcli.graph.shape import axes_from_right, axis_from_right
from gradcli.ops import movement, window
from gradcli.ops import scatter as combining
from gradcli.ops.elementwise import cast
from gradcli.ops.ruled import ruled_whole
from gradcli.tensor import Tensor, layout, levels, registry
from gradcli.tensor.function import composite, function
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import AnyTensor
from gradcli.tensor.putting import put as put_through
from gradcli.tensor.result_layout import order_of
from gradcli.tensor.storage import View, value_of, view_steps


def _replaced(x: Node, view: Node, source: Any) -> Node:
    """`x` with `source` in place of the part that `view` shows."""
    value = tensor(source)
    if value.shape != view.shape:
        raise scatter_error(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(value.shape)}, slice size = {list(view.shape)}",
            "G024",
        )
    steps = view_steps(view, x)
    assert steps is not None
    return put_through(x, steps, cast(value, x.dtype))


@function("slice_scatter", layout=True)
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
        raise scatter_error("slice step must be positive", "G026")
    first, stop, _ = slice(start, end, step).indices(x.shape[axis])
    length = max(0, -(-(stop - first) // step))
    slices = [(0, n, 1) for n in x.shape[axis:]]
    slices[0] = (first, length, step)
    return _replaced(x, movement.slice_(x, slices=tuple(slices)), src)


@function("select_scatter", layout=True, out=None)
def select_scatter(input: Any, src: Any, dim: int, index: int) -> Node:
    """`input` with `src` in place of its slice at one position of `dim`."""
    x = tensor(input)
    axis = axis_from_right(dim, x.ndim)
    size = x.shape[axis]
    if not -size <= index < size:
        raise scatter_error(
            f"select(): index {index} out of range for tensor of size {list(x.shape)} at dimension "
            f"{axis + x.ndim}",
            kind=IndexError,
        )
    return _replaced(x, select_at(x, axis, index % size), src)


@function("diagonal_scatter", layout=True, out=None)
def diagonal_scatter(input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Node:
    """`input` with `src` in place of its diagonals over two dims."""
    x = tensor(input)
    first, second = axes_from_right((dim1, dim2), x.ndim)
    rest = [a for a in range(-x.ndim, 0) if a not in (first, second)]
    front = permuted(x, (*rest, first, second))
    return _replaced(x, movement.diagonal(front, offset=offset), src)


@composite("as_strided", out=None)
def as_strided(
    input: Any, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Any:
    """The memory of `input` read by strides."""
    if levels.active:
        _require_in_order(input)
    view, storage = input._view, input._storage
    offset = layout.offset_of(input) if storage_offset is None else storage_offset
    root = input if view is None or view.base is None else view.base
    if root.view_path:  # an alias of a part, without history: the memory is there without any
        root = Tensor(storage.node, storage, View(None, (), own=root._view.own))
    strides = (storage and storage.strides) or None
    if input.dtype.is_complex != root.dtype.is_complex and strides is None:
        root = _other_numbers(root)
    made = _as_strided(root, size, stride, offset, strides)
    if input.node.tracked and root is not input:
        made.adopt(_strided_part(input, made.value_node, root.value_node.size))
        made.node.call = ("AsStridedBackward0", (input.node,))
    return made


def _strided_part(input: Tensor, value: Node, count: int) -> Node:
    """`value`, read by strides from a memory of `count` elements that `input` shows a part of.

    As in PyTorch no gradient goes beyond that part, and elements that share memory share theirs.
    """
    read = {**value.attrs, "source": (count,)}
    shown = {
        "shape": tuple(input.shape),
        "strides": layout.strides_of(input),
        "offset": layout.offset_of(input),
        "source": (count,),
    }

    def back(g: Node, out: Node, x: Node) -> Node:
        found = combining.as_strided(combining.strided_add(g, **read), **shown)
        if not layout.overlaps(input):
            return found
        ones = constant(1, x.dtype, x.shape)
        return found / combining.as_strided(combining.strided_add(ones, **shown), **shown)

    return ruled_whole(value_of(value), input.node, rules=(back,))


def _require_in_order(input: Any) -> None:
    """Raises G016 for an example of a vmap in whose memory those of others lie in between."""
    if levels.active and any(input.memory.node in level.scattered for level in levels.vmaps()):
        raise GradcliError(
            "G016",
            "as_strided() of an example of a vmap whose elements do not lie in memory in order is "
            "not supported",
            help="index it, or give vmap a copy: vmap(f)(x.contiguous())",
        )


def _other_numbers(root: Any) -> Any:
    """The memory of complex numbers as that of their parts, or the other way round."""
    if root.dtype.is_complex:
        return registry.find("torch.view_as_real")(root)
    return registry.find("torch.view_as_complex")(root.view(-1, 2))


@composite("Tensor.dim_order")
def dim_order(input: Any, *, ambiguity_check: bool = False) -> Any:
    """The dims, from the one whose neighbours are farthest apart in memory to the nearest.

    Raises:
        GradcliError: G024, with `ambiguity_check`, where other orders describe it as well.
    """
    if not isinstance(ambiguity_check, bool):
        sentence = "The ambiguity_check argument must be a bool or a list of memory formats."
        raise GradcliError(
            "G013", sentence, help="True or False: there is one format here", kind=TypeError
        )
    strides = layout.strides_of(input)
    if ambiguity_check and (1 in input.shape or any(map(eq, strides, strides[1:]))):
        raise GradcliError(
            "G024",
            "The tensor does not have unique dim order, or cannot map to exact one of the given "
            "memory formats.",
        )
    return order_of(input)


@composite("Tensor.is_set_to")
def is_set_to(input: Any, tensor: AnyTensor) -> bool:
    """Whether both are the same part of one memory, read in the same way."""
    ways = [(layout.offset_of(x), tuple(x.shape), tuple(x.stride())) for x in (input, tensor)]
    return input.memory is tensor.memory and ways[0] == ways[1]


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
        raise scatter_error("mismatch in length of strides and shape", "G024")
    if any(n < 0 for n in shape):
        raise scatter_error(
            f"Storage size calculation overflowed with sizes={list(shape)} and "
            f"strides={list(strides)}",
            "G024",
        )
    if any(s < 0 for s in strides):
        raise scatter_error(
            "as_strided: Negative strides are not supported at the moment, got strides: "
            f"{list(strides)}",
            "G026",
        )
    reach = first + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + 1
    bytes_ = x.dtype.itemsize
    if all(shape) and not 0 < reach <= x.size:
        raise scatter_error(
            f"setStorage: sizes {list(shape)}, strides {list(strides)}, storage offset {first}, "
            f"and itemsize {bytes_} requiring a storage size of {reach * bytes_} are out of bounds "
            f"for storage of size {x.size * bytes_}",
            "G024",
        )
    return combining.as_strided(x, shape=shape, strides=strides, offset=first, source=x.shape)


@function("as_strided_scatter", out=None)
def as_strided_scatter(
    input: Any,
    src: Any,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
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
        raise scatter_error(f"size is {size} but must be >= 0", "G026")
    if size > length:
        raise scatter_error(
            f"maximum size for tensor at dimension {axis + max(x.ndim, 1)} is {length} but size is "
            f"{size}",
            "G026",
        )
    if step <= 0:
        raise scatter_error(f"step is {step} but must be > 0", "G026")
    if x.ndim == 0:
        return movement.slice_(reshaped(x, (1,)), slices=((0, size, 1),))
    rank = x.ndim
    last = permuted(x, (*(a for a in range(-rank, 0) if a != axis), axis))
    apart = window.windows(last, kernel=(size,), stride=(step,), dilation=(1,))
    order = list(range(-rank - 1, -2))
    order.insert(axis + rank, -1)
    return permuted(apart, (*order, -2))

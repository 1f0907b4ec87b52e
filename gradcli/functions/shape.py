"""Shapes: the same elements under another shape, mostly without copying.

Constraints: what shares memory in PyTorch is a view here (`view=True`): writes go through. Whether
a reshape is a view or a copy follows from the strides, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import SCALAR_TYPES, DType, as_dtype
from gradcli.graph.node import Node
from gradcli.graph.shape import (
    Shape,
    axes_from_right,
    axis_from_right,
    broadcast,
    infer_size,
    numel,
)
from gradcli.ops import elementwise as ops
from gradcli.ops import movement
from gradcli.tensor import Tensor, layout, registry
from gradcli.tensor.arguments import require_tensors
from gradcli.tensor.function import Function, composite, function, internal
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import Dims, Listed
from gradcli.tensor.named import Named


def sizes_of(arguments: Sequence[Any], name: str = "") -> tuple[int, ...]:
    """Sizes given one by one or as one list: `view(2, 3)`, `view((2, 3))`.

    Args:
        name: a function whose argument `size` they are, for what is said of other things.
    """
    listed = len(arguments) == 1 and isinstance(arguments[0], (list, tuple))
    sizes = arguments[0] if listed else arguments
    for i, size in enumerate(sizes):
        if name and not _is_whole(size):
            raise _no_size(name, type(size).__name__, i, listed)
    return tuple(map(whole, sizes))


def _no_size(name: str, kind: str, place: int, listed: bool) -> GradcliError:
    said = f"failed to unpack the object at pos {place + 1} with error "
    said += f'"type must be tuple of ints,but got {kind}"'
    if not place:
        found = f"but found element of type {kind} at pos 0" if listed else f"not {kind}"
        said = f"(position 1) must be tuple of ints, {found}"
    return GradcliError(
        "G013",
        f"{name}(): argument 'size' {said}",
        help="sizes are whole numbers: int(...)",
        kind=TypeError,
    )


def _is_whole(value: Any) -> bool:
    return not isinstance(value, bool) and (isinstance(value, Node) or hasattr(value, "__index__"))


def whole(value: Any) -> int:
    """A size or position as an int; raises G013 for anything that is not a whole number."""
    if value.__class__ is int:
        return value
    if isinstance(value, Node):
        value = Tensor(value)
    if not _is_whole(value):
        raise GradcliError(
            "G013",
            f"argument must be int, not {type(value).__name__}",
            help="sizes and dims are whole numbers: int(...)",
            kind=TypeError,
        )
    return value if isinstance(value, int) else int(value.__index__())


# -- views as graph nodes


def reshaped(x: Node, shape: Shape) -> Node:
    """`x` in another shape of as many elements."""
    return movement.reshape(x, axes=x.ndim, shape=shape)


def unsqueezed(x: Node, at: int) -> Node:
    """`x` with an axis of length 1 before its axis `at`, counted from the left."""
    return movement.reshape(x, axes=x.ndim - at, shape=(1, *x.shape[at:]))


def part(x: Node, axis: int, start: int, length: int, step: int = 1) -> Node:
    """`length` elements of `x` along `axis` (negative) from `start`."""
    slices = [(0, size, 1) for size in x.shape[axis:]]
    slices[0] = (start, length, step)
    return movement.slice_(x, slices=tuple(slices))


def select_at(x: Node, axis: int, position: int) -> Node:
    """The slice of `x` at one position of an axis (negative), without that axis."""
    one = part(x, axis, position, 1)
    return movement.reshape(one, axes=-axis, shape=x.shape[x.ndim + axis + 1 :])


def permuted(x: Node, axes: tuple[int, ...]) -> Node:
    """`x` with its axes in the order `axes` (negative)."""
    return movement.permute(x, axes=axes)


# -- reshaping

_view = internal("view", view=True)(reshaped)
_reshape_alias = internal("reshape_alias", view=True)(reshaped)
unsafe_view = internal("unsafe_view")(reshaped)


@composite("Tensor.view")
def view(input: Any, *size: Any, dtype: Any = None) -> Any:
    """The same elements in another shape, without copying; one size may be -1.

    Or, of a dtype, the same memory as elements of that.
    """
    wanted = size[0] if len(size) == 1 and dtype is None else dtype
    if isinstance(wanted, (DType, type)):
        from gradcli.tensor.bits import reinterpreted

        return reinterpreted(input, as_dtype(wanted))
    shape = infer_size(sizes_of(size), numel(input.shape))
    if layout.as_view(input.shape, layout.strides_of(input), shape) is None:
        raise GradcliError(
            "G024",
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead.",
            help="reshape() copies where it has to",
        )
    return _view(input, shape)


@composite("reshape", out=None)
def reshape(input: Any, *shape: Listed) -> Any:
    """The same elements in another shape, copied only where it has to be; one size may be -1."""
    sizes = infer_size(sizes_of(shape), numel(input.shape))
    if layout.is_contiguous(input):
        return _view(input, sizes)
    if layout.as_view(input.shape, layout.strides_of(input), sizes) is None:
        return unsafe_view(_row_major(input), sizes)
    return _reshape_alias(input, sizes)


@composite("Tensor.view_as")
def view_as(input: Any, other: Any) -> Any:
    """The same elements in the shape of `other`."""
    return view(input, *other.shape)


@composite("Tensor.reshape_as")
def reshape_as(input: Any, other: Any) -> Any:
    """The same elements in the shape of `other`."""
    return reshape(input, *other.shape)


@composite("Tensor.contiguous")
def contiguous(input: Any, memory_format: Any = None) -> Any:
    """The tensor itself where its elements lie in order, else a copy."""
    return input if layout.is_contiguous(input) else _row_major(input)


@internal("clone")
def _row_major(input: Node) -> Node:
    return row_major_copy(input)


def in_rows(memory_format: Any) -> bool:
    """Whether elements are to lie in order in memory, not as those that they are made of."""
    return str(memory_format) == "torch.contiguous_format"


def row_major_copy(input: Node) -> Node:
    """A copy whose elements lie in order."""
    # The layout of a clone follows its input's, that of a reshape does not.
    return movement.reshape(ops.clone(input), axes=input.ndim, shape=input.shape)


@composite("flatten", out=None)
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The dims from `start_dim` to `end_dim` as one."""
    shape = tuple(input.shape)
    first, last = (_place(dim, len(shape)) for dim in (start_dim, end_dim))
    if first > last:
        raise GradcliError(
            "G023", "flatten() has invalid args: start_dim cannot come after end_dim"
        )
    if not shape:
        return reshape(input, 1)
    if first == last:
        return input
    return reshape(input, *shape[:first], numel(shape[first : last + 1]), *shape[last + 1 :])


def _place(dim: Any, rank: int) -> int:
    """`dim` counted from the left."""
    return axis_from_right(whole(dim), rank) + max(rank, 1)


@composite("ravel", out=None)
def ravel(input: Any) -> Any:
    """All elements in one dimension."""
    return view(contiguous(input), -1)


@composite("unflatten", out=None)
def unflatten(input: Any, dim: int, sizes: Sequence[int]) -> Any:
    """One dim as several of the given sizes."""
    shape = tuple(input.shape)
    at = _place(dim, len(shape))
    if not shape:
        raise GradcliError(
            "G023",
            "unflatten got an unexpected error:\n"
            f"Dimension specified as {dim} but tensor has no dimensions",
        )
    if not sizes:
        raise GradcliError("G024", "unflatten: sizes must be non-empty")
    try:
        inner = infer_size(sizes_of([sizes]), shape[at])
    except GradcliError as error:
        raise GradcliError(
            "G024",
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {at} "
            f"({shape[at]}) in the input tensor",
        ) from error
    return view(input, *shape[:at], *inner, *shape[at + 1 :])


# -- transposes


def _swap(x: Node, first: int, second: int) -> Node:
    axes = list(range(-x.ndim, 0))
    if axes:
        axes[first], axes[second] = axes[second], axes[first]
    return permuted(x, tuple(axes))


@function("permute", view=True, out=None)
def permute(input: Any, *dims: Listed) -> Node:
    """The dims in another order."""
    if not dims:
        missing = 'permute() missing 1 required positional arguments: "dims"'
        raise GradcliError("G013", missing, kind=TypeError)
    x = tensor(input)
    wanted = sizes_of(dims)
    if len(wanted) != x.ndim:
        raise GradcliError(
            "G023",
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {x.ndim} is not "
            f"equal to len(dims) = {len(wanted)}",
        )
    axes = tuple(axis_from_right(dim, x.ndim) for dim in wanted)
    if len(set(axes)) < len(axes):
        raise GradcliError("G023", "permute(): duplicate dims are not allowed.")
    return permuted(x, axes)


@function(
    *("transpose", Named("swapaxes", axis0="dim0", axis1="dim1"), "swapdims"), view=True, out=None
)
def transpose(input: Any, dim0: int, dim1: int) -> Node:
    """Two dims exchanged."""
    x = tensor(input)
    return _swap(x, *(axis_from_right(whole(dim), x.ndim) for dim in (dim0, dim1)))


@function("t", view=True, out=None)
def t(input: Any) -> Node:
    """The transpose of a matrix; a vector or scalar itself."""
    x = tensor(input)
    if x.ndim > 2:
        raise too_many_dims("t", x.ndim)
    return _swap(x, -1, -2) if x.ndim == 2 else permuted(x, tuple(range(-x.ndim, 0)))


def too_many_dims(name: str, rank: int) -> GradcliError:
    """What `t` and `t_` say of tensors that are no matrices."""
    sentence = f"{name}() expects a tensor with <= 2 dimensions, but self is {rank}D"
    return GradcliError("G023", sentence)


def _reversed_dims(input: Node) -> Node:
    return permuted(input, tuple(range(-1, -input.ndim - 1, -1)))


def _matrix_transpose(input: Node) -> Node:
    if input.ndim == 1:
        raise GradcliError(
            "G023",
            "tensor.mT is only supported on matrices or batches of matrices. Got 1-D tensor.",
        )
    if not input.ndim:
        return input
    return _swap(input, -1, -2)


for _name, _shown, _body in (
    ("T", "permute", _reversed_dims),
    ("mT", "transpose", _matrix_transpose),
):
    _entry = Function(_name, _body, on_nodes=True, shown=_shown, view=True)
    registry.METHODS[_name] = property(_entry)


@function("movedim", "moveaxis", shown="permute", view=True, out=None)
def movedim(input: Any, source: Any, destination: Any) -> Node:
    """The dims `source` moved to the places `destination`."""
    x = tensor(input)
    listed = [v if isinstance(v, (list, tuple)) else (v,) for v in (source, destination)]
    if len(listed[0]) != len(listed[1]):
        raise GradcliError(
            "G023",
            "movedim: Invalid source or destination dims: source "
            f"({list(listed[0])} dims) should contain the same number of dims as destination "
            f"({list(listed[1])} dims)",
        )
    axes = [[axis_from_right(whole(dim), x.ndim) for dim in dims] for dims in listed]
    for name, dims, given in zip(("source", "destination"), axes, listed, strict=True):
        if len(set(dims)) < len(dims):
            raise GradcliError("G023", f"movedim: repeated dim in `{name}` ({list(given)})")
    if not x.ndim:
        return permuted(x, ())
    order: list[int | None] = [None] * x.ndim
    for a, b in zip(*axes, strict=True):
        order[b] = a
    rest = iter(a for a in range(-x.ndim, 0) if a not in axes[0])
    return permuted(x, tuple(next(rest) if a is None else a for a in order))


# -- dims of length one


def _squeeze_overload(input: Any, *dim: Any, **named: Any) -> int:
    dims = dim or tuple(named.values())
    return 0 if not dims else 2 if len(dims) > 1 or isinstance(dims[0], (list, tuple)) else 1


@function("squeeze", view=True, overload=_squeeze_overload, out=None)
def squeeze(input: Any, *dim: Dims) -> Node:
    """Without the dims of length 1: all of them, or those among `dim`."""
    x = tensor(input)
    axes = axes_from_right(sizes_of(dim), x.ndim) if dim else tuple(range(-x.ndim, 0))
    gone = [i for i, n in enumerate(x.shape) if n == 1 and i - x.ndim in axes]
    first = gone[0] if gone else 0
    kept = tuple([n for i, n in enumerate(x.shape) if i >= first and i not in gone])
    return movement.reshape(x, axes=x.ndim - first, shape=kept)


@function("unsqueeze", view=True, out=None)
def unsqueeze(input: Any, dim: int) -> Node:
    """With a dim of length 1 put in at `dim`."""
    x = tensor(input)
    at = axis_from_right(whole(dim), x.ndim + 1) + x.ndim + 1
    return unsqueezed(x, at)


def grown(x: Any, rank: int) -> Any:
    """A tensor with at least `rank` dims, as PyTorch's `atleast_` functions make it."""
    have = len(x.shape)
    if have >= rank:
        return x
    if rank == 3 and have:
        return grown(x, 2).unsqueeze(-1)
    return x.unsqueeze(0) if have == rank - 1 else x.reshape(*(1,) * rank)


def _at_least(name: str, rank: int) -> None:
    @composite(name, method=False, python=True)
    def at_least(*tensors: Any) -> Any:
        listed = len(tensors) == 1 and isinstance(tensors[0], (list, tuple))
        several = tuple(grown(x, rank) for x in (tensors[0] if listed else tensors))
        return several if listed or len(several) != 1 else several[0]

    at_least.doc = f"The tensor (or each of several) with at least {rank} dims."


for _rank in (1, 2, 3):
    _at_least(f"atleast_{_rank}d", _rank)


# -- repeating without copying


@function("Tensor.expand", "broadcast_to", shown="expand", view=True)
def expand(input: Any, *size: Listed) -> Node:
    """Repeated without copying to the given sizes; -1 keeps a size."""
    x = tensor(input)
    wanted = list(sizes_of(size))
    extra = len(wanted) - x.ndim
    if extra < 0:
        raise GradcliError(
            "G024",
            f"expand(torch.{SCALAR_TYPES[x.dtype]}Tensor{{{list(x.shape)}}}, size={wanted}): "
            "the number of sizes "
            f"provided ({len(wanted)}) must be greater or equal to the number of dimensions in the "
            f"tensor ({x.ndim})",
        )
    target = list(wanted)
    for i, size_ in enumerate(wanted):
        own = x.shape[i - extra] if i >= extra else 1
        if size_ == -1 and i < extra:
            raise GradcliError(
                "G024",
                "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing "
                f"dimension {i}",
            )
        if size_ == -1:
            target[i] = own
        elif own not in (1, size_) or size_ < 0:
            raise GradcliError(
                "G024",
                f"The expanded size of the tensor ({size_}) must match the existing size ({own}) "
                f"at non-singleton dimension {i}.  Target sizes: {wanted}.  Tensor sizes: "
                f"{list(x.shape)}",
            )
    return movement.expand(x, shape=tuple(target))


@composite("Tensor.expand_as")
def expand_as(input: Any, other: Any) -> Any:
    """Repeated without copying to the shape of `other`."""
    return expand(input, *other.shape)


@composite("broadcast_tensors", method=False, python=True)
def broadcast_tensors(*tensors: Any) -> Any:
    """The tensors, each repeated to their common shape."""
    require_tensors(tensors)
    shape = broadcast(*(tuple(x.shape) for x in tensors)) if tensors else ()
    return tuple(x if tuple(x.shape) == shape else expand(x, *shape) for x in tensors)


@composite("Tensor.sum_to_size")
def sum_to_size(input: Any, *size: Any) -> Any:
    """Summed over the dims along which a tensor of the given size would be repeated."""
    wanted, shape = sizes_of(size), tuple(input.shape)
    extra = len(shape) - len(wanted)
    pairs = zip(shape[extra:], wanted, strict=False)
    if extra < 0 or any(size not in (own, 1) for own, size in pairs):
        raise GradcliError(
            "G024", f"size {{{list(wanted)}}} is not expandable to size {{{list(shape)}}}."
        )
    dims = [i for i in range(len(shape)) if i < extra or (wanted[i - extra] == 1 != shape[i])]
    total = input.sum(dims, keepdim=True) if dims else input
    return view(total, *wanted) if extra else total


@composite("meshgrid", method=False, python=True)
def meshgrid(*tensors: Any, indexing: str = "ij") -> Any:
    """The coordinates of a grid, one tensor for each axis."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    if not given:
        raise GradcliError("G013", "meshgrid expects a non-empty TensorList")
    if any(x.dtype is not given[0].dtype for x in given):
        raise GradcliError(
            "G025",
            "meshgrid expects all tensors to have the same dtype",
            help="convert one of them: .to(other.dtype)",
        )
    for x in given:
        if len(x.shape) > 1:
            raise GradcliError(
                "G023",
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {x}",
            )
    if indexing not in ("ij", "xy"):
        raise GradcliError(
            "G026",
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}',
        )
    if indexing == "xy" and len(given) > 1:
        swapped = meshgrid(given[1], given[0], *given[2:])
        return (swapped[1], swapped[0], *swapped[2:])
    if len({x.dtype for x in given}) > 1:
        raise GradcliError("G025", "meshgrid expects all tensors to have the same dtype")
    shape = [numel(x.shape) for x in given]
    ones = [1] * len(shape)
    views = [x.view(*ones[:i], -1, *ones[i + 1 :]) for i, x in enumerate(given)]
    return tuple(v.expand(*shape) for v in views)


# -- diagonals


def axes_pair(dim1: Any, dim2: Any, rank: int) -> tuple[int, int]:
    """Two different dims, counted from the right."""
    first, second = (axis_from_right(whole(dim), rank) for dim in (dim1, dim2))
    if first == second:
        raise GradcliError("G023", f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return first, second


@function("diagonal", view=True, out=None)
def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Node:
    """The diagonals over two dims, as the last dim."""
    x = tensor(input)
    first, second = axes_pair(dim1, dim2, x.ndim)
    rest = [a for a in range(-x.ndim, 0) if a not in (first, second)]
    return movement.diagonal(permuted(x, (*rest, first, second)), offset=offset)


@function("diag_embed", out=None)
def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Node:
    """Matrices with the last dim on their diagonal."""
    x = tensor(input)
    first, second = axes_pair(dim1, dim2, x.ndim + 1)
    size = x.shape[-1] + abs(offset)
    made = movement.diagonal_embed(x, offset=offset, shape=(size, size))
    order: list[int | None] = [None] * made.ndim
    order[first], order[second] = -2, -1
    rest = iter(range(-made.ndim, -2))
    return permuted(made, tuple(next(rest) if a is None else a for a in order))


@composite("diag")
def diag(input: Any, diagonal: int = 0) -> Any:
    """The matrix with a vector on its diagonal, or the diagonal of a matrix."""
    rank = len(input.shape)
    if rank not in (1, 2):
        raise GradcliError("G023", f"diag(): Supports 1D or 2D tensors. Got {rank}D")
    return diag_embed(input, diagonal) if rank == 1 else _diagonal_copy(input, diagonal)


@function("diagonal_copy", shown="DiagonalBackward0_copy", method=False)
def _diagonal_copy(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Node:
    """The diagonals over two dims, copied."""
    return ops.clone(diagonal.body(input, offset, dim1, dim2))


@composite("diagflat", out=None)
def diagflat(input: Any, offset: int = 0) -> Any:
    """The matrix with all elements of `input` on its diagonal."""
    return diag_embed(reshape(input, -1), offset)

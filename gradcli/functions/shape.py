"""Shapes: reshaping, transposing, joining, splitting, repeating.

Constraints: what shares memory in PyTorch is a view here (`view=True`): writes go through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.reduce import axes_of
from gradcli.graph.node import Node
from gradcli.graph.shape import (
    Shape,
    axes_from_right,
    axis_from_right,
    broadcast,
    infer_size,
    numel,
    text,
)
from gradcli.ops import elementwise as ops
from gradcli.ops import movement
from gradcli.tensor.function import composite, function, promoted
from gradcli.tensor.function import tensor_operand as tensor


def sizes_of(arguments: Sequence[Any]) -> tuple[int, ...]:
    """Sizes given one by one or as one list: `view(2, 3)`, `view((2, 3))`."""
    if len(arguments) == 1 and isinstance(arguments[0], (list, tuple)):
        arguments = arguments[0]
    return tuple(whole(a) for a in arguments)


def whole(value: Any) -> int:
    """A size or position as an int; raises G013 for anything that is not a whole number."""
    if isinstance(value, Node):
        from gradcli.execute.evaluate import array

        value = array(value).item()
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise GradcliError(
            "G013",
            f"argument must be int, not {type(value).__name__}",
            help="sizes and dims are whole numbers: int(...)",
            kind=TypeError,
        )
    return int(value.__index__())


def reshaped(x: Node, shape: Shape) -> Node:
    """`x` in another shape of as many elements."""
    return movement.reshape(x, axes=x.ndim, shape=shape)


@function("reshape", shown="view", view=True)
def reshape(input: Any, *shape: Any) -> Node:
    """The same elements in another shape; one size may be -1."""
    x = tensor(input)
    return reshaped(x, infer_size(sizes_of(shape), x.size))


@function("Tensor.view", view=True)
def view(input: Any, *shape: Any) -> Node:
    """The same elements in another shape; one size may be -1."""
    from gradcli.graph.dtype import DType

    if len(shape) == 1 and isinstance(shape[0], DType):
        raise GradcliError("G025", "view(dtype) reinterprets memory, which gradcli has not")
    x = tensor(input)
    return reshaped(x, infer_size(sizes_of(shape), x.size))


@composite("Tensor.view_as")
def view_as(input: Any, other: Any) -> Any:
    """The same elements in the shape of `other`."""
    return input.view(other.shape)


@composite("Tensor.reshape_as")
def reshape_as(input: Any, other: Any) -> Any:
    """The same elements in the shape of `other`."""
    return input.reshape(other.shape)


@composite("flatten")
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The dims from `start_dim` to `end_dim` as one."""
    rank = len(input.shape)
    first = axis_from_right(start_dim, rank) + max(rank, 1)
    last = axis_from_right(end_dim, rank) + max(rank, 1)
    if first > last:
        raise GradcliError(
            "G023", "flatten() has invalid args: start_dim cannot come after end_dim"
        )
    if rank == 0:
        return input.reshape(1)
    if first == last:
        return input
    merged = numel(input.shape[first : last + 1])
    return input.reshape(*input.shape[:first], merged, *input.shape[last + 1 :])


@composite("ravel")
def ravel(input: Any) -> Any:
    """All elements in one dimension."""
    return input.reshape(-1)


@function("unflatten", shown="view", view=True)
def unflatten(input: Any, dim: int, sizes: Sequence[int]) -> Node:
    """One dim as several of the given sizes."""
    x = tensor(input)
    axis = axis_from_right(dim, x.ndim) + x.ndim
    inner = infer_size(sizes_of([sizes]), x.shape[axis])
    return reshaped(x, x.shape[:axis] + inner + x.shape[axis + 1 :])


# -- transposes


def permuted(x: Node, axes: tuple[int, ...]) -> Node:
    """`x` with its axes in the order `axes` (negative)."""
    return movement.permute(x, axes=axes)


def _swap(x: Node, first: int, second: int) -> Node:
    axes = list(range(-x.ndim, 0))
    if axes:
        axes[first], axes[second] = axes[second], axes[first]
    return permuted(x, tuple(axes))


@function("permute", view=True)
def permute(input: Any, *dims: Any) -> Node:
    """The dims in another order."""
    x = tensor(input)
    wanted = sizes_of(dims)
    if len(wanted) != x.ndim:
        raise GradcliError(
            "G023",
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length "
            f"of the desired ordering of dimensions i.e. input.dim() = {x.ndim} is not equal to "
            f"len(dims) = {len(wanted)}",
        )
    return permuted(x, axes_from_right(wanted, x.ndim))


@function("transpose", "swapaxes", "swapdims", view=True)
def transpose(input: Any, dim0: int, dim1: int) -> Node:
    """Two dims exchanged."""
    x = tensor(input)
    return _swap(x, axis_from_right(dim0, x.ndim), axis_from_right(dim1, x.ndim))


@function("t", view=True)
def t(input: Any) -> Node:
    """The transpose of a matrix; a vector or scalar itself."""
    x = tensor(input)
    if x.ndim > 2:
        raise GradcliError(
            "G023", f"t() expects a tensor with <= 2 dimensions, but self is {x.ndim}D"
        )
    return _swap(x, -1, -2) if x.ndim == 2 else permuted(x, tuple(range(-x.ndim, 0)))


def _property(name: str, shown: str, body: Any) -> None:
    from gradcli.tensor import registry
    from gradcli.tensor.function import Function

    made = Function(name, body, on_nodes=True, shown=shown, view=True)
    registry.METHODS[name] = property(made)


def _matrix_transpose(input: Any) -> Node:
    if input.ndim < 2:
        raise GradcliError(
            "G023",
            "tensor.mT is only supported on matrices or batches of matrices. "
            f"Got {input.ndim}-D tensor.",
        )
    return _swap(input, -1, -2)


_property("T", "permute", lambda input: permuted(input, tuple(range(-1, -input.ndim - 1, -1))))
_property("mT", "transpose", _matrix_transpose)


@function("movedim", "moveaxis", shown="permute", view=True)
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
    start, end = (axes_from_right(v, x.ndim) for v in listed)
    order: list[int | None] = [None] * x.ndim
    for a, b in zip(start, end, strict=True):
        order[b] = a
    rest = iter(a for a in range(-x.ndim, 0) if a not in start)
    return permuted(x, tuple(next(rest) if a is None else a for a in order))


# -- dims of length one


@function("squeeze", view=True, overload=lambda i, dim=None: 0 if dim is None else _many(dim))
def squeeze(input: Any, dim: Any = None) -> Node:
    """Without the dims of length 1: all of them, or those among `dim`."""
    x = tensor(input)
    axes = tuple(range(-x.ndim, 0)) if dim is None else ()
    if dim is not None and dim != () and dim != []:
        axes = axes_of(dim, x.ndim)
    kept = [n for i, n in enumerate(x.shape) if not (n == 1 and i - x.ndim in axes)]
    return reshaped(x, tuple(kept))


def _many(dim: Any) -> int:
    return 2 if isinstance(dim, (list, tuple)) else 1


@function("unsqueeze", view=True)
def unsqueeze(input: Any, dim: int) -> Node:
    """With a dim of length 1 put in at `dim`."""
    x = tensor(input)
    axis = axis_from_right(dim, x.ndim + 1) + x.ndim + 1
    return reshaped(x, (*x.shape[:axis], 1, *x.shape[axis:]))


def _at_least(name: str, rank: int) -> None:
    @composite(name, method=False)
    def at_least(*tensors: Any) -> Any:
        if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
            tensors = tuple(tensors[0])
        grown = tuple(_grown(x, rank) for x in tensors)
        return grown if len(grown) > 1 else grown[0]


def _grown(x: Any, rank: int) -> Any:
    if len(x.shape) >= rank:
        return x
    if rank == 3 and len(x.shape) == 2:
        return x.unsqueeze(-1)
    ones = (1,) * (rank - len(x.shape))
    return (
        x.reshape(1, *x.shape, 1) if rank == 3 and len(x.shape) == 1 else x.reshape(*ones, *x.shape)
    )


for _rank in (1, 2, 3):
    _at_least(f"atleast_{_rank}d", _rank)


# -- repeating


@function("Tensor.expand", "broadcast_to", shown="expand", view=True)
def expand(input: Any, *sizes: Any) -> Node:
    """Repeated without copying to the given sizes; -1 keeps a size."""
    x = tensor(input)
    wanted = list(sizes_of(sizes))
    extra = len(wanted) - x.ndim
    if extra < 0:
        raise GradcliError(
            "G024",
            f"expand(torch.FloatTensor{{{list(x.shape)}}}, size={wanted}): the number of sizes "
            f"provided ({len(wanted)}) must be greater or equal to the number of dimensions in the "
            f"tensor ({x.ndim})",
        )
    for i, size in enumerate(wanted):
        own = x.shape[i - extra] if i >= extra else None
        if size == -1 and own is not None:
            wanted[i] = own
        elif own is not None and own not in (1, size) or size < 0:
            raise GradcliError(
                "G024",
                f"The expanded size of the tensor ({size}) must match the existing size ({own}) at "
                f"non-singleton dimension {i}.  Target sizes: {wanted}.  "
                f"Tensor sizes: {list(x.shape)}",
            )
    return movement.expand(x, shape=tuple(wanted))


@composite("Tensor.expand_as")
def expand_as(input: Any, other: Any) -> Any:
    """Repeated without copying to the shape of `other`."""
    return input.expand(other.shape)


@composite("tile")
def tile(input: Any, *dims: Any) -> Any:
    """Repeated along the last dims the given number of times."""
    times = sizes_of(dims)
    return input.repeat(*(1,) * (len(input.shape) - len(times)), *times)


@function("Tensor.repeat")
def repeat(input: Any, *repeats: Any) -> Node:
    """Repeated along each dim the given number of times."""
    x = tensor(input)
    times = list(sizes_of(repeats))
    if len(times) < x.ndim:
        raise GradcliError(
            "G024",
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor",
        )
    shape = (1,) * (len(times) - x.ndim) + x.shape
    paired = [n for size in shape for n in (1, size)]
    spread = [n for count, size in zip(times, shape, strict=True) for n in (count, size)]
    repeated = movement.expand(reshaped(x, tuple(paired)), shape=tuple(spread))
    return reshaped(repeated, tuple(a * b for a, b in zip(times, shape, strict=True)))


@function("broadcast_tensors", shown="expand", method=False)
def broadcast_tensors(*tensors: Any) -> tuple[Node, ...]:
    """The tensors, each repeated to their common shape."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list) else tensors
    shape = broadcast(*(x.shape for x in given))
    return tuple(movement.expand(x, shape=shape) for x in given)


@composite("repeat_interleave")
def repeat_interleave(
    input: Any, repeats: Any, dim: int | None = None, *, output_size: int | None = None
) -> Any:
    """Each element (or slice along `dim`) repeated `repeats` times in place."""
    from gradcli.tensor import Tensor
    from gradcli.tensor.registry import find

    if dim is None:
        input, dim = input.reshape(-1), 0
    counts = repeats.tolist() if isinstance(repeats, Tensor) else repeats
    size = input.shape[dim]
    counts = [counts] * size if isinstance(counts, int) else counts
    counts = counts * size if len(counts) == 1 else counts
    order = [i for i, n in enumerate(counts) for _ in range(n)]
    return input.index_select(dim, find("torch.tensor")(order, dtype="int64"))


# -- joining and splitting


def _tensors(tensors: Any) -> list[Node]:
    if not isinstance(tensors, (list, tuple)) or not tensors:
        raise GradcliError(
            "G013",
            "expected a non-empty list of Tensors",
            help="put them into a list: cat([x, y])",
            kind=RuntimeError if isinstance(tensors, (list, tuple)) else TypeError,
        )
    return promoted(*tensors)


@function("cat", "concat", "concatenate", shown="cat", method=False)
def cat(tensors: Any, dim: int = 0) -> Node:
    """The tensors one after another along `dim`."""
    nodes = _tensors(tensors)
    for position, x in enumerate(nodes):
        if x.ndim == 0:
            raise GradcliError(
                "G024",
                f"zero-dimensional tensor (at position {position}) cannot be concatenated",
                help="stack() joins scalars",
            )
    nodes = [x for x in nodes if x.shape != (0,)] or nodes[:1]
    axis = axis_from_right(dim, nodes[0].ndim)
    _same_elsewhere(nodes, axis)
    return movement.concat(*nodes, axis=axis)


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


@function("stack", method=False)
def stack(tensors: Any, dim: int = 0) -> Node:
    """The tensors, all of one shape, side by side along a new dim."""
    nodes = _tensors(tensors)
    for position, x in enumerate(nodes):
        if x.shape != nodes[0].shape:
            raise GradcliError(
                "G024",
                f"stack expects each tensor to be equal size, but got {list(nodes[0].shape)} at entry 0 "
                f"and {list(x.shape)} at entry {position}",
                label=f"entry 0 is {text(nodes[0].shape)}, entry {position} is {text(x.shape)}",
            )
    rank = nodes[0].ndim + 1
    axis = axis_from_right(dim, rank)
    cut = axis + rank
    grown = [reshaped(x, (*x.shape[:cut], 1, *x.shape[cut:])) for x in nodes]
    return movement.concat(*grown, axis=axis)


def part(x: Node, axis: int, start: int, length: int, step: int = 1) -> Node:
    """`length` elements of `x` along `axis` (negative) from `start`."""
    slices = [(0, size, 1) for size in x.shape[axis:]]
    slices[0] = (start, length, step)
    return movement.slice_(x, slices=tuple(slices))


def _stacked(name: str, rank: int, dim: int) -> None:
    @composite(name, method=False)
    def stacked(tensors: Any) -> Any:
        grown = [_grown(x, rank) for x in tensors]
        first = grown[0]
        return cat(grown, 0 if len(first.shape) == 1 else dim)


_stacked("hstack", 1, 1)
_stacked("vstack", 2, 0)
_stacked("dstack", 3, 2)


@function("narrow", shown="slice", view=True)
def narrow(input: Any, dim: int, start: Any, length: int) -> Node:
    """`length` elements along `dim` from `start`."""
    x = tensor(input)
    axis = axis_from_right(dim, x.ndim)
    first = whole(start)
    size = x.shape[axis]
    first += size if first < 0 else 0
    if not 0 <= first <= size or not 0 <= length <= size - first:
        raise GradcliError(
            "G022",
            f"start ({first}) + length ({length}) exceeds dimension size ({size}).",
        )
    return part(x, axis, first, length)


@composite("split")
def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> Any:
    """Pieces along `dim`: of one size (the last may be smaller), or of the listed sizes."""
    if isinstance(split_size_or_sections, (list, tuple)):
        return _split_sizes(tensor, [whole(n) for n in split_size_or_sections], dim)
    size = whole(split_size_or_sections)
    extent = _extent(tensor, dim)
    if size <= 0 and (size < 0 or extent):
        raise GradcliError(
            "G026", f"split expects split_size be non-negative, but got split_size={size}"
        )
    sizes = [min(size, extent - i) for i in range(0, extent, size)] if extent else [0]
    return _pieces(tensor, dim, sizes, "split")


def _extent(tensor: Any, dim: int) -> int:
    if not tensor.shape:
        raise GradcliError("G023", "split expects at least a 1-dimensional tensor")
    return int(tensor.shape[axis_from_right(dim, len(tensor.shape))])


def _split_sizes(tensor: Any, sizes: list[int], dim: int) -> Any:
    extent = _extent(tensor, dim)
    if sum(sizes) != extent:
        raise GradcliError(
            "G024",
            f"split_with_sizes expects split_sizes to sum exactly to {extent} (input tensor's size at "
            f"dimension {dim}), but got split_sizes={sizes}",
        )
    return _pieces(tensor, dim, sizes, "split_with_sizes")


def _pieces(tensor: Any, dim: int, sizes: list[int], shown: str) -> Any:
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    piece = PIECES[shown]
    return tuple(piece(tensor, dim, start, size) for start, size in zip(starts, sizes, strict=True))


def _piece(input: Any, dim: int, start: int, length: int) -> Node:
    return part(input, axis_from_right(dim, input.ndim), start, length)


PIECES = {
    name: function(f"Tensor._{name}_piece", shown=name, view=True)(_piece)
    for name in ("split", "split_with_sizes")
}


@composite("split_with_sizes")
def split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> Any:
    """Pieces along `dim` of the listed sizes."""
    return _split_sizes(input, [whole(n) for n in split_sizes], dim)


@composite("chunk")
def chunk(input: Any, chunks: int, dim: int = 0) -> Any:
    """At most `chunks` pieces of one size along `dim`."""
    if chunks <= 0:
        raise GradcliError("G026", f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    extent = _extent(input, dim)
    return split(input, max(1, -(-extent // chunks)), dim)


@composite("tensor_split")
def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> Any:
    """Pieces along `dim`: a number of nearly equal ones, or cut at the listed positions."""
    extent = _extent(input, dim)
    if isinstance(indices_or_sections, (list, tuple)):
        cuts = [0, *(min(max(i + extent if i < 0 else i, 0), extent) for i in indices_or_sections)]
        cuts.append(extent)
    else:
        size, more = divmod(extent, indices_or_sections)
        cuts = [i * size + min(i, more) for i in range(indices_or_sections + 1)]
    return tuple(input.narrow(dim, a, max(b - a, 0)) for a, b in zip(cuts, cuts[1:], strict=False))


@function("Tensor._unbind_piece", shown="unbind", view=True)
def _select_for_unbind(input: Any, dim: int, position: int) -> Node:
    return select_at(input, axis_from_right(dim, input.ndim), position)


@composite("unbind")
def unbind(input: Any, dim: int = 0) -> Any:
    """The slices along `dim`, without that dim."""
    if not input.shape:
        raise GradcliError(
            "G023", "Dimension specified as 0 but tensor has no dimensions", kind=IndexError
        )
    extent = input.shape[axis_from_right(dim, len(input.shape))]
    return tuple(_select_for_unbind(input, dim, i) for i in range(extent))


def select_at(x: Node, axis: int, position: int) -> Node:
    """The slice of `x` at one position of an axis (negative), without that axis."""
    one = part(x, axis, position, 1)
    shape = list(one.shape)
    del shape[axis]
    core = -axis
    return movement.reshape(one, axes=core, shape=tuple(shape[len(shape) - core + 1 :]))


@function("select", view=True)
def select(input: Any, dim: int, index: Any) -> Node:
    """The slice at one position of `dim`, without that dim."""
    x = tensor(input)
    if x.ndim == 0:
        raise GradcliError("G022", "select() cannot be applied to a 0-dim tensor.", kind=IndexError)
    axis = axis_from_right(dim, x.ndim)
    position = whole(index)
    size = x.shape[axis]
    if not -size <= position < size:
        raise GradcliError(
            "G022",
            f"select(): index {position} out of range for tensor of size {list(x.shape)} at dimension "
            f"{axis + x.ndim}",
            kind=IndexError,
        )
    return select_at(x, axis, position % size)


# -- order and triangles


@function("flip")
def flip(input: Any, *dims: Any) -> Node:
    """Reversed along `dims`."""
    x = tensor(input)
    axes = axes_from_right(sizes_of(dims), x.ndim)
    return movement.flip(x, axis=axes if x.ndim else ())


@composite("fliplr")
def fliplr(input: Any) -> Any:
    """Reversed along the second dim."""
    return input.flip(1)


@composite("flipud")
def flipud(input: Any) -> Any:
    """Reversed along the first dim."""
    return input.flip(0)


@function("roll")
def roll(input: Any, shifts: Any, dims: Any = None) -> Node:
    """Shifted along `dims`, what falls out at the end coming in at the start."""
    x = tensor(input)
    if dims is None or dims in ((), []):
        flat = reshaped(x, (x.size,))
        return reshaped(_rolled(flat, whole(_only(shifts)), -1), x.shape)
    pairs = zip(_listed(shifts), _listed(dims), strict=True)
    for shift, dim in pairs:
        x = _rolled(x, whole(shift), axis_from_right(dim, x.ndim))
    return x if x is not input else ops.clone(x)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else (value,)


def _only(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple)) else value


def _rolled(x: Node, shift: int, axis: int) -> Node:
    size = x.shape[axis]
    cut = -shift % size if size else 0
    if cut == 0:
        return ops.clone(x)
    return movement.concat(part(x, axis, cut, size - cut), part(x, axis, 0, cut), axis=axis)


def _triangle(name: str, op: Any) -> None:
    @function(name)
    def triangle(input: Any, diagonal: int = 0) -> Node:
        x = tensor(input)
        if x.ndim < 2:
            raise GradcliError("G023", f"{name}: input tensor must have at least 2 dimensions")
        return op(x, diagonal=diagonal)

    triangle.doc = f"The {name} part of a matrix, zero elsewhere."


_triangle("tril", movement.tril)
_triangle("triu", movement.triu)


@function("diagonal", view=True)
def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Node:
    """The diagonals over two dims, as the last dim."""
    x = tensor(input)
    first, second = axes_from_right((dim1, dim2), x.ndim)
    rest = [a for a in range(-x.ndim, 0) if a not in (first, second)]
    return movement.diagonal(permuted(x, (*rest, first, second)), offset=offset)


@function("diag_embed")
def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Node:
    """Matrices with the last dim on their diagonal."""
    x = tensor(input)
    size = x.shape[-1] + abs(offset)
    made = movement.diagonal_embed(x, offset=offset, shape=(size, size))
    first, second = axes_from_right((dim1, dim2), made.ndim)
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
def _diagonal_copy(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonals over two dims, copied."""
    return diagonal.body(input, offset, dim1, dim2)


@composite("meshgrid", method=False)
def meshgrid(*tensors: Any, indexing: str = "ij") -> Any:
    """The coordinates of a grid, one tensor for each axis."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    if indexing == "xy" and len(given) > 1:
        swapped = meshgrid(given[1], given[0], *given[2:])
        return tuple(g.swapaxes(0, 1) for g in (swapped[1], swapped[0], *swapped[2:]))
    shape = [numel(x.shape) for x in given]
    views = [x.reshape(*([1] * i), -1, *([1] * (len(shape) - 1 - i))) for i, x in enumerate(given)]
    return tuple(v.expand(*shape) for v in views)

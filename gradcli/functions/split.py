"""Pieces of tensors: split, chunk, unbind, narrow, select.

Constraints: pieces share the tensor's memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.shape import part, select_at, whole
from gradcli.graph.dtype import INTEGER, SCALAR_TYPES, int64
from gradcli.graph.node import Node
from gradcli.graph.shape import axis_from_right, own_axis
from gradcli.ops.elementwise import clone
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite, function, internal
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import AnyTensor
from gradcli.tensor.named import Named
from gradcli.tensor.storage import View


@function("narrow", shown="slice", view=True, out=None)
def narrow(input: Any, dim: int, start: AnyTensor | int, length: int) -> Node:
    """`length` elements along `dim` from `start`."""
    x = tensor(input)
    if not x.ndim:
        raise GradcliError("G023", "narrow() cannot be applied to a 0-dim tensor.")
    if isinstance(start, Node) and (start.ndim or start.dtype.category != INTEGER):
        raise GradcliError("G022", "start must be an 0-dim integral Tensor.")
    axis = axis_from_right(dim, x.ndim)
    size, first, count = x.shape[axis], whole(start), length
    if not -size <= first <= size:
        raise GradcliError(
            "G022",
            f"start out of range (expected to be in range of [-{size}, {size}], but got {first})",
            kind=IndexError,
        )
    if count < 0:
        raise GradcliError("G026", "narrow(): length must be non-negative.")
    first += size if first < 0 else 0
    if first + count > size:
        raise GradcliError(
            "G022", f"start ({first}) + length ({count}) exceeds dimension size ({size})."
        )
    return part(x, axis, first, count)


@function("narrow_copy")
def narrow_copy(input: Any, dim: int, start: int, length: int) -> Node:
    """`narrow` in memory of its own."""
    return clone(narrow.body(input, dim, start, length))


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


@composite(
    *("split", Named("Tensor.split", split_size="split_size_or_sections")),
    method=False,
    python=True,
)
def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> Any:
    """Pieces along `dim`: of one size (the last may be smaller), or of the listed sizes."""
    if _is_list(split_size_or_sections):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    return _split(tensor, whole(split_size_or_sections), dim)


@internal("split", view=True)
def _split(x: Node, size: int, dim: int = 0) -> tuple[Node, ...]:
    extent = _extent(x, dim, "split")
    if size < 0:
        raise GradcliError(
            "G026", f"split expects split_size be non-negative, but got split_size={size}"
        )
    if size == 0 and extent:
        raise GradcliError(
            "G026",
            f"split_size can only be 0 if dimension size is 0, but got dimension size of {extent}",
        )
    starts = [i * size for i in range(-(-int(extent) // int(size)))] if extent else [0]
    axis = axis_from_right(dim, x.ndim)
    return tuple(part(x, axis, start, min(size, extent - start)) for start in starts)


@function("split_with_sizes", view=True, out=None)
def split_with_sizes(input: Any, split_sizes: Sequence[int], dim: int = 0) -> tuple[Node, ...]:
    """Pieces along `dim` of the listed sizes."""
    x, sizes = tensor(input), [whole(n) for n in split_sizes]
    extent = _extent(x, dim, "split_with_sizes")
    if sum(sizes) != extent or any(n < 0 for n in sizes):
        raise GradcliError(
            "G024",
            f"split_with_sizes expects split_sizes to sum exactly to {extent} (input tensor's "
            f"size at dimension {dim}), but got split_sizes={sizes}",
        )
    axis = axis_from_right(dim, x.ndim)
    return tuple(part(x, axis, sum(sizes[:i]), size) for i, size in enumerate(sizes))


def _extent(x: Any, dim: int, name: str) -> int:
    if not x.shape:
        what = "tensor, but got a tensor with 0 dims" if name == "tensor_split" else "tensor"
        verb = "expected" if name == "tensor_split" else "expects"
        raise GradcliError("G023", f"{name} {verb} at least a 1-dimensional {what}")
    size: int = x.shape[axis_from_right(whole(dim), len(x.shape))]
    return size


@composite("chunk", out=None)
def chunk(input: Any, chunks: int, dim: int = 0) -> Any:
    """At most `chunks` pieces of one size along `dim`."""
    extent = _extent(input, dim, "chunk")
    if whole(chunks) <= 0:
        raise GradcliError("G026", f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    size = (extent + chunks - 1) // chunks
    return _split(input, size, dim) if size else split_with_sizes(input, [0] * chunks, dim)


_unsafe = internal("unsafe_split", view=True)(_split.body)
_unsafe_with_sizes = internal("unsafe_split_with_sizes", view=True)(split_with_sizes.body)


def _unfollowed(pieces: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The pieces, as what PyTorch does not know to be views: nobody follows writes to them."""
    for piece in pieces:
        piece._view = View(None, piece.view_path, own=piece.memory.own_version())
        piece.version.stamp(piece.value_node, piece.view_path)
    return pieces


@composite(Named("unsafe_split", split_size="split_size"), out=None)
def unsafe_split(input: Any, split_size: int, dim: int = 0) -> Any:
    """Pieces of `split_size` along `dim`, which may be written to."""
    return _unfollowed(_unsafe(input, whole(split_size), dim))


@composite("unsafe_split_with_sizes", out=None)
def unsafe_split_with_sizes(input: Any, split_sizes: Sequence[int], dim: int = 0) -> Any:
    """Pieces along `dim` of the listed sizes, which may be written to."""
    return _unfollowed(_unsafe_with_sizes(input, split_sizes, dim))


@composite("unsafe_chunk", out=None)
def unsafe_chunk(input: Any, chunks: int, dim: int = 0) -> Any:
    """At most `chunks` pieces of one size along `dim`, which may be written to."""
    extent = _extent(input, dim, "chunk")
    return unsafe_split(input, (extent + whole(chunks) - 1) // chunks, dim)


def _places(given: Tensor) -> Any:
    """The number or the numbers in what `tensor_split` takes for them."""
    name = "tensor_split expected tensor_indices_or_sections to"
    if given.dtype is not int64:
        sentence = f"{name} have dtype of long, but got {SCALAR_TYPES[given.dtype]}"
        raise GradcliError("G025", sentence)
    if given.ndim > 1:
        raise GradcliError(
            "G024",
            f"{name} be a zero-dimensional or one-dimensional tensor, but got a tensor with "
            f"{given.ndim} dims",
        )
    return given.tolist()


_PARTS = {
    "sections": "indices_or_sections: int",
    "indices": "indices_or_sections: Sequence[int]",
}
"""What PyTorch's signatures call the parts, which its documentation gives one name."""


@composite(
    Named("tensor_split", tensor_indices_or_sections="indices_or_sections: Tensor", **_PARTS),
    out=None,
)
def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> Any:
    """Pieces along `dim`: a number of nearly equal ones, or cut at the listed positions."""
    extent = _extent(input, dim, "tensor_split")
    given = indices_or_sections
    if isinstance(given, Tensor):
        given = _places(given)
    if _is_list(given):
        inner = [whole(i) for i in given]
        cuts = [0, *(min(max(i + extent if i < 0 else i, 0), extent) for i in inner), extent]
    else:
        sections = whole(given)
        if sections <= 0:
            raise GradcliError("G026", f"number of sections must be larger than 0, got {sections}")
        size, more = extent // sections, extent % sections
        cuts = [i * size + min(i, more) for i in range(sections + 1)]
    return tuple(narrow(input, dim, a, max(b - a, 0)) for a, b in pairwise(cuts))


def _split_along(name: str, rank: int, dim: int) -> None:
    @composite(Named(name, **_PARTS), out=None)
    def split_along(input: Any, indices_or_sections: int | Sequence[int]) -> Any:
        have = len(input.shape)
        if have < rank:
            raise GradcliError(
                "G023",
                f"torch.{name} requires a tensor with at least {rank} dimension, but got a tensor "
                f"with {have} dimensions!",
            )
        along = dim if have > dim else 0
        extent = input.shape[along]
        sections = indices_or_sections
        if isinstance(sections, int) and (sections < 1 or extent % sections):
            raise GradcliError(
                "G024",
                f"torch.{name} attempted to split along dimension {along}, but the size of the "
                f"dimension {extent} is not divisible by the split_size {sections}!",
            )
        return tensor_split(input, sections, along)

    split_along.doc = "Equal pieces along one dim, or pieces cut at the listed positions."


for _name, _rank, _dim in (("hsplit", 1, 1), ("vsplit", 2, 0), ("dsplit", 3, 2)):
    _split_along(_name, _rank, _dim)


@function("unbind", view=True, out=None)
def unbind(input: Any, dim: int = 0) -> tuple[Node, ...]:
    """The slices along `dim`, without that dim."""
    x = tensor(input)
    if not x.ndim:
        axis_from_right(whole(dim), 0)
        dim = 0
    axis = own_axis(whole(dim), x.ndim)
    return tuple(select_at(x, axis, i) for i in range(x.shape[axis]))


@function("select", view=True, out=None)
def select(input: Any, dim: int, index: int) -> Node:
    """The slice at one position of `dim`, without that dim."""
    x = tensor(input)
    if x.ndim == 0:
        raise GradcliError("G022", "select() cannot be applied to a 0-dim tensor.", kind=IndexError)
    axis = axis_from_right(whole(dim), x.ndim)
    position, size = whole(index), x.shape[axis]
    if not -size <= position < size:
        raise GradcliError(
            "G022",
            f"select(): index {position} out of range for tensor of size {list(x.shape)} at "
            f"dimension {axis + x.ndim}",
            kind=IndexError,
        )
    return select_at(x, axis, position % size)

"""Shape arithmetic: broadcasting, axes, sizes, with PyTorch's sentences when they do not fit.

Constraints: shapes are tuples; knows no nodes and no arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gradcli.errors import GradcliError

Shape = tuple[int, ...]


def numel(shape: Shape) -> int:
    """The number of elements."""
    count = 1
    for size in shape:
        count *= size
    return count


def broadcast(*shapes: Shape) -> Shape:
    """The shape that all `shapes` broadcast to.

    Raises:
        GradcliError: G020, with PyTorch's sentence for the last dimension that does not fit.
    """
    result = shapes[0]
    for shape in shapes[1:]:
        if shape != result:
            result = _broadcast_pair(result, shape)
    return result


def _broadcast_pair(a: Shape, b: Shape) -> Shape:
    if not a or not b:
        return a or b
    rank = max(len(a), len(b))
    left, right = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    sizes = []
    for axis in reversed(range(rank)):
        m, n = left[axis], right[axis]
        if m != n and m != 1 and n != 1:
            raise GradcliError(
                "G020",
                f"The size of tensor a ({m}) must match the size of tensor b ({n}) "
                f"at non-singleton dimension {axis}",
            )
        sizes.append(n if m == 1 else m)
    return tuple(reversed(sizes))


def require_room(shape: Shape, target: Shape) -> None:
    """Raises G020 unless `shape` broadcasts to `target`, the shape of what is written to."""
    common = broadcast(target, shape)
    if common != target:
        raise GradcliError(
            "G020",
            f"output with shape {list(target)} doesn't match the broadcast shape {list(common)}",
        )


def text(shape: Sequence[int]) -> str:
    """A shape in words for a label: `(2, 3)`, `a scalar` for `()`."""
    if not shape:
        return "a scalar"
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def axis_from_right(dim: int, rank: int) -> int:
    """`dim` counted from the right (negative), for a tensor of `rank` dimensions.

    Raises:
        GradcliError: G023 as PyTorch's IndexError.
    """
    extent = max(rank, 1)
    if not -extent <= dim < extent:
        raise GradcliError(
            "G023",
            f"Dimension out of range (expected to be in range of [{-extent}, {extent - 1}], "
            f"but got {dim})",
            kind=IndexError,
        )
    return dim if dim < 0 else dim - extent


def own_axis(dim: int, rank: int) -> int:
    """The same for functions that do not take a number's missing dimension as one of length 1."""
    if not rank:
        sentence = f"Dimension specified as {dim} but tensor has no dimensions"
        raise GradcliError("G023", sentence, kind=IndexError)
    return axis_from_right(dim, rank)


def axes_from_right(dims: Iterable[int], rank: int) -> tuple[int, ...]:
    """`dims` counted from the right, each once; raises G023 for a repeated one."""
    axes = tuple(axis_from_right(dim, rank) for dim in dims)
    for axis in axes:
        if axes.count(axis) > 1:
            raise GradcliError(
                "G023", f"dim {axis + max(rank, 1)} appears multiple times in the list of dims"
            )
    return axes


def reduced(shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Shape:
    """The shape after a reduction over `axes` (negative)."""
    rank = len(shape)
    if keepdims:
        return tuple(1 if i - rank in axes else size for i, size in enumerate(shape))
    return tuple(size for i, size in enumerate(shape) if i - rank not in axes)


def infer_size(sizes: Sequence[int], count: int) -> Shape:
    """`sizes` with its -1 replaced so that it holds `count` elements.

    Raises:
        GradcliError: G024 with PyTorch's sentence when it cannot.
    """
    shape = list(sizes)
    if shape.count(-1) > 1:
        raise GradcliError("G024", "only one dimension can be inferred")
    for size in shape:
        if size < -1:
            raise GradcliError("G024", f"invalid shape dimension {size}")
    if -1 in shape:
        where = shape.index(-1)
        rest = numel(tuple(shape[:where] + shape[where + 1 :]))
        if rest == count == 0:
            raise GradcliError(
                "G024",
                f"cannot reshape tensor of 0 elements into shape {list(sizes)} because the "
                "unspecified dimension size -1 can be any value and is ambiguous",
            )
        shape[where] = count // rest if rest else -1
    if numel(tuple(shape)) != count:
        raise GradcliError("G024", f"shape '{list(sizes)}' is invalid for input of size {count}")
    return tuple(shape)


def fitting(size: int, kernel: int, stride: int, dilation: int) -> int:
    """How many windows of `kernel` elements fit into `size`."""
    return max(0, (size - dilation * (kernel - 1) - 1) // stride + 1)

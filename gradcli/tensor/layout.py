"""Strides, as PyTorch has them: what decides whether a reshape is a view or a copy.

Constraints: derived from the view ops between a storage and a tensor; nothing is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gradcli.graph.op import Op
from gradcli.graph.shape import Shape, fitting, numel
from gradcli.ops import movement

if TYPE_CHECKING:
    from gradcli.tensor.tensor import Tensor

Strides = tuple[int, ...]

REPEATING = frozenset(("expand", "windows", "as_strided"))
"""View ops that may show an element several times."""


def row_major(shape: Sequence[int]) -> Strides:
    """The strides of a contiguous tensor."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def dense(shape: Sequence[int], dims: Sequence[int]) -> Strides:
    """The strides of what lies in memory without gaps, `dims` from the outermost inwards."""
    strides, step = [1] * len(shape), 1
    for dim in reversed(dims):
        strides[dim] = step
        step *= max(shape[dim], 1)
    return tuple(strides)


def strides_of(tensor: Tensor) -> Strides:
    """The distance in elements between neighbours, along each dim."""
    storage = tensor._storage
    shape = tensor._node.shape
    if storage is None:
        return row_major(shape)
    below = storage.node.shape
    strides = storage.strides or row_major(below)
    for op, attrs in tensor.view_path:
        strides, below = _step(op, attrs, strides, below)
    return strides


def offset_of(tensor: Tensor) -> int:
    """How many elements of the storage lie before the tensor's first one."""
    storage = tensor._storage
    if storage is None:
        return 0
    below = storage.node.shape
    strides = storage.strides or row_major(below)
    offset = 0
    for op, attrs in tensor.view_path:
        lead = len(below) - len(attrs["slices"]) if op is movement.slice_ else 0
        if op is movement.slice_:
            starts = (start for start, _, _ in attrs["slices"])
            offset += sum(s * n for s, n in zip(starts, strides[lead:], strict=True))
        if op.name == "as_strided":
            offset = attrs["offset"]
        if op is movement.diagonal:
            shift = attrs["offset"] if _diagonal(below, attrs["offset"]) else 0
            offset += shift * strides[-1] if shift > 0 else -shift * strides[-2]
        if op.name in ("view_as_real", "view_as_complex"):
            offset = offset * 2 if op.name == "view_as_real" else offset // 2
        if op is movement.reinterpret:
            offset = offset * attrs["source"].itemsize // attrs["dtype"].itemsize
        strides, below = _step(op, attrs, strides, below)
    return offset


def is_contiguous(tensor: Tensor) -> bool:
    """Whether the elements lie in memory one after another, in order."""
    storage = tensor._storage
    if storage is None or (storage.strides is None and not tensor.view_path):
        return True
    return are_natural(strides_of(tensor), tensor._node.shape)


def are_natural(strides: Strides, shape: Shape) -> bool:
    """Whether strides are row-major, whatever they are along dims of length 1."""
    natural = row_major(shape)
    known = zip(strides, natural, shape, strict=True)
    return 0 in shape or all(a == b or n == 1 for a, b, n in known)


def memory_order(tensor: Tensor) -> tuple[int, ...]:
    """The dims, those first along which neighbours lie furthest apart."""
    strides = strides_of(tensor)
    return tuple(sorted(range(len(strides)), key=lambda i: -strides[i]))


def overlaps(tensor: Tensor) -> bool:
    """Whether some elements share memory with each other, as in an expanded tensor."""
    if tensor._view is None or not any(op.name in REPEATING for op, _ in tensor.view_path):
        return False
    shape = tensor._node.shape
    pairs = zip(strides_of(tensor), shape, strict=True)
    return 0 not in shape and any(stride == 0 and size > 1 for stride, size in pairs)


def shared(a: Tensor, b: Tensor) -> str:
    """How two tensors of one storage share elements: `full` is place by place, else `part`.

    Empty when they do not, or when it would be hard to tell.
    """
    strides, shapes = [strides_of(x) for x in (a, b)], [x._node.shape for x in (a, b)]
    if 0 in shapes[0] or 0 in shapes[1]:
        return ""
    if a is b:
        return "full"
    if not all(map(is_dense, strides, shapes)):
        return ""
    starts = [offset_of(x) for x in (a, b)]
    ends = [start + numel(shape) for start, shape in zip(starts, shapes, strict=True)]
    if (starts[0], ends[0]) == (starts[1], ends[1]):
        return "full" if strides[0] == strides[1] else "part"
    return "part" if starts[0] < ends[1] and starts[1] < ends[0] else ""


def is_dense(strides: Strides, shape: Shape) -> bool:
    """Whether the elements fill a range of the memory, in whatever order."""
    expected = 1
    for stride, size in sorted(zip(strides, shape, strict=True)):
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True


def as_view(shape: Shape, strides: Strides, new: Shape) -> Strides | None:
    """The strides under which the same memory has shape `new`; None when it must be copied."""
    if 0 in shape:
        return row_major(new)
    blocks = _blocks(shape, strides)
    found: list[int] = []
    count, stride = blocks.pop() if blocks else (1, 1)
    for size in reversed(new):
        if size == 1:
            found.append(stride)
            continue
        while count == 1 and blocks:
            count, stride = blocks.pop()
        if count % size:
            return None
        found.append(stride)
        count //= size
        stride *= size
    return tuple(reversed(found))


def _blocks(shape: Shape, strides: Strides) -> list[tuple[int, int]]:
    """Groups of neighbouring dims that lie evenly in memory: (elements, innermost stride)."""
    blocks: list[tuple[int, int]] = []
    for size, stride in zip(shape, strides, strict=True):
        if size == 1:
            continue
        if blocks and blocks[-1][1] == size * stride:
            blocks[-1] = (blocks[-1][0] * size, stride)
        else:
            blocks.append((size, stride))
    return blocks


def _step(
    op: Op, attrs: Mapping[str, Any], strides: Strides, shape: Shape
) -> tuple[Strides, Shape]:
    """Strides and shape after one view op."""
    rank = len(shape)
    if op is movement.reshape:
        new = shape[: rank - attrs["axes"]] + attrs["shape"]
        return _reshaped(strides, shape, new, rank - attrs["axes"]), new
    if op is movement.permute:
        order = [rank + a for a in attrs["axes"]]
        lead = rank - len(order)
        order = [*range(lead), *order]
        return tuple(strides[i] for i in order), tuple(shape[i] for i in order)
    if op is movement.slice_:
        lead = rank - len(attrs["slices"])
        steps = [1] * lead + [step for _, _, step in attrs["slices"]]
        sizes = shape[:lead] + tuple(length for _, length, _ in attrs["slices"])
        return tuple(s * n for s, n in zip(strides, steps, strict=True)), sizes
    if op is movement.expand:
        return expanded(attrs["shape"], strides, shape)
    if op.name == "windows":
        return _windowed(attrs, strides, shape)
    if op.name == "as_strided":
        lead = rank - len(attrs["source"])
        return strides[:lead] + attrs["strides"], shape[:lead] + attrs["shape"]
    if op is movement.diagonal:
        length = _diagonal(shape, attrs["offset"])
        return (*strides[:-2], strides[-2] + strides[-1]), (*shape[:-2], length)
    if op.name == "view_as_real":
        return (*(2 * n for n in strides), 1), (*shape, 2)
    if op.name == "view_as_complex":
        return tuple(n // 2 for n in strides[:-1]), shape[:-1]
    if op is movement.reinterpret and (old := attrs["source"].itemsize) != attrs["dtype"].itemsize:
        new = attrs["dtype"].itemsize
        sizes = (*shape[:-1], shape[-1] * old // new)
        return (*(n * old // new for n in strides[:-1]), 1), sizes
    return strides, shape


def _reshaped(strides: Strides, shape: Shape, new: Shape, at: int) -> Strides:
    """The strides under another shape from dim `at` on: as `view` has them where that is the first,
    else as `squeeze` leaves them; `unsqueeze` puts a dim of length 1 there."""
    if new == shape:
        return strides
    if new == (*shape[:at], 1, *shape[at:]):
        step = shape[at] * strides[at] if at < len(shape) else 1
        return (*strides[:at], step, *strides[at:])
    less = len(shape) - len(new)
    if not at and less > 0 and new == shape[less:]:
        return strides[less:]
    squeezed = _squeezed(strides, shape, new) if at else None
    return squeezed or as_view(shape, strides, new) or row_major(new)


def _squeezed(strides: Strides, shape: Shape, new: Shape) -> Strides | None:
    """The strides without those of dims of length 1 that `new` lacks; None for other shapes."""
    if len(new) >= len(shape):
        return None
    kept, rest = list[int](), list(new)
    for stride, size in zip(strides, shape, strict=True):
        if rest and size == rest[0]:
            kept.append(stride)
            rest.pop(0)
        elif size != 1:
            return None
    return None if rest else tuple(kept)


def _windowed(attrs: Mapping[str, Any], strides: Strides, shape: Shape) -> tuple[Strides, Shape]:
    kernel, step, gap = attrs["kernel"], attrs["stride"], attrs["dilation"]
    lead = len(shape) - len(kernel)
    outer, inner = strides[:lead], strides[lead:]
    places = tuple(s * n for s, n in zip(inner, gap, strict=True))
    starts = tuple(s * n for s, n in zip(inner, step, strict=True))
    counts = tuple(map(fitting, shape[lead:], kernel, step, gap))
    return outer + places + starts, shape[:lead] + kernel + counts


def _diagonal(shape: Shape, offset: int) -> int:
    rows, columns = shape[-2:]
    return max(0, min(rows + min(offset, 0), columns - max(offset, 0)))


def expanded(new: Shape, strides: Strides, shape: Shape) -> tuple[Strides, Shape]:
    """The strides under which the same memory repeats up to the shape `new`, and that shape."""
    extra = len(new) - len(shape)
    if extra < 0:
        new = shape[:-extra] + new
        extra = 0
    kept = [
        stride if size == wanted else 0
        for stride, size, wanted in zip(strides, shape, new[extra:], strict=True)
    ]
    for axis in range(extra - 1, -1, -1):
        inner = new[axis + 1] * kept[0] if kept else 1
        kept.insert(0, inner if new[axis] == 1 else 0)
    return tuple(kept), new

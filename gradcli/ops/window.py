"""Windows that slide over the last axes: taking them, adding them up, their sums and maxima.

Constraints: see gradcli/ops. `kernel`, `stride` and `dilation` have a number for each of the last
axes; the windows of (..., H, W) are (..., kernel H, kernel W, windows H, windows W). Nothing is
padded here.
"""

from __future__ import annotations

from gradcli.graph.dtype import DType, int64
from gradcli.graph.node import Node
from gradcli.graph.op import INTEGRAL, Op
from gradcli.graph.shape import Shape, fitting
from gradcli.ops.movement import expand, reshape

Numbers = tuple[int, ...]
Range = tuple[int, int, int]
"""The positions of a window along one axis: start, stop, step; never empty, all of them inside."""


def even_parts(size: int, count: int) -> tuple[Range, ...]:
    """`count` ranges that cover `size`, as even as can be, overlapping where they must."""
    return tuple((i * size // count, -(-(i + 1) * size // count), 1) for i in range(count))


def sliding(
    count: int, size: int, kernel: int, stride: int, padding: int, dilation: int
) -> tuple[Range, ...]:
    """The ranges of `count` windows that slide over `size` and `padding` at each end."""
    found = []
    for i in range(count):
        start = i * stride - padding
        stop = min(start + dilation * (kernel - 1) + 1, size)
        start += -(start // dilation) * dilation if start < 0 else 0
        found.append((min(start, size - 1), stop, dilation))
    return tuple(found)


def _split(x: Node, core: int) -> tuple[Shape, Shape]:
    return x.shape[: x.ndim - core], x.shape[x.ndim - core :]


def _windows(
    x: Node, *, kernel: Numbers, stride: Numbers, dilation: Numbers
) -> tuple[Shape, DType]:
    lead, sizes = _split(x, len(kernel))
    return lead + kernel + _counts(sizes, kernel, stride, dilation), x.dtype


def _counts(sizes: Shape, kernel: Numbers, stride: Numbers, dilation: Numbers) -> Shape:
    return tuple(map(fitting, sizes, kernel, stride, dilation))


def _overlap_add(
    x: Node, *, stride: Numbers, dilation: Numbers, shape: Shape
) -> tuple[Shape, DType]:
    return x.shape[: x.ndim - 2 * len(shape)] + shape, x.dtype


def _overlap_add_rule(
    g: Node, out: Node, x: Node, *, stride: Numbers, dilation: Numbers, shape: Shape
) -> Node:
    kernel = _split(x, 2 * len(shape))[1][: len(shape)]
    return windows(g, kernel=kernel, stride=stride, dilation=dilation)


def _window_sum(x: Node, *, kernel: Numbers, stride: Numbers) -> tuple[Shape, DType]:
    lead, sizes = _split(x, len(kernel))
    return lead + _counts(sizes, kernel, stride, (1,) * len(kernel)), x.dtype


def _window_sum_rule(g: Node, out: Node, x: Node, *, kernel: Numbers, stride: Numbers) -> Node:
    core = len(kernel)
    counts = _split(g, core)[1]
    apart = reshape(g, axes=core, shape=(1,) * core + counts)
    return overlap_add(
        expand(apart, shape=kernel + counts),
        stride=stride,
        dilation=(1,) * core,
        shape=_split(x, core)[1],
    )


def _window_argmax(x: Node, *, ranges: tuple[tuple[Range, ...], ...]) -> tuple[Shape, DType]:
    return _split(x, len(ranges))[0] + tuple(map(len, ranges)), int64


windows: Op = Op(
    "windows",
    _windows,
    lambda g, out, x, *, kernel, stride, dilation: overlap_add(
        g, stride=stride, dilation=dilation, shape=_split(x, len(kernel))[1]
    ),
    view=True,
)
overlap_add: Op = Op("overlap_add", _overlap_add, _overlap_add_rule)
window_sum = Op("window_sum", _window_sum, _window_sum_rule)
# Positions in the flattened last axes, the first of equal ones: PyTorch's `return_indices`.
window_argmax = Op("window_argmax", _window_argmax, INTEGRAL)

"""Pooling by means and norms, and normalisation by means over neighbouring channels.

Constraints: one dim is pooled as two, as PyTorch does.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.functions.create import from_array
from gradcli.functions.index import positions
from gradcli.functions.nn import only
from gradcli.functions.pad import constant_pad_nd, padded
from gradcli.functions.pool import max_pool1d, max_pool2d, max_pool3d
from gradcli.functions.pool_checks import (
    check_adaptive,
    check_averages,
    check_rank,
    check_windows,
    numbers,
)
from gradcli.graph.dtype import BOOL, COMPLEX, FLOATING, HALVES, INTEGER, SMALL_INTEGERS, bool_
from gradcli.graph.node import Node, constant, data
from gradcli.graph.shape import numel
from gradcli.ops import elementwise as ops
from gradcli.ops.indexing import index
from gradcli.ops.linalg import contract
from gradcli.ops.movement import permute, reshape
from gradcli.ops.reduction import total
from gradcli.ops.rows import lacks
from gradcli.ops.window import even_parts, window_sum
from gradcli.tensor.function import Function, composite, internal
from gradcli.tensor.named import Named
from gradcli.tensor.storing import CAST, SAME

Numbers = tuple[int, ...]


def _mean_of(flat: int) -> Function:
    kernel_name = "avg_pool2d" if flat == 2 else "avg_pool3d_out_frame"
    missing = (BOOL, COMPLEX, *SMALL_INTEGERS, *(HALVES if flat == 3 else ()))

    @internal(f"avg_pool{flat}D", refuses=lacks(kernel_name, *missing))
    def averaged(x: Node, *given: Any) -> Node:
        kernel, stride, padding, up, include, divisor = given
        check_averages(x, kernel, padding, divisor)
        counts = check_windows(x, kernel, stride, padding, (1,) * flat, up)
        sizes = x.shape[x.ndim - flat :]
        each = list(zip(counts, sizes, kernel, stride, padding, strict=True))
        around = [(p, max((c - 1) * s + k - p - n, 0)) for c, n, k, s, p in each]
        added = window_sum(padded(x, around), kernel=kernel, stride=stride)
        taken = [_taken(*one, include) for one in each]
        return _over(added, constant(divisor, x.dtype) if divisor else _product(taken, x))

    return averaged


def _avg_pool(count: int) -> Function:
    averaged, name = _mean_of(max(count, 2)), f"avg_pool{count}d"
    full = f"nn.functional.{name}"

    @composite(
        *([Named(n, divisor_override=None) for n in (full, name)] if count == 1 else [full]),
        method=False,
        out=None if count == 1 else SAME,
        python=False,
    )
    def avg_pool(
        input: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        check_rank(input, count, name)
        kernel, steps, around = numbers(name, count, kernel_size, stride, padding=padding)
        given = (kernel, steps, around, ceil_mode, count_include_pad, divisor_override)
        if count == 1:
            return averaged(input.unsqueeze(-2), *given).squeeze(-2)
        return averaged(input, *given)

    avg_pool.doc = f"The mean of each window over the last {count} dims."
    return avg_pool


def _taken(
    count: int, size: int, kernel: int, stride: int, padding: int, include: bool
) -> list[int]:
    """How many elements of an axis each window counts; those of the padding where `include`."""
    starts = [i * stride - padding for i in range(count)]
    if include:
        return [min(start + kernel, size + padding) - start for start in starts]
    return [min(start + kernel, size) - max(start, 0) for start in starts]


def _product(taken: list[list[int]], like: Node) -> Node:
    """The number of elements of each window: one number where all have as many."""
    if all(len(set(each)) == 1 for each in taken):
        return constant(numel(tuple(each[0] for each in taken)), like.dtype)
    counts = np.array(1)
    for each in taken:
        counts = counts[..., None] * np.array(each)
    return ops.cast(positions(counts), like.dtype)


def _over(x: Node, divisor: Node) -> Node:
    return x / divisor if x.dtype.category >= FLOATING else ops.div_trunc(x, divisor)


def _adaptive_avg_pool(count: int) -> Function:
    flat = max(count, 2)
    name = f"adaptive_avg_pool{count}d"

    kernel_name = "adaptive_avg_pool2d" if flat == 2 else "adaptive_avg_pool3d_cpu"

    @internal(f"adaptive_avg_pool{flat}D", refuses=lacks(kernel_name, BOOL, INTEGER, COMPLEX))
    def averaged(x: Node, sizes: Numbers) -> Node:
        core = x.shape[x.ndim - flat :]
        if all(m and n % m == 0 for n, m in zip(core, sizes, strict=True)):
            kernel = tuple(n // m for n, m in zip(core, sizes, strict=True))
            x = window_sum(x, kernel=kernel, stride=kernel)
        else:
            for axis, size in zip(range(-flat, 0), sizes, strict=True):
                x = _added_up(x, axis, size)
        for axis, (n, m) in zip(range(-flat, 0), zip(core, sizes, strict=True), strict=True):
            lengths = [stop - start for start, stop, _ in even_parts(n, m)]
            x = x / ops.cast(positions(np.reshape(lengths, (m,) + (1,) * (-axis - 1))), x.dtype)
        return x

    @composite(
        f"nn.functional.{name}",
        *[name] * (count == 1),
        method=False,
        out=None if count == 1 else CAST,
        python=count != 1,
    )
    def adaptive_avg_pool(input: Any, output_size: Any) -> Any:
        sizes = check_adaptive(input, output_size, count, name)
        x = input.unsqueeze(-2) if count == 1 else input
        if set(sizes) == {1}:
            made = x.mean(tuple(range(-flat, 0)), True)
        else:
            made = averaged(x, (1,) * (flat - count) + sizes)
        return made.squeeze(-2) if count == 1 else made

    adaptive_avg_pool.doc = f"Means over the last {count} dims, as many as `output_size` says."
    return adaptive_avg_pool


def _added_up(x: Node, axis: int, count: int) -> Node:
    """The sums of `count` even parts of an axis."""
    ranges = even_parts(x.shape[axis], count)
    starts, stops = np.array(ranges, np.int64).reshape(count, 3, 1)[:, :2].swapaxes(0, 1)
    lengths = stops - starts
    steps = np.arange(lengths.max(initial=0))
    rest = x.shape[x.ndim + axis + 1 :]
    turned = _turned(reshape(x, axes=-axis, shape=(x.shape[axis], numel(rest))))
    found = index(turned, positions(starts + np.minimum(steps, lengths - 1)), axes=1)
    mask = steps < lengths
    added = total(only(data(mask, mask.shape, bool_), found), axis=(-1,), keepdims=False)
    return reshape(_turned(added), axes=2, shape=(count, *rest))


def _turned(x: Node) -> Node:
    return permute(x, axes=(-1, -2))


def mixed(x: Node, axis: int, weights: Any) -> Node:
    """`x` along `axis` as weighted sums, one for each row of the array `weights`."""
    count, size = weights.shape
    rest = x.shape[x.ndim + axis + 1 :]
    flat = reshape(x, axes=-axis, shape=(size, numel(rest)))
    matrix = ops.cast(from_array(weights).node, x.dtype)
    added = contract(matrix, flat, spec="pi,ij->pj")
    return reshape(added, axes=2, shape=(count, *rest))


def _lp_pool(count: int) -> Function:
    mean = (avg_pool1d, avg_pool2d, avg_pool3d)[count - 1]
    largest = (max_pool1d, max_pool2d, max_pool3d)[count - 1]

    @composite(f"nn.functional.lp_pool{count}d", method=False)
    def lp_pool(
        input: Any,
        norm_type: float,
        kernel_size: Any,
        stride: Any = None,
        ceil_mode: bool = False,
    ) -> Any:
        if norm_type == math.inf:
            return largest(input.abs(), kernel_size, stride, 0, 1, ceil_mode)
        kernel = numbers(f"avg_pool{count}d", count, kernel_size, None)[0]
        means = mean(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
        return (means.sign() * means.abs().relu()).mul(numel(kernel)).pow(1 / norm_type)

    lp_pool.doc = f"`sum(x**norm_type)**(1/norm_type)` of each window over the last {count} dims."
    return lp_pool


avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pool, (1, 2, 3))
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_avg_pool, (1, 2, 3))
lp_pool1d, lp_pool2d, lp_pool3d = map(_lp_pool, (1, 2, 3))


# -- neighbouring channels


@composite("nn.functional.local_response_norm", method=False)
def local_response_norm(
    input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    """`input` over `(k + alpha*m)**beta`, m the mean square of `size` neighbouring channels."""
    rank = len(input.shape)
    if rank < 3:
        raise GradcliError(
            "G021",
            "Expected 3D or higher dimensionality                          input "
            f"(got {rank} dimensions)",
            kind=ValueError,
        )
    if numel(input.shape) == 0:
        return input
    squares, around = input.mul(input), (size // 2, (size - 1) // 2)
    if rank == 3:
        framed = constant_pad_nd(squares.unsqueeze(1), [around, (0, 0)])
        means = avg_pool2d(framed, (size, 1), 1).squeeze(1)
    else:
        batch, channels, rows = input.shape[:3]
        apart = squares.view(batch, 1, channels, rows, -1)
        framed = constant_pad_nd(apart, [around, (0, 0), (0, 0)])
        means = avg_pool3d(framed, (size, 1, 1), 1).squeeze(1).view(*input.shape)
    return input / means.mul(alpha).add(k).pow(beta)

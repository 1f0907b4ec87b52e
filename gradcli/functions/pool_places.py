"""Maxima put back in their places, and maxima of windows at random places.

Constraints: positions count through the flattened pooled dims, as `max_pool` returns them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.window import window_argmax
from gradcli.execute.evaluate import array
from gradcli.functions.index import positions
from gradcli.functions.pool import maxima, read_at
from gradcli.functions.pool_checks import (
    check_unpooled,
    numbers,
    only_one,
)
from gradcli.functions.shape import reshaped, whole
from gradcli.graph.dtype import BOOL, COMPLEX, INTEGER
from gradcli.graph.node import Node, constant
from gradcli.graph.shape import numel
from gradcli.ops.indexing import index_put
from gradcli.ops.rows import lacks
from gradcli.ops.window import Range
from gradcli.tensor import registry
from gradcli.tensor.function import Function, composite, internal
from gradcli.tensor.function import tensor_operand as tensor

Numbers = tuple[int, ...]


def _max_unpool(count: int) -> Function:
    flat = max(count, 2)
    name = f"max_unpool{count}d"

    @internal(f"max_unpool{flat}D", refuses=lacks(f"max_unpool{flat}d", BOOL, INTEGER, COMPLEX))
    def unpooled(input: Any, indices: Any, size: Numbers) -> Node:
        x, found = tensor(input), tensor(indices)
        lead = x.shape[: x.ndim - flat]
        check_unpooled(x, found, size, flat)
        empty = constant(0, x.dtype, (numel(lead), numel(size)))
        values, places = (reshaped(v, (numel(lead), numel(v.shape[-flat:]))) for v in (x, found))
        rows = positions(np.arange(numel(lead))[:, None])
        return reshaped(index_put(empty, values, rows, places, axes=2), lead + size)

    @composite(f"nn.functional.{name}", method=False)
    def max_unpool(
        input: Any,
        indices: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        output_size: Any = None,
    ) -> Any:
        given = numbers(f"max_pool{count}d", count, kernel_size, stride, padding=padding)
        size = _unpooled_size(
            input, count, (given[0][-count:], given[1][-count:], given[2][-count:]), output_size
        )
        if count > 1:
            return unpooled(input, indices, size)
        made = unpooled(input.unsqueeze(-1), indices.unsqueeze(-1), (*size, 1))
        return made.squeeze(-1)

    max_unpool.doc = f"Zeros with `input` at the positions that `max_pool{count}d` returned."
    return max_unpool


def _unpooled_size(
    input: Any, count: int, given: tuple[Numbers, Numbers, Numbers], output_size: Any
) -> Numbers:
    """The sizes of the result, which `output_size` may say within a stride of the smallest."""
    kernel, stride, padding = given
    sizes = tuple(input.shape)
    default = tuple(
        (sizes[len(sizes) - count + i] - 1) * stride[i] + kernel[i] - 2 * padding[i]
        for i in range(count)
    )
    if output_size is None:
        return default
    wanted = [whole(n) for n in output_size]
    if len(wanted) == count + 2:
        wanted = wanted[2:]
    if len(wanted) != count:
        raise GradcliError(
            "G024",
            f"output_size should be a sequence containing {count} or {count + 2} elements, but it "
            f"has a length of '{len(wanted)}'",
            kind=ValueError,
        )
    for axis, (n, usual, step) in enumerate(zip(wanted, default, stride, strict=True)):
        if not usual - step < n < usual + step:
            said = ", ".join(map(str, output_size))
            form = f"({said})" if isinstance(output_size, tuple) else f"[{said}]"
            raise GradcliError(
                "G024",
                f'invalid output_size "{form}" (dim {axis} must be between {usual - step} and '
                f"{usual + step})",
                kind=ValueError,
            )
    return tuple(wanted)


# -- windows of random places


def _fractional_of(count: int) -> Function:
    order = range(count) if count == 3 else (1, 0)

    kernel = f"fractional_max_pool{count}d_out_frame"

    @internal(f"fractional_max_pool{count}D", refuses=lacks(kernel, COMPLEX))
    def chosen(x: Node, kernel: Numbers, sizes: Numbers, samples: Node) -> tuple[Node, Node]:
        values = array(x).reshape(-1, *x.shape[-count:])
        phases = array(samples).reshape(-1, count)[: len(values)]
        found = []
        for plane, row in zip(values, phases, strict=True):
            each = zip(plane.shape, kernel, sizes, order, strict=True)
            ranges = tuple(_random_ranges(n, k, m, row[i]) for n, k, m, i in each)
            found.append(window_argmax(plane, ranges=ranges))
        places = positions(np.reshape(found, x.shape[:-count] + sizes))
        return read_at(x, places, count), places

    return chosen


def _fractional(count: int) -> Function:
    name, chosen = f"fractional_max_pool{count}d", _fractional_of(count)

    def pair(
        input: Any,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> Any:
        kernel, sizes = _fractional_numbers(name, input, kernel_size, output_size, output_ratio)
        samples = _random_samples
        if samples is None:
            batch = 1 if len(input.shape) == count + 1 else input.shape[0]
            shape = (batch, input.shape[-count - 1], count)
            samples = registry.find("torch.rand")(*shape, dtype=input.dtype)
        _check_samples(input, samples, count)
        return chosen(input, kernel, sizes, samples)

    doc = f"Maxima of windows at random places over the last {count} dims."
    return maxima(pair, name, doc)


def _check_samples(input: Any, samples: Any, count: int) -> None:
    """Raises G024 for phases of other sizes than the images; those of more images may be there."""
    batch, channels = 1, input.shape[0]
    if len(input.shape) > count + 1:
        batch, channels = input.shape[:2]
    given = samples.shape
    if len(given) != 3:
        message = f"Expect _random_samples to have 3 dimensions, got {len(given)}"
    elif given[0] < batch:
        message = "Expect _random_samples.size(0) no less then input batch size."
    elif given[1] != channels:
        message = "Expect _random_samples.size(1) equals to input channel size."
    elif given[2] != count:
        message = f"Expect _random_samples.size(2) equals to {count}; got {given[2]}."
    else:
        return
    raise GradcliError("G024", message)


def _fractional_numbers(
    name: str, input: Any, kernel_size: Any, output_size: Any, output_ratio: Any
) -> tuple[Numbers, Numbers]:
    count = int(name[-2])
    if output_size is None and output_ratio is None:
        raise GradcliError(
            "G013",
            f"{name} requires specifying either an output_size or an output_ratio",
            kind=ValueError,
        )
    if output_size is None:
        ratios = output_ratio if isinstance(output_ratio, (list, tuple)) else [output_ratio] * count
        sizes = tuple(int(n * r) for n, r in zip(input.shape[-count:], ratios, strict=True))
    else:
        sizes = only_one(name, "output_size", output_size, count)
    kernel = only_one(name, "kernel_size", kernel_size, count)
    sides = ("time", "height", "width")[-count:]
    for side, n, k, m in zip(sides, input.shape[-count:], kernel, sizes, strict=True):
        if m + k - 1 > n:
            raise GradcliError(
                "G024", f"{name}(): pool {side} {k} too large relative to input {side} {n}"
            )
    return kernel, sizes


def _random_ranges(size: int, kernel: int, count: int, sample: Any) -> tuple[Range, ...]:
    """Windows that start at steps of a random phase (Graham, Fractional Max-Pooling, 2014)."""
    starts = [size - kernel]
    if count > 1:
        step = sample.dtype.type(size - kernel) / sample.dtype.type(count - 1)
        base = int(sample * step)
        early = [int((sample.dtype.type(i) + sample) * step) - base for i in range(count - 1)]
        starts = early + starts
    return tuple((start, start + kernel, 1) for start in starts)


max_unpool1d, max_unpool2d, max_unpool3d = map(_max_unpool, (1, 2, 3))
fractional_max_pool2d, fractional_max_pool3d = map(_fractional, (2, 3))

"""Patches: the windows of an image as columns, and columns added up to an image.

Constraints: images are (N, C, H, W) or without N; each of the two functions is the other's adjoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.nn import floating
from gradcli.functions.pad import padded
from gradcli.functions.shape import reshaped, whole
from gradcli.graph.dtype import INTEGER
from gradcli.graph.node import Node
from gradcli.graph.shape import numel
from gradcli.ops.window import overlap_add, windows
from gradcli.tensor.function import function
from gradcli.tensor.function import tensor_operand as tensor

Numbers = tuple[int, ...]


@function("nn.functional.unfold", method=False, shown="im2col")
def unfold(
    input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Node:
    """The patches under a sliding window, one a column: (N, C*kernel, patches)."""
    x = tensor(input)
    kernel, gaps, around, steps = _patch_numbers(kernel_size, dilation, padding, stride)
    if x.ndim not in (3, 4) or 0 in x.shape[x.ndim - 3 :]:
        raise GradcliError(
            "G021",
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(x.shape)}",
        )
    sizes = [n + 2 * p for n, p in zip(x.shape[-2:], around, strict=True)]
    counts = _counts(sizes, kernel, steps, gaps)
    if min(counts) < 1:
        raise GradcliError(
            "G021",
            f"Given input with spatial size {x.shape[-2:]}, kernel_size={kernel}, dilation={gaps}, "
            f"padding={around}, calculated shape of the array of sliding blocks as {counts}, but "
            "its components must be at least one.",
        )
    floating_or_complex(x, "im2col_out_cpu")
    taken = windows(padded(x, [(n, n) for n in around]), kernel=kernel, stride=steps, dilation=gaps)
    shape = (x.shape[-3] * numel(kernel), numel(counts))
    return reshaped(taken, x.shape[: x.ndim - 3] + shape)


@function("nn.functional.fold", method=False, shown="col2im")
def fold(
    input: Any,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Node:
    """The adjoint of `unfold`: patches added up where they overlap, (N, C, *output_size)."""
    x = tensor(input)
    size = _pair("output_size", output_size)
    kernel, gaps, around, steps = _patch_numbers(kernel_size, dilation, padding, stride)
    sizes = [n + 2 * p for n, p in zip(size, around, strict=True)]
    counts = _counts(sizes, kernel, steps, gaps)
    _check_patches(x, kernel, counts, (size, kernel, gaps, around, steps))
    floating_or_complex(x, "col2im_out_cpu")
    channels = x.shape[-2] // numel(kernel)
    apart = reshaped(x, (*x.shape[: x.ndim - 2], channels, *kernel, *counts))
    whole_image = overlap_add(apart, stride=steps, dilation=gaps, shape=tuple(sizes))
    return padded(whole_image, [(-n, -n) for n in around])


def floating_or_complex(x: Any, kernel: str) -> Node:
    """An operand of any dtype but integers, for which PyTorch's `kernel` raises G025."""
    node = tensor(x)
    return floating(node, kernel) if node.dtype.category == INTEGER else node


def _pair(name: str, value: Any) -> tuple[int, int]:
    given = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    if len(given) != 2:
        raise GradcliError("G013", f"It is expected {name} equals to 2, but got size {len(given)}")
    return whole(given[0]), whole(given[1])


def _patch_numbers(
    kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    kernel, gaps = _pair("kernel_size", kernel_size), _pair("dilation", dilation)
    around, steps = _pair("padding", padding), _pair("stride", stride)
    for text, name, pair, least in (
        ("kernel size should be greater than zero", "kernel", kernel, 1),
        ("dilation should be greater than zero", "dilation", gaps, 1),
        ("padding should be non-negative", "pad", around, 0),
        ("stride should be greater than zero", "stride", steps, 1),
    ):
        if min(pair) < least:
            got = f"{name}_height: {pair[0]} {name}_width: {pair[1]}"
            raise GradcliError("G026", f"{text}, but got {got}")
    return kernel, gaps, around, steps


def _counts(sizes: Sequence[int], *numbers: Numbers) -> Numbers:
    """How many patches there are along each axis; below 1 where the image is too small."""
    each = zip(sizes, *numbers, strict=True)
    return tuple((n - d * (k - 1) - 1) // s + 1 for n, k, s, d in each)


def _check_patches(x: Node, kernel: Numbers, counts: Numbers, given: tuple[Numbers, ...]) -> None:
    if x.ndim not in (2, 3) or 0 in x.shape[x.ndim - 2 :]:
        raise GradcliError(
            "G021",
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {list(x.shape)}",
        )
    if x.shape[-2] % numel(kernel):
        raise GradcliError(
            "G021",
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={x.shape[-2]} and kernel_size={kernel}.",
        )
    names = ("output_size", "kernel_size", "dilation", "padding", "stride")
    said = ", ".join(f"{name}={pair}" for name, pair in zip(names, given, strict=True))
    if x.shape[-1] != numel(counts):
        raise GradcliError(
            "G021",
            f"Given {said}, expected size of input's dimension 2 to match the calculated number of "
            f"sliding blocks {counts[0]} * {counts[1]} = {numel(counts)}, but got input.size(2)="
            f"{x.shape[-1]}.",
        )
    if min(counts) < 1:
        raise GradcliError(
            "G021",
            f"Given {said}, calculated shape of the array of sliding blocks as {counts}, which is "
            "too small (non-positive)",
        )

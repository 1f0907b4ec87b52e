"""Tensors by the layout of their memory: sizes and strides first, elements as they happen to be.

Constraints: elements that nobody has written are 0 here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.constants import beside, empty
from gradcli.functions.inplace import view_in_place
from gradcli.functions.join import cat
from gradcli.functions.shape import sizes_of, whole
from gradcli.functions.strides import as_strided
from gradcli.graph.shape import numel
from gradcli.tensor import layout, registry
from gradcli.tensor.function import composite
from gradcli.tensor.kinds import AnyTensor


@composite("empty_strided", method=False)
def empty_strided(
    size: Sequence[int], stride: Sequence[int], *, dtype: Any = None, requires_grad: bool = False
) -> Any:
    """A tensor of given sizes whose neighbours lie `stride` elements apart."""
    shape, steps = sizes_of([size]), sizes_of([stride])
    order = sorted(range(len(shape)), key=lambda axis: -steps[axis])
    if layout.row_major([shape[axis] for axis in order]) == tuple(steps[axis] for axis in order):
        return empty_permuted(shape, order, dtype=dtype, requires_grad=requires_grad)
    pairs = zip(shape, steps, strict=False)
    reach = 1 + sum((n - 1) * step for n, step in pairs) if all(shape) else 0
    made = as_strided(empty(reach, dtype=dtype), size, stride).detach()
    return made.requires_grad_() if requires_grad else made


@composite("Tensor.new_empty_strided")
def new_empty_strided(
    input: Any,
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Any:
    """`empty_strided` of the dtype of `input`."""
    kind = dtype or input.dtype
    return beside(empty_strided(size, stride, dtype=kind, requires_grad=requires_grad), input)


@composite("empty_permuted", method=False)
def empty_permuted(
    size: Sequence[int],
    physical_layout: Sequence[int],
    *,
    dtype: Any = None,
    requires_grad: bool = False,
) -> Any:
    """A tensor of given sizes whose dims lie in memory in the order `physical_layout`."""
    order = [whole(axis) for axis in physical_layout]
    if len(order) != len(size):
        raise GradcliError(
            "G024",
            "Number of dimensions in size does not match the length of the physical_layout; i.e. "
            f"len(size) = {len(size)} is not equal to len(physical_layout) = {len(order)}",
        )
    for place, axis in enumerate(order):
        if not 0 <= axis < len(order):
            raise GradcliError(
                "G023",
                f"Dimension out of range (expected to be between 0 and {len(order) - 1}, but got "
                f"{axis} at index {place}).  NB: negative dims not currently supported; file an "
                "issue if you want it.",
            )
        if axis in order[:place]:
            raise GradcliError("G023", "Duplicate dim not allowed")
    made = empty([size[axis] for axis in order], dtype=dtype)
    seen = made.permute([order.index(axis) for axis in range(len(order))]) if order else made
    seen = seen.detach()
    return seen.requires_grad_() if requires_grad else seen


@composite("Tensor.resize_")
def resize_(input: Any, *size: Any, memory_format: Any = None) -> Any:
    """Gives the tensor other sizes: fewer elements of the same memory, or more, of new memory."""
    if input.requires_grad:
        raise GradcliError("G033", "cannot resize variables that require grad")
    shape = sizes_of(size)
    if shape == tuple(input.shape):
        return input
    first, count = layout.offset_of(input), numel(shape)
    there = max(numel(input.memory.node.shape) - first, 0)
    if count <= there and input.memory.node.dtype is input.dtype:
        view_in_place(input, as_strided(input, shape, layout.row_major(shape), first))
        return input
    line = input.reshape(-1)
    more = max(count - numel(input.shape), 0)
    input.version.bump()
    input.data = cat([line, empty(more, dtype=input.dtype)])[:count].view(shape)
    return input


@composite("resize_as_")
def resize_as_(input: Any, the_template: AnyTensor, *, memory_format: Any = None) -> Any:
    """Gives the tensor the sizes of another one."""
    return resize_(input, *the_template.shape)


@composite("Tensor.resize")
def resize(input: Any, *sizes: Any) -> Any:
    """The same elements in another shape, as a function of PyTorch's first versions."""
    shape = sizes_of(sizes)
    if numel(shape) != input.numel():
        raise GradcliError(
            "G024",
            f"resize of {input.numel()} elements to {list(shape)}, which are {numel(shape)}",
            help="x.resize_(...) changes their number",
        )
    made = registry.method("view")(registry.method("contiguous")(input), *shape)
    if made.node.tracked:
        made.node.call = ("ResizeBackward", (input.node,))
    return made


@composite("Tensor.resize_as")
def resize_as(input: Any, tensor: AnyTensor) -> Any:
    """The same elements in the shape of `tensor`."""
    return resize(input, *tensor.shape)

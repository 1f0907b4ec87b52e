"""Where the elements of a function's result lie in memory, given its arguments: as in PyTorch.

Constraints: elementwise results follow their operands, as `TensorIterator` lays them out; others
are row-major unless the function table says otherwise. Nothing is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gradcli.graph.node import Node
from gradcli.graph.shape import Shape
from gradcli.ops import movement
from gradcli.ops.ruled import RULED
from gradcli.tensor.layout import (
    Strides,
    are_natural,
    dense,
    expanded,
    is_dense,
    row_major,
    strides_of,
)

if TYPE_CHECKING:
    from gradcli.tensor.tensor import Tensor

REORDERING = frozenset({movement.permute.name, "as_strided"})
"""View ops after which neighbours may lie in memory in another order."""
COPYING = frozenset(("clone", "cast"))
"""Ops that keep the strides along dims of length 1 too."""
CHANNELS_LAST = (0, 2, 3, 1)
"""The other order in which PyTorch looks for images in memory."""


def of_result(node: Node, arguments: Sequence[Tensor], kept: bool | None) -> Strides | None:
    """The strides of a function's result where they are not row-major, given its arguments.

    `kept` says whether it is laid out like them; by default where the op works elementwise.
    """
    while node.op.name in RULED and node.inputs:
        node = node.inputs[0]
    if not (node.op.elementwise if kept is None else kept):
        return None
    shape = node.shape
    given = [x for x in arguments if _fits(x._node.shape, shape, kept is None)]
    given = given if kept is None else given[:1]
    copying = kept is not None or node.op.name in COPYING
    if not any(map(_is_laid_out if copying else is_reordered, given)):
        return None
    if copying and 0 in shape:
        return strides_of(given[0])
    operands = [(strides_of(x), x._node.shape) for x in given]
    alike = not copying and 0 not in shape and all([x.shape == shape for x in node.inputs])
    if alike and all([are_natural(*operand) for operand in operands]):
        return None
    whole = alike and all([own == shape for _, own in operands])
    for order in _orders(shape)[1:] if whole else ():
        if all([_fits_order(*operand, order) for operand in operands]):
            return dense(shape, order)
    return _of_elements(operands, shape)


def _fits(own: Shape, shape: Shape, repeated: bool) -> bool:
    """Whether an operand has the shape of the result, or where `repeated` broadcasts to it."""
    if own == shape or not repeated:
        return own == shape
    tail = shape[len(shape) - len(own) :]
    return len(own) <= len(shape) and all(n in (1, m) for n, m in zip(own, tail, strict=True))


def is_reordered(tensor: Tensor) -> bool:
    """Whether neighbours of a tensor may lie in memory in another order than theirs."""
    storage = tensor._storage
    return storage is not None and (
        storage.strides is not None
        or any(op.name in REORDERING for op, _ in tensor.view_path)
        or (0 in tensor._node.shape and bool(tensor.view_path))
    )


def _is_laid_out(tensor: Tensor) -> bool:
    """Whether the strides of a tensor may be other than row-major, along dims of length 1 too."""
    storage = tensor._storage
    return storage is not None and (storage.strides is not None or bool(tensor.view_path))


def _of_elements(operands: Sequence[tuple[Strides, Shape]], shape: Shape) -> Strides | None:
    """The strides that PyTorch gives an elementwise result; None for row-major ones.

    Those of operands that agree; else the dims in the order of the first operand that tells them
    apart, as `TensorIterator` sorts them.
    """
    first = operands[0][0]
    if all(x == (first, shape) for x in operands) and is_dense(first, shape):
        return None if first == row_major(shape) else first
    return ordered([expanded(shape, *operand)[0] for operand in operands], shape)


def ordered(steps: Sequence[Strides], shape: Shape) -> Strides | None:
    """The strides of a new tensor whose dims lie in the order of several operands' strides.

    None for row-major ones.
    """
    made = dense(shape, _sorted(steps, shape)[::-1])
    return None if made == row_major(shape) else made


def order_of(tensor: Tensor) -> tuple[int, ...]:
    """The dims from the outermost in memory to the innermost, as PyTorch's `dim_order` has them."""
    strides, shape = strides_of(tensor), tensor._node.shape
    fitting = [order for order in _orders(shape) if _fits_order(strides, shape, order)]
    return fitting[0] if len(fitting) == 1 else tuple(_sorted([strides], shape)[::-1])


def _orders(shape: Shape) -> list[tuple[int, ...]]:
    """The orders of dims in memory in which PyTorch looks for results of `shape`."""
    natural = tuple(range(len(shape)))
    return [natural, CHANNELS_LAST] if len(shape) == len(CHANNELS_LAST) else [natural]


def _fits_order(strides: Strides, shape: Shape, order: tuple[int, ...]) -> bool:
    """Whether the dims lie in memory in that order, without gaps."""
    return are_natural(tuple([strides[i] for i in order]), tuple([shape[i] for i in order]))


def _sorted(steps: Sequence[Strides], shape: Shape) -> list[int]:
    """The dims from the innermost to the outermost, by the strides of several operands."""

    def outwards(a: int, b: int) -> int:
        """Above 0 where dim `a` belongs outside of dim `b`, below where inside, 0 for neither."""
        for strides in steps:
            if strides[a] and strides[b]:
                if strides[a] != strides[b]:
                    return strides[a] - strides[b]
                if shape[a] > shape[b]:
                    return 1
        return 0

    rank = len(shape)
    order = list(range(rank))[::-1]
    for i in range(1, rank):
        place = i
        for j in range(i - 1, -1, -1):
            further = outwards(order[j], order[place])
            if further > 0:
                order[j], order[place] = order[place], order[j]
                place = j
            elif further < 0:
                break
    return order

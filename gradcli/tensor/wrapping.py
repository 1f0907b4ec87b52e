"""Tensors of what functions computed: views of an argument, or memory of their own and its layout.

Constraints: whatever is small is computed at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.execute.evaluate import settle
from gradcli.graph.node import Node, current
from gradcli.tensor import layout
from gradcli.tensor.blocks import inference
from gradcli.tensor.result_layout import of_result
from gradcli.tensor.storage import Steps, Storage, View
from gradcli.tensor.tensor import Tensor


def viewed(source: Tensor, node: Node, steps: Steps, caution: str = "") -> Tensor:
    """The tensor of `node`, a view of `source` that `steps` lead to."""
    storage, above = source._storage or source.memory, source._view
    if node.value is None:
        settle(node)
    version = storage.version if above is None else source.version
    version.stamp(node, steps if above is None else source.view_path + steps)
    if not current.tracking:
        caution = "inference" if inference.enabled else "no_grad"
    base = source
    if above is not None and above.base is not None:
        base, steps = above.base, above.steps + steps
        caution = caution or above.caution
    return Tensor(node, storage, View(base, steps, caution=caution, number=version.number))


def written(tensor: Tensor, times: int) -> Tensor:
    """A new tensor that PyTorch's function makes by `times` writes to it."""
    storage = tensor.memory
    storage.version.number = times
    storage.version.stamp(tensor.value_node, ())
    return tensor


def any_placed(tensors: Sequence[Tensor]) -> bool:
    """Whether any of these may lie in memory in another way than row by row."""
    for tensor in tensors:
        storage = tensor._storage
        if storage is not None and (tensor._view is not None or storage.strides is not None):
            return True
    return False


def laid_out(node: Node, tensors: Sequence[Tensor], kept: bool | None = None) -> Tensor:
    """The tensor of a result whose layout in memory may follow that of an argument."""
    return placed(node, of_result(node, tensors, kept))


def placed(node: Node, strides: layout.Strides | None) -> Tensor:
    """The tensor of a result with these strides; row-major without any."""
    return Tensor(node) if strides is None else Tensor(node, Storage(node, strides))


def in_columns(made: Any, numbers: Sequence[int]) -> Any:
    """`made`, a result or all of them, those of these numbers laid out column by column."""
    if isinstance(made, Tensor):
        return _in_columns(made) if numbers else made
    found = [_in_columns(x) if i in numbers else x for i, x in enumerate(made)]
    return tuple(found) if type(made) is tuple else type(made)(*found)


def _in_columns(made: Tensor) -> Tensor:
    count = len(made._node.shape)
    if count < 2 or made._storage is not None:
        return made
    return in_order(made, (*range(count - 2), count - 1, count - 2))


def in_order(made: Tensor, dims: Sequence[int]) -> Tensor:
    """`made`, a new result, whose `dims` lie in memory from the outermost to the innermost."""
    if made._storage is None and list(dims) == sorted(dims):
        return made
    node = made.value_node
    return Tensor(node, Storage(node, layout.dense(node.shape, dims)))

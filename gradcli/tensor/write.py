"""Writing to tensors: in-place functions, assignment into parts, and the rules of autograd about them.

Constraints: a write makes a new node for the storage; every tensor that shares it sees the new value.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import settle
from gradcli.graph.node import Node, current

from gradcli.graph.shape import broadcast
from gradcli.ops.elementwise import cast, clone
from gradcli.ops.movement import expand
from gradcli.tensor.gradfn import name_of
from gradcli.tensor.storage import overwrite, put
from gradcli.tensor.tensor import Tensor


def write(target: Tensor, value: Tensor) -> Tensor:
    """Gives `target` (and all that share its memory) the elements of `value`; returns `target`.

    Raises:
        GradcliError: G033 for a leaf that requires a gradient (or a view of one) while gradients are
            recorded; G020 when the shapes do not fit.
    """
    refuse_leaf(target)
    new = value.node
    call = new.call
    if new.shape != target.shape:
        new = _fitted(new, target)
    if new.dtype is not target.dtype:
        new = cast(new, target.dtype)
    storage = target._storage
    base = target._base
    old = storage.node if base is None or base._requires else base.node
    if target._steps:
        root = put(old, target._steps, new)
        if root.tracked:
            root.call = ("CopySlices", (old, new))
    else:
        root = new
        if root.tracked and call is not None:
            root.call = call
    if old.tracked and (not current.tracking or target._detached):
        root = overwrite(old, root)
        root.call = old.call
    settle(root)
    storage.replace(root, silent=target._silent)
    if target._silent:
        target._seen = -1
    if not target._steps and not target._detached and base is None:
        target._node, target._seen, target._leaf_node = root, storage.version, None
    return target


def refuse_leaf(target: Tensor) -> None:
    """Raises PyTorch's error when `target` is a leaf (or a view of one) whose gradient is recorded."""
    if not current.tracking:
        return
    what = None
    if target._requires:
        what = "a leaf Variable that requires grad is being used in an in-place operation."
    elif target._base is not None and target._base._requires and not target._detached:
        what = (
            "a view of a leaf Variable that requires grad is being used in an in-place operation."
        )
    if what is not None:
        raise GradcliError(
            "G033",
            what,
            help=[
                "update parameters inside `with torch.no_grad():`",
                "or make a new tensor: x = x + ... instead of x += ...",
            ],
        )


def _fitted(new: Node, target: Tensor) -> Node:
    if broadcast(new.shape, tuple(target.shape)) != tuple(target.shape):
        raise GradcliError(
            "G020",
            f"output with shape {list(target.shape)} doesn't match the broadcast shape "
            f"{list(broadcast(new.shape, tuple(target.shape)))}",
        )
    return expand(new, shape=tuple(target.shape))


def in_place(function: Any, target: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The in-place form of `function`: computes, checks PyTorch's result rules, writes.

    Raises:
        GradcliError: G025 when the result's dtype cannot be stored in `target`.
    """
    refuse_leaf(target)
    value = function(_kept(target), *args, **kwargs)
    if value.dtype.category > target.dtype.category:
        raise GradcliError(
            "G025",
            f"result type {_NAMES.get(value.dtype.name, value.dtype.name)} can't be cast to the "
            f"desired output type {_NAMES.get(target.dtype.name, target.dtype.name)}",
        )
    return write(target, value)


def _kept(target: Tensor) -> Tensor:
    """`target` with its value now, which its own write leaves to the gradients, as PyTorch does."""
    old = target.node
    if not old.tracked:
        return target
    copy = clone(old)
    copy.call = old.call or (name_of(old), old.inputs)
    settle(copy)
    return Tensor(copy)


_NAMES = {
    **{"float32": "Float", "float64": "Double", "float16": "Half", "int64": "Long"},
    **{"int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool"},
    **{"complex64": "ComplexFloat", "complex128": "ComplexDouble"},
}

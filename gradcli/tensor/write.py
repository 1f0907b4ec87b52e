"""Writing to tensors: in-place functions, assignment into parts, and autograd's rules about them.

Constraints: a write makes a new value for the storage; every tensor that shares it sees the new
value.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import settle
from gradcli.graph.call import composition_of, tensors_of
from gradcli.graph.dtype import DType
from gradcli.graph.node import Node, current
from gradcli.graph.op import LEAF, REPLACE
from gradcli.graph.shape import require_room
from gradcli.graph.walk import ancestors
from gradcli.ops.elementwise import cast, clone
from gradcli.ops.movement import expand
from gradcli.tensor import layout, levels
from gradcli.tensor.fields import WRITTEN
from gradcli.tensor.inference import refuse_write
from gradcli.tensor.kept import called, name_of
from gradcli.tensor.operands import cannot_cast
from gradcli.tensor.putting import put
from gradcli.tensor.refusals import forbidden
from gradcli.tensor.regenerated import STRIDED, regenerated
from gradcli.tensor.storage import Steps, Stop, Storage, overwritten, through, value_of
from gradcli.tensor.storing import ALIKE, Memory
from gradcli.tensor.tensor import Tensor

ARRAYS: weakref.WeakKeyDictionary[Storage, list[weakref.ref[Any]]] = weakref.WeakKeyDictionary()
"""The arrays of NumPy that share a memory (see shared.py), which take what is written there."""


def write(target: Tensor, value: Tensor | Node, name: str = "copy_") -> Tensor:
    """Gives `target` (and all that share its memory) the elements of `value`; returns `target`.

    Args:
        name: PyTorch's of the write, in errors; empty for one that transforms do not look at.

    Raises:
        GradcliError: G033 where autograd forbids the write; G016 where a transform does; G020 when
            the shapes do not fit.
    """
    new = value.node if isinstance(value, Tensor) else value
    compose(target)
    refuse(target, new.tracked, name)
    _refuse_examples(target, new, name)
    new = _fitted(new, target)
    view = target._view
    if view is None or view.base is None:
        _replace(target, new)
        return target
    below = view.base.value_node
    root = put(below, view.steps, new)
    if below.tracked and not root.tracked:
        root = REPLACE(below, root)
    if root.tracked:
        rest = new.call[1][1:] if new.call is not None else ()
        root.call = (WRITTEN, (below, *rest))
        if layout.overlaps(target):
            root.hooks = [_refuse_repeated]
    _replace(view.base, root, (target.view_path, value_of(new)))
    if new.stale is None and new.op is not LEAF:
        target.version.stamp(new, target.view_path)
    return target


def compose(target: Tensor) -> None:
    """Makes `target` the view that it is where PyTorch composes it so, before it is written to."""
    view = target._view
    base = None if view is None else view.base
    seen = target._node
    apart = bool(seen.hooks) or name_of(seen) == STRIDED
    if view is not None and base is not None and base.value_node.tracked and apart:
        with Stop(True):  # a write goes to the base past what made the view, and its hooks
            root = base.node
            if name_of(seen) == STRIDED:
                target.adopt(regenerated(root, view, seen))
            else:
                target.adopt(called(through(root, view.steps), name_of(seen), root))
    if target._storage is not None or not target._node.tracked:
        return
    whole = composition_of(target._node)
    if whole is not None and whole._view is not None and whole._view.base is not None:
        call = target._node.call
        if call is not None and target._node.released:
            arguments = tensors_of(call)
            for step in ancestors([whole.node], lambda x: x.tracked and x not in arguments):
                step.released = step not in arguments
        target._storage, target._view = whole.memory, whole._view
        target.adopt(whole.node)


def filled(input: Tensor, value: Node, name: str, overload: int = 0) -> Node:
    """`value` in the place of all elements of `input`, whose gradient is then 0, as node `name`."""
    node = input.node
    return called(REPLACE(node, value), name, node, overload=overload) if node.tracked else value


def refuse_cast(dtype: DType, target: Tensor) -> None:
    """Raises G025 where `target` cannot hold results of `dtype`."""
    if dtype.category > target.dtype.category:
        raise cannot_cast(dtype, target.dtype)


def refuse(target: Tensor, tracked: bool, name: str = "copy_") -> None:
    """Raises G033 when autograd, recording, does not allow a write of a `tracked` value.

    Raises G016 for a write, which PyTorch calls `name`, that a transform does not allow.
    """
    if levels.active and name:
        levels.refuse_captured(target, name)
    refuse_write(target)
    if not (current.tracking and levels.recording()) or not (tracked or target.requires_grad):
        return
    view, what = target._view, ""
    if view is not None and view.caution:
        raise forbidden(target, "is being modified inplace")
    if target.requires_grad:
        if view is not None and view.base is not None and view.base.is_leaf:
            what = "a view of a leaf Variable that requires grad"
        elif target.is_leaf:
            what = "a leaf Variable that requires grad"
    if what:
        raise GradcliError(
            "G033",
            f"{what} is being used in an in-place operation.",
            help=[
                "update parameters inside `with torch.no_grad():`",
                "or make a new tensor: x = x + ... instead of x += ...",
            ],
        )


def refuse_overlap(target: Tensor, others: Iterable[Any], rule: Memory = ALIKE) -> None:
    """Raises G026 where `target` shares memory with itself or an operand as `rule` forbids."""
    storage = target._storage
    apart = rule.apart >= 0
    if storage is None and not apart:
        return
    refused = ("full", "part") if apart else ("part",)
    for x in tensors_in(others) if rule.operands else ():
        if x.shape or rule.numbers:
            one = x is target or (storage is not None and x._storage is storage)
            if one and layout.shared(target, x) in refused:
                raise _shared(SHIFTED)
    if rule.repeated and layout.overlaps(target):
        raise _shared(REPEATED)


def tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among `values`, and in the lists and tuples among them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(value)


def _refuse_repeated(cotangent: Node | None) -> None:
    """The hook of a write to elements that share memory: PyTorch's gradient writes there too."""
    if cotangent is not None:
        raise _shared(REPEATED)


def _shared(what: str) -> GradcliError:
    return GradcliError(
        "G026",
        f"unsupported operation: {what} to a single memory location. Please clone() the tensor "
        "before performing the operation.",
    )


REPEATED = "more than one element of the written-to tensor refers"
SHIFTED = "some elements of the input tensor and the written-to tensor refer"


def _refuse_examples(target: Tensor, new: Node, name: str) -> None:
    """Raises G016 where what differs from example to example would go where all share one value."""
    if not levels.active:
        return
    own, missing = levels.lanes_of(target.value_node), levels.lanes_of(new)
    for number, level in enumerate(levels.active, 1):
        if level.size is None or not own.isdisjoint(level.lanes):
            continue
        if not missing.isdisjoint(level.lanes):
            raise GradcliError(
                "G016",
                levels.unbatched(name, number, (level.size, *target.shape)),
                help="compute a new tensor, or make it of an example: torch.zeros_like(x)",
            )


def _replace(target: Tensor, new: Node, part: tuple[Steps, Node] | None = None) -> None:
    """Makes `new` the value of a tensor that is no view of another one.

    `part` is what was written and the way there from the storage, where that is not all of it.
    """
    old, storage, view = target.value_node, target.memory, target._view
    if new.stale is not None or new.op is LEAF:
        new = clone(new)
    if old.tracked and not current.tracking:
        new = overwritten(old, new)
    settle(new)
    value = value_of(new)
    if view is not None:
        path, written = part or (view.steps, value)
        value = put(storage.node, path, written)
        settle(value)
        if layout.overlaps(target):
            seen = through(value, view.steps)
            new = overwritten(new, seen) if new.tracked else seen
            settle(new)
    storage.node = value
    storage.count(target.version)
    if new.call is not None:
        target.version.maker = new.call[0]
    target.adopt(new)
    for level in levels.active if levels.duals else ():
        level.written(target)
    if ARRAYS:
        for array in [reference() for reference in ARRAYS.get(storage, ())]:
            if array is not None:
                array.look()


def _fitted(new: Node, target: Tensor) -> Node:
    shape, call = target._node.shape, new.call
    if new.shape != shape:
        require_room(new.shape, shape)
        new = expand(new, shape=shape)
        new.call = call
    if new.dtype is not target.dtype:
        new = cast(new, target.dtype)
        new.call = call
    return new

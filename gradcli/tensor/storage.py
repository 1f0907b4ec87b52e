"""Memory that tensors share, without memory: a storage holds the value it has now, and its version.

Constraints: functional below (PyTorch calls it functionalization): a write makes a new value for
the whole storage, the graph never changes. A storage holds values without history; history belongs
to tensors.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from gradcli.execute.evaluate import settle
from gradcli.graph.node import NO_ATTRS, SHARED, Node, current
from gradcli.graph.op import DETACH, LEAF, OVERWRITE, Op
from gradcli.graph.shape import Shape
from gradcli.source import Span
from gradcli.tensor.blocks import apart, inference

if TYPE_CHECKING:
    from gradcli.tensor.tensor import Tensor

Step = tuple[Op, Mapping[str, Any]]
Steps = tuple[Step, ...]


class Version:
    """How often a storage was written to, and where last.

    Apart from the storage, so that a node that remembers a version does not keep the memory.

    Attributes:
        number: of writes that it counted.
        span: of the last of them.
        maker: the name of the grad_fn that it gave the whole memory; empty where it gave none.
        shape: what the tensor of the whole memory was reshaped to in place; None where it was not.
        unseen: the memory, once it was written to under another version.
        detached: whether what it counts is that a tensor was cut from its history in place.
    """

    __slots__ = ("__weakref__", "detached", "maker", "number", "shape", "span", "unseen")
    any_unseen: ClassVar[bool] = False
    """Whether any memory was ever written to behind a version's back."""

    def __init__(self) -> None:
        self.number = 0
        self.span: Span | None = None
        self.maker = ""
        self.shape: Shape | None = None
        self.unseen: weakref.ref[Storage] | None = None
        self.detached = False

    def stamp(self, node: Node, steps: Steps) -> None:
        """Notes on `node` that it holds what `steps` see of the memory at this version."""
        if node.stale is not SHARED:
            node.stale = (self, self.number, steps)

    def counts(self, node: Node) -> bool:
        """Whether all writes since `node` was stamped are ones that this version did not see."""
        stamp = node.stale
        return stamp is not None and stamp[0] is self and stamp[1] == self.number

    def cut(self, node: Node) -> None:
        """Notes that `node` was the history of a tensor that lost it: none may use it as kept."""
        gone = Version()
        gone.detached = True
        node.stale = (gone, gone.number, () if node.stale is None else node.stale[2])
        gone.bump()

    def bump(self) -> None:
        """Counts a write, here and now."""
        self.number += 1
        self.span = current.span


class Storage:
    """What tensors that share memory share.

    Attributes:
        inference: whether it was made in a block of `inference_mode`.
        left: what stands for tensors that went on with other memory (`x.data = y`), for their
            views: by the tensor's `id`; None until there is a view.
        node: the value of the whole storage now, without history.
        serial: the number of the node that it was made for: how old it is.
        version: how often it was written to.
        strides: its layout where that is not row-major.
        versions: that count only some of the writes (`.data`).
    """

    __slots__ = (
        *("__weakref__", "inference", "left", "node", "serial", "strides", "version"),
        "versions",
    )

    def __init__(self, node: Node, strides: tuple[int, ...] | None = None) -> None:
        self.inference = bool(inference.blocks) and inference.covers(node)
        self.serial = node.serial
        self.node = value_of(node)
        self.version = Version()
        self.strides = strides
        self.versions: weakref.WeakSet[Version] | None = None
        self.left: dict[int, Tensor] | None = None
        self.version.stamp(node, ())

    def own_version(self) -> Version:
        """A version that counts some of the writes to this memory apart."""
        made = Version()
        if self.versions is None:
            self.versions = weakref.WeakSet([self.version])
        self.versions.add(made)
        return made

    def leave(self, tensor: Tensor) -> None:
        """Lets the views of `tensor` keep this memory when it goes on with another."""
        if self.left is not None:
            known = tensor.value_node
            node = overwritten(tensor.node, known) if tensor.requires_grad else known
            self.left[id(tensor)] = tensor.__class__(node, self, tensor._view)

    def count(self, version: Version) -> None:
        """Counts a write under `version`; the memory's other versions do not see it."""
        version.bump()
        for other in self.versions or ():
            if other is not version:
                other.unseen = weakref.ref(self)
                Version.any_unseen = True

    def touch(self, version: Version) -> None:
        """Counts a write under `version` that leaves every element as it is."""
        same = DETACH(self.node)
        settle(same)
        self.node = same
        self.count(version)


class View:
    """How a tensor sees a storage that is not its own.

    Args:
        base: the tensor that it is a differentiable view of; None when it is cut from history.
        steps: the view ops from there: from the base, or from the storage where there is no base.
        own: what counts writes to it, where those to the storage do not count (`.data`).
        caution: the key in `CAUTIONS` of why PyTorch does not let autograd follow writes to it.
        number: of the version when the view was made.
        turns: of a tensor that was reshaped in place: what undoes that, for the views of it that
            were made before, one entry each time.
    """

    __slots__ = ("_base", "_steps", "_turned", "caution", "memory", "number", "own", "turns")

    def __init__(
        self,
        base: Tensor | None,
        steps: Steps,
        *,
        own: Version | None = None,
        caution: str = "",
        number: int = 0,
        turns: tuple[Steps, ...] = (),
    ) -> None:
        self._base = base
        self._turned = 0 if base is None or base._view is None else len(base._view.turns)
        memory = None if base is None else base._storage or base.memory
        if memory is not None and memory.left is None:
            memory.left = {}
        self.memory = memory
        self._steps = steps
        self.own = own
        self.caution = caution
        self.number = number
        self.turns: tuple[Steps, ...] = turns

    @property
    def steps(self) -> Steps:
        """See the class; from the base as it is shaped now."""
        above = None if self._base is None else self._base._view
        if above is None or len(above.turns) == self._turned:
            return self._steps
        since = above.turns[self._turned :]
        return (*[step for turn in reversed(since) for step in turn], *self._steps)

    @property
    def base(self) -> Tensor | None:
        """See the class; what stands for the tensor, where that has other memory by now."""
        base, memory = self._base, self.memory
        if base is not None and memory is not None and base._storage is not memory:
            self._base = base = (memory.left or {}).get(id(base), base)
        return base


class Stop:
    """A block in which new nodes are tracked or not: the grad mode."""

    __slots__ = ("apart", "before", "mode")

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.before = True
        self.apart = False

    def __enter__(self) -> None:
        self.before, self.apart = current.tracking, apart.enabled
        current.tracking = self.mode
        if self.apart and self.mode:
            apart.switch(False)

    def __exit__(self, *exception: object) -> None:
        current.tracking = self.before
        if self.apart:
            apart.switch(True)


def value_of(node: Node) -> Node:
    """The value of `node` without its history."""
    return detached(node) if node.tracked else node


def detached(node: Node) -> Node:
    """A new node of the value of `node`, without its history."""
    made = Node(DETACH, (node,), NO_ATTRS, node.shape, node.dtype, False, node.value)
    if made.value is not None:
        made.inputs = ()
    return made


def through(root: Node, steps: Steps) -> Node:
    """What a view sees of `root`."""
    for op, attrs in steps:
        root = op(root, **attrs)
    return root


def overwritten(old: Node, value: Node) -> Node:
    """`value` with the history of `old`: a write that autograd does not see."""
    before = current.tracking
    current.tracking = True
    made = OVERWRITE(old, value)
    current.tracking = before
    made.call = old.call
    return made


def present(node: Node) -> Node:
    """`node` with what the memory that it saw holds now: PyTorch's rules read the memory."""
    value = None
    if node.op is LEAF:
        tensor, stamp = node.attrs["owner"].tensor(), saved_version(node)
        counted = stamp is None or stamp[0].number == stamp[1]
        value = tensor.value_node if tensor is not None and counted else None
    elif node.stale is not None:
        version, _, steps = node.stale
        storage = version.unseen and version.unseen()
        value = through(storage.node, steps) if storage and version.counts(node) else None
    elif node.op.view and node.inputs:
        below = present(node.inputs[0])
        value = None if below is node.inputs[0] else node.op(below, **node.attrs)
    # What waits has no value yet; a leaf still stands around the node that its memory holds.
    around = node.op is LEAF and value in node.inputs
    if value is None or around or value.value is node.value is not None:
        return node
    return overwritten(node, value)


def view_steps(result: Node, source: Node) -> Steps | None:
    """The view ops that lead from `source` to `result`; None when something else lies between."""
    steps: list[Step] = []
    node = result
    while node is not source:
        if not node.op.view or not node.inputs:
            return None
        steps.append((node.op, node.attrs))
        node = node.inputs[0]
    steps.reverse()
    return tuple(steps)


def saved_version(node: Node) -> tuple[Version, int, Steps] | None:
    """The version of the memory behind `node`, and its number when `node` was made."""
    while node.stale is None and (node.op.view or node.op.name == "leaf") and node.inputs:
        node = node.inputs[0]
    return node.stale  # type: ignore[no-any-return]

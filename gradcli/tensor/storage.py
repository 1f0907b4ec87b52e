"""Memory that tensors share, without memory: a storage holds the value it has now, and its version.

Constraints: functional below (PyTorch calls it functionalization): a write makes a new value for
the whole storage, the graph never changes. A storage holds values without history; history belongs
to tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError
from gradcli.graph.node import Node, constant, current
from gradcli.graph.op import DETACH, OVERWRITE, Op
from gradcli.ops.elementwise import ne, where
from gradcli.ops.movement import expand, slice_, slice_put
from gradcli.source import Span

if TYPE_CHECKING:
    from gradcli.tensor.tensor import Tensor

Step = tuple[Op, Mapping[str, Any]]
Steps = tuple[Step, ...]

BIJECTIVE = frozenset({"reshape", "permute", "flip", "conj", "view_as_real", "view_as_complex"})
"""View ops whose derivative is their inverse."""


class Version:
    """How often a storage was written to, and where last.

    Apart from the storage, so that a node that remembers a version does not keep the memory.
    """

    __slots__ = ("number", "span")

    def __init__(self) -> None:
        self.number = 0
        self.span: Span | None = None


class Storage:
    """What tensors that share memory share.

    Attributes:
        node: the value of the whole storage now, without history.
        version: how often it was written to.
        strides: its layout where that is not row-major.
    """

    __slots__ = ("node", "strides", "version")

    def __init__(self, node: Node, strides: tuple[int, ...] | None = None) -> None:
        self.node = value_of(node)
        self.version = Version()
        self.strides = strides
        self.stamp(node)

    def stamp(self, node: Node) -> None:
        """Notes on `node` that it holds the storage's value of this version."""
        node.stale = (self.version, self.version.number)

    def replace(self, node: Node, *, silent: bool = False) -> None:
        """Makes `node` the value; autograd does not see `silent` writes (through `.data`)."""
        self.node = node
        if not silent:
            self.version.number += 1
            self.version.span = current.span


class View:
    """How a tensor sees a storage that is not its own.

    Args:
        base: the tensor that it is a differentiable view of; None when it is cut from history.
        steps: the view ops from there: from the base, or from the storage where there is no base.
        silent: whether autograd does not see writes to it (`.data`).
        caution: the key in `CAUTIONS` of why PyTorch does not let autograd follow writes to it.
        version: of the storage when the view was made.
    """

    __slots__ = ("base", "caution", "silent", "steps", "version")

    def __init__(
        self,
        base: Tensor | None,
        steps: Steps,
        *,
        silent: bool = False,
        caution: str = "",
        version: int = 0,
    ) -> None:
        self.base = base
        self.steps = steps
        self.silent = silent
        self.caution = caution
        self.version = version


class Stop:
    """A block in which new nodes are tracked or not: the grad mode."""

    __slots__ = ("before", "mode")

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.before = True

    def __enter__(self) -> None:
        self.before = current.tracking
        current.tracking = self.mode

    def __exit__(self, *exception: object) -> None:
        current.tracking = self.before


def value_of(node: Node) -> Node:
    """The value of `node` without its history."""
    if not node.tracked:
        return node
    detached = DETACH(node)
    if node.value is not None:
        detached.value = node.value
        detached.inputs = ()
    return detached


def through(root: Node, steps: Steps) -> Node:
    """What a view sees of `root`."""
    for op, attrs in steps:
        root = op(root, **attrs)
    return root


def put(root: Node, steps: Steps, new: Node) -> Node:
    """`root` after `new` was written through a view."""
    if not steps:
        return new
    seen = [root]
    for op, attrs in steps[:-1]:
        seen.append(op(seen[-1], **attrs))
    for (op, attrs), below in zip(reversed(steps), reversed(seen), strict=True):
        new = _put_step(op, attrs, below, new)
    return new


def _put_step(op: Op, attrs: Mapping[str, Any], below: Node, new: Node) -> Node:
    if op is slice_:
        return slice_put(below, new, **attrs)
    if op is expand:
        return _put_expanded(below, new)
    rule = op.derivatives[0]
    assert callable(rule)
    back = rule(new, new, below, **attrs)
    if op.name in BIJECTIVE:
        return back
    written = rule(constant(1, below.dtype, new.shape), new, below, **attrs)
    return where(ne(written, constant(0, written.dtype)), back, below)


def _put_expanded(below: Node, new: Node) -> Node:
    """One element stands for many: only one number for all of them can be written."""
    if new.shape == below.shape:
        return new
    if new.op is not expand or new.inputs[0].shape:
        raise overlap()
    return expand(new.inputs[0], shape=below.shape)


def overlap() -> GradcliError:
    """PyTorch's refusal to write to a tensor whose elements share memory with each other."""
    return GradcliError(
        "G026",
        "unsupported operation: more than one element of the written-to tensor refers to a single "
        "memory location. Please clone() the tensor before performing the operation.",
    )


def overwritten(old: Node, value: Node) -> Node:
    """`value` with the history of `old`: a write that autograd does not see."""
    before = current.tracking
    current.tracking = True
    made = OVERWRITE(old, value)
    current.tracking = before
    made.call = old.call
    return made


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


def saved_version(node: Node) -> tuple[Version, int] | None:
    """The version of the memory behind `node`, and its number when `node` was made."""
    while node.stale is None and (node.op.view or node.op.name == "leaf") and node.inputs:
        node = node.inputs[0]
    return node.stale  # type: ignore[no-any-return]

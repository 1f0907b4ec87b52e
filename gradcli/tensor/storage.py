"""Memory that views share, without memory: a storage holds the current node and a version.

Constraints: functional below (PyTorch calls it functionalization): a write through a view makes a new node for
the whole storage; the graph never changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcli.graph.node import Node, constant, current
from gradcli.graph.op import DETACH, OVERWRITE, Op
from gradcli.ops.elementwise import ne, where
from gradcli.ops.movement import slice_, slice_put
from gradcli.source import Span

Step = tuple[Op, Mapping[str, Any]]
BIJECTIVE = frozenset({"reshape", "permute", "flip", "conj", "view_as_real", "view_as_complex"})
"""View ops that show all of what they view, each element once."""


class Storage:
    """What tensors that share memory share.

    Attributes:
        node: the value of the whole storage now.
        version: how often it was written to.
        span: where it was last written to.
    """

    __slots__ = ("node", "span", "version")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.version = 0
        self.span: Span | None = None

    def replace(self, node: Node, *, silent: bool = False) -> None:
        """Makes `node` the value; `silent` writes (through `.data`) are not seen by autograd."""
        if not silent:
            self.version += 1
            self.span = current.span
            self.node.stale = self
        self.node = node


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


def through(root: Node, steps: tuple[Step, ...]) -> Node:
    """What a view sees of `root`."""
    for op, attrs in steps:
        root = op(root, **attrs)
    return root


def put(root: Node, steps: tuple[Step, ...], new: Node) -> Node:
    """`root` after `new` was written through a view."""
    seen = [root]
    for op, attrs in steps[:-1]:
        seen.append(op(seen[-1], **attrs))
    for (op, attrs), below in zip(reversed(steps), reversed(seen), strict=True):
        new = _put_step(op, attrs, below, new)
    return new


def _put_step(op: Op, attrs: Mapping[str, Any], below: Node, new: Node) -> Node:
    if op is slice_:
        return slice_put(below, new, **attrs)
    rule = op.derivatives[0]
    if op is DETACH:
        return new
    assert callable(rule)
    back = rule(new, new, below, **attrs)
    if op.name in BIJECTIVE:
        return back
    ones = constant(1, below.dtype, new.shape)
    written = rule(ones, new, below, **attrs)
    return where(ne(written, constant(0, written.dtype)), back, below)


def overwrite(old: Node, new: Node) -> Node:
    """`new` as a value, with the history of `old`: a write that autograd does not see."""
    with Stop(True):
        return OVERWRITE(old, new)


def view_steps(result: Node, source: Node) -> tuple[Step, ...] | None:
    """The view ops that lead from `source` to `result`; None when something else lies between."""
    steps: list[Step] = []
    node = result
    while node is not source:
        if not node.op.view or not node.inputs:
            return None
        steps.append((node.op, node.attrs))
        node = node.inputs[0]
    return tuple(reversed(steps))


def origin(node: Node) -> Node:
    """The node whose memory `node` is a view of."""
    while (node.op.view or node.op.name == "leaf") and node.inputs:
        node = node.inputs[0]
    return node

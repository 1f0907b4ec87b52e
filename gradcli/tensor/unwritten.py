"""Gradients that PyTorch does not write out: they repeat, or see, the memory of another one.

Constraints: noted only in passes in which functions of a script look at gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any
from weakref import WeakKeyDictionary

from gradcli.graph.backward import Pull
from gradcli.graph.node import Node
from gradcli.graph.shape import reduced
from gradcli.graph.whole import Parts
from gradcli.ops.movement import expand, permute, reshape
from gradcli.ops.reduction import total
from gradcli.tensor.storage import Steps, Storage, View

SUMS = ("SumBackward0", "SumBackward1")


class Noted:
    """Whether anything is noted: once there was a hook.

    Attributes:
        any: whether there was.
    """

    any = False

    def begin(self) -> None:
        """Notes from now on."""
        self.any = True


noted = Noted()
_known: WeakKeyDictionary[Node, tuple[Node, Steps]] = WeakKeyDictionary()
"""By gradient: whose memory it sees, and how."""


def noting(pull: Pull) -> Pull:
    """`pull`, which gives what a node passes on, and notes how that sees other gradients."""
    if not noted.any:
        return pull

    def noting_too(node: Node, cotangent: Any, needed: Collection[Node]) -> Parts:
        parts = pull(node, cotangent, needed)
        if isinstance(cotangent, Node):
            _note(node, cotangent, parts)
        return parts

    return noting_too


def _note(node: Node, cotangent: Node, parts: Parts) -> None:
    root, steps = _known.get(cotangent, (cotangent, ()))
    for x, part in parts:
        if (
            node.op is total
            and node.call is not None
            and node.call[0] in SUMS
            and part.shape == x.shape
        ):
            kept = reduced(x.shape, node.attrs["axis"], True)
            back = (reshape, {"axes": cotangent.ndim, "shape": kept})
            _known[part] = root, (*steps, back, (expand, {"shape": x.shape}))
        elif steps and node.op.view and part.op in (reshape, permute):
            _known[part] = root, (*steps, (part.op, part.attrs))


def gradient(node: Node, kind: Callable[..., Any]) -> Any:
    """The tensor of a gradient, of this class, laid out as PyTorch's is."""
    root, steps = _known.get(node, (node, ()))
    return kind(node, Storage(root), View(None, steps)) if steps else kind(node)

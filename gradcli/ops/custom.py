"""Functions whose value and derivative a user wrote: `torch.autograd.Function`.

Constraints: see gradcli/ops; the values are computed before the node is made. Attr `function` is an
object of a higher floor: a `Custom`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gradcli.graph.dtype import DType
from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.graph.shape import Shape

Cotangents = Sequence[Node | None]


class Custom(Protocol):
    """What a user's function is to the graph."""

    def pull(self, g: Cotangents) -> Cotangents:
        """The cotangents of the sources for those of the results; None where nothing came."""

    def push(self, t: Cotangents) -> Cotangents:
        """The tangents of the results for those of the sources."""

    def free(self) -> None:
        """A backward pass has used up what was saved for it."""

    def lifted(self, batching: Any) -> Custom:
        """The function of all examples of a batch."""


def _values(*inputs: Node, function: Custom, count: int) -> list[tuple[Shape, DType]]:
    return [(x.shape, x.dtype) for x in inputs[:count]]


def _pulled(
    g: tuple[Node | None, ...], out: Any, *inputs: Node, function: Custom, count: int
) -> Cotangents:
    return [*[None] * count, *function.pull(g)]


custom = Op("custom", _values, joint=_pulled, variadic=True, multiple=True, exact=True)
"""The first `count` inputs, computed from the others."""


def _kinds(*inputs: Node, function: Custom, kinds: Any, count: int) -> Any:
    return kinds


def _pushed(
    t: tuple[Node | None, ...], out: Any, *inputs: Node, function: Custom, kinds: Any, count: int
) -> Cotangents:
    return [*function.push(t), *[None] * (len(inputs) - count)]


pulled = Op("pulled", _kinds, joint=_pushed, variadic=True, multiple=True, exact=True)
"""Cotangents of a function's sources, linear in those of its results, the first `count` inputs; the
sources themselves come after them. Its derivative is the user's `jvp`. Nobody asks for its value:
forward mode differentiates it, and lets it go."""

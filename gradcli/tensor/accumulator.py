"""Where gradients add up: what only the tensors that take part in autograd have.

Constraints: holds its tensor weakly, so that a tensor nobody holds goes with its memory, unless
functions of a script wait for the gradient that is added to it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from gradcli.graph.node import Node
from gradcli.tensor.hooks import hooks_of
from gradcli.tensor.kept import history

if TYPE_CHECKING:
    from gradcli.tensor.tensor import Tensor

Hook = Callable[[Node | None], Node | None]


class Autograd:
    """What only some tensors have of autograd.

    Attributes:
        tensor: the tensor, held weakly; leaf nodes find it through here.
        held: the same, once functions wait for its gradient.
        grad: the gradient that backward passes have added up.
        leaf: the leaf node of the present value, for a leaf that requires a gradient.
        hooks: of a leaf, functions of its gradient; those of another tensor are on its node.
        after: of a leaf, functions of the tensor to call when a gradient was added.
        adding, added: of a leaf, what its AccumulateGrad calls before it adds a gradient, and then.
        retain: the hook that keeps the gradient of a tensor that is no leaf.
    """

    __slots__ = (
        "__weakref__",
        "added",
        "adding",
        "after",
        "grad",
        "held",
        "hooks",
        "leaf",
        "retain",
        "tensor",
    )

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = weakref.ref(tensor, self._end)
        self.held: Tensor | None = None
        self.grad: Tensor | None = None
        self.leaf: Node | None = None
        self.hooks: list[Hook] = []
        self.after: list[Callable[[Tensor], object]] = []
        self.adding: list[Callable[..., object]] = []
        self.added: list[Callable[..., object]] = []
        self.retain: Hook | None = None

    def hooked(self, hooks: list[Callable[..., object]]) -> list[Callable[..., object]]:
        """`hooks`, to which a function is added: the tensor stays until it is called."""
        self.held = self.tensor()
        return hooks

    def _end(self, tensor: object) -> None:
        """Lets go of the leaf, which holds this in turn, as the tensor is gone."""
        self.leaf = None

    def follow(self, old: Node, new: Node) -> None:
        """Keeps up with a write: the gradient to retain is then that of the new value."""
        self.leaf = None
        keep = self.retain
        if keep is not None and new.tracked and history(new) is not history(old):
            if old.hooks and keep in old.hooks:
                old.hooks.remove(keep)
            hooks_of(new).append(keep)

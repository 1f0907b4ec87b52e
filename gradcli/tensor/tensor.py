"""`Tensor`, the user's view of a node: PyTorch's attributes, operators and methods.

Constraints: a tensor holds a node and, once its memory is shared or written to, a storage. Methods
and operators are the function table's. Nothing is computed until looked at, unless it is small.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.elsewhere import elsewhere
from gradcli.execute.evaluate import settle
from gradcli.graph.dtype import DType
from gradcli.graph.node import Node, current
from gradcli.graph.op import LEAF, is_rewritten_leaf
from gradcli.ops.elementwise import clone
from gradcli.tensor import levels, registry
from gradcli.tensor.accumulator import Autograd
from gradcli.tensor.gradfn import GradFn
from gradcli.tensor.inference import refuse_version
from gradcli.tensor.operators import Method, Operators
from gradcli.tensor.refusals import (
    CHANGED,
    COMPUTED,
    check_data,
    check_gradient,
    check_requires,
    forbidden,
)
from gradcli.tensor.regenerated import regenerated
from gradcli.tensor.size import Size
from gradcli.tensor.storage import (
    Steps,
    Stop,
    Storage,
    Version,
    View,
    detached,
    overwritten,
    through,
    value_of,
)
from gradcli.tensor.values import Values


class Tensor(Operators, Values):
    """A tensor of PyTorch.

    Args:
        node: its value in the graph.
        storage: what it shares memory with; its own by default.
        view: how it sees that storage, where it is not its own.
        sizes: programs may call this class as PyTorch's old constructor: `Tensor([1., 2.])`,
            `Tensor(2, 3)`.
    """

    __slots__ = ("__weakref__", "_autograd", "_node", "_requires", "_seen", "_storage", "_view")

    def __init__(self, node: Any = (), storage: Any = None, view: Any = None, *sizes: int) -> None:
        if not isinstance(node, Node):
            given = [a for a in (node, storage, view, *sizes) if a is not None]
            node, storage, view = registry.find("torch.FloatTensor")(*given).node, None, None
        self._node: Node = node
        self._storage: Storage | None = storage
        self._seen = None if storage is None else storage.node
        self._view: View | None = view
        self._requires = False
        self._autograd: Autograd | None = None
        if elsewhere.engine is not None:
            elsewhere.engine.hold(self)

    # -- the graph

    @property
    def node(self) -> Node:
        """The node that holds the value now; of a leaf that requires a gradient, its leaf node."""
        storage = self._storage
        if storage is not None and self._seen is not storage.node:
            self._refresh()
        if self._view is not None:
            if self.is_invalid and current.tracking:
                raise forbidden(self, CHANGED)
            if self._stands_for_leaf():
                return self._leaf()
        return self._leaf() if self._requires else self._node

    @property
    def value_node(self) -> Node:
        """The node that holds the value now, outside the history of a leaf."""
        storage = self._storage
        if storage is not None and self._seen is not storage.node:
            self._refresh()
        return self._node

    @property
    def memory(self) -> Storage:
        """The memory, which views and aliases share."""
        storage = self._storage
        if storage is None:
            if self._node.stale is not None:
                self._node = clone(self._node)
                settle(self._node)
            storage = self._storage = Storage(self._node)
            self._seen = storage.node
        return storage

    @property
    def view_path(self) -> Steps:
        """The view ops from the storage to this tensor."""
        if (view := self._view) is None:
            return ()
        return view.steps if view.base is None else view.base.view_path + view.steps

    @property
    def version(self) -> Version:
        """What counts writes to the memory, as far as this tensor is concerned."""
        view = self._view
        if view is not None and view.own is not None:
            return view.own
        base = None if view is None else view.base
        return self.memory.version if base is None else base.version

    def adopt(self, node: Node) -> None:
        """Takes `node` for what the storage holds here now."""
        storage = self._storage or self.memory
        version = storage.version if self._view is None else self.version
        version.stamp(node, self.view_path)
        if self._autograd is not None:
            self._autograd.follow(self._node, node)
        self._node, self._seen = node, storage.node

    def _refresh(self) -> None:
        view, storage = self._view, self.memory
        with Stop(True):
            if view is None or view.base is None:
                node = through(storage.node, () if view is None else view.steps)
            else:
                root = view.base.node
                node = through(root, view.steps)
                if view.caution in ("no_grad", "inference") or self.version.counts(self._node):
                    node = value_of(node)
                elif node.tracked:
                    node = regenerated(root, view, self._node)
        if self._node.tracked and not node.tracked:
            node = overwritten(self._node, node)
        settle(node)
        self.adopt(node)

    def _leaf(self) -> Node:
        grad = self.autograd
        leaf, inner = grad.leaf, self._node
        if leaf is None or leaf.attrs["counts"] is not self._requires:
            kind = {"owner": grad, "counts": self._requires}
            leaf = Node(LEAF, (inner,), kind, inner.shape, inner.dtype, True)
            grad.leaf = leaf
        if leaf.value is None:
            leaf.value = inner.value
        return leaf

    def _stands_for_leaf(self) -> bool:
        """Whether it is a view without history of a tensor that requires a gradient."""
        view, node = self._view, self._node
        return (
            view is not None
            and view.base is not None
            and not (node.tracked or self._requires)
            and node.dtype.differentiable
            and view.base.requires_grad
        )

    @property
    def autograd(self) -> Autograd:
        """What autograd keeps with this tensor."""
        grad = self._autograd
        if grad is None:
            grad = self._autograd = Autograd(self)
        return grad

    # -- what it is

    @property
    def shape(self) -> Size:
        """The shape."""
        return Size(self._node.shape)

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._node.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self._node.shape)

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient is wanted here, or flows through here."""
        found = self._requires or self.value_node.tracked or self._stands_for_leaf()
        return found and (self.is_invalid or levels.wants_gradient(self.node))

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self.is_leaf:
            check_requires(self, wanted, "floating point and complex")
            self._requires = bool(wanted)
        elif not wanted:
            raise GradcliError("G033", COMPUTED)

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user, or needs no gradient; raises as `grad_fn` does."""
        if self.is_invalid:
            raise forbidden(self, CHANGED)
        leaf = self._requires or not self.value_node.tracked or is_rewritten_leaf(self._node)
        if levels.duals:
            return not self.requires_grad or (leaf and self._autograd not in levels.duals)
        return leaf

    @property
    def grad_fn(self) -> GradFn | None:
        """What made it, as PyTorch names it; None for a leaf.

        Raises:
            GradcliError: G033 for a view whose writes PyTorch forbids autograd to follow.
        """
        return None if self.is_leaf else GradFn.of(self._node)

    @property
    def is_invalid(self) -> bool:
        """Whether writes have made its history ambiguous; PyTorch then prints `<Invalid>`."""
        view = self._view
        return (
            view is not None
            and bool(view.caution)
            and self.version.number != view.number
            and (self._node.tracked or (view.base is not None and view.base.requires_grad))
        )

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have added up here."""
        return None if self._autograd is None else self._autograd.grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            check_gradient(self, value)
        self.autograd.grad = value

    @property
    def data(self) -> Tensor:
        """The same memory without history; autograd does not see writes to it."""
        levels.refuse_data(self, "accessing `data` under vmap transform is not allowed")
        return self.alias(self.memory.own_version())

    @data.setter
    def data(self, value: Tensor) -> None:
        check_data(self, value)
        known = value_of(value.value_node)
        if self._node.tracked:
            known = overwritten(self._node, known)
        self.memory.leave(self)
        self._storage, self._view = value.memory, View(None, value.view_path, own=self.version)
        Version.any_unseen = True
        self.adopt(known)

    @property
    def _version(self) -> int:
        refuse_version(self)
        return 0 if self._storage is None else self.version.number

    def detach(self) -> Tensor:
        """The same memory without history."""
        return self.alias()

    def alias(self, own: Version | None = None) -> Tensor:
        """The same memory without history; `own` counts writes apart from those to the memory."""
        view = self._view
        if own is None and view is not None:
            own = self.version if self.version is not self.memory.version else None
        settle(node := detached(self.value_node))
        made = Tensor(node, self.memory, View(None, self.view_path, own=own))
        made.version.stamp(node, self.view_path)
        return made

    # -- methods come from the function table

    def __getattr__(self, name: str) -> Any:
        found = None if name.startswith("__") else registry.method(name)
        if found is None:
            raise AttributeError(f"'Tensor' object has no attribute '{name}'")
        if isinstance(found, property):
            assert found.fget is not None
            return found.fget(self)
        return Method(found, self)

    def __hash__(self) -> int:
        return id(self)

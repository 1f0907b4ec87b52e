"""`Tensor`, the user's view of a node: PyTorch's attributes, operators and methods.

Constraints: a tensor holds a storage and, for a view, the way from its base; its methods are the function
table's, its operators are the functions of the same meaning. Nothing is computed until a value is looked at,
unless it is small.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

from gradcli.errors import GradcliError, did_you_mean
from gradcli.execute.evaluate import array, settle
from gradcli.graph.dtype import DType, default
from gradcli.graph.node import Node
from gradcli.graph.op import DETACH, LEAF
from gradcli.graph.shape import numel
from gradcli.tensor import registry
from gradcli.tensor.gradfn import GradFn, name_of
from gradcli.tensor.storage import Step, Stop, Storage, through


class Size(tuple[int, ...]):
    """A shape, printed as PyTorch prints it."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        return numel(self)

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(found, tuple) else found


class Owner:
    """The tensor that a leaf node stands for, held weakly."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = weakref.ref(tensor)


class Tensor:
    """A tensor of PyTorch.

    Args:
        node: its value in the graph.
        storage: what it shares memory with; a new one by default.
        base, steps: for a view, the tensor it is a view of and the view ops from there.
        detached: whether it is cut from the history of its storage.
        silent: whether autograd does not see writes to it (`.data`).
    """

    __slots__ = (
        *("__weakref__", "_base", "_detached", "_fn", "_grad", "_hooks", "_leaf_node"),
        *("_node", "_owner", "_requires", "_retains", "_seen", "_silent", "_steps", "_storage"),
    )

    def __init__(
        self,
        node: Node,
        *,
        storage: Storage | None = None,
        base: Tensor | None = None,
        steps: tuple[Step, ...] = (),
        detached: bool = False,
        silent: bool = False,
    ) -> None:
        self._storage = Storage(node) if storage is None else storage
        self._node: Node = node
        self._seen = self._storage.version
        self._base = base
        self._steps = steps
        self._detached = detached
        self._silent = silent
        self._requires = False
        self._grad: Tensor | None = None
        self._fn: GradFn | None = None
        self._leaf_node: Node | None = None
        self._owner: Owner | None = None
        self._hooks: list[Callable[[Tensor], Tensor | None]] | None = None
        self._retains = False

    # -- the graph

    @property
    def node(self) -> Node:
        """The node that holds the value now; of a leaf that requires a gradient, its leaf node."""
        if self._seen != self._storage.version or (
            self._base is None and not self._steps and self._node is not self._storage.node
        ):
            self._refresh()
        return self._leaf() if self._requires else self._node

    @property
    def value_node(self) -> Node:
        """The node that holds the value now, outside the history of a leaf."""
        node = self.node
        return self._node if self._requires else node

    def _refresh(self) -> None:
        with Stop(True):
            root = self._storage.node if self._base is None or self._detached else self._base.node
            node = through(root, self._steps)
            if self._detached and node.tracked:
                node = DETACH(node)
            elif self._steps and node.tracked:
                node.call = ("AsStridedBackward0", (root,))
        settle(node)
        self._node, self._seen, self._leaf_node = node, self._storage.version, None

    def _leaf(self) -> Node:
        leaf = self._leaf_node
        if leaf is None:
            inner = self._node
            leaf = Node(LEAF, (inner,), {"owner": self.owner}, inner.shape, inner.dtype, True)
            leaf.value = inner.value
            self._leaf_node = leaf
        elif leaf.value is None:
            leaf.value = self._node.value
        return leaf

    @property
    def owner(self) -> Owner:
        """What leaf nodes carry to find this tensor again."""
        if self._owner is None:
            self._owner = Owner(self)
        return self._owner

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
        return self._requires or self.node.tracked

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if not self.is_leaf:
            if not wanted:
                raise GradcliError(
                    "G033",
                    "you can only change requires_grad flags of leaf variables. If you want to use a "
                    "computed variable in a subgraph that doesn't require differentiation use "
                    "var_no_grad = var.detach().",
                )
            return
        if wanted and not self.dtype.differentiable:
            raise GradcliError("G025", "only Tensors of floating point dtype can require gradients")
        self._requires = bool(wanted)
        if not wanted:
            self._leaf_node = None

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user, or needs no gradient."""
        return self._requires or not self.node.tracked

    @property
    def grad_fn(self) -> GradFn | None:
        """What made it, as PyTorch names it; None for a leaf."""
        node = self.node
        if self.is_leaf:
            return None
        if self._fn is None or self._fn._node is not node:
            self._fn = GradFn(node)
        return self._fn

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have added up here."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise GradcliError(
                    "G014",
                    "assigned grad expected to be a Tensor or None but got grad of type "
                    f"{type(value).__name__}",
                    kind=TypeError,
                )
            if value.shape != self.shape:
                raise GradcliError(
                    "G036",
                    f"assigned grad has data of a different size: {list(value.shape)} "
                    f"instead of {list(self.shape)}",
                )
        self._grad = value

    @property
    def data(self) -> Tensor:
        """The same memory without history; autograd does not see writes to it."""
        return self._alias(silent=True)

    @data.setter
    def data(self, value: Tensor) -> None:
        self._storage = value._storage
        self._base, self._steps, self._detached = None, value._steps, True
        self._node, self._seen, self._leaf_node = value.value_node, -1, None

    @property
    def _version(self) -> int:
        return self._storage.version

    def detach(self) -> Tensor:
        """The same memory without history."""
        return self._alias()

    def _alias(self, silent: bool = False) -> Tensor:
        node = self.value_node
        if node.tracked:
            node = DETACH(node)
            settle(node)
        return Tensor(node, storage=self._storage, steps=self._steps, detached=True, silent=silent)

    # -- values

    def array(self) -> Any:
        """The value as a NumPy array; read it, do not write to it."""
        return array(self.value_node)

    def item(self) -> Any:
        """The only element, as a Python number."""
        if numel(self.shape) != 1:
            raise GradcliError(
                "G014",
                f"a Tensor with {numel(self.shape)} elements cannot be converted to Scalar",
            )
        return self.array().reshape(()).item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.array().tolist()

    def __bool__(self) -> bool:
        count = numel(self.shape)
        if count == 1:
            return bool(self.item())
        what = "no values" if count == 0 else "more than one value"
        raise GradcliError(
            "G014",
            f"Boolean value of Tensor with {what} is ambiguous",
            help=() if count == 0 else ["say which is meant: .all() or .any()"],
        )

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self.dtype.category > 1 or self.shape and numel(self.shape) != 1:
            raise GradcliError(
                "G014",
                "only integer tensors of a single element can be converted to an index",
                kind=TypeError,
            )
        return int(self.item())

    def __len__(self) -> int:
        if not self.shape:
            raise GradcliError("G014", "len() of a 0-d tensor", kind=TypeError)
        return self._node.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise GradcliError("G014", "iteration over a 0-d tensor", kind=TypeError)
        return iter(registry.method("unbind")(self))

    def __contains__(self, item: Any) -> bool:
        return bool((self == item).any())

    def __hash__(self) -> int:
        return id(self)

    # -- text

    def __repr__(self) -> str:
        from gradcli.tensor.text import tensor_text

        suffixes = []
        if self._requires:
            suffixes.append("requires_grad=True")
        elif self.node.tracked:
            suffixes.append(f"grad_fn=<{name_of(self.node)}>")
        return tensor_text(
            self.array(), self.dtype.name, suffixes=suffixes, default_dtype=default.dtype.name
        )

    def __format__(self, spec: str) -> str:
        from gradcli.tensor.text import scalar_format

        if self.shape or (not spec and self.requires_grad):
            return object.__format__(self, spec)
        return scalar_format(self.item(), self.dtype.name, spec)

    # -- methods and operators come from the function table

    def __getattr__(self, name: str) -> Any:
        found = None if name.startswith("__") else registry.method(name)
        if found is None:
            raise AttributeError(f"'Tensor' object has no attribute '{name}'")
        if isinstance(found, property):
            assert found.fget is not None
            return found.fget(self)
        return Method(found, self)

    def __getitem__(self, index: Any) -> Tensor:
        return registry.method("__getitem__")(self, index)  # type: ignore[no-any-return]

    def __setitem__(self, index: Any, value: Any) -> None:
        registry.method("__setitem__")(self, index, value)


class Method:
    """A function of the table with its first argument given."""

    __slots__ = ("function", "tensor")

    def __init__(self, function: Callable[..., Any], tensor: Tensor) -> None:
        self.function = function
        self.tensor = tensor

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(self.tensor, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<built-in method {self.function.__name__} of Tensor object>"


def no_attribute(name: str) -> GradcliError:
    """The error for an attribute that tensors do not have."""
    known = [*registry.method_names(), *(n for n in dir(Tensor) if not n.startswith("_"))]
    return GradcliError(
        "G011",
        f"'Tensor' object has no attribute '{name}'",
        help=did_you_mean(name, known),
        kind=AttributeError,
    )


OPERATORS = {
    **{"add": "add", "sub": "sub", "mul": "mul", "truediv": "true_divide"},
    **{"floordiv": "floor_divide", "mod": "remainder", "pow": "pow", "matmul": "matmul"},
    **{"and": "__and__", "or": "__or__", "xor": "__xor__"},
    **{"lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift"},
}
"""Python's binary operators and the functions they stand for; `__iadd__` is `add_`, `__radd__` swaps."""
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
UNARY = {"neg": "neg", "pos": "positive", "invert": "bitwise_not", "abs": "abs"}


def _define_operators() -> None:
    for python, name in OPERATORS.items():
        setattr(Tensor, f"__{python}__", _binary(name))
        setattr(Tensor, f"__r{python}__", _binary(f"__r{python}__"))
        setattr(Tensor, f"__i{python}__", _binary(f"__i{python}__"))
    for name in COMPARISONS:
        setattr(Tensor, f"__{name}__", _binary(name))
    for python, name in UNARY.items():
        setattr(Tensor, f"__{python}__", _unary(name))


def _binary(name: str) -> Callable[[Tensor, Any], Any]:
    def operator(self: Tensor, other: Any) -> Any:
        if other is None or isinstance(other, (str, list, tuple, dict)):
            return NotImplemented
        return (registry.METHODS.get(name) or registry.method(name))(self, other)

    return operator


def _unary(name: str) -> Callable[[Tensor], Any]:
    def operator(self: Tensor) -> Any:
        return registry.method(name)(self)

    return operator


_define_operators()

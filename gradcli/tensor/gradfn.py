"""`grad_fn` as PyTorch shows it, read off the graph when somebody asks.

Constraints: names are derived (CamelCase of the op PyTorch dispatches to, and the index of its
overload); nothing here is made while a script computes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from gradcli.errors import GradcliError
from gradcli.graph.call import Part
from gradcli.graph.dtype import INTEGER
from gradcli.graph.node import Node
from gradcli.graph.op import LEAF, OVERWRITE
from gradcli.tensor.hooks import Handle, replacements
from gradcli.tensor.second import steps

QUALIFIED = frozenset(("AccumulateGrad", "CopySlices", "CopyBackwards", "NotImplemented", "Error"))
"""Names that PyTorch does not derive from an op: `.name()` has their namespace in front."""


def history(node: Node) -> Node:
    """The node that stands for `node` in autograd: writes that autograd did not see left it."""
    while node.op is OVERWRITE and node.inputs and node.call is node.inputs[0].call:
        node = node.inputs[0]
    return node


@cache
def backward_name(name: str, overload: int = 0) -> str:
    """`mul` -> `MulBackward0`, `log1p` -> `Log1PBackward0`, a whole name -> itself."""
    if "Backward" in name or name == "NotImplemented":
        return name
    camel, capital = "", True
    for character in name.strip("_"):
        camel += "" if character == "_" else character.upper() if capital else character
        capital = not character.isalpha()
    return f"{camel}Backward{overload}"


def called(node: Node, name: str, *arguments: Node, overload: int = 0) -> Node:
    """`node`, shown as the result of PyTorch's function `name` of `arguments`."""
    if node.tracked:
        node.call = (backward_name(name, overload), arguments)
    return node


WITH_NUMBERS = frozenset(("add", "sub", "mul", "div", "where"))
"""Functions to which PyTorch passes numbers as tensors, so that they count in `next_functions`."""


class GradFn:
    """A node of PyTorch's backward graph; one object for each node, while it is held."""

    __slots__ = ("__weakref__", "_next", "_node")

    def __init__(self, node: Any) -> None:
        self._node = node
        self._next: tuple[tuple[GradFn | None, int], ...] | None = None

    @staticmethod
    def of(node: Node) -> GradFn:
        """The object that stands for `node`."""
        node = history(node)
        several = isinstance(node.call, Part)
        key = id(node.call[1]) if several and node.call is not None else -1 - node.serial
        known = getattr(node.call, "grad_fn", None) or _known.get(key)
        if known is None:
            known = _known[key] = GradFn(node)
        return known

    def name(self) -> str:
        """The name, such as `MulBackward0`."""
        name = name_of(self._node)
        return f"torch::autograd::{name}" if name in QUALIFIED else name

    @property
    def next_functions(self) -> tuple[tuple[GradFn | None, int], ...]:
        """The functions that the gradient goes to next, one for each tensor argument."""
        if self._next is None:
            node = self._node
            inputs = node.call[1] if node.call else _differentiable(node.inputs)
            if node.op is LEAF:
                inputs = ()
            self._next = tuple(
                (GradFn.of(x), getattr(x.call, "output", 0)) if _has_grad_fn(x) else (None, 0)
                for x in inputs
            )
        return self._next

    @property
    def variable(self) -> object:
        """The tensor whose `.grad` an `AccumulateGrad` adds to."""
        if self._node.op is LEAF:
            return self._node.attrs["owner"].tensor()
        raise GradcliError(
            "G011",
            f"'{name_of(self._node)}' object has no attribute 'variable'",
            kind=AttributeError,
        )

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for whatever a script wants to keep with the function."""
        return kept.setdefault(self._node, Kept()).metadata

    def register_hook(self, fn: Callable[..., Any]) -> Handle:
        """Calls `fn` with the gradients by the function's arguments and those of its results.

        Raises:
            GradcliError: G037 for a step of a function with several results: none knows both.
        """
        node = self._node
        arguments = node.call[1] if node.call is not None else node.inputs
        known = all(x in arguments or not x.tracked for x in node.inputs) or steps(node)
        if not known or node.op is LEAF:
            raise GradcliError(
                "G037",
                f"{name_of(node)} takes several steps: hooks see the gradients of its result alone",
                help="register a hook on its arguments: x.register_hook(...)",
            )
        hooks = kept.setdefault(node, Kept()).hooks
        hooks.append(fn)
        return Handle(hooks, fn)

    def register_prehook(self, fn: Callable[..., Any]) -> Handle:
        """Calls `fn` with the gradients of the function's result, before they are used."""

        def called(cotangent: Node) -> Node:
            (replaced,) = replacements(fn, (cotangent,), ((cotangent,),))
            assert isinstance(replaced, Node)
            return replaced

        node = self._node
        node.hooks = [*(node.hooks or ()), called]
        return Handle(node.hooks, called)

    def __repr__(self) -> str:
        return f"<{name_of(self._node)} object at {hex(id(self._node))}>"


def _differentiable(inputs: tuple[Node, ...]) -> tuple[Node, ...]:
    return tuple([x for x in inputs if x.dtype.category > INTEGER])


def _has_grad_fn(node: Node) -> bool:
    """Whether a gradient goes on from `node`; from the leaf node of a mere view it does not."""
    return node.tracked and (node.op is not LEAF or node.attrs["counts"])


class Kept:
    """What a script keeps with a node: its `metadata`, and hooks of all its gradients."""

    __slots__ = ("hooks", "metadata")

    def __init__(self) -> None:
        self.metadata: dict[Any, Any] = {}
        self.hooks: list[Callable[..., Any]] = []


kept: WeakKeyDictionary[Node, Kept] = WeakKeyDictionary()
"""By node."""
_known: WeakValueDictionary[int, GradFn] = WeakValueDictionary()


def name_of(node: Node) -> str:
    """The grad_fn name of a node: the function's that made it, else its op's."""
    if node.call is not None:
        return node.call[0]
    return "AccumulateGrad" if node.op is LEAF else backward_name(node.op.torch)

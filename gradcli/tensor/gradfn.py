"""`grad_fn` as PyTorch shows it, read off the graph when somebody asks.

Constraints: nothing here is made while a script computes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from gradcli.errors import GradcliError
from gradcli.graph.call import Call, Part, composition_of, receivers_of, results_of, tensors_of
from gradcli.graph.dtype import INTEGER
from gradcli.graph.node import Node
from gradcli.graph.op import LEAF
from gradcli.tensor import registry
from gradcli.tensor.fields import edges
from gradcli.tensor.hooks import RemovableHandle
from gradcli.tensor.kept import behind_dual, history, kept_of, name_of, qualified
from gradcli.tensor.saved import saved_attribute, tensor_of
from gradcli.tensor.sketch import sketch

WITH_NUMBERS = frozenset(("add", "sub", "mul", "div", "where"))
"""Functions to which PyTorch passes numbers as tensors, so that they count in `next_functions`."""


NEVER = 2**64 - 1
"""The sequence number of what is no call."""


class GradFn:
    """A node of PyTorch's backward graph; one object for each node, while it is held."""

    __slots__ = ("__weakref__", "_next", "_node")

    def __init__(self, node: Any) -> None:
        self._node = node
        self._next: tuple[tuple[GradFn | None, int], ...] | None = None

    @staticmethod
    def of(node: Node) -> GradFn:
        """The object that stands for `node`."""
        node = history(behind_dual(node))
        several = isinstance(node.call, Part)
        key = id(node.call[1]) if several and node.call is not None else -1 - node.serial
        known = getattr(node.call, "grad_fn", None) or _known.get(key)
        if known is None:
            known = _known[key] = _class(name_of(node))(node)
        return known

    def name(self) -> str:
        """The name, such as `MulBackward0`."""
        return qualified(name_of(self._node))

    @property
    def next_functions(self) -> tuple[tuple[GradFn | None, int], ...]:
        """The functions that the gradient goes to next, one for each tensor argument."""
        if self._next is None:
            self._next = tuple(
                (GradFn.of(x), getattr(x.call, "output", 0)) if _has_grad_fn(x) else (None, 0)
                for x in _ends(self._node)[1]
            )
        return self._next

    def __call__(self, *cotangents: Any, **kwargs: Any) -> Any:
        """What the function passes on for the gradients of its results, without any hooks."""
        if kwargs:
            raise GradcliError("G013", "keyword arguments are not supported", kind=TypeError)
        apply = import_module("gradcli.tensor.applying").applied  # of the engine, above this
        return apply(*_ends(self._node), cotangents)

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
        return kept_of(self._node).metadata

    @property
    def _input_metadata(self) -> tuple[Any, ...]:
        """For each result its shape, dtype and device: of the gradients that come here."""
        results = results_of(self._node)
        return tuple(map(Metadata, [results[i] for i in sorted(results)]))

    def _sequence_nr(self) -> int:
        """A number that is larger the later the function was called; the largest, of a leaf."""
        return NEVER if self._node.op is LEAF else self._node.serial

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("_saved_", "_raw_saved_")):
            return saved_attribute(self._node, name)
        raise AttributeError(f"'{name_of(self._node)}' object has no attribute '{name}'")

    def register_hook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """Calls `fn` with the gradients by the function's arguments and those of its results."""
        hooks = self._hooks("added", "after")
        hooks.append(fn)
        return RemovableHandle(hooks, fn)

    def register_prehook(self, fn: Callable[..., Any]) -> RemovableHandle:
        """Calls `fn` with the gradients of the function's results, before they are used."""
        hooks = self._hooks("adding", "before")
        hooks.append(fn)
        return RemovableHandle(hooks, fn)

    def _hooks(self, of_leaf: str, of_function: str) -> list[Any]:
        """The list that a script's functions are added to."""
        node = self._node
        if node.op is not LEAF:
            return getattr(kept_of(node), of_function)  # type: ignore[no-any-return]
        owner = node.attrs["owner"]
        return owner.hooked(getattr(owner, of_leaf))  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<{name_of(self._node)} object at {hex(id(self._node))}>"


@cache
def _class(name: str) -> type[GradFn]:
    """The class of a function's objects: PyTorch has one for each name."""
    return type(name, (GradFn,), {"__slots__": (), "__module__": "builtins"})


class Metadata:
    """What a gradient that comes to a function is like."""

    def __init__(self, node: Node) -> None:
        self.shape = list(node.shape)
        self.dtype = node.dtype
        self.device = registry.find("torch.device")("cpu")
        self.is_nested_tensor = self.is_cpp_nested_tensor = self.is_tensor_subclass = False


Metadata.__name__ = Metadata.__qualname__ = "_InputMetadata"
Metadata.__module__ = "torch._C._autograd"


class GradientEdge(NamedTuple):
    """A place that a gradient comes to: result number `output_nr` of a function."""

    node: Any
    output_nr: int
    ownership_token: Any = None

    def tensor(self) -> Any:
        """The tensor whose gradient comes to here."""
        node = self.node._node
        return tensor_of(results_of(node).get(self.output_nr, node))


def _ends(node: Node) -> tuple[Node, tuple[Node, ...]]:
    """A result of the function that PyTorch shows for `node`, and what it passes gradients to."""
    whole = composition_of(node)
    node = node if whole is None else whole.node
    inputs = _edges(node, node.call) if node.call else _differentiable(node.inputs)
    if node.op is LEAF:
        inputs = ()
    if node.op.name in ("real", "imag"):  # PyTorch selects from a view of pairs
        inputs = (sketch("ViewAsRealBackward0", *node.inputs),)
    if name_of(node) == "NotImplemented":
        inputs = tuple(filter(_has_grad_fn, inputs))
    return node, inputs


def _edges(node: Node, call: Call) -> tuple[Node, ...]:
    """The arguments of the call that made `node` that its function has a derivative by."""
    tensors, known = tensors_of(call), edges(call[0])
    if len(known) != len(tensors) or all(known):
        return call[1]
    varied = [x for x, has_slope in zip(tensors, known, strict=True) if has_slope]
    pairs = zip(call[1], receivers_of(node), strict=True)  # the copy of what was written over
    return tuple([x for x, receiver in pairs if receiver in varied])


def _differentiable(inputs: tuple[Node, ...]) -> tuple[Node, ...]:
    return tuple([x for x in inputs if x.dtype.category > INTEGER])


def _has_grad_fn(node: Node) -> bool:
    """Whether a gradient goes on from `node`; from the leaf node of a mere view it does not."""
    return node.tracked and (node.op is not LEAF or node.attrs["counts"])


_known: WeakValueDictionary[int, GradFn] = WeakValueDictionary()

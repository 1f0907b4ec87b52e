"""Autograd's functions: `backward`, `grad`, `detach`, `requires_grad_`, hooks and grad modes.

Constraints: the work is in gradcli/tensor/autograd.py; these are its names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import settle
from gradcli.graph.node import Node, current
from gradcli.tensor import Tensor, autograd, registry
from gradcli.tensor.function import composite


def _sequence(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _cotangents(value: Any, count: int) -> list[Any]:
    given = [None] * count if value is None else _sequence(value)
    if len(given) != count:
        raise GradcliError("G036", f"got {count} tensors and {len(given)} gradients")
    for cotangent in given:
        if cotangent is not None and not isinstance(cotangent, Tensor):
            raise GradcliError(
                "G036",
                f"gradients can be either Tensors or None, but got {type(cotangent).__name__}",
                kind=TypeError,
            )
    return given


@composite("Tensor.backward")
def _backward(
    input: Any,
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Adds the gradient of this tensor to `.grad` of the leaves it depends on."""
    autograd.backward(
        [input],
        _cotangents(gradient, 1),
        retain_graph=retain_graph,
        create_graph=create_graph,
        inputs=None if inputs is None else _sequence(inputs),
    )


@composite("autograd.backward", method=False)
def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Adds the gradients of `tensors` to `.grad` of the leaves they depend on."""
    outputs = _sequence(tensors)
    autograd.backward(
        outputs,
        _cotangents(grad_tensors, len(outputs)),
        retain_graph=retain_graph,
        create_graph=create_graph,
        inputs=None if inputs is None else _sequence(inputs),
    )


@composite("autograd.grad", method=False)
def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """The gradients of `outputs` by `inputs`, as a tuple."""
    results = _sequence(outputs)
    return autograd.grad(
        results,
        _sequence(inputs),
        _cotangents(grad_outputs, len(results)),
        retain_graph=retain_graph,
        create_graph=create_graph,
        allow_unused=allow_unused,
        materialize_grads=materialize_grads,
    )


@composite("Tensor.requires_grad_")
def requires_grad_(input: Any, requires_grad: bool = True) -> Any:
    """Sets `requires_grad`; returns the tensor."""
    input.requires_grad = requires_grad
    return input


@composite("detach", method=False)
def detach(input: Any) -> Any:
    """The same memory without history."""
    return input.detach()


@composite("Tensor.detach_")
def detach_(input: Any) -> Any:
    """Cuts the tensor itself from its history."""
    known = input.detach().value_node
    input._storage.node = known
    input._node, input._seen, input._requires = known, input._storage.version, False
    return input


@composite("Tensor.retain_grad")
def retain_grad(input: Any) -> None:
    """Keeps the gradient of a tensor that is no leaf in its `.grad`."""
    if input._requires or input._retains:
        return
    if not input.requires_grad:
        raise GradcliError("G030", "can't retain_grad on Tensor that has requires_grad=False")
    input._retains = True
    node = input.node
    import weakref

    owner = weakref.ref(input)

    def keep(cotangent: Node) -> Node:
        tensor = owner()
        if tensor is not None:
            autograd.accumulate(tensor, cotangent, current.tracking)
        return cotangent

    node.hooks = [*(node.hooks or ()), keep]


@composite("Tensor.register_hook")
def register_hook(input: Any, hook: Callable[[Any], Any]) -> Any:
    """Calls `hook` with each gradient of this tensor; what it returns replaces the gradient."""
    if not input.requires_grad:
        raise GradcliError(
            "G030", "cannot register a hook on a tensor that doesn't require gradient"
        )

    def called(cotangent: Node) -> Node:
        settle(cotangent)
        replaced = hook(Tensor(cotangent))
        return cotangent if replaced is None else replaced.node

    if input._requires:
        input._hooks = [*(input._hooks or ()), called]
    else:
        node = input.node
        node.hooks = [called, *(node.hooks or ())]
    return Handle(input, called)


class Handle:
    """A registered hook; `remove()` takes it back."""

    def __init__(self, tensor: Tensor, hook: Callable[[Node], Node]) -> None:
        self._tensor = tensor
        self._hook = hook

    def remove(self) -> None:
        """Takes the hook back."""
        holder: Any = self._tensor
        if holder._requires:
            holder._hooks = [h for h in holder._hooks or () if h is not self._hook]
        else:
            node = holder.node
            node.hooks = [h for h in node.hooks or () if h is not self._hook]


# -- grad modes


class GradMode:
    """`no_grad`, `enable_grad`, `set_grad_enabled`, `inference_mode`: a context, and a decorator."""

    def __init__(self, mode: bool, immediate: bool = False) -> None:
        self._mode = mode
        self._before = [current.tracking]
        if immediate:
            current.tracking = mode

    def __enter__(self) -> GradMode:
        if current.tracking != self._mode or len(self._before) > 1:
            self._before.append(current.tracking)
        else:
            self._before.append(self._before[0])
        current.tracking = self._mode
        return self

    def __exit__(self, *exception: object) -> None:
        current.tracking = self._before.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            with GradMode(self._mode):
                return function(*args, **kwargs)

        return guarded


def _mode(name: str, mode: bool, words: str) -> None:
    def make(function: Any = None) -> Any:
        return GradMode(mode) if function is None else GradMode(mode)(function)

    make.__name__ = name
    make.__doc__ = words
    registry.register(f"torch.{name}", make)
    registry.register(f"torch.autograd.{name}", make)


_mode("no_grad", False, "A block (or decorated function) in which no gradient is recorded.")
_mode("enable_grad", True, "A block (or decorated function) in which gradients are recorded.")


def inference_mode(mode: Any = True) -> Any:
    """A block in which no gradient is recorded."""
    return GradMode(False)(mode) if callable(mode) else GradMode(not mode)


def set_grad_enabled(mode: bool) -> GradMode:
    """Records gradients or not, from now on, or in a `with` block."""
    return GradMode(bool(mode), immediate=True)


def is_grad_enabled() -> bool:
    """Whether gradients are recorded now."""
    return current.tracking


for _entry in (inference_mode, set_grad_enabled, is_grad_enabled):
    registry.register(f"torch.{_entry.__name__}", _entry)
registry.register("torch.autograd.set_grad_enabled", set_grad_enabled)
registry.register("torch.autograd.inference_mode", inference_mode)

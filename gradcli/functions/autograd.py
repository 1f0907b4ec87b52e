"""Autograd's functions: `backward`, `grad`, `detach`, `requires_grad_`, hooks and grad modes.

Constraints: the work is in gradcli/tensor/autograd.py; these are its names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.node import Node, current
from gradcli.graph.op import LEAF
from gradcli.tensor import Tensor, autograd, levels, registry
from gradcli.tensor.function import composite
from gradcli.tensor.gradfn import GradientEdge
from gradcli.tensor.hooks import RemovableHandle, hooked, hooks_of
from gradcli.tensor.kept import history
from gradcli.tensor.refusals import check_requires, no_gradient, refuse_retained
from gradcli.tensor.storage import value_of
from gradcli.tensor.write import compose


def _sequence(value: Any) -> list[Any]:
    if isinstance(value, GradientEdge):
        return [value]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _tensors(name: str, value: Any) -> list[Tensor]:
    given = [x.tensor() if isinstance(x, GradientEdge) else x for x in _sequence(value)]
    for x in given:
        if not isinstance(x, Tensor):
            raise GradcliError(
                "G014",
                f"{name} can be either Tensors or None, but got {type(x).__name__}"
                if name == "gradients"
                else f"{name} must be a Tensor or a sequence of them, not {type(x).__name__}",
                kind=TypeError,
            )
    return given


def _outputs(name: str, value: Any) -> list[Tensor]:
    """The tensors to differentiate; that they are dual is no reason to ask for gradients."""
    given = _tensors(name, value)
    for number, x in enumerate(given if levels.duals else ()):
        if x.node.tracked and not x.requires_grad:
            raise no_gradient(x.node, number)
    return given


def _cotangents(value: Any, count: int) -> list[Any]:
    given = [None] * count if value is None else _sequence(value)
    if len(given) != count:
        raise GradcliError("G036", f"got {count} tensors and {len(given)} gradients")
    _tensors("gradients", [x for x in given if x is not None])
    return given


def _first(value: Any, count: int) -> Any:
    """The first `count` cotangents, where there are more: PyTorch's `grad` ignores the others."""
    return value[:count] if isinstance(value, (list, tuple)) else value


@composite("Tensor.backward")
def _backward(
    self: Any,
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Adds the gradient of this tensor to `.grad` of the leaves it depends on."""
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


@composite("autograd.backward", method=False)
def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Adds the gradients of `tensors` to `.grad` of the leaves they depend on."""
    if any(level.is_transform for level in levels.active):
        raise GradcliError(
            "G016",
            "backward() called inside a functorch transform. This is not supported, please use "
            "functorch.grad or functorch.vjp instead or call backward() outside of functorch "
            "transforms.",
        )
    outputs = _outputs("tensors", tensors)
    targets = None if inputs is None else _tensors("inputs", inputs)
    if targets is not None and not targets:
        raise GradcliError("G013", "`inputs` argument to `backward()` cannot be empty.")
    autograd.backward(
        outputs,
        _cotangents(grad_tensors, len(outputs)),
        retain_graph=retain_graph,
        create_graph=create_graph,
        inputs=targets,
    )


@composite("autograd.grad", method=False)
def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """The gradients of `outputs` by `inputs`, as a tuple."""
    results = _outputs("outputs", outputs)
    if not _sequence(inputs):
        raise GradcliError("G013", "`inputs` argument to `grad()` cannot be empty.")
    if materialize_grads and allow_unused is False:
        raise GradcliError(
            "G013",
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False.",
            kind=ValueError,
        )
    return autograd.grad(
        results,
        _tensors("inputs", inputs),
        _cotangents(_first(grad_outputs, len(results)), len(results)),
        retain_graph=retain_graph,
        create_graph=create_graph,
        allow_unused=allow_unused,
        materialize_grads=materialize_grads,
        batched=is_grads_batched,
    )


@composite("Tensor.requires_grad_")
def requires_grad_(self: Any, requires_grad: bool = True) -> Any:
    """Sets `requires_grad`; returns the tensor."""
    levels.refuse_requiring_inside()
    if self.is_leaf:
        check_requires(self, requires_grad)
    self.requires_grad = requires_grad
    return self


@composite("detach", method=False, out=None)
def detach(input: Any) -> Any:
    """The same memory without history."""
    return input.detach()


@composite("Tensor.detach_", "detach_")
def detach_(input: Any) -> Any:
    """Cuts the tensor itself from its history."""
    compose(input)
    view = input._view
    if view is not None and view.base is not None:
        raise GradcliError(
            "G033",
            "Can't detach views in-place. Use detach() instead. If you are using "
            "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set as "
            "True, gradients are views of DDP buckets, and hence detach_() cannot be called on "
            "these gradients. To fix this error, please refer to the Optimizer.zero_grad() "
            "function in torch/optim/optimizer.py as the solution.",
        )
    if input.requires_grad and not input.is_leaf:
        input.version.cut(input._node)
    input._node, input._requires = value_of(input.value_node), False
    return input


# -- hooks


@composite("Tensor.retain_grad")
def retain_grad(self: Any) -> None:
    """Keeps the gradient of a tensor that is no leaf in its `.grad`."""
    refuse_retained(self)
    levels.refuse_inside("retain_grad")
    keeper = self.autograd
    node = history(self.node)
    if node.op is LEAF or keeper.retain is not None:
        return
    held = keeper.tensor

    def keep(cotangent: Node | None) -> Node | None:
        tensor = held()
        if tensor is None or cotangent is None:
            return cotangent
        if tensor.grad is None:
            autograd.accumulate(tensor, cotangent, current.tracking)
        else:  # never in place, as in PyTorch
            tensor.autograd.grad = registry.method("add")(tensor.grad, Tensor(cotangent))
        return cotangent

    keeper.retain = keep
    hooks_of(node).append(keep)


@composite("Tensor.register_hook")
def register_hook(self: Any, hook: Callable[[Any], Any]) -> Any:
    """Calls `hook` with each gradient of this tensor; what it returns replaces the gradient."""
    if not self.requires_grad:
        raise GradcliError(
            "G030", "cannot register a hook on a tensor that doesn't require gradient"
        )

    node = history(self.node)

    def called(cotangent: Node | None) -> Node | None:
        return hooked(hook, cotangent, node.ndim)

    hooks = self.autograd.hooks if node.op is LEAF else hooks_of(node)
    # Before the hook of retain_grad, which keeps what the others have made of the gradient.
    last = bool(hooks) and hooks[-1] is self.autograd.retain
    hooks.insert(len(hooks) - last, called)
    return RemovableHandle(hooks, called)


@composite("Tensor.register_post_accumulate_grad_hook")
def register_post_accumulate_grad_hook(self: Any, hook: Callable[[Any], Any]) -> Any:
    """Calls `hook` with this leaf each time a gradient was added to its `.grad`."""
    if not self.requires_grad:
        raise GradcliError(
            "G030", "cannot register a hook on a tensor that doesn't require gradient"
        )
    if not self.is_leaf:
        raise GradcliError(
            "G030", "post accumulate grad hooks cannot be registered on non-leaf tensors"
        )
    hooks = self.autograd.hooked(self.autograd.after)
    hooks.append(hook)
    return RemovableHandle(hooks, hook)

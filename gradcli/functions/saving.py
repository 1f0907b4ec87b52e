"""`torch.autograd.graph`: hooks on what is saved for gradients, on several gradients, and edges.

Constraints: what is saved, and when it is used, is gradcli/tensor/saved.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.op import LEAF
from gradcli.tensor import Tensor, levels, registry
from gradcli.tensor.function import composite
from gradcli.tensor.gradfn import GradFn, GradientEdge
from gradcli.tensor.kept import history
from gradcli.tensor.passing import Pass, function_of, running
from gradcli.tensor.saved import Pack, watchers
from gradcli.tensor.storage import value_of


class saved_tensors_hooks:  # noqa: N801
    """A block in which what is saved for gradients is packed, to be unpacked when it is used.

    Args:
        pack_hook: takes a tensor; returns whatever is kept instead of it.
        unpack_hook: takes that; returns the tensor.
    """

    def __init__(self, pack_hook: Pack, unpack_hook: Pack) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        if watchers.refusal is not None:
            raise GradcliError("G048", watchers.refusal)
        if any(x.is_transform and x.size is None and not x.forward for x in levels.active):
            raise GradcliError(
                "G048",
                "torch.func.{grad, vjp, jacrev, hessian} don't yet support saved tensor hooks. "
                "Please open an issue with your use case.",
            )
        watchers.append((self.pack_hook, self.unpack_hook))

    def __exit__(self, *exception: object) -> None:
        watchers.pop()


def _same(value: Any) -> Any:
    return value


class save_on_cpu(saved_tensors_hooks):  # noqa: N801
    """A block in which what is saved goes to the CPU's memory, where everything is here."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(_same, _same)


class disable_saved_tensors_hooks:  # noqa: N801
    """A block in which hooks on saved tensors are refused with a message."""

    def __init__(self, error_message: str) -> None:
        self._message = error_message
        self._before: str | None = None

    def __enter__(self) -> None:
        if watchers:
            raise GradcliError("G048", self._message)
        self._before, watchers.refusal = watchers.refusal, self._message

    def __exit__(self, *exception: object) -> None:
        watchers.refusal = self._before


class allow_mutation_on_saved_tensors(saved_tensors_hooks):  # noqa: N801
    """A block in which what is saved may be written to: gradients use what it was before."""

    def __init__(self) -> None:
        super().__init__(_snapshot, _same)

    def __enter__(self) -> Any:
        super().__enter__()
        return self

    def clear(self) -> None:
        """Lets go of the copies: here nothing was copied."""


def _snapshot(tensor: Tensor) -> Tensor:
    return Tensor(value_of(tensor.value_node))


for _block in (
    *(saved_tensors_hooks, save_on_cpu, disable_saved_tensors_hooks),
    allow_mutation_on_saved_tensors,
):
    registry.register(f"torch.autograd.graph.{_block.__name__}", _block)


# -- edges


@composite("autograd.graph.get_gradient_edge", method=False)
def get_gradient_edge(tensor: Any) -> Any:
    """Where the gradient of `tensor` comes to."""
    if not tensor.requires_grad:
        raise GradcliError(
            "G030",
            "It is not possible to get the gradient edge for a Tensor that does not require "
            "gradients",
        )
    node = history(tensor.node)
    return GradientEdge(GradFn.of(node), getattr(node.call, "output", 0))


@composite("autograd.graph.increment_version", method=False)
def increment_version(tensor: Any) -> None:
    """Counts a write to `tensor`, or to each of several, that autograd did not see."""
    for x in tensor if isinstance(tensor, (list, tuple)) else (tensor,):
        x.version.bump()


registry.register("torch.autograd.graph.Node", GradFn)
registry.register("torch.autograd.graph.GradientEdge", GradientEdge)


# -- hooks of several gradients


class _MultiHandle:
    """A hook on several tensors; `remove()` takes it back."""

    __module__ = "torch.autograd.graph"

    def __init__(self, handles: Sequence[Any]) -> None:
        self._handles = tuple(handles)

    def remove(self) -> None:
        """Takes the hook back."""
        for handle in self._handles:
            handle.remove()

    def __enter__(self) -> _MultiHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class _Gathering:
    """The gradients of several tensors in one backward pass."""

    def __init__(
        self, tensors: Sequence[Tensor], fn: Callable[..., Any], all_of_them: bool
    ) -> None:
        self.nodes = [history(x.node) for x in tensors]
        self.fn = fn
        self.all_of_them = all_of_them
        self.run: Pass | None = None
        self.gradients: list[Tensor | None] = []
        self.missing = 0

    def came(self, place: int, gradient: Tensor | None) -> None:
        """Takes the gradient of tensor number `place`."""
        run = running[-1]
        if not run.adds and any(x.op is LEAF for x in self.nodes):
            raise GradcliError(
                "G037",
                "A leaf node was passed to _will_engine_execute_node but we are currently running "
                "autograd.grad(). This is currently not supported.",
            )
        if self.run is not run:
            self.run = run
            self.gradients = [None] * len(self.nodes)
            reached = run.reached()
            self.missing = len([x for x in self.nodes if function_of(x) in reached])
            if not self.all_of_them:
                self.fn(gradient)
        self.gradients[place] = gradient
        self.missing -= 1
        if self.all_of_them and not self.missing:
            self.fn(self.gradients)


@composite("autograd.graph.register_multi_grad_hook", method=False)
def register_multi_grad_hook(tensors: Any, fn: Callable[..., Any], *, mode: str = "all") -> Any:
    """Calls `fn` once in a backward pass, with the gradients of all tensors or with the first one.

    A tensor that the pass does not reach has None.
    """
    if mode not in ("all", "any"):
        raise GradcliError(
            "G013", f"Expects mode to be one of ('all', 'any') but got {mode}", kind=ValueError
        )
    if not all(x.requires_grad for x in tensors):
        raise GradcliError("G030", "Expected gradient function to be set", kind=AssertionError)
    gathering = _Gathering(tensors, fn, mode == "all")
    hook = registry.method("register_hook")
    return _MultiHandle([hook(x, partial(gathering.came, i)) for i, x in enumerate(tensors)])

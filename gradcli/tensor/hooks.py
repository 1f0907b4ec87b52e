"""Hooks: a script's functions of gradients, and what they may make of these.

Constraints: a hook sees tensors, also where many gradients come at once: then one example's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import settle
from gradcli.graph.call import Arguments, Part
from gradcli.graph.dtype import SCALAR_TYPES
from gradcli.graph.node import Node
from gradcli.tensor import registry
from gradcli.tensor.kept import kept_of
from gradcli.tensor.unwritten import gradient, noted

Hook = Callable[..., Any]


class RemovableHandle:
    """A registered hook; `remove()` takes it back."""

    __module__ = "torch.utils.hooks"

    def __init__(self, hooks: list[Any], hook: Callable[..., Any]) -> None:
        noted.begin()
        self._hooks = hooks
        self._hook = hook

    def remove(self) -> None:
        """Takes the hook back."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def hooks_of(node: Node) -> list[Any]:
    """The list of a node's hooks, out of which handles take their own.

    Those of one of several results stay with the function, whatever becomes of the result.
    """
    if node.hooks is None:
        call = node.call
        if isinstance(call, Part) and isinstance(call[1], Arguments):
            node.hooks = kept_of(node).hooks.setdefault(call.output, [])
        else:
            node.hooks = []
    return node.hooks


def hooked(hook: Hook, cotangent: Node | None, rank: int) -> Node | None:
    """What a tensor's hook makes of its gradient, of `rank` axes; None where none came to it.

    Raises:
        GradcliError: G014 or G036, as PyTorch's, for a replacement that does not fit.
    """
    if cotangent is not None and cotangent.ndim > rank:
        from gradcli.ops.batching import over_examples

        (found,) = over_examples(
            lambda g: [hooked(hook, x, rank) for x in g if x is not None],
            [cotangent],
            {},
            cotangent.shape[0],
        )
        assert found is not None
        return found
    given = _tensors((cotangent,))
    replaced = hook(*given)
    return _nodes(given)[0] if replaced is None else _fitting(hook, cotangent, replaced)


def replacements(
    hook: Hook, before: Sequence[Node | None], arguments: Sequence[Sequence[Node | None]]
) -> list[Any]:
    """What a function's hook, called with `arguments`, makes of the gradients `before`."""
    given = [_tensors(nodes) for nodes in arguments]
    after = hook(*given)
    if after is None:
        return _nodes(given[0]) if given else list(before)
    if not isinstance(after, tuple):
        raise not_a("tuple", after)
    if len(after) != len(before):
        raise GradcliError(
            "G036",
            f"hook '{_name(hook)}' has returned an incorrect number of values (got {len(after)}, "
            f"but expected {len(before)})",
        )
    return [
        None if new is None else _fitting(hook, old, new)
        for old, new in zip(before, after, strict=True)
    ]


def _tensors(nodes: Sequence[Node | None]) -> tuple[Any, ...]:
    """What a hook gets for gradients."""
    kind = registry.find("torch.Tensor")
    for node in nodes:
        if node is not None:
            settle(node)
    return tuple(None if node is None else gradient(node, kind) for node in nodes)


def _nodes(tensors: Sequence[Any]) -> list[Node | None]:
    """The gradients that a hook got, as it has left them: it may write to them."""
    return [None if tensor is None else tensor.node for tensor in tensors]


def not_a(wanted: str, found: Any) -> GradcliError:
    """G014 for what a hook returned in place of `wanted`."""
    sentence = f"expected {wanted}, but hook returned '{type(found).__name__}'"
    return GradcliError("G014", sentence, kind=TypeError)


def _fitting(hook: Hook, before: Node | None, after: Any) -> Node:
    if before is None:
        raise GradcliError("G036", "can't replace a None gradient with a non-None value")
    if not isinstance(after, registry.find("torch.Tensor")):
        raise not_a("Variable", after)
    node: Node = after.node
    if node.dtype is not before.dtype:
        old, new = (f"torch.{SCALAR_TYPES[x.dtype]}Tensor" for x in (before, node))
        raise GradcliError(
            "G036", f"hook '{_name(hook)}' has changed the type of value (was {old} got {new})"
        )
    if node.shape != before.shape:
        raise GradcliError("G036", f"hook '{_name(hook)}' has changed the size of value")
    return node


def _name(hook: Hook) -> str:
    return str(getattr(hook, "__name__", "hook"))

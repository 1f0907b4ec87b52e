"""Functions that PyTorch composes of others: their history is made when somebody asks for it.

Constraints: values and gradients are those of the function itself; a composition says which
functions stand between it and its arguments, and what gradients that can be differentiated go
through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gradcli.graph.call import Arguments, Call, tensors_of
from gradcli.graph.node import Node
from gradcli.tensor import layout
from gradcli.tensor.saved import watchers
from gradcli.tensor.storage import Stop, Storage
from gradcli.tensor.tensor import Tensor

Strides = tuple[int, ...]


def compose(
    call: Call,
    body: Callable[..., Any],
    tensors: Sequence[Tensor],
    args: Sequence[Any],
    kwargs: dict[str, Any],
) -> Call:
    """`call` of a function that PyTorch composes as `body` does, of the same arguments."""
    arguments = Arguments(call[1], tensors_of(call))
    strides = {x.node: layout.strides_of(x) for x in tensors if x._storage is not None}
    arguments.composition = partial(_made, body, args, kwargs, strides)
    return call[0], arguments


def _made(
    body: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    strides: dict[Node, Strides],
) -> Any:
    watchers.append(None)  # what the function keeps itself was packed, or not, when it was called
    try:
        with Stop(True):
            given = [_closed(a, strides) for a in args]
            return body(*given, **{k: _closed(v, strides) for k, v in kwargs.items()})
    finally:
        watchers.pop()


def _closed(value: Any, strides: dict[Node, Strides]) -> Any:
    """An argument of nodes as one of tensors."""
    if isinstance(value, Node):
        stamp = value.stale
        made = Tensor(value, Storage(value, strides.get(value)))
        value.stale = stamp  # of the memory that it comes from
        return made
    if isinstance(value, list):
        return [_closed(v, strides) for v in value]
    return value


def opened(value: Any, tensors: list[Tensor], nodes: list[Node]) -> Any:
    """An argument as bodies take it: a node for a tensor, also inside lists; collects both."""
    if isinstance(value, Tensor):
        node = value.node
        tensors.append(value)
        nodes.append(node)
        return node
    if isinstance(value, (list, tuple)) and any(
        isinstance(v, (Tensor, list, tuple)) for v in value
    ):
        return [opened(v, tensors, nodes) for v in value]
    return value

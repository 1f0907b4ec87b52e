"""The call that a node comes from: the grad_fn name that PyTorch shows, and its arguments.

Constraints: a pair (name, arguments), or a `Part` where the function has several results.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gradcli.graph.node import Node

Call = tuple[str, tuple[Node, ...]]


class Part(tuple[str, tuple[Node, ...]]):
    """The call of a function with several results: also says which of them a node is.

    The results of one call share the tuple of its arguments, by which they are known to belong
    together.
    """

    output: int
    grad_fn: Any

    def __new__(
        cls, name: str, arguments: tuple[Node, ...], output: int, grad_fn: Any = None
    ) -> Part:
        """The call of `name`, whose result number `output` it is, and whose one grad_fn."""
        part = tuple.__new__(cls, (name, arguments))
        part.output = output
        part.grad_fn = grad_fn
        return part


class Arguments(tuple[Node, ...]):
    """The arguments of a call, and what PyTorch keeps for its gradient beyond what the rules use.

    Attributes:
        kept: some of the arguments.
        keeps_result: whether it keeps the result too.
    """

    kept: tuple[Node, ...]
    keeps_result: bool

    def __new__(
        cls, nodes: Iterable[Node], kept: tuple[Node, ...], keeps_result: bool
    ) -> Arguments:
        """The arguments `nodes`."""
        made = tuple.__new__(cls, nodes)
        made.kept, made.keeps_result = kept, keeps_result
        return made


def held(node: Node) -> tuple[Node, ...]:
    """What PyTorch keeps for the gradient of the function whose result `node` is, as declared."""
    arguments = node.call[1] if node.call is not None else None
    if not isinstance(arguments, Arguments):
        return ()
    return (*arguments.kept, node) if arguments.keeps_result else arguments.kept


def with_arguments(call: Call, arguments: tuple[Node, ...]) -> Call:
    """The same call of other arguments."""
    if isinstance(call, Part):
        return Part(call[0], arguments, call.output, call.grad_fn)
    return call[0], arguments

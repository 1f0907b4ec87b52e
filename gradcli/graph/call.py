"""The call that a node comes from: the grad_fn name that PyTorch shows, and its arguments.

Constraints: a pair (name, arguments), or a `Part` where the function has several results.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.op import DETACH
from gradcli.graph.walk import ancestors

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
    """The arguments of a call that a gradient may go to, and what else belongs to the call.

    Attributes:
        tensors: all tensors that the function took, in the order of PyTorch's signature.
        results: by their numbers, of a function with several, held weakly.
        varied: the numbers of those that a gradient flows through.
        kept: what a script keeps with the function, of several results.
        composition: makes the result as PyTorch does, of other functions; None where it does not.
        composed: that result, once somebody looked at it.
        receivers: what gradients are passed to: the arguments, or copies that were computed with.
    """

    tensors: tuple[Node, ...]
    results: dict[int, weakref.ref[Node]]
    varied: list[int]
    kept: Any
    composition: Callable[[], Any] | None
    composed: Any
    receivers: tuple[Node, ...]

    def __new__(cls, nodes: Iterable[Node], tensors: Iterable[Node]) -> Arguments:
        """The arguments `nodes`, of all the `tensors`."""
        made = tuple.__new__(cls, nodes)
        made.tensors, made.results, made.varied, made.kept = tuple(tensors), {}, [], None
        made.composition, made.composed, made.receivers = None, None, made
        return made


def tensors_of(call: Call) -> tuple[Node, ...]:
    """All tensors that the function of a call took."""
    arguments = call[1]
    return arguments.tensors if isinstance(arguments, Arguments) else arguments


def receivers_of(node: Node) -> tuple[Node, ...]:
    """What the function that made `node` passes gradients to, in the order of its arguments."""
    arguments = node.inputs if node.call is None else node.call[1]
    return arguments.receivers if isinstance(arguments, Arguments) else arguments


def results_of(node: Node) -> dict[int, Node]:
    """By their numbers, the results of the call whose result `node` is."""
    call = node.call
    if not isinstance(call, Part):
        return {0: node}
    known = call[1].results if isinstance(call[1], Arguments) else {}
    found = {number: held() for number, held in known.items()}
    return {**{i: other for i, other in found.items() if other is not None}, call.output: node}


def swapped(call: Call, swap: Callable[[Node], Node], memory: dict[int, tuple[Node, ...]]) -> Call:
    """The same call of other arguments; `memory` lets the results of one call share them.

    Arguments that only show a call (gradcli/tensor/sketch.py) show it of other arguments, too.
    """
    arguments = call[1]
    made = memory.get(id(arguments))
    if made is None:
        swapping = partial(_swapped_shown, swap=swap, memory=memory)
        made = tuple(map(swapping, arguments))
        if isinstance(arguments, Arguments):
            receivers = arguments.receivers
            made = Arguments(made, map(swapping, arguments.tensors))
            if receivers is not arguments:
                made.receivers = tuple(map(swapping, receivers))
        elif hasattr(arguments, "remade"):
            made = arguments.remade(made)
        memory[id(arguments)] = made
    if isinstance(call, Part):
        return Part(call[0], made, call.output, call.grad_fn)
    return call[0], made


def _swapped_shown(
    node: Node, swap: Callable[[Node], Node], memory: dict[int, tuple[Node, ...]]
) -> Node:
    """`swap(node)`; of a node that only shows a call, one that shows it of other arguments."""
    if node.op is not DETACH or node.call is None:
        return swap(node)
    if id(node) not in memory:
        call = swapped(node.call, swap, memory)
        made = Node(node.op, call[1][:1], node.attrs, node.shape, node.dtype, node.tracked)
        made.call = call
        memory[id(node)] = (made,)
    return memory[id(node)][0]


def is_composed(call: Call) -> bool:
    """Whether PyTorch composes the function of a call of others."""
    return getattr(call[1], "composition", None) is not None


def composition_of(node: Node) -> Any:
    """The tensor that PyTorch composes of others where a function made `node`; None for none."""
    arguments = node.call[1] if node.call is not None else None
    if not isinstance(arguments, Arguments) or arguments.composition is None:
        return None
    if arguments.composed is None:
        arguments.composed = arguments.composition()
    return arguments.composed


def is_seen(node: Node) -> bool:
    """Whether somebody looked at what PyTorch composes `node` of."""
    return node.call is not None and getattr(node.call[1], "composed", None) is not None


def as_one(result: Node, *arguments: Node) -> Node:
    """`result`, whose steps from `arguments` show no functions of their own: they are one."""
    inner = ancestors([result], lambda x: x.tracked and x not in arguments)
    for step in inner:
        step.call = None
    return result


def give(node: Node, call: Call) -> None:
    """Notes that `node` is a result of `call`; that shows where a gradient flows through it."""
    if node.tracked:
        node.call = call
    if isinstance(call, Part) and isinstance(call[1], Arguments):
        call[1].results[call.output] = weakref.ref(node)
        if node.tracked:
            call[1].varied.append(call.output)

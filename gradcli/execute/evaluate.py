"""Values on demand: computes what is asked for and what it needs, in one pass, each node once.

Constraints: no recursion; a node through which nobody can differentiate lets go of its inputs as
soon as its value is known, so that memory follows what can still be used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NumPy
from gradcli.execute.elsewhere import elsewhere
from gradcli.execute.limits import memory
from gradcli.execute.whole import apart, give_parts, reads_much, whole
from gradcli.graph.dtype import bool_
from gradcli.graph.node import Node, current
from gradcli.graph.op import SYMBOL, UNKNOWN
from gradcli.graph.walk import ancestors

SMALL = 32768
"""Elements up to which a node is computed at once; beyond, it waits until its value is needed.

Measured on values and gradients of 5 and of 30 nodes: up to here computing at once takes 0.9 to 1.2
of waiting, from twice as many on 1.3 to 3, as everything on the way is kept."""

SWEEP = 1 << 21
"""Elements in a graph from which it pays to plan sweeps over tiles: at half as many planning and
starting threads takes as long as it saves, with 30 nodes as with 5."""

backend = NumPy()


class Silence:
    """A block in which NumPy does not warn of overflow and the like; entering an inner one is free.

    Whoever computes many small values, such as an interpreter, opens one around all of them.
    """

    __slots__ = ("_state", "depth")

    def __init__(self) -> None:
        self.depth = 0
        self._state = np.errstate(all="ignore")

    def __enter__(self) -> None:
        if not self.depth:
            self._state = np.errstate(all="ignore")
            self._state.__enter__()
        self.depth += 1

    def __exit__(self, *exception: object) -> None:
        self.depth -= 1
        if not self.depth:
            self._state.__exit__(None, None, None)


silence = Silence()


def evaluate(nodes: Iterable[Node]) -> None:
    """Gives every node of `nodes` its value.

    Raises:
        GradcliError: with the place of the op that failed; G060 when the results would not fit into
            memory.
    """
    targets = {node for node in nodes if node.value is None}
    if elsewhere.engine is not None:
        elsewhere.engine.compute(list(targets))
        return
    order = ancestors(targets, lambda node: node.value is None)
    if sum(node.size for node in order) > SWEEP or reads_much(order):
        order = _left(order, targets)
        from gradcli.execute.schedule import Plan

        try:
            plan = Plan(order, targets)
        except GradcliError:
            groups = apart(order)
            for group in groups:
                evaluate(group)
            if groups:
                return evaluate(targets)
            raise
        if plan.pays:
            with np.errstate(all="ignore"):
                found = plan.run(in_one_piece, also=True)
            for node, value in found.items():
                if value is not None:  # its rows went elsewhere
                    node.value = value
                    let_go(node)
            return
    order.reverse()
    with np.errstate(all="ignore"):
        while order:
            compute(order.pop())


def _left(order: list[Node], targets: set[Node]) -> list[Node]:
    """What of `order` is to be computed once parts are given; G012 where a variable has no value.

    Sizes may be unknown with the value, so that a plan could not compare them with a limit.
    """
    for node in order:
        if node.op is SYMBOL:
            raise _unbound(node)
    if not give_parts(order):
        return order
    for node in [node for node in order if node.value is not None]:
        let_go(node)
    return ancestors(targets, lambda node: node.value is None)


def in_one_piece(node: Node, values: dict[Node, Any]) -> Any:
    """The value of one node from those computed so far."""
    inputs = [whole(values[x], node) for x in node.inputs]
    memory.refuse_node(node)
    return guarded(node, inputs)


def compute(node: Node) -> None:
    """Gives `node` its value; its inputs have theirs."""
    if node.size > SMALL:
        memory.refuse_node(node)
    _compute_small(node)


def _compute_small(node: Node) -> None:
    node.value = guarded(node, [x.value for x in node.inputs])
    let_go(node)


def let_go(node: Node) -> None:
    """Drops what a node with a value was computed from, but for what derivatives may follow."""
    node.inputs = kept_inputs(node)


def kept_inputs(node: Node) -> tuple[Node, ...]:
    """The inputs that a node with a value keeps, since derivatives may follow them.

    A condition inside of a function keeps its own: where the function's arguments were overwritten
    behind autograd's back, it holds for what they are now.
    """
    if not node.tracked:
        inner = node.dtype is bool_ and not node.released
        return node.inputs if inner and any(x.tracked or x.inputs for x in node.inputs) else ()
    if node.released:
        return tuple([x for x in node.inputs if x.tracked])
    return node.inputs


def guarded(node: Node, values: list[Any]) -> Any:
    """Runs the kernel; whatever it raises becomes an error with the node's place."""
    if node.op is SYMBOL:
        raise _unbound(node)
    try:
        return backend.run(node, values)
    except GradcliError as error:
        raise error.at(node.span) from None
    except MemoryError:
        raise memory.error([node]) from None
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise unfit(node, error) from error


def _unbound(node: Node) -> GradcliError:
    """G012 for a variable that has a shape only, where a value decides."""
    name = node.attrs["name"]
    return GradcliError(
        "G012",
        f"{name} has no value, and its value decides here",
        node.span,
        help=f"give it one: {name}=...",
        kind=NameError,
    )


def unknown(node: Node) -> bool:
    """Whether a variable without a value takes part in it, so that nothing can be checked."""
    return any(x.op is SYMBOL for x in ancestors([node], lambda x: x.value is None))


def checked(node: Node, question: Callable[[Any], Any]) -> Any:
    """What `question` answers about the node's value; None where there is none."""
    return None if unknown(node) else answer(node, question)


def unfit(node: Node, error: Exception) -> GradcliError:
    """What a kernel's complaint becomes: the op refuses these dtypes, or gradcli has a bug."""
    dtypes = ", ".join(x.dtype.name for x in node.inputs)
    if any(x.dtype.category < 2 or x.dtype.is_complex for x in node.inputs):
        return GradcliError("G025", f'"{node.op.name}" not implemented for {dtypes}', node.span)
    return GradcliError("G099", f"{node.op.name}({dtypes}) failed: {error}", node.span)


def settle(node: Node) -> None:
    """Computes `node` now if it and everything it waits for is small; else marks it as waiting."""
    if node.value is not None:
        return
    if elsewhere.engine is not None:
        elsewhere.engine.wait(node)
        return
    waiting = [node]
    for x in node.inputs:
        if x.value is None:
            waiting = _waiting(node)
            break
    else:
        if node.op in UNKNOWN or not _is_small(node):
            waiting = []
    if not waiting:
        node.pending = True
        return
    with silence:
        for x in waiting:
            _compute_small(x)


def _is_small(node: Node) -> bool:
    return prod(node.shape) <= SMALL and all([prod(x.shape) <= SMALL for x in node.inputs])


def _waiting(node: Node) -> list[Node]:
    """What must be computed for `node`, inputs first; nothing where that is no small work."""
    found, stack, size = {node}, [node], 0
    while stack:
        x = stack.pop()
        size += prod(x.shape)
        if x.pending or size > SMALL or x.op in UNKNOWN:
            return []
        for y in x.inputs:
            if y.value is None:
                if y not in found:
                    found.add(y)
                    stack.append(y)
            elif prod(y.shape) > SMALL:
                return []
    return sorted(found, key=_serial)


def _serial(node: Node) -> int:
    return node.serial


def array(node: Node) -> Any:
    """The node's value as a NumPy array, computed if need be."""
    if current.recording is not None:
        current.recording.looked.append(node)
    return _position(node)


def seen(node: Node) -> Any:
    """The node's value as `array` gives it, for a user's eyes: it is computed where all else is."""
    if current.recording is not None:
        current.recording.looked.append(node)
    return _known(node)


def answer(node: Node, question: Callable[[Any], Any]) -> Any:
    """What `question` answers about the node's value, where nothing else follows from the value.

    Args:
        node: computed if need be.
        question: a function of the array alone.
    """
    found = question(_position(node))
    if current.recording is not None:
        current.recording.asked.append((node, question, found))
    return found


def _position(node: Node) -> Any:
    """The value, for a function that must know it; an engine need not compute for a position."""
    if elsewhere.engine is not None and node.value is None and node.dtype.category < 2:
        found = elsewhere.engine.position(node)
        if found is not None:
            return found
    return _known(node)


def _known(node: Node) -> Any:
    if node.value is None:
        evaluate([node])
    value = whole(node.value, node)
    try:
        return np.asarray(value)
    except TypeError:  # a device's memory is read by its library
        assert elsewhere.engine is not None
        return elsewhere.engine.fetched(value)

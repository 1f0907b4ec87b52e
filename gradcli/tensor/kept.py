"""What is known of the function that made a node: its name in grad_fn, what scripts keep with it.

Constraints: names are derived (CamelCase of the op PyTorch dispatches to, and the index of its
overload); nothing here is made while a script computes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from gradcli.errors import GradcliError
from gradcli.graph.call import Arguments, Part
from gradcli.graph.node import Node
from gradcli.graph.op import LEAF, OVERWRITE
from gradcli.tensor import levels


def history(node: Node) -> Node:
    """The node that stands for `node` in autograd: writes that autograd did not see left it."""
    while node.op is OVERWRITE and node.inputs and node.call is node.inputs[0].call:
        node = node.inputs[0]
    return node


def behind_dual(node: Node) -> Node:
    """`node`, or what a variable of forward mode stands around: PyTorch has no such variables."""
    if levels.duals and node.op is LEAF and node.attrs["owner"] in levels.duals:
        return node.inputs[0]
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


def described(function: str, at: int) -> str:
    """How Python shows a function of PyTorch's, by its qualified name below `torch`."""
    space, _, name = function.rpartition(".")
    if space in ("fft", "linalg", "special"):
        return f"<built-in function {space}_{name}>"
    what = f"function {name}" if space else f"built-in method {name} of type object"
    return f"<{what} at {hex(at)}>"


def without_derivative(function: str) -> list[Callable[[Node | None], Node | None]]:
    """The hook that refuses the gradient of the in-place form of a function."""

    def refuse(cotangent: Node | None) -> Node | None:
        sentence = f"the derivative for 'inplace version of {function}' is not implemented."
        raise GradcliError("G037", sentence, kind=NotImplementedError)

    return [refuse]


def called(node: Node, name: str, *arguments: Node, overload: int = 0) -> Node:
    """`node`, shown as the result of PyTorch's function `name` of `arguments`."""
    if node.tracked:
        node.call = (backward_name(name, overload), arguments)
    return node


def name_of(node: Node) -> str:
    """The grad_fn name of a node: the function's that made it, else its op's."""
    if node.call is not None:
        return node.call[0]
    return "AccumulateGrad" if node.op is LEAF else backward_name(node.op.torch)


QUALIFIED = frozenset(("AccumulateGrad", "CopySlices", "CopyBackwards", "NotImplemented", "Error"))
"""Names that PyTorch does not derive from an op: `.name()` has their namespace in front."""


def qualified(name: str) -> str:
    """A grad_fn's name as `.name()` gives it."""
    return f"torch::autograd::{name}" if name in QUALIFIED else name


Packed = dict[Any, tuple[Any, Callable[[Any], Any]]]


class Kept:
    """What a script keeps with a function.

    Attributes:
        metadata: whatever it likes.
        before: functions of the gradients of the function's results, before these are used.
        after: functions of the gradients that it passes on and of those of its results.
        hooks: by the number of one of several results, functions of the gradient of that.
        packed: by name and place of a saved tensor, what a hook packed and what unpacks it.
        used: whether any function has such company.
    """

    __slots__ = ("after", "before", "hooks", "metadata", "packed")
    used = False

    def __init__(self) -> None:
        self.metadata: dict[Any, Any] = {}
        self.before: list[Callable[..., Any]] = []
        self.after: list[Callable[..., Any]] = []
        self.hooks: dict[int, list[Callable[..., Any]]] = {}
        self.packed: Packed = {}

    def passing(self) -> Kept:
        """What concerns the gradients that the function passes on, alone."""
        made = Kept()
        made.after = self.after
        return made


_of_nodes: WeakKeyDictionary[Node, Kept] = WeakKeyDictionary()
"""Of functions with one result, by that."""
NOTHING = Kept()


def kept_of(node: Node) -> Kept:
    """What a script keeps with the function whose result `node` is, to add to it."""
    Kept.used = True
    call = node.call
    if isinstance(call, Part) and isinstance(call[1], Arguments):
        if call[1].kept is None:
            call[1].kept = Kept()
        kept: Kept = call[1].kept
        return kept
    return _of_nodes.setdefault(node, Kept())


def looked_up(node: Node) -> Kept:
    """What a script keeps with the function whose result `node` is, to read only."""
    if not Kept.used:
        return NOTHING
    call = node.call
    if isinstance(call, Part) and isinstance(call[1], Arguments):
        return call[1].kept or NOTHING
    return _of_nodes.get(node, NOTHING)

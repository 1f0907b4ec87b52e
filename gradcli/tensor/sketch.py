"""Sketches: nodes that stand in a call for a step that PyTorch takes, and show its name.

Constraints: nothing is computed from them. A sketch is differentiated as PyTorch differentiates
what it stands for, by the rows of second.txt, to another sketch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.op import DETACH
from gradcli.graph.shape import Shape
from gradcli.tensor.formulas import refusal
from gradcli.tensor.kept import name_of

TURNS = frozenset(("TBackward0", "TransposeBackward0", "PermuteBackward0"))
ALIKE = frozenset(
    f"{name}Backward{overload}"
    for name in (
        *("Add", "Sub", "Mul", "Div", "Neg", "Where", "MaskedFill", "Pow", "Exp", "Log", "Sqrt"),
        *("Sin", "Cos", "Tanh", "Sigmoid", "Relu", "Clone", "Abs", "Sgn", "Reciprocal", "Alias"),
    )
    for overload in range(2)
)
"""Functions whose results lie in memory as their first arguments do."""
NO_FACTS: Mapping[str, Any] = {}
NOTHING = {"value": 0, "shape": ()}
"""The attributes of what stands for something that no gradient goes to."""


def is_sketch(node: Node) -> bool:
    """Whether a node only shows a name."""
    return node.op is DETACH and node.tracked


def is_unknown(node: Node) -> bool:
    """Whether a node stands for a value that is not known here."""
    return is_sketch(node) or "refused" in node.attrs or node.attrs is NOTHING


class Told(tuple[Node, ...]):
    """The arguments of a call, with `facts`, what else the function was called with."""

    facts: Mapping[str, Any]

    def __new__(cls, arguments: Iterable[Node], facts: Mapping[str, Any]) -> Told:
        """The arguments, and the rest by name."""
        made = tuple.__new__(cls, arguments)
        made.facts = facts
        return made

    def remade(self, arguments: Iterable[Node]) -> Told:
        """Other arguments, with the same facts."""
        return Told(arguments, self.facts)


def sketch(
    name: str, *arguments: Node, shape: Shape | None = None, facts: Mapping[str, Any] = NO_FACTS
) -> Node:
    """A node that shows the function `name` of `arguments`, called with `facts`."""
    first = arguments[0]
    tracked = any(x.tracked for x in arguments)
    shape = _shape(name, arguments) if shape is None else shape
    refused = refusal(name)
    attrs = {"refused": refused}
    made = Node(DETACH, (first,), attrs, shape, first.dtype, tracked)
    known = Told(arguments, facts) if facts else arguments
    made.call = ("NotImplemented" if name[0] == "!" else name, known)
    return made


def leaves(arguments: Sequence[Node]) -> list[Node]:
    """The nodes that sketches among `arguments` come from, and the other arguments themselves."""
    inner = behind(arguments)
    known = [*arguments, *(x for step in inner if step.call is not None for x in step.call[1])]
    return list(dict.fromkeys(x for x in known if x not in inner))


class Apart(tuple[Node, Node]):
    """What a sum is shown as: of the two, the first may be such a sum itself.

    A gradient to which it is added gets its summands one by one, as they come in PyTorch.
    """

    def remade(self, arguments: Iterable[Node]) -> Apart:
        """Such a sum of other nodes."""
        return Apart(arguments)


def added(parts: Sequence[Node | None], *, apart: bool = False) -> Node | None:
    """The sum of what several ways pass on; None where one of them is not known.

    `apart`, the summands come one by one.
    """
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    total, *rest = known
    for part in rest:
        total = sketch("AddBackward0", total, part)
        if apart:
            total.call = ("AddBackward0", Apart((total.call or ("", ()))[1]))
    return total


def summands(node: Node) -> list[Node]:
    """What comes one by one where `node` is shown to come; itself, unless it is such a sum."""
    if node.call is None or not isinstance(node.call[1], Apart):
        return [node]
    first, second = node.call[1]
    return [*(summands(first) if is_sketch(first) else [first]), second]


def behind(arguments: Iterable[Node]) -> list[Node]:
    """The sketches among `arguments` and those that they come from, the last last."""
    found, stack = set[Node](), list(arguments)
    while stack:
        x = stack.pop()
        if is_sketch(x) and x not in found and x.call is not None:
            found.add(x)
            stack += x.call[1]
    return sorted(found, key=lambda x: x.serial)


def is_turned(x: Node) -> bool:
    """Whether PyTorch takes `x` for a transposed matrix, by its strides."""
    turned = False
    while x.ndim == 2 and x.shape != (1, 1):
        name, known = name_of(x), x.inputs if x.call is None else x.call[1]
        if name in TURNS and known:
            turned = not turned
        elif name == "LinalgSolveExBackward0":
            return not turned
        elif name not in ALIKE or not known or known[0].shape != x.shape:
            return turned
        x = known[0]
    return x.shape == (1, 1)


def added_up(source: Node, shape: Shape) -> Node:
    """How PyTorch sums `source` over the axes along which an argument of `shape` was repeated."""
    if not shape:
        return sketch("SumBackward0", source, shape=shape)
    added = sketch("SumBackward1", source, shape=shape)
    return added if len(shape) == source.ndim else sketch("ViewBackward0", added, shape=shape)


def _shape(name: str, arguments: Sequence[Node]) -> Shape:
    """The shape of a function's result, where that follows from its name."""
    first, last = arguments[0].shape, arguments[-1].shape
    if name == "UnsqueezeBackward0":
        return (*first, 1)
    if len(first) >= 2 and name in ("TBackward0", "TransposeBackward0"):
        return (*first[:-2], first[-1], first[-2])
    if len(first) >= 2 and len(last) >= 2 and name in ("MmBackward0", "BmmBackward0"):
        return (*first[:-1], last[-1])
    return common(arguments) or first


def common(arguments: Sequence[Node]) -> Shape | None:
    """The shape that all arguments are repeated to; None where they are not."""
    rank = max(x.ndim for x in arguments)
    sizes = [1] * rank
    for x in arguments:
        for axis in range(-x.ndim, 0):
            size = x.shape[axis]
            if size != sizes[axis] and size != 1:
                if sizes[axis] != 1:
                    return None
                sizes[axis] = size
    return tuple(sizes)

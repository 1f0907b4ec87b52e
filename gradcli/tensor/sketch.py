"""Sketches: nodes that stand in a call for a step that PyTorch takes, and show its name.

Constraints: nothing is computed from them. A sketch is differentiated as PyTorch differentiates
what it stands for, by the rows of second.txt, to another sketch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from gradcli.graph.node import NO_ATTRS, Node
from gradcli.graph.op import DETACH, FULL
from gradcli.graph.shape import Shape
from gradcli.graph.walk import ancestors
from gradcli.ops.reduction import total
from gradcli.tensor.formulas import Formula, Row, refusal, row
from gradcli.tensor.kept import name_of

NOTHING = {"value": 0, "shape": ()}
"""The attributes of what stands for something that no gradient goes to."""
ARGUMENTS = {"x": 0, "y": 1, "z": 2}
G: Formula = ("g", ())
REPEATED = frozenset(
    f"{name}Backward{overload}"
    for name in (
        *("Add", "Sub", "Mul", "Div", "Neg", "Where", "MaskedFill", "MaskedScatter"),
        *("Select", "LinalgCross"),
    )
    for overload in range(2)
) | {"g"}
"""Beginnings of formulas whose results have the shape that all arguments are repeated to."""
COTANGENTS = {"g0": 0, "g1": 1, "g2": 2}


class Seen(NamedTuple):
    """What the formulas of one function speak of, and `part`, what it passes on, if computed."""

    cotangents: Sequence[Node | None]
    out: Node
    arguments: Sequence[Node]
    part: Node | None = None

    @property
    def first(self) -> Node:
        """The first cotangent that there is."""
        return next(g for g in self.cotangents if g is not None)

    def repeats(self, position: int) -> bool:
        """Whether the function repeats an argument: what is passed on has to be added up."""
        summed = self.part is not None and self.part.tracked and self.part.op is total
        if summed and self.arguments[position].shape != self.out.shape:
            return True
        return _common(self.arguments) == self.out.shape

    @property
    def scaled(self) -> bool:
        """Whether what is passed on is multiplied by a number."""
        newest = max(g.serial for g in self.cotangents if g is not None)
        steps = [] if self.part is None else ancestors([self.part], lambda x: x.serial > newest)
        return any(x.op.name == "mul" and _is_factor(x.inputs[1]) for x in steps)

    @property
    def reduced(self) -> int:
        """How many dims of its first argument the function has reduced."""
        return self.arguments[0].ndim - self.out.ndim


def _is_factor(x: Node) -> bool:
    return x.op is FULL and x.attrs["value"] != 1


def is_sketch(node: Node) -> bool:
    """Whether a node only shows a name."""
    return node.op is DETACH and node.tracked


def is_unknown(node: Node) -> bool:
    """Whether a node stands for a value that is not known here."""
    return is_sketch(node) or node.attrs is NOTHING


def sketch(name: str, *arguments: Node, shape: Shape | None = None) -> Node:
    """A node that shows the function `name` of `arguments`."""
    first = arguments[0]
    tracked = any(x.tracked for x in arguments)
    shape = _shape(name, arguments) if shape is None else shape
    refused = refusal(name)
    attrs = NO_ATTRS if refused is None else {"refused": refused}
    made = Node(DETACH, (first,), attrs, shape, first.dtype, tracked)
    made.call = ("NotImplemented" if name[0] == "!" else name, arguments)
    return made


def leaves(arguments: Sequence[Node]) -> list[Node]:
    """The nodes that sketches among `arguments` come from, and the other arguments themselves."""
    inner = behind(arguments)
    known = [*arguments, *(x for step in inner if step.call is not None for x in step.call[1])]
    return list(dict.fromkeys(x for x in known if x not in inner))


def operand(formula: Formula, seen: Seen) -> tuple[Node, ...]:
    """The nodes that an argument of a formula speaks of; a sketch, for a call.

    None where a formula speaks of the cotangent of a result that has none.
    """
    name, operands = formula
    if name == "all":
        return tuple(_nothing(seen) if g is None else g for g in seen.cotangents)
    if operands:
        several = [operand(inner, seen) for inner in operands]
        if name == "sum":
            several = [found for found in several if found]
        used = [x for found in several for x in found]
        if name == "first":
            return next(filter(None, several), ())
        if not all(several) or not used:
            return ()
        if name in WORDS:
            return (WORDS[name](seen, *used),)
        reduced = name == "ExpandBackward0" and not is_sketch(seen.out)
        return (sketch(name, *used, shape=seen.arguments[0].shape if reduced else None),)
    if name in ARGUMENTS:
        place = ARGUMENTS[name]
        return (seen.arguments[place] if place < len(seen.arguments) else _nothing(seen),)
    if name in COTANGENTS:
        place = COTANGENTS[name]
        g = seen.cotangents[place] if place < len(seen.cotangents) else None
        return () if g is None else (g,)
    return ({"g": seen.first, "out": seen.out}.get(name) or _nothing(seen),)


def contribution(known: Row | None, position: int, seen: Seen) -> Node | None:
    """What a function passes to an argument, as its row says; None where the row does not say."""
    listed, x = known.of(position) if known is not None else (), seen.arguments[position]
    if not listed:
        return None
    formula = listed[-1 if is_turned(x) else 0]
    for found in operand(formula, seen):
        alike = formula in (G, ("times", (G,))) and found.shape == seen.first.shape
        if found.shape != x.shape and (
            alike or (seen.repeats(position) and formula[0] in REPEATED)
        ):
            return added_up(found, x.shape)
        if found.op is DETACH and found not in (*seen.cotangents, *seen.arguments):
            found.shape = x.shape
        return found
    return None


def pulled(seen: Seen, name: str) -> dict[Node, Node | None]:
    """What a function, called by a formula, passes to the nodes that the formula speaks of.

    None for a node that something without a row passes to.
    """
    found: dict[Node, Node | None] = {}
    steps, waiting = [(name, seen)], behind(seen.arguments)
    while steps:
        name, here = steps.pop()
        for position, x in enumerate(here.arguments):
            if x.tracked:
                part = None if None in here.cotangents else contribution(row(name), position, here)
                found[x] = added([found[x], part]) if x in found else part
        if waiting:
            inner = waiting.pop()
            assert inner.call is not None
            g = found.pop(inner, None)
            steps.append((inner.call[0], Seen([g], inner, inner.call[1])))
    return found


def added(parts: Sequence[Node | None]) -> Node | None:
    """The sum of what several ways pass on; None where one of them is not known."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    total, *rest = known
    for part in rest:
        total = sketch("AddBackward0", total, part)
    return total


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
    return x.shape == (1, 1) or (
        x.ndim == 2 and name_of(x) in ("TBackward0", "TransposeBackward0", "PermuteBackward0")
    )


def added_up(source: Node, shape: Shape) -> Node:
    """How PyTorch sums `source` over the axes along which an argument of `shape` was repeated."""
    if not shape:
        return sketch("SumBackward0", source, shape=shape)
    added = sketch("SumBackward1", source, shape=shape)
    return added if len(shape) == source.ndim else sketch("ViewBackward0", added, shape=shape)


def _nothing(seen: Seen) -> Node:
    return Node(FULL, (), NOTHING, (), seen.out.dtype)


def _shape(name: str, arguments: Sequence[Node]) -> Shape:
    """The shape of a function's result, where that follows from its name."""
    first, last = arguments[0].shape, arguments[-1].shape
    if len(first) >= 2 and name in ("TBackward0", "TransposeBackward0"):
        return (*first[:-2], first[-1], first[-2])
    if len(first) >= 2 and len(last) >= 2 and name in ("MmBackward0", "BmmBackward0"):
        return (*first[:-1], last[-1])
    return _common(arguments) or first


def _common(arguments: Sequence[Node]) -> Shape | None:
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


def _each(seen: Seen, x: Node) -> Node:
    if seen.reduced <= 0:
        return x
    for _ in range(seen.reduced):
        x = sketch("UnsqueezeBackward0", x)
    x.shape = _kept(x.shape, seen.arguments[0].shape)
    return x


def _kept(shape: Shape, whole: Shape) -> Shape:
    """The shape with a 1 for each dim of `whole` that is not in it."""
    left, found = list(shape), list[int]()
    for size in reversed(whole):
        matches = bool(left) and left[-1] in (size, 1)
        found.insert(0, left.pop() if matches else 1)
    return tuple(found)


def _mean(seen: Seen, x: Node) -> Node:
    name = f"MeanBackward{int(seen.out.ndim > 0)}"
    return sketch(name, x, shape=_kept(seen.out.shape, x.shape) if seen.out.ndim else ())


def _matmul(seen: Seen, x: Node, y: Node) -> Node:
    if max(x.ndim, y.ndim) <= 2:
        return sketch("MmBackward0", x, y)
    x, y = (sketch("ViewBackward0", sketch("ExpandBackward0", z)) for z in (x, y))
    return sketch("UnsafeViewBackward0", sketch("BmmBackward0", x, y))


def _is_vector(seen: Seen) -> bool:
    return seen.arguments[-1].ndim < seen.arguments[0].ndim


def _outer(seen: Seen, x: Node, y: Node) -> Node:
    return sketch("MulBackward0", sketch("ViewBackward0", x, shape=(*x.shape, 1)), y)


WORDS: dict[str, Callable[..., Any]] = {
    "each": _each,
    "some": lambda seen, x: _each(seen, x) if seen.out.ndim else x,
    "view": lambda seen, x: sketch("ViewBackward0", x) if seen.reduced else x,
    "mean": _mean,
    "matmul": _matmul,
    "outer": _outer,
    "column": lambda seen, x: sketch("UnsqueezeBackward0", x) if _is_vector(seen) else x,
    "vector": lambda seen, x: sketch("SqueezeBackward1", x) if _is_vector(seen) else x,
    "times": lambda seen, x: sketch("MulBackward1", x) if seen.scaled else x,
    "sum": lambda seen, *parts: added(parts),
}
"""Calls that depend on the function, its result and arguments."""

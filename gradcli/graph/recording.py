"""What a piece of work did to the graph, recorded so that it can be done again with other values.

Constraints: recording changes no result. Whatever the graph does not show (a print, a random
number, a value that was looked at) is noted, and makes the record unfit for being repeated.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

from gradcli.graph.dtype import DType
from gradcli.graph.node import Node, constant, current

Made = tuple[Node, tuple[Node, ...]]
Draw = tuple[Any, Callable[..., Any], tuple[Any, ...]]
"""(random stream, function that draws from it, its arguments, nodes in the places of arrays)."""
Expression = tuple[Any, ...]
"""(sign or function, operands) of a number: operands are plain or `Traced` numbers; ("item", node)
reads a tensor, ("constant", value) is known, ("input", key) stands for a number from outside."""


class Recording:
    """What happened while this was `current.recording`.

    Args:
        numbers: whether numbers that come from tensors are followed; else they are obstacles.

    Attributes:
        made: the nodes that were made, each with the inputs it had then.
        looked: the nodes whose values were looked at by something that is not in the record.
        asked: (node, question, answer): what was asked about a value; the same follows wherever
            the answer is the same.
        checks: (expression, truth): what numbers and tensors were asked, and what they answered.
        items: the nodes whose only element became a number that is followed.
        draws: node -> (stream, draw, what it takes): random numbers, in the order in which they
            were drawn, by nodes and whatever else.
        roots: the nodes at which a backward pass began.
        appended: (where a list is, number or text): what was put at the ends of lists.
        obstacle: why it cannot be repeated; empty while it can.
    """

    __slots__ = (
        *("_numbers", "appended", "asked", "before", "checks", "items", "looked", "made"),
        *("_drew", "draws", "obstacle", "roots"),
    )

    def __init__(self, *, numbers: bool = True) -> None:
        self._numbers = numbers
        self.made: list[Made] = []
        self.looked: list[Node] = []
        self.asked: list[tuple[Node, Callable[[Any], Any], Any]] = []
        self.checks: list[tuple[Expression, bool]] = []
        self.items: list[Node] = []
        self.roots: list[Node] = []
        self.appended: list[tuple[Callable[[Any], list[Any]], Any]] = []
        self.draws: dict[Node, Draw] = {}
        self._drew: tuple[Any, Draw] | None = None
        self.obstacle = ""
        self.before: Recording | None = None

    def __enter__(self) -> Recording:
        self.before, current.recording = current.recording, self
        return self

    def __exit__(self, *exception: object) -> None:
        current.recording = self.before
        if self._drew is not None:
            self.fail("random numbers were drawn")

    @property
    def is_pure(self) -> bool:
        """Whether the work did nothing but make nodes, the same ones wherever the answers are."""
        noted = self.looked or self.checks or self.appended or self.items
        return not (self.obstacle or noted or self.draws)

    def fail(self, why: str) -> None:
        """Notes why this cannot be repeated; the first reason stays."""
        self.obstacle = self.obstacle or why

    def item(self, node: Node, value: Any) -> Any:
        """`value`, the only element of `node`, as a number whose origin is known."""
        if not self._numbers:
            self.looked.append(node)
            return value
        self.items.append(node)
        return self.number(value, ("item", node))

    def drew(self, array: Any, draw: Draw, again: bool) -> None:
        """Notes an array of random numbers, and how more of them are drawn."""
        if not (self._numbers and again) or self._drew is not None:
            self.fail("random numbers were drawn")
        self._drew = array, draw

    def seen(self, value: Any) -> Any:
        """The node whose array `value` is, if it was the last that was looked at: what follows from
        that look is on record. Else `value`."""
        if self.looked and value is not None and self.looked[-1].value is value:
            return self.looked.pop()
        return value

    def drawn(self, array: Any, node: Node) -> None:
        """Notes the node whose value the last draw is."""
        last, self._drew = self._drew, None
        if last is None or last[0] is not array or node.value is not array:
            self.fail("random numbers were drawn")
        else:
            self.draws[node] = last[1]

    def varying(self, inputs: Iterable[Node]) -> set[Node]:
        """The nodes whose values follow from `inputs` or from traced numbers."""
        found = set(inputs)
        for node, sources in self.made:
            if is_traced(node) or node in self.draws or any(x in found for x in sources):
                found.add(node)
        return found

    def owns(self, value: Any) -> bool:
        """Whether no number in a value was followed by another recording."""
        if isinstance(value, Traced):
            return value.recording is self
        return value.__class__ is not tuple or all(map(self.owns, value))

    def constant(self, value: Any) -> Any:
        """`value` as a number that is the same in each run."""
        return self.number(value, ("constant", value))

    def number(self, value: Any, expression: Expression) -> Any:
        """`value` as a number that remembers how it was computed, where it is of such a kind."""
        made = _KINDS.get(value.__class__)
        if made is not None:
            return made(value, expression, self)
        if value.__class__ is bool:
            self.checks.append((("truth", expression), value))
            return value
        self.fail("a complex number came from values")
        return value


def is_traced(node: Node) -> bool:
    """Whether a node is a number, or at places, that are computed in each run."""
    return any([moves(value) for value in node.attrs.values()])


def moves(value: Any) -> bool:
    """Whether there is a number in a value that is computed in each run."""
    if isinstance(value, Traced):
        return not value.is_constant
    if isinstance(value, slice):
        value = (value.start, value.stop, value.step)
    return value.__class__ is tuple and any(map(moves, value))


def is_followed(value: Any) -> bool:
    """Whether there is a number in a value that the recording of this moment follows."""
    if isinstance(value, Traced):
        return value.recording is current.recording and not value.is_constant
    return value.__class__ is tuple and any(map(is_followed, value))


class Traced:
    """A number that remembers how it was computed, while its recording is on."""

    __slots__ = ()
    plain: Any
    expression: Expression
    recording: Recording

    @property
    def is_constant(self) -> bool:
        """Whether it is the same in each run."""
        return bool(self.expression[0] == "constant")

    def as_node(self, dtype: DType) -> Node:
        """A 0-dim node of this number."""
        return constant(self.plain if self.is_constant else self, dtype)  # type: ignore[arg-type]


class TracedInt(Traced, int):
    """A traced integer."""

    def __int__(self) -> int:
        """What it is for whoever needs an ordinary number: the same one in each run."""
        if current.recording is self.recording and not self.is_constant:
            self.recording.checks.append((("==", self, self.plain), True))
        return self.plain  # type: ignore[no-any-return]  # of an integer, an integer

    def __index__(self) -> int:
        return self


class TracedFloat(Traced, float):
    """A traced real number."""


def _maker(cls: Any) -> Callable[[Any, Expression, Recording], Any]:
    def make(value: Any, expression: Expression, recording: Recording) -> Any:
        made = cls(value)
        made.plain, made.expression, made.recording = value, expression, recording
        return made

    return make


_KINDS = {int: _maker(TracedInt), float: _maker(TracedFloat)}
_NUMBERS = frozenset((int, float, bool))


def plain(value: Any) -> Any:
    """`value`, a traced number as an ordinary one."""
    return value.plain if isinstance(value, Traced) else value


def _is_fixed(value: Any) -> bool:
    return not isinstance(value, Traced) or value.is_constant


def _result(recording: Recording, value: Any, expression: Expression) -> Any:
    """The result of an operation: as constant as its operands."""
    if all(_is_fixed(operand) for operand in expression[1:]):
        return recording.constant(value)
    return recording.number(value, expression)


def _operation(sign: str, operate: Callable[[Any, Any], Any], swapped: bool) -> Any:
    def method(self: Any, other: Any) -> Any:
        given = plain(other)
        if given.__class__ not in _NUMBERS:
            if isinstance(given, (complex, str, list, tuple, bytes)):
                self.recording.fail("a number of the loop shapes a text or a list")
            return NotImplemented
        pair = (other, self) if swapped else (self, other)
        value = operate(plain(pair[0]), plain(pair[1]))
        recording: Recording = self.recording
        if current.recording is not recording:
            return value
        return _result(recording, value, (sign, *pair))

    return method


def _comparison(sign: str, operate: Callable[[Any, Any], Any]) -> Any:
    def method(self: Any, other: Any) -> Any:
        given = plain(other)
        if given.__class__ not in _NUMBERS:
            return NotImplemented
        truth = operate(self.plain, given)
        recording: Recording = self.recording
        if current.recording is recording and not (_is_fixed(self) and _is_fixed(other)):
            recording.checks.append(((sign, self, other), truth))
        return truth

    return method


def _unary(sign: str, operate: Callable[[Any], Any]) -> Any:
    def method(self: Any) -> Any:
        value = operate(self.plain)
        recording: Recording = self.recording
        if current.recording is not recording:
            return value
        return _result(recording, value, (sign, self))

    return method


def _truth(self: Any) -> bool:
    truth = bool(self.plain)
    recording: Recording = self.recording
    if current.recording is recording and not self.is_constant:
        recording.checks.append((("truth", self), truth))
    return truth


def _real(self: Any) -> Any:
    self.recording.fail("a number of the loop becomes an integer tensor")
    return self.plain


ARITHMETIC = {
    **{"+": ("add", operator.add), "-": ("sub", operator.sub), "*": ("mul", operator.mul)},
    **{"/": ("truediv", operator.truediv), "//": ("floordiv", operator.floordiv)},
    **{"%": ("mod", operator.mod), "**": ("pow", operator.pow)},
    **{"&": ("and", operator.and_), "|": ("or", operator.or_), "^": ("xor", operator.xor)},
    **{"<<": ("lshift", operator.lshift), ">>": ("rshift", operator.rshift)},
}
COMPARISONS = {
    **{"<": ("lt", operator.lt), ">": ("gt", operator.gt), "<=": ("le", operator.le)},
    **{">=": ("ge", operator.ge), "==": ("eq", operator.eq), "!=": ("ne", operator.ne)},
}
SIGNS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    **{"-": ("neg", operator.neg), "+": ("pos", operator.pos), "~": ("invert", operator.invert)},
    "abs": ("abs", abs),
}


def _methods(cls: Any) -> None:
    """Gives a class of numbers the methods by which it notes what is done with it."""
    for sign, (name, operate) in ARITHMETIC.items():
        if hasattr(cls, f"__{name}__"):
            setattr(cls, f"__{name}__", _operation(sign, operate, False))
            setattr(cls, f"__r{name}__", _operation(sign, operate, True))
    for sign, (name, compare) in COMPARISONS.items():
        setattr(cls, f"__{name}__", _comparison(sign, compare))
    for sign, (name, turn) in SIGNS.items():
        if hasattr(cls, f"__{name}__"):
            setattr(cls, f"__{name}__", _unary(f"unary {sign}", turn))
    cls.__bool__, cls.__hash__, cls.real = _truth, lambda self: hash(self.plain), property(_real)


for _class in (TracedInt, TracedFloat):
    _methods(_class)

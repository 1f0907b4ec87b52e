"""Numbers, and texts, that remember where they are from while a recording follows them.

Constraints: each is the number that it stands for, in every operation; whoever makes an ordinary
number of one has it noted, or is kept from it by those who look at a loop's numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gradcli.graph.dtype import DType
from gradcli.graph.node import Node, constant, current

if TYPE_CHECKING:
    from gradcli.graph.recording import Recording

Expression = tuple[Any, ...]
"""(sign or function, operands) of a number: operands are plain or `Traced` numbers; ("item", node)
reads a tensor, ("constant", value) is known, ("input", key) stands for a number from outside."""


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


class TracedText(Traced, str):
    """A text at a place that a traced number says; it is compared, and no more is followed."""

    def __eq__(self, other: object) -> Any:
        return self._asked("==", other)

    def __ne__(self, other: object) -> Any:
        return self._asked("!=", other)

    def __hash__(self) -> int:
        return hash(self.plain)

    def _asked(self, sign: str, other: object) -> bool:
        truth: bool = (self.plain == plain(other)) is (sign == "==")
        if current.recording is self.recording:
            if isinstance(other, str):
                self.recording.checks.append(((sign, self, other), truth))
            else:
                self.recording.fail("a text is compared with something else")
        return truth


def _maker(cls: Any) -> Callable[[Any, Expression, Recording], Any]:
    def make(value: Any, expression: Expression, recording: Recording) -> Any:
        made = cls(value)
        made.plain, made.expression, made.recording = value, expression, recording
        return made

    return make


KINDS = {int: _maker(TracedInt), float: _maker(TracedFloat), str: _maker(TracedText)}
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

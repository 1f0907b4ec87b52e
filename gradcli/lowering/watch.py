"""Lowering a loop's body so that its numbers can be followed while it is recorded.

Constraints: a traced number goes only where its recording sees what becomes of it: into arithmetic,
comparisons, tests and variables. Anywhere else it is made an ordinary number, and the recording is
told that it cannot be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gradcli.graph.recording import Recording
from gradcli.graph.traced import Traced, moves
from gradcli.language import ast
from gradcli.lowering import around, followed
from gradcli.lowering.iteration import is_append
from gradcli.lowering.lower import LOWERINGS
from gradcli.lowering.mathematics import MATH
from gradcli.lowering.places import holds_traced, plainly
from gradcli.lowering.scope import Code, Frame, Scope
from gradcli.lowering.state import is_script_function
from gradcli.lowering.values import constructor
from gradcli.tensor import Tensor

NUMERIC = frozenset(
    [function for name, function in MATH.items() if callable(function)]
    + [constructor(float), constructor(int)]
)
"""Functions of numbers that answer the same whenever they are asked."""


class Now:
    """The iteration that is recorded at the moment.

    Attributes:
        recording: what its numbers belong to; None while nothing is recorded.
        filled: the lists and dicts that numbers were put into.
        made: the lists that it made itself, by their `id`s.
        direct: whether the call that is about to be entered follows numbers.
    """

    __slots__ = ("direct", "filled", "made", "recording")

    def __init__(self) -> None:
        self.recording: Recording | None = None
        self.filled: list[Any] = []
        self.made: dict[int, list[Any]] = {}
        self.direct = False

    def begin(self, recording: Recording | None) -> None:
        """From here on an iteration is recorded, or none is."""
        self.recording, self.direct = recording, False
        self.filled.clear()
        self.made.clear()


now = Now()


class Watch:
    """Lowers the body of a loop or of a function.

    Args:
        lists: where it names the lists that it appends to; what is read of them is not followed.
        is_function: whether these lists are out of the loop's reach.
    """

    __slots__ = ("_is_function", "_lists", "_owners", "consumed", "parents")

    def __init__(self, lists: Sequence[ast.Name], *, is_function: bool = False) -> None:
        self._is_function = is_function
        self._lists = {owner.id for owner in lists}
        self._owners = set(map(id, lists))
        self.parents: list[ast.Node] = []
        self.consumed = 0

    @property
    def recording(self) -> Recording | None:
        """What its numbers belong to at the moment."""
        return now.recording

    def lower(self, node: ast.Node, scope: Scope, lowering: Callable[[Any, Scope], Code]) -> Code:
        """The closure of `node`, with a look at the numbers that it gives and takes."""
        parent = self.parents[-1] if self.parents else None
        with self.inside(node):
            special = _SPECIAL.get(type(node))
            code = special(self, node, scope) if special is not None else None
            code = lowering(node, scope) if code is None else code
        if isinstance(node, ast.AugmentedAssign):
            return self._update(node, code, scope)
        if is_append(node):
            return self._append(node, code, scope)
        if not isinstance(node, ast.Expression):
            return code
        if isinstance(node, ast.Name) and node.id in self._lists and id(node) not in self._owners:
            code = self._read(code)
        if isinstance(node, (ast.List, ast.Comprehension)):
            code = self._making(code)
        if isinstance(node, around.OPERATIONS) or around.is_arithmetic(node, scope):
            code = self._operation(code)
        if isinstance(parent, ast.Call) and node is parent.function:
            chooses = around.chooses(parent, scope, self.parents)
            if chooses:
                return self._choosing(code, chooses)
        if around.computes(parent) or around.is_arithmetic(parent, scope):
            return self._operand(code)
        appends = around.is_appending(self.parents)
        if isinstance(parent, ast.Call) and around.is_given(parent) and not appends:
            return self._callee(code) if node is parent.function else code
        return code if around.passes(parent, self.parents) else self._ordinary(code)

    @contextmanager
    def inside(self, node: ast.Node) -> Iterator[None]:
        """A block in which parts of `node` are lowered."""
        self.parents.append(node)
        try:
            yield
        finally:
            self.parents.pop()

    def item(self, value: Any, key: Any) -> Any:
        """`value[key]`."""
        return followed.read(self, value, key)

    def put(self, container: Any, key: Any, value: Any) -> None:
        """`container[key] = value`."""
        if not isinstance(container, Tensor) and holds_traced(value):
            now.filled.append(container)
        followed.write(self, container, key, value)

    def _operation(self, code: Code) -> Code:
        """An operation that took a traced number must give something that can be followed."""

        def run(frame: Frame) -> Any:
            before, checks = self.consumed, self._checks()
            value = code(frame)
            if self.consumed != before:
                self._require_followed(value, checks)
            return value

        return run

    def _update(self, node: ast.AugmentedAssign, code: Code, scope: Scope) -> Code:
        """An operation whose result is in a variable."""
        if not isinstance(node.target, ast.Name):
            return code
        id, slots = node.target.id, None if scope.is_module else scope.slots

        def run(frame: Frame) -> None:
            before, checks = self.consumed, self._checks()
            code(frame)
            box: Any = scope.environment.variables if slots is None else frame
            value = box[id if slots is None else slots[id]]
            if self.consumed != before:
                self._require_followed(value, checks)

        return run

    def _making(self, code: Code) -> Code:
        def run(frame: Frame) -> Any:
            value = code(frame)
            if value.__class__ is list and self.recording is not None:
                now.made[id(value)] = value
            return value

        return run

    def _read(self, code: Code) -> Code:
        """A list that grows by what is not followed in it."""

        def run(frame: Frame) -> Any:
            value = code(frame)
            if self.recording is not None and id(value) not in now.made:
                self.recording.fail("a list that grows is read")
            return value

        return run

    def _append(self, node: Any, code: Code, scope: Scope) -> Code:
        """A list that grows: what is appended is on record."""
        owner = node.value.function.value
        load = LOWERINGS[type(owner)](owner, scope)

        def run(frame: Frame) -> None:
            code(frame)
            items, recording = load(frame), self.recording
            if id(items) in now.made and not holds_traced(items[-1]):
                return
            now.made.pop(id(items), None)
            reached = isinstance(items, list) and not self._is_function
            if reached and _is_plain_data(items[-1]):
                value, items[-1] = items[-1], plainly(items[-1])
                if recording is not None:
                    recording.appended.append((load, value))
            elif recording is not None:
                recording.fail("a list grows by something else than numbers and tensors")

        return run

    def _choosing(self, code: Code, name: str) -> Code:
        """Python's `min` or `max`, where only the value of the result matters."""

        def run(frame: Frame) -> Any:
            callee = code(frame)

            def call(*values: Any) -> Any:
                if self.recording is not None and followed.are_elements(values):
                    return followed.chosen(name, values)
                return callee(*values)

            return call

        return run

    def _callee(self, code: Code) -> Code:
        """A function of numbers is on record; any other gets ordinary ones."""

        def run(frame: Frame) -> Any:
            callee = code(frame)

            def call(*values: Any, **named: Any) -> Any:
                if is_script_function(callee):
                    now.direct = True
                    return callee(*values, **named)
                function = constructor(callee) if isinstance(callee, type) else callee
                given = [value for value in (*values, *named.values()) if holds_traced(value)]
                if not given:
                    return function(*values, **named)
                alone = all(isinstance(value, Traced) for value in given)
                fixed = alone and not any(map(moves, given))
                plain = {name: plainly(value) for name, value in named.items()}
                result, recording = function(*map(plainly, values), **plain), self.recording
                if fixed or recording is None:
                    return result
                if alone and not named and function in NUMERIC and isinstance(result, (int, float)):
                    return recording.number(result, (function, *values))
                self.fail()
                return result

            return call

        return run

    def _checks(self) -> int:
        return len(self.recording.checks) if self.recording is not None else 0

    def _require_followed(self, value: Any, checks: int) -> None:
        """What came of a traced number is a number or tensor, or follows from an answer."""
        followed = isinstance(value, (Traced, Tensor))
        if not followed and not (isinstance(value, (int, float)) and self._checks() > checks):
            self.fail()

    def _operand(self, code: Code) -> Code:
        def run(frame: Frame) -> Any:
            value = code(frame)
            if isinstance(value, Traced):
                self.consumed += not value.is_constant
            elif value.__class__ is float and self.recording is not None:
                # On the left of an integer it would answer itself, without the recording.
                return self.recording.constant(value)
            return value

        return run

    def _ordinary(self, code: Code) -> Code:
        def run(frame: Frame) -> Any:
            value = code(frame)
            if holds_traced(value):
                if not isinstance(value, Traced) or moves(value):
                    self.fail()
                return plainly(value)
            return value

        return run

    def fail(self) -> None:
        """Notes that a number went where it cannot be followed."""
        if self.recording is not None:
            self.recording.fail("a number of the loop is used in another way than arithmetic")


_SPECIAL: dict[type[ast.Node], Callable[[Watch, Any, Scope], Code | None]] = {
    ast.Compare: followed.membership,
}
"""What is lowered in another way than elsewhere; None where it is not."""


def _is_plain_data(value: Any) -> bool:
    """Whether a value is a number, text or tensor, or a tuple of such."""
    if value.__class__ is tuple:
        return all(map(_is_plain_data, value))
    return isinstance(value, (int, float, str, Tensor))

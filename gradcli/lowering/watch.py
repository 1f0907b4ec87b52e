"""Lowering a loop's body so that its numbers can be followed while it is recorded.

Constraints: a traced number goes only where its recording sees what becomes of it: into arithmetic,
comparisons, tests and variables. Anywhere else it is made an ordinary number, and the recording is
told that it cannot be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gradcli.graph.node import current
from gradcli.graph.recording import Recording, Traced, plain
from gradcli.language import ast
from gradcli.lowering.expressions import item
from gradcli.lowering.limits import COMPARE
from gradcli.lowering.lower import LOWERINGS, lower
from gradcli.lowering.mathematics import MATH
from gradcli.lowering.scope import Code, Frame, Scope, target_names
from gradcli.lowering.values import constructor
from gradcli.tensor import Tensor

_OPERATIONS = (ast.Chain, ast.Compare, ast.Power, ast.Unary)
_ARITHMETIC = ("abs", "max", "min")
_PASSING = (*_OPERATIONS, ast.Boolean, ast.Conditional, ast.If, ast.While, ast.Assert)
_PASSING_ON = (*_PASSING, ast.ExpressionStatement)
NUMERIC = frozenset(
    [function for name, function in MATH.items() if callable(function)]
    + [constructor(float), constructor(int)]
)
"""Functions of numbers that answer the same whenever they are asked."""
_REFUSED = (ast.Try, ast.Raise, ast.ClassDef, ast.FunctionDef, ast.Import, ast.ImportFrom)


class Watch:
    """Lowers one loop's body.

    Args:
        lists: where it names the lists that it appends to; what is read of them is not followed.

    Attributes:
        recording: what its numbers belong to at the moment.
    """

    __slots__ = ("_lists", "_owners", "consumed", "parents", "recording")

    def __init__(self, lists: Sequence[ast.Name]) -> None:
        self._lists = {owner.id for owner in lists}
        self._owners = set(map(id, lists))
        self.parents: list[ast.Node] = []
        self.recording: Recording | None = None
        self.consumed = 0

    def lower(self, node: ast.Node, scope: Scope, lowering: Callable[[Any, Scope], Code]) -> Code:
        """The closure of `node`, with a look at the numbers that it gives and takes."""
        parent = self.parents[-1] if self.parents else None
        self.parents.append(node)
        try:
            special = _SPECIAL.get(type(node))
            code = special(self, node, scope) if special is not None else None
            code = lowering(node, scope) if code is None else code
        finally:
            self.parents.pop()
        if isinstance(node, ast.AugmentedAssign):
            return self._update(node, code, scope)
        if is_append(node):
            return self._append(node, code, scope)
        if not isinstance(node, ast.Expression):
            return code
        if isinstance(node, ast.Name) and node.id in self._lists and id(node) not in self._owners:
            code = self._read(code)
        if isinstance(node, _OPERATIONS) or _is_arithmetic(node, scope):
            code = self._operation(code)
        if _computes(parent) or _is_arithmetic(parent, scope):
            return self._operand(code)
        if isinstance(parent, ast.Call) and _is_plain(parent) and not _is_appending(self.parents):
            return self._callee(code) if node is parent.function else code
        return code if _passes(parent, self.parents) else self._ordinary(code)

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

    def _read(self, code: Code) -> Code:
        def run(frame: Frame) -> Any:
            if self.recording is not None:
                self.recording.fail("a list that grows is read")
            return code(frame)

        return run

    def _append(self, node: Any, code: Code, scope: Scope) -> Code:
        """A list that grows by a number: what is appended is on record."""
        owner = node.value.function.value
        load = LOWERINGS[type(owner)](owner, scope)

        def run(frame: Frame) -> None:
            code(frame)
            items, recording = load(frame), self.recording
            if isinstance(items, list) and isinstance(items[-1], (int, float, str)):
                value, items[-1] = items[-1], plain(items[-1])
                if recording is not None:
                    recording.appended.append((load, value))
            elif recording is not None:
                recording.fail("a list grows by something else than numbers")

        return run

    def _callee(self, code: Code) -> Code:
        """A function of numbers is on record; any other gets ordinary ones."""

        def run(frame: Frame) -> Any:
            callee = code(frame)

            def call(*values: Any) -> Any:
                function = constructor(callee) if isinstance(callee, type) else callee
                if not any(isinstance(value, Traced) for value in values):
                    return function(*values)
                recording = self.recording
                moves = any(isinstance(v, Traced) and not v.is_constant for v in values)
                result = function(*map(plain, values))
                if not moves or recording is None:
                    return result
                if function not in NUMERIC or not isinstance(result, (int, float)):
                    self.fail()
                    return result
                return recording.number(result, (function, *values))

            return call

        return run

    def _checks(self) -> int:
        return len(self.recording.checks) if self.recording is not None else 0

    def _require_followed(self, value: Any, checks: int) -> None:
        """What came of a traced number is a number or tensor, or an answer that is on record."""
        followed = isinstance(value, (Traced, Tensor))
        if not followed and not (isinstance(value, bool) and self._checks() > checks):
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
            if isinstance(value, Traced):
                if not value.is_constant:
                    self.fail()
                return value.plain
            return value

        return run

    def fail(self) -> None:
        """Notes that a number went where it cannot be followed."""
        if self.recording is not None:
            self.recording.fail("a number of the loop is used in another way than arithmetic")


def _subscript(watch: Watch, node: Any, scope: Scope) -> Code:
    """`value[index]` at places that move with the numbers of the loop."""
    owner, index, span = lower(node.value, scope), lower(node.index, scope), node.span

    def run(frame: Frame) -> Any:
        value, key = owner(frame), index(frame)
        current.span = span
        still, moves = _still(key)
        result = item(value, still)
        if moves and watch.recording is not None:
            known = isinstance(value, Tensor) and not value.node.tracked
            if known and _is_basic(still) and not _steps(key):
                watch.recording.windows[result.node] = value.node, key
            else:
                watch.fail()
        return result

    return run


def _still(key: Any) -> tuple[Any, bool]:
    """An index of ordinary numbers, and whether it is another one in each run."""
    if isinstance(key, Traced):
        return key.plain, not key.is_constant
    if isinstance(key, slice):
        parts = [_still(part) for part in (key.start, key.stop, key.step)]
        return slice(*[part for part, _ in parts]), any(moves for _, moves in parts)
    if key.__class__ is tuple:
        items = [_still(part) for part in key]
        return tuple([part for part, _ in items]), any(moves for _, moves in items)
    return key, False


def _steps(key: Any) -> bool:
    """Whether the step of a slice is a number of the loop, which might become negative."""
    items = key if isinstance(key, tuple) else (key,)
    return any(isinstance(i, slice) and isinstance(i.step, Traced) for i in items)


def _is_basic(key: Any) -> bool:
    """Whether an index makes a view, in NumPy as in PyTorch."""
    items = key if isinstance(key, tuple) else (key,)
    return all(i is None or i is ... or i.__class__ in (int, slice) for i in items)


def _membership(watch: Watch, node: Any, scope: Scope) -> Code | None:
    """`number in numbers`: the answer is on record."""
    if len(node.rest) != 1 or not _asks_members(node):
        return None
    ((sign, operand),) = node.rest
    first, container, place = lower(node.first, scope), lower(operand, scope), node.span
    operate = COMPARE[sign]

    def run(frame: Frame) -> Any:
        value, items = first(frame), container(frame)
        current.span = place
        answer = operate(plain(value), items)
        recording = watch.recording
        if isinstance(value, Traced) and not value.is_constant and recording is not None:
            if items.__class__ in (tuple, list) and all(i.__class__ in (int, float) for i in items):
                recording.checks.append(((sign, value, list(items)), answer))
            elif items.__class__ is range:
                recording.checks.append(((sign, value, items), answer))
            else:
                watch.fail()
        return answer

    return run


_SPECIAL: dict[type[ast.Node], Callable[[Watch, Any, Scope], Code | None]] = {
    ast.Compare: _membership,
    ast.Subscript: _subscript,
}
"""What is lowered in another way than elsewhere; None where it is not."""


def _is_plain(call: ast.Call) -> bool:
    """Whether a call has positional arguments only."""
    return not call.keywords and not any(isinstance(x, ast.Starred) for x in call.arguments)


def _is_appending(parents: Sequence[ast.Node]) -> bool:
    return len(parents) > 1 and is_append(parents[-2])


def _computes(parent: ast.Node | None) -> bool:
    """Whether a number is an operand of something whose result is looked at."""
    if isinstance(parent, ast.AugmentedAssign):
        return isinstance(parent.target, ast.Name)
    return isinstance(parent, _OPERATIONS) and not _asks_members(parent)


def _is_arithmetic(node: ast.Node | None, scope: Scope) -> bool:
    """Whether `node` is a call of one of Python's functions of numbers that Python leaves to
    them."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.function, ast.Name)
        and node.function.id in _ARITHMETIC
        and not node.keywords
        and scope.resolve(node.function.id) is None
        and node.function.id not in scope.environment.variables
    )


def is_append(node: ast.Node | None) -> bool:
    """Whether `node` is a statement `name.append(value)`."""
    call = node.value if isinstance(node, ast.ExpressionStatement) else None
    return (
        isinstance(call, ast.Call)
        and isinstance(call.function, ast.Attribute)
        and call.function.name == "append"
        and isinstance(call.function.value, ast.Name)
        and len(call.arguments) == 1
        and not call.keywords
    )


def growing(body: Sequence[ast.Node]) -> list[ast.Name]:
    """Where `body` names the lists that it appends to."""
    return [node.value.function.value for node in inside(body) if is_append(node)]  # type: ignore[attr-defined]


def _asks_members(node: ast.Node) -> bool:
    return isinstance(node, ast.Compare) and any(sign in ("in", "not in") for sign, _ in node.rest)


def _passes(parent: ast.Node | None, parents: Sequence[ast.Node]) -> bool:
    """Whether a number may go on from an expression to `parent` as it is."""
    if isinstance(parent, ast.Call) and _is_appending(parents):
        return True
    if isinstance(parent, (ast.Subscript, ast.Slice)):
        return True
    if isinstance(parent, ast.Compare) and _asks_members(parent):
        return len(parent.rest) == 1
    if parent is None or isinstance(parent, _PASSING_ON):
        return True
    if isinstance(parent, ast.Assign):
        return all(_is_pattern(target) for target in parent.targets)
    if isinstance(parent, ast.Tuple):
        owner = parents[-2] if len(parents) > 1 else None
        if isinstance(owner, ast.Subscript):
            return parent is owner.index
        return isinstance(owner, ast.Assign) and _passes(owner, ())
    return False


def _is_pattern(target: ast.Expression) -> bool:
    """Whether a target is names only."""
    if isinstance(target, ast.Tuple):
        return all(_is_pattern(item) for item in target.items)
    return isinstance(target, ast.Name)


def can_be_watched(body: Sequence[ast.Statement]) -> bool:
    """Whether a body has only statements whose repetition a record can describe."""
    return not any(isinstance(node, _REFUSED) for node in inside(body))


def inside(nodes: Sequence[ast.Node]) -> Iterator[ast.Node]:
    """Every node of these trees."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        yield node
        stack.extend(ast.children(node))


def written_first(body: Sequence[ast.Statement]) -> set[str]:
    """The names that every run of `body` binds before it reads them."""
    first: set[str] = set()
    read: set[str] = set()
    for statement in _certain(body):
        read |= _reads(statement)
        if isinstance(statement, ast.Assign):
            names = (name for target in statement.targets for name in target_names(target))
            first |= {name for name in names if name not in read}
    return first


_JUMPS = (ast.Break, ast.Continue, ast.Return, ast.Assert)


def _certain(body: Sequence[ast.Statement]) -> Iterator[ast.Statement]:
    """The statements that run in every iteration, from the first up to where one may leave."""
    for statement in body:
        if isinstance(statement, ast.With):
            for context, _ in statement.items:
                yield ast.ExpressionStatement(context, span=statement.span)
            yield from _certain(statement.body)
        else:
            yield statement
        if any(isinstance(node, _JUMPS) for node in inside([statement])):
            return


def _reads(statement: ast.Statement) -> set[str]:
    parts: list[ast.Node] = [statement]
    if isinstance(statement, ast.Assign):
        parts = [statement.value, *(t for t in statement.targets if not _is_pattern(t))]
    return {node.id for node in inside(parts) if isinstance(node, ast.Name)}

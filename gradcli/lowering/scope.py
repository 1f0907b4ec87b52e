"""Where each name of a script lives: in the variables of a module, or in a slot of a frame.

Constraints: decided before anything runs, by Python's rule: a name that a function binds anywhere
is local to it. A frame is a list: the enclosing frame, the returned value, then one slot for each
local.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gradcli.language import ast

Frame = list[Any]
Code = Callable[[Frame], Any]
"""A lowered expression gives its value; a lowered statement gives None or a signal (see below)."""

PARENT, RESULT, FIRST = 0, 1, 2
"""The slots of a frame."""


class Unbound:
    """What a slot holds before its variable is bound, or after `del`."""

    def __repr__(self) -> str:
        return "<unbound>"


UNBOUND = Unbound()


class Signal:
    """How a statement ended when not by falling through."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<{self.name}>"


BREAK, CONTINUE, RETURN = Signal("break"), Signal("continue"), Signal("return")


class Scope:
    """One function, lambda or comprehension while it is lowered, or the module (without slots).

    Args:
        environment: the variables and services that all scopes of a script share.
        parent: the enclosing scope; None for the module.
        names: the local names, in the order of their slots.
        title: what `__qualname__` of a function defined here starts with.
    """

    __slots__ = ("environment", "parent", "slots", "title")

    def __init__(
        self,
        environment: Environment,
        parent: Scope | None = None,
        names: Iterable[str] = (),
        title: str = "",
    ) -> None:
        self.environment = environment
        self.parent = parent
        self.slots = {name: FIRST + i for i, name in enumerate(dict.fromkeys(names))}
        self.title = title

    def resolve(self, name: str) -> tuple[int, int] | None:
        """(frames up, slot) of a variable of a function; None for the module's variables."""
        scope: Scope | None = self
        depth = 0
        while scope is not None:
            slot = scope.slots.get(name)
            if slot is not None:
                return depth, slot
            depth += 1
            scope = scope.parent
        return None

    def visible(self) -> Iterator[str]:
        """Every name in reach, the nearest first."""
        scope: Scope | None = self
        while scope is not None:
            yield from scope.slots
            scope = scope.parent
        yield from self.environment.variables

    @property
    def is_module(self) -> bool:
        """Whether names bound here are the module's variables."""
        return self.parent is None


class Environment:
    """What all scopes of one interpreter share.

    Args:
        variables: the module's variables, read and written while scripts run.
        lookup: what a name means that no variable has; None when nothing.

    Attributes:
        shared: the names of variables that are read from another scope than their own.
        nesting: how many loops are around what is lowered at the moment.
        watch: what looks at each closure that is lowered for recordings, if it is (watch.py).
    """

    __slots__ = ("lookup", "nesting", "shared", "variables", "watch")

    def __init__(self, variables: dict[str, Any], lookup: Callable[[str], Any]) -> None:
        self.variables = variables
        self.lookup = lookup
        self.shared: set[str] = set()
        self.nesting = 0
        self.watch: Any = None


def bound_names(body: Iterable[ast.Statement]) -> Iterator[str]:
    """The names that the statements bind in their own scope, in order of appearance."""
    for statement in body:
        binder = _BINDERS.get(type(statement))
        if binder is not None:
            yield from binder(statement)


def target_names(target: ast.Expression | None) -> Iterator[str]:
    """The names that an assignment to `target` binds."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, (ast.Tuple, ast.List)):
        for item in target.items:
            yield from target_names(item)
    elif isinstance(target, ast.Starred):
        yield from target_names(target.value)


def _many(targets: Iterable[ast.Expression | None]) -> Iterator[str]:
    for target in targets:
        yield from target_names(target)


def _if(node: ast.If) -> Iterator[str]:
    for _, body in node.branches:
        yield from bound_names(body)
    yield from bound_names(node.otherwise)


def _loop(node: ast.While | ast.For) -> Iterator[str]:
    if isinstance(node, ast.For):
        yield from target_names(node.target)
    yield from bound_names(node.body)
    yield from bound_names(node.otherwise)


def _try(node: ast.Try) -> Iterator[str]:
    yield from bound_names(node.body)
    for handler in node.handlers:
        if handler.name is not None:
            yield handler.name
        yield from bound_names(handler.body)
    yield from bound_names(node.otherwise)
    yield from bound_names(node.final)


def _with(node: ast.With) -> Iterator[str]:
    yield from _many(target for _, target in node.items)
    yield from bound_names(node.body)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    for name, alias in node.names:
        yield alias or name.partition(".")[0]


_BINDERS: dict[type[ast.Statement], Callable[[Any], Iterator[str]]] = {
    ast.Assign: lambda node: _many(node.targets),
    ast.AugmentedAssign: lambda node: target_names(node.target),
    ast.ClassDef: lambda node: iter((node.name,)),
    ast.Delete: lambda node: _many(node.targets),
    ast.For: _loop,
    ast.FunctionDef: lambda node: iter((node.name,)),
    ast.If: _if,
    ast.Import: _imported,
    ast.ImportFrom: _imported,
    ast.Try: _try,
    ast.While: _loop,
    ast.With: _with,
}
"""The statements that bind names; the others bind none."""

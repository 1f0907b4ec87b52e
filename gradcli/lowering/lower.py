"""The door from syntax to closures: each AST class has exactly one lowering, found by its class.

Constraints: lowering happens once, running many times; whatever can be decided before running is
decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gradcli.graph.node import current
from gradcli.language import ast
from gradcli.lowering.scope import Code, Frame, Scope

Lowering = Callable[[Any, Scope], Code]
_L = TypeVar("_L", bound=Lowering)

LOWERINGS: dict[type[ast.Node], Lowering] = {}
"""The lowering of each expression and statement; the modules of this package fill it."""

_SETS_SPAN = (ast.Attribute, ast.Call, ast.Chain, ast.Compare, ast.Power, ast.Subscript, ast.Unary)
"""Expressions that leave `current.span` at themselves."""


def lowers(cls: type[ast.Node]) -> Callable[[_L], _L]:
    """Registers the decorated function as the lowering of `cls`."""

    def register(function: _L) -> _L:
        if cls in LOWERINGS:
            raise TypeError(f"{cls.__name__} has two lowerings")
        LOWERINGS[cls] = function
        return function

    return register


def lower(node: ast.Node, scope: Scope) -> Code:
    """The closure that does what `node` says, in `scope`."""
    watch = scope.environment.watch
    if watch is not None:
        watched: Code = watch.lower(node, scope, LOWERINGS[type(node)])
        return watched
    return LOWERINGS[type(node)](node, scope)


def lower_item(node: ast.Subscript, scope: Scope) -> tuple[Code, Code]:
    """The closures of what a subscript is of, and of its index."""
    watch = scope.environment.watch
    if watch is None:
        return lower(node.value, scope), lower(node.index, scope)
    with watch.inside(node):
        return lower(node.value, scope), lower(node.index, scope)


def lower_all(nodes: Sequence[ast.Node], scope: Scope) -> list[Code]:
    """The closures of `nodes`, in order."""
    return [lower(node, scope) for node in nodes]


def lower_block(body: Sequence[ast.Statement], scope: Scope) -> Code:
    """The closure of a block: runs up to the first signal and gives it, or None."""
    statements = lower_all(body, scope)
    if len(statements) == 1:
        return statements[0]

    def block(frame: Frame) -> Any:
        for statement in statements:
            signal = statement(frame)
            if signal is not None:
                return signal
        return None

    return block


def lower_used(node: ast.Expression, scope: Scope) -> Code:
    """The closure of an expression that is about to be used: its place is noted after it ran.

    Truth tests, iteration and unpacking happen outside any expression; their errors point at what
    was tested.
    """
    code = lower(node, scope)
    if isinstance(node, _SETS_SPAN):
        return code
    span = node.span

    def used(frame: Frame) -> Any:
        value = code(frame)
        current.span = span
        return value

    return used

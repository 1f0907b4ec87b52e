"""The names in an expression, and those that are variables without a value.

Constraints: looks at syntax only; a name that means something (a function, `pi`) is one only where
it is an operand and nobody calls it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from gradcli.language import ast
from gradcli.lowering import names
from gradcli.lowering.names import Module
from gradcli.lowering.scope import target_names

OPERATIONS = (ast.Chain, ast.Power, ast.Unary, ast.Compare)


def unbound(expression: ast.Expression, bound: Container[str]) -> dict[str, ast.Name]:
    """The free names that have no value, each with its first place, in order of appearance."""
    called = {
        node.function.id
        for node, _ in _walk(expression)
        if isinstance(node, ast.Call) and isinstance(node.function, ast.Name)
    }
    found: dict[str, ast.Name] = {}
    for node, parent in _walk(expression):
        if not isinstance(node, ast.Name) or node.id in bound or node.id in found:
            continue
        if node.id in called:
            continue
        meaning = names.lookup(node.id) if names.may_mean(node.id) else None
        operand = isinstance(parent, OPERATIONS)
        if meaning is None or (operand and callable(meaning) and not isinstance(meaning, Module)):
            found[node.id] = node
    order = sorted(found.values(), key=lambda node: node.span.start)
    local = set(_locals(expression))
    return {node.id: node for node in order if node.id not in local}


def names_in(expression: ast.Expression) -> frozenset[str]:
    """Every name that an expression mentions, whatever it means."""
    return frozenset(node.id for node, _ in _walk(expression) if isinstance(node, ast.Name))


def _walk(root: ast.Node) -> Iterator[tuple[ast.Node, ast.Node | None]]:
    stack: list[tuple[ast.Node, ast.Node | None]] = [(root, None)]
    while stack:
        node, parent = stack.pop()
        yield node, parent
        stack += [(child, node) for child in ast.children(node)]


def _locals(root: ast.Node) -> Iterator[str]:
    """The names that lambdas and comprehensions bind."""
    for node, _ in _walk(root):
        if isinstance(node, ast.Parameter):
            yield node.name
        elif isinstance(node, ast.Clause):
            yield from target_names(node.target)

"""The names of an expression that nothing gives a meaning: variables still without a value.

Constraints: finds names, evaluates nothing; a name that is called is taken for a function.
"""

from __future__ import annotations

from collections.abc import Container

from gradcli.language import ast
from gradcli.lowering.names import lookup
from gradcli.lowering.scope import target_names


def free_names(tree: ast.Expression, variables: Container[str]) -> list[str]:
    """The free names of `tree` in order of appearance, without those of `variables`."""
    found: dict[str, None] = {}
    bound: set[str] = set()
    stack: list[ast.Node] = [tree]
    while stack:
        node = stack.pop()
        below = ast.children(node)
        if isinstance(node, ast.Name):
            found[node.id] = None
        elif isinstance(node, ast.Parameter):
            bound.add(node.name)
        elif isinstance(node, ast.Clause):
            bound.update(target_names(node.target))
        elif isinstance(node, ast.Call) and isinstance(node.function, ast.Name):
            below = below[1:]
        stack += reversed(below)
    return [
        name
        for name in found
        if name not in bound and name not in variables and lookup(name) is None
    ]

"""How many dimensions the value of a formula has, as far as notation has to know.

Constraints: reads trees; a variable of any shape counts as a number.
"""

from __future__ import annotations

from collections.abc import Mapping

from gradcli.language import ast
from gradcli.render.tree import Tree

NUMBERS = frozenset(("sum", "mean", "norm", "det", "trace", "numel", "amax", "amin", "prod"))
MATRICES = frozenset(("outer", "inv", "eye", "einsum"))


def rank(tree: Tree, known: Mapping[str, int]) -> int:
    """The number of dimensions of a formula over variables of `known` ranks."""
    if isinstance(tree, ast.Name):
        return known.get(tree.id, 0)
    if isinstance(tree, ast.Chain):
        return _chain(tree, known)
    if isinstance(tree, ast.Call):
        return _call(tree, known)
    if isinstance(tree, ast.Attribute):
        return rank(tree.value, known) if tree.name in ("T", "mT") else 0
    if isinstance(tree, ast.Subscript):
        return _item(tree, known)
    return max(
        (rank(x, known) for x in ast.children(tree) if isinstance(x, ast.Expression)), default=0
    )


def _chain(tree: ast.Chain, known: Mapping[str, int]) -> int:
    found = rank(tree.first, known)
    for sign, x in tree.rest:
        other = rank(x, known)
        found = max(0, found + other - 2) if sign == "@" and found and other else max(found, other)
    return found


def _call(tree: ast.Call, known: Mapping[str, int]) -> int:
    if isinstance(tree.function, ast.Attribute):
        method, owner = tree.function.name, tree.function.value
        if method in ("expand_as", "reshape_as"):
            return rank(tree.arguments[0], known)
        return len(tree.arguments) if method in ("expand", "reshape") else rank(owner, known)
    name = tree.function.id if isinstance(tree.function, ast.Name) else ""
    inner = max((rank(x, known) for x in tree.arguments), default=0)
    if name in NUMBERS:
        along = len(tree.arguments) > 1 or bool(tree.keywords)
        return max(0, inner - 1) if along else 0
    if name == "stack" and isinstance(tree.arguments[0], ast.List):
        return 1 + max(rank(x, known) for x in tree.arguments[0].items)
    if name == "diag":
        return 2 if inner == 1 else 1
    if name in MATRICES:
        return 2
    return len(tree.arguments) if name in ("zeros", "ones") else inner


def _item(tree: ast.Subscript, known: Mapping[str, int]) -> int:
    index = tree.index
    parts = index.items if isinstance(index, ast.Tuple) else [index]
    found = rank(tree.value, known)
    for part in parts:
        if isinstance(part, ast.Constant):
            found += 1 if part.value is None else -1
    return max(found, 0)

"""Subexpressions that formulas share, under names of their own: `where s = sigmoid(X@w)`.

Constraints: the formulas mean the same afterwards; a name is given only where the text gets shorter
than it is long to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gradcli.language import ast
from gradcli.language.make import make
from gradcli.language.print import unparse
from gradcli.render import tree
from gradcli.render.tree import NOWHERE, Tree, called

LONG, LEAST, COST = 40, 8, 24
"""Up to how many characters nothing is named, how long what is named must be, what a name costs."""
CHEAP = {"sigmoid": 8, "softmax": 8, "inv": 8}
"""What it costs where people are used to a name."""
LETTERS = {
    **{"sigmoid": "s", "softmax": "s", "exp": "e", "norm": "d", "inv": "M", "-": "r", "+": "u"},
    **{"@": "p", "det": "d", "logsumexp": "l"},
}

PARTS = {"linalg.svd": ("U", "S", "Vh"), "linalg.eigh": ("L", "Q"), "linalg.qr": ("Q", "R")}
"""Decompositions of matrices -> what their parts are called."""


def shared(
    formulas: Mapping[str, Tree], taken: Iterable[str]
) -> tuple[dict[str, Tree], dict[str, Tree]]:
    """The formulas with names in place of what they share, and what the names mean, in order."""
    used = set(taken)
    trees, meanings = _decomposed(dict(formulas), used)
    while sum(len(unparse(t)) for t in trees.values()) > LONG * len(trees):
        best = _best([*trees.values(), *meanings.values()])
        if best is None:
            break
        name = _name(best, used)
        used.add(name)
        text = unparse(best)
        trees = {k: replaced(t, text, name) for k, t in trees.items()}
        meanings = {k: replaced(t, text, name) for k, t in meanings.items()}
        meanings[name] = best
    return trees, _ordered(meanings)


def _decomposed(trees: dict[str, Tree], used: set[str]) -> tuple[dict[str, Tree], dict[str, Tree]]:
    """The parts of matrix decompositions under the letters that everybody gives them."""
    meanings: dict[str, Tree] = {}
    parts = {
        unparse(node): node
        for root in trees.values()
        for node in subtrees(root)
        if isinstance(node, ast.Subscript) and _parts_of(node.value)
    }
    for text in sorted(parts, key=lambda text: (len(text), text)):
        place = getattr(parts[text].index, "value", None)
        letters = _parts_of(parts[text].value)
        if not isinstance(place, int) or place >= len(letters):
            continue
        name = _free(letters[place], used)
        used.add(name)
        trees = {k: replaced(t, text, name) for k, t in trees.items()}
        meanings[name] = parts[text]
    return trees, meanings


def _parts_of(node: Tree) -> tuple[str, ...]:
    """The letters of a decomposition's parts."""
    called = node.function if isinstance(node, ast.Call) else None
    return PARTS.get(unparse(called), ()) if called is not None else ()


def _best(trees: list[Tree]) -> Tree | None:
    """The subexpression whose name saves most."""
    counts: dict[str, int] = {}
    first: dict[str, Tree] = {}
    for root in trees:
        for node in subtrees(root):
            named = isinstance(node, (ast.Call, ast.Chain, ast.Power, ast.Subscript))
            if named and not _is_size(node) and not _parts_of(node):
                text = unparse(node)
                counts[text] = counts.get(text, 0) + 1
                first.setdefault(text, node)
    saved = {
        text: (count - 1) * (len(text) - 1) - CHEAP.get(called(first[text]), COST)
        for text, count in counts.items()
        if count > 1 and len(text) >= LEAST and not text.startswith("math.")
    }
    best = max(saved, key=lambda text: saved[text], default=None)
    return first[best] if best is not None and saved[best] > 0 else None


def _is_size(node: Any) -> bool:
    """Whether it is a number computed from sizes: as a binding it would be a tensor."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Attribute) and node.value.name == "shape"
    if isinstance(node, (ast.Chain, ast.Power, ast.Unary)):
        return all(_is_size(x) for x in ast.children(node))
    return isinstance(node, ast.Constant) or called(node) == "numel"


def subtrees(root: ast.Node) -> list[Any]:
    """Every node of a tree, and every product that begins a longer one."""
    found = []
    stack = [root]
    while stack:
        node = stack.pop()
        found.append(node)
        stack += ast.children(node)
    return found


def replaced(root: Any, text: str, name: str) -> Any:
    """A tree with a name in place of what reads `text`."""
    if isinstance(root, ast.Expression) and unparse(root) == text:
        return tree.name(name)
    if isinstance(root, (list, tuple)):
        return type(root)(replaced(x, text, name) for x in root)
    if isinstance(root, ast.Node):
        fields = [replaced(getattr(root, f), text, name) for f in root.fields]
        return make(type(root), NOWHERE, *fields)
    return root


def _name(node: Tree, used: set[str]) -> str:
    kind = called(node)
    if isinstance(node, ast.Chain):
        signs = [sign for sign, _ in node.rest]
        kind = "@" if "@" in signs else signs[0]
    return _free(LETTERS.get(kind, "t"), used)


def _free(letter: str, used: set[str]) -> str:
    """A letter, with a number behind it where it is taken."""
    names = [letter, *(f"{letter}{i}" for i in range(1, 1000))]
    return next(n for n in names if n not in used)


def names_in(root: ast.Node) -> set[str]:
    """The names that a tree mentions."""
    return {node.id for node in subtrees(root) if isinstance(node, ast.Name)}


def _ordered(meanings: dict[str, Tree]) -> dict[str, Tree]:
    """Each name after those that its meaning mentions."""
    left = dict(meanings)
    ordered: dict[str, Tree] = {}
    while left:
        name = next(n for n, t in left.items() if not names_in(t) & set(left))
        ordered[name] = left.pop(name)
    return ordered


def needed(root: Tree, meanings: Mapping[str, Tree]) -> dict[str, Tree]:
    """The meanings that a formula needs, in order."""
    wanted = names_in(root)
    for name in reversed(list(meanings)):
        if name in wanted:
            wanted |= names_in(meanings[name])
    return {name: t for name, t in meanings.items() if name in wanted}

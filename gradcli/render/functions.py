"""How single functions are written in mathematical notation: a table.

Constraints: rows take the `Notation` and a call; None leaves the function's name and brackets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gradcli.language import ast
from gradcli.language.print import unparse
from gradcli.render.tree import Tree
from gradcli.tensor import registry
from gradcli.tensor.function import Function

EITHER, BOTH, COMPARED, SUM, EACH, PRODUCT, SIGN, POWER, ATOM = range(9)
"""How tightly a piece of notation binds: `a b` tighter than the elementwise product."""
Piece = tuple[str, int]
PREFIXES = ("torch", "torch.nn.functional", "torch.linalg")
"""Where a function of a formula is found."""
DIMS = frozenset(("dim", "dims"))
UNSAID = frozenset(("keepdim",))
"""Options of which notation says nothing."""


class Given(NamedTuple):
    """The arguments of a call: what a function is of, its dims, and what it takes by name."""

    operands: list[Tree]
    dims: list[Tree]
    options: list[ast.Keyword]


def called(tree: Any) -> str:
    """The name of the function that a tree calls; empty for anything else."""
    function = getattr(tree, "function", None)
    if isinstance(function, ast.Attribute) and getattr(function.value, "id", "") == "F":
        return function.name
    return function.id if isinstance(function, ast.Name) else ""


def split(tree: ast.Call) -> Given:
    """The arguments of a call, told apart by the signature of the function."""
    given = Given([], [], [])
    found = (registry.find(f"{prefix}.{called(tree)}") for prefix in PREFIXES)
    function = next((f for f in found if f is not None), None)
    parameters = function.parameters.positional if isinstance(function, Function) else []
    for place, x in enumerate(tree.arguments):
        named = place < len(parameters) and parameters[place].name in DIMS
        (given.dims if named else given.operands).append(x)
    given.dims.extend(k.value for k in tree.keywords if k.name in DIMS)
    given.options.extend(k for k in tree.keywords if k.name not in DIMS | UNSAID)
    return given


def _norm(n: Any, tree: ast.Call) -> Piece:
    made = n.m.fenced(n(tree.arguments[0]), "norm", "norm")
    return n.along(made, tree), ATOM


def _abs(n: Any, tree: ast.Call) -> Piece:
    return n.m.fenced(n(tree.arguments[0]), "bar", "bar"), ATOM


def _inv(n: Any, tree: ast.Call) -> Piece:
    exponent = n.m.row(n.m.sign("minus"), n.m.number("1"))
    return n.m.power(n.at(tree.arguments[0], ATOM), exponent), POWER


def _outer(n: Any, tree: ast.Call) -> Piece:
    left, right = tree.arguments
    row = n.m.power(n.at(right, ATOM), n.m.sign("transpose"))
    return n.m.row(n.at(left, PRODUCT), n.m.sign("beside"), row), POWER


def _sqrt(n: Any, tree: ast.Call) -> Piece:
    return n.m.root(n(tree.arguments[0])), ATOM


def _exp(n: Any, tree: ast.Call) -> Piece | None:
    inner = tree.arguments[0]
    if n.rank(inner) or len(unparse(inner)) > 16:
        return None
    return n.m.power(n.m.name("e"), n(inner)), POWER


def _numel(n: Any, tree: ast.Call) -> Piece | None:
    names = n.sizes.get(getattr(tree.arguments[0], "id", ""))
    if not names:
        return None
    parts: list[str] = []
    for name in names:
        parts += [n.m.sign("beside"), n.size(name)] if parts else [n.size(name)]
    return n.m.row(*parts), ATOM if len(names) == 1 else PRODUCT


def _where(n: Any, tree: ast.Call) -> Piece:
    condition, x, y = tree.arguments
    values = [getattr(v, "value", None) for v in (x, y)]
    if values == [1, 0]:
        return n.m.row(n.m.sign("one"), n.m.fenced(n(condition), "[", "]")), ATOM
    if values[1] == 0:
        one = n.m.row(n.m.sign("one"), n.m.fenced(n(condition), "[", "]"))
        each = bool(n.rank(x))
        sign = n.m.sign("each" if each else "beside")
        return n.m.row(n.at(x, EACH if each else PRODUCT), sign, one), EACH if each else PRODUCT
    return n.m.cases([(n(x), n(condition)), (n(y), n.m.text("otherwise"))]), ATOM


def _eye(n: Any, tree: ast.Call) -> Piece:
    return n.m.name("I"), ATOM


def _ones(n: Any, tree: ast.Call) -> Piece:
    return n.m.sign("ones"), ATOM


def _zeros(n: Any, tree: ast.Call) -> Piece:
    return n.m.number("0"), ATOM


def _trace(n: Any, tree: ast.Call) -> Piece:
    inner = n(tree.arguments[0])
    return n.m.row(n.m.function("tr", known=False), n.m.fenced(inner)), ATOM


def _stack(n: Any, tree: ast.Call) -> Piece | None:
    """A vector as a column, vectors as the rows of a matrix."""
    items = _listed(tree)
    if items is None or len(tree.arguments) > 1:
        return None
    rows = [_listed(x) if called(x) == "stack" else [x] for x in items]
    if any(row is None or any(n.rank(x) for x in row) for row in rows):
        return None
    return n.m.matrix([[n(x) for x in row] for row in rows if row is not None]), ATOM


def _listed(tree: Any) -> list[Tree] | None:
    """What stands in the list that a function is called with."""
    first = tree.arguments[0]
    return list(first.items) if isinstance(first, ast.List) else None


def _tensor(n: Any, tree: ast.Call) -> Piece | None:
    """A number alone; what is in a list stays as it is."""
    return None if _listed(tree) is not None else n._piece(tree.arguments[0])


FUNCTIONS: dict[str, Any] = {
    **{"norm": _norm, "abs": _abs, "inv": _inv, "outer": _outer, "sqrt": _sqrt, "exp": _exp},
    **{"numel": _numel, "where": _where, "eye": _eye, "ones": _ones, "ones_like": _ones},
    **{"zeros": _zeros, "zeros_like": _zeros, "trace": _trace},
    **{"stack": _stack, "tensor": _tensor},
}

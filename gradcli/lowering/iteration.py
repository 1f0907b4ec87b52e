"""What the text of a loop's body says before it runs.

Constraints: of syntax alone; what cannot be told from it is not said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradcli.language import ast
from gradcli.lowering.scope import target_names

_REFUSED = (ast.Try, ast.Raise, ast.ClassDef, ast.FunctionDef, ast.Import, ast.ImportFrom)


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


def asks_members(node: ast.Node) -> bool:
    """Whether a comparison asks what is in something."""
    return isinstance(node, ast.Compare) and any(sign in ("in", "not in") for sign, _ in node.rest)


def is_pattern(target: ast.Expression) -> bool:
    """Whether a target is names only."""
    if isinstance(target, ast.Tuple):
        return all(is_pattern(item) for item in target.items)
    return isinstance(target, ast.Name)


def can_be_watched(body: Sequence[ast.Node]) -> bool:
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
        parts = [statement.value, *(t for t in statement.targets if not is_pattern(t))]
    return {node.id for node in inside(parts) if isinstance(node, ast.Name)}

"""What stands around an expression in a loop's body, and so what may become of a number there.

Constraints: of syntax alone, as iteration.py; the parents of an expression come outermost first.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradcli.language import ast
from gradcli.lowering.iteration import asks_members, is_append, is_pattern
from gradcli.lowering.scope import Scope

OPERATIONS = (ast.Chain, ast.Compare, ast.Power, ast.Unary)
_ARITHMETIC = ("abs", "max", "min")
_PASSING = (*OPERATIONS, ast.Boolean, ast.Conditional, ast.If, ast.While, ast.Assert)
_PASSING_ON = (*_PASSING, ast.ExpressionStatement, ast.Return)


def is_given(call: ast.Call) -> bool:
    """Whether each argument of a call is written out."""
    spread = any(isinstance(argument, ast.Starred) for argument in call.arguments)
    return not spread and all(keyword.name is not None for keyword in call.keywords)


def is_appending(parents: Sequence[ast.Node]) -> bool:
    """Whether the last of `parents` is the call of a list's `append`."""
    return len(parents) > 1 and is_append(parents[-2])


def computes(parent: ast.Node | None) -> bool:
    """Whether a number is an operand of something whose result is looked at."""
    if isinstance(parent, ast.AugmentedAssign):
        return isinstance(parent.target, (ast.Name, ast.Subscript))
    return isinstance(parent, OPERATIONS) and not asks_members(parent)


def is_arithmetic(node: ast.Node | None, scope: Scope) -> bool:
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


def chooses(call: ast.Call, scope: Scope, parents: Sequence[ast.Node]) -> str:
    """The name of a function that gives the least or the greatest of its arguments, where only the
    value of that matters; else ""."""
    name = call.function.id if isinstance(call.function, ast.Name) else ""
    chooses = name in ("min", "max") and is_arithmetic(call, scope)
    return name if chooses and _is_value(call, parents) else ""


def _is_value(call: ast.Call, parents: Sequence[ast.Node]) -> bool:
    """Whether only the value of a call matters, not which object it is."""
    parent = parents[-2] if len(parents) > 1 else None
    if isinstance(parent, ast.Assign) and parent.value is call:
        return all(isinstance(target, ast.Subscript) for target in parent.targets)
    return computes(parent)


def passes(parent: ast.Node | None, parents: Sequence[ast.Node]) -> bool:
    """Whether a number may go on from an expression to `parent` as it is."""
    if isinstance(parent, ast.Call) and is_appending(parents):
        return True
    if isinstance(parent, (ast.Subscript, ast.Slice)):
        return True
    if isinstance(parent, ast.Compare) and asks_members(parent):
        return len(parent.rest) == 1
    if parent is None or isinstance(parent, _PASSING_ON):
        return True
    if isinstance(parent, ast.Assign):
        return all(is_pattern(t) or isinstance(t, ast.Subscript) for t in parent.targets)
    if isinstance(parent, (ast.Tuple, ast.List)):
        owner = parents[-2] if len(parents) > 1 else None
        if isinstance(owner, ast.Call):
            return is_appending(parents[:-1])
        kinds = (ast.Assign, ast.Tuple, ast.Conditional, ast.Subscript, ast.Return)
        return owner is None or (isinstance(owner, kinds) and passes(owner, parents[:-1]))
    return False

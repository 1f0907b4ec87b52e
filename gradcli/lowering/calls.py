"""Calls as closures, and the stack they stand on.

Constraints: arguments are evaluated left to right, then `current.span` is the call; a class is
called through its guarded constructor. Calls between a script's own functions take no room on the C
stack, so the limit is Python's thousand; whatever else nests (a `sorted` whose key sorts) is
stopped by Python's own recursion limit, which is set here to what the stack can bear.
"""

from __future__ import annotations

import sys
from typing import Any

from gradcli.graph.node import current
from gradcli.language import ast
from gradcli.lowering.displays import spreading, title
from gradcli.lowering.lower import lower, lower_all, lower_used, lowers
from gradcli.lowering.names import BARE_MODULES, Module
from gradcli.lowering.scope import Code, Frame, Scope
from gradcli.lowering.values import constructor, get_attribute
from gradcli.source import Span
from gradcli.tensor import Tensor, registry
from gradcli.tensor.function import Function
from gradcli.tensor.operators import bound

_STACK = 112 << 20
_DEPTH_ON_LARGE_STACK, _DEPTH_ON_ANY_STACK = 40_000, 12_000


@lowers(ast.Call)
def call(node: ast.Call, scope: Scope) -> Code:
    """`function(arguments, keywords)`."""
    plain = not (node.keywords or any(isinstance(a, ast.Starred) for a in node.arguments))
    if plain and isinstance(node.function, ast.Attribute) and scope.environment.watch is None:
        return _method(node, node.function, scope)
    function = lower(node.function, scope)
    if not plain:
        return _general(node, function, scope)
    return called(node, function, lower_all(node.arguments, scope))


def called(node: ast.Call, function: Code, arguments: list[Code]) -> Code:
    """The closure of a call without keywords, of what its parts give."""
    if len(arguments) == 1:
        return _one_argument(function, arguments[0], node)
    span = _place(node)

    def run(frame: Frame) -> Any:
        callee = function(frame)
        values = [argument(frame) for argument in arguments]
        if isinstance(callee, type):
            callee = constructor(callee)
        current.span = span
        return callee(*values)

    return run


def _place(node: ast.Call) -> Span:
    """The call's span; its parts are the arguments, after what the method belongs to."""
    parts = [argument.span for argument in node.arguments]
    parts += [keyword.value.span for keyword in node.keywords]
    owner = node.function.value if isinstance(node.function, ast.Attribute) else None
    while isinstance(owner, ast.Attribute):
        owner = owner.value
    if owner is not None and not (isinstance(owner, ast.Name) and owner.id in BARE_MODULES):
        assert isinstance(node.function, ast.Attribute)
        parts.insert(0, node.function.value.span)
    span = node.span
    return Span(span.source, span.start, span.end, tuple(parts))


def _one_argument(function: Code, argument: Code, node: ast.Call) -> Code:
    span = _place(node)

    def run(frame: Frame) -> Any:
        callee = function(frame)
        value = argument(frame)
        current.span = span
        if isinstance(callee, type):
            callee = constructor(callee)
        return callee(value)

    return run


def _method(node: ast.Call, function: ast.Attribute, scope: Scope) -> Code:
    """`owner.name(arguments)`: a tensor's method needs no object that holds the tensor."""
    owner, arguments = lower(function.value, scope), lower_all(node.arguments, scope)
    name, span, attribute, methods = function.name, _place(node), function.span, registry.METHODS

    def run(frame: Frame) -> Any:
        value = owner(frame)
        current.span = attribute
        if value.__class__ is Tensor:
            callee = methods.get(name)
            if callee.__class__ is Function and name[0] != "_":
                values = [argument(frame) for argument in arguments]
                current.span = span
                return bound(callee, value, values)
        callee = value.member(name) if value.__class__ is Module else get_attribute(value, name)
        values = [argument(frame) for argument in arguments]
        current.span = span
        if isinstance(callee, type):
            callee = constructor(callee)
        return callee(*values)

    return run


def _general(node: ast.Call, function: Code, scope: Scope) -> Code:
    arguments, span = spreading(node.arguments, scope), _place(node)
    named = [(keyword.name, lower_used(keyword.value, scope)) for keyword in node.keywords]

    def run(frame: Frame) -> Any:
        callee = function(frame)
        values = arguments(frame, callee)
        keywords: dict[str, Any] = {}
        for name, value in named:
            if name is None:
                _spread(callee, keywords, value(frame))
            else:
                _add(callee, keywords, name, value(frame))
        current.span = span
        if isinstance(callee, type):
            callee = constructor(callee)
        return callee(*values, **keywords)

    return run


def _spread(callee: Any, keywords: dict[str, Any], mapping: Any) -> None:
    if not isinstance(mapping, dict):
        kind = type(mapping).__name__
        raise TypeError(f"{title(callee)} after ** must be a mapping, not {kind}")
    for name, value in mapping.items():
        if not isinstance(name, str):
            raise TypeError("keywords must be strings")
        _add(callee, keywords, name, value)


def _add(callee: Any, keywords: dict[str, Any], name: str, value: Any) -> None:
    if name in keywords:
        where = title(callee).removesuffix(" argument")
        raise TypeError(f"{where} got multiple values for keyword argument '{name}'")
    keywords[name] = value


def prepare_stack() -> None:
    """Sets Python's recursion limit to what the C stack bears; Linux lets the stack grow first.

    The interpreter nests a few Python frames for each level of the script. Python 3.11 counts these
    and real C recursion (nested generators, `sorted` in `sorted`) with one counter, so the limit
    must suit the latter.
    """
    if sys.getrecursionlimit() >= _DEPTH_ON_ANY_STACK:
        return
    sys.setrecursionlimit(_DEPTH_ON_LARGE_STACK if _grow_stack() else _DEPTH_ON_ANY_STACK)


def _grow_stack() -> bool:
    if sys.platform != "linux":
        return False
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft == resource.RLIM_INFINITY or soft >= _STACK:
        return True
    if hard != resource.RLIM_INFINITY and hard < _STACK:
        return False
    resource.setrlimit(resource.RLIMIT_STACK, (_STACK, hard))
    return True

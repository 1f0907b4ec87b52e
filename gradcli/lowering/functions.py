"""Functions of a script: `def`, `lambda`, defaults, closures and decorators; classes of functions.

Constraints: a function is a real Python function whose signature Python itself compiled from the
parameter names, so arguments bind, and fail to bind, in Python's own way and words. Nothing else of
the script's text is ever compiled.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions import find
from gradcli.graph.node import current
from gradcli.language import ast, fence
from gradcli.lowering.failures import failure_of
from gradcli.lowering.limits import MAX_CALLS, calls
from gradcli.lowering.lower import lower, lower_all, lower_block, lowers
from gradcli.lowering.scope import (
    RESULT,
    RETURN,
    UNBOUND,
    Code,
    Frame,
    Scope,
    bound_names,
)
from gradcli.lowering.switch import switch
from gradcli.lowering.targets import store_name
from gradcli.lowering.values import callback


@lowers(ast.FunctionDef)
def function_definition(node: ast.FunctionDef, scope: Scope) -> Code:
    """`def name(parameters): body`."""
    make, store = _made(node, scope, f"{scope.title}{node.name}"), store_name(node.name, scope)
    return lambda frame: store(frame, make(frame))


def _made(node: ast.FunctionDef, scope: Scope, title: str) -> Code:
    """The closure that makes the function, decorated from the inside out."""
    names = [parameter.name for parameter in node.parameters]
    inner = Scope(scope.environment, scope, [*names, *bound_names(node.body)], f"{title}.<locals>.")
    create = _creator(node.name, title, node, inner)
    decorators = lower_all(node.decorators, scope)
    spans = [decorator.span for decorator in node.decorators]

    def make(frame: Frame) -> Any:
        applied = [decorator(frame) for decorator in decorators]
        function = create(frame)
        for decorate, span in zip(reversed(applied), reversed(spans), strict=True):
            current.span = span
            function = callback(decorate)(function)
        return function

    return make


@lowers(ast.ClassDef)
def class_definition(node: ast.ClassDef, scope: Scope) -> Code:
    """`class name(torch.autograd.Function): methods`; the methods do not see each other's names."""
    title, store, span = f"{scope.title}{node.name}", store_name(node.name, scope), node.span
    (base,) = lower_all(node.bases, scope)
    members: dict[str, Code] = {}
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef):
            members[statement.name] = _made(statement, scope, f"{title}.{statement.name}")
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            members[statement.targets[0].id] = lower(statement.value, scope)

    def define(frame: Frame) -> None:
        bases = (base(frame),)
        current.span = span
        if bases != (find("torch.autograd.Function"),):
            raise fence.refusal("class", span)
        body: dict[str, Any] = {"__module__": "__main__", "__qualname__": title}
        body.update((name, make(frame)) for name, make in members.items())
        store(frame, type(node.name, bases, body))

    return define


def _body(node: ast.FunctionDef | ast.Lambda, scope: Scope) -> Code:
    """The closure that gives what a function returns."""
    if isinstance(node, ast.Lambda):
        return lower(node.body, scope)
    statements = node.body
    first = statements[0]
    if isinstance(first, ast.Return) and first.value is not None:
        return lower(first.value, scope)
    block = lower_block(statements, scope)
    return lambda frame: frame[RESULT] if block(frame) is RETURN else None


@lowers(ast.Lambda)
def lambda_(node: ast.Lambda, scope: Scope) -> Code:
    """`lambda parameters: body`."""
    title = f"{scope.title}<lambda>"
    names = [parameter.name for parameter in node.parameters]
    inner = Scope(scope.environment, scope, names, f"{title}.<locals>.")
    return _creator("<lambda>", title, node, inner)


def _creator(name: str, title: str, node: ast.FunctionDef | ast.Lambda, scope: Scope) -> Code:
    """The closure that makes the function anew each time its definition runs."""
    assert scope.parent is not None
    parameters, body = node.parameters, _body(node, scope)
    rest = [UNBOUND] * (len(scope.slots) - len(parameters))
    make = _signature(parameters, bool(rest))
    defaults = [
        lower(parameter.default, scope.parent)
        for parameter in parameters
        if parameter.default is not None
    ]
    enter = _entrance(body, _again(node, scope, body))

    def create(frame: Frame) -> Any:
        function = make(enter, frame, rest, [default(frame) for default in defaults])
        function.__name__, function.__qualname__ = name, title
        function.__module__ = "__main__"
        return function

    return create


def _again(node: ast.FunctionDef | ast.Lambda, scope: Scope, body: Code) -> Callable[[], Code]:
    """What gives the body as it is while the iteration of a loop is recorded."""
    environment = scope.environment
    nodes = node.body if isinstance(node.body, list) else [node.body]
    is_watched = environment.watch is not None

    def make() -> Code:
        inside = importlib.import_module("gradcli.lowering.inside")
        again = None if is_watched else lambda: _body(node, scope)
        watched: Code = inside.watched(nodes, environment, body, again)
        return watched

    return make


def _entrance(body: Code, again: Callable[[], Code]) -> Code:
    """`body` in a frame of its own: counted, and with its failures noted at the call."""
    watched: Code | None = None

    def enter(frame: Frame) -> Any:
        nonlocal watched
        call, depth = current.span, calls.depth
        if depth >= MAX_CALLS:
            raise RecursionError("maximum recursion depth exceeded")
        calls.depth = depth + 1
        try:
            if not switch.busy:
                return body(frame)
            watched = watched or again()
            return watched(frame)
        except Exception as error:
            failure_of(error).call = call
            raise
        finally:
            calls.depth = depth
            current.span = call

    return enter


def _signature(parameters: list[ast.Parameter], has_locals: bool) -> Callable[..., Any]:
    """`make(enter, parent, rest, defaults)`, which makes a function with these parameters."""
    names = [parameter.name for parameter in parameters]
    if not all(name.isidentifier() for name in names):
        raise GradcliError("G001", "a parameter's name is no identifier", parameters[0].span)
    taken = "_" + max((name for name in names), key=len, default="")
    values = ", ".join([f"parent{taken}", "None", *names, *[f"*rest{taken}"][:has_locals]])
    text = (
        f"def make(enter{taken}, parent{taken}, rest{taken}, defaults{taken}):\n"
        f"    def function{taken}({_declared(parameters, f'defaults{taken}')}):\n"
        f"        return enter{taken}([{values}])\n"
        f"    return function{taken}\n"
    )
    scope: dict[str, Any] = {"__builtins__": {}}
    try:
        exec(compile(text, "<signature>", "exec"), scope)
    except SyntaxError as error:
        span = parameters[0].span.to(parameters[-1].span)
        raise GradcliError("G001", error.msg, span, kind=SyntaxError) from None
    return scope["make"]  # type: ignore[no-any-return]  # a fresh namespace holds anything


def _declared(parameters: list[ast.Parameter], defaults: str) -> str:
    """The parameter list in Python's syntax; defaults come from the list called `defaults`."""
    parts: list[str] = []
    keyword_only = False
    count = 0
    for parameter in parameters:
        text = parameter.name
        if parameter.kind in ("*", "**"):
            text = parameter.kind + text
            keyword_only = keyword_only or parameter.kind == "*"
        elif parameter.kind == "keyword" and not keyword_only:
            parts.append("*")
            keyword_only = True
        if parameter.default is not None:
            text += f"={defaults}[{count}]"
            count += 1
        parts.append(text)
    return ", ".join(parts)

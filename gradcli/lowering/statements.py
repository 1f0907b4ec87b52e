"""Statements as closures: assignments, branches, signals, imports and returns.

Constraints: a statement gives None, or the signal by which it left (scope.py); no exception is used
for `break`, `continue` or `return`.
"""

from __future__ import annotations

from typing import Any

from gradcli.graph.node import current
from gradcli.language import ast
from gradcli.lowering import names
from gradcli.lowering.lower import lower, lower_block, lower_used, lowers
from gradcli.lowering.scope import BREAK, CONTINUE, RESULT, RETURN, Code, Frame, Scope
from gradcli.lowering.targets import store, store_name


@lowers(ast.ExpressionStatement)
def expression_statement(node: ast.ExpressionStatement, scope: Scope) -> Code:
    """An expression for its effect."""
    value = lower(node.value, scope)

    def run(frame: Frame) -> None:
        value(frame)

    return run


@lowers(ast.Assign)
def assign(node: ast.Assign, scope: Scope) -> Code:
    """`a = b = value`."""
    first = node.targets[0]
    if len(node.targets) == 1 and isinstance(first, ast.Name):
        return _assign_name(first.id, lower(node.value, scope), scope)
    value = lower_used(node.value, scope)
    stores = [store(target, scope) for target in node.targets]

    def run(frame: Frame) -> None:
        result = value(frame)
        for assign_to in stores:
            assign_to(frame, result)

    return run


def _assign_name(name: str, value: Code, scope: Scope) -> Code:
    """The commonest statement of all, without the call of a `Store`."""
    if scope.is_module:
        variables = scope.environment.variables

        def bind(frame: Frame) -> None:
            variables[name] = value(frame)

        return bind
    slot = scope.slots[name]

    def fill(frame: Frame) -> None:
        frame[slot] = value(frame)

    return fill


@lowers(ast.If)
def if_(node: ast.If, scope: Scope) -> Code:
    """`if`, `elif`, `else`."""
    branches = [(lower_used(test, scope), lower_block(body, scope)) for test, body in node.branches]
    otherwise = lower_block(node.otherwise, scope)
    if len(branches) == 1:
        test, body = branches[0]
        return lambda frame: body(frame) if test(frame) else otherwise(frame)

    def run(frame: Frame) -> Any:
        for test, body in branches:
            if test(frame):
                return body(frame)
        return otherwise(frame)

    return run


@lowers(ast.Break)
def break_(node: ast.Break, scope: Scope) -> Code:
    """`break`."""
    return lambda frame: BREAK


@lowers(ast.Continue)
def continue_(node: ast.Continue, scope: Scope) -> Code:
    """`continue`."""
    return lambda frame: CONTINUE


@lowers(ast.Pass)
def pass_(node: ast.Pass, scope: Scope) -> Code:
    """`pass`."""
    return lambda frame: None


@lowers(ast.Return)
def return_(node: ast.Return, scope: Scope) -> Code:
    """`return value`: the value goes into the frame, the signal to the blocks around."""
    value = None if node.value is None else lower(node.value, scope)

    def run(frame: Frame) -> Any:
        frame[RESULT] = None if value is None else value(frame)
        return RETURN

    return run


@lowers(ast.Import)
def import_(node: ast.Import, scope: Scope) -> Code:
    """`import torch.nn.functional as F`."""
    bindings = [
        (dotted, alias, store_name(alias or dotted.partition(".")[0], scope))
        for dotted, alias in node.names
    ]
    span = node.span

    def run(frame: Frame) -> None:
        for dotted, alias, assign_to in bindings:
            current.span = span
            module = names.module(dotted)
            assign_to(frame, module if alias else names.module(dotted.partition(".")[0]))

    return run


@lowers(ast.ImportFrom)
def import_from(node: ast.ImportFrom, scope: Scope) -> Code:
    """`from torch import tensor as t`."""
    if node.module == "__future__":
        return lambda frame: None
    bindings = [(name, store_name(alias or name, scope)) for name, alias in node.names]
    span = node.span

    def run(frame: Frame) -> None:
        current.span = span
        module = names.module(node.module)
        for name, assign_to in bindings:
            assign_to(frame, module.member(name))

    return run

"""Statements as closures: assignments, branches, loops, imports and returns.

Constraints: a statement gives None, or the signal by which it left (scope.py); no exception is used
for `break`, `continue` or `return`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from gradcli.execute.elsewhere import elsewhere
from gradcli.graph.node import current
from gradcli.language import ast
from gradcli.lowering import names
from gradcli.lowering.limits import feed
from gradcli.lowering.lower import lower, lower_block, lower_used, lowers
from gradcli.lowering.scope import BREAK, CONTINUE, RESULT, RETURN, Code, Frame, Scope
from gradcli.lowering.targets import loop_target, store, store_name

WARM = 8
"""Iterations of a loop that are interpreted before it is worth while to look at it closely."""
MANY = 40
"""Iterations of which it is worth while from the third on."""


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


@lowers(ast.While)
def while_(node: ast.While, scope: Scope) -> Code:
    """`while test: body else: otherwise`."""
    test, body = lower_used(node.test, scope), _iteration(node.body, scope)
    otherwise, replay_of = lower_block(node.otherwise, scope), _replays(node, scope, body)

    def run(frame: Frame) -> Any:
        replay, going = replay_of(frame), test(frame)
        while going:
            going, replay = None, replay or replay_of(frame, WARM - 1)
            if replay is None:
                signal = body(frame)
            else:
                _, signal, going = replay.turn()
            if signal is not None and signal is not CONTINUE:
                return None if signal is BREAK else signal
            if going is None:
                going = test(frame)
        return otherwise(frame)

    return run


@lowers(ast.For)
def for_(node: ast.For, scope: Scope) -> Code:
    """`for target in iterable: body else: otherwise`."""
    iterable, (slot, assign_to) = lower_used(node.iterable, scope), loop_target(node.target, scope)
    body, otherwise = _iteration(node.body, scope), lower_block(node.otherwise, scope)
    span, variables = node.iterable.span, scope.environment.variables if scope.is_module else None
    count_up = _counting(node, scope, body)

    def run(frame: Frame) -> Any:
        box: Any = frame if variables is None else variables
        values: Any = iterable(frame)
        if values.__class__ is range and assign_to is None:
            signal = count_up(frame, box, slot, values)
            return otherwise(frame) if signal is None else None if signal is BREAK else signal
        for value in feed(values):
            if assign_to is None:
                box[slot] = value
            else:
                assign_to(frame, value)
            signal = body(frame)
            if signal is not None and signal is not CONTINUE:
                return None if signal is BREAK else signal
            current.span = span
        return otherwise(frame)

    return run


def _iteration(statements: list[ast.Statement], scope: Scope) -> Code:
    """An iteration; an engine that puts work off is told of its end."""
    environment = scope.environment
    environment.nesting += 1
    try:
        body = lower_block(statements, scope)
    finally:
        environment.nesting -= 1
    if elsewhere.engine is None:
        return body

    def run(frame: Frame) -> Any:
        signal = body(frame)
        if elsewhere.engine is not None:
            elsewhere.engine.turn()
        return signal

    return run


def _counting(node: ast.For, scope: Scope, body: Code) -> Callable[..., Any]:
    """The closure that goes through a range; gives the signal that ended it, or None."""
    replay_of, span = _replays(node, scope, body), node.iterable.span

    def run(frame: Frame, box: Any, slot: Any, numbers: range) -> Any:
        replay, position = replay_of(frame), 0
        first, step, count = numbers.start, numbers.step, _length(numbers)
        warm = WARM if count < MANY else 2
        while position < count:
            box[slot] = first + position * step
            replay = replay or replay_of(frame, warm)
            if replay is None:
                done, signal = 1, body(frame)
            else:
                done, signal, _ = replay.turn(count - position, step)
            if signal is not None and signal is not CONTINUE:
                return signal
            current.span = span
            position += done
        return None

    return run


def _replays(node: ast.While | ast.For, scope: Scope, body: Code) -> Callable[..., Any]:
    """What makes the `Replay` of a run of the loop, at its start and before each iteration until
    there is one; the means are loaded when it pays.

    It pays where something is known of the loop, or once it had as many iterations as is said, in
    this run or in earlier ones.
    """
    known: list[Any] = []
    again = not scope.is_module or scope.environment.nesting > 0
    done = 0

    def replay_of(frame: Frame, warm: int = 0) -> Any:
        nonlocal done
        if known:
            loop, start = known
            return start(loop, frame) if warm or loop.plan is not None else None
        if done < warm or not warm:
            done = done + 1 if warm else done * again
            return None
        loop = importlib.import_module("gradcli.lowering.repeated").Repeated(node, scope, body)
        start = importlib.import_module("gradcli.lowering.replay").Replay
        if again:
            known[:] = loop, start
        return start(loop, frame)

    return replay_of


def _length(numbers: range) -> int:
    """How many numbers a range has, however many."""
    return max(0, -((numbers.start - numbers.stop) // numbers.step))


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

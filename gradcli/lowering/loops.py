"""Loops as closures: `while`, and `for` over whatever can be gone through.

Constraints: a loop gives None, or the signal by which it left (scope.py).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from gradcli.execute.elsewhere import elsewhere
from gradcli.graph.node import current
from gradcli.language import ast
from gradcli.lowering.limits import feed
from gradcli.lowering.lower import lower_block, lower_used, lowers
from gradcli.lowering.rows import Rows, goes_through, rows_of, taking
from gradcli.lowering.scope import BREAK, CONTINUE, Code, Frame, Scope
from gradcli.lowering.targets import loop_target

WARM = 8
"""Iterations of a loop that are interpreted before it is worth while to look at it closely."""
MANY = 40
"""Iterations of which it is worth while from the third on."""


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
    iterable, (slot, assign_to) = goes_through(node, scope), loop_target(node.target, scope)
    body, otherwise = _iteration(node.body, scope), lower_block(node.otherwise, scope)
    span, variables = node.iterable.span, scope.environment.variables if scope.is_module else None
    count_up, through = _counting(node, scope, body), _by_places(node, scope, body)

    def run(frame: Frame) -> Any:
        box: Any = frame if variables is None else variables
        values: Any = iterable(frame)
        if values.__class__ is range and assign_to is None:
            signal = count_up(frame, values, box, slot, values.start, values.step)
            return otherwise(frame) if signal is None else None if signal is BREAK else signal
        rows = rows_of(values)
        if rows is not None:
            signal = through(frame, rows)
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


def _counting(
    node: ast.For, scope: Scope, body: Code, runs: list[list[Any]] | None = None
) -> Callable[..., Any]:
    """The closure that counts up through a range or `Rows`; gives the signal that ended it, or
    None."""
    replay_of, span = _replays(node, scope, body, runs), node.iterable.span

    def run(frame: Frame, values: Any, box: Any, slot: Any, first: int, step: int) -> Any:
        replay, position = replay_of(frame), 0
        warm = WARM if _length(values) < MANY else 2
        while position < (count := _length(values)):
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


def _by_places(node: ast.For, scope: Scope, body: Code) -> Callable[..., Any]:
    """The closure that goes through `Rows`, as `_counting`.

    The counter and the rows of each run are where no variables are: a function may be in several.
    """
    runs: list[list[Any]] = []
    iteration = taking(node, scope, body, runs)
    count_up = _counting(node, scope, iteration, runs)

    def run(frame: Frame, rows: Rows) -> Any:
        runs.append([0, rows])
        try:
            return count_up(frame, rows, runs[-1], 0, 0, 1)
        finally:
            runs.pop()

    return run


def _replays(
    node: ast.While | ast.For, scope: Scope, body: Code, runs: list[list[Any]] | None = None
) -> Callable[..., Any]:
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
        loop = importlib.import_module("gradcli.lowering.repeated").Repeated(
            node, scope, body, runs
        )
        start = importlib.import_module("gradcli.lowering.replay").Replay
        if again:
            known[:] = loop, start
        return start(loop, frame)

    return replay_of


def _length(values: range | Rows) -> int:
    """How many items there are, however many."""
    if isinstance(values, Rows):
        return len(values)
    return max(0, -((values.start - values.stop) // values.step))

"""Statements about failure as closures: `try`, `raise`, `assert` and `with`.

Constraints: Python's own `try` runs the script's, so a bare `raise`, nested handlers and `finally`
behave as in Python; an exception's place is noted before any other code of the script runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import CheckFailed, GradcliError
from gradcli.graph.node import current
from gradcli.language import ast
from gradcli.lowering.failures import (
    brief,
    described,
    failure_of,
    is_catchable,
    kind_of,
    raisable,
    value_of,
)
from gradcli.lowering.limits import COMPARE
from gradcli.lowering.lower import lower, lower_block, lower_used, lowers
from gradcli.lowering.scope import UNBOUND, Code, Frame, Scope
from gradcli.lowering.targets import store, store_name
from gradcli.lowering.values import constructor

Handle = Callable[[Frame, BaseException], Any]
"""Runs a handler's body for an exception."""


@lowers(ast.Try)
def try_(node: ast.Try, scope: Scope) -> Code:
    """`try: body`, handlers, `else`, `finally`."""
    run = lower_block(node.body, scope)
    if node.handlers:
        run = _with_handlers(run, node, scope)
    return _with_final(run, lower_block(node.final, scope)) if node.final else run


def _with_handlers(body: Code, node: ast.Try, scope: Scope) -> Code:
    handlers = [
        (
            None if handler.type is None else lower_used(handler.type, scope),
            _handler(handler, scope),
        )
        for handler in node.handlers
    ]
    otherwise = lower_block(node.otherwise, scope)

    def run(frame: Frame) -> Any:
        try:
            signal = body(frame)
        except Exception as error:
            failure_of(error)
            if not is_catchable(error):
                raise
            if current.recording is not None:
                current.recording.fail("an exception was caught")
            for classes, handle in handlers:
                if classes is None or _matches(error, classes(frame)):
                    return handle(frame, error)
            raise
        return otherwise(frame) if signal is None else signal

    return run


def _matches(error: BaseException, classes: Any) -> bool:
    for cls in classes if isinstance(classes, tuple) else (classes,):
        if not (isinstance(cls, type) and issubclass(cls, BaseException)):
            raise TypeError(
                "catching classes that do not inherit from BaseException is not allowed"
            )
    return issubclass(kind_of(error), classes)


def _handler(node: ast.Handler, scope: Scope) -> Handle:
    body = lower_block(node.body, scope)
    if node.name is None:
        return lambda frame, error: body(frame)
    bind, forget = store_name(node.name, scope), _forget(node.name, scope)

    def handle(frame: Frame, error: BaseException) -> Any:
        bind(frame, value_of(error))
        try:
            return body(frame)
        finally:
            forget(frame)

    return handle


def _forget(name: str, scope: Scope) -> Callable[[Frame], Any]:
    if scope.is_module:
        variables = scope.environment.variables
        return lambda frame: variables.pop(name, None)
    bind = store_name(name, scope)
    return lambda frame: bind(frame, UNBOUND)


def _with_final(body: Code, final: Code) -> Code:
    def run(frame: Frame) -> Any:
        try:
            signal = body(frame)
        except BaseException as error:
            failure_of(error)
            result = frame[1]
            override = final(frame)
            if override is not None and isinstance(error, Exception):
                return override
            frame[1] = result
            raise
        result = frame[1]
        override = final(frame)
        if override is not None:
            return override
        frame[1] = result
        return signal

    return run


@lowers(ast.Raise)
def raise_(node: ast.Raise, scope: Scope) -> Code:
    """`raise`, `raise exception`, `raise exception from cause`."""
    span = node.span
    if node.exception is None:
        return _reraise(node)
    exception = lower(node.exception, scope)
    cause = None if node.cause is None else lower(node.cause, scope)

    def run(frame: Frame) -> None:
        value = exception(frame)
        reason = None if cause is None else cause(frame)
        current.span = span
        value = _instance(value, "exceptions must derive from BaseException")
        error = raisable(value, GradcliError("G042", described(value), span, kind=type(value)))
        if cause is None:
            raise error
        wording = "exception causes must derive from BaseException"
        raise error from None if reason is None else _instance(reason, wording)

    return run


def _reraise(node: ast.Raise) -> Code:
    span = node.span

    def run(frame: Frame) -> None:
        current.span = span
        raise  # the handler that runs this closure is active

    return run


def _instance(value: Any, wording: str) -> BaseException:
    if isinstance(value, type) and issubclass(value, BaseException):
        value = constructor(value)()
    if not isinstance(value, BaseException):
        raise TypeError(wording)
    return value


@lowers(ast.Assert)
def assert_(node: ast.Assert, scope: Scope) -> Code:
    """`assert test, message`: exit status 1, with the values that were compared."""
    test, text = node.test, node.test.span.text
    message = None if node.message is None else lower(node.message, scope)
    examine = _examine_comparison(test, scope) if _is_comparison(test) else _examine(test, scope)

    def run(frame: Frame) -> None:
        label = examine(frame)
        if label is None:
            return
        arguments = () if message is None else (message(frame),)
        fact = f"{arguments[0]}" if arguments else " ".join(text.split())
        error = CheckFailed(
            "G041", f"assertion failed: {fact}", test.span, label, kind=AssertionError
        )
        failure_of(error).value = raisable(AssertionError(*arguments), error)
        raise error

    return run


def _is_comparison(node: ast.Expression) -> bool:
    return isinstance(node, ast.Compare) and len(node.rest) == 1


def _examine_comparison(node: Any, scope: Scope) -> Code:
    """None when the comparison holds, else what its two sides are."""
    sign, operand = node.rest[0]
    left, right, operate, span = (
        lower(node.first, scope),
        lower(operand, scope),
        COMPARE[sign],
        node.span,
    )

    def examine(frame: Frame) -> str | None:
        value, other = left(frame), right(frame)
        current.span = span
        return None if operate(value, other) else f"left is {brief(value)}, right is {brief(other)}"

    return examine


def _examine(node: ast.Expression, scope: Scope) -> Code:
    test = lower_used(node, scope)

    def examine(frame: Frame) -> str | None:
        value = test(frame)
        return None if value else f"this is {brief(value)}"

    return examine


@lowers(ast.With)
def with_(node: ast.With, scope: Scope) -> Code:
    """`with a as x, b: body`, from the last item inwards."""
    run = lower_block(node.body, scope)
    for manager, target in reversed(node.items):
        run = _managed(manager, target, run, scope)
    return run


def _managed(node: ast.Expression, target: ast.Expression | None, body: Code, scope: Scope) -> Code:
    manager, span = lower(node, scope), node.span
    assign = None if target is None else store(target, scope)

    def run(frame: Frame) -> Any:
        context = manager(frame)
        current.span = span
        enter, leave = _protocol(context)
        value = enter(context)
        try:
            if assign is not None:
                assign(frame, value)
            signal = body(frame)
        except BaseException as error:
            failure_of(error)
            if leave(context, kind_of(error), value_of(error), error.__traceback__):
                return None
            raise
        leave(context, None, None, None)
        return signal

    return run


def _protocol(context: Any) -> tuple[Any, Any]:
    cls = type(context)
    try:
        return cls.__enter__, cls.__exit__
    except AttributeError:
        raise TypeError(
            f"'{cls.__name__}' object does not support the context manager protocol"
        ) from None

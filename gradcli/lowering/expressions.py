"""Expressions as closures: constants, names, operators, attributes and subscripts.

Constraints: Python's order of evaluation; `current.span` is set before each operation, to the piece
of text from its left operand to its right one.
"""

from __future__ import annotations

import operator
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.node import current
from gradcli.language import ast
from gradcli.lowering import limits
from gradcli.lowering.lower import lower, lower_item, lower_used, lowers
from gradcli.lowering.names import Module, unknown
from gradcli.lowering.scope import PARENT, UNBOUND, Code, Frame, Scope
from gradcli.lowering.values import get_attribute
from gradcli.source import Span


@lowers(ast.Constant)
def constant(node: ast.Constant, scope: Scope) -> Code:
    """A literal."""
    value = node.value
    return lambda frame: value


@lowers(ast.Name)
def name(node: ast.Name, scope: Scope) -> Code:
    """A variable, or what its name means without one."""
    place = scope.resolve(node.id)
    if not scope.is_module and (place is None or place[0]):
        scope.environment.shared.add(node.id)
    if place is None:
        return _module_variable(node, scope)
    depth, slot = place
    return _local(node, slot) if depth == 0 else _outer(node, depth, slot)


def _local(node: ast.Name, slot: int) -> Code:
    def load(frame: Frame) -> Any:
        value = frame[slot]
        if value is UNBOUND:
            raise unbound_local(node)
        return value

    return load


def _outer(node: ast.Name, depth: int, slot: int) -> Code:
    def load(frame: Frame) -> Any:
        for _ in range(depth):
            frame = frame[PARENT]
        value = frame[slot]
        if value is UNBOUND:
            raise GradcliError(
                "G010",
                f"cannot access free variable '{node.id}' where it is not associated with a value "
                "in enclosing scope",
                node.span,
                kind=NameError,
            )
        return value

    return load


def _module_variable(node: ast.Name, scope: Scope) -> Code:
    variables, lookup, id = scope.environment.variables, scope.environment.lookup, node.id

    def load(frame: Frame) -> Any:
        try:
            return variables[id]
        except KeyError:
            value = lookup(id)
        if value is None:
            raise unknown(id, node.span, scope.visible())
        return value

    return load


def unbound_local(node: ast.Name) -> GradcliError:
    """The error for a local variable that is read before it is bound."""
    message = f"cannot access local variable '{node.id}' where it is not associated with a value"
    return GradcliError("G010", message, node.span, kind=UnboundLocalError)


@lowers(ast.Unary)
def unary(node: ast.Unary, scope: Scope) -> Code:
    """`-x`, `+x`, `~x`, `not x`."""
    operate, span = limits.UNARY[node.operator], node.span
    if isinstance(node.operand, ast.Constant) and type(node.operand.value) in (int, float, complex):
        value = operate(node.operand.value) if node.operator in "+-" else None
        if value is not None:
            return lambda frame: value
    operand = lower(node.operand, scope)

    def run(frame: Frame) -> Any:
        value = operand(frame)
        current.span = span
        return operate(value)

    return run


@lowers(ast.Chain)
def chain(node: ast.Chain, scope: Scope) -> Code:
    """`a + b - c`: left to right, in one loop however long it is."""
    first = lower(node.first, scope)
    steps = []
    left = node.first.span
    for sign, operand in node.rest:
        left = Span.operation(left, operand.span)
        steps.append((limits.BINARY[sign], lower(operand, scope), left))
    if len(steps) == 1:
        operand = node.rest[0][1]
        if isinstance(operand, ast.Constant):
            return _with_constant(first, _for_constant(*node.rest[0]), operand.value, left)
        return _binary(first, *steps[0])

    def run(frame: Frame) -> Any:
        value = first(frame)
        for operate, operand, span in steps:
            other = operand(frame)
            current.span = span
            value = operate(value, other)
        return value

    return run


def _for_constant(sign: str, operand: Any) -> Any:
    """The operator before a literal; what floats and small sums build needs no limit."""
    kind = type(operand.value)
    if (sign == "+" and kind in (int, float)) or (sign == "*" and kind is float):
        return operator.add if sign == "+" else operator.mul
    return limits.BINARY[sign]


def _binary(left: Code, operate: Any, right: Code, span: Span) -> Code:
    def run(frame: Frame) -> Any:
        value = left(frame)
        other = right(frame)
        current.span = span
        return operate(value, other)

    return run


def _with_constant(left: Code, operate: Any, other: Any, span: Span) -> Code:
    def run(frame: Frame) -> Any:
        value = left(frame)
        current.span = span
        return operate(value, other)

    return run


@lowers(ast.Power)
def power(node: ast.Power, scope: Scope) -> Code:
    """`base ** exponent`."""
    base, operate = lower(node.base, scope), limits.BINARY["**"]
    span = Span.operation(node.base.span, node.exponent.span)
    if isinstance(node.exponent, ast.Constant):
        return _with_constant(base, operate, node.exponent.value, span)
    return _binary(base, operate, lower(node.exponent, scope), span)


@lowers(ast.Compare)
def compare(node: ast.Compare, scope: Scope) -> Code:
    """`a < b <= c`: each operand once, up to the first comparison that is false."""
    first = lower(node.first, scope)
    if len(node.rest) == 1:
        sign, operand = node.rest[0]
        span = Span.operation(node.first.span, operand.span)
        if isinstance(operand, ast.Constant):
            return _with_constant(first, limits.COMPARE[sign], operand.value, span)
        return _binary(first, limits.COMPARE[sign], lower(operand, scope), span)
    lefts = [node.first, *(operand for _, operand in node.rest)]
    steps = [
        (limits.COMPARE[sign], lower(operand, scope), Span.operation(left.span, operand.span))
        for left, (sign, operand) in zip(lefts, node.rest, strict=False)
    ]
    last = len(steps) - 1

    def run(frame: Frame) -> Any:
        left = first(frame)
        result = None
        for i, (operate, operand, span) in enumerate(steps):
            right = operand(frame)
            current.span = span
            result = operate(left, right)
            if i < last and not result:
                return result
            left = right
        return result

    return run


@lowers(ast.Boolean)
def boolean(node: ast.Boolean, scope: Scope) -> Code:
    """`a and b`, `a or b`: the operand that decides."""
    *operands, final = (lower_used(operand, scope) for operand in node.operands)
    stop = node.operator == "or"

    def run(frame: Frame) -> Any:
        for operand in operands:
            value = operand(frame)
            if bool(value) is stop:
                return value
        return final(frame)

    return run


@lowers(ast.Conditional)
def conditional(node: ast.Conditional, scope: Scope) -> Code:
    """`body if test else otherwise`."""
    test, body = lower_used(node.test, scope), lower(node.body, scope)
    otherwise = lower(node.otherwise, scope)
    return lambda frame: body(frame) if test(frame) else otherwise(frame)


@lowers(ast.Attribute)
def attribute(node: ast.Attribute, scope: Scope) -> Code:
    """`value.name`, as far as the language shows it."""
    owner, id, span = lower(node.value, scope), node.name, node.span

    def run(frame: Frame) -> Any:
        value = owner(frame)
        current.span = span
        return value.member(id) if value.__class__ is Module else get_attribute(value, id)

    return run


@lowers(ast.Subscript)
def subscript(node: ast.Subscript, scope: Scope) -> Code:
    """`value[index]`."""
    owner, index = lower_item(node, scope)
    at, watch = node.span, scope.environment.watch
    read = item if watch is None else watch.item
    span = Span(at.source, at.start, at.end, (node.value.span, node.index.span))

    def run(frame: Frame) -> Any:
        value = owner(frame)
        key = index(frame)
        current.span = span
        return read(value, key)

    return run


def item(value: Any, key: Any) -> Any:
    """`value[key]`; classes have no items, which keeps `type[...]` from making a class."""
    if isinstance(value, type):
        raise TypeError(f"type '{value.__name__}' is not subscriptable")
    return operator.getitem(value, key)


@lowers(ast.Slice)
def slice_(node: ast.Slice, scope: Scope) -> Code:
    """`lower:upper:step`."""
    bounds = [
        None if bound is None else lower(bound, scope)
        for bound in (node.lower, node.upper, node.step)
    ]
    return lambda frame: slice(*[None if bound is None else bound(frame) for bound in bounds])

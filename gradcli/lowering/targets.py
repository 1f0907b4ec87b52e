"""What an assignment writes to: names, items, attributes, and patterns of these.

Constraints: a lowered target is a `Store`, a closure of a frame and a value; unpacking fails in
Python's words.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import islice
from typing import Any

from gradcli.graph.node import current
from gradcli.language import ast
from gradcli.lowering.expressions import item, unbound_local
from gradcli.lowering.limits import IN_PLACE, bounded, feed
from gradcli.lowering.lower import lower, lower_item, lowers
from gradcli.lowering.names import Module, unknown
from gradcli.lowering.scope import UNBOUND, Code, Frame, Scope
from gradcli.lowering.values import delete_attribute, get_attribute, set_attribute

Store = Callable[[Frame, Any], None]


def store(target: ast.Expression, scope: Scope) -> Store:
    """The closure that assigns a value to `target`."""
    if isinstance(target, ast.Name):
        return store_name(target.id, scope)
    if isinstance(target, (ast.Tuple, ast.List)):
        return _store_pattern(target, scope)
    if isinstance(target, ast.Subscript):
        return _store_item(target, scope)
    assert isinstance(target, ast.Attribute)  # the parser lets nothing else through
    return _store_attribute(target, scope)


def store_name(name: str, scope: Scope) -> Store:
    """The closure that binds the variable `name`."""
    if scope.is_module:
        variables = scope.environment.variables

        def bind(frame: Frame, value: Any) -> None:
            variables[name] = value

        return bind
    slot = scope.slots[name]

    def fill(frame: Frame, value: Any) -> None:
        frame[slot] = value

    return fill


def loop_target(target: ast.Expression, scope: Scope) -> tuple[Any, Store | None]:
    """(where in the variables or the frame, None) for a name, which a loop fills without a call.

    For anything else, (None, its store).
    """
    if not isinstance(target, ast.Name):
        return None, store(target, scope)
    return (target.id if scope.is_module else scope.slots[target.id]), None


def _store_item(target: ast.Subscript, scope: Scope) -> Store:
    owner, index = lower_item(target, scope)
    span, watch = target.span, scope.environment.watch
    write = operator.setitem if watch is None else watch.put

    def run(frame: Frame, value: Any) -> None:
        container = owner(frame)
        key = index(frame)
        current.span = span
        write(container, key, value)

    return run


def _store_attribute(target: ast.Attribute, scope: Scope) -> Store:
    owner, name, span = lower(target.value, scope), target.name, target.span

    def run(frame: Frame, value: Any) -> None:
        current.span = span
        set_attribute(owner(frame), name, value)

    return run


def _store_pattern(target: ast.Tuple | ast.List, scope: Scope) -> Store:
    stars = [i for i, part in enumerate(target.items) if isinstance(part, ast.Starred)]
    stores = [
        store(part.value if isinstance(part, ast.Starred) else part, scope) for part in target.items
    ]
    count, span = len(stores), target.span

    def run(frame: Frame, value: Any) -> None:
        if current.span is None:
            current.span = span
        parts = _spread(value, stars[0], count) if stars else _exactly(value, count)
        for assign, part in zip(stores, parts, strict=True):
            assign(frame, part)

    return run


def _exactly(value: Any, count: int) -> list[Any]:
    iterator = _iterator(value)
    parts = list(islice(iterator, count))
    if len(parts) < count:
        raise ValueError(f"not enough values to unpack (expected {count}, got {len(parts)})")
    for _ in iterator:
        raise ValueError(f"too many values to unpack (expected {count})")
    return parts


def _spread(value: Any, star: int, count: int) -> list[Any]:
    parts = list(_iterator(bounded(value)))
    after = count - star - 1
    if len(parts) < count - 1:
        raise ValueError(
            f"not enough values to unpack (expected at least {count - 1}, got {len(parts)})"
        )
    end = len(parts) - after
    return [*parts[:star], parts[star:end], *parts[end:]]


def _iterator(value: Any) -> Any:
    if not hasattr(value, "__iter__") and not hasattr(value, "__getitem__"):
        raise TypeError(f"cannot unpack non-iterable {type(value).__name__} object")
    return iter(feed(value))


@lowers(ast.AugmentedAssign)
def augmented_assign(node: ast.AugmentedAssign, scope: Scope) -> Code:
    """`target op= value`: the target's parts are evaluated once, before the value."""
    operate, value, span = IN_PLACE[node.operator], lower(node.value, scope), node.span
    target = node.target
    if isinstance(target, ast.Name):
        load, assign = lower(target, scope), store_name(target.id, scope)

        def update_name(frame: Frame) -> None:
            old = load(frame)
            other = value(frame)
            current.span = span
            assign(frame, operate(old, other))

        return update_name
    if isinstance(target, ast.Subscript):
        return _update_item(target, operate, value, scope, span)
    assert isinstance(target, ast.Attribute)
    return _update_attribute(target, operate, value, scope, span)


def _update_item(target: ast.Subscript, operate: Any, value: Code, scope: Scope, span: Any) -> Code:
    owner, index = lower_item(target, scope)
    watch = scope.environment.watch
    read, write = (item, operator.setitem) if watch is None else (watch.item, watch.put)

    def run(frame: Frame) -> None:
        container = owner(frame)
        key = index(frame)
        current.span = target.span
        old = read(container, key)
        other = value(frame)
        current.span = span
        write(container, key, operate(old, other))

    return run


def _update_attribute(
    target: ast.Attribute, operate: Any, value: Code, scope: Scope, span: Any
) -> Code:
    owner, name = lower(target.value, scope), target.name

    def run(frame: Frame) -> None:
        holder = owner(frame)
        current.span = target.span
        old = holder.member(name) if holder.__class__ is Module else get_attribute(holder, name)
        other = value(frame)
        current.span = span
        set_attribute(holder, name, operate(old, other))

    return run


@lowers(ast.Delete)
def delete(node: ast.Delete, scope: Scope) -> Code:
    """`del a, b[i]`."""
    removals = [_removal(target, scope) for target in node.targets]

    def run(frame: Frame) -> None:
        for remove in removals:
            remove(frame)

    return run


def _removal(target: ast.Expression, scope: Scope) -> Code:
    if isinstance(target, ast.Name):
        return _remove_name(target, scope)
    if isinstance(target, (ast.Tuple, ast.List)):
        return delete(ast.Delete(list(target.items), span=target.span), scope)
    if isinstance(target, ast.Subscript):
        owner, index, span = lower(target.value, scope), lower(target.index, scope), target.span

        def remove_item(frame: Frame) -> None:
            container = owner(frame)
            key = index(frame)
            current.span = span
            operator.delitem(container, key)

        return remove_item
    assert isinstance(target, ast.Attribute)
    holder, name, place = lower(target.value, scope), target.name, target.span

    def remove_attribute(frame: Frame) -> None:
        value = holder(frame)
        current.span = place
        delete_attribute(value, name)

    return remove_attribute


def _remove_name(target: ast.Name, scope: Scope) -> Code:
    if scope.is_module:
        variables = scope.environment.variables

        def remove(frame: Frame) -> None:
            if target.id not in variables:
                raise unknown(target.id, target.span, scope.visible())
            del variables[target.id]

        return remove
    slot = scope.slots[target.id]

    def clear(frame: Frame) -> None:
        if frame[slot] is UNBOUND:
            raise unbound_local(target)
        frame[slot] = UNBOUND

    return clear

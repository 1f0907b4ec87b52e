"""Displays as closures: lists, tuples, sets, dicts and f-strings, with what is spread into them.

Constraints: Python's order of evaluation; what a display may hold is bounded (limits.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.node import current
from gradcli.language import ast
from gradcli.lowering import limits
from gradcli.lowering.formatting import format_value
from gradcli.lowering.lower import lower, lower_all, lower_used, lowers
from gradcli.lowering.scope import Code, Frame, Scope

_CONVERSIONS: dict[str, Callable[[Any], str]] = {"r": repr, "s": str, "a": ascii}


@lowers(ast.Starred)
def starred(node: ast.Starred, scope: Scope) -> Code:
    """`*value` where nothing takes it apart."""
    raise GradcliError("G001", "can't use starred expression here", node.span, kind=SyntaxError)


@lowers(ast.List)
def list_(node: ast.List, scope: Scope) -> Code:
    """`[a, *b]`."""
    return items(node.items, scope)


@lowers(ast.Tuple)
def tuple_(node: ast.Tuple, scope: Scope) -> Code:
    """`a, *b`."""
    values = items(node.items, scope)
    return lambda frame: tuple(values(frame))


@lowers(ast.Set)
def set_(node: ast.Set, scope: Scope) -> Code:
    """`{a, *b}`."""
    values, span = items(node.items, scope), node.span

    def run(frame: Frame) -> Any:
        members = values(frame)
        current.span = span
        return set(members)

    return run


def items(nodes: list[ast.Expression], scope: Scope) -> Code:
    """The closure that gives the values of `nodes` as a new list, starred ones taken apart."""
    if not any(isinstance(node, ast.Starred) for node in nodes):
        values = lower_all(nodes, scope)
        return lambda frame: [value(frame) for value in values]
    collect = spreading(nodes, scope)
    return lambda frame: collect(frame, "Value")


def spreading(nodes: list[ast.Expression], scope: Scope) -> Callable[[Frame, Any], list[Any]]:
    """Like `items`, for a caller that the error about a starred value names."""
    parts = [
        (True, lower_used(node.value, scope))
        if isinstance(node, ast.Starred)
        else (False, lower(node, scope))
        for node in nodes
    ]

    def collect(frame: Frame, caller: Any) -> list[Any]:
        result: list[Any] = []
        for spread, part in parts:
            value = part(frame)
            if spread:
                result.extend(_iterable(value, caller))
            else:
                result.append(value)
        return result

    return collect


def title(caller: Any) -> str:
    """How Python names what is called, or `Value` in a display, in errors about its arguments."""
    if isinstance(caller, str):
        return caller
    name = getattr(caller, "__qualname__", type(caller).__name__)
    module = getattr(caller, "__module__", None)
    return f"{'__main__.' if module == '__main__' else ''}{name}() argument"


def _iterable(value: Any, caller: Any) -> Any:
    if not hasattr(value, "__iter__") and not hasattr(value, "__getitem__"):
        kind = type(value).__name__
        raise TypeError(f"{title(caller)} after * must be an iterable, not {kind}")
    return limits.bounded(value)


@lowers(ast.Dict)
def dict_(node: ast.Dict, scope: Scope) -> Code:
    """`{k: v, **m}`."""
    pairs = [
        (None if key is None else lower(key, scope), lower_used(value, scope), value.span)
        for key, value in node.items
    ]

    def run(frame: Frame) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key, value, span in pairs:
            if key is not None:
                found = key(frame)
                new = value(frame)
                current.span = span
                result[found] = new
                continue
            mapping = value(frame)
            if not isinstance(mapping, dict):
                raise TypeError(f"'{type(mapping).__name__}' object is not a mapping")
            result.update(mapping)
        return result

    return run


@lowers(ast.FormattedString)
def formatted_string(node: ast.FormattedString, scope: Scope) -> Code:
    """An f-string."""
    parts = [
        _literal(part) if isinstance(part, str) else _placeholder(part, scope)
        for part in node.parts
    ]

    def run(frame: Frame) -> str:
        text = "".join([part(frame) for part in parts])
        limits.require_text(len(text))
        return text

    return run


def _literal(text: str) -> Code:
    return lambda frame: text


def _placeholder(node: ast.Placeholder, scope: Scope) -> Code:
    value, span, prefix = lower(node.value, scope), node.value.span, node.prefix
    convert = _CONVERSIONS.get(node.conversion)
    if convert is None and node.prefix and node.spec is None:
        convert = repr
    spec = None if node.spec is None else formatted_string(node.spec, scope)

    def run(frame: Frame) -> str:
        result = value(frame)
        width = "" if spec is None else spec(frame)
        current.span = span
        if convert is not None:
            result = convert(result)
        return prefix + format_value(result, width)

    return run

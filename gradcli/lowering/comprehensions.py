"""Comprehensions and generator expressions, each in a frame of its own.

Constraints: the first iterable is evaluated outside, at once; a generator does the rest on demand
and gives `current.span` back to whoever asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gradcli.graph.node import current
from gradcli.language import ast
from gradcli.lowering.limits import MAX_ITEMS, calls, feed, require_items
from gradcli.lowering.lower import lower, lower_used, lowers
from gradcli.lowering.scope import UNBOUND, Code, Frame, Scope, target_names
from gradcli.lowering.targets import Store, store

Clause = tuple[Code, Store, list[Code], Any]
"""Of one `for`: its iterable, its target, its conditions, and the place of the iterable."""


@lowers(ast.Comprehension)
def comprehension(node: ast.Comprehension, scope: Scope) -> Code:
    """`[element for ...]` and its kin."""
    names = [name for clause in node.clauses for name in target_names(clause.target)]
    title = {"list": "<listcomp>", "set": "<setcomp>", "dict": "<dictcomp>"}.get(
        node.kind, "<genexpr>"
    )
    inner = Scope(scope.environment, scope, names, f"{scope.title}{title}.<locals>.")
    first = lower_used(node.clauses[0].iterable, scope)
    clauses = [
        _clause(clause, scope if i == 0 else inner, inner) for i, clause in enumerate(node.clauses)
    ]
    element = lower(node.element, inner)
    rest = [UNBOUND] * len(inner.slots)
    if node.kind == "generator":
        return _generator(first, clauses, element, rest)
    key = None if node.key is None else lower(node.key, inner)
    start, add = _collector(node.kind, key, element)
    loop = _nest(clauses, add)

    def run(frame: Frame) -> Any:
        iterable = feed(first(frame))
        result = start()
        loop([frame, None, *rest], iterable, result)
        return result

    return run


def _clause(node: ast.Clause, outer: Scope, inner: Scope) -> Clause:
    conditions = [lower_used(condition, inner) for condition in node.conditions]
    return (
        lower_used(node.iterable, outer),
        store(node.target, inner),
        conditions,
        node.iterable.span,
    )


Visit = Callable[[Frame, Any, Any], None]
"""Runs the loops from one clause on: (frame, iterable of that clause, the collection)."""


def _nest(clauses: list[Clause], add: Callable[[Frame, Any], None]) -> Visit:
    (_, assign, conditions, span), *others = clauses
    inner = _nest(others, add) if others else None
    iterable = others[0][0] if others else None

    def visit(frame: Frame, values: Any, result: Any) -> None:
        for value in values:
            assign(frame, value)
            if not conditions or all(condition(frame) for condition in conditions):
                if inner is None or iterable is None:
                    add(frame, result)
                else:
                    inner(frame, feed(iterable(frame)), result)
            current.span = span

    return visit


def _collector(
    kind: str, key: Code | None, element: Code
) -> tuple[Callable[[], Any], Callable[[Frame, Any], None]]:
    def append(frame: Frame, result: list[Any]) -> None:
        result.append(element(frame))
        if len(result) > MAX_ITEMS:
            require_items(len(result))

    def insert(frame: Frame, result: set[Any]) -> None:
        result.add(element(frame))
        require_items(len(result))

    def enter(frame: Frame, result: dict[Any, Any]) -> None:
        assert key is not None
        name = key(frame)
        result[name] = element(frame)
        require_items(len(result))

    if kind == "list":
        return list, append
    return (set, insert) if kind == "set" else (dict, enter)


def _generator(first: Code, clauses: list[Clause], element: Code, rest: list[Any]) -> Code:
    def walk(frame: Frame, values: Any, level: int) -> Iterator[Any]:
        _, assign, conditions, span = clauses[level]
        for value in values:
            assign(frame, value)
            if not conditions or all(condition(frame) for condition in conditions):
                if level + 1 < len(clauses):
                    yield from walk(frame, feed(clauses[level + 1][0](frame)), level + 1)
                else:
                    yield element(frame)
            current.span = span

    def generate(frame: Frame, values: Any) -> Iterator[Any]:
        caller = current.span
        calls.enter()
        try:
            for result in walk(frame, values, 0):
                current.span = caller
                calls.depth -= 1
                try:
                    yield result
                finally:
                    calls.depth += 1
                caller = current.span
            current.span = caller
        finally:
            calls.depth -= 1

    def run(frame: Frame) -> Iterator[Any]:
        values = iter(feed(first(frame)))
        return generate([frame, None, *rest], values)

    return run

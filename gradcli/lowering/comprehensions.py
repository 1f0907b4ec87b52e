"""Comprehensions and generator expressions, each in a frame of its own.

Constraints: the first iterable is evaluated outside, at once; a generator does the rest on demand
and gives `current.span` back to whoever asked.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

from gradcli.graph.node import current
from gradcli.language import ast
from gradcli.lowering.limits import MAX_ITEMS, calls, feed, require_items, require_range
from gradcli.lowering.lower import lower, lower_used, lowers
from gradcli.lowering.scope import UNBOUND, Code, Frame, Scope, target_names
from gradcli.lowering.targets import loop_target


class Clause:
    """One `for` of a comprehension, lowered.

    Attributes:
        iterable, span: what it goes through, and where that stands.
        slot, assign: its target, as `loop_target` gives it.
        condition: its conditions as one; None when there are none.
        fills: whether the collection gets a new item in each turn, so that a range tells how many.
    """

    __slots__ = ("assign", "condition", "fills", "iterable", "slot", "span")

    def __init__(self, node: ast.Clause, outer: Scope, inner: Scope) -> None:
        self.iterable = lower_used(node.iterable, outer)
        self.span = node.iterable.span
        self.slot, self.assign = loop_target(node.target, inner)
        self.condition = _together([lower_used(each, inner) for each in node.conditions])
        self.fills = False

    def items(self, iterable: Any) -> Any:
        """`iterable` to go through; refused where the collection would surely be too large."""
        if self.fills:
            require_range(iterable)
        return feed(iterable)


def _together(conditions: list[Code]) -> Code | None:
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    return lambda frame: all(condition(frame) for condition in conditions)


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
        Clause(clause, scope if i == 0 else inner, inner) for i, clause in enumerate(node.clauses)
    ]
    element = lower(node.element, inner)
    rest = [UNBOUND] * len(inner.slots)
    if node.kind == "generator":
        return _generator(first, clauses, element, rest)
    key = None if node.key is None else lower(node.key, inner)
    clauses[-1].fills = clauses[-1].condition is None and _distinct(node)
    start, add = _collector(node.kind, key, element)
    loop = _nest(clauses, add)

    def run(frame: Frame) -> Any:
        iterable = clauses[0].items(first(frame))
        result = start()
        loop([frame, None, *rest], iterable, result)
        return result

    return run


def _distinct(node: ast.Comprehension) -> bool:
    """Whether each turn of the last clause surely gives an item that is not there yet."""
    item = node.element if node.key is None else node.key
    target = node.clauses[-1].target
    if node.kind == "list":
        return True
    return isinstance(item, ast.Name) and isinstance(target, ast.Name) and item.id == target.id


Visit = Callable[[Frame, Any, Any], None]
"""Runs the loops from one clause on: (frame, iterable of that clause, the collection)."""


def _nest(clauses: list[Clause], add: Callable[[Frame, Any], None]) -> Visit:
    clause, *others = clauses
    slot, assign, condition, span = clause.slot, clause.assign, clause.condition, clause.span
    inner = _inner(others, add) if others else add

    def visit(frame: Frame, values: Any, result: Any) -> None:
        for value in values:
            if assign is None:
                frame[slot] = value
            else:
                assign(frame, value)
            if condition is None or condition(frame):
                inner(frame, result)
            current.span = span

    return visit


def _inner(
    clauses: list[Clause], add: Callable[[Frame, Any], None]
) -> Callable[[Frame, Any], None]:
    visit, iterable, items = _nest(clauses, add), clauses[0].iterable, clauses[0].items
    return lambda frame, result: visit(frame, items(iterable(frame)), result)


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
    last = len(clauses) - 1

    def walk(frame: Frame, values: Any, level: int, caller: Any) -> Generator[Any, None, Any]:
        """Yields the elements, `caller` being the place of who asks; gives the last such place."""
        clause = clauses[level]
        slot, assign, condition = clause.slot, clause.assign, clause.condition
        for value in values:
            if assign is None:
                frame[slot] = value
            else:
                assign(frame, value)
            if condition is not None and not condition(frame):
                pass
            elif level < last:
                inner = feed(clauses[level + 1].iterable(frame))
                caller = yield from walk(frame, inner, level + 1, caller)
            else:
                result = element(frame)
                current.span = caller
                calls.depth -= 1
                try:
                    yield result
                finally:
                    calls.depth += 1
                caller = current.span
            current.span = clause.span
        return caller

    def generate(frame: Frame, values: Any) -> Iterator[Any]:
        calls.enter()
        try:
            current.span = yield from walk(frame, values, 0, current.span)
        finally:
            calls.depth -= 1

    def run(frame: Frame) -> Iterator[Any]:
        return generate([frame, None, *rest], iter(feed(first(frame))))

    return run

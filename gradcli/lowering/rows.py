"""What a loop goes through at places that a counter says: rows of tensors, numbers, pairs of these.

Constraints: nobody can tell it from what `iter`, `zip` and `enumerate` give: rows are views as
`unbind` makes them, of the memory that a tensor has when the loop begins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.graph.node import current
from gradcli.language import ast
from gradcli.lowering.calls import called
from gradcli.lowering.expressions import item
from gradcli.lowering.iteration import is_pattern
from gradcli.lowering.lower import lower, lower_used
from gradcli.lowering.scope import Code, Frame, Scope
from gradcli.lowering.switch import may_replay
from gradcli.lowering.targets import store
from gradcli.lowering.values import constructor
from gradcli.tensor import Tensor, levels
from gradcli.tensor.storage import Stop
from gradcli.tensor.wrapping import viewed

FOREVER = 1 << 60
"""How far `enumerate` counts."""


class Seen:
    """A tensor without a gradient as it is when a loop begins.

    Args:
        tensor: the tensor; what it sees of the memory later is noted as rows are read.
    """

    __slots__ = ("tensor", "view")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.view = viewed(tensor, tensor.node, ())

    def __len__(self) -> int:
        return len(self.view)

    def at(self, place: int, read: Callable[[Any, Any], Any]) -> Any:
        """A row."""
        self.tensor.value_node  # noqa: B018  # or the writes that it has not seen would count up
        tracking = current.tracking
        with Stop(tracking and not self.view.requires_grad):
            row = read(self.view, place)
        if tracking:
            row._view.caution = "multiple"
        return row


class Rows:
    """What a loop goes through, by places.

    Args:
        sources: `Seen` tensors, ranges, texts, lists or tuples of numbers or texts, and such
            `Rows`.
        zipped: whether an item has one of each; else there is one source.
    """

    __slots__ = ("sources", "zipped")

    def __init__(self, sources: list[Any], zipped: bool) -> None:
        self.sources, self.zipped = sources, zipped

    def __len__(self) -> int:
        return min(map(len, self.sources))

    def at(self, place: int, read: Callable[[Any, Any], Any] = item) -> Any:
        """The item at a place.

        Args:
            read: gives `value[key]`.
        """
        found = tuple([_at(source, place, read) for source in self.sources])
        return found if self.zipped else found[0]


def _at(source: Any, place: int, read: Callable[[Any, Any], Any]) -> Any:
    by_itself = source.__class__ in (Rows, Seen)
    return source.at(place, read) if by_itself else read(source, place)


def are_constant(items: Any) -> bool:
    """Whether there are ordinary numbers, or texts, in something, and nothing else."""
    if items.__class__ in (tuple, list):
        return all(i.__class__ in (int, float, str) for i in items)
    return items.__class__ in (range, str)


def rows_of(values: Any) -> Rows | None:
    """What a loop goes through as `Rows`, where it can be and loops may be replayed."""
    if values.__class__ is Rows:
        return values
    return _together([values], zipped=False) if may_replay() else None


def _together(values: list[Any], zipped: bool) -> Rows | None:
    if not all([_has_places(value) for value in values]):
        return None
    return Rows([Seen(v) if v.__class__ is Tensor else v for v in values], zipped)


def _has_places(value: Any) -> bool:
    if value.__class__ is not Tensor:
        return value.__class__ is Rows or are_constant(value)
    node = value.value_node
    plain = not (levels.active or value.requires_grad or node.tracked)
    return plain and bool(node.shape) and node.shape[0].__class__ is int


def goes_through(node: ast.For, scope: Scope) -> Code:
    """The closure of what a loop goes through; `Rows` instead of pairs where that can be."""
    if scope.environment.watch is None and is_pattern(node.target):
        return _iterable(node.iterable, scope)
    return lower_used(node.iterable, scope)


def _iterable(node: ast.Expression, scope: Scope) -> Code:
    if not (
        isinstance(node, ast.Call)
        and isinstance(node.function, ast.Name)
        and node.function.id in ("zip", "enumerate")
        and not node.keywords
        and not any(isinstance(argument, ast.Starred) for argument in node.arguments)
    ):
        return lower_used(node, scope)
    function = lower(node.function, scope)

    def pairing(frame: Frame) -> Any:
        callee = function(frame)
        return lambda *values: _paired(callee, values)

    return called(node, pairing, [_iterable(argument, scope) for argument in node.arguments])


def _paired(callee: Any, values: tuple[Any, ...]) -> Any:
    """What `callee` gives, `Rows` instead of a `zip` or an `enumerate` where that can be."""
    found = None
    if values and may_replay():
        if callee is zip:
            found = _together(list(values), zipped=True)
        elif callee is enumerate and [v.__class__ for v in values[1:]] in ([], [int]):
            start = values[1] if values[1:] else 0
            found = _together([range(start, start + FOREVER), values[0]], zipped=True)
    if found is not None:
        return found
    function = constructor(callee) if isinstance(callee, type) else callee
    return function(*map(_iterator, values))


def _iterator(value: Any) -> Any:
    """What Python goes through instead of `Rows`."""
    if value.__class__ is Seen:
        return value.tensor
    if value.__class__ is not Rows:
        return value
    return constructor(zip)(*map(_iterator, value.sources))


def taking(node: ast.For, scope: Scope, body: Code, runs: list[list[Any]]) -> Code:
    """An iteration that takes its item first.

    Args:
        runs: [the place, the `Rows`] of each run of the loop, the innermost last.
    """
    assign, watch = store(node.target, scope), scope.environment.watch
    read = item if watch is None else watch.item

    def take(frame: Frame) -> Any:
        place, rows = runs[-1]
        assign(frame, rows.at(place, read))
        return body(frame)

    return take

"""What a loop's next iteration starts from: everything that its variables lead to, as a list.

Constraints: changes nothing that shows. Two states with equal `entries` differ at most in the
values of nodes, in numbers and in how often memory was written to, so the same iteration follows
from both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import BuiltinFunctionType, FunctionType
from typing import Any

from gradcli.graph.forms import is_plain, told
from gradcli.graph.node import Node
from gradcli.graph.op import FULL, LEAF
from gradcli.graph.traced import Traced, is_followed, plain
from gradcli.lowering.places import Boxes, Place, holders
from gradcli.lowering.rows import Rows, Seen
from gradcli.tensor import Tensor
from gradcli.tensor.accumulator import Autograd
from gradcli.tensor.operators import Method
from gradcli.tensor.storage import Storage, Version, View

LONGEST = 20_000
"""Entries up to which a state is looked at."""

_CONSTANT = (bool, str, complex, bytes, range, type(None), type(...), type(NotImplemented))
_NUMBERS = (int, float)
_PLAIN = (*_NUMBERS, bool, str, type(None))
_OPAQUE = (FunctionType, BuiltinFunctionType, type)


class Unclear(Exception):
    """Something among the variables that may change without a trace."""


class Reached(Unclear):
    """The history of a value is gone through by a later iteration."""


class Moved(Unclear):
    """Numbers change that a record does not follow.

    Args:
        places: where they are, as far as they can be followed there.
    """

    def __init__(self, places: set[Place]) -> None:
        super().__init__("a number changes in a way that the record does not show")
        self.places = places


class State:
    """What is there now.

    Args:
        boxes: the innermost frame of the function that the loop is in, the variables of the module,
            what the run keeps.
        skipped: variables of the loop's own scope that do not count.
        named: those that the loop or a function may read; numbers and texts of others do not count.
        is_module: whether that scope is the module.
        histories: whether it leads on to what can be differentiated through.

    Attributes:
        entries: what is there, in an order that follows from what is there.
        nodes: the nodes, in the same order.
        numbers: the numbers.
        places: where they are; None in what cannot be gone through by keys.
        held: the objects that were gone through, in the same order.
        versions: the versions, each with its number.
    """

    def __init__(
        self,
        boxes: Boxes,
        skipped: frozenset[Any],
        named: frozenset[Any],
        is_module: bool,
        histories: bool,
    ) -> None:
        self.histories = histories
        self.entries: list[Any] = []
        self.nodes: list[Node] = []
        self.numbers: list[Any] = []
        self.places: list[Place | None] = []
        self.versions: list[tuple[Version, int]] = []
        self._seen: dict[int, int] = {}
        self.held: list[Any] = []
        self._stack: list[tuple[Any, Place | None]] = []
        self._again: set[int] = set()
        self.boxes = boxes
        own: Any = boxes[is_module]
        for number, box in enumerate(self.boxes):
            self._own(number, box, *((skipped, named) if box is own else (frozenset(), None)))
        while self._stack:
            if len(self.entries) > LONGEST:
                raise Unclear("too many values")
            self._visit(*self._stack.pop())

    def places_of(self) -> dict[int, int]:
        """The places of what it holds, by `id`s."""
        return {id(value): place for place, value in enumerate(self.held)}

    def _own(
        self, number: int, box: Any, skipped: frozenset[Any], named: frozenset[Any] | None
    ) -> None:
        """The variables of a scope, without those that do not count."""
        self._seen[id(box)] = -1 - len(self._seen)
        items = box.items() if isinstance(box, dict) else enumerate(box)
        for key, value in items:
            kind = plain(value).__class__
            if key in skipped or (named is not None and key not in named and kind in _PLAIN):
                continue
            self.entries.append((key, kind if kind in _NUMBERS else None))
            if kind in _NUMBERS:
                self.numbers.append(value)
                self.places.append((number, key))
            else:
                self._stack.append((value, (number, key)))

    def _visit(self, value: Any, place: Place | None) -> None:
        kind = value.__class__
        if kind in _NUMBERS or isinstance(value, Traced):
            self.entries.append(plain(value).__class__)
            self.numbers.append(value)
            self.places.append(place)
            return
        if isinstance(value, _CONSTANT):
            self.entries.append((kind, repr(value) if kind is complex else value))
            return
        known = self._seen.get(id(value))
        if known is not None:
            self.entries.append(("again", known))
            self._again.add(id(value))
            return
        self._seen[id(value)] = len(self.held)
        self.held.append(value)
        keys = _KEYS.get(kind)
        if keys is not None and place is not None:
            self._enter(value, place, keys(value))
        else:
            (_ENTER.get(kind) or self._entry_of(value))(self, value)

    def _enter(self, value: Any, place: Place, keys: Any) -> None:
        """Something whose items have places of their own."""
        self.entries.append((value.__class__, keys))
        for key in reversed(keys):
            self._stack.append((value[key], (*place, key)))

    def moved(self, numbers: Iterable[int]) -> Moved:
        """The error that these numbers are not followed where they are.

        A tuple that is in several places would come apart.
        """
        places = {self.places[i] for i in numbers}
        found = {
            place
            for place in places
            if place is not None
            and not any(
                holder.__class__ is tuple and id(holder) in self._again
                for holder in holders(self.boxes, place)
            )
        }
        return Moved(found if len(found) == len(places) else set())

    def _entry_of(self, value: Any) -> Callable[[State, Any], None]:
        if isinstance(value, Tensor):
            return _tensor
        if isinstance(value, tuple):
            return _sequence
        if isinstance(value, _OPAQUE) or value.__class__.__module__.startswith("gradcli."):
            return _opaque
        raise Unclear(f"a {value.__class__.__name__} among the variables")

    def add(self, entry: Any, *below: Any) -> None:
        """Notes an entry; what is below it comes next."""
        self.entries.append(entry)
        self._stack.extend([(value, None) for value in reversed(below)])


def _sequence(state: State, value: Any) -> None:
    state.add((value.__class__, len(value)), *value)


def _collection(state: State, value: Any) -> None:
    if not all(isinstance(item, (int, float, *_CONSTANT)) for item in value):
        raise Unclear("a set of values")
    state.add((value.__class__, frozenset(value)))


def _opaque(state: State, value: Any) -> None:
    """Something that stays as it is; a function of the script leads on to what it closes over."""
    below: list[Any] = []
    if isinstance(value, FunctionType):
        for cell in value.__closure__ or ():
            inner = cell.cell_contents
            if isinstance(inner, (list, dict, Tensor)) or is_script_function(inner):
                below.append(inner)
    state.add(("object", id(value)), *below)


def is_script_function(value: Any) -> bool:
    """Whether a value is a function of the script."""
    return isinstance(value, FunctionType) and value.__module__ == "__main__"


def _tensor(state: State, x: Tensor) -> None:
    if x._requires and x._view is None:
        x.node  # noqa: B018  # its leaf is made when it is asked for, sooner or later
    state.add(("tensor", x._requires), x._node, x._storage, x._seen, x._view, x._autograd)


def _node(state: State, node: Node) -> None:
    state.nodes.append(node)
    stale = node.stale
    ahead = None if stale is None else stale[0].number - stale[1]
    hooks = tuple(map(id, node.hooks or ()))
    kind = (node.shape, node.dtype, node.tracked, node.released, node.op is LEAF, ahead, hooks)
    below: tuple[Any, ...] = ()
    if node.op is LEAF:
        below = (node.attrs["owner"], *node.inputs)
    elif state.histories and node.tracked and not node.released:
        kind = (*kind, node.call and node.call[0], *_made_by(node))
        below = node.inputs
    state.add(kind, None if stale is None else stale[0], *below)


def _made_by(node: Node) -> tuple[Any, ...]:
    """The op of a node with all that its derivative may depend on but values, and of constants."""
    entries: list[Any] = []
    for x in (node, *node.inputs):
        if x is node or x.op is FULL:
            values = tuple(x.attrs.values())
            entries += (x.op, told(values) if is_plain(values) else id(x.attrs))
    return tuple(entries)


def _storage(state: State, storage: Storage) -> None:
    state.add(("storage", storage.strides), storage.node, storage.version)


def _version(state: State, version: Version) -> None:
    state.versions.append((version, version.number))
    state.add("version", version.unseen and version.unseen())


def _view(state: State, view: View) -> None:
    if any(is_followed(value) for _, attrs in view.steps for value in attrs.values()):
        raise Unclear("a view stays at a place that moves")
    steps = tuple((op.name, tuple(sorted(attrs.items()))) for op, attrs in view.steps)
    state.add(("view", steps, view.caution), view.base, view.own)


def _autograd(state: State, kept: Autograd) -> None:
    state.add("autograd", kept.grad, kept.leaf, kept.hooks, kept.after, kept.retain)


def _method(state: State, method: Method) -> None:
    state.add(("method", id(method.function)), method.tensor)


def _rows(state: State, rows: Rows) -> None:
    state.add(("rows", rows.zipped, len(rows.sources)), *rows.sources)


def _seen(state: State, source: Seen) -> None:
    state.add("seen", source.tensor, source.view)


_ENTER: dict[Any, Callable[[State, Any], None]] = {
    **{list: _sequence, tuple: _sequence, set: _collection, frozenset: _collection},
    **{dict: lambda state, value: state.add((dict, tuple(value)), *value.values())},
    **{Tensor: _tensor, Node: _node, Storage: _storage},
    **{
        Version: _version,
        View: _view,
        Autograd: _autograd,
        Method: _method,
        Rows: _rows,
        Seen: _seen,
    },
}
_KEYS: dict[Any, Callable[[Any], Any]] = {
    **{list: lambda value: range(len(value)), tuple: lambda value: range(len(value))},
    **{dict: tuple},
}
"""The keys of what has places inside."""

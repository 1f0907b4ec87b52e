"""Tensors that lists get from the program of a loop, and which of them are one and the same.

Constraints: a program leaves its results in the objects that are there when it begins. A list may
hold one of these, or get it, so while the program runs a `Copy` stands for each object that an
iteration makes anew; afterwards the last one is the object that is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gradcli.execute.loops import Anew, Before
from gradcli.graph.node import NO_ATTRS, Node
from gradcli.graph.op import DATA
from gradcli.lowering.state import State, Unclear
from gradcli.tensor import Tensor

if TYPE_CHECKING:
    from gradcli.lowering.traces import Trace


class Copy:
    """A tensor that a program made, or that was there when it began.

    Args:
        array: its value.
        made: makes a tensor of that; None where there is always one.

    Attributes:
        tensor: the tensor, once there is one.
    """

    __slots__ = ("_array", "_made", "tensor")

    def __init__(self, array: Any, made: Template | None) -> None:
        self._array, self._made = array, made
        self.tensor: Tensor | None = None

    def shown(self) -> Tensor:
        """The tensor, the same one each time."""
        if self.tensor is None:
            assert self._made is not None
            self.tensor = self._made.tensor(self._array)
        return self.tensor


class Template:
    """Tensors without history that differ in their values only.

    Args:
        tensor: one of them, whose memory nobody else keeps.

    Raises:
        Unclear: where more is to be seen of it than a value.
    """

    __slots__ = ("_detached", "_node", "_writes")

    def __init__(self, tensor: Tensor) -> None:
        node, storage, view = tensor.value_node, tensor._storage, tensor._view
        plain = tensor.__class__ is Tensor and not tensor._requires and tensor._autograd is None
        if not plain or node.tracked or node.hooks or node.dtype.rare:
            raise Unclear("a list gets a tensor that has more than a value")
        if view is not None and (view.base is not None or view.steps or view.own or view.caution):
            raise Unclear("a list gets a view")
        if storage is not None and storage.strides is not None:
            raise Unclear("a list gets a tensor with a layout of its own")
        self._node, self._detached = node, view is not None
        self._writes = None if storage is None else storage.version.number

    def __call__(self, array: Any) -> Copy:
        """One of these tensors, for a program."""
        return Copy(array, self)

    def tensor(self, array: Any) -> Tensor:
        """One of these tensors."""
        like = self._node
        made = Tensor(Node(DATA, (), NO_ATTRS, like.shape, like.dtype, False, array))
        if self._writes is not None:
            made.memory.version.number = self._writes
        return made.detach() if self._detached else made


class Objects:
    """The tensors of a loop's variables that its lists get, by their places in its state.

    Args:
        traces: recorded iterations.

    Attributes:
        places: where they are among what a state holds.
        renewed: those of the places where an iteration may leave another object.
    """

    __slots__ = ("places", "renewed")

    def __init__(self, traces: Sequence[Trace]) -> None:
        found: set[int] = set()
        for trace in traces:
            for tensor in trace.got():
                tables = (table for table in (trace.old, trace.new) if id(tensor) in table)
                found.update(table[id(tensor)] for table in tables)
        more = found
        while more:
            before = {t.old.get(id(t.after.held[place])) for t in traces for place in more}
            more = {place for place in before if place is not None} - found
            found |= more
        self.places = sorted(found)
        pairs = [(place, t) for place in self.places for t in traces if place in t.fresh]
        self.renewed = {place for place, _ in pairs}
        for place, trace in pairs:
            Template(trace.after.held[place])

    def after(self, trace: Trace) -> tuple[list[Any], list[Any]]:
        """What an iteration leaves at the places, and what its lists get; raises `Unclear`."""
        order = {place: i for i, place in enumerate(self.places)}
        anew: dict[int, Anew] = {}

        def kept(tensor: Tensor) -> Any:
            place = trace.old.get(id(tensor))
            if place is not None:
                return Before(order[place])
            if id(tensor) not in anew:
                anew[id(tensor)] = trace.anew(tensor)
            return anew[id(tensor)]

        left = [kept(trace.after.held[place]) for place in self.places]
        return left, [replaced(value, kept) for _, value in trace.recording.appended]

    def begin(self, state: State) -> list[Copy]:
        """What stands for the objects that are there when a program begins."""
        found = [(place, state.held[place]) for place in self.places]
        return [
            Copy(tensor.value_node.value, Template(tensor) if place in self.renewed else None)
            for place, tensor in found
        ]

    def end(
        self, state: State, first: list[Copy], last: Sequence[Copy], lists: Iterable[list[Any]]
    ) -> None:
        """Tells the objects of the beginning from those that are there now.

        Args:
            first, last: what stands for the objects of then and of now.
            lists: what may hold those of then.
        """
        found = [state.held[place] for place in self.places]
        for copy, tensor in zip(last, found, strict=True):
            copy.tensor = tensor
        moved = {
            id(tensor): copy
            for copy, tensor in zip(first, found, strict=True)
            if copy.tensor is not tensor
        }
        for items in lists if moved else ():
            for i, value in enumerate(items):
                items[i] = replaced(value, lambda t: moved[id(t)].shown() if id(t) in moved else t)


def tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors in values and in tuples of these."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif value.__class__ is tuple:
            yield from tensors_in(value)


def replaced(value: Any, by: Callable[[Tensor], Any]) -> Any:
    """A value with something else for each tensor; itself where nothing is another."""
    if isinstance(value, Tensor):
        return by(value)
    if value.__class__ is not tuple:
        return value
    parts = tuple([replaced(part, by) for part in value])
    return value if all(map(lambda a, b: a is b, parts, value)) else parts


def shown(value: Any) -> Any:
    """What a list gets of what a program gave it."""
    if value.__class__ is tuple:
        return tuple([shown(part) for part in value])
    return value.shown() if value.__class__ is Copy else value

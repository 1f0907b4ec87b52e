"""Calls of functions on small tensors that are like earlier calls: done by what was learned then.

Constraints: a call is like another if its tensors have the same forms and all else is equal, under
the same grad mode and default dtype; numbers in a tensor's place may differ. What a function does
for a kind of call is learned when it comes again and again. Nothing is learned, nor used, where
somebody looks at each node that is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from gradcli.execute import evaluate
from gradcli.execute.elsewhere import elsewhere
from gradcli.execute.evaluate import silence
from gradcli.graph.dtype import DType, default
from gradcli.graph.forms import ONCE, PURE, UNLIKE, form_of, note, recall
from gradcli.graph.node import Node, current
from gradcli.tensor.blocks import inference
from gradcli.tensor.kinds import NUMBER
from gradcli.tensor.learned import Repeat, recipe_of
from gradcli.tensor.levels import active
from gradcli.tensor.saved import watchers
from gradcli.tensor.tensor import Tensor
from gradcli.tensor.wrapping import any_placed, viewed

if TYPE_CHECKING:
    from gradcli.tensor.entry import Function

Args = tuple[Any, ...]
Kwargs = dict[str, Any]


class Eager:
    """Whether what is done is learned when it is done first, for tests of what was learned."""

    on = False


eager = Eager()
_AS_IT_IS = frozenset((bool, str, type(None), type(...), DType))
_INTEGERS = frozenset((int,))
_NAMED = object()
_new = object.__new__
_NOWHERE: frozenset[Any] = frozenset()
_FIRST = frozenset((0,))


def is_watched() -> bool:
    """Whether somebody looks at each node that is made."""
    return bool(
        current.recording is not None
        or elsewhere.engine is not None
        or elsewhere.watched
        or current.forward
        or active
        or inference.blocks
        or watchers
    )


Found = tuple[list[Tensor], list[Node], list[Any]]
"""The tensors of a call and their nodes, in order, and numbers that another call may have others
of."""


def _sorted(values: Iterable[Any], followed: frozenset[Any], key: list[Any], found: Found) -> bool:
    """Sorts arguments; `key` gets what calls that are alike have in common.

    Args:
        followed: the places of the numbers that may differ.

    Returns:
        Whether all are of kinds that can be known again.
    """
    tensors, nodes, numbers = found
    for place, value in enumerate(values):
        kind = value.__class__
        if kind is Tensor:
            node = value._node if value._storage is None and not value._requires else value.node
            form = node.form or form_of(node)
            if node.value is None or not form.plain:
                return False
            key.append(form)
            tensors.append(value)
            nodes.append(node)
        elif kind is int or kind is float:
            if place in followed:
                key.append(kind)
                numbers.append(value)
            else:
                key += (kind, value or str(value))
        elif kind in _AS_IT_IS:
            key.append(value)
        elif kind is list or kind is tuple:
            whole = _INTEGERS.issuperset(map(type, value))
            key += (kind, tuple(value) if whole else len(value))
            if not whole and not _sorted(value, _NOWHERE, key, found):
                return False
        elif kind is slice:
            key.append(kind)
            if not _sorted((value.start, value.stop, value.step), _NOWHERE, key, found):
                return False
        else:
            return False
    return True


class Repeats:
    """What a function does for the kinds of calls that it has met."""

    __slots__ = ("_followed", "_function", "_known")

    def __init__(self, function: Function) -> None:
        self._function = function
        self._known: dict[Any, Any] = {}
        self._followed: frozenset[Any] | None = None

    def call(self, args: Args, kwargs: Kwargs) -> Any:
        """The function's result."""
        if is_watched():
            return self._function.called(args, kwargs)
        followed = self._followed or self._places()
        key: list[Any] = [current.tracking, default.dtype]
        found: Found = [], [], []
        plain = _sorted(args, followed, key, found)
        for name, value in kwargs.items():
            key += (_NAMED, name)
            places = _FIRST if name in followed else _NOWHERE
            plain = plain and _sorted((value,), places, key, found)
        if not plain:
            return self._function.called(args, kwargs)
        return self._result(tuple(key), found, args, kwargs)

    def pair(self, x: Tensor, y: Any) -> Any:
        """The result for two operands: the same as `call`, sooner."""
        if x.__class__ is not Tensor or is_watched():
            return self.call((x, y), {})
        a = x._node if x._storage is None and not x._requires else x.node
        form = a.form or form_of(a)
        if a.value is None or not form.plain:
            return self._function.called((x, y), {})
        if y.__class__ is Tensor:
            b = y._node if y._storage is None and not y._requires else y.node
            other = b.form or form_of(b)
            if b.value is not None and other.plain:
                pair = (current.tracking, default.dtype, form, other)
                return self._result(pair, ([x, y], [a, b], []), (x, y), {})
        key: list[Any] = [current.tracking, default.dtype, form]
        found: Found = [x], [a], []
        followed = _FIRST if 1 in (self._followed or self._places()) else _NOWHERE
        if not _sorted((y,), followed, key, found):
            return self._function.called((x, y), {})
        return self._result(tuple(key), found, (x, y), {})

    def _result(self, key: Args, found: Found, args: Args, kwargs: Kwargs) -> Any:
        """The result of a call of the kind `key`."""
        tensors, nodes, numbers = found
        known = self._known.get(key)
        if known.__class__ is not Repeat:
            known = recall(self._known, key, numbers)
            if known is None and not eager.on:
                note(self._known, key, numbers, ONCE)
                return self._function.called(args, kwargs)
            if known is None or known is ONCE:
                return self._recorded(key, numbers, args, kwargs)
            if known is PURE:
                known = self._learn(key, found, args, kwargs)
            if known is UNLIKE:
                return self._function.called(args, kwargs)
        if known.largest > evaluate.SMALL:
            return self._function.called(args, kwargs)
        if known.same >= 0:
            return tensors[known.same]
        try:
            if silence.depth:
                made = known.run(nodes, numbers)
            else:
                with silence:
                    made = known.run(nodes, numbers)
        except Exception:  # the call itself says what is wrong, and where
            return self._function.called(args, kwargs)
        if known.several is not None:
            results = tuple(made) if known.several is tuple else known.several(*made)
            return self._function.wrapped_all(
                results, known.steps, (tensors, nodes), args, kwargs, nodes
            )
        (node,) = made
        if known.is_new and not any_placed(tensors):
            return _tensor(node)
        if known.seen is not None:
            return viewed(tensors[0], node, known.seen)
        return self._function.wrapped(node, known.steps[0], tensors, args, kwargs)

    def _places(self) -> frozenset[Any]:
        """The positions and names of the parameters that take a number for a tensor."""
        if self._followed is None:
            parameters = self._function.parameters
            every = [*enumerate(parameters.positional), *parameters.by_name.items()]
            self._followed = frozenset(at for at, one in every if NUMBER in one.kinds)
        return self._followed

    def _recorded(self, key: Args, numbers: list[Any], args: Args, kwargs: Kwargs) -> Any:
        """A call that is the second of its kind: done as ever, under the eyes of a recording."""
        function = self._function
        with import_module("gradcli.graph.recording").Recording(numbers=False) as recording:
            fitted = function.fitted(args, kwargs)
            result = function.performed(*fitted)
        unchanged = fitted[0] is args and fitted[1] is kwargs and not function.columns
        tensors = result if isinstance(result, tuple) else (result,)
        pure = (
            unchanged
            and not (function.edges and len(tensors) > 1)
            and recording.is_pure
            and all([isinstance(x, Tensor) for x in tensors])
        )
        note(self._known, key, numbers, PURE if pure else UNLIKE)
        return self.call(args, kwargs) if pure and eager.on else result

    def _learn(self, key: Args, found: Found, args: Args, kwargs: Kwargs) -> Any:
        """What to do for calls like this one, which is the third of its kind."""
        function, (tensors, nodes, numbers) = self._function, found

        several: Any = None

        def do(nodes: Sequence[Node], numbers: Sequence[Any]) -> list[Node]:
            nonlocal several
            given, named = self._filled(args, kwargs, nodes, numbers)
            shown = self._filled(args, kwargs, tensors, numbers)
            found = function.node_of(given, named, list(nodes), *shown)
            if isinstance(found, Node):
                return [found]
            several = type(found)
            return list(found)

        recipe = recipe_of(self._known, key, numbers, nodes, do)
        repeat = UNLIKE if recipe is None else Repeat(recipe, function, several)
        note(self._known, key, numbers, repeat)
        return repeat

    def _filled(
        self,
        args: Args,
        kwargs: Kwargs,
        tensors: Iterable[Any],
        numbers: Iterable[Any],
    ) -> tuple[Args, Kwargs]:
        """The arguments with others in the places of tensors, and of numbers that are followed."""
        others, more, followed = iter(tensors), iter(numbers), self._places()
        filled = [_replaced(v, others, more, i in followed) for i, v in enumerate(args)]
        return tuple(filled), {
            k: _replaced(v, others, more, k in followed) for k, v in kwargs.items()
        }


def _tensor(node: Node) -> Tensor:
    """The tensor of a value that is known: the same as `Tensor(node)`, sooner."""
    tensor: Tensor = _new(Tensor)
    tensor._node = node
    tensor._storage = tensor._seen = tensor._view = tensor._autograd = None
    tensor._requires = False
    return tensor


def _replaced(value: Any, tensors: Iterator[Any], numbers: Iterator[Any], followed: bool) -> Any:
    kind = value.__class__
    if kind is Tensor:
        return next(tensors)
    if followed and (kind is int or kind is float):
        return next(numbers)
    if kind is list or kind is tuple:
        return kind([_replaced(part, tensors, numbers, False) for part in value])
    return value

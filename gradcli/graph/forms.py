"""What nodes have in common for which the same work takes the same steps.

Constraints: forms and kinds are made once each and compared by identity. Two nodes of one form
differ in their values and their histories only; two of one kind are results of the same op with the
same attributes on operands of the same forms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import FunctionType
from typing import Any

from gradcli.graph.dtype import DType
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.shape import numel

MOST = 4096
"""Forms, and kinds, that are kept at a time."""
FEW = 512
"""What is known at a time of one function, or one kind of node."""


class Form:
    """A shape, a dtype and whether a derivative flows through; of a constant also its number.

    Attributes:
        number: (the number,) of a constant, else None.
        open: of a constant, what all of its shape, dtype and class of number share; else itself.
        size: the number of elements.
        plain: whether functions compute in this dtype, and all numbers are ordinary ones.
    """

    __slots__ = ("number", "open", "plain", "size")

    def __init__(
        self,
        node: Node,
        number: tuple[Any] | None,
        open: Form | None = None,
        *,
        plain: bool = True,
    ) -> None:
        self.number = number
        self.open = open or self
        self.size = numel(node.shape)
        self.plain = plain and not node.dtype.rare


class Kind:
    """An op with its attributes, and the forms of its result and operands.

    Attributes:
        known: what is known of the derivatives of such nodes.
        largest: the elements of the largest of the result and the operands.
        numbers: whether there are constants among them.
    """

    __slots__ = ("known", "largest", "numbers")

    def __init__(self, forms: Sequence[Form]) -> None:
        self.known: dict[Any, Any] = {}
        self.largest = max([form.size for form in forms], default=0)
        self.numbers = any([form.number is not None for form in forms])


ODD = Kind(())
"""The kind of all nodes whose attributes or operands are not plain."""
ONCE, PURE, UNLIKE = object(), object(), object()
"""What is known of work that was done before: nothing yet, that it can be learned, or cannot."""
_forms: dict[Any, Form] = {}
_constants: dict[Any, Form] = {}
_kinds: dict[Any, Kind] = {}
_PLAIN = frozenset((bool, int, float, complex, str, type(None), DType, FunctionType))


def is_plain(value: Any) -> bool:
    """Whether a value is all that there is to it: a number, a word, a dtype, a tuple of these."""
    if value.__class__ is tuple:
        return all([is_plain(part) for part in value])
    return value.__class__ in _PLAIN


def told(value: Any) -> Any:
    """What tells a plain value from all others: 1 from 1.0 and True, and 0.0 from -0.0."""
    if value.__class__ is tuple:
        return tuple([told(part) for part in value])
    return (value.__class__, value or str(value))


def form_of(node: Node) -> Form:
    """The form of a node."""
    form: Form | None = node.form
    if form is None:
        form = node.form = _form(node)
    return form


def _form(node: Node) -> Form:
    if not all([size.__class__ is int for size in node.shape]):
        return Form(node, None, plain=False)
    key = (node.shape, node.dtype, node.tracked)
    if node.op is not FULL:
        return _kept(_forms, key, node)
    value = node.attrs["value"]
    known = getattr(value, "plain", value)  # of a number that a recording follows
    if not is_plain(known):
        return Form(node, (value,), plain=False)
    open = _kept(_forms, (*key, known.__class__), node)
    if known is not value:
        return Form(node, (known,), open)
    return _kept(_constants, (*key, told(value)), node, (value,), open)


def _kept(
    table: dict[Any, Form],
    key: Any,
    node: Node,
    number: tuple[Any] | None = None,
    open: Form | None = None,
) -> Form:
    form = table.get(key)
    if form is None:
        if len(table) > MOST:
            table.clear()
        form = table[key] = Form(node, number, open)
    return form


def kind_of(node: Node) -> Kind:
    """The kind of a node."""
    kind: Kind | None = node.kind
    if kind is None:
        kind = node.kind = kind_like(node, node.inputs)
    return kind


def kind_like(node: Node, inputs: Sequence[Node]) -> Kind:
    """The kind of nodes like this one on operands like these."""
    forms, values = [form_of(x) for x in (node, *inputs)], tuple(node.attrs.values())
    if not (is_plain(values) and all([form.plain for form in forms])):
        return ODD
    key = (node.op, tuple(node.attrs), told(values), tuple([form.open for form in forms]))
    kind = _kinds.get(key)
    if kind is None:
        if len(_kinds) > MOST:
            _kinds.clear()
        kind = _kinds[key] = Kind(forms)
    return kind


# -- what is known of work that is like earlier work


def recall(store: dict[Any, Any], key: Any, numbers: list[Any]) -> Any:
    """What `note` put there; None for nothing."""
    known = store.get(key)
    return known.get(_key(numbers)) if known.__class__ is dict else known


def note(store: dict[Any, Any], key: Any, numbers: list[Any], what: Any) -> None:
    """Puts `what` there, for these numbers alone where `by_number` said so."""
    known = store.get(key)
    if known.__class__ is dict:
        store, key = known, _key(numbers)
    if len(store) > FEW:
        store.clear()
    store[key] = what


def by_number(store: dict[Any, Any], key: Any) -> None:
    """From now on, what is known under this key is so for certain numbers only."""
    store[key] = {}


def _key(numbers: list[Any]) -> tuple[Any, ...]:
    """Numbers of known classes: 0.0 is not -0.0."""
    return tuple([n or str(n) for n in numbers])


# -- sizes


def are_small(nodes: Iterable[Node], most: int) -> bool:
    """Whether all of `nodes` are known, and neither they nor their operands have more elements."""
    for node in nodes:
        kind = node.kind or kind_of(node)
        largest = kind.largest
        if kind is ODD:
            largest = max([form_of(x).size for x in (node, *node.inputs)])
        if node.value is None or largest > most:
            return False
    return True

"""What each of PyTorch's functions keeps of its call for its gradient.

Constraints: stands in saved.txt, one row for each grad_fn, derived from PyTorch's own table of
derivatives (tests/conformance/derivative_table.py writes it).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from gradcli.graph.call import is_composed, results_of, tensors_of
from gradcli.graph.node import Node
from gradcli.graph.op import LEAF


class Field(NamedTuple):
    """One thing that a function keeps.

    Attributes:
        name: as in `grad_fn._saved_self`.
        tensors: which of the tensors that the function took; none for a result.
        result: the number of the result; -1 for a tensor that it took.
        wanted: which tensor must want a gradient for it to be kept; None for any.
        listed: whether it is a list of tensors.
    """

    name: str
    tensors: slice
    result: int
    wanted: int | None
    listed: bool


NONE = slice(0, 0)
FACTOR = Field("factor", NONE, -1, None, True)
"""What a function that PyTorch composes keeps, or views of it: its products keep their factors."""


@cache
def _rows() -> dict[str, str]:
    path = os.path.join(os.path.dirname(__file__), "saved.txt")
    with open(path, encoding="utf-8") as file:
        return {line.split(" ", 1)[0]: line for line in file}


@cache
def fields(name: str) -> tuple[Field, ...]:
    """What the function of a grad_fn name keeps, in the order in which PyTorch packs it."""
    row = _rows().get(name)
    if row is None:
        return ()
    tensors, _, kept = row.partition(" :")
    places, edges = dict[str, slice](), list[int]()
    names = tensors.split()[1:]
    for i, text in enumerate(names):
        behind = any("[]" in other for other in names[:i])
        place = i - len(names) if behind else i
        stop = i + 1 - len(names) or None if behind or "[]" in text else i + 1
        places[text.rstrip("[]*")] = slice(place, stop)
        if text.endswith("*"):
            edges.append(place)
    lists = {text.rstrip("[]*") for text in names if "[]" in text}
    return tuple(_field(text, places, edges, lists) for text in kept.split() if "." not in text)


def _field(text: str, places: dict[str, slice], edges: list[int], lists: set[str]) -> Field:
    name, _, result = text.partition("=")
    name, _, edge = name.partition("?")
    if result:
        return Field(name, NONE, int(result), None, False)
    return Field(name, places[name], -1, edges[int(edge)] if edge else None, name in lists)


@cache
def sizes(name: str) -> dict[str, tuple[int, str]]:
    """Of which tensors the function of a grad_fn name keeps the sizes, or the number of elements.

    Returns:
        By the attribute's name, the tensor's place and which of the two, `sizes` or `numel`.
    """
    tensors, _, kept = _rows().get(name, "").partition(" :")
    places = {text.rstrip("[]*"): i for i, text in enumerate(tensors.split()[1:])}
    found = [text.split(".") for text in kept.split() if "." in text]
    return {f"{tensor}_sym_{what}": (places[tensor], what) for tensor, what in found}


@cache
def edges(name: str) -> tuple[bool, ...]:
    """Which of its tensors the function of a grad_fn name has a derivative by; none for lists."""
    names = _rows().get(name, "").partition(" :")[0].split()[1:]
    return () if any("[]" in text for text in names) else tuple(t.endswith("*") for t in names)


@cache
def turns(name: str, count: int) -> tuple[int, ...]:
    """The places of `count` tensors in the order in which PyTorch computes what it passes to them.

    That is the order of their names, in which its table of derivatives is gone through.
    """
    texts = _rows().get(name, "").partition(" :")[0].split()[1:]
    if len(texts) != count:
        texts = [text for text in texts if text.endswith("*")]
    known = len(texts) == count and not any("[]" in text for text in texts)
    return tuple(sorted(range(count), key=texts.__getitem__)) if known else tuple(range(count))


def kept_by(node: Node) -> list[tuple[Field, Node]]:
    """What the function whose result `node` is keeps of its call; a list's nodes one by one."""
    call = node.call
    if call is None:
        return []
    tensors, found = tensors_of(call), list[tuple[Field, Node]]()
    if is_composed(call):
        varied = [i for i, x in enumerate(tensors) if x.tracked]
        return [(FACTOR, x) for i, x in enumerate(tensors) if varied not in ([], [i])]
    for field in fields(call[0]):
        if field.wanted is not None and not _wanted(tensors, field.wanted):
            continue
        if field.result < 0:
            found += [(field, x) for x in tensors[field.tensors]]
        else:
            result = results_of(node).get(field.result)
            found += [] if result is None else [(field, result)]
    return found


WRITTEN = "CopySlices"
"""What a write to a part is shown as: it keeps the function whose result was written."""


def keeps(node: Node) -> bool:
    """Whether the function whose result `node` is keeps anything at all."""
    call = node.call
    if call is None:
        return False
    if is_composed(call):
        return bool(fields(call[0])) or len(call[1]) > 1
    if call[0] == WRITTEN:
        return True
    found = fields(call[0])
    if not found or any([field.wanted is None for field in found]):
        return bool(found)
    tensors = tensors_of(call)
    return any([_wanted(tensors, field.wanted) for field in found if field.wanted is not None])


def kept_nodes(node: Node) -> list[Node]:
    """The nodes among these, in the same order."""
    call = node.call
    if call is None or call.__class__ is not tuple or is_composed(call):
        return [x for _, x in kept_by(node)]
    tensors, found = tensors_of(call), list[Node]()
    for field in fields(call[0]):
        wanted = field.wanted is None or _wanted(tensors, field.wanted)
        if wanted and field.result <= 0:  # a plain call has one result
            found += tensors[field.tensors] if field.result else (node,)
    return found


def _wanted(tensors: Sequence[Node], place: int) -> bool:
    if not -len(tensors) <= place < len(tensors):
        return False
    x = tensors[place]
    return x.tracked and (x.op is not LEAF or x.attrs["counts"])


def by_place(node: Node) -> list[tuple[tuple[str, int], Field, Node]]:
    """The same, by name and the place among those of that name."""
    counts: dict[str, int] = {}
    found = []
    for field, x in kept_by(node):
        place = counts[field.name] = counts.get(field.name, -1) + 1
        found.append(((field.name, place), field, x))
    return found

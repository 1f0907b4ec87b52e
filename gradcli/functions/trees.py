"""Nested tuples, lists and dicts as a flat list of leaves and a structure.

Constraints: the structure prints as PyTorch prints it in its errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any


class Structure:
    """How a value is nested: its kind (None for a leaf), keys of a dict, and what is inside."""

    __slots__ = ("children", "keys", "kind")

    def __init__(self, kind: Any, keys: list[Any] | None, children: list[Structure]) -> None:
        self.kind = kind
        self.keys = keys
        self.children = children

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Structure) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    @property
    def count(self) -> int:
        """The number of leaves."""
        return 1 if self.kind is None else sum(child.count for child in self.children)

    def filled(self, leaves: Iterator[Any]) -> Any:
        """The value with other leaves."""
        if self.kind is None:
            return next(leaves)
        parts = [child.filled(leaves) for child in self.children]
        if self.kind is dict:
            return dict(zip(self.keys or (), parts, strict=True))
        make = self.kind
        return make(*parts) if hasattr(make, "_fields") else make(parts)

    def spread(self, value: Any) -> list[Any] | None:
        """For each leaf what `value`, of the same upper levels, says; None if its levels differ."""
        if self.kind is None:
            return [value] if not _is_nested(value) else None
        if not _is_nested(value):
            return [value] * self.count
        if type(value) is not self.kind or len(value) != len(self.children):
            return None
        if self.kind is dict and list(value) != self.keys:
            return None
        inner = value.values() if self.kind is dict else value
        found: list[Any] = []
        for child, part in zip(self.children, inner, strict=True):
            leaves = child.spread(part)
            if leaves is None:
                return None
            found += leaves
        return found

    @property
    def brief(self) -> str:
        """The structure as Python would write it, leaves as stars."""
        inner = [child.brief for child in self.children]
        if self.kind is None:
            return "*"
        if self.kind is dict:
            pairs = zip(self.keys or (), inner, strict=True)
            return f"{{{', '.join(f'{key!r}: {text}' for key, text in pairs)}}}"
        if self.kind is list:
            return f"[{', '.join(inner)}]"
        return f"({', '.join(inner)}{',' if len(inner) == 1 else ''})"

    def __repr__(self) -> str:
        return self._text(0)

    def _text(self, indent: int) -> str:
        if self.kind is None:
            return "*"
        context = self.keys if self.kind is dict else None
        space = ",\n" + " " * (indent + 2)
        inner = space.join(child._text(indent + 2) for child in self.children)
        return f"TreeSpec({self.kind.__name__}, {context}, [{inner}])"


LEAF = Structure(None, None, [])


def _is_nested(value: Any) -> bool:
    return isinstance(value, (tuple, list, dict))


def flatten(value: Any) -> tuple[list[Any], Structure]:
    """The leaves of a value, in order, and its structure."""
    if not _is_nested(value):
        return [value], LEAF
    leaves: list[Any] = []
    children = []
    for part in value.values() if isinstance(value, dict) else value:
        inner, structure = flatten(part)
        leaves += inner
        children.append(structure)
    kind = dict if isinstance(value, dict) else type(value)
    return leaves, Structure(kind, list(value) if kind is dict else None, children)


def unflatten(leaves: Sequence[Any], structure: Structure) -> Any:
    """The value of that structure with these leaves."""
    return structure.filled(iter(leaves))


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """The value with `function` of each leaf."""
    leaves, structure = flatten(value)
    return unflatten([function(leaf) for leaf in leaves], structure)

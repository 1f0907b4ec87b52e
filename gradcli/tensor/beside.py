"""What stands beside the carets of an error: the shapes of the tensors a function was given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gradcli.errors import GradcliError, Label
from gradcli.graph.node import current
from gradcli.graph.shape import text
from gradcli.source import Span
from gradcli.tensor.tensor import Tensor

_LONGEST_NAME = 24
_MOST_SHAPES = 3


def with_operands(
    error: GradcliError, args: Iterable[Any], kwargs: Mapping[str, Any]
) -> GradcliError:
    """The error, at the current place unless it has another; it tells the arguments' shapes there.

    Where functions call each other, the outermost has the last word: it stands in the source.
    """
    span = current.span
    error.at(span)
    labels = error.diagnostic.labels
    of_arguments = error.diagnostic.code < "G030"
    if of_arguments and labels and labels[0].span is span and labels[0].text == error.told:
        error.told = operands(span, [*args, *kwargs.values()])
        labels[0] = Label(span, error.told)
    return error


def operands(span: Span, values: list[Any]) -> str:
    """The shapes of the tensors in a call's arguments: `X is (2, 3), w is (4, 5)`."""
    parts = span.parts if len(span.parts) == len(values) else [None] * len(values)
    known = [(_name(part), x) for part, x in zip(parts, values, strict=True) if _is_tensor(x)]
    if known and all(name for name, _ in known):
        return ", ".join(f"{name} is {text(x.shape)}" for name, x in dict(known).items())
    tensors = [x for _, x in known] or [x for x in _elements(values) if _is_tensor(x)]
    return " and ".join(text(x.shape) for x in tensors) if len(tensors) <= _MOST_SHAPES else ""


def operand_names(count: int) -> list[str]:
    """The source texts of the current operands; empty where they are long or not so many."""
    span = current.span
    names = [_name(part) for part in span.parts] if span is not None else []
    return names if len(names) == count and all(names) else []


def _name(part: Span | None) -> str:
    """The source of an argument; empty where it is long or not one line."""
    name = part.text if part is not None else ""
    return name if len(name) <= _LONGEST_NAME and "\n" not in name else ""


def _elements(values: Iterable[Any]) -> Iterable[Any]:
    return (x for value in values if isinstance(value, (list, tuple)) for x in value)


def _is_tensor(value: Any) -> bool:
    return value.__class__ is Tensor

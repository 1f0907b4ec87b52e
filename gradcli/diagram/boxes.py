"""What a drawing of a graph consists of: boxes and arrows with what there is to say of them.

Constraints: data only; renderers read it, build.py fills it.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import Diagnostic
from gradcli.graph.node import Node
from gradcli.source import Source, Span


class Box:
    """A node of the drawing.

    Attributes:
        number: its place in the diagram's list.
        kind: variable, constant, function, gradient (a step of the derivative) or error.
        title: a variable's name, a grad_fn, an op, or a constant's value.
        text: its source, on one line; span: where that stands.
        shape, dtype: of its value; None where it has none (an error).
        node: of the graph; None for an error.
        operands: what the inputs are called, by node, for formulas.
        value, grad: arrays, where they are known and were asked for.
        formulas: operand -> the gradient that it gets, where that was asked for.
        result: whether it is the result of the expression.
    """

    __slots__ = (
        *("dtype", "formulas", "grad", "kind", "node", "number", "operands", "result", "shape"),
        *("span", "text", "title", "value"),
    )

    def __init__(self, number: int, kind: str, title: str, span: Span | None, text: str) -> None:
        self.number = number
        self.kind = kind
        self.title = title
        self.span = span
        self.text = text
        self.shape: tuple[Any, ...] | None = None
        self.dtype: str | None = None
        self.node: Node | None = None
        self.operands: dict[Node, str] = {}
        self.value: Any = None
        self.grad: Any = None
        self.formulas: dict[str, str] = {}
        self.result = False


class Arrow:
    """From the box `start` to the box `end`, by number; `kind` is `value` or `gradient`."""

    __slots__ = ("end", "kind", "start")

    def __init__(self, start: int, end: int, kind: str = "value") -> None:
        self.start = start
        self.end = end
        self.kind = kind


class Diagram:
    """A drawing.

    Attributes:
        source: the expression.
        boxes: in the order of computation.
        arrows: between them.
        differentiated: whether gradients were computed, so that a box without one has none.
        error: why the expression has no value, where it has none.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.boxes: list[Box] = []
        self.arrows: list[Arrow] = []
        self.differentiated = False
        self.error: Diagnostic | None = None

    def add(self, kind: str, title: str, span: Span | None = None, text: str = "") -> Box:
        """A new box."""
        box = Box(len(self.boxes), kind, title, span, text)
        self.boxes.append(box)
        return box

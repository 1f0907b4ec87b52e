"""What can be drawn of an expression that fails: its parts up to the operation that cannot be done.

Constraints: evaluates parts of the expression again, from the outside in; knows no reasons, the
error that was raised is the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradcli.diagram.boxes import Arrow, Diagram
from gradcli.diagram.build import Options, Picture
from gradcli.errors import GradcliError
from gradcli.language import ast
from gradcli.lowering.interpret import Interpreter
from gradcli.source import Source
from gradcli.tensor import Tensor

OPAQUE = (ast.Lambda, ast.Comprehension)
"""Expressions whose parts have no value of their own."""


def draw_partial(
    tree: ast.Expression, error: GradcliError, variables: Mapping[str, Any], options: Options
) -> Diagram:
    """The drawing of the parts that have a value, and of the operation that has none."""
    operands, others = _parts(tree, variables)
    source: Source = tree.span.source
    picture = Picture(source, variables, Options(options.level, values=options.values))
    picture.forward([tensor.node for tensor in (*others, *operands)])
    diagram = picture.diagram
    diagram.error = error.diagnostic
    labels = error.diagnostic.labels
    span = labels[0].span if labels else tree.span
    inside = span.source is source
    text = span.whole if inside else source.text.strip()
    box = diagram.add("error", f"error {error.diagnostic.code}", span if inside else None, text)
    for operand in dict.fromkeys(tensor.node for tensor in operands):
        diagram.arrows.append(Arrow(picture.boxes[operand].number, box.number))
    return diagram


def _parts(tree: ast.Expression, variables: Mapping[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
    """The operands of the operation that fails, and what else was computed before it."""
    others: list[Tensor] = []
    failing: ast.Node = tree
    while True:
        values: list[Tensor] = []
        below = None
        for child in [] if isinstance(failing, OPAQUE) else _operands(failing):
            try:
                value = Interpreter(dict(variables)).evaluate(child)
            except GradcliError:
                below = child
                break
            values += _tensors(value)
        if below is None:
            return values, others
        others += values
        failing = below


def _operands(node: ast.Node) -> list[ast.Expression]:
    """The expressions right below a node whose values it uses."""
    found: list[ast.Expression] = []
    pending = ast.children(node)
    if isinstance(node, ast.Chain) and len(node.rest) > 1:
        first, last = node.rest[:-1], node.rest[-1]
        span = node.first.span.to(first[-1][1].span)
        return [ast.Chain(node.first, first, span=span), last[1]]
    while pending:
        child = pending.pop(0)
        if isinstance(child, ast.Attribute) and isinstance(node, ast.Call):
            pending.insert(0, child.value)
        elif isinstance(child, ast.Expression):
            found.append(child)
        else:
            pending = [*ast.children(child), *pending]
    return found


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in _tensors(item)]
    return []

"""A column that meets a vector of its length: a table where most likely n numbers were meant.

Constraints: looks at shapes only. A column that the expression itself made of a vector, as
`x[:, None]` does, is meant, and so is a table that is the result.
"""

from __future__ import annotations

from gradcli.errors import Diagnostic, Label
from gradcli.graph.node import Node
from gradcli.graph.op import OPS
from gradcli.graph.shape import text
from gradcli.graph.walk import ancestors

CODE = "G085"


def accidental_tables(result: Node) -> list[Diagnostic]:
    """A warning for each place where `(n, 1)` and `(n,)` broadcast to `(n, n)` on the way.

    Args:
        result: one number.
    """
    found: dict[tuple[int, int], Diagnostic] = {}
    for node in ancestors((result,), lambda x: True):
        pair = _column_and_vector(node)
        if pair is None or node.span is None:
            continue
        n = node.shape[0]
        message = f"a column {text(pair[0].shape)} and a vector {text(pair[1].shape)} broadcast to "
        report = Diagnostic(
            CODE,
            f"{message}{text(node.shape)}: every element of one meets every element of the other",
            [Label(node.span, f"{n * n} elements, not {n}")],
            help=["for elements in pairs give both one shape: x.squeeze(1) makes a vector of it"],
            severity="warning",
        )
        found.setdefault((node.span.start, node.span.end), report)
    return list(found.values())


def _column_and_vector(node: Node) -> tuple[Node, Node] | None:
    """The operands of different rank that make a square table; None where there are none."""
    if not node.op.elementwise or node.ndim != 2 or node.shape[0] != node.shape[1] or node.size < 4:
        return None
    n = node.shape[0]
    operands = [x.inputs[0] if _is_implicit(x, node) else x for x in node.inputs]
    columns = [x for x in operands if x.shape == (n, 1) and not _is_meant(x)]
    vectors = [x for x in operands if x.shape == (n,)]
    return (columns[0], vectors[0]) if columns and vectors else None


def _is_implicit(x: Node, user: Node) -> bool:
    """Whether the body of a function brings `x` to the other operand's shape."""
    return x.op is OPS["expand"] and x.span is user.span


def _is_meant(column: Node) -> bool:
    """Whether the expression itself turned something into this column."""
    for node in reversed(ancestors((column,), lambda x: x.shape == column.shape)):
        if node.op.view:
            return True
    return False

"""Derivative rules of the op table as formulas, for `gradcli ops` and `gradcli explain`.

Constraints: guards of singular points stay, because they say what PyTorch does there.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import float64
from gradcli.graph.node import Node
from gradcli.graph.op import OPS, SYMBOL, NoDerivative, Op, Zero
from gradcli.graph.shape import Shape
from gradcli.render.formula import formula
from gradcli.rewrite import axes as axes
from gradcli.rewrite.translate import Rewriter


def symbol(name: str, shape: Shape = ()) -> Node:
    """A float64 variable that has no value and can be differentiated by."""
    return Node(SYMBOL, (), {"name": name}, shape, float64, True)


def derivatives(op: Op) -> list[str]:
    """The derivative of an elementwise op by each input, as a formula in `x`, `y`, `z` and `out`.

    An input without a derivative has its reason instead.
    """
    cotangent = symbol("g")
    inputs = [symbol(name) for name in ("x", "y", "z")[: len(op.derivatives)]]
    out = symbol("out")
    said = []
    for rule in op.derivatives:
        if isinstance(rule, NoDerivative):
            said.append(f"none: {rule.reason}")
        elif isinstance(rule, Zero):
            said.append("0")
        else:
            said.append(_told(rule, cotangent, out, inputs))
    return said


def _told(rule: Any, cotangent: Node, out: Node, inputs: list[Node]) -> str:
    """The formula of a rule; the reason of one that refuses, as PyTorch does when it is needed."""
    try:
        return formula(Rewriter()(rule(cotangent, out, *inputs)))
    except GradcliError as error:
        return f"none: {error.diagnostic.message}"


def elementwise(name: str) -> Op | None:
    """The elementwise op of that name, whose derivatives can be shown as formulas; else None."""
    op = OPS.get(name)
    return op if op is not None and op.promotes and len(op.derivatives) < 4 else None

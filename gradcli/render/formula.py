"""Nodes as formulas in gradcli's own language.

Constraints: renders what it is given and simplifies nothing; meant for the small graphs of
derivative rules.
"""

from __future__ import annotations

from collections.abc import Mapping

from gradcli.graph.dtype import float64
from gradcli.graph.node import Node
from gradcli.graph.op import FULL, OPS, SYMBOL, NoDerivative, Op, Zero
from gradcli.graph.shape import Shape

ATTRIBUTES = {"axis": "dim", "keepdims": "keepdim"}
"""Attributes under the names that users write."""
ATOM = 100


def formula(node: Node, names: Mapping[Node, str] | None = None) -> str:
    """The text of a node; `names` says how its leaves are called."""
    return _text(node, names or {})[0]


def symbol(name: str, shape: Shape = ()) -> Node:
    """A float64 variable that has no value and can be differentiated by."""
    return Node(SYMBOL, (), {"name": name}, shape, float64, True)


def derivatives(op: Op) -> list[str]:
    """The derivative of an elementwise op by each input, as a formula in `x`, `y`, `z` and `out`.

    An input without a derivative has its reason instead.
    """
    inputs = [symbol(name) for name in ("x", "y", "z")[: len(op.derivatives)]]
    out = symbol("out")
    cotangent = symbol("g")
    said = []
    for rule in op.derivatives:
        if isinstance(rule, NoDerivative):
            said.append(f"none: {rule.reason}")
        elif isinstance(rule, Zero):
            said.append("0")
        else:
            said.append(formula(rule(cotangent, out, *inputs)))
    return said


def elementwise(name: str) -> Op | None:
    """The elementwise op of that name, whose derivatives can be shown as formulas; else None."""
    op = OPS.get(name)
    return op if op is not None and op.promotes and len(op.derivatives) < 4 else None


def _text(node: Node, names: Mapping[Node, str]) -> tuple[str, int]:
    """The text of a node and its precedence."""
    if node in names:
        return names[node], ATOM
    op = node.op
    if op is SYMBOL:
        return str(node.attrs["name"]), ATOM
    if op is FULL:
        return _number(node.attrs["value"])
    parts = [_text(x, names) for x in node.inputs]
    if op.text:
        return _operator(op, parts), op.precedence
    words = [text for text, _ in parts]
    words += [f"{ATTRIBUTES.get(k, k)}={v!r}" for k, v in node.attrs.items() if v is not False]
    return f"{op.name}({', '.join(words)})", ATOM


def _operator(op: Op, parts: list[tuple[str, int]]) -> str:
    own = op.precedence
    shown = []
    for position, (text, precedence) in enumerate(parts):
        tight = own + ((position > 0 and op.name not in ("add", "mul")) or op.name == "pow")
        shown.append(f"({text})" if precedence < tight and len(op.text) > 3 else text)
    return op.text.format(*shown)


def _number(value: complex) -> tuple[str, int]:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text, 30 if text.startswith("-") else ATOM

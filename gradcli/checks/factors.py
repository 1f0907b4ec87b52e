"""What the chain rule multiplies and adds up inside an expression, as numbers with names.

Constraints: reads the graph that autodiff went through; the same expression gives the same list at
every point.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcli.execute.evaluate import array
from gradcli.graph import backward as engine
from gradcli.graph.node import Node, constant
from gradcli.graph.op import LEAF, NoDerivative, Zero
from gradcli.graph.walk import ancestors
from gradcli.ops.ruled import RULED
from gradcli.tensor import Tensor
from gradcli.tensor.autograd import Targets
from gradcli.tensor.storage import Stop

Array = Any


def inner_slopes(output: Tensor, values: Mapping[str, Any]) -> dict[str, Array]:
    """The derivative of every elementwise operation by its operands: what it is called -> array."""
    found: dict[str, Array] = {}
    names = _names(values)
    for node in _tracked(output):
        if not node.op.elementwise or node.op is LEAF or node.op.variadic:
            continue
        for position, x in enumerate(node.inputs):
            rule = node.op.derivative(position)
            if not x.tracked or isinstance(rule, (NoDerivative, Zero)):
                continue
            with Stop(False):
                slope = rule(constant(1, node.dtype, node.shape), node, *node.inputs, **node.attrs)
                value = np.asarray(array(slope), np.float64)
            whole, operand = _text(node, names), _text(x, names)
            if whole != operand:
                found.setdefault(f"the derivative of {whole} by {operand}", value)
    return found


def contributions(output: Tensor, by: str, values: Mapping[str, Any]) -> dict[str, Array]:
    """What the derivative by a variable has through each operand of an operation with several."""
    variable = values[by]
    if not output.requires_grad or not variable.requires_grad:
        return {}
    targets = Targets([variable])
    found: dict[str, Array] = {}
    names = _names(values)
    with Stop(False):
        cotangents = _cotangents(output, targets)
        for node, cotangent in cotangents.items():
            parts = engine.propagate(node, cotangent, cotangents)
            if len(parts) < 2:
                continue
            for x, part in parts:
                through = targets.cotangent(variable, engine.backward([(x, part)], targets))
                if through is not None:
                    text = _term(_text(x, names), _text(node, names))
                    found.setdefault(text, np.asarray(array(through), np.float64))
    return found


def arrivals(output: Tensor, by: str, values: Mapping[str, Any]) -> dict[str, Array]:
    """The derivative by each operation inside: what one by hand is that stops there."""
    if not output.requires_grad or not values[by].requires_grad:
        return {}
    names = _names(values)
    with Stop(False):
        cotangents = _cotangents(output, Targets([values[by]]))
        inside = {
            _text(x, names): g
            for x, g in cotangents.items()
            if x is not output.node and isinstance(g, Node)  # a bundle has a cotangent a part
        }
        return {text: np.asarray(array(g), np.float64) for text, g in inside.items()}


def _cotangents(output: Tensor, targets: Targets) -> dict[Node, Node]:
    """What arrives at each operation, also at those inside of a function with a rule of its own."""
    found: dict[Node, Node] = {}

    def remember(node: Node, cotangent: Node, passed_on: bool) -> Node:
        found[node] = cotangent
        return cotangent

    seeds = [(output.node, constant(1, output.dtype, tuple(output.shape)))]
    engine.backward(seeds, targets, before=remember)
    for node in [x for x in found if x.op.name in RULED]:
        inner = [(node.inputs[0], found[node])]  # the terms that its own rule adds up
        engine.backward(inner, targets, before=remember)
    return found


def _term(operand: str, operation: str) -> str:
    """What a term is called: inside of a function that the text names as a whole there is more."""
    if operand == operation:
        return f"a term of the derivative of {operation}"
    return f"the term through {operand} in {operation}"


def _tracked(output: Tensor) -> list[Node]:
    return ancestors([output.node], lambda node: node.tracked)


def _names(values: Mapping[str, Any]) -> dict[Any, str]:
    """What the leaves are called, by what owns them."""
    return {v.autograd: name for name, v in values.items() if isinstance(v, Tensor)}


def _text(node: Node, names: Mapping[Any, str]) -> str:
    if node.op is LEAF:
        return names.get(node.attrs["owner"], "a variable")
    return "" if node.span is None else node.span.whole

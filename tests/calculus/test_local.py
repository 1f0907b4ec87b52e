"""Steps of the chain rule as formulas: short, true, and missing where there is none."""

from __future__ import annotations

import pytest

from gradcli.api import as_leaf
from gradcli.calculus.local import holds, local_formulas
from gradcli.diagram.build import Options, draw
from gradcli.language.parser import parse_expression
from gradcli.lowering.interpret import Interpreter
from gradcli.render.rules import symbol
from gradcli.source import Source

SHAPES = {"X": [[1.0, 2, 3], [4, 5, 6]], "w": [1.0, 2, 3], "y": [1.0, 2], "x": 2.0}


def formulas(expression: str) -> dict[str, list[str]]:
    variables = {name: as_leaf(name, value) for name, value in SHAPES.items()}
    for value in variables.values():
        value.requires_grad = True
    source = Source("<expr>", expression)
    output = Interpreter(dict(variables)).evaluate(parse_expression(source))
    boxes = draw(source, [output], variables, Options()).boxes
    return {
        box.title: list(local_formulas(box.node, box.operands).values())
        for box in boxes
        if box.kind == "function"
    }


@pytest.mark.parametrize(
    ("expression", "grad_fn", "expected"),
    [
        ("x*sin(x)", "MulBackward0", ["g*sin(x)", "g*x"]),
        ("x*sin(x)", "SinBackward0", ["g*cos(x)"]),
        ("X@w", "MvBackward0", ["outer(g, w)", "X.T@g"]),
        ("(X@w - y)**2", "PowBackward0", ["2*g*(X@w - y)"]),
        ("(X@w - y)**2", "SubBackward0", ["g", "-g"]),
        ("mean(w)", "MeanBackward0", ["g/3"]),
        ("tanh(x)", "TanhBackward0", ["g*(1 - out**2)"]),
        ("softmax(w, 0)", "SoftmaxBackward0", ["out*(g - g@out)"]),
        ("X.T", "PermuteBackward0", ["g.T"]),
        ("where(w > 2, w, x)", "WhereBackward0", ["where((w > 2), g, 0)"]),
    ],
)
def test_formulas(expression, grad_fn, expected):
    assert formulas(expression)[grad_fn][: len(expected)] == expected


def test_a_formula_that_is_not_true_does_not_hold():
    x, g = symbol("x", (3,)), symbol("g", (3,))
    part = g * x * x
    for text, right in (("g*x0**2", True), ("2*g*x0", False), ("g*x0", False), ("g@x0", False)):
        assert holds(text, part, {x: "x0"}) is right

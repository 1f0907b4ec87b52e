"""`--kinks`: every kink that is hit is reported with the slope that PyTorch takes there."""

from __future__ import annotations

import numpy as np
import pytest

import gradcli
from gradcli.trace.kinks import Kinks
from gradcli.trace.watch import watching

HIT = [
    ("relu(x)", [0.0, 1.0], "relu at 0", [0.0, 1.0]),
    ("abs(x)", [0.0, -1.0], "abs at 0", [0.0, -1.0]),
    ("maximum(x, tensor(1.))", [1.0, 2.0], "maximum of equal numbers", [0.5, 1.0]),
    ("max(x)", [2.0, 2.0], "largest number is there several times", [0.5, 0.5]),
    ("max(x, 0)[0]", [2.0, 2.0], "takes the first one", [1.0, 0.0]),
    ("amin(x, 0)", [2.0, 2.0], "smallest number is there several times", [0.5, 0.5]),
    ("clamp(x, 0, 1)", [0.0, 1.0], "clamp at its bound", [1.0, 1.0]),
    ("floor(x)", [1.0, 1.5], "floor at a whole number", [0.0, 0.0]),
    ("round(x)", [0.5, 0.6], "round half-way", [0.0, 0.0]),
    ("sign(x)", [0.0, 1.0], "sign at 0", [0.0, 0.0]),
    ("norm(x)", [0.0, 0.0], "a norm at 0", [0.0, 0.0]),
    ("leaky_relu(x)", [0.0, 1.0], "decided at equality", [0.01, 1.0]),
    ("where(x > 0, x, 2*x)", [0.0, 1.0], "decided at equality", [2.0, 1.0]),
    ("sort(x)[0][:1]", [2.0, 2.0, 3.0], "equal numbers in an order", [1.0, 0.0, 0.0]),
    ("median(x)", [2.0, 2.0, 3.0], "shares the gradient", [0.5, 0.5, 0.0]),
    ("median(x, 0)[0]", [2.0, 2.0, 3.0], "PyTorch takes one", [0.0, 1.0, 0.0]),
    ("max_pool1d(x[None], 2).sum()", [2.0, 2.0, 3.0, 4.0], "of a window", [1.0, 0.0, 0.0, 1.0]),
    ("max_pool2d(x.view(1, 2, 2), 2)", [2.0, 3.0, 3.0, 1.0], "of a window", [0.0, 1.0, 0.0, 0.0]),
    ("sqrt(x)", [0.0, 1.0], "slope is infinite", [np.inf, 0.5]),
]


def kinks(expression: str, x: object):
    found = Kinks("warn")
    with watching(found):
        result = gradcli.evaluate(f"sum({expression})", {"x": x})
    return list(found.found.values()), result


@pytest.mark.parametrize(("expression", "x", "fact", "slopes"), HIT, ids=[h[0] for h in HIT])
def test_a_kink_is_reported_with_the_slope_that_is_taken(expression, x, fact, slopes):
    reports, result = kinks(expression, x)
    assert [report for report in reports if fact in report.message]
    assert all(report.severity == "warning" for report in reports)
    assert np.array_equal(result.grads["x"], np.array(slopes, np.float32))


@pytest.mark.parametrize("case", HIT, ids=[h[0] for h in HIT])
def test_the_slopes_are_pytorch_s(case):
    torch = pytest.importorskip("torch")
    expression, values, _, slopes = case
    x = torch.tensor(values, requires_grad=True)
    names = {**vars(torch.nn.functional), **vars(torch), "x": x}
    eval(f"({expression}).sum()", names).backward()
    assert x.grad.tolist() == pytest.approx(slopes)


@pytest.mark.parametrize(
    ("expression", "x"),
    [
        ("relu(x)", [1.0, -1.0]),
        ("max(x)", [1.0, 2.0]),
        ("sort(x)[0]*x", [2.0, 1.0]),
        ("median(x)", [1.0, 3.0, 2.0]),
        ("max_pool1d(x[None], 2).sum()", [1.0, 2.0, 2.0, 3.0]),
        ("elu(x)", [0.0, 1.0]),
        ("softplus(x)", [0.0, 1.0]),
        ("tanh(x)", [0.0, 1.0]),
        ("floor(x.detach())*x", [1.0, 2.0]),
        ("norm(x)", [0.0, 1.0]),
        ("x.std()", [0.0, 1.0]),
    ],
)
def test_no_kink_no_report(expression, x):
    assert kinks(expression, x)[0] == []


def test_a_place_is_reported_once():
    found = Kinks("note")
    script = "x = torch.tensor([0., 0.], requires_grad=True)\nfor i in range(5):\n    y = x.abs()\n"
    with watching(found):
        gradcli.run(script)
    (report,) = found.found.values()
    assert report.labels[0].text == "at [0] and 1 more"

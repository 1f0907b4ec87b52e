"""A column that meets a vector of its length is told, one that is meant is not."""

from __future__ import annotations

import pytest

import gradcli
from gradcli.trace.broadcasts import accidental_tables

VALUES = {"x": [[1.0], [2.0], [3.0]], "y": [1.0, 2.0, 3.0], "X": [[1.0, 0.0, 2.0]] * 3}
ACCIDENTS = {
    "mean((x - y)**2)": "x - y",
    "mean((X @ x - y)**2)": "X @ x - y",
    "mse_loss(x, y)": "mse_loss(x, y)",
    "sum(abs(X.mean(1, keepdim=True) - y))": "X.mean(1, keepdim=True) - y",
    "sum(where(x > 1, x, y))": "where(x > 1, x, y)",
    "sum(2*x*y) + sum(y)": "2*x*y",
}
MEANT = [
    "sum((y[:, None] - y)**2)",
    "sum((2*y.unsqueeze(1) - y)**2)",
    "sum((y.view(-1, 1) - y)**2)",
    "mean((x.expand(3, 3) - y)**2)",
    "mean((x.squeeze(1) - y)**2)",
    "mean((x - y[:, None])**2)",
    "sum(X + y)",
    "sum(x[:1] - y[:1])",
    "sum(X @ x)",
]


@pytest.mark.parametrize("expression", ACCIDENTS)
def test_a_table_by_accident_is_told_at_its_place(expression):
    result = gradcli.evaluate(expression, VALUES)
    (report,) = accidental_tables(result.output.node)
    assert report.labels[0].span.text == ACCIDENTS[expression]
    assert "(3, 1)" in report.message
    assert "(3,)" in report.message
    assert report.labels[0].text == "9 elements, not 3"


@pytest.mark.parametrize("expression", MEANT)
def test_what_is_meant_is_not_told(expression):
    assert accidental_tables(gradcli.evaluate(expression, VALUES).output.node) == []

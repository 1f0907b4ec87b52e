"""`--trace-nan`: the op that made the first NaN or infinity, forward and backward, and the leak of
`where` with a rewrite that has none."""

from __future__ import annotations

import numpy as np
import pytest

import gradcli
from gradcli.api import as_leaf
from gradcli.trace.leak import tried
from gradcli.trace.nonfinite import Tracer, given_reports
from gradcli.trace.watch import watching


def first(found):
    """The first report; None where there is none."""
    return found[0].report if found else None


def leak_of(tracer):
    """The leak of the first gradient that is not finite."""
    return tracer.backward[0].leak if tracer.backward else None


def traced(expression: str, **values: object):
    tracer = Tracer()
    variables = {name: as_leaf(name, value) for name, value in values.items()}
    with watching(tracer):
        result = gradcli.evaluate(expression, variables)
    return tracer, result, variables


def place(report) -> tuple[str, str]:
    return report.labels[0].span.whole, report.labels[0].text


@pytest.mark.parametrize(
    ("expression", "x", "text", "label"),
    [
        ("sum(exp(log(x)))", [1.0, 0.0], "log(x)", "at [1]: x = 0"),
        ("sqrt(x - 2)", 1.0, "sqrt(x - 2)", "x - 2 = -1"),
        ("sum(x/(x - x))", [3.0, 1.0], "x/(x - x)", "at [0]: x = 3, x - x = 0"),
        ("sum(exp(x)*0)", [1.0, 100.0], "exp(x)", "at [1]: x = 100"),
        ("(x[:, None]*log(x)).sum()", [1.0, 0.0], "log(x)", "at [1]: x = 0"),
        ("sum(x*tensor([3e38, 3e38]))", [9.0, 9.0], "x*tensor([3e38, 3e38])", "at [0]: x = 9"),
        ("(exp(x)/sum(exp(x)))[0]", [1.0, 1000.0], "exp(x)", "at [1]: x = 1000"),
        ("sum(x - x)", [1.0, float("inf")], "x - x", "at [1]: x = inf, x = inf"),
        ("sum(log(x))", [float("nan"), 0.0], "log(x)", "at [1]: x = 0"),
        ("sum(softmax(x, 0))", [-np.inf, -np.inf], "softmax(x, 0)", "at [0]: x from -inf to -inf"),
        ("sum(pow(x, -1))", [1.0, 0.0], "pow(x, -1)", "at [1]: x = 0"),
    ],
)
def test_the_first_forward_op(expression, x, text, label):
    tracer, _, _ = traced(expression, x=x)
    found, said = place(first(tracer.forward))
    assert found == text
    assert said.startswith(label)


@pytest.mark.parametrize(
    ("expression", "x", "label"),
    [
        ("sum(x/norm(x))", [0.0, 0.0], "x from 0 to 0, norm(x) = 0"),
        ("sum(x/sum(x))", [1.0, -1.0], "x from -1 to 1, sum(x) = 0"),
        ("sum(softmax(x, 1)*x[0])", [[-np.inf] * 2], "at [0]: softmax(x, 1) from nan to nan, "),
    ],
)
def test_a_gradient_summed_over_a_broadcast_has_operands_of_other_shapes(expression, x, label):
    tracer, _, _ = traced(expression, x=x)
    assert place(first(tracer.backward))[1].startswith(label)


@pytest.mark.parametrize("name", ["std", "var"])
def test_a_step_inside_a_function_does_not_take_its_name_for_an_operand(name):
    tracer, _, _ = traced(f"{name}(x)", x=[3.0])
    assert first(tracer.forward).message == f"div inside {name}(x) gives nan"
    assert place(first(tracer.forward)) == (f"{name}(x)", "operand 1 = 0, operand 2 = 0")


def test_the_first_backward_op_where_the_value_is_finite():
    tracer, result, _ = traced("sum(sqrt(x*x))", x=[0.0, 2.0])
    assert first(tracer.forward) is None
    assert np.isnan(result.grads["x"][0])
    assert place(first(tracer.backward)) == (
        "sqrt(x*x)",
        "at [0]: x*x = 0, the incoming gradient is 1",
    )
    assert "SqrtBackward0" in first(tracer.backward).message


def test_nothing_is_found_where_all_is_finite():
    tracer, _, variables = traced("mean(tanh(x))", x=[0.0, 100.0])
    assert (first(tracer.forward), first(tracer.backward)) == (None, None)
    assert given_reports(variables) == []


def test_a_variable_that_is_given_so_is_named():
    _, _, variables = traced("sum(x)", x=[1.0, float("nan")])
    (report,) = given_reports(variables)
    assert report.message == "x is nan at [1] as it was given"


@pytest.mark.parametrize(
    ("expression", "rewrite"),
    [
        ("sum(where(x > 0, log(x), 0))", "where(x > 0, log(where(x > 0, x, 1)), 0)"),
        ("sum(where(x == 0, 0, 1/x))", "where(x == 0, 0, 1/where(x == 0, 1, x))"),
        (
            "sum(torch.where(x>0, x.sqrt(), 0*x))",
            "torch.where(x>0, torch.where(x>0, x, 1).sqrt(), 0*x)",
        ),
        (
            "mean(2*where(x > 0, x/sqrt(x), 0))",
            "where(x > 0, where(x > 0, x, 1)/sqrt(where(x > 0, x, 1)), 0)",
        ),
        ("sum(where(x < 1, asin(x), x))", "where(x < 1, asin(where(x < 1, x, 0)), x)"),
        (
            "sum(where(x > 0, log(x*x), 0))",
            "where(x > 0, log(where(x > 0, x*x, 1)), 0)",
        ),
    ],
)
def test_the_leak_of_where_and_its_rewrite(expression, rewrite):
    tracer, result, variables = traced(expression, x=[0.0, 1.0, 0.5, 4.0])
    assert not np.isfinite(result.grads["x"]).all()
    assert leak_of(tracer) is not None
    assert tried(leak_of(tracer), variables) == rewrite
    start = expression.index("torch.where" if "torch" in expression else "where")
    again = gradcli.evaluate(f"{expression[:start]}{rewrite})", variables)
    assert np.isfinite(again.grads["x"]).all()
    assert np.array_equal(again.value, result.value)


@pytest.mark.parametrize(
    ("expression", "values", "rewrite"),
    [
        (
            "sum(where(c > 0, a/b, 0))",
            {"a": [1.0, 2.0], "b": [2.0, 0.0], "c": [1.0, 0.0]},
            "where(c > 0, a/where(c > 0, b, 1), 0)",
        ),
        (
            "sum(where(c > 0, a/b, 0))",
            {"a": [1.0, 2.0], "b": 0.0, "c": [0.0, 0.0]},
            "where(c > 0, a/where(c > 0, b, 1), 0)",
        ),
        (
            "sum(where(x != 0, sin(x)/x, 1))",
            {"x": [1.0, 0.0]},
            "where(x != 0, sin(x)/where(x != 0, x, 1), 1)",
        ),
        (
            "sum(masked_fill(1/x, x == 0, 0))",
            {"x": [1.0, 0.0]},
            "masked_fill(1/masked_fill(x, x == 0, 1), x == 0, 0)",
        ),
        (
            "sum(log(x).masked_fill(x <= 0, 0))",
            {"x": [1.0, 0.0]},
            "log(masked_fill(x, x <= 0, 1)).masked_fill(x <= 0, 0)",
        ),
        (
            "sum(where(norm(x) > 0, x/norm(x), 0))",
            {"x": [0.0, 0.0]},
            "where(norm(x) > 0, x/where(norm(x) > 0, norm(x), 1), 0)",
        ),
    ],
)
def test_the_operand_alone_is_masked_where_that_is_enough(expression, values, rewrite):
    tracer, result, variables = traced(expression, **values)
    assert leak_of(tracer) is not None
    assert tried(leak_of(tracer), variables) == rewrite
    again = gradcli.evaluate(f"sum({rewrite})", variables)
    assert all(np.isfinite(g).all() for g in again.grads.values() if g is not None)
    assert np.array_equal(again.value, result.value)


def test_a_rewrite_that_does_not_help_is_not_offered():
    tracer, _, variables = traced("sum(where(x > 0, log(x), sqrt(x)))", x=[0.0, 1.0])
    assert leak_of(tracer) is not None
    assert tried(leak_of(tracer), variables) is None


def test_a_nan_without_a_mask_is_no_leak():
    tracer, _, _ = traced("sum(log(x))", x=[0.0, 1.0])
    assert first(tracer.backward) is not None
    assert leak_of(tracer) is None


def test_scripts_are_watched_too_also_in_loops():
    tracer = Tracer()
    script = "x = torch.tensor([4.], requires_grad=True)\n"
    script += "for i in range(9):\n    y = (x - i).log().sum()\n"
    with watching(tracer):
        gradcli.run(script + "y.backward()\n")
    assert place(first(tracer.forward)) == ("(x - i).log()", "at [0]: x - i = 0")


def test_the_watch_ends_with_its_block():
    from gradcli.execute import evaluate
    from gradcli.lowering.switch import switch
    from gradcli.tensor import autograd

    before = evaluate.backend, evaluate.SWEEP, switch.on, autograd.Pass
    with pytest.raises(gradcli.GradcliError), watching(Tracer()):
        gradcli.evaluate("x @ x", {"x": [[1.0, 2.0]]})
    assert (evaluate.backend, evaluate.SWEEP, switch.on, autograd.Pass) == before


def test_large_values_are_seen_op_by_op():
    x = np.ones(300_000, np.float32)
    x[123_456] = 0
    tracer, _, _ = traced("mean(log(x)*2 + 1)", x=x)
    assert place(first(tracer.forward)) == ("log(x)", "at [123456]: x = 0")


def test_the_branch_is_named():
    tracer, _, _ = traced("sum(where(x > 0, log(x), 0))", x=[0.0, 1.0])
    assert "first branch of where(x > 0, log(x), 0)" in first(tracer.backward).notes[0]


def test_what_masked_fill_replaces_is_named():
    tracer, _, _ = traced("sum(masked_fill(log(x), x <= 0, 0))", x=[0.0, 1.0])
    assert (
        "log(x) is filled in by masked_fill(log(x), x <= 0, 0)" in first(tracer.backward).notes[0]
    )
    tracer, _, _ = traced("sum(where(x > 0, log(x), masked_fill(x, x < 0, 0)))", x=[0.0, 1.0])
    assert "first branch of where(" in first(tracer.backward).notes[0]


def test_a_harmless_infinity_does_not_hide_what_comes_through():
    expression = "sum(where(x > 0, log(x), 0)) + sum(sqrt(y - 1))"
    tracer, _, _ = traced(expression, x=[0.0, 1.0], y=[0.5, 2.0])
    said = [(f.report.message, f.report.notes) for f in tracer.forward]
    assert said == [
        ("log(x) gives -inf", ["it does not reach the result"]),
        ("sqrt(y - 1) gives nan", ["it reaches the result"]),
    ]
    assert ["log(x)" in f.report.message for f in tracer.backward] == [False, True]


@pytest.mark.parametrize(
    ("expression", "rewrite"),
    [
        ("sum(m*(1/x))", "m*(1/where(m != 0, x, 1))"),
        ("sum(log(x)*m)", "log(where(m != 0, x, 1))*m"),
    ],
)
def test_a_product_with_a_mask_is_rewritten(expression, rewrite):
    tracer, _, variables = traced(expression, m=[0.0, 1.0], x=[0.0, 2.0])
    leak = tracer.forward[0].leak
    assert leak is not None
    assert tried(leak, {**variables, "m": variables["m"].detach()}) == rewrite

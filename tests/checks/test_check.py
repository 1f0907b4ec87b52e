"""What a check finds: verdicts that say who is wrong, kinks and jumps told apart."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcli.checks.check import COORDINATES, Settings, check
from gradcli.checks.differences import rounding, slope
from gradcli.checks.judge import Verdict
from gradcli.checks.report import Report
from gradcli.cli.check import closed_form
from gradcli.functions.create import from_array
from gradcli.graph.dim import Dims
from gradcli.language.parser import parse_expression
from gradcli.source import Source
from gradcli.tensor.symbols import placeholder

MATRIX = {"X": "mn", "w": "n", "y": "m"}


def reports(
    expression: str, shapes: dict[str, str], *hand: str, order: int = 1, **values: Any
) -> list[Report]:
    """The reports of a check of declared shapes (a letter a size) and given values."""
    dims = Dims()
    variables: dict[str, Any] = {
        name: placeholder(name, tuple(dims[size] for size in sizes))
        for name, sizes in shapes.items()
    }
    variables |= {name: from_array(np.asarray(v, float)) for name, v in values.items()}
    expected = dict(text.split(": ") for text in hand)
    formulas = {k: parse_expression(Source(k, text)) for k, text in expected.items()}
    tree = parse_expression(Source("<expr>", expression))
    closed = partial(closed_form, tree, variables)
    return list(check("check", tree, variables, formulas, Settings(order=order), closed=closed))


def report(*arguments: Any, **more: Any) -> Report:
    """Of the variable that a formula is expected for, or of the only one."""
    found = reports(*arguments, **more)
    hands = [r for r in found if r.has_hand]
    return (hands or found)[0]


@pytest.mark.parametrize(
    ("expression", "shapes", "hand"),
    [
        ("mean(3*(x+2)**2)", {"x": "mn"}, "x: 6*(x+2)/numel(x)"),
        ("sum((X@w - y)**2)", MATRIX, "w: 2*X.T@(X@w - y)"),
        ("sum((X@w - y)**2)", MATRIX, "X: 2*outer(X@w - y, w)"),
        ("sigmoid(x)", {"x": "n"}, "x: sigmoid(x)*(1 - sigmoid(x))"),
        ("exp(x)", {"x": "n"}, "x: diag(exp(x))"),
        ("log(x).sum()", {"x": "n"}, "x: 1/x"),
        ("acosh(x).sum()", {"x": "n"}, "x: 1/sqrt(x**2 - 1)"),
        ("sum(x)", {"x": "n"}, "x: 1"),
        ("logsumexp(z, 0)", {"z": "k"}, "z: softmax(z, 0)"),
        ("x*sin(x)", {"x": ""}, "x: sin(x) + x*cos(x)"),
        ("log(det(A))", {"A": "nn"}, "A: inverse(A).T"),
        ("logdet(X.T@X)", {"X": "mn"}, "X: 2*X@inverse(X.T@X)"),
        ("logdet(X@X.T)", {"X": "mn"}, "X: 2*inverse(X@X.T)@X"),
        ("sum((X + c)**2)", {"X": "nk"}, "X: 2*(X + tensor([1., 2, 3, 4, 5]))"),
        ("trace(A@X@X.T)", {"A": "nn", "X": "nk"}, "X: (A + A.T)@X"),
        (
            "sum((x[1:] - x[:-1])**2)",
            {"x": "n"},
            "x: 2*(conv1d(pad(x.view(1, 1, -1), (1, 1), "
            "'replicate'), tensor([[[-1., 2, -1]]])).view(-1))",
        ),
        ("lgamma(x).sum()", {"x": "n"}, "x: digamma(x)"),
    ],
)
def test_a_right_derivative_passes(expression, shapes, hand):
    found = report(
        expression, shapes, hand, **({"c": [1.0, 2, 3, 4, 5]} if "c)" in expression else {})
    )
    assert found.verdict is Verdict.AGREE, found.sentence
    assert found.max_error < 1e-6
    assert found.slip is None


@pytest.mark.parametrize(
    ("expression", "x"),
    [
        ("x**2", 1e-200),
        ("1e-300*x", 1.0),
        ("1e200*x**2", 3.0),
        ("x + 1e10", 1.0),
        ("x + 1e16", 1.0),
        ("sum(x**2) + 1e12", [1.0, 2]),
        ("mean(x**2)", [1e5, 1e-5, 0]),
        ("exp(x)", 700.0),
        ("exp(x)", -740.0),
        ("exp(-1/x**2)", 0.05),
        ("1/x", 1e-5),
        ("log(1 + x)", 1e-18),
        ("sigmoid(1000*x)", 0.001),
        ("tanh(1e8*x)", 0.0),
        ("logsumexp(x, 0)", [1000.0, 0, -1000]),
        ("(exp(x) - 1)/x", 1e-6),
        ("sin(x)/x", 1e-9),
        ("where(x > 0, x**2, -x**2)", 0.0),
        ("x*abs(x)", 0.0),
        ("relu(x)**2", 0.0),
        ("abs(x)**1.5", 0.0),
        ("prod(x)", [0.0, 0, 3]),
        ("x**0.5", 1e-6),
        ("floor(x)*x", 2.5),
        ("x % 3", 4.5),
        ("std(x)", [1.0, 1, 1]),
        ("x.float()**2", 1.5),
        ("mean(3*(x.float() + 2)**2)", [0.25, -1, 3]),
    ],
)
def test_rounding_steep_slopes_and_bends_are_no_mistakes(expression, x):
    found = report(expression, {}, x=x)
    assert found.verdict is Verdict.AGREE, found.sentence
    assert found.max_error < 1e-6


@pytest.mark.parametrize(
    ("expression", "x"),
    [
        ("max(x, 0)[0]", [1.0, 2, 2, 0]),
        ("amax(x)", [1.0, 1, 1]),
        ("sort(x)[0]@tensor([1., 2, 3])", [1.0, 1, 2]),
        ("kthvalue(x, 2)[0]", [1.0, 1, 2]),
        ("clamp(x, 0, 1).sum()", [0.0, 0.5, 1, 2, -3]),
        ("hardtanh(x).sum()", [-1.0, 1, 0]),
        ("hardswish(x).sum()", [-3.0, 3, 0]),
        ("leaky_relu(x).sum()", [0.0, 0.5, -3]),
        ("max_pool1d(x.view(1, 1, -1), 2).sum()", [1.0, 1, 2, 3]),
        ("abs(x).sum()", [0.0, 1e-9, -1e-12]),
        ("(x > 0)*x", 0.0),
    ],
)
def test_kinks_are_no_mistakes(expression, x):
    assert report(expression, {}, x=x).verdict is Verdict.KINK


def test_a_value_with_a_shape_of_its_own_decides_the_sizes():
    """A name stands for other sizes at other points, unless that fits nothing."""
    found = report(
        "-sum(p*log_softmax(z, 0))", {"z": "k"}, "z: softmax(z, 0) - p", p=[0.2, 0.5, 0.3]
    )
    assert found.verdict is Verdict.AGREE
    assert report("sum(x**2)", {"x": "n"}, "x: 2*x*tensor([1., 1, 1])").verdict is Verdict.AGREE


def test_one_wrong_entry_is_found_and_shown_first():
    hand = "x: 2*x + (arange(5) == 3)*1e-3"
    found = report("sum(x**2)", {}, hand, x=[1.0, 2, 3, 4, 5])
    assert found.verdict is Verdict.HAND
    assert found.worst[0].index == (3,)
    assert len(found.worst) == 1


@pytest.mark.parametrize(
    ("expression", "x", "verdict"),
    [
        ("relu(x)", 0.0, Verdict.KINK),
        ("abs(x) + 3*relu(x)", 0.0, Verdict.KINK),
        ("relu(x)", 1e-5, Verdict.AGREE),
        ("sin(1e6*x)", 0.3, Verdict.AGREE),
        ("x**2*1e-9 + 1", 0.5, Verdict.AGREE),
        ("1e9*x**2", 0.5, Verdict.AGREE),
        ("floor(x)", 1.5, Verdict.AGREE),
        ("floor(x)", 1.0, Verdict.UNDECIDED),
        ("sin(1e9*x)", 0.3, Verdict.UNDECIDED),
        ("sqrt(x)", 0.0, Verdict.NOT_FINITE),
        ("log(x)", -1.0, Verdict.NOT_FINITE),
        ("x*x.detach()", 3.0, Verdict.AUTODIFF),
    ],
)
def test_kinks_jumps_and_steep_slopes_are_told_apart(expression, x, verdict):
    assert report(expression, {}, x=x).verdict is verdict


@pytest.mark.parametrize(
    ("hand", "verdict"),
    [("2*x", Verdict.AUTODIFF), ("x", Verdict.BOTH), ("5*x", Verdict.ALL)],
)
def test_the_verdict_says_who_is_wrong(hand, verdict):
    assert report("x*x.detach()", {}, f"x: {hand}", x=3.0).verdict is verdict


def test_where_differences_fail_the_hand_written_derivative_decides():
    assert report("sin(1e9*x)", {}, "x: 1e9*cos(1e9*x)", x=0.3).verdict is Verdict.STEEP
    assert report("sin(1e9*x)", {}, "x: 1e9*sin(1e9*x)", x=0.3).verdict is Verdict.UNDECIDED


def test_nan_by_hand_is_a_failure():
    assert report("x**2", {}, "x: 2*x + log(-x)", x=1.0).verdict is Verdict.HAND


def test_second_derivatives_of_every_pair():
    found = reports("sum(x**2*y)", {"x": "n", "y": "n"}, "x: 2*diag(y)", "y,x: 2*diag(x)", order=2)
    assert [(r.variable, r.verdict, r.has_hand) for r in found] == [
        ("x,x", Verdict.AGREE, True),
        ("x,y", Verdict.AGREE, True),
        ("y,y", Verdict.AGREE, False),
    ]


def test_of_many_coordinates_some_are_measured_and_all_compared_by_hand():
    x = np.linspace(1, 2, 300)
    good = report("sum(x**2)", {}, "x: 2*x", x=x)
    assert good.verdict is Verdict.AGREE
    assert "128 of 300" in good.notes[0]
    for place in (0, 171):
        wrong = report("sum(x**2)", {}, f"x: 2*x + (arange(300) == {place})*0.1", x=x)
        assert wrong.verdict is Verdict.HAND
        assert wrong.worst[0].index == (place,)


def test_coordinates_without_differences_take_part_along_random_directions():
    drawn = np.random.default_rng(0).choice(np.arange(300), COORDINATES, replace=False)
    place = next(i for i in range(300) if i not in drawn)
    x, cut = np.linspace(1, 2, 300), f"sum(x**2) + x[{place}].detach()*x[{place}]"
    wrong = report(cut, {}, x=x)
    assert wrong.verdict is Verdict.AUTODIFF
    assert "along a random direction" in wrong.notes[1]
    right = f"x: 2*x + 2*x[{place}]*eye(300)[{place}]"
    assert report(cut, {}, right, x=x).verdict is Verdict.AUTODIFF
    assert report(cut, {}, f"x: 2*x + x[{place}]*eye(300)[{place}]", x=x).verdict is Verdict.BOTH


def test_random_numbers_in_the_expression_stay_the_same():
    assert report("sum(rand(3)*x)", {"x": ""}).verdict is Verdict.AGREE


@given(
    st.lists(st.floats(-3, 3), min_size=4, max_size=4),
    st.floats(-2, 2),
)
def test_differences_of_polynomials_are_exact_up_to_their_error(coefficients, x):
    function = np.polynomial.Polynomial(coefficients)
    point, middle = np.array([x]), np.asarray(function(x))

    def at(p):
        return np.asarray(function(p[0]))

    found = slope(at, point, (0,), middle, rounding(at, point, middle, 2.0**-52))
    assert abs(found.value - function.deriv()(x)) <= 1e-6 * max(1, abs(function.deriv()(x)))


def test_a_wrong_backward_of_a_script_s_own_would_be_seen():
    """The judge itself: a derivative that is off by one part in a thousand does not pass."""
    for factor in (1.001, 0.999, -1, 2):
        found = report(
            "sum(x.detach()**2) + sum((x - x.detach())*c*x.detach())", {}, x=[1.0, 2], c=2 * factor
        )
        assert found.verdict is Verdict.AUTODIFF

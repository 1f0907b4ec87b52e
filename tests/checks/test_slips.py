"""Mistakes planted in derivatives by hand: every one is found, and the usual ones are named."""

from __future__ import annotations

import pytest

from gradcli.checks.judge import Verdict
from tests.checks.test_check import MATRIX, report

N, XY, SQUARE = {"x": "n"}, {"x": "n", "y": "n"}, {"A": "nn", "B": "nn"}
BIAS = {"X": "mn", "b": "n"}
GAUSS = ("-numel(x)*log(s) - sum((x-m)**2)/(2*s**2)", {"x": "n", "m": "", "s": ""})
ROWS = ("-log_softmax(z, 1).diagonal().mean()", {"z": "nn"})

SLIPS = [
    ("mean(3*(x+2)**2)", {"x": "mn"}, "x: 6*(x+2)", "the factor 1/numel(x) is missing"),
    ("mean(3*(x+2)**2)", {"x": "mn"}, "x: -6*(x+2)/numel(x)", "the sign is wrong"),
    ("mean(x**2)", N, "x: x", "the factor 2/numel(x) is missing"),
    ("sum((X@w - y)**2)", MATRIX, "w: X.T@(X@w - y)", "a factor 2 is missing"),
    ("sum((X@w - y)**2)/2", MATRIX, "w: 2*X.T@(X@w - y)", "a factor 2 is too much"),
    ("sum((X@w - y)**2)", MATRIX, "y: 2*(X@w - y)", "the sign is wrong"),
    ("sum((X@w - y)**2)", MATRIX, "X: 2*outer(w, X@w - y)", "a transpose is missing"),
    ("sum(A*(B@B))", SQUARE, "A: (B@B).T", "a transpose is missing"),
    (
        *("sum((X@w - y)**2)", MATRIX, "X: outer(w, X@w - y)"),
        "a transpose is missing, and a factor 2 is missing",
    ),
    (
        *("mean((X@w - y)**2)", MATRIX, "y: -2*(X@w - y)/numel(w)"),
        "it has 1/numel(w) where 1/numel(y) belongs",
    ),
    (
        *("mean((X@w - y)**2)", MATRIX, "w: 2*X.T@(X@w - y)/numel(w)"),
        "it has 1/numel(w) where 1/numel(y) belongs",
    ),
    (
        *("mean((X@w - y)**2)", MATRIX, "w: 2*X.T@(X@w)/numel(y)"),
        "X@w should be X@w - y: 2*X.T@(X@w - y)/numel(y)",
    ),
    ("mean(softplus(-y*(X@w)))", MATRIX, "w: X.T@sigmoid(-y*(X@w))", None),
    (
        *("sum(relu(1 - y*(X@w)))", MATRIX, "w: -X.T@y"),
        "-X.T should be -X.T*where(1 - y*(X@w) > 0, 1.0, 0.0): "
        "(-X.T*where(1 - y*(X@w) > 0, 1.0, 0.0))@y",
    ),
    ("sin(3*x)", {"x": ""}, "x: cos(3*x)", "the derivative of 3*x by x is missing (chain rule)"),
    (
        *("sum(exp(sin(x)**2))", N, "x: exp(sin(x)**2)*2*sin(x)"),
        "the derivative of sin(x) by x is missing (chain rule)",
    ),
    (
        *("sum(exp(x)/(1 + exp(x)))", N, "x: exp(x)/(1 + exp(x))"),
        "the derivative of exp(x)/(1 + exp(x)) by exp(x) is missing (chain rule)",
    ),
    (
        *("sum(x**2*sin(x))", N, "x: x**2*cos(x)"),
        "the term through x**2 in x**2*sin(x) is missing",
    ),
    (
        *GAUSS,
        "s: sum((x-m)**2)/s**3",
        f"the term through -numel(x)*log(s) in {GAUSS[0]} is missing",
    ),
    ("sum(silu(x))", N, "x: sigmoid(x)", "a term of the derivative of silu(x) is missing"),
    ("sum((A@A - B)**2)", SQUARE, "A: 2*A.T@(A@A - B)", "the term through A in A@A is missing"),
    ("x@A@x", {"x": "n", "A": "nn"}, "x: 2*A@x", "it holds only where A is symmetric"),
    (
        "softmax(z, 0)",
        {"z": "n"},
        "z: -outer(softmax(z,0), softmax(z,0))",
        "only the diagonal is wrong",
    ),
    (
        *("softmax(z, 0)", {"z": "n"}, "z: diag(softmax(z,0)*(1 - softmax(z,0)))"),
        "the entries off the diagonal are missing",
    ),
    (
        *("softmax(z, 0)", {"z": "n"}, "z: diag(z) - outer(softmax(z,0), softmax(z,0))"),
        "only the diagonal is wrong: a diag(...) is missing or too much",
    ),
    (*ROWS, "z: softmax(z, 1) - eye(z.shape[0])", "the factor 1/z.shape[0] is missing"),
    (
        *(*ROWS, "z: (softmax(z, 1) - eye(z.shape[0]))/numel(z)"),
        "the factor z.shape[0] is missing",
    ),
    (
        *(*ROWS, "z: (softmax(z, 0) - eye(z.shape[0]))/z.shape[0]"),
        "0 should be 1: (softmax(z, 1) - eye(z.shape[0]))/z.shape[0]",
    ),
    ("sum(log2(x))", N, "x: 1/x", "it is off by the constant factor 1.4427, 1/log(2)"),
    ("sum(x**3)", N, "x: 3*x", "x should be x**2: 3*x**2"),
    ("sum(x**3)", N, "x: 2*x**2", "2 should be 3: 3*x**2"),
    ("sum(x**3)", N, "x: x**2", "it is off by the constant factor 3"),
    ("sum(x**2)", N, "x: 7*x", "it is off by the constant factor 0.285714"),
    ("sum(x/y)", XY, "y: -x/y", "y should be y**2: -x/y**2"),
    ("sum(x/y)", XY, "y: -1/y**2", "-1/y**2 should be -1/y**2*x"),
    ("sum(x*y)", XY, "x: x", "it is the derivative by y"),
    ("sum(tanh(x))", N, "x: 1 - tanh(x)", "tanh(x) should be tanh(x)**2: 1 - tanh(x)**2"),
    ("sum(cos(x))", N, "x: cos(x)", None),
    ("sum(sin(x)*y)", XY, "x: sin(x)*y", "sin should be cos: cos(x)*y"),
    ("norm(x)", N, "x: x", "a division by norm(x) is missing"),
    ("norm(x)", N, "x: x/norm(x)**2", "norm(x)**2 should be norm(x): x/norm(x)"),
    ("sum(relu(x)**2)", N, "x: 2*x*(x < 0)", "x < 0 should be x > 0: 2*x*(x > 0)"),
    (
        *("sum(relu(X@w))", MATRIX, "w: X.T@relu(X@w)"),
        "relu(X@w) should be (X@w > 0).double(): X.T@(X@w > 0).double()",
    ),
    (
        *("sum((X + b)**2)", BIAS, "b: 2*(X + b)"),
        "the sum over the axes along which it is broadcast is missing",
    ),
    ("sum((X + b)**2)", BIAS, "b: 2*(X + b).mean(0)", "the factor X.shape[0] is missing"),
    ("sum((X + b)**2)", BIAS, "b: 2*(X + b).sum(1)", "1 should be 0: 2*(X + b).sum(0)"),
    (
        "var(x)",
        N,
        "x: 2*(x - mean(x))/numel(x)",
        "it has 1/numel(x) where 1/(numel(x) - 1) belongs",
    ),
    (
        "sum((x[1:] - x[:-1])**2)",
        N,
        "x: cat([zeros(1), 2*(x[1:] - x[:-1])])",
        "the term through x[:-1]",
    ),
    ("sum(x/sqrt(x**2 + 0.01))", N, "x: 0*x", None),
    ("sum(sqrt(x**2 + 1e-2))", N, "x: sign(x)", "it leaves out 0.01"),
    ("x**y", {"x": "", "y": ""}, "x: y*x**y", "y should be y - 1: y*x**(y - 1)"),
    (
        *GAUSS,
        "s: -numel(x)/s + sum((x-m)**2)/s**2",
        "2 should be 3: -numel(x)/s + sum((x - m)**2)/s**3",
    ),
    (*GAUSS, "s: -numel(x)/s - sum((x-m)**2)/s**3", "- sum((x - m)**2)/s**3 should be +"),
    ("sum((U@V - A)**2)", {"U": "nn", "V": "nn", "A": "nn"}, "U: 2*(U@V - A)@V", "V should be V.T"),
    ("prod(x)", N, "x: prod(x)*x", "* x should be / x: prod(x)/x"),
    ("sum(where(x > 0, x**2, x))", N, "x: where(x < 0, 2*x, 1)", "x < 0 should be x > 0"),
]


@pytest.mark.parametrize(("expression", "shapes", "hand", "slip"), SLIPS)
def test_every_planted_mistake_is_found_and_the_usual_ones_named(expression, shapes, hand, slip):
    found = report(expression, shapes, hand)
    assert found.verdict is Verdict.HAND
    assert found.slip == slip or (slip and found.slip and found.slip.startswith(slip))


Z, ZY, ROOTS = {"z": "n"}, {"z": "n", "y": "n"}, {"S": "nn"}
LAYER = ("sum(layer_norm(x, (len(x),))*y)", XY)
ROOT = "sqrt(var(x, unbiased=False) + 1e-5)"
QUOTIENT = ("sum(sin(x)/(1 + x**2))", N)
COMPARED = [
    (
        "softmax(z, 0)",
        Z,
        "z: diag(softmax(z, 0))",
        "- outer(softmax(z, 0), softmax(z, 0)) is missing",
    ),
    ("softmax(z, 0)@y", ZY, "z: softmax(z, 0)*y", "- y@softmax(z, 0) is missing"),
    ("log(sum(exp(x)))", N, "x: ones_like(x)", "it amounts to exp(x) where sum(exp(x)) belongs"),
    ("log(sum(x**2))", N, "x: 2/x", "it amounts to x**2 where sum(x**2) belongs"),
    (*QUOTIENT, "x: (cos(x)*(1+x**2) + 2*x*sin(x))/(1+x**2)**2", "+ 2*x*sin(x) should be - 2*x"),
    (
        *QUOTIENT,
        "x: (cos(x)*(1+x**2) - 2*x*sin(x))/(1+x**2)",
        "the derivative of sin(x)/(1 + x**2)",
    ),
    (
        "sum(gelu(x))",
        N,
        "x: 0.5*(1 + erf(x/math.sqrt(2)))",
        "x*exp(-x**2/2)/math.sqrt(2*math.pi) is m",
    ),
    (
        *("sum(huber_loss(X@w, y, reduction='none'))", MATRIX),
        *(
            "w: X.T@where(abs(X@w - y) < 1, X@w - y, 1.0)",
            "it amounts to 1.0 where sgn(X@w - y) bel",
        ),
    ),
    (*LAYER, f"x: (y - mean(y))/{ROOT}", "- (y@(x - mean(x)))*(x - mean(x))/"),
    (*LAYER, f"x: y/{ROOT}", "- mean(y) - (y@(x - mean(x)))*(x - mean(x))/"),
    ("norm(x)**3", N, "x: 3*norm(x)**2", "the derivative of norm(x) by x is missing (chain rule)"),
    ("norm(x)**3", N, "x: 3*x", "the factor norm(x) is missing"),
    ("logdet(S@S.T + eye(len(S)))", ROOTS, "S: 2*inv(S@S.T)@S", "+ eye(S.shape[0]) is missing"),
    ("std(x)", N, "x: x/((numel(x) - 1)*std(x))", "- mean(x) is missing"),
    ("sum(x**y)", XY, "y: x**y", "it amounts to 1.0 where log(x) belongs"),
    (
        *("sum(softmax(X@w, 0)*y)", MATRIX, "w: X.T@(softmax(X@w, 0)*y)"),
        "- y@softmax(X@w, 0) is missing",
    ),
]
"""Mistakes whose names come from the right formula, which is found and compared with."""


@pytest.mark.parametrize(("expression", "shapes", "hand", "slip"), COMPARED)
def test_what_a_derivative_lacks_is_told_from_the_right_formula(expression, shapes, hand, slip):
    found = report(expression, shapes, hand)
    assert (found.verdict, found.slip and found.slip.startswith(slip)) == (Verdict.HAND, True)


RIGHT = [
    ("softmax(z, 0)", Z, "z: softmax(z, 0)[:, None]*(eye(len(z)) - softmax(z, 0)[None])"),
    ("log(sum(exp(x)))", N, "x: exp(x - logsumexp(x, 0))"),
    (*QUOTIENT, "x: (1/(1 + x**2))*(cos(x) - sin(x)*2*x*(1/(1 + x**2)))"),
    ("sum(gelu(x))", N, "x: 0.5*erfc(-x/2**0.5) + x*exp(-0.5*x*x)/(2*math.pi)**0.5"),
    (
        *LAYER,
        f"x: (eye(len(x)) - 1/len(x) - outer(x - mean(x), x - mean(x))/{ROOT}**2/len(x))@y/{ROOT}",
    ),
    ("norm(x)**3", N, "x: 3*x*(x@x)**0.5"),
    (
        "logdet(S@S.T + eye(len(S)))",
        ROOTS,
        "S: solve(S@S.T + eye(len(S)), S) + solve(S@S.T + eye(len(S)), S)",
    ),
    ("sum((X@w - y)**2)", MATRIX, "w: ((X@w - y)@X)*2"),
    ("sum((X@w - y)**2)", MATRIX, "w: 2*(X.T@X@w - X.T@y)"),
    ("sum((X@w - y)**2)", MATRIX, "X: 2*outer(X@w - y, w)"),
    ("sum(tanh(x))", N, "x: 1/cosh(x)**2"),
    ("sum(sigmoid(x))", N, "x: 1/(2 + exp(x) + exp(-x))"),
    ("sum(log(1 + exp(-y*(X@w))))", MATRIX, "w: ((sigmoid(y*(X@w)) - 1)*y)@X"),
    ("det(S)", ROOTS, "S: det(S)*solve(S.T, eye(len(S)))"),
    ("std(x)", N, "x: (x - mean(x))/norm(x - mean(x))/(len(x) - 1)**0.5"),
    ("sum(x**y)", XY, "y: exp(y*log(x))*log(x)"),
    ("prod(x)", N, "x: prod(x)*x**-1.0"),
    ("sum(cumsum(x, 0)*y)", XY, "x: sum(y) - cumsum(y, 0) + y"),
    ("sum(abs(x)**3)", N, "x: 3*sgn(x)*x**2"),
    ("mean((X@w - y)**2)", MATRIX, "y: (y - X@w)/(len(y)/2)"),
]


@pytest.mark.parametrize(("expression", "shapes", "hand"), RIGHT)
def test_a_right_formula_in_another_form_passes(expression, shapes, hand):
    found = report(expression, shapes, hand)
    assert (found.verdict, found.slip) in ((Verdict.AGREE, None), (Verdict.STEEP, None))


def test_a_slip_of_a_second_derivative_is_named():
    found = report("sum(x**3)", {"x": "n"}, "x: 3*diag(x)", order=2)
    assert (found.verdict, found.slip) == (Verdict.HAND, "a factor 2 is missing")


def test_a_mistake_that_is_no_usual_slip_is_not_explained_away():
    found = report("sum(x**3)", {"x": "n"}, "x: 5*x**2 + sin(x)")
    assert (found.verdict, found.slip) == (Verdict.HAND, None)
    assert found.worst[0].hand != pytest.approx(found.worst[0].autodiff)
    assert found.worst[0].differences == pytest.approx(found.worst[0].autodiff, rel=1e-8)


def test_one_number_is_too_little_to_blame_a_place_in_the_formula():
    assert report("x**3", {}, "x: 3*x + 2", x=2.0).slip is None

"""The table of rewrite rules: each one is used, keeps the value, and rewriting ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcli.calculus import differentiate
from gradcli.errors import GradcliError
from gradcli.rewrite import products, terms

SHAPES = {
    **{"x": ("n",), "y": ("n",), "v": ("m",), "A": ("n", "n"), "X": ("m", "n")},
    **{"W": ("n", "k"), "Y": ("m", "k"), "a": (), "b": ()},
}
TABLES = (
    *(products.PAIRS, products.SINGLES, products.SUMS, products.STEPS),
    *(terms.SUM_RULES, terms.SYMMETRIC),
)
RULES = [rule for table in TABLES for rule in table]
SAMPLES = {
    "_sigmoid_pair": "sum(log(1 + exp(x)))",
    "_symbolic_power": "sum(x**y*x**(y - 1)*x)",
    "_indicator_pair": "sum(relu(x)**2)",
    "sgn*abs": "sum(abs(x)**2*y)",
    "_ties": "sum(x*abs(x))",
    "sinh/cosh": "sum(log(cosh(x)))",
    "sin/cos": "sum(log(cos(x)))",
    "_exp_power": "sum(1/(1 + exp(x)**3))",
    "_only_one": "linalg.norm(X, 2)",
    "_diagonal_inside": "trace(exp(A))",
    "_indicator_power": "sum(where(x > 0, y, 0*x)**2)",
    "_even_power": "sum(abs(x)**3)",
    "_softmax_sum": "sum(log_softmax(x, 0)*softmax(y, 0))",
    "symmetric_inverse": "logdet(X.T@X)",
    "_placed_sum": "sum(log_softmax(x, 0)[1:])",
    "_selected_sum": "sum(log_softmax(X, 1).gather(1, argmax(X, 1, keepdim=True)))",
    "_selected_power": "sum(pad(x[:1], (0, 3))**2)",
    "_rolled_sum": "sum(log_softmax(x, 0)*roll(y, 1))",
    "_one_row": "sum(max(X, 1)[0]**2)",
    "_picked": "x[0]*x[1]",
    "_sliced_rows": "(A@x)[1:]",
    "_shared_counts": "corrcoef(stack([x, y]))[0, 1]",
    "_hyperbolic": "sum(y*(1 - exp(-x))/(1 + exp(-x)))",
    "_exp_pair": "-log(exp(a)/sum(exp(x)))",
    "_exp_number": "exp(x)*exp(-x)*y@y",
    "_logistic": "sum(y/(1 + exp(-x)))",
    "_met": "sum(Y*log(Y/(X@W)))",
    "_cleared": "sum(log(1 + (x - a)**2/b))",
    "_decided": "sum(where(x > 0, abs(x)*y, y))",
    "_rectified": "sum(where(x > 0, x**2, 0))",
    "_picked_sum": "corrcoef(stack([x, y]))[0, 1]",
    "over_one_denominator": "a/(a + b)",
    "_inverse_chain": "trace(A@inv(A)@A)",
    "_sum_of_total": "sum((x - mean(x))**2)",
    "exponential": "sum(expm1(x))",
    "joined_choices": "sum(where(x > 0, y*x, 2*x))",
    "sigmoid_complement": "sum((1 - y)*x + softplus(-x))",
    "taken_out": "sum(x*log(x/a) - x)/a",
    "multiplied_out": "-sum(y*log(sigmoid(x)) + (1 - y)*log(1 - sigmoid(x)))",
    "contracted_once": "sum(logsumexp(X@W, 1)) - sum(Y*(X@W))",
}
"""Rule -> an expression in whose derivative it has something to do."""


def names_of(rule: object) -> str:
    return rule.__qualname__  # type: ignore[attr-defined,no-any-return]


def test_every_rule_has_a_sample() -> None:
    assert {names_of(rule) for rule in RULES} == set(SAMPLES)


@pytest.mark.parametrize("rule", RULES, ids=names_of)
def test_a_rule_keeps_the_value_and_ends(rule) -> None:  # type: ignore[no-untyped-def]
    """`differentiate` compares the formula with the gradient; the rule must have taken part."""
    table = next(t for t in TABLES if rule in t)
    place, used = table.index(rule), []

    def watched(*arguments):  # type: ignore[no-untyped-def]
        made = rule(*arguments)
        used.append(made is not None and made is not False)
        return made

    table[place] = watched
    try:
        assert differentiate(SAMPLES[names_of(rule)], SHAPES)
    finally:
        table[place] = rule
    assert any(used)
    assert len(used) < 10_000


def texts(draw: st.DrawFn, kind: str, depth: int) -> str:
    """A random expression: a scalar s, vectors n and m, matrices nn and mn."""
    leaves = {"s": ["a", "b", "2", "0.5"], "n": ["x", "y"], "m": ["v"], "nn": ["A"], "mn": ["X"]}
    if depth <= 0:
        return draw(st.sampled_from(leaves[kind]))

    def inner(other: str) -> str:
        return texts(draw, other, depth - 1)

    shapes = [kind] * 3 + [f"{kind} special"]
    choice = draw(st.sampled_from(shapes))
    if choice == kind:
        form = draw(st.sampled_from(FORMS))
        return form.format(inner(kind), inner(kind), inner("s"))
    form, *kinds = draw(st.sampled_from(SPECIAL[kind]))
    return form.format(*(inner(k) for k in kinds))


FORMS = [
    *("({0} + {1})", "({0} - {1})", "{0}*{1}", "{2}*{0}", "sin({0})", "exp({0})", "tanh({0})"),
    *("sigmoid({0})", "relu({0})", "abs({0})", "softplus({0})", "log1p(({0})**2)", "({0})**3"),
    *(
        "{0}/(1 + ({1})**2)",
        "where({0} > {1}, {0}, {1})",
        "sqrt(1 + ({0})**2)",
        "2**({0})*2**({1})",
        "maximum({0}, {1})",
    ),
]
SPECIAL = {
    "s": [
        *(("sum({0})", kind) for kind in ("n", "m", "mn", "nn")),
        *(("mean({0})", "mn"), ("({0})@({1})", "n", "n"), ("norm({0})", "n"), ("trace({0})", "nn")),
        ("logsumexp({0}, 0)", "n"),
    ],
    "n": [
        *(("({0})@({1})", "nn", "n"), ("({0}).T@({1})", "mn", "m"), ("softmax({0}, 0)", "n")),
        *(("sum({0}, 0)", "mn"), ("diag({0})", "nn"), ("mean({0}, 0)", "mn")),
    ],
    "m": [("({0})@({1})", "mn", "n"), ("sum({0}, 1)", "mn")],
    "nn": [
        *(("({0})@({1})", "nn", "nn"), ("({0}).T", "nn"), ("outer({0}, {1})", "n", "n")),
        *(("({0}).T@({1})", "mn", "mn"), ("diag({0})", "n"), ("inv({0} + 3*A.T@A)", "nn")),
    ],
    "mn": [
        *(("({0})@({1})", "mn", "nn"), ("outer({0}, {1})", "m", "n"), ("({0} + {1})", "mn", "n")),
        *(("softmax({0}, 1)", "mn"), ("({0})[:, None]*({1})", "m", "mn")),
    ],
}


@given(st.data())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_random_graphs_keep_their_derivative(data: st.DataObject) -> None:
    """A formula that is wrong would be withheld; then this raises."""
    kind = data.draw(st.sampled_from(["s", "s", "n"]))
    expression = texts(data.draw, kind, data.draw(st.integers(1, 3)))
    shapes = {name: shape for name, shape in SHAPES.items() if name not in "WY"}
    try:
        codes = set(differentiate(expression, shapes))
    except GradcliError as error:
        codes = {error.diagnostic.code}
    assert not codes & {"G098", "G099"}, expression

"""Any text either runs or raises GradcliError: nothing else, whatever the tokens are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import gradcli

TOKENS = st.sampled_from(
    [
        *("x", "y", "1", "2.5", "0", "-1", "2j", "'a'", "True", "None", "...", "[1,2]", "()"),
        *("+", "-", "*", "/", "//", "%", "**", "@", "<", "==", "&", "|", "~", "<<", "not ", "in "),
        *("(", ")", "[", "]", "{", "}", ",", ":", ".", "=", " if ", " else ", " and ", "lambda v:"),
        *("sum", "mean", "exp", "where", "cat", "tensor", "ones", "zeros", "softmax", "matmul"),
        *("torch.", "F.", "math.", ".grad", ".T", ".sum", ".backward()", ".view", ".shape"),
        *("dim=", "keepdim=True", "dtype=torch.float64", "f'{x}'", "print", "len", "range(3)"),
        *("for i in ", "[x for x in y]", "@", "\n", "x = ", "del x", "return", "pass", "import"),
    ]
)
SOUP = st.lists(TOKENS, max_size=12).map("".join)
FUNCTIONS = st.sampled_from(
    [
        *("sum", "mean", "prod", "amax", "max", "argmin", "std", "norm", "cumsum", "logsumexp"),
        *("exp", "log", "relu", "sigmoid", "softmax", "log_softmax", "clamp", "where", "pow"),
        *("reshape", "transpose", "permute", "squeeze", "unsqueeze", "cat", "stack", "split"),
        *("flip", "roll", "tril", "diag", "gather", "index_select", "take", "matmul", "mm", "dot"),
        *("einsum", "outer", "bmm", "trace", "tensor", "ones", "full", "arange", "linspace", "eye"),
        *("mse_loss", "cross_entropy", "linear", "normalize", "one_hot", "movedim", "unbind"),
    ]
)
VALUES = st.sampled_from(
    [
        *("x", "y", "i", "b", "x[0]", "x.T", "[x, x]", "(1, 0)", "[[1.0, 2.0]]", "'ij,jk->ik'"),
        *(
            "0",
            "1",
            "-1",
            "2",
            "7",
            "0.5",
            "-3.5",
            "1e40",
            "2j",
            "True",
            "None",
            "...",
            "'a'",
            "[]",
        ),
        *("torch.int64", "float('nan')", "float('inf')", "10**30", "lambda v: v", "{}", "slice"),
    ]
)
CALLS = st.builds(
    lambda f, values, names: f"{f}({', '.join([*values, *(f'{n}={v}' for n, v in names)])})",
    FUNCTIONS,
    st.lists(VALUES, max_size=4),
    st.lists(
        st.tuples(st.sampled_from(["dim", "keepdim", "dtype", "input", "p", "other"]), VALUES),
        max_size=2,
        unique_by=lambda pair: pair[0],
    ),
)
BINDINGS = {
    "x": np.arange(6.0).reshape(2, 3),
    "y": np.array([1.0, -2.0, 0.5], np.float32),
    "i": np.array([0, 1]),
    "b": np.array([True, False]),
}


@contextmanager
def refused_at_worst() -> Iterator[None]:
    try:
        yield
    except gradcli.GradcliError as error:
        if error.diagnostic.code == "G099":
            raise AssertionError(str(error)) from error


CALM = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@CALM
@given(SOUP)
@example("x" * 3)
def test_any_expression(text: str) -> None:
    with refused_at_worst():
        gradcli.evaluate(text, BINDINGS)


@CALM
@given(CALLS)
def test_any_arguments(text: str) -> None:
    with refused_at_worst():
        gradcli.evaluate(text, BINDINGS)


@CALM
@given(st.lists(SOUP, max_size=4).map("\n".join))
def test_any_script(text: str) -> None:
    with refused_at_worst():
        gradcli.run(text, BINDINGS, stdout=io.StringIO())

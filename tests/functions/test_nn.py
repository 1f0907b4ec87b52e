"""Functions of networks against PyTorch: values, two derivatives, names, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from functional_oracle import compare, compare_error, ours, theirs
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcli.functions import find

ACTIVATIONS = [
    *("F.relu(x)", "F.relu6(x)", "F.leaky_relu(x)", "F.leaky_relu(x, 0.3)", "F.elu(x)"),
    *("F.elu(x, alpha=0.7)", "F.celu(x)", "F.celu(x, 2.)", "torch.celu(x)", "F.selu(x)"),
    *("torch.selu(x)", "F.gelu(x)", "F.gelu(x, approximate='tanh')", "F.silu(x)", "F.mish(x)"),
    *("F.hardtanh(x)", "F.hardtanh(x, -0.5, 2.)", "F.hardsigmoid(x)", "F.hardswish(x)"),
    *("F.hardshrink(x)", "x.hardshrink(0.25)", "torch.hardshrink(x)", "F.softshrink(x)"),
    *("F.softshrink(x, 0.2)", "F.tanhshrink(x)", "F.softsign(x)", "F.softplus(x)"),
    *("F.softplus(x, 2., 1.5)", "F.softplus(x, beta=0.5)", "F.logsigmoid(x)"),
    *("F.threshold(x, 0.1, 2.)", "torch.threshold(x, -1., 0.)", "F.sigmoid(x)", "F.tanh(x)"),
    *("x.relu()", "torch.relu(x)", "F.leaky_relu(x, torch.tensor(0.5).item())"),
]
"""Functions of each element."""
INEXACT = {"F.hardsigmoid(x)": {"order": 1, "double": 1e-7}}
"""Where PyTorch has no second derivative, and computes the first with a float32 constant."""
ROWS = [
    *("F.softmax(x, 1)", "F.softmax(x, dim=0)", "torch.softmax(x, -1)", "x.softmax(0)"),
    *("F.log_softmax(x, 1)", "x.log_softmax(-1)", "torch.log_softmax(x, 0)", "F.softmin(x, 1)"),
    *("x.softmax(-1, dtype=torch.float64)", "F.softmax(x, 1, dtype=torch.float64)"),
    *("F.normalize(x)", "F.normalize(x, 3., dim=0)", "F.normalize(x, 1., 1)", "F.glu(x)"),
    *("F.glu(x, 1)", "F.layer_norm(x, (4,))", "F.rms_norm(x, (4,))", "F.rms_norm(x, [4], eps=0.1)"),
    *("torch.layer_norm(x, (3, 4))", "F.rms_norm(x, (3, 4))", "F.layer_norm(x, (4,), eps=0.1)"),
    *("F.pad(x, (1, 2))", "F.pad(x, (1, 0, 0, 2), value=3.)", "F.pad(x, (-1, 1, 1, -1))"),
    *("F.pad(x, (0, 0))", "F.pad(x, ())", "F.dropout(x, 0.5, False)", "F.dropout(x, p=0.)"),
    *("F.dropout(x, 1.)", "torch.dropout(x, 0.5, False)", "torch.special.softmax(x, 1)"),
]
"""Functions of a matrix of 3 rows and 4 columns."""
SEVERAL = [
    ("F.linear(x, w)", {"x": (2, 4), "w": (3, 4)}),
    ("F.linear(x, w, b)", {"x": (2, 4), "w": (3, 4), "b": (3,)}),
    ("F.linear(x, w, bias=b)", {"x": (2, 4), "w": (3, 4), "b": (1,)}),
    ("F.linear(x, w, b)", {"x": (2, 4), "w": (3, 4), "b": ()}),
    ("F.linear(x, w)", {"x": (2, 4), "w": (4,)}),
    ("F.linear(x, w)", {"x": (4,), "w": (4,)}),
    ("F.linear(x, w, b)", {"x": (4,), "w": (4,), "b": ()}),
    ("F.linear(x, w)", {"x": (4,), "w": (3, 4)}),
    ("F.linear(x, w, b)", {"x": (4,), "w": (3, 4), "b": (3,)}),
    ("F.linear(x, w)", {"x": (2, 5, 4), "w": (3, 4)}),
    ("F.linear(x, w, b)", {"x": (2, 5, 4), "w": (3, 4), "b": (3,)}),
    ("F.linear(x, w, b)", {"x": (2, 5, 4), "w": (3, 4), "b": ()}),
    ("F.linear(x, w, b)", {"x": (0, 4), "w": (3, 4), "b": (3,)}),
    ("F.linear(x, w, b)", {"x": (2, 0, 4), "w": (3, 4), "b": (3,)}),
    ("F.linear(x, w, b)", {"x": (2, 0), "w": (3, 0), "b": (3,)}),
    ("F.bilinear(x, y, w)", {"x": (2, 4), "y": (2, 3), "w": (5, 4, 3)}),
    ("F.bilinear(x, y, w, b)", {"x": (2, 6, 4), "y": (2, 6, 3), "w": (5, 4, 3), "b": (5,)}),
    ("torch.bilinear(x, y, w)", {"x": (4,), "y": (3,), "w": (2, 4, 3)}),
    ("F.prelu(x, w)", {"x": (2, 3), "w": (1,)}),
    ("torch.prelu(x, w)", {"x": (2, 3, 2), "w": (3,)}),
    ("x.prelu(w)", {"x": (3,), "w": (1,)}),
    ("F.prelu(x, w)", {"x": (), "w": (1,)}),
    ("F.cosine_similarity(x, y)", {"x": (2, 3), "y": (2, 3)}),
    ("F.cosine_similarity(x, y, dim=-1)", {"x": (1, 3), "y": (2, 2, 3)}),
    ("torch.cosine_similarity(x, y, dim=0, eps=10.)", {"x": (3,), "y": (3,)}),
    ("F.pairwise_distance(x, y)", {"x": (2, 3), "y": (2, 3)}),
    ("F.pairwise_distance(x, y, p=1., keepdim=True)", {"x": (2, 3), "y": (3,)}),
    ("torch.pairwise_distance(x, y, 3.)", {"x": (2, 3), "y": (2, 3)}),
    ("F.layer_norm(x, (4,), w, b)", {"x": (2, 4), "w": (4,), "b": (4,)}),
    ("F.rms_norm(x, (4,), w)", {"x": (2, 4), "w": (4,)}),
    ("F.scaled_dot_product_attention(x, y, w)", {"x": (2, 4), "y": (3, 4), "w": (3, 5)}),
    ("F.scaled_dot_product_attention(x, x, x, is_causal=True)", {"x": (2, 3, 4)}),
    ("F.scaled_dot_product_attention(x, y, y, scale=0.5)", {"x": (2, 3, 4), "y": (2, 6, 4)}),
    ("F.scaled_dot_product_attention(x, x, x, m)", {"x": (2, 3, 4), "m": (3, 3)}),
    ("F.scaled_dot_product_attention(x, x, x, scale=-0.5)", {"x": (2, 3, 4)}),
]
"""Functions of several tensors, with the shape of each."""
ONCE = [
    ("F.layer_norm(x, (4,), bias=b)", {"x": (2, 3, 4), "b": (4,)}),
    ("F.scaled_dot_product_attention(x, y, y)", {"x": (2, 2, 3, 4), "y": (2, 2, 5, 4)}),
    ("F.scaled_dot_product_attention(x, x, x, is_causal=True)", {"x": (1, 2, 3, 4)}),
    ("F.scaled_dot_product_attention(x, x, x, c)", {"x": (1, 2, 3, 4), "c": (3, 3)}),
    (
        "F.scaled_dot_product_attention(x, y, y, enable_gqa=True)",
        {"x": (1, 4, 3, 4), "y": (1, 2, 3, 4)},
    ),
    ("F.scaled_dot_product_attention(x, x, x, m)", {"x": (1, 2, 3, 4), "m": (3, 3)}),
]
"""Functions of several tensors without a second derivative in PyTorch."""
KINKS = np.array(
    [0.0, -0.0, 3.0, -3.0, 6.0, 1.0, -1.0, 0.5, -0.5, 25.0, -25.0, 80.0, -80.0, 2.0, 100.0, -100.0]
)


def drawn(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).normal(0, 1.5, shape)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", ACTIVATIONS)
def test_activation(expression: str, dtype: str) -> None:
    for shape in ((3, 4), (), (0, 2)):
        compare(expression, {"x": drawn(shape, dtype, 1)}, **INEXACT.get(expression, {}))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", ACTIVATIONS)
def test_activation_at_kinks_and_far_out(expression: str, dtype: str) -> None:
    compare(expression, {"x": KINKS.astype(dtype)}, **INEXACT.get(expression, {"order": 1}))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", ["F.elu(x)", "F.elu(x, 0.7)", "F.celu(x, 2.)", "F.selu(x)"])
def test_second_derivative_at_the_kink(expression: str, dtype: str) -> None:
    compare(expression, {"x": KINKS.astype(dtype)}, order=2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", ["torch.logit(x)", "torch.logit(x, 0.1)"])
def test_logit_at_and_outside_its_bounds(expression: str, dtype: str) -> None:
    inside = [0.25, 0.5, 0.75, 0.95]
    compare(expression, {"x": np.array(inside, dtype)}, order=2)
    bounds = [-2.0, -0.0, 0.0, 1.0, 3.0, np.nan, np.inf, -np.inf]
    compare(expression, {"x": np.array(bounds, dtype)}, order=1)


@pytest.mark.parametrize("expression", [e for e in ACTIVATIONS if "hardsigmoid" not in e])
def test_second_derivative_has_no_nan_far_out(expression: str) -> None:
    x = np.array([1e4, -1e4, 300.0, -300.0, 90.0, -90.0, 0.0], "float32")
    result, inputs = ours(expression, {"x": x})
    grad = find("torch.autograd.grad")
    first = grad(result.sum(), inputs["x"], create_graph=True)[0]
    assert np.isfinite(first.array()).all()
    if first.requires_grad:
        second = grad(first.sum(), inputs["x"], allow_unused=True)[0]
        assert second is None or np.isfinite(second.array()).all()


@pytest.mark.parametrize(
    "expression",
    [e for e in ACTIVATIONS if not any(n in e for n in ("gelu", "silu", "mish", "softsign"))],
)
def test_activation_of_infinity(expression: str) -> None:
    if "hardswish" not in expression:
        compare(expression, {"x": np.array([-np.inf])}, order=1)
    compare(expression, {"x": np.array([np.inf])}, order=1)
    compare(expression, {"x": np.array([np.nan])}, order=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", ROWS)
def test_rows(expression: str, dtype: str) -> None:
    compare(expression, {"x": drawn((3, 4), dtype, 2)})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("expression", "shapes"), SEVERAL)
def test_several(expression: str, shapes: dict[str, tuple[int, ...]], dtype: str) -> None:
    compare(expression, {n: drawn(s, dtype, i) for i, (n, s) in enumerate(shapes.items())})


@pytest.mark.parametrize(("expression", "shapes"), ONCE)
def test_several_once(expression: str, shapes: dict[str, tuple[int, ...]]) -> None:
    arrays = {n: drawn(s, "float32", i) for i, (n, s) in enumerate(shapes.items())}
    compare(expression, arrays, order=1)


def test_attention_masks_rows_out() -> None:
    mask = np.array([[True, False], [False, False]])
    arrays = {"x": drawn((3, 2, 4), "float64", 1), "m": mask}
    compare("F.scaled_dot_product_attention(x, x, x, m)", arrays)


@pytest.mark.parametrize(
    "expression",
    [
        *("F.softmax(x)", "F.log_softmax(x)", "F.softmin(x)"),
        *("F.softmax(x, 0)", "x.log_softmax(-1)"),
    ],
)
@pytest.mark.filterwarnings("ignore:Implicit dimension")
def test_softmax_of_every_rank(expression: str) -> None:
    for shape in ((), (3,), (2, 3), (2, 2, 3), (2, 1, 2, 3), (0, 3), (2, 0)):
        compare(expression, {"x": drawn(shape, "float64", 3)})


def test_softmax_far_out() -> None:
    for expression in ("F.softmax(x, 0)", "F.log_softmax(x, 0)"):
        compare(expression, {"x": np.array([1e4, -1e4, 0.0], "float32")})
        compare(expression, {"x": np.array([1.0, -np.inf, 0.0])})


@pytest.mark.parametrize(
    "expression",
    [
        *("F.embedding(i, x)", "F.embedding(i, x, padding_idx=2)", "F.embedding(i, x, -1)"),
        *("torch.embedding(x, i)", "torch.embedding(x, i, 0)", "F.embedding(i[0, 0], x)"),
        *("F.embedding(i.int(), x)", "F.embedding(i[:0], x)"),
    ],
)
def test_embedding(expression: str) -> None:
    compare(expression, {"x": drawn((4, 3), "float64", 1), "i": np.array([[0, 2, 2], [3, 1, 0]])})


@pytest.mark.parametrize(
    "expression",
    [
        *("F.one_hot(i)", "F.one_hot(i, 5)", "F.one_hot(i[0, 0])", "F.one_hot(i[:0], 3)"),
        *("F.pad(i, (1, 0))", "F.pad(i > 1, (1, 0))", "F.relu(i)", "F.relu6(i - 3)"),
        *("F.hardtanh(i)", "F.threshold(i, 1, 7)", "F.tanhshrink(i)", "F.softsign(i)"),
        *("F.linear(i, i)", "F.dropout(i, 0.5, False)"),
    ],
)
def test_whole_numbers(expression: str) -> None:
    compare(expression, {"i": np.array([[0, 2, 2], [3, 1, 0]])})


@pytest.mark.parametrize(
    "expression",
    [
        *("F.relu(y, True)", "F.relu6(y, inplace=True)", "F.leaky_relu(y, 0.1, True)"),
        *("F.elu(y, inplace=True)", "F.hardtanh(y, -1., 1., True)", "F.threshold(y, 0., 1., True)"),
        *("F.silu(y, inplace=True)", "F.selu(y, True)", "F.dropout(y, 1., True, True)"),
    ],
)
def test_in_place(expression: str) -> None:
    x = drawn((3,), "float64", 5)
    for text in (expression, f"({expression}, y)[1]"):
        compare(f"(lambda y: {text})(x * 1)", {"x": x}, order=1)


def test_dropout_draws_pytorchs_numbers() -> None:
    for dtype in ("float32", "float64"):
        arrays = {"x": np.ones((5, 40), dtype)}
        compare("[torch.manual_seed(3), F.dropout(x, 0.3)][1]", arrays)


@pytest.mark.parametrize(
    "expression",
    [
        *("F.leaky_relu(i)", "F.elu(i)", "F.celu(i)", "F.selu(i)", "F.gelu(i)", "F.silu(i)"),
        *("F.mish(i)", "F.hardsigmoid(i)", "F.hardswish(i)", "F.hardshrink(i)", "F.softshrink(i)"),
        *("F.softplus(i)", "F.logsigmoid(i)", "F.glu(i[:2])", "F.softmax(i, 0)", "F.elu(i > 0)"),
        *("F.log_softmax(i, 0)", "F.layer_norm(i, (3,))", "F.rms_norm(i, (3,))", "F.gelu(i.int())"),
        *("F.cosine_similarity(i, i, 0)", "F.normalize(i, dim=0)", "F.threshold(i > 0, 0, 1)"),
        *("F.hardtanh(i > 0)", "F.prelu(i, x)", "F.one_hot(i - 5)", "F.one_hot(i.int())"),
        *("F.one_hot(i, 2)", "F.one_hot(i[:0])", "F.glu(x)", "F.glu(x[0])", "F.glu(x, 4)"),
        *("F.gelu(x, approximate='no')", "F.celu(x, 0.)", "F.hardtanh(x, 2., 1.)"),
        *("F.softshrink(x, -1.)", "F.softmax(x, 3)", "F.prelu(x, x)", "F.prelu(x, m)"),
        *(
            "F.linear(m, x)",
            "F.linear(m, m[:, :2])",
            "F.linear(m, m[:, :2], x)",
            "F.linear(x[0], m)",
        ),
        *("F.linear(m, m, x)", "F.linear(m, m[None])", "F.bilinear(m, x, m)"),
        *(
            "F.bilinear(m, m, m[None].expand(2, 3, 4))",
            "F.embedding(i, x)",
            "F.embedding(i + 7, m)",
        ),
        *("F.embedding(-i, m)", "F.embedding(x, m)", "F.embedding(i, m, padding_idx=9)"),
        *("F.layer_norm(m, (3,))", "F.layer_norm(m, 4)", "F.layer_norm(m, [])"),
        *("F.layer_norm(m, (4,), x)", "F.layer_norm(m, (4,), m[0], x)", "F.rms_norm(m, (3,))"),
        *("F.rms_norm(m, (4,), x)", "F.dropout(x, 2.)", "F.dropout(x, -1.)", "F.pad(x, (1,))"),
        *("F.pad(x, (1, 1, 1, 1))", "F.pad(x, (-2, -2))", "F.pad(x, (1, 1), mode='no')"),
        *("F.scaled_dot_product_attention(x, x, x)", "F.cosine_similarity(m, m[:, :2])"),
        *("F.scaled_dot_product_attention(m, m, m, m, is_causal=True)",),
    ],
)
def test_refusals(expression: str) -> None:
    arrays = {"i": np.array([0, 2, 1]), "x": drawn((3,), "float32", 1)}
    compare_error(expression, arrays | {"m": drawn((2, 4), "float32", 2)})


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([e for e in ACTIVATIONS if "dtype" not in e and "hardsigmoid" not in e]),
    st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=5),
)
def test_any_numbers(expression: str, numbers: list[float]) -> None:
    compare(expression, {"x": np.array(numbers, "float64")}, order=1)


def test_numbers_that_are_tensors() -> None:
    result, _ = ours("F.threshold(x, torch.tensor(1.), torch.tensor(2.))", {"x": np.ones(2)})
    expected, _ = theirs("F.threshold(x, 1., 2.)", {"x": np.ones(2)})
    assert result.tolist() == expected.tolist()

"""Losses against PyTorch: values, two derivatives in each input, names, reductions, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from functional_oracle import compare, compare_error

import gradcli

REDUCTIONS = ("none", "mean", "sum")
CALLS = [
    *("F.mse_loss(x, y, R)", "F.mse_loss(x, cy, R)", "F.mse_loss(x, y, weight=cp, R)"),
    *("F.l1_loss(x, y, R)", "F.l1_loss(cx, y, R)", "F.l1_loss(x, y, R, weight=cp)"),
    *("F.smooth_l1_loss(x, y, R)", "F.smooth_l1_loss(x, y, R, beta=0.3)"),
    *("F.smooth_l1_loss(x, y, R, beta=0)", "F.huber_loss(x, y, R)"),
    *("F.huber_loss(x, y, R, delta=0.7)", "F.huber_loss(x, y, R, weight=cp)"),
    *("F.cross_entropy(x, c, R)", "F.cross_entropy(x, c, cw, R)", "F.cross_entropy(x, p, R)"),
    *("F.cross_entropy(x, c, R, ignore_index=2)", "F.cross_entropy(x, c, cw, R, ignore_index=2)"),
    *("F.cross_entropy(x, p, w, R)", "F.cross_entropy(x, cp, cw, R, label_smoothing=0.2)"),
    *("F.cross_entropy(x, c, R, label_smoothing=0.1)", "F.cross_entropy(x[0], c[0], R)"),
    *("F.cross_entropy(x, c, cw, R, label_smoothing=0.1, ignore_index=2)",),
    *("F.cross_entropy(x, c, R, label_smoothing=0.1, ignore_index=2)",),
    *("F.cross_entropy(x[0], c[0], R, label_smoothing=0.1)", "F.cross_entropy(x[0], p[0], R)"),
    *("F.cross_entropy(x, c.byte(), R)", "F.cross_entropy(x * 100, c, R)"),
    *("F.nll_loss(x, c, R)", "F.nll_loss(x, c, cw, R)", "F.nll_loss(x, c, R, ignore_index=1)"),
    *("F.nll_loss(x, c, cw, R, ignore_index=1)", "F.nll_loss(x[0], c[0], R)"),
    *("F.binary_cross_entropy(p, cp, R)", "F.binary_cross_entropy(p, q, R)"),
    *("F.binary_cross_entropy(p, q, cw, R)", "F.binary_cross_entropy(p, (cp > 0.5).float(), R)"),
    *("F.binary_cross_entropy_with_logits(x, q, R)",),
    *("F.binary_cross_entropy_with_logits(x, q, cw, R)",),
    *("F.binary_cross_entropy_with_logits(x, q, R, pos_weight=cw)",),
    *("F.binary_cross_entropy_with_logits(x, q, cp, R, pos_weight=cw)",),
    *("F.kl_div(x, cp, R)", "F.kl_div(x, p, R)", "F.kl_div(x, y, R, log_target=True)"),
    *("F.gaussian_nll_loss(x, y, p, R)", "F.gaussian_nll_loss(x, y, p, full=True, R)"),
    *("F.gaussian_nll_loss(x, y, p, eps=0.5, R)", "F.gaussian_nll_loss(x, y, p[:, 0], R)"),
    *("F.gaussian_nll_loss(x, y, p[:, :1], R)", "F.gaussian_nll_loss(x, y, 2., R)"),
    *("F.poisson_nll_loss(x, q, R)", "F.poisson_nll_loss(p, q, log_input=False, R)"),
    *("F.poisson_nll_loss(x, cp * 4, full=True, R)",),
    *("F.hinge_embedding_loss(x, cs, R)", "F.hinge_embedding_loss(x, cs, margin=0.3, R)"),
    *("F.hinge_embedding_loss(x, cs * 0.5, R)", "F.margin_ranking_loss(x, y, cs, R)"),
    *("F.margin_ranking_loss(x, y, cs, margin=0.5, R)", "F.soft_margin_loss(x, cs, R)"),
    *("F.cosine_embedding_loss(x, y, cs[:, 0], R)", "F.cosine_embedding_loss(x, y, c - 1, R)"),
    *("F.cosine_embedding_loss(x[0], y[0], cs[0, 0], margin=-0.5, R)",),
    *("F.triplet_margin_loss(x, y, z, R)", "F.triplet_margin_loss(x, y, z, swap=True, R)"),
    *("F.triplet_margin_loss(x, y, z, 0.1, 1, R)", "F.triplet_margin_loss(x[0], y[0], z[0], R)"),
    *("F.multi_margin_loss(x, c, R)", "F.multi_margin_loss(x, c, 2, 0.4, R)"),
    *("F.multi_margin_loss(x, c, weight=cw, R)", "F.multi_margin_loss(x[0], c[0], R)"),
    *("F.multilabel_margin_loss(x, labels, R)", "F.multilabel_margin_loss(x[1], labels[1], R)"),
    *("F.multilabel_soft_margin_loss(x, (cp > 0.5).to(x.dtype), R)",),
    *("F.multilabel_soft_margin_loss(x, q, cw, R)",),
]
"""Calls on the tensors of `tensors`, with `R` for the reduction."""
FIRST_ORDER = ("huber_loss", "multi_margin", "multilabel_margin")
"""Losses without a second derivative in PyTorch (or one of only some inputs)."""


def tensors(dtype: str) -> dict[str, np.ndarray]:
    """x, y, z any numbers, p, q probabilities, w weights, c classes, s signs; `c...` constants."""
    draw = np.random.default_rng(4)
    real = {n: draw.normal(0, 1.3, (3, 4)).astype(dtype) for n in ("x", "y", "z", "cx", "cy")}
    chances = {n: draw.uniform(0.05, 0.95, (3, 4)).astype(dtype) for n in ("p", "q", "cp")}
    weights = {n: draw.uniform(0.5, 2.0, 4).astype(dtype) for n in ("w", "cw")}
    signs = {"cs": np.where(draw.random((3, 4)) < 0.5, -1, 1).astype(dtype)}
    labels = np.array([[1, 2, -1, 0], [0, -1, 1, 1], [3, 3, 1, 2]])
    return real | chances | weights | signs | {"c": np.array([2, 0, 1]), "labels": labels}


def named(expression: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors that an expression mentions."""
    import re

    return {n: a for n, a in arrays.items() if re.search(rf"\b{n}\b", expression)}


def fitted(expression: str, dtype: str) -> str:
    return expression.replace(".float()", ".double()") if dtype == "float64" else expression


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", CALLS)
@pytest.mark.filterwarnings("ignore:reduction")
def test_loss(expression: str, dtype: str) -> None:
    order = 1 if any(name in expression for name in FIRST_ORDER) else 2
    for reduction in (*REDUCTIONS, *(["batchmean"] if "kl_div" in expression else [])):
        text = fitted(expression.replace("R", f"reduction='{reduction}'"), dtype)
        compare(text, named(text, tensors(dtype)), order=order)


@pytest.mark.parametrize(
    ("expression", "shape"),
    [
        *(
            ("cross_entropy(x, c, R)", shape)
            for shape in ((2, 3, 4), (2, 3, 2, 2), (1, 3, 2, 1, 2))
        ),
        *(("cross_entropy(x, c, w, R)", shape) for shape in ((2, 3, 4), (2, 3, 2, 2))),
        ("cross_entropy(x, c, w, R, ignore_index=1, label_smoothing=0.2)", (2, 3, 2, 2)),
        ("cross_entropy(x, c, R, label_smoothing=0.2)", (2, 3, 4)),
        ("cross_entropy(x, x.detach().softmax(1), w, R)", (2, 3, 2)),
        *(("nll_loss(x, c, w, R, ignore_index=0)", s) for s in ((2, 3, 4), (2, 3, 2, 2))),
        *(("nll_loss(x, c, R)", s) for s in ((0, 3), (0, 3, 2), (2, 3, 0))),
    ],
)
def test_classes_in_every_place(expression: str, shape: tuple[int, ...]) -> None:
    draw = np.random.default_rng(1)
    classes = draw.integers(0, 3, (shape[0], *shape[2:]))
    arrays = {"x": draw.normal(size=shape), "c": classes, "cw": np.array([0.5, 1.0, 2.0])}
    for reduction in REDUCTIONS:
        text = expression.replace("R", f"reduction='{reduction}'").replace(" w,", " cw,")
        compare(f"F.{text}", arrays)


@pytest.mark.parametrize(
    "name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy"]
)
def test_empty_and_zero_dim(name: str) -> None:
    for shape in ((), (0,), (2, 0)):
        arrays = {"p": np.full(shape, 0.25), "q": np.full(shape, 0.75)}
        for reduction in REDUCTIONS:
            compare(f"F.{name}(p, q, reduction='{reduction}')", arrays, order=1)


def test_old_arguments() -> None:
    arrays = {n: a for n, a in tensors("float64").items() if n in ("x", "y")}
    for old in ("False", "True", "None, False", "None, True", "False, True"):
        with pytest.warns(UserWarning, match="deprecated"):
            compare(f"F.mse_loss(x, y, {old})", arrays)


@pytest.mark.parametrize(
    "expression",
    [
        *("F.mse_loss(x, y.to(torch.float64))", "F.l1_loss(x, y.to(torch.float64))"),
        *("F.huber_loss(x, y.to(torch.float64))", "F.smooth_l1_loss(x, y.to(torch.float64))"),
        *("F.mse_loss(x, c[:, None])", "F.huber_loss(x, labels)", "F.smooth_l1_loss(x, labels)"),
        *("F.kl_div(x, cp.to(torch.float64))", "F.poisson_nll_loss(labels, labels)"),
        *("F.cross_entropy(x, cp.to(torch.float64))", "F.margin_ranking_loss(x, y, labels)"),
        *("F.binary_cross_entropy_with_logits(x, cp.to(torch.float64))",),
        *("F.soft_margin_loss(x, labels)", "F.hinge_embedding_loss(x, labels)"),
        *(
            "F.triplet_margin_loss(labels, labels, labels)",
            "F.multilabel_soft_margin_loss(x, labels)",
        ),
        *("F.cosine_embedding_loss(labels, labels, c)",),
    ],
)
@pytest.mark.filterwarnings("ignore:Using a target size", "ignore:reduction")
def test_mixed_dtypes(expression: str) -> None:
    # PyTorch's own backward of huber_loss fails here.
    order = 0 if "huber" in expression else 1
    compare(expression, named(expression, tensors("float32")), order=order, double=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-30, 1 - 1e-16])
def test_binary_cross_entropy_at_certainty(value: float) -> None:
    arrays = {"p": np.array([value, value, value]), "q": np.array([0.0, 1.0, 0.5])}
    compare("F.binary_cross_entropy(p, q, reduction='sum')", arrays, order=1, double=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_far_out(dtype: str) -> None:
    x = np.array([1e4, -1e4, 100.0, -100.0, 0.0, -0.0]).astype(dtype)
    for text in ("F.binary_cross_entropy_with_logits(x, q)", "F.cross_entropy(x, q)"):
        compare(text, {"x": x, "q": np.linspace(0, 1, 6).astype(dtype)})
    compare("F.cross_entropy(x, c)", {"x": x, "c": np.array(1)})
    compare("F.multilabel_soft_margin_loss(x, cq)", {"x": x, "cq": np.ones(6, dtype)})


@pytest.mark.parametrize("width", ["R", "R, beta=2.", "R, beta=0"])
def test_distances_at_kinks(width: str) -> None:
    kinks = np.array([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 5.0, np.inf, -np.inf])
    arrays = {"x": kinks, "y": np.zeros(9)}
    compare(f"F.smooth_l1_loss(x, y, {width})".replace("R", "reduction='none'"), arrays, order=1)
    huber = width.replace("beta", "delta").replace("=0", "=0.5").replace("R", "reduction='none'")
    compare(f"F.huber_loss(x, y, {huber})", arrays, order=1)


@pytest.mark.parametrize(
    "expression",
    [
        *("F.margin_ranking_loss(x, y, cs, 1.)", "F.hinge_embedding_loss(x, cs)"),
        *("F.multi_margin_loss(x[None], c)", "F.multilabel_margin_loss(x, labels)"),
        *("F.triplet_margin_loss(x, x, y)", "F.cosine_embedding_loss(x[None], y[None], cs[:1])"),
    ],
)
def test_margins_at_kinks(expression: str) -> None:
    arrays = {"x": np.array([1.0, 0.0, 0.0]), "y": np.zeros(3), "cs": np.array([-1.0, 1.0, -1.0])}
    arrays |= {"c": np.array([1]), "labels": np.array([0, 2, -1])}
    compare(expression, named(expression, arrays), order=1)


def test_ignored_classes_have_no_gradient() -> None:
    arrays = {"x": np.array([[0.0, -np.inf], [0.0, 1.0]]), "c": np.array([-100, 1])}
    compare("F.nll_loss(x, c)", arrays)
    compare("F.nll_loss(x, c - 100)", {"x": np.zeros((2, 2)), "c": np.zeros(2, int)}, order=1)


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "F.mse_loss(labels, labels)",
            "F.mse_loss(x, y, reduction='foo')",
            "F.mse_loss(x, w[:3])",
        ),
        *("F.l1_loss(labels, labels)", "F.smooth_l1_loss(labels, labels)", "F.huber_loss(c, c)"),
        *("F.smooth_l1_loss(x, y, beta=-1.)", "F.huber_loss(x, y, delta=0.)"),
        *("F.huber_loss(x, y, 'foo')", "F.cross_entropy(x, c, reduction='foo')"),
        *("F.cross_entropy(x, c + 5)", "F.cross_entropy(x, c - 5)", "F.cross_entropy(x, x[:, 0])"),
        *("F.cross_entropy(x, c.int())", "F.cross_entropy(x, c > 1)", "F.cross_entropy(x, c[:2])"),
        *(
            "F.cross_entropy(x, c[0])",
            "F.cross_entropy(x, labels)",
            "F.cross_entropy(x, c[:, None])",
        ),
        *(
            "F.cross_entropy(x[0], c)",
            "F.cross_entropy(labels, c)",
            "F.cross_entropy(x, c, cw[:3])",
        ),
        *("F.cross_entropy(x, c, w)", "F.cross_entropy(x, c, cw[:, None])"),
        *("F.cross_entropy(x, p, cw[:3])", "F.cross_entropy(x, c, label_smoothing=2.)"),
        *("F.cross_entropy(x, p, ignore_index=1)", "F.cross_entropy(x, c, w, label_smoothing=.1)"),
        *("F.cross_entropy(x[:, :, None], labels)", "F.cross_entropy(x[:, :, None], c)"),
        *("F.cross_entropy(x[0, 0], c[0])", "F.cross_entropy(x, c, cw.double())"),
        *(
            "F.nll_loss(x, c + 5)",
            "F.nll_loss(x, y)",
            "F.nll_loss(x, c.int())",
            "F.nll_loss(x, c[:1])",
        ),
        *("F.nll_loss(x[0, 0], c[0])", "F.nll_loss(x[0], c)", "F.nll_loss(x, c, w)"),
        *("F.nll_loss(x, c, cw[:3])", "F.nll_loss(labels, c)", "F.nll_loss(x[:, :, None], c)"),
        *("F.nll_loss(x[:, :, None], labels[:, :2])", "F.nll_loss(x[:, :, None, None], labels)"),
        *("F.nll_loss(x[:, :, None, None], labels[:, :, None])",),
        *("F.nll_loss(x[:, :, None, None, None], labels[:, :, None, None])",),
        *("F.binary_cross_entropy(p, q.double())", "F.binary_cross_entropy(p, labels)"),
        *("F.binary_cross_entropy(p + 2, q)", "F.binary_cross_entropy(p, q - 2)"),
        *("F.binary_cross_entropy(p, q[0])", "F.binary_cross_entropy(p, q, w)"),
        *("F.binary_cross_entropy(labels, labels)", "F.binary_cross_entropy(p * float('nan'), q)"),
        *("F.binary_cross_entropy(p, q, reduction='foo')",),
        *("F.binary_cross_entropy_with_logits(x, labels)",),
        *("F.binary_cross_entropy_with_logits(x, q[0])",),
        *("F.binary_cross_entropy_with_logits(labels, labels)",),
        *("F.binary_cross_entropy_with_logits(x, q, w)",),
        *("F.binary_cross_entropy_with_logits(x, q, pos_weight=w)",),
        *("F.kl_div(labels, labels)", "F.kl_div(x, labels)", "F.kl_div(x, p, reduction='foo')"),
        *("F.gaussian_nll_loss(x, y, -p)", "F.gaussian_nll_loss(x, y, w[:2])"),
        *("F.gaussian_nll_loss(x, y, -1.)", "F.poisson_nll_loss(x, q, reduction='foo')"),
        *("F.margin_ranking_loss(x, y, x[0])",),
        *("F.soft_margin_loss(x, y)", "F.soft_margin_loss(labels, labels)"),
        *("F.cosine_embedding_loss(x, y, cs)", "F.cosine_embedding_loss(x[0], y, cs[0, 0])"),
        *("F.triplet_margin_loss(x, y, z[0])", "F.triplet_margin_loss(x, y, z, margin=0.)"),
        *(
            "F.multi_margin_loss(x, c + 5)",
            "F.multi_margin_loss(x, y)",
            "F.multi_margin_loss(c, c)",
        ),
        *("F.multi_margin_loss(x, c.int())", "F.multi_margin_loss(x, c[:1])"),
        *("F.multi_margin_loss(x, c, p=3)", "F.multi_margin_loss(x, c, weight=w)"),
        *("F.multi_margin_loss(x, c, weight=cw[:3])", "F.multi_margin_loss(x[None], c)"),
        *("F.multilabel_margin_loss(x, c)", "F.multilabel_margin_loss(x, labels + 5)"),
        *("F.multilabel_margin_loss(x, p)", "F.multilabel_margin_loss(labels, labels)"),
        *("F.multilabel_soft_margin_loss(labels, labels)",),
    ],
)
@pytest.mark.filterwarnings("ignore:Using a target size", "ignore:reduction")
def test_refusals(expression: str) -> None:
    compare_error(expression, tensors("float32"))


@pytest.mark.parametrize("shape", [(7, 3), (3, 3), (40, 5), (2, 6, 3), (2, 4, 3, 5)])
def test_cross_entropy_picks_the_class_of_each_row(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal(shape)
    t = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    shares = z - np.log(np.exp(z).sum(1, keepdims=True))
    expected = -np.take_along_axis(shares, np.expand_dims(t, 1), 1).mean()
    result = gradcli.evaluate("cross_entropy(z, t)", {"z": z, "t": t})
    np.testing.assert_allclose(result.value, expected, rtol=1e-12)

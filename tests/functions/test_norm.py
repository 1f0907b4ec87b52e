"""Normalisation, embeddings and CTC against PyTorch: values, derivatives, statistics, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from functional_oracle import assert_close, compare, compare_error, ours, theirs
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcli.errors import GradcliError

SHAPE = (3, 4, 2, 5)
CALLS = [
    *("F.batch_norm(x, None, None, training=True)", "F.batch_norm(x, cm, cv, w, b, True)"),
    *("F.batch_norm(x, cm, cv)", "F.batch_norm(x, cm, cv, w, b)", "F.batch_norm(x, cm, cv, w)"),
    *("F.batch_norm(x[..., 0, 0], None, None, w, b, True, eps=0.1)",),
    *("torch.batch_norm(x, w, b, cm, cv, True, 0.1, 1e-5, False)", "F.instance_norm(x)"),
    *("F.instance_norm(x, cm, cv, w, b)", "F.instance_norm(x, cm, cv, use_input_stats=False)"),
    *("torch.instance_norm(x, w, b, None, None, True, 0.1, 1e-5, False)", "F.group_norm(x, 2)"),
    *(
        "F.group_norm(x, 4, w, b)",
        "torch.group_norm(x, 1, w, eps=0.5)",
    ),
    *("F.local_response_norm(x, 3)", "F.local_response_norm(x[..., 0], 2, 0.5, 0.6, 2.)"),
    *("F.local_response_norm(x[..., None], 4, alpha=1.)",),
    *("F.embedding(ci, e)", "F.embedding(ci, e, padding_idx=-1)", "torch.embedding(e, ci, 2)"),
    *("F.embedding_bag(ci, e)", "F.embedding_bag(ci, e, mode='sum')"),
    *("F.embedding_bag(ci, e, mode='max')", "F.embedding_bag(ci[0], e, co, mode='max')"),
    *(
        "F.embedding_bag(ci[0], e, co)",
        "F.embedding_bag(ci[0, :3], e, co, include_last_offset=True)",
    ),
    *("F.embedding_bag(ci, e, padding_idx=2)", "F.embedding_bag(ci, e, mode='max', padding_idx=2)"),
]
ONCE = [
    *("F.embedding_bag(ci, e, mode='sum', per_sample_weights=p)",),
    *("F.embedding_bag(ci, e, mode='sum', per_sample_weights=p, padding_idx=1)",),
    *("F.embedding(ci, e, scale_grad_by_freq=True)",),
    *("F.embedding(ci, e.detach(), max_norm=0.5)",),
]
"""Calls that PyTorch differentiates once."""


def _arrays(dtype: str = "float64") -> dict[str, Any]:
    numbers = np.random.default_rng(2)
    made = {
        **{"x": numbers.standard_normal(SHAPE) * 3 + 1, "e": numbers.standard_normal((6, 3))},
        **{name: numbers.standard_normal(4) for name in ("w", "b", "cm")},
        **{"cv": numbers.uniform(0.5, 2, 4), "p": numbers.uniform(0.5, 2, (2, 4))},
    }
    made = {name: value.astype(dtype) for name, value in made.items()}
    return made | {"ci": np.array([[1, 2, 1, 5], [0, 2, 4, 2]]), "co": np.array([0, 0, 3])}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("expression", CALLS)
def test_values_derivatives_and_names(expression: str, dtype: str) -> None:
    compare(expression, _arrays(dtype), double=1e-8)


@pytest.mark.parametrize("expression", ONCE)
def test_values_and_gradients(expression: str) -> None:
    compare(expression, _arrays(), order=1)


STATISTICS = [
    *("F.batch_norm(x, cm, cv, training=True)", "F.batch_norm(x, cm, cv, w, b, True, 0.7)"),
    *("F.batch_norm(x, cm, cv)", "F.batch_norm(x[:0], cm, cv, training=True)"),
    *("F.instance_norm(x, cm, cv)", "F.instance_norm(x, cm, cv, use_input_stats=False)"),
]


@pytest.mark.parametrize("expression", STATISTICS)
def test_running_statistics_move_as_pytorch_s(expression: str) -> None:
    _, mine = ours(expression, _arrays())
    _, other = theirs(expression, _arrays())
    for name in ("cm", "cv"):
        assert_close(mine[name], other[name], name)
        assert not mine[name].requires_grad


def test_long_rows_are_shortened_in_place() -> None:
    for call in (
        "F.embedding(ci, c, max_norm=0.5)",
        "F.embedding_bag(ci, c, max_norm=1., norm_type=1.)",
    ):
        arrays = {"ci": _arrays()["ci"], "c": _arrays()["e"]}
        _, mine = ours(call, arrays)
        _, other = theirs(call, arrays)
        assert_close(mine["c"], other["c"], call, 1e-6)


REFUSED = [
    *("F.batch_norm(x[0, 0, 0], None, None, training=True)", "F.batch_norm(x, None, None)"),
    *("F.batch_norm(x[:1, :, 0, 0], None, None, training=True)", "F.batch_norm(x, cm, None)"),
    *(
        "F.batch_norm(x, cm[:3], cv)",
        "F.batch_norm(x, cm, cv[:3])",
        "F.batch_norm(x, cm, cv, w[:3])",
    ),
    *("F.batch_norm(x, cm, cv, w, b[:3])", "F.batch_norm(x.long(), cm, cv)"),
    *("F.batch_norm(x, cm.float(), cv.float())", "F.batch_norm(x, cm, cv, w.float())"),
    *("F.batch_norm(x, w, cv, training=True)", "F.instance_norm(x[..., :1, :1])"),
    *("F.instance_norm(x, use_input_stats=False)", "F.instance_norm(x, weight=w[:3])"),
    *("F.instance_norm(x.long())", "F.group_norm(x, 3)", "F.group_norm(x[0, 0, 0], 2)"),
    *(
        "F.group_norm(x[:1, :, 0, 0], 4)",
        "F.group_norm(x, 2, w[:3])",
        "F.group_norm(x, 2, w, b[:3])",
    ),
    *("F.group_norm(x.long(), 2)", "F.group_norm(x, 2, w.float())"),
    *("F.local_response_norm(x[0, 0], 2)", "F.local_response_norm(x[0], 0)"),
    *("F.embedding_bag(ci, w)", "F.embedding_bag(ci, e, co)", "F.embedding_bag(ci[0], e)"),
    *("F.embedding_bag(ci[None], e)", "F.embedding_bag(ci[0], e, co[2:])"),
    *("F.embedding_bag(ci[0], e, co*3)", "F.embedding_bag(ci[0], e, ci)"),
    *("F.embedding_bag(ci, e, mode='foo')", "F.embedding_bag(ci, e, per_sample_weights=p)"),
    *("F.embedding_bag(ci, e, mode='sum', per_sample_weights=w)", "F.embedding_bag(ci + 9, e)"),
    *("F.embedding_bag(ci.double(), e)", "F.embedding_bag(ci, e, padding_idx=9)"),
    *("F.embedding_bag(ci, e, mode='max', scale_grad_by_freq=True)", "F.embedding(ci, e, 9)"),
    *("F.embedding(ci + 9, e)", "F.embedding(ci, w)"),
    *("F.ctc_loss(x[0], ci[:, :2], (5,), (2, 2))", "F.ctc_loss(x[0], ci[:, :2], (9, 2), (2, 2))"),
    *("F.ctc_loss(x[0], ci[:, :2], (4, 4), (3, 2))", "F.ctc_loss(x[0], ci[0, :3], (4, 4), (2, 2))"),
    *("F.ctc_loss(x[0], ci[:, :2], (4, 4), (2, 2), blank=5)",),
    *("F.ctc_loss(x[0].long(), ci[:, :2], (4, 4), (2, 2))",),
    *("F.ctc_loss(x[0], ci[:, :2], (4, 4), (2, 2), reduction='foo')",),
]


@pytest.mark.parametrize("expression", REFUSED)
def test_refusals_are_pytorch_s(expression: str) -> None:
    compare_error(expression, _arrays())


def test_sparse_gradients_are_refused() -> None:
    with pytest.raises(GradcliError, match="sparse"):
        ours("F.embedding(ci, e, sparse=True)", _arrays())


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 4)), min_size=1, max_size=3),
    st.sampled_from(["none", "mean", "sum"]),
    st.booleans(),
    st.integers(0, 2),
    st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_any_alignment(
    lengths: list[tuple[int, int]], reduction: str, zero: bool, blank: int, seed: int
) -> None:
    given_lengths, wanted = (list(column) for column in zip(*lengths, strict=True))
    numbers = np.random.default_rng(seed)
    labels = numbers.choice([c for c in range(4) if c != blank], (len(lengths), max(*wanted, 1)))
    arrays = {"x": numbers.standard_normal((6, len(lengths), 4)), "ct": labels}
    options = f"{given_lengths}, {wanted}, {blank}, {reduction!r}, {zero}"
    compare(f"F.ctc_loss(x.log_softmax(-1), ct, {options})", arrays, order=1)
    flat = np.concatenate([row[:n] for row, n in zip(labels, wanted, strict=True)])
    compare(f"F.ctc_loss(x.log_softmax(-1), ct, {options})", arrays | {"ct": flat}, order=1)


def test_one_alignment_without_a_batch() -> None:
    arrays = {"x": np.random.default_rng(0).standard_normal((6, 4)), "ct": np.array([1, 1, 3])}
    for reduction in ("none", "mean", "sum"):
        call = f"F.ctc_loss(x, ct, torch.tensor(6), torch.tensor(3), reduction={reduction!r})"
        compare(call, arrays, order=1)

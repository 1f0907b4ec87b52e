"""Attention with several heads against PyTorch: outputs, weights, gradients, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from functional_oracle import compare, compare_error

# PyTorch warns about masks of different types; they work.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
CALL = "F.multi_head_attention_forward({}, 4, 2, {}, None, False, 0., o, p{})"
USUAL = ("x, y, y", "w, b, None")


def _arrays() -> dict[str, Any]:
    numbers = np.random.default_rng(4)
    shapes = {"x": (3, 2, 4), "y": (5, 2, 4), "w": (12, 4), "b": (12,), "o": (4, 4), "p": (4,)}
    more = {"u": (4, 4), "k": (1, 1, 4), "m": (3, 5), "s": (4, 5, 2)}
    arrays = {n: numbers.standard_normal(s) for n, s in (shapes | more).items()}
    padding = np.array([[False] * 4 + [True], [False, True, False, False, False]])
    return arrays | {"cp": padding, "cm": np.triu(np.ones((3, 5), bool), 2)}


def _call(inputs: str = USUAL[0], projections: str = USUAL[1], options: str = "") -> str:
    return CALL.format(inputs, projections, f", {options}" if options else "")


CALLS = [
    *(_call(options=o) for o in ("", "attn_mask=m", "attn_mask=cm", "key_padding_mask=cp")),
    *(_call(options=o) for o in ("attn_mask=m, key_padding_mask=cp", "need_weights=False")),
    _call(options="need_weights=False, attn_mask=m, key_padding_mask=cp"),
    _call(options="need_weights=False, attn_mask=cm, is_causal=True"),
    _call(options="average_attn_weights=False", projections="w, None, None"),
    _call(inputs="x[:, 0], y[:, 0], y[:, 0]"),
    _call(inputs="x[:, 0], y[:, 0], y[:, 0]", options="key_padding_mask=cp[0], attn_mask=m"),
    _call(
        projections="None, b, None",
        options="use_separate_proj_weight=True, "
        "q_proj_weight=u, k_proj_weight=u*2, v_proj_weight=u.t()",
    ),
    _call(options="static_k=s, static_v=s*2"),
    "F.multi_head_attention_forward(x, x, x, 4, 2, w, b, k, k, True, 0, o, p, attn_mask=m[:, 2:])",
    "F.multi_head_attention_forward(x, y, y, 4, 2, w, b, k, k, False, 0., o, p, True, cp)",
]


@pytest.mark.parametrize("call", CALLS)
def test_outputs_and_weights(call: str) -> None:
    compare(f"{call}[0]", _arrays(), order=1)
    if "need_weights=False" not in call:
        compare(f"{call}[1]", _arrays(), order=1)


REFUSED = [
    *(_call(inputs=i) for i in ("x[0, 0], y, y", "x, y[0], y", "x[0], y, y", "x, y, y[1:]")),
    *(_call(options=o) for o in ("attn_mask=m[0]", "key_padding_mask=cp[0]", "attn_mask=m[1:]")),
    *(_call(options=o) for o in ("attn_mask=m[None]", "is_causal=True", "attn_mask=m.long()")),
    _call().replace("4, 2", "5, 2"),
    _call().replace("4, 2", "4, 3"),
]


@pytest.mark.parametrize("call", REFUSED)
def test_refusals_are_pytorch_s(call: str) -> None:
    compare_error(call, _arrays())

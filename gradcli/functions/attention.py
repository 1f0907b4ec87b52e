"""Attention: `softmax(query @ key.T * scale + mask) @ value`.

Constraints: as PyTorch computes it on a CPU, fused where it is.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.functions.create import from_array
from gradcli.functions.dropout import dropout
from gradcli.functions.nn import floating, mul_number, only
from gradcli.graph.call import as_one
from gradcli.graph.dtype import BOOL, C_TYPES
from gradcli.graph.node import Node
from gradcli.ops import elementwise as ops
from gradcli.ops import reduction
from gradcli.ops.rows import zero
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite, internal


@composite("nn.functional.scaled_dot_product_attention", python=False)
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """`softmax(query @ key.T * scale + attn_mask) @ value`; `scale` is 1/sqrt(size) by default."""
    _check_alike(query, key, value)
    if attn_mask is not None and is_causal:
        raise GradcliError(
            "G026",
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True",
        )
    if enable_gqa:
        key, value = (_repeated_heads(v, query) for v in (key, value))
    if is_causal:
        attn_mask = from_array(np.tri(query.shape[-2], key.shape[-2], dtype=bool))
    mask = _additive(attn_mask, query)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    fused = (
        all(len(v.shape) == 4 for v in (query, key, value))
        and dropout_p == 0
        and query.shape[-1] == key.shape[-1] == value.shape[-1]
        and all(v.stride()[-1] == 1 for v in (query, key, value))
        and not (mask is not None and mask.requires_grad)
    )
    if fused:
        return _flash(query, key, value, mask, scale)
    return _attention(query, key, value, mask, scale, dropout_p)


def _repeated_heads(shared: Any, query: Any) -> Any:
    """Keys or values with each head repeated until there are as many as in `query`."""
    heads, own_heads = (v.shape[-3] if len(v.shape) > 2 else 0 for v in (query, shared))
    if own_heads == 0 or heads % own_heads:
        raise GradcliError(
            "G024",
            "Number of heads in key and value must divide the number of heads in query",
        )
    return shared.repeat_interleave(heads // own_heads, -3)


def _additive(mask: Any, query: Any) -> Any:
    """A mask of truth values as 0 where it holds and -inf elsewhere; any other mask itself."""
    if mask is None or mask.dtype.category != BOOL:
        return mask
    return from_array(np.where(mask.array(), 0.0, -np.inf)).to(query.dtype)


def _attention(
    query: Any, key: Any, value: Any, mask: Any, scale: float, dropout_p: float = 0.0
) -> Any:
    # PyTorch spreads the scale over both factors, so that their product does not overflow.
    root = math.sqrt(abs(scale))
    scores = mul_number(query, math.copysign(root, scale)) @ mul_number(key.transpose(-2, -1), root)
    weights = _safe_softmax(scores if mask is None else scores + mask)
    return dropout(weights, dropout_p) @ value


def _check_alike(query: Any, key: Any, value: Any) -> None:
    """Refuses operands of several dtypes, and vectors."""
    kinds = [v.dtype for v in (query, key, value)]
    if len({*kinds}) > 1:
        q, k, v = (C_TYPES[kind] for kind in kinds)
        raise GradcliError(
            "G025",
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{q} key.dtype: {k} and value.dtype: {v} instead.",
            help="convert them: .to(query.dtype)",
        )
    ranks = [len(v.shape) for v in (query, key, value)]
    if min(ranks) < 2:
        raise GradcliError(
            "G021",
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{ranks[0]} key.dim: {ranks[1]} and value.dim: {ranks[2]} instead.",
        )


@internal("_scaled_dot_product_flash_attention_for_cpu", layout=True)
def _flash(query: Node, key: Node, value: Node, mask: Node | None, scale: float) -> Node:
    added = None if mask is None else Tensor(mask)
    made = _attention(Tensor(query), Tensor(key), Tensor(value), added, scale)
    return as_one(made.node, query, key, value)


@internal("_safe_softmax")
def _safe_softmax(x: Node) -> Node:
    """The softmax of the last dim, 0 in rows where everything is masked."""
    x = floating(x, "softmax_lastdim_kernel_impl")
    masked = reduction.all_(ops.isneginf(x), axis=(-1,), keepdims=True)
    return only(ops.logical_not(masked), reduction.softmax(ops.where(masked, zero(x), x), axis=-1))

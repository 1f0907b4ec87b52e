"""Attention with several heads: projections, attention of each head, projection back.

Constraints: sequences come first, (length, batch, features); the batch may be missing. Masks are
added to the scores; in a mask of truth values, what holds is left out.
"""

from __future__ import annotations

import math
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.attention import scaled_dot_product_attention
from gradcli.functions.dropout import dropout
from gradcli.functions.linear import linear
from gradcli.functions.nn import mul_number
from gradcli.graph.dtype import BOOL
from gradcli.tensor import registry
from gradcli.tensor.function import composite


@composite("nn.functional.multi_head_attention_forward", method=False)
def multi_head_attention_forward(
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Any,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> Any:
    """What the heads read from `value`, and the weights with which they do (None if not needed)."""
    given = locals()
    batched = _check(given)
    if not batched:
        given |= {name: given[name].unsqueeze(1) for name in ("query", "key", "value")}
        if key_padding_mask is not None:
            given["key_padding_mask"] = key_padding_mask.unsqueeze(0)
    output, weights = _attended(given)
    if batched:
        return output, weights
    return output.squeeze(1), None if weights is None else weights.squeeze(0)


def _attended(given: dict[str, Any]) -> tuple[Any, Any]:
    length, batch, width = given["query"].shape
    heads = given["num_heads"]
    q, k, v = _projected(given)
    grown = 0
    if given["bias_k"] is not None:
        rows = (given[name].repeat(1, batch, 1) for name in ("bias_k", "bias_v"))
        k, v = (_joined([x, row], 0) for x, row in zip((k, v), rows, strict=True))
        grown += 1
    q, k, v = (_headed(x, batch * heads) for x in (q, k, v))
    k, v = (
        x if given[name] is None else given[name] for x, name in ((k, "static_k"), (v, "static_v"))
    )
    if given["add_zero_attn"]:
        empty = registry.find("torch.zeros")(batch * heads, 1, width // heads, dtype=q.dtype)
        k, v = (_joined([x, empty], 1) for x in (k, v))
        grown += 1
    mask = _mask(given, grown, k.shape[1])
    read = _weighed if given["need_weights"] else _fused
    found, weights = read(given, q, k, v, mask)
    flat = found.transpose(0, 1).reshape(length * batch, width)
    output = linear(flat, given["out_proj_weight"], given["out_proj_bias"])
    if weights is not None:
        weights = weights.view(batch, heads, length, k.shape[1])
        weights = weights.mean(1) if given["average_attn_weights"] else weights
    return output.view(length, batch, output.shape[1]), weights


def _projected(given: dict[str, Any]) -> list[Any]:
    names = ("query", "key", "value")
    if given["use_separate_proj_weight"]:
        weights = [given[f"{name[0]}_proj_weight"] for name in names]
    else:
        weights = given["in_proj_weight"].chunk(3)
    bias = given["in_proj_bias"]
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    each = zip(names, weights, biases, strict=True)
    return [linear(given[name], weight, bias) for name, weight, bias in each]


def _joined(parts: list[Any], dim: int) -> Any:
    return registry.find("torch.cat")(parts, dim)


def _headed(x: Any, count: int) -> Any:
    """(length, batch, features) as (batch*heads, length, features of a head)."""
    width = x.shape[1] * x.shape[2] // count
    return x.reshape(x.shape[0], count, width).transpose(0, 1)


def _mask(given: dict[str, Any], grown: int, keys: int) -> Any:
    """What is added to the scores, (1 or batch*heads, length, keys); None for nothing."""
    batch, heads = given["query"].shape[1], given["num_heads"]
    added, padding = (_as_scores(given, name) for name in ("attn_mask", "key_padding_mask"))
    if given["is_causal"] and padding is None and not given["need_weights"]:
        added = None
    if added is not None and added.ndim == 2:
        added = added.unsqueeze(0)
    pad = registry.find("torch.nn.functional.pad")
    added, padding = (m if m is None or not grown else pad(m, (0, grown)) for m in (added, padding))
    if padding is None:
        return added
    spread = padding.view(batch, 1, 1, keys).expand(-1, heads, -1, -1)
    spread = spread.reshape(batch * heads, 1, keys)
    return spread if added is None else added + spread


def _as_scores(given: dict[str, Any], name: str) -> Any:
    mask = given[name]
    if mask is None or mask.dtype.category != BOOL:
        return mask
    zeros = registry.find("torch.zeros_like")(mask, dtype=given["query"].dtype)
    return zeros.masked_fill(mask, -math.inf)


def _weighed(given: dict[str, Any], q: Any, k: Any, v: Any, mask: Any) -> tuple[Any, Any]:
    scaled = mul_number(q, math.sqrt(1.0 / q.shape[-1]))
    keys = k.transpose(-2, -1)
    scores = scaled.bmm(keys) if mask is None else mask.baddbmm(scaled, keys)
    weights = scores.softmax(-1)
    if given["training"] and given["dropout_p"] > 0:
        weights = dropout(weights, given["dropout_p"])
    return weights.bmm(v), weights


def _fused(given: dict[str, Any], q: Any, k: Any, v: Any, mask: Any) -> tuple[Any, None]:
    batch, heads = given["query"].shape[1], given["num_heads"]
    if mask is not None:
        one = mask.shape[0] == 1
        mask = mask.unsqueeze(0) if one else mask.view(batch, heads, -1, k.shape[1])
    q, k, v = (x.view(batch, heads, *x.shape[1:]) for x in (q, k, v))
    share = given["dropout_p"] if given["training"] else 0.0
    causal = given["is_causal"] and mask is None
    found = scaled_dot_product_attention(q, k, v, mask, share, causal)
    return found.reshape(batch * heads, *found.shape[2:]), None


# -- checks


def _check(given: dict[str, Any]) -> bool:
    """Refuses arguments that do not fit each other; says whether there is a batch."""
    query, key, value = (given[name] for name in ("query", "key", "value"))
    rank = query.ndim
    if rank not in (2, 3):
        raise _unfit(
            f"query should be unbatched 2D or batched 3D tensor but received {rank}-D query tensor"
        )
    kind = f"For {'' if rank == 3 else 'un'}batched ({rank}-D) `query`, expected"
    if (key.ndim, value.ndim) != (rank, rank):
        raise _unfit(
            f"{kind} `key` and `value` to be {rank}-D but found {key.ndim}-D and {value.ndim}-D "
            "tensors respectively"
        )
    for name, ranks in (("key_padding_mask", (rank - 1,)), ("attn_mask", (2, 3))):
        mask = given[name]
        if mask is not None and mask.ndim not in ranks:
            known = f"{rank - 1}-D" if len(ranks) == 1 else "2-D or 3-D"
            comma = " or" if len(ranks) == 1 else ","
            raise _unfit(
                f"{kind} `{name}` to be `None`{comma} {known} but found {mask.ndim}-D tensor "
                "instead"
            )
        if mask is not None and not (mask.dtype.category == BOOL or mask.dtype.is_floating_point):
            raise _unfit(f"only bool and floating types of {name} are supported")
    _check_sizes(given, query, key, value)
    return bool(rank == 3)


def _check_sizes(given: dict[str, Any], query: Any, key: Any, value: Any) -> None:
    width, heads = query.shape[-1], given["num_heads"]
    if given["is_causal"] and given["attn_mask"] is None:
        raise GradcliError(
            "G013",
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask.",
        )
    if width != given["embed_dim_to_check"]:
        raise _unfit(
            f"was expecting embedding dimension of {given['embed_dim_to_check']}, but got {width}"
        )
    if heads < 1 or width % heads:
        raise _unfit(f"embed_dim {width} not divisible by num_heads {heads}")
    if not given["use_separate_proj_weight"] and key.shape != value.shape:
        raise _unfit(f"key shape {key.shape} does not match value shape {value.shape}")
    for one, other in (("bias_k", "bias_v"), ("bias_v", "bias_k")):
        if given[one] is not None and given[other] is None:
            raise _unfit(f"{one} is set but {other} is None")
    mask, lengths = given["attn_mask"], (query.shape[0], key.shape[0])
    if mask is not None and mask.ndim == 2 and tuple(mask.shape) != lengths:
        raise GradcliError(
            "G021", f"The shape of the 2D attn_mask is {mask.shape}, but should be {lengths}."
        )
    full = ((query.shape[1] if query.ndim == 3 else 1) * heads, *lengths)
    if mask is not None and mask.ndim == 3 and tuple(mask.shape) != full:
        raise GradcliError(
            "G021", f"The shape of the 3D attn_mask is {mask.shape}, but should be {full}."
        )


def _unfit(sentence: str) -> GradcliError:
    return GradcliError("G021", sentence, kind=AssertionError)

"""Expressions whose grad_fn names are pinned, and the script that asks PyTorch for the names.

    python tests/conformance/grad_fn_cases.py     writes grad_fn_names.json beside this file

Constraints: `x`, `v`, `s`, `q`, `b` are leaves of the SHAPES below, float32 between 0 and 1, that
require gradients; `i` is an index tensor, `m` a (2, 3) mask.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PINNED = Path(__file__).with_name("grad_fn_names.json")
SHAPES = {"x": (2, 3), "v": (3,), "s": (), "q": (3, 3), "b": (2, 3, 3)}

UNARY = (
    *("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "clone", "cos", "cosh"),
    *("deg2rad", "digamma", "erf", "erfc", "erfinv", "exp", "exp2", "expm1", "floor", "frac"),
    *("lgamma", "log", "log10", "log1p", "log2", "logit", "neg", "rad2deg", "reciprocal"),
    *("relu", "round", "rsqrt", "sgn", "sigmoid", "sign", "sin", "sinc", "sinh", "sqrt"),
    *("square", "tan", "tanh", "trunc", "nan_to_num", "positive", "absolute", "negative"),
    *("arcsin", "arctan", "fix"),
)
BINARY = (
    *("add", "sub", "mul", "div", "pow", "atan2", "hypot", "maximum", "minimum", "fmax"),
    *("fmin", "logaddexp", "logaddexp2", "xlogy", "fmod", "remainder", "copysign"),
    *("true_divide", "rsub"),
)
REDUCTIONS = (
    *("sum", "mean", "prod", "amax", "amin", "var", "std", "logsumexp", "norm", "argmax"),
    *("any", "all", "count_nonzero"),
)
EXPRESSIONS = [
    *(f"torch.{name}(x)" for name in UNARY),
    *("x.double()", "x.contiguous()", "x.float()"),
    *(f"torch.{name}(x, v)" for name in BINARY),
    *(f"x.{name}()" for name in REDUCTIONS if name not in ("logsumexp", "any", "all")),
    *(f"x.{name}(1)" for name in REDUCTIONS if name not in ("any", "all", "norm")),
    *(f"x.{name}(dim=1, keepdim=True)" for name in ("sum", "mean", "prod", "var", "std", "amax")),
    *(f"x {sign} {y}" for sign in ("+", "-", "*", "/", "**", "%") for y in ("2", "v", "s")),
    *(f"2 {sign} x" for sign in ("+", "-", "*", "/", "**")),
    *("-x", "+x", "abs(x)", "x @ v", "v @ v", "v @ q", "x @ q", "b @ q", "q @ b", "b @ v", "b @ b"),
    *("x.max()", "x.max(1)[0]", "x.max(1).values", "torch.max(x, v)", "x.min()", "x.min(0)[0]"),
    *("torch.min(x, v)", "x.cumsum(0)", "x.cumprod(1)"),
    *("torch.logcumsumexp(x, 0)", "torch.norm(x)", "x.norm(1)", "x.norm(2, 1)", "x.norm(p=3)"),
    *("torch.linalg.norm(x)", "torch.linalg.vector_norm(x)", "torch.linalg.norm(v)"),
    *("torch.std_mean(x)[0]", "torch.std_mean(x)[1]", "torch.var_mean(x)[0]", "torch.nansum(x)"),
    *("x.view(6)", "x.view(-1)", "x.reshape(3, 2)", "x.t()", "x.T", "x.mT"),
    *("x.transpose(0, 1)", "x.permute(1, 0)", "x.flatten()", "x.ravel()", "x.unsqueeze(0)"),
    *("x.squeeze()", "x[:1].squeeze(0)", "x.expand(4, 2, 3)", "x.repeat(2, 1)", "x.tile(2)"),
    *(
        "x.flip(0)",
        "x.roll(1)",
        "x.roll(1, 0)",
        "x.tril()",
        "x.triu()",
        "torch.diag(v)",
        "torch.diag(q)",
    ),
    *("q.diagonal()", "torch.diag_embed(v)", "x.movedim(0, 1)", "x.unbind(0)[0]", "x.split(1)[0]"),
    *("x.chunk(2)[0]", "torch.cat([x, x])", "torch.stack([x, x])", "torch.hstack([x, x])"),
    *("torch.vstack([v, v])", "x.unflatten(1, (3, 1))", "x.narrow(1, 0, 2)", "x.select(0, 1)"),
    *("torch.broadcast_to(v, (2, 3))", "x.view_as(x)", "x.swapaxes(0, 1)"),
    *(
        "x[0]",
        "x[0, 1]",
        "x[:, 1]",
        "x[:, 1:]",
        "x[..., None]",
        "x[None]",
        "x[i]",
        "x[:, i]",
        "x[m]",
    ),
    *("x.index_select(0, i)", "x.gather(1, i.view(2, 1))", "x.masked_select(m)", "x.take(i)"),
    *(
        "x.masked_fill(m, 0.)",
        "torch.where(m, x, v)",
        "torch.where(m, x, 0.)",
        "x.take_along_dim(i.view(2, 1), 1)",
    ),
    *("x.clamp(0, 1)", "x.clamp(min=0.5)", "x.clamp(v)", "x.clip(0.2, 0.8)", "x.clamp_min(0.5)"),
    *("x.lerp(x, 0.5)", "torch.lerp(x, x, x)", "torch.addcmul(x, x, x)", "torch.addcdiv(x, x, x)"),
    *("x.mm(q)", "torch.mv(x, v)", "torch.dot(v, v)", "torch.bmm(b, b)", "torch.outer(v, v)"),
    *(
        "torch.matmul(x, q)",
        "torch.addmm(v, x, q)",
        "torch.addmv(v, q, v)",
        "torch.baddbmm(b, b, b)",
    ),
    *("torch.einsum('ij,jk->ik', x, q)", "torch.einsum('ij->j', x)", "torch.einsum('i,i->', v, v)"),
    *(
        "torch.inner(v, v)",
        "torch.inner(x, v)",
        "torch.trace(q)",
        "torch.kron(x, q)",
        "torch.vdot(v, v)",
    ),
    *("torch.tensordot(x, q, 1)", "torch.linalg.multi_dot([x, q])"),
    *("torch.softmax(x, 1)", "x.softmax(-1)", "torch.log_softmax(x, 1)", "F.softmax(x, dim=0)"),
    *(
        f"F.{name}(x)"
        for name in (
            *("relu", "sigmoid", "tanh", "softplus", "gelu", "silu", "elu", "selu", "leaky_relu"),
            *("celu", "mish", "relu6", "hardtanh", "hardsigmoid", "hardswish", "logsigmoid"),
            *("softsign", "tanhshrink", "hardshrink", "softshrink", "normalize"),
        )
    ),
    *(f"F.{name}(x, x * 2)" for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")),
    *("F.binary_cross_entropy(x, x)", "F.binary_cross_entropy_with_logits(x, x.detach())"),
    *("F.cross_entropy(x, i)", "F.nll_loss(x, i)", "F.kl_div(x, x)", "F.linear(x, q)"),
    *("F.linear(x, q, v)", "F.linear(b, q)", "F.linear(b, q, v)", "F.cosine_similarity(x, v)"),
    *("F.layer_norm(x, (3,))", "F.dropout(x, 0.5, False)", "F.pad(x, (1, 1))", "F.embedding(i, x)"),
    *("x.to(torch.float64)", "x.sum().sqrt()", "(x * 2).mean()", "(3*(x+2)**2).mean()", "x.half()"),
    *(
        "torch.square(x).sum()",
        "x.detach().requires_grad_()",
        "torch.float_power(x, 2)",
        "x.pow(v)",
    ),
    *("torch.pow(2, x)", "x.exp().log()", "torch.atan2(x, x)", "torch.cumsum(x, 1)"),
    *("x.add(v, alpha=2)", "x.sub(1)", "x.div(2, rounding_mode='floor')", "x.round(decimals=1)"),
    *(
        "torch.polygamma(1, x)",
        "torch.special.expit(x)",
        "x.abs().sum()",
    ),
]
"""Each is one line of a script; some give no grad_fn, which is pinned too."""


def outcome(value: Any) -> str:
    """What is pinned of a value: its grad_fn's name, or that it has none."""
    grad_fn = getattr(value, "grad_fn", None)
    return "none" if grad_fn is None else str(grad_fn.name())


def _ask_pytorch() -> dict[str, str]:
    import warnings

    import torch
    import torch.nn.functional as functional

    variables: dict[str, Any] = {
        name: torch.rand(shape).mul(0.8).add(0.1).requires_grad_() for name, shape in SHAPES.items()
    }
    variables["i"] = torch.tensor([0, 1])
    variables["m"] = torch.tensor([[True, False, True], [False, True, False]])
    variables.update(torch=torch, F=functional)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {text: outcome(eval(text, dict(variables))) for text in EXPRESSIONS}


if __name__ == "__main__":
    PINNED.write_text(json.dumps(_ask_pytorch(), indent=0) + "\n", encoding="utf-8")

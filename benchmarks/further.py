"""Further cases of large arrays: of the same kinds as those with targets of their own.

Constraints: data only, as in cases.py; each is to be no slower than the best of the libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.case import Case, Data, Target

BEST = (Target(("jax", "compile", "torch"), 1.0, 0.7),)


def _normal(**shapes: tuple[int, ...]) -> Callable[[Any], Data]:
    """Makes arrays of standard normal float32 numbers."""
    return lambda rng: {
        name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()
    }


def _case(
    name: str, data: Callable[[Any], Data], wrt: str, ours: str, torch: str, jax: str
) -> Case:
    sources = {"gradcli": ours, "torch": torch, "jax": jax}
    return Case(name, data, sources, wrt=wrt.split(), targets=BEST)


FURTHER: list[Case] = [
    _case(
        "Huber loss 10^7",
        _normal(x=(10**7,), y=(10**7,)),
        "x",
        "huber_loss(x, y)",
        "F.huber_loss(x, y)",
        "jnp.mean(jnp.where(abs(x - y) < 1, 0.5*(x - y)**2, abs(x - y) - 0.5))",
    ),
    _case(
        "cosine similarity of rows 10^5 x 64",
        _normal(x=(10**5, 64), y=(10**5, 64)),
        "x y",
        "mean(cosine_similarity(x, y))",
        "F.cosine_similarity(x, y).mean()",
        "jnp.mean((x*y).sum(1)/jnp.maximum(jnp.sqrt((x*x).sum(1)*(y*y).sum(1)), 1e-8))",
    ),
    _case(
        "GELU 10^7",
        _normal(x=(10**7,)),
        "x",
        "mean(gelu(x))",
        "F.gelu(x).mean()",
        "jnp.mean(jax.nn.gelu(x, approximate=False))",
    ),
    _case(
        "batch norm over columns 10^6 x 64",
        _normal(x=(10**6, 64), v=(10**6, 64), w=(64,), b=(64,)),
        "x w b",
        "sum(((x - x.mean(0))/sqrt(x.var(0) + 1e-5)*w + b)*v)",
        "torch.sum(((x - x.mean(0))/torch.sqrt(x.var(0) + 1e-5)*w + b)*v)",
        "jnp.sum(((x - x.mean(0))/jnp.sqrt(x.var(0, ddof=1) + 1e-5)*w + b)*v)",
    ),
    _case(
        "log-sum-exp of rows 10^6 x 16",
        _normal(x=(10**6, 16)),
        "x",
        "logsumexp(x, 1).mean()",
        "torch.logsumexp(x, 1).mean()",
        "jax.nn.logsumexp(x, 1).mean()",
    ),
    _case(
        "pairwise hinge loss 3000 x 3000",
        _normal(s=(3000,), t=(3000,)),
        "s t",
        "mean(relu(1 - s[:,None] + t))",
        "torch.mean(torch.relu(1 - s[:,None] + t))",
        "jnp.mean(jax.nn.relu(1 - s[:,None] + t))",
    ),
    _case(
        "RBF kernel 4000 x 4000 in 8 dimensions",
        _normal(X=(4000, 8), Y=(4000, 8)),
        "X",
        "sum(exp(-0.5*((X[:,None,:] - Y)**2).sum(-1)))",
        "torch.sum(torch.exp(-0.5*((X[:,None,:] - Y)**2).sum(-1)))",
        "jnp.sum(jnp.exp(-0.5*((X[:,None,:] - Y)**2).sum(-1)))",
    ),
    _case(
        "attention 8 x 512 x 64",
        _normal(q=(8, 512, 64), k=(8, 512, 64), v=(8, 512, 64), g=(8, 512, 64)),
        "q k v",
        "sum(softmax(q@k.transpose(-2, -1)/8, -1)@v*g)",
        "torch.sum(torch.softmax(q@k.transpose(-2, -1)/8, -1)@v*g)",
        "jnp.sum(jax.nn.softmax(q@jnp.swapaxes(k, -2, -1)/8, -1)@v*g)",
    ),
]

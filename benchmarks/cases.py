"""The cases: one entry each, of large arrays first.

Constraints: data only; a new case is a new entry. Sources are expressions over the names of
`data`, in each library's own words.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.case import Case, Data, Target
from benchmarks.further import FURTHER
from benchmarks.small import SMALL

COMPILERS = ("jax", "compile")
LIBRARIES = ("jax", "compile", "torch")


def _normal(rng: Any, *shape: int) -> Any:
    return rng.standard_normal(shape, np.float32)


def _vector(rng: Any) -> Data:
    return {"x": _normal(rng, 10**7)}


def _classes(rng: Any) -> Data:
    return {"z": _normal(rng, 10**5, 100), "t": rng.integers(0, 100, 10**5)}


def _layer(rng: Any) -> Data:
    x, v = _normal(rng, 10**5, 256), _normal(rng, 10**5, 256)
    return {"x": x, "v": v, "w": _normal(rng, 256), "b": _normal(rng, 256)}


def _clusters(rng: Any) -> Data:
    return {"X": _normal(rng, 10**5, 8), "C": _normal(rng, 16, 8)}


def _mixture(rng: Any) -> Data:
    return {
        "X": _normal(rng, 10**5, 8),
        "m": _normal(rng, 5, 8),
        "s": _normal(rng, 5, 8) / 4,
        "p": _normal(rng, 5),
    }


def _options(rng: Any) -> Data:
    n = 10**6
    return {
        "S": rng.uniform(50, 150, n).astype(np.float32),
        "K": rng.uniform(50, 150, n).astype(np.float32),
        "T": rng.uniform(0.1, 2, n).astype(np.float32),
    }


def _regression(rng: Any) -> Data:
    X = _normal(rng, 10**6, 50)
    w = _normal(rng, 50) / 10
    y = (X @ w + _normal(rng, 10**6) > 0).astype(np.float32)
    return {"X": X, "y": y, "w": w}


def _network(rng: Any) -> Data:
    return {
        "X": _normal(rng, 8192, 784),
        "t": rng.integers(0, 10, 8192),
        "A": _normal(rng, 784, 512) / 28,
        "a": _normal(rng, 512) / 10,
        "B": _normal(rng, 512, 10) / 23,
        "b": _normal(rng, 10) / 10,
    }


_D1 = "(({log}(S/K) + 0.07*T) / (0.2*{sqrt}(T)))"
_PRICE = "S*{cdf}({d}) - K*{exp}(-0.05*T)*{cdf}({d} - 0.2*{sqrt}(T))"


def _price(**words: str) -> str:
    d = _D1.format(**words)
    return _PRICE.format(d=d, **words)


CASES: list[Case] = [
    Case(
        "mean(3*(x+2)**2)",
        _vector,
        {
            "gradcli": "mean(3*(x+2)**2)",
            "numpy": "polynomial",
            "torch": "torch.mean(3*(x+2)**2)",
            "jax": "jnp.mean(3*(x+2)**2)",
            "autograd": "anp.mean(3*(x+2)**2)",
            "copy": "x",
        },
        wrt=["x"],
        targets=(Target(("jax",), 0.5, 0.3), Target(("copy",), 2.5, 1.8)),
        spare=40_000_000,
    ),
    Case(
        "mean(tanh(x)*exp(-x*x)+log1p(exp(x)))",
        _vector,
        {
            "gradcli": "mean(tanh(x)*exp(-x*x)+log1p(exp(x)))",
            "numpy": "transcendental",
            "torch": "torch.mean(torch.tanh(x)*torch.exp(-x*x)+torch.log1p(torch.exp(x)))",
            "jax": "jnp.mean(jnp.tanh(x)*jnp.exp(-x*x)+jnp.log1p(jnp.exp(x)))",
            "autograd": "anp.mean(anp.tanh(x)*anp.exp(-x*x)+anp.log1p(anp.exp(x)))",
        },
        wrt=["x"],
        targets=(Target(COMPILERS, 0.65, 0.45),),
        spare=40_000_000,
    ),
    Case(
        "row softmax cross-entropy 10^5 x 100",
        _classes,
        {
            "gradcli": "cross_entropy(z, t)",
            "numpy": "cross_entropy",
            "torch": "F.cross_entropy(z, t)",
            "jax": "-jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(z), t[:, None], 1))",
            "autograd": "-anp.mean((z - special.logsumexp(z, axis=1)[:, None])"
            "[anp.arange(len(t)), t])",
        },
        wrt=["z"],
        targets=(Target(LIBRARIES, 0.85, 0.6),),
    ),
    Case(
        "layer norm 10^5 x 256",
        _layer,
        {
            "gradcli": "sum(layer_norm(x, [256], w, b)*v)",
            "numpy": "layer_norm",
            "torch": "(F.layer_norm(x, [256], w, b)*v).sum()",
            "jax": "jnp.sum(((x - x.mean(1, keepdims=True))"
            "/jnp.sqrt(x.var(1, keepdims=True) + 1e-5)*w + b)*v)",
            "autograd": "anp.sum(((x - anp.mean(x, 1, keepdims=True))"
            "/anp.sqrt(anp.var(x, 1, keepdims=True) + 1e-5)*w + b)*v)",
        },
        wrt=["x", "w", "b"],
        targets=(Target(LIBRARIES, 0.7, 0.4),),
    ),
    Case(
        "k-means distances 10^5 x 8, 16 centres",
        _clusters,
        {
            "gradcli": "((X[:,None,:] - C)**2).sum(-1).amin(1).mean()",
            "numpy": "k_means",
            "torch": "((X[:,None,:] - C)**2).sum(-1).amin(1).mean()",
            "jax": "((X[:,None,:] - C)**2).sum(-1).min(1).mean()",
            "autograd": "anp.mean(anp.min(anp.sum((X[:,None,:] - C)**2, -1), 1))",
        },
        wrt=["C"],
        targets=(Target(LIBRARIES, 0.7, 0.4),),
    ),
    Case(
        "Gaussian mixture 10^5 x 8, 5 components",
        _mixture,
        {
            "gradcli": "logsumexp(log_softmax(p, 0) - s.sum(1)"
            " - 0.5*(((X[:,None,:] - m)*exp(-s))**2).sum(-1), 1).mean()",
            "numpy": "mixture",
            "torch": "torch.logsumexp(torch.log_softmax(p, 0) - s.sum(1)"
            " - 0.5*(((X[:,None,:] - m)*torch.exp(-s))**2).sum(-1), 1).mean()",
            "jax": "jax.nn.logsumexp(jax.nn.log_softmax(p) - s.sum(1)"
            " - 0.5*(((X[:,None,:] - m)*jnp.exp(-s))**2).sum(-1), 1).mean()",
            "autograd": "anp.mean(special.logsumexp(p - special.logsumexp(p) - anp.sum(s, 1)"
            " - 0.5*anp.sum(((X[:,None,:] - m)*anp.exp(-s))**2, -1), axis=1))",
        },
        wrt=["m", "s", "p"],
        targets=(Target(LIBRARIES, 0.7, 0.4),),
    ),
    Case(
        "Black-Scholes value and delta, 10^6 options",
        _options,
        {
            "gradcli": f"sum({_price(log='log', sqrt='sqrt', exp='exp', cdf='special.ndtr')})",
            "numpy": "black_scholes",
            "torch": "torch.sum("
            + _price(log="torch.log", sqrt="torch.sqrt", exp="torch.exp", cdf="torch.special.ndtr")
            + ")",
            "jax": "jnp.sum("
            + _price(log="jnp.log", sqrt="jnp.sqrt", exp="jnp.exp", cdf="jax.scipy.special.ndtr")
            + ")",
            "autograd": "anp.sum("
            + _price(log="anp.log", sqrt="anp.sqrt", exp="anp.exp", cdf="norm.cdf")
            + ")",
        },
        wrt=["S"],
        targets=(Target(COMPILERS, 1.2, 0.8),),
    ),
    Case(
        "logistic loss 10^6 x 50",
        _regression,
        {
            "gradcli": "mean(softplus(X@w) - y*(X@w))",
            "numpy": "logistic",
            "torch": "torch.mean(F.softplus(X@w) - y*(X@w))",
            "jax": "jnp.mean(jax.nn.softplus(X@w) - y*(X@w))",
            "autograd": "anp.mean(anp.logaddexp(0, X@w) - y*(X@w))",
        },
        wrt=["w"],
        targets=(Target(LIBRARIES, 0.75, 0.55),),
    ),
    Case(
        "tanh network with cross-entropy 8192 x 784 x 512 x 10",
        _network,
        {
            "gradcli": "cross_entropy(tanh(X@A + a)@B + b, t)",
            "numpy": "network",
            "torch": "F.cross_entropy(torch.tanh(X@A + a)@B + b, t)",
            "jax": "-jnp.mean(jnp.take_along_axis("
            "jax.nn.log_softmax(jnp.tanh(X@A + a)@B + b), t[:, None], 1))",
            "autograd": "(lambda z: -anp.mean((z - special.logsumexp(z, axis=1)[:, None])"
            "[anp.arange(len(t)), t]))(anp.tanh(X@A + a)@B + b)",
        },
        wrt=["A", "a", "B", "b"],
        targets=(Target(LIBRARIES, 1.0, 0.85),),
    ),
    *FURTHER,
    *SMALL,
]

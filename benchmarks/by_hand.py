"""The cases of large arrays in plain NumPy, value and gradients by hand, without tiles or threads.

Constraints: what a careful user writes: whole arrays, no dead work, BLAS on its own threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def polynomial(x: Array) -> tuple[Array, ...]:
    shifted = x + 2
    return 3 * (shifted @ shifted) / x.size, shifted * np.float32(6 / x.size)


def transcendental(x: Array) -> tuple[Array, ...]:
    t, e, p = np.tanh(x), np.exp(-x * x), np.exp(x)
    value = (t * e + np.log1p(p)).mean()
    return value, ((1 - t * t - 2 * x * t) * e + p / (1 + p)) / np.float32(x.size)


def _cross_entropy(z: Array, t: Array) -> tuple[Array, Array]:
    rows = np.arange(len(t))
    z = z - z.max(1, keepdims=True)
    p = np.exp(z)
    total = p.sum(1, keepdims=True)
    value = (np.log(total[:, 0]) - z[rows, t]).mean()
    p /= total
    p[rows, t] -= 1
    p /= np.float32(len(t))
    return value, p


def cross_entropy(z: Array, t: Array) -> tuple[Array, ...]:
    return _cross_entropy(z, t)


def layer_norm(x: Array, v: Array, w: Array, b: Array) -> tuple[Array, ...]:
    inverse = 1 / np.sqrt(x.var(1, keepdims=True) + np.float32(1e-5))
    h = (x - x.mean(1, keepdims=True)) * inverse
    g = v * w
    gx = inverse * (g - g.mean(1, keepdims=True) - h * (g * h).mean(1, keepdims=True))
    gw, gb = (v * h).sum(0), v.sum(0)
    return gw @ w + gb @ b, gx, gw, gb


def k_means(X: Array, C: Array) -> tuple[Array, ...]:
    distances = (X * X).sum(1)[:, None] - 2 * X @ C.T + (C * C).sum(1)
    nearest = distances.argmin(1)
    one = np.zeros((len(X), len(C)), X.dtype)
    one[np.arange(len(X)), nearest] = 1
    gradient = (one.sum(0)[:, None] * C - one.T @ X) * np.float32(2 / len(X))
    return distances[np.arange(len(X)), nearest].mean(), gradient


def mixture(X: Array, m: Array, s: Array, p: Array) -> tuple[Array, ...]:
    n = np.float32(len(X))
    inverse = np.exp(-s)
    h = (X[:, None, :] - m) * inverse
    share = np.exp(p - p.max())
    share /= share.sum()
    a = np.log(share) - s.sum(1) - (h * h).sum(-1) / 2
    top = a.max(1, keepdims=True)
    e = np.exp(a - top)
    total = e.sum(1, keepdims=True)
    r = e / total / n
    weighted = h * r[:, :, None]
    gm = weighted.sum(0) * inverse
    gs = (weighted * h).sum(0) - r.sum(0)[:, None]
    return (np.log(total) + top).mean(), gm, gs, r.sum(0) - share


def black_scholes(S: Array, K: Array, T: Array) -> tuple[Array, ...]:
    from scipy.special import ndtr

    spread = np.float32(0.2) * np.sqrt(T)
    d = (np.log(S / K) + np.float32(0.07) * T) / spread
    delta = ndtr(d)
    return (S * delta - K * np.exp(np.float32(-0.05) * T) * ndtr(d - spread)).sum(), delta


def logistic(X: Array, y: Array, w: Array) -> tuple[Array, ...]:
    z = X @ w
    value = (np.logaddexp(z, np.float32(0)) - y * z).mean()
    return value, (1 / (1 + np.exp(-z)) - y) @ X / np.float32(len(y))


def network(X: Array, t: Array, A: Array, a: Array, B: Array, b: Array) -> tuple[Array, ...]:
    h = np.tanh(X @ A + a)
    value, g = _cross_entropy(h @ B + b, t)
    gh = (g @ B.T) * (1 - h * h)
    return value, X.T @ gh, gh.sum(0), h.T @ g, g.sum(0)

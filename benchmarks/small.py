"""The cases of small arrays: scripts with loops, Hessians, and plans.

Constraints: data only. A script is the same for gradcli and PyTorch: it reads the variables of
`data` and leaves its results under the names of `wrt`; JAX's has its step jitted by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.case import Case, Data, Target

_DESCENT = """import torch
w = torch.zeros(8, requires_grad=True)
for step in range(2000):
    loss = ((X @ w - y)**2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.01 * w.grad
    w.grad = None
"""
_DESCENT_JAX = """
step = jax.jit(lambda w: w - 0.01*jax.grad(lambda w: ((X @ w - y)**2).mean())(w))
w = jnp.zeros(8, jnp.float32)
for _ in range(2000):
    w = step(w)
"""
_ADAM = """import torch
A, a = A0.clone().requires_grad_(), torch.zeros(16, requires_grad=True)
B, b = B0.clone().requires_grad_(), torch.zeros(1, requires_grad=True)
params = [A, a, B, b]
m, v = [torch.zeros_like(p) for p in params], [torch.zeros_like(p) for p in params]
for step in range(1, 1001):
    loss = ((torch.tanh(x @ A + a) @ B + b - t)**2).mean()
    loss.backward()
    with torch.no_grad():
        for i, p in enumerate(params):
            m[i] = 0.9*m[i] + (1 - 0.9)*p.grad
            v[i] = 0.999*v[i] + (1 - 0.999)*p.grad*p.grad
            p -= 0.01*(m[i]/(1 - 0.9**step)) / ((v[i]/(1 - 0.999**step)).sqrt() + 1e-8)
            p.grad = None
"""

_BATCHES = """import torch
w = torch.zeros(8, requires_grad=True); b = torch.zeros(1, requires_grad=True)
losses = []
for step in range(2000):
    k = (step * 32) % 256
    xb, tb = X[k:k+32], t[k:k+32]
    loss = ((xb @ w + b - tb)**2).mean()
    loss.backward()
    with torch.no_grad():
        for p in (w, b):
            p -= 0.01 * (1 + step)**-0.5 * p.grad
            p.grad = None
    losses.append(loss.item())
"""
_RANDOM_BATCHES = """import torch
torch.manual_seed(0)
w = torch.zeros(8, requires_grad=True)
for step in range(2000):
    rows = torch.randint(0, 256, (32,))
    loss = ((X[rows] @ w - t[rows])**2).mean()
    g, = torch.autograd.grad(loss, w)
    w = (w - 0.01 * g).detach().requires_grad_()
"""
_IN_TURNS = """import torch
A, B = A0.clone().requires_grad_(), B0.clone().requires_grad_()
best, previous = float("inf"), float("inf")
for step in range(2000):
    loss = ((A @ B - M)**2).mean() + 0.001 * (A.pow(2).sum() + B.pow(2).sum())
    loss.backward()
    with torch.no_grad():
        if step % 2 == 0:
            A -= 0.1 * A.grad
        else:
            B -= 0.1 * B.grad
    A.grad, B.grad = None, None
    if loss.item() < best:
        best = loss.item()
    if abs(previous - loss.item()) < 1e-12:
        break
    previous = loss.item()
"""


_CHAIN = """import torch
x.requires_grad_()
y = x
for i in range({turns}):
    y = torch.tanh(y*0.5 + x) - y/(i + 2.0)
loss = y.sum()
g, = torch.autograd.grad(loss, x)
"""


def _vector(rng: Any) -> Data:
    return {"x": rng.standard_normal(1 << 18, np.float32)}


def _regression(rng: Any) -> Data:
    return {
        "X": rng.standard_normal((32, 8), np.float32),
        "y": rng.standard_normal(32, np.float32),
    }


def _network(rng: Any) -> Data:
    x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(32, 2)
    return {
        "x": x,
        "t": np.sin(x.sum(1, keepdims=True)),
        "A0": rng.standard_normal((2, 16), np.float32) / 2,
        "B0": rng.standard_normal((16, 1), np.float32) / 4,
    }


def _table(rng: Any) -> Data:
    X = rng.standard_normal((256, 8), np.float32)
    return {"X": X, "t": X @ np.arange(8, dtype=np.float32) + 1}


def _matrix(rng: Any) -> Data:
    names = {"A0": (12, 3), "B0": (3, 10), "M": (12, 10)}
    return {name: rng.standard_normal(shape, np.float32) for name, shape in names.items()}


def _logistic(rng: Any) -> Data:
    y = (rng.random(600) > 0.5).astype(np.float64)
    return {"X": rng.standard_normal((600, 300)), "y": y, "w": rng.standard_normal(300) / 10}


def _factors(n: int) -> Any:
    def data(rng: Any) -> Data:
        names = {"U": (n, 5), "V": (n, 5), "A": (n, n)}
        return {name: rng.standard_normal(shape) for name, shape in names.items()}

    return data


SMALL: list[Case] = [
    Case(
        "gradient descent script 32 x 8, 2,000 steps",
        _regression,
        {"gradcli": _DESCENT, "torch": _DESCENT, "jax": _DESCENT_JAX},
        wrt=["w"],
        kind="script",
        targets=(Target(("torch",), 0.1, 0.06), Target(("jax",), 1.2, 0.8)),
    ),
    Case(
        "Adam by hand on a 2-16-1 network, 1,000 steps",
        _network,
        {"gradcli": _ADAM, "torch": _ADAM},
        wrt=["A", "a", "B", "b"],
        kind="script",
        targets=(Target(("torch",), 0.2, 0.1),),
        # A thousand steps enlarge a rounding: PyTorch's own float32 is 3 % from its float64 here.
        tolerance=1e-1,
    ),
    *(
        Case(
            name,
            data,
            {"gradcli": source, "torch": source},
            wrt=wrt,
            kind="script",
            targets=(Target(("torch",), 0.3, 0.15),),
        )
        for name, data, source, wrt in (
            ("batches in turn with a falling rate, 2,000 steps", _table, _BATCHES, ["w", "b"]),
            ("random batches, 2,000 steps", _table, _RANDOM_BATCHES, ["w"]),
            ("two factors in turns, 2,000 steps", _matrix, _IN_TURNS, ["A", "B"]),
        )
    ),
    Case(
        "Hessian, logistic regression 600 x 300, float64",
        _logistic,
        {
            "gradcli": "mean(softplus(-(2*y - 1)*(X@w)))",
            "torch": "torch.mean(F.softplus(-(2*y - 1)*(X@w)))",
            "jax": "jnp.mean(jax.nn.softplus(-(2*y - 1)*(X@w)))",
        },
        wrt=["w"],
        kind="hessian",
        targets=(Target(("jax",), 0.6, 0.45),),
    ),
    *(
        Case(
            f"Hessian, matrix factorisation n={n}, k=5, float64",
            _factors(n),
            {
                "gradcli": "sum((U@V.T - A)**2)",
                "torch": "torch.sum((U@V.T - A)**2)",
                "jax": "jnp.sum((U@V.T - A)**2)",
            },
            wrt=["U"],
            kind="hessian",
            targets=(Target(("jax",), 0.05, 0.01),),
        )
        for n in (60, 200)
    ),
    *(
        Case(
            f"plan of an expression of {nodes:,} nodes",
            _vector,
            {"gradcli": _CHAIN.format(turns=nodes // 16)},
            wrt=["loss", "g"],
            kind="plan",
            microseconds=30,
        )
        for nodes in (1_000, 10_000, 100_000)
    ),
]

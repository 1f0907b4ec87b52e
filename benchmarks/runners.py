"""How each peer runs a case of each kind: `(case, data) -> a call without arguments`.

Constraints: a peer is imported here and nowhere else, when its runner is made. A call returns a
list of NumPy arrays (the value first, then the gradients), or of what `numpy.asarray` takes; its
time covers everything from the peer's own arrays to the finished results. Two threads for all.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import small_runners as small
from benchmarks.case import Case

THREADS = 2
Call = Callable[[], list[Any]]
Runner = Callable[[Case, dict[str, Any]], Call]


def gradient_gradcli(case: Case, data: dict[str, Any]) -> Call:
    """The public function: NumPy arrays in, NumPy arrays out."""
    import gradcli
    from gradcli.execute.threads import THREADS as CHOSEN

    CHOSEN[0] = THREADS
    f = gradcli.function(case.sources["gradcli"], wrt=list(case.wrt))

    def call() -> list[Any]:
        result = f(**data)
        grads = result.grads
        return [result.value, *(grads[name] for name in case.wrt)]

    return call


def gradient_numpy(case: Case, data: dict[str, Any]) -> Call:
    """A function written by hand: the value and the gradients."""
    module = importlib.import_module("benchmarks.by_hand")
    written = getattr(module, case.sources["numpy"])
    return lambda: list(written(**data))


def _torch_call(case: Case, data: dict[str, Any], compiled: bool) -> Call:
    import torch

    torch.set_num_threads(THREADS)
    place = small.PLACE["torch"]
    tensors = {n: torch.from_numpy(np.ascontiguousarray(x)).to(place) for n, x in data.items()}
    for name in case.wrt:
        tensors[name].requires_grad_()
    source = f"lambda {', '.join(tensors)}: {case.sources['torch']}"
    function = eval(source, {"torch": torch, "F": torch.nn.functional})
    if compiled:
        function = torch.compile(function)
    leaves = [tensors[name] for name in case.wrt]

    def call() -> list[Any]:
        value = function(**tensors)
        return [value.detach(), *torch.autograd.grad(value, leaves)]

    return call


def gradient_torch(case: Case, data: dict[str, Any]) -> Call:
    """PyTorch, eagerly."""
    return _torch_call(case, data, compiled=False)


def gradient_compile(case: Case, data: dict[str, Any]) -> Call:
    """PyTorch through torch.compile, forward and backward."""
    return _torch_call(case, data, compiled=True)


def gradient_jax(case: Case, data: dict[str, Any]) -> Call:
    """JAX: value_and_grad under jit, on its own arrays."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    names = list(data)
    source = f"lambda {', '.join(names)}: {case.sources['jax']}"
    function = eval(source, {"jax": jax, "jnp": jnp})
    places = tuple(names.index(name) for name in case.wrt)
    compiled = jax.jit(jax.value_and_grad(function, argnums=places))
    arrays = [jnp.asarray(data[name]) for name in names]

    def call() -> list[Any]:
        value, grads = jax.block_until_ready(compiled(*arrays))
        return [value, *grads]

    return call


def gradient_autograd(case: Case, data: dict[str, Any]) -> Call:
    """HIPS autograd: NumPy calls on a tape."""
    import autograd
    import autograd.numpy as anp
    import autograd.scipy.special as special
    from autograd.scipy.stats import norm

    names = list(data)
    source = f"lambda {', '.join(names)}: {case.sources['autograd']}"
    function = eval(source, {"anp": anp, "special": special, "norm": norm})
    places = tuple(names.index(name) for name in case.wrt)
    both = autograd.value_and_grad(function, argnum=places)

    def call() -> list[Any]:
        value, grads = both(*data.values())
        return [value, *grads]

    return call


def gradient_copy(case: Case, data: dict[str, Any]) -> Call:
    """The limit: copying one input into fresh memory, half by half on two threads."""
    from concurrent.futures import ThreadPoolExecutor

    x = data[case.sources["copy"]]
    pool = ThreadPoolExecutor(THREADS)
    middle = len(x) // 2

    def call() -> list[Any]:
        out = np.empty_like(x)
        parts = (slice(middle), slice(middle, None))
        list(pool.map(lambda part: np.copyto(out[part], x[part]), parts))
        return []

    return call


PEERS = {
    "numpy": "NumPy by hand",
    "torch": "PyTorch",
    "compile": "torch.compile",
    "jax": "JAX jit",
    "autograd": "HIPS autograd",
    "copy": "copy",
}
"""Peer -> what the table calls it."""

SHARED_SOURCES = {"compile": "torch"}
"""A peer that runs another one's source unless the case gives it its own."""

RUNNERS: dict[tuple[str, str], Runner] = {
    ("gradient", "gradcli"): gradient_gradcli,
    ("gradient", "numpy"): gradient_numpy,
    ("gradient", "torch"): gradient_torch,
    ("gradient", "compile"): gradient_compile,
    ("gradient", "jax"): gradient_jax,
    ("gradient", "autograd"): gradient_autograd,
    ("gradient", "copy"): gradient_copy,
    ("script", "gradcli"): small.script_gradcli,
    ("script", "torch"): small.script_torch,
    ("script", "jax"): small.script_jax,
    ("hessian", "gradcli"): small.hessian_gradcli,
    ("hessian", "torch"): small.hessian_torch,
    ("hessian", "jax"): small.hessian_jax,
    ("plan", "gradcli"): small.plan_gradcli,
}
"""(kind of case, peer) -> its runner."""


def peers_of(case: Case) -> list[str]:
    """The peers that a case names, gradcli left out, in the table's order."""
    return [
        peer
        for peer in PEERS
        if (case.kind, peer) in RUNNERS
        and (peer in case.sources or SHARED_SOURCES.get(peer) in case.sources)
    ]

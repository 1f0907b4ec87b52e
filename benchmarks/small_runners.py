"""How each peer runs a script with a loop, and a Hessian, and how a plan is made: see runners.py.

Constraints: a script's time is that of the whole script, parsed and run anew each time; a Hessian's
is that of a call with everything compiled.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.case import Case

THREADS = 2
PLACE = {"torch": "cpu"}
"""Where PyTorch's own programs compute."""
Call = Callable[[], list[Any]]


def script_gradcli(case: Case, data: dict[str, Any]) -> Call:
    """The script as `gradcli run` runs it."""
    import gradcli

    def call() -> list[Any]:
        found = gradcli.run(case.sources["gradcli"], data)
        return [found[name].detach().array() for name in case.wrt]

    return call


def script_torch(case: Case, data: dict[str, Any]) -> Call:
    """The script under Python with PyTorch, compiled once."""
    import torch

    torch.set_num_threads(THREADS)
    given = {name: torch.from_numpy(x) for name, x in data.items()}
    code = compile(case.sources["torch"], case.name, "exec")

    def call() -> list[Any]:
        found: dict[str, Any] = dict(given)
        exec(code, found)
        return [found[name].detach() for name in case.wrt]

    return call


def script_jax(case: Case, data: dict[str, Any]) -> Call:
    """The script with its step jitted; only the loop is timed."""
    import jax
    import jax.numpy as jnp

    found: dict[str, Any] = {name: jnp.asarray(x) for name, x in data.items()}
    found |= {"jax": jax, "jnp": jnp}
    head, loop = case.sources["jax"].split("\nw = ", 1)
    exec(head, found)
    code = compile(f"w = {loop}", case.name, "exec")

    def call() -> list[Any]:
        exec(code, found)
        return list(jax.block_until_ready([found[name] for name in case.wrt]))

    return call


def hessian_gradcli(case: Case, data: dict[str, Any]) -> Call:
    """The public function: NumPy arrays in and out."""
    import gradcli

    (name,) = case.wrt
    f = gradcli.function(case.sources["gradcli"], wrt=[name], hessian=True)
    return lambda: [f(**data).hessian[name][name]]


def hessian_torch(case: Case, data: dict[str, Any]) -> Call:
    """torch.func.hessian."""
    import torch

    torch.set_num_threads(THREADS)
    given = {name: torch.from_numpy(x).to(PLACE["torch"]) for name, x in data.items()}
    source = f"lambda {', '.join(given)}: {case.sources['torch']}"
    function = eval(source, {"torch": torch, "F": torch.nn.functional})
    place = list(given).index(case.wrt[0])
    compute = torch.func.hessian(function, argnums=place)
    return lambda: [compute(*given.values())]


def hessian_jax(case: Case, data: dict[str, Any]) -> Call:
    """jax.hessian under jit."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    source = f"lambda {', '.join(data)}: {case.sources['jax']}"
    function = eval(source, {"jax": jax, "jnp": jnp})
    compute = jax.jit(jax.hessian(function, argnums=list(data).index(case.wrt[0])))
    arrays = [jnp.asarray(x) for x in data.values()]
    return lambda: [np.asarray(jax.block_until_ready(compute(*arrays)))]


def plan_gradcli(case: Case, data: dict[str, Any]) -> Call:
    """The plan of what a script has not computed yet, and the programs of its tiles.

    A call returns how many nodes there are. Unused objects are collected as under the command.
    """
    import gradcli
    from gradcli.cli.main import COLLECTED
    from gradcli.execute.instructions import Program
    from gradcli.execute.schedule import Plan
    from gradcli.execute.tiles import Sweep
    from gradcli.graph.walk import ancestors

    gc.set_threshold(*COLLECTED)
    found = gradcli.run(case.sources["gradcli"], data)
    targets = {found[name].value_node for name in case.wrt}
    order = ancestors(targets, lambda node: node.value is None)

    def call() -> list[Any]:
        for step in Plan(order, targets).steps:
            if isinstance(step, Sweep):
                Program(step.forms[0], step.kept, step.known, step.height)
        return [np.array(len(order))]

    return call

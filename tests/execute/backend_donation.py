"""Values that nobody reads any more on JAX: results are written over them, and over nothing else.

Constraints: run in a process of its own. Scripts are run with every spent value given up, whatever
its size, and with none: the bits are the same. `backend_samples.py` gives up all as well.
"""

from __future__ import annotations

import io
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import gradcli
from gradcli.execute import spent
from gradcli.execute.backends.choice import chosen
from gradcli.execute.delayed import Delayed
from gradcli.execute.limits import memory
from gradcli.execute.whole import chunks
from gradcli.execute.work import Work
from gradcli.graph.dtype import float32
from gradcli.graph.node import data
from gradcli.graph.walk import ancestors
from gradcli.ops.elementwise import add
from gradcli.ops.reduction import total
from gradcli.tensor import Tensor

NEVER = 1 << 62
LIBRARY: Any = chosen("jax", None)
ROWS = 40_009
DESCENT = """
x = torch.linspace(0.0, 1.0, 600, requires_grad=True)
m = torch.zeros(600)
for step in range(8):
    loss = (torch.exp(-x)*x).mean()
    loss.backward()
    with torch.no_grad():
        m = 0.9*m + x.grad
        x -= 0.1*m
        x.grad = None
print(x.tolist(), m.tolist(), loss)
"""
HELD = (
    "keep, a = [], torch.ones(9)\nfor i in range(6):\n    {}\n    y = (a*a).sum()\n"
    "    a = torch.sin(a) + i\n    for j in range(90):\n        a = a*1.01 + j/7\n"
    "print(a.tolist(), [k.tolist() for k in keep])"
)
"""A loop that computes at the end of each iteration, in which somebody holds on to what `a` was."""
HOLDERS = (
    *("keep.append(a)", "keep.append(a.detach())", "keep.append(a[2:])", "keep.append(a + 1)"),
    *("keep.append(a.view(3, 3).T)", "b = a.numpy(); keep.append(a)", "a.requires_grad_()"),
    *("keep = [a.sum(), *keep]", "a[i] = 5.0", "a += 1; keep.append(a*2)", "print(a)"),
)
TWICE = """
w = torch.ones(50, requires_grad=True)
old = []
for i in range(6):
    loss = (torch.tanh(w)*w).sum()
    loss.backward(retain_graph=True)
    old.append(loss)
    with torch.no_grad():
        w = (w - 0.1*w.grad).requires_grad_()
for loss in old:
    loss.backward()
print(w.tolist(), [loss.item() for loss in old])
"""
"""Graphs of earlier iterations that are gone back through at the end."""


def results_lie_in_spent_memory() -> None:
    """An array that is given up is deleted, where a result fits, and no other is."""
    jnp = LIBRARY.xp
    x, y = (data(True, (9, 9), float32) for _ in "xy")
    out = add(x, add(x, y))
    number = total(out, axis=(-2, -1), keepdims=False)
    for targets, free, deleted in (
        ([out], [0], [True, False]),
        ([out], [0, 1], [True, False]),
        ([number], [0, 1], [False, False]),
        ([out], [], [False, False]),
    ):
        work = Work(ancestors(targets, lambda node: node.value is None), targets)
        arrays = [jnp.ones((9, 9), np.float32) for _ in work.inputs]
        with LIBRARY.computing():
            (found,) = LIBRARY.compiled(work, free)(arrays)
        assert np.asarray(found).sum() == 3 * 81
        assert [array.is_deleted() for array in arrays] == deleted


def an_accumulator_stays_where_it_is() -> None:
    """A sum that a loop adds to is never copied; while somebody else holds it, it is."""
    with Delayed(LIBRARY) as engine:
        total = Tensor(data(np.zeros(9, np.float32), (9,), float32))
        places = []
        held = None
        for step in range(6):
            total = total + step
            engine.compute(())
            places.append(total.value_node.value.unsafe_buffer_pointer())
            held = total if step == 3 else held
    assert len(set(places[:4])) == 1
    assert places[4] not in places[:4]
    assert held is not None
    assert held.tolist() == [6.0] * 9
    assert total.tolist() == [15.0] * 9


def printed(script: str, least: int) -> str:
    """What a script prints where spent values are given up from `least` bytes on."""
    spent.LEAST = least
    out = io.StringIO()
    gradcli.run(script, stdout=out, backend="jax")
    return out.getvalue()


def scripts_print_the_same() -> None:
    for script in (DESCENT, TWICE, *(HELD.format(holder) for holder in HOLDERS)):
        assert printed(script, 1) == printed(script, NEVER), script


def copies_on_a_device_are_given_up(folder: Path) -> None:
    """What was copied to a device for one call, or one tile, is written over; inputs are not."""
    random = np.random.default_rng(0)
    table = random.standard_normal((ROWS, 18), np.float32)
    np.save(folder / "X.npy", table)
    given = {"X": table, "w": random.standard_normal(18).astype(np.float32)}
    before = table.copy()
    f = gradcli.function("sum(exp(X)@w)", backend="jax")
    found: dict[tuple[bool, int], list[Any]] = {}
    for copies in (False, True):
        for spent.LEAST in (1, NEVER):
            LIBRARY.copies = copies
            results = [gradcli.function("sum(exp(X)@w)", backend="jax")(**given), f(**given)]
            memory.set(3_000_000)
            chunks.rows = 10_000
            stored = {**given, "X": np.load(folder / "X.npy", mmap_mode="r")}
            results.append(gradcli.evaluate("mean((X/X.std(0))@w)", stored, backend="jax", wrt="w"))
            memory.set(1 << 30)
            chunks.rows = None
            bits = [x.tobytes() for r in results for x in (r.value, *r.grads.values())]
            found[copies, spent.LEAST] = bits
            assert np.array_equal(table, before)
    LIBRARY.copies = False
    first = found[False, NEVER]
    assert all(bits == first for bits in found.values())


if __name__ == "__main__":
    warnings.simplefilter("error")  # "Some donated buffers were not usable" is one
    spent.LEAST = 1
    results_lie_in_spent_memory()
    an_accumulator_stays_where_it_is()
    scripts_print_the_same()
    with tempfile.TemporaryDirectory() as name:
        copies_on_a_device_are_given_up(Path(name))

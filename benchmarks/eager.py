"""Microseconds per op and per backward node on small tensors, beside PyTorch in the same process.

Constraints: the same text runs under both; turns are interleaved, the figures are medians of
processor time. `python -m benchmarks.eager [PART OF A NAME...]` prints the table.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

REPEATED = 10
"""How often a statement stands in the function that is timed."""
TURNS, CALLS, WARM = 15, 20, 5


@dataclass(frozen=True)
class Small:
    """One row.

    Attributes:
        name: what the row says.
        statement: what is timed, `REPEATED` times in a row; for a backward pass, what makes `y`.
        nodes: of the backward pass of `y`; 0 where the statement itself is timed.
        setup: runs once, after the variables of `SETUP`.
    """

    name: str
    statement: str
    nodes: int = 0
    setup: str = ""


SETUP = """
import torch
import torch.nn.functional as F
torch.manual_seed(0)
a, b = torch.randn(4, 8), torch.randn(4, 8)
x, v, w = (torch.randn(s).requires_grad_() for s in ((4, 8), (8,), (8, 8)))
target = torch.tensor([1, 2, 3, 4])
p = torch.zeros(4, 8).requires_grad_()
p.grad = torch.ones(4, 8)
c = torch.zeros(4, 8)
"""
_UPDATE = """    with torch.no_grad():
        for q in [p]:
            q -= 0.001 * q.grad"""
_RNN = """
X, Y = torch.randn(10, 4), torch.randn(10, 1)
U, W, V = ((torch.randn(s) / 3).requires_grad_() for s in ((4, 8), (8, 8), (8, 1)))
def steps():
    h, loss = torch.zeros(1, 8), torch.zeros(())
    for t in range(10):
        h = torch.tanh(X[t:t + 1] @ U + h @ W + v)
        loss = loss + ((h @ V - Y[t:t + 1])**2).mean()
    return loss / 10
def trained(loss, parameters):
    loss.backward()
    with torch.no_grad():
        for q in parameters:
            q -= 0.01 * q.grad
            q.grad = None
"""
_NETWORK = (
    _RNN
    + """
A, B = ((torch.randn(s) / 3).requires_grad_() for s in ((8, 16), (16, 5)))
def scores():
    return F.cross_entropy(torch.relu(a @ A) @ B, target)
"""
)
_ATTENTION = (
    _RNN
    + """
Q, K, O = ((torch.randn(8, 8) / 3).requires_grad_() for _ in range(3))
def attended():
    s = (a @ Q) @ (a @ K).T / 2.8
    return ((torch.softmax(s, dim=-1) @ (a @ O))**2).sum()
"""
)

SMALL = [
    *(
        Small(f"{name}{kind}", f"    {text.replace('a', left)}")
        for kind, left in (("", "a"), (", tracked", "x"))
        for name, text in (("add", "a + b"), ("multiply by a number", "a * 0.5"), ("power", "a**2"))
    ),
    Small("comparison", "    a > b"),
    Small("matrix product", "    a @ w"),
    Small("tanh", "    torch.tanh(x)"),
    Small("sum", "    x.sum()"),
    Small("sum of rows", "    x.sum(1)"),
    Small("mean", "    x.mean()"),
    Small("softmax", "    torch.softmax(x, dim=1)"),
    Small("a row", "    x[1]"),
    Small("an element", "    x[1, 2]"),
    Small("transpose", "    w.T"),
    Small("reshape", "    x.reshape(8, 4)"),
    Small("cat", "    torch.cat([x, a])"),
    Small("stack", "    torch.stack([x, a])"),
    Small("detach", "    x.detach()"),
    Small("add in place", "    c += a"),
    Small("item", "    v[0].item()"),
    Small("update under no_grad", _UPDATE),
    Small("backward: tanh", "    y = torch.tanh(y)", 1),
    Small("backward: multiply, add", "    y = y * x + a", 2),
    Small("backward: matrix product", "    y = y @ w", 1),
    Small("backward: add a vector", "    y = y + v", 1),
    Small("backward: row and stack", "    y = torch.stack([y[0], y[1], y[2], y[3]])", 5),
    Small("RNN by hand, a step of training", "    trained(steps(), [U, W, V])", 0, _RNN),
    Small("MLP, a step of training", "    trained(scores(), [A, B])", 0, _NETWORK),
    Small("attention, a step of training", "    trained(attended(), [Q, K, O])", 0, _ATTENTION),
]


def source(row: Small) -> str:
    """The script of a row: `run()` is timed, on what `before()` gives."""
    lines = "\n".join([row.statement] * (REPEATED if row.nodes or not row.setup else 1))
    if row.nodes:
        made = f"def before():\n    y = x * 1.0\n{lines}\n    return y.sum()\n"
        return f"{SETUP}{made}def run(y):\n    y.backward()\n"
    head = "def run(y, c=c):\n"
    return f"{SETUP}{row.setup}def before():\n    return None\n{head}{lines}\n"


def count(row: Small) -> int:
    """How many ops or nodes a call of `run()` stands for."""
    return row.nodes * REPEATED + 2 if row.nodes else REPEATED if not row.setup else 1


def with_gradcli(row: Small) -> dict[str, Any]:
    """The script's functions under gradcli."""
    import gradcli

    return gradcli.run(source(row), {})


def with_torch(row: Small) -> dict[str, Any]:
    """The script's functions under PyTorch."""
    import torch

    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    exec(compile(source(row), row.name, "exec"), found)
    return found


def _turn(functions: dict[str, Any]) -> float:
    """Seconds of a call of `run()`."""
    total, run, before = 0.0, functions["run"], functions["before"]
    for _ in range(CALLS):
        given = before()
        start = time.process_time()
        run(given)
        total += time.process_time() - start
    return total / CALLS


def measured(row: Small) -> tuple[float, float]:
    """Microseconds of one op or node: gradcli's, PyTorch's."""
    from gradcli.execute.evaluate import silence

    pair = with_gradcli(row), with_torch(row)
    with silence:  # which a script has around it
        turns = [[_turn(functions) for functions in pair] for _ in range(TURNS + WARM)][WARM:]
    own, peer = (median(each) * 1e6 / count(row) for each in zip(*turns, strict=True))
    return own, peer


def main() -> None:
    """Prints the rows whose names were asked for."""
    wanted = sys.argv[1:]
    print(f"{'microseconds of an op or a node':36} {'gradcli':>8} {'PyTorch':>8} {'ratio':>6}")
    for row in SMALL:
        if not wanted or any(part in row.name for part in wanted):
            own, peer = measured(row)
            print(f"{row.name:36} {own:8.1f} {peer:8.1f} {own / peer:6.2f}", flush=True)


if __name__ == "__main__":
    main()

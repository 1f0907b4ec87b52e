"""Loops print the same interpreted and replayed, and what should be replayed is."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcli
from gradcli.errors import GradcliError
from gradcli.lowering.switch import switch

HERE = Path(__file__).parent
SAMPLES = sorted((HERE.parent.parent / "samples").glob("*.py"))
LOOPS = {
    title: (kind == "planned", body)
    for title, kind, body in re.findall(
        r"^## ([^\n]*): (planned|interpreted)\n(.*?)(?=^## |\Z)",
        (HERE / "loops.txt").read_text(),
        re.DOTALL | re.MULTILINE,
    )
}


def printed(source: str, *, replayed: bool) -> tuple[str, int]:
    """What a script prints, and how many iterations were replayed."""
    before, switch.on = switch.on, replayed
    switch.done = 0
    stream = io.StringIO()
    try:
        gradcli.run(source, stdout=stream)
    except GradcliError as error:
        print(type(error).__name__, error, error.diagnostic.labels, file=stream)
    finally:
        switch.on = before
        gradcli.run("torch.set_grad_enabled(True)")
    return re.sub(r"0x[0-9a-f]+", "0x...", stream.getvalue()), switch.done


def assert_same(source: str) -> int:
    interpreted, none = printed(source, replayed=False)
    found, done = printed(source, replayed=True)
    assert found == interpreted
    assert none == 0
    return done


def test_all_loops_are_found() -> None:
    assert len(LOOPS) == (HERE / "loops.txt").read_text().count("## ")


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_prints_the_same_both_ways(name: str) -> None:
    planned, source = LOOPS[name]
    done = assert_same(f"import torch\n{source}")
    assert (done > 0) == planned


@pytest.mark.parametrize("script", SAMPLES, ids=lambda p: p.stem)
def test_a_sample_prints_the_same_both_ways(script: Path) -> None:
    assert_same(script.read_text())


PIECES = [
    "a = a * 0.5 + b",
    "b = torch.tanh(a - b)",
    "t = t + 1",
    "s = s * 0.9 + t",
    "s = 1 - s / 7",
    "b += a / (t + 1)",
    "a = a - b * 0.5**t",
    "a.mul_(0.99)",
    "a, b = b, a",
    "u = a.sum(); a = a / (1 + u * u)",
    "if t % 5 == 0: a = a + 1",
    "if 12 < i < 30 and not t > 25: b = b * 0.5",
    "if s > 3: continue",
    "b[0] = s",
    "b[1:] += a[1:]",
    "xs[0] = xs[1] + a",
    "xs[1] = xs[0] * 0.5",
    "d['k'] = d['k'] * 0.5 + a",
    "d['n'] = d['n'] + 1",
    "v = b.view(3); v += 0.1",
    "v = b.detach(); v *= 0.9",
    "a = torch.where(a > 1, a * 0.5, a)",
    "if a.sum().item() > 3: a = a / 2",
    "if b.mean() > 0.5: b = -b",
    "loss = ((w * a).sum() - t / 10)**2; loss.backward()",
    "with torch.no_grad(): w -= 0.01 * (w if w.grad is None else w.grad)",
    "w.grad = None",
    "if w.grad is not None: w.grad.zero_()",
    "g, = torch.autograd.grad((w**3 * b).sum(), w); b = b - 0.01 * g",
    "w = (w * 0.99).detach().requires_grad_()",
    "y = w * 2; a = a + y.detach() * 0.01",
    "for j in range(3): a = a + 0.01 * j",
    "old = a",
    "a = (a + old) / 2",
    "if i == 33: print(t, a, w._version)",
    "kept = xs if t > 20 else kept",
    "k = torch.tensor([1, 2, 3]) * 2; a = a + k / 100",
    "vals.append(t + i)",
    "vals.append(a.sum().item())",
    "more.append(vals)",
    "if len(vals) > 25: b = b * 0.9",
    "s = max(s, 0.5)",
    "s = abs(s - a.mean().item()) / 2",
    "t = -t if s > 2 else t + 1",
    "a = a * 0.9 + torch.randn(3) * 0.1",
    "r = torch.rand(2); s = s + r[0].item()",
    "q = torch.randint(0, 4, (2,)); b = b + rows[q].sum(0) * 0.1",
    "if torch.rand(1).item() < 0.3: a = a + 1",
    "b = b * 0.9 + rows[i % 4] * 0.1",
    "a = a * 0.5 + rows[t % 3 : t % 3 + 2].mean(0)",
    "a = a + rows[-1 - i % 4, 1:].sum() * rows[i % 4, t % 3]",
    "rows = rows * 0.99",
    "rows[i % 4] = a * 0.1",
    "rows[t % 3, -1 - i % 3] += 0.5",
    "v = rows[i % 4]; v *= 0.9; a = a + v",
    "rows[i % 3 : i % 3 + 2] = rows[i % 3] * 0.5",
    "a = a + (w[i % 3] * a).sum() * 0.01",
    "pair = (pair[0] + 1, a.sum().item())",
    "if s > 0.9: pair = (s, t)",
    "d['n'] += 1",
    "d['t'] = (t, d['t'][0] + s)",
    "u, v = pair; s = s * 0.5 + u",
    "kept = pair",
    "a = a + torch.tensor((s, 1.0, 2.0)) * 0.01",
    "rates[1] = rates[0] * 0.5 + t",
    "s = s * 0.5 + rates[i % 2]",
    "if i % 9 == 4: more.append(a)",
    "s = s * 0.5 + math.sin(i) + float(t) / 9 + int(s)",
    "if i % 2: a = a * 0.9",
    "if i % 3 == 1: w.data.mul_(0.99)",
    "if i % 4 == 2: b.add_(0.1)",
    "if i in (20, 33): b = b + 1",
    "if t % 4 == 2: vals.append(s)",
    "if s > 1.5: more.append(t)",
    "x = x.detach() * 0.5 + (w * a).sum()",
    "x = (x.detach().requires_grad_() * w).sum() / 9",
    "if i % 5 == 3: x = (w * w).sum()",
    "z = w * 3 if i % 7 == 5 else z",
    "c = step(a, 0.5); b = b - c * 0.1",
    "a = train(a, 3)",
    "with torch.no_grad(): w[0] += 0.01",
    "more.append((t, s, a.sum().item()))",
    "for row in rows: a = a * 0.9 + row * 0.1",
    "for row, u in zip(rows, rates): b = b * 0.9 + row * u",
    "a = a * 0.9 + row * 0.1",
    "row *= 0.5",
    "row = row + a * 0.1; rows[i % 4] = row",
    "table[i] = table[i - 1] * 0.5 + a * 0.1",
    "table[44 - i] += 0.1",
    "s = s * 0.5 + tick; tick = s",
    "if i % 9 == 5: more.append(row)",
    "ticks[0] = ticks[1] + 1",
    "if t in (9, 21) or i not in range(30): a = a * 0.5",
    "while a.abs().sum() > 4: a = a * 0.5",
    "for j in range(2 + i % 2): b = b * 0.9 + j",
]
"""Statements of random loops."""

FRAME = """import torch, math
a, b = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([1.0, 0.0, -0.5])
w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
xs, d, t, s, i, old, kept = [a, b], {"k": a * 0, "n": 0, "t": (0, 1.0)}, 0, 1.0, 0, b, None
pair, rates = (0, 1.0), [0.5, 0.25]
vals, more, x, z = [], [], torch.tensor(1.0), torch.tensor(2.0)
rows = torch.arange(12.0).reshape(4, 3) / 10
table, ticks = torch.linspace(-1, 1, 135).reshape(45, 3), [0.1 * k for k in range(45)]
row, tick = table[0], 0.5
torch.manual_seed(0)
def step(v, rate):
    return torch.tanh(v * rate) * w.detach()
def train(v, n):
    for k in range(n + 9):
        v = v * 0.9 + 0.01 * k
    return v
"""
SHOWN = (
    "print(t, s, i, a, b, w, w.grad, xs, d, old, a._version, b._version, w._version, "
    "w.is_leaf, kept is xs, kept is pair, pair, rates, vals, more, x, z, rows, "
    "torch.rand(1), table, row, tick)\n"
    "try: (x * 2).backward(); print(w.grad)\nexcept RuntimeError as e: print(str(e)[:70])\n"
    "try: print(loss, loss.grad_fn, u, v, y)\nexcept NameError as e: print(e)\n"
)


HEADS = [
    "for i in range(45):",
    "while i < 44:\n    i += 1",
    "for i, row in enumerate(table):",
    "for i, (row, tick) in enumerate(zip(table, ticks)):",
    "for row, tick, i in zip(table, ticks, range(45)):",
]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6), st.sampled_from(HEADS))
def test_random_loops_print_the_same_both_ways(body: list[str], head: str) -> None:
    lines = "\n".join(f"    {line}" for piece in body for line in split(piece))
    assert_same(f"{FRAME}{head}\n{lines}\n{SHOWN}")


FAILING = ["a = a.reshape(3 if i != 31 else 4)", "s = s + 1 / (31 - i)", "b = a[(i == 31) * 3] + b"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=5),
    st.sampled_from(FAILING),
    st.integers(0, 5),
    st.sampled_from([32, 45]),
)
def test_random_loops_that_fail_leave_the_same(
    body: list[str], failing: str, place: int, end: int
) -> None:
    body.insert(place, failing)
    lines = "\n".join(f"        {line}" for piece in body for line in split(piece))
    assert_same(
        f"{FRAME}try:\n    for i in range({end}):\n{lines}\n"
        f"except (RuntimeError, IndexError, ZeroDivisionError) as e: print(e)\n{SHOWN}"
    )


def split(piece: str) -> list[str]:
    return [piece] if re.match("if|for|with", piece) else piece.split("; ")

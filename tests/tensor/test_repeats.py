"""Calls and backward steps that are learned and done again give what they gave when first done."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcli
from gradcli.errors import GradcliError
from gradcli.functions import find
from gradcli.graph.recording import Recording

tensor = find("torch.tensor")
NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 0, 1, 2, 2.0, -1, True, math.inf, math.nan]),
    st.floats(-4, 4, width=32),
    st.integers(-3, 3),
)
OPERATIONS = {
    "add": lambda x, n: x + n,
    "right sub": lambda x, n: n - x,
    "mul": lambda x, n: x * n,
    "div": lambda x, n: n / x,
    "pow": lambda x, n: x**n,
    "clamp": lambda x, n: x.clamp(min=n),
    "alpha": lambda x, n: find("torch.add")(x, x, alpha=n),
    "lerp": lambda x, n: find("torch.lerp")(x, x * x, n),
    "dist": lambda x, n: find("torch.dist")(x, x * x, n),
    "compare": lambda x, n: x > n,
    "row": lambda x, n: x[int(n) if abs(n) < 2 else 0],
    "slice": lambda x, n: x[: int(n) if abs(n) < 3 else None],
    "sum": lambda x, n: x.sum(int(n) if abs(n) < 2 else None, keepdim=n == 1),
}


def outcome(operation: Any, x: Any, n: Any) -> Any:
    """Everything that can be seen of a result, or the error's text."""
    try:
        y = operation(x, n)
    except GradcliError as error:
        return str(error)
    seen = [y.array().tobytes(), tuple(y.shape), y.dtype, y.stride(), str(y)]
    if y.requires_grad:
        x.grad = None
        y.sum().backward()
        passed_on = None if x.grad is None else x.grad.array().tobytes()
        seen += [str(y.grad_fn), passed_on, str(x.grad)]
    return [" ".join(str(part).split(" object")[:1]) for part in seen]


def unlearned(operation: Any, x: Any, n: Any) -> Any:
    """The same where somebody looks at each node, so that nothing learned is used."""
    with Recording():
        return outcome(operation, x, n)


@settings(deadline=None)
@given(
    st.sampled_from(sorted(OPERATIONS)), st.lists(NUMBERS, min_size=1, max_size=4), st.booleans()
)
def test_what_was_learned_holds_for_other_numbers(name, numbers, wanted) -> None:
    x = tensor([[0.5, -1.5, 2.0], [0.0, 3.0, -0.25]], requires_grad=wanted)
    for n in numbers * 4:
        assert outcome(OPERATIONS[name], x, n) == unlearned(OPERATIONS[name], x, n)


@pytest.mark.parametrize("rows", [1, 3, 5000])
def test_other_shapes_dtypes_and_modes_are_other_calls(rows) -> None:
    for dtype in (np.float32, np.float64, np.int64):
        x = tensor(np.arange(rows * 4).reshape(rows, 4).astype(dtype) - 3)
        for _ in range(5):
            for operation in OPERATIONS.values():
                assert outcome(operation, x, 2) == unlearned(operation, x, 2)


SCRIPT = """
import torch
def again(do, *arguments):
    for _ in range(5):
        try:
            do(*arguments)
        except Exception as error:
            print(type(error).__name__, error)
{body}
"""


def printed(body: str, capsys: Any) -> str:
    gradcli.run(SCRIPT.format(body=body), {})
    return capsys.readouterr().out


def test_answers_about_values_are_asked_again(capsys) -> None:
    body = """
x = torch.arange(6.0).reshape(3, 2).requires_grad_()
def pick(i):
    loss = torch.nn.functional.cross_entropy(x, i)
    print(round(loss.item(), 4), x.gather(1, i[:, None]).sum().item())
again(pick, torch.tensor([0, 1, 1]))
again(pick, torch.tensor([0, 1, 2]))
again(pick, torch.tensor([1, 1, 1]))
"""
    *first, last = printed(body, capsys).splitlines()
    assert first[:5] == ["0.6466 8.0"] * 5
    assert all("Target 2 is out of bounds" in line for line in first[5:10])
    assert last == first[10] == "0.3133 9.0"


def test_the_default_dtype_and_the_grad_mode_count(capsys) -> None:
    body = """
x = torch.tensor([1, 2])
def half():
    y = x / 2
    print(y.dtype, torch.sqrt(x).dtype)
again(half)
torch.set_default_dtype(torch.float64)
again(half)
torch.set_default_dtype(torch.float32)
w = torch.ones(2, requires_grad=True)
def double():
    print((w * 2).requires_grad)
again(double)
with torch.no_grad():
    again(double)
again(double)
"""
    lines = printed(body, capsys).splitlines()
    assert lines[:10] == ["torch.float32 torch.float32"] * 5 + ["torch.float64 torch.float64"] * 5
    assert lines[10:] == ["True"] * 5 + ["False"] * 5 + ["True"] * 5


def test_several_results_are_learned(capsys) -> None:
    body = """
x = torch.tensor([[0.5, -1.5, 2.0], [0.0, 3.0, -0.25]], requires_grad=True)
s = torch.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
def several():
    x.grad = s.grad = None
    a, (b, c), d = x.max(dim=1), x.split(2, dim=1), torch.topk(x, 2)
    e, f, g = x.sort(descending=True), x.unbind(1), torch.linalg.eigh(s)
    found = a, b, c, d, e, f, g, torch.linalg.slogdet(s), x.median(dim=0)
    (a.values.sum() + (b * b).sum() + d[0].sum() + (e.values**2)[0].sum() + f[1].prod()
     + g.eigenvalues[0] * 2 + found[7].logabsdet + found[8].values.sum()).backward()
    print(str((found, x.grad, s.grad)).replace(chr(10), " "))
again(several)
with torch.no_grad():
    x += 1
def written():
    y = x * 2
    with torch.no_grad():
        z, w = y.split([1, 2], dim=1)
        z += 1
        y.unbind(0)[1].zero_()
    print(str((y, z, w, y._version)).replace(chr(10), " "))
again(written)
"""
    lines = printed(body, capsys).splitlines()
    assert len(lines) == 10
    assert len(set(lines[:5])) == 1
    assert len(set(lines[5:])) == 1
    assert "return_types.sort" in lines[0]
    assert lines[5].startswith("(tensor([[")


def test_views_share_memory_and_overwritten_values_are_refused(capsys) -> None:
    body = """
def shared():
    x = torch.zeros(2, 3)
    x[1].add_(2)
    x.T[0] += 1
    x.reshape(3, 2)[2] *= 3
    print(x.tolist())
again(shared)
def stale():
    w = torch.ones(2, requires_grad=True)
    y = w * 2
    z = (y * y).sum()
    y += 1
    z.backward()
again(stale)
def twice():
    w = torch.ones(2, requires_grad=True)
    z = (w * w).sum()
    z.backward()
    z.backward()
again(twice)
"""
    lines = printed(body, capsys).splitlines()
    assert lines[:5] == ["[[1.0, 0.0, 0.0], [3.0, 6.0, 6.0]]"] * 5
    assert sum("modified by an inplace operation" in line for line in lines) == 5
    assert sum("backward through the graph a second time" in line for line in lines) == 5


def test_random_numbers_are_drawn_anew_each_time(capsys) -> None:
    body = """
torch.manual_seed(0)
x = torch.ones(50)
draws = [torch.nn.functional.dropout(x).tolist() for _ in range(5)]
print(len([d for i, d in enumerate(draws) if d in draws[:i]]))
"""
    assert printed(body, capsys) == "0\n"


def test_an_error_of_a_value_keeps_its_place() -> None:
    x, y = tensor([4, 6]), tensor([2, 3])
    for _ in range(5):
        assert (x // y).tolist() == [2, 2]
    with pytest.raises(GradcliError, match="ZeroDivisionError") as raised:
        gradcli.run("c = a // b", {"a": x, "b": tensor([1, 0])})
    assert raised.value.diagnostic.labels[0].span.text == "a // b"

"""bfloat16, complex32 and the larger unsigned integers are PyTorch's, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from gradcli.functions import find  # noqa: E402

BITS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20)


def _floats(bits: list[int]) -> Any:
    return np.array(bits, np.uint32).view(np.float32)


@given(BITS)
@settings(max_examples=300)
def test_every_float32_rounds_to_the_bfloat16_that_pytorch_rounds_it_to(bits: list[int]) -> None:
    values = _floats(bits)
    ours = find("torch.tensor")(values).bfloat16()
    theirs = torch.from_numpy(values).bfloat16()
    np.testing.assert_array_equal(ours.array(), theirs.float().numpy())


@given(BITS, st.sampled_from(["exp", "sin", "sqrt", "tanh", "sigmoid", "reciprocal", "square"]))
@settings(max_examples=200)
def test_a_function_is_computed_in_float32_and_rounded_once(bits: list[int], name: str) -> None:
    numbers = np.nan_to_num(_floats(bits), posinf=1.0, neginf=-1.0)
    x = find("torch.tensor")(numbers).bfloat16()
    y = torch.from_numpy(numbers).bfloat16()
    ours, theirs = find(f"torch.{name}")(x).array(), getattr(torch, name)(y).float().numpy()
    # The last bit of a float32 may decide which way a number half-way between two is rounded.
    np.testing.assert_allclose(ours, theirs, rtol=2.0**-7, equal_nan=True)
    assert np.mean((ours == theirs) | (theirs != theirs)) > 0.8


START = "import torch\nimport torch.nn.functional as F\ntorch.manual_seed(0)\n"
PROGRAMS = {
    "arithmetic": """
x = torch.tensor([1.1, 2.2, 3.3], dtype=torch.bfloat16, requires_grad=True)
y = (x * 0.1).exp() + torch.sin(x) / 3
print(x, y, x.dtype, x.float(), x.double(), x.half(), x.tolist(), x[0].item(), f"{x[0]:.3f}")
y.sum().backward()
print(x.grad, (x * 2).sum().grad_fn is None, x + 1, x + torch.ones(3), x * torch.tensor(2.0))
""",
    "layers": """
a, b = torch.randn(4, 5).bfloat16(), torch.randn(5, 3).to(torch.bfloat16)
print(a @ b, a.softmax(1), a.var(), a.std(1), a.mean(), a.sum(0), a.T.contiguous().type())
print(F.gelu(a), F.layer_norm(a, (5,)), F.linear(a, b.T), F.mse_loss(a, a * 2))
""",
    "random": """
print(torch.rand(3, dtype=torch.bfloat16), torch.randn(20, dtype=torch.bfloat16))
print(torch.empty(4, dtype=torch.bfloat16).uniform_(0, 3), torch.rand(2, dtype=torch.bfloat16))
""",
    "creation": """
print(torch.full((2,), 0.1, dtype=torch.bfloat16), torch.linspace(0, 1, 7, dtype=torch.bfloat16))
print(torch.arange(0, 1, 0.1, dtype=torch.bfloat16), torch.eye(2, dtype=torch.bfloat16))
print(torch.finfo(torch.bfloat16), torch.tensor(0.1, dtype=torch.bfloat16).element_size())
""",
    "writes": """
w = torch.ones(3, dtype=torch.bfloat16)
w.add_(0.001); w += 0.01; print(w)
w[0] = 1.2345; print(w)
w.mul_(torch.tensor([1.1, 1.2, 1.3])); print(w)
""",
    "the default": """
torch.set_default_dtype(torch.bfloat16)
x = torch.ones(2) / 3
print(x, x.dtype, x.float())
torch.set_default_dtype(torch.float32)
""",
    "refusals": """
x = torch.ones(2, 2, dtype=torch.bfloat16)
for f in (torch.linalg.inv, torch.linalg.eigh, torch.fft.fft, lambda x: x.numpy()):
    try:
        f(x)
    except Exception as e:
        print(e)
""",
    "gradients through rounding": """
x = torch.tensor([0.3, -1.7], dtype=torch.bfloat16, requires_grad=True)
z = torch.tensor([0.3 + 1j], dtype=torch.complex32, requires_grad=True)
(g,) = torch.autograd.grad((x * x).sum(), x, create_graph=True)
print(g.detach(), torch.autograd.grad(g.float().sum(), x))
(z * 2).abs().sum().backward()
print(z.grad)
""",
    "pairs of dtypes": """
kinds = [torch.float16, torch.bfloat16, torch.float32, torch.complex32, torch.complex64, torch.int8]
kinds += [torch.uint16, torch.uint32, torch.uint64]
for a in kinds:
    for b in kinds:
        try:
            print(a, b, torch.promote_types(a, b))
        except RuntimeError as e:
            print(e)
""",
    "complex halves": """
x = torch.tensor([1 + 2.123j, 3j], dtype=torch.complex32)
print(x, x * 2, x + x, x.real, x.imag, x == x, x.chalf(), torch.tensor([1.1, 2.2]).half() * 2j)
""",
    "unsigned integers": """
for kind in (torch.uint16, torch.uint32, torch.uint64):
    x = torch.tensor([1, 2, 60000], dtype=kind)
    print(x, x * 2, x / 2, x == x, x.long(), x.float(), x.sum(), x[1:], x & x, torch.iinfo(kind))
    for f in (lambda: x + torch.ones(3, dtype=torch.int32),):
        try:
            f()
        except RuntimeError as e:
            print(e)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_print_what_they_print_with_pytorch(name: str, gradcli_output, python_output):
    program = (
        f"import torch\nimport torch.nn.functional as F\ntorch.manual_seed(0)\n{PROGRAMS[name]}"
    )
    assert gradcli_output(program) == python_output(program)

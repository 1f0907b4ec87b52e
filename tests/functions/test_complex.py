"""Complex numbers: views, grad_fn names, gradients, refusals; printed as PyTorch prints them."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from functional_oracle import compare_error, torch

import gradcli

assert torch is not None
START = "z = torch.tensor([1+2j, 3-1j, 0j], requires_grad=True)\nx = torch.tensor([1., -2., 0.])\n"
PROGRAMS = [
    "print(z.conj(), z.real, z.imag, torch.view_as_real(z), torch.angle(z), torch.isreal(z))",
    "print(x.conj() is x, x.real is x, torch.conj_physical(x) is x, torch.conj_physical(z))",
    "print(z.conj().is_conj(), z.conj()[:2].is_conj(), x.conj().is_conj(), z.resolve_conj() is z)",
    "print(z.conj().resolve_conj(), torch.complex(x, x + 1), torch.polar(x, x), torch.angle(x))",
    "m = torch.ones(2, 2, dtype=torch.complex64, requires_grad=True)\n"
    "print(m.mH, m.H, torch.adjoint(m), m.mT, x.real)",
    "r = (z * z.conj()).real.sum()\nprint(r)\nr.backward()\nprint(z.grad)",
    "z.angle().sum().backward()\nprint(z.grad)",
    "w = z * 1\nw.real.mul_(3)\nprint(w)\nw.abs().sum().backward()\nprint(z.grad)",
    "y = torch.zeros(3, dtype=torch.complex64)\ny.real.fill_(2)\ny.imag[1] = 5\nprint(y)",
    "a = torch.ones(2, 2)\ntorch.view_as_complex(a).mul_(1j)\nprint(a)",
    "b = z.detach().clone()\nb.conj().mul_(2j)\nprint(b, b.conj()[0].item())",
    "(z ** 2 * (1 + 2j)).abs().sum().backward()\nprint(z.grad)",
    "print(torch.complex(torch.tensor(float('inf')), torch.tensor(1.)))",
    "print(x * 2j, torch.tensor([1, 2]) * 1j, z.tolist(), z.sgn(), z.is_complex())",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_prints_what_pytorch_prints(program: str) -> None:
    text = f"import torch\n{START}{program}\n"
    mine, other = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(mine):
        gradcli.run(text)
    with contextlib.redirect_stdout(other):
        exec(text, {})
    assert mine.getvalue() == other.getvalue()


VALUES = {"x": np.array([1.0, 2.0]), "cz": np.array([1 + 1j, 2.0]), "ci": np.array([1, 2])}
ERRORS = [
    *("x.imag", "torch.view_as_real(x)", "torch.view_as_real(cz.conj())", "cz < cz"),
    *("torch.view_as_complex(x[:1])", "torch.view_as_complex(ci)", "torch.view_as_complex(x[0])"),
    *("torch.complex(x, x.float())", "torch.complex(ci, ci)", "torch.polar(x, x.float())"),
    *("(x * cz).sum().backward()", "torch.polar(ci, ci)"),
]


@pytest.mark.parametrize("expression", ERRORS)
def test_refusals(expression: str) -> None:
    compare_error(expression, VALUES)

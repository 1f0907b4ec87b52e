"""Every public name of PyTorch 2.13 is there, or says in one sentence why it is not."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from gradcli.functions import find  # noqa: E402
from gradcli.lowering.outside import REASONS, reason  # noqa: E402
from gradcli.tensor import Tensor  # noqa: E402
from gradcli.tensor.registry import method  # noqa: E402

MODULES = {
    "": torch,
    "nn.functional": torch.nn.functional,
    "linalg": torch.linalg,
    "fft": torch.fft,
    "special": torch.special,
    "autograd": torch.autograd,
    "autograd.functional": torch.autograd.functional,
    "autograd.graph": torch.autograd.graph,
    "autograd.forward_ad": torch.autograd.forward_ad,
    "func": torch.func,
}
NO_FUNCTIONS = ("BroadcastingList", "Optional", "GRID_", "newaxis")
"""What the modules hold for type checkers, or what is None."""
UNDOCUMENTED = (
    *("index", "multi_dim_common", "TYPE_CHECKING", "Tensor", "Variable", "has_torch_function"),
    *("is_tensor_like", "handle_torch_function", "RemovableHandle", "log"),
)
"""What is there by chance: imported for the module's own use, or of another library."""


def _is_public(name: str, value: Any) -> bool:
    hidden = name.startswith(("_", *NO_FUNCTIONS)) or name.endswith(("_notes", "_args"))
    home = getattr(value, "__module__", None) or "torch"
    borrowed = not home.startswith("torch") or home.startswith("torch.overrides")
    return not (hidden or borrowed or name in UNDOCUMENTED or isinstance(value, ModuleType))


NAMES = [
    ".".join(filter(None, (module, name)))
    for module, home in MODULES.items()
    for name in sorted(dir(home))
    if _is_public(name, getattr(home, name))
]


def test_every_name_is_there_or_has_its_reason() -> None:
    missing = [n for n in NAMES if find(f"torch.{n}") is None and not reason(n)]
    assert not missing


def test_every_method_is_there_or_has_its_reason() -> None:
    names = [n for n in dir(torch.Tensor) if _is_public(n, None)]
    missing = [n for n in names if method(n) is None and not hasattr(Tensor, n) and not reason(n)]
    assert not missing


def test_misspelt_names_are_not_taken_for_others() -> None:
    assert not [n for n in ("index_slect", "as_strided_scater") if reason(n)]


def test_every_reason_is_about_something() -> None:
    assert all(beginnings for beginnings in REASONS.values())


PROGRAMS = {
    "cells": """
torch.manual_seed(0)
x, h, c = torch.randn(2, 3), torch.randn(2, 4, requires_grad=True), torch.randn(2, 4)
for name, n in (("rnn_tanh_cell", 1), ("rnn_relu_cell", 1), ("gru_cell", 3), ("lstm_cell", 4)):
    w, u, (a, b) = torch.randn(n * 4, 3), torch.randn(n * 4, 4), torch.randn(2, n * 4)
    f = {"rnn_tanh_cell": torch.rnn_tanh_cell, "rnn_relu_cell": torch.rnn_relu_cell,
         "gru_cell": torch.gru_cell, "lstm_cell": torch.lstm_cell}[name]
    out = f(x, (h, c) if n == 4 else h, w, u, a, b)
    h.grad = None
    (out[0] if n == 4 else out).sum().backward()
    print(name, out, h.grad)
""",
    "written": """
x = torch.tensor([-1.0, 2.0, 0.3])
for f in (F.relu_, F.elu_, F.leaky_relu_, F.hardtanh_, torch.selu_, torch.celu_):
    y = x.clone()
    print(f(y), y)
print(F.threshold_(x.clone(), 0.5, 7.0), torch.ones(2, 3).renorm_(2, 0, 1.0))
print(x.apply_(lambda v: v * v), x.map_(torch.tensor([1.0, 2.0, 3.0]), lambda a, b: a + b), x)
print(torch.index_put_(torch.zeros(3), (torch.tensor([1]),), torch.tensor(2.0)))
try:
    x.requires_grad_().apply_(lambda v: v)
except RuntimeError as e:
    print(e)
""",
    "settings": """
from functools import reduce
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
torch.set_float32_matmul_precision("high")
print(torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
print(torch.get_float32_matmul_precision(), torch.typename(torch.ones(2)))
torch.use_deterministic_algorithms(False)
torch.set_float32_matmul_precision("highest")
torch.set_default_tensor_type("torch.DoubleTensor")
print(torch.ones(2) / 3, type(torch.ones(2)), type(torch.ones(2).shape))
torch.set_default_tensor_type("torch.FloatTensor")
print(reduce(lambda a, b: a @ b, [torch.eye(2) * i for i in range(1, 4)]))
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_print_what_they_print_with_pytorch(name, gradcli_output, python_output) -> None:
    program = f"import torch\nimport torch.nn.functional as F\n{PROGRAMS[name]}"
    assert gradcli_output(program) == python_output(program)

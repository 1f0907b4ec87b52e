"""The examples in PyTorch's docstrings print under gradcli what they print under PyTorch.

Constraints: byte for byte, but for those that docstring_lists.py names with a reason.
"""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import docstrings  # noqa: E402
from docstring_lists import OUTSIDE, ROUNDS, reason_outside  # noqa: E402

from gradcli.errors import GradcliError  # noqa: E402
from gradcli.lowering.values import get_attribute  # noqa: E402
from gradcli.tensor import Tensor  # noqa: E402

TEXTS = docstrings.documented()
ROUNDING = {name for names in ROUNDS.values() for name in names}


@pytest.mark.parametrize("name", [name for name in TEXTS if not reason_outside(name)])
def test_example_prints_what_pytorch_prints(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    example = docstrings.run_pytorch(name, TEXTS[name])
    if not example.statements:
        pytest.skip("nothing of it runs under PyTorch here")
    found = docstrings.run_gradcli(example.script)
    if name in ROUNDING:
        assert docstrings.near(found, example.printed), (found, example.printed)
    else:
        assert found == example.printed


def test_most_examples_are_compared() -> None:
    compared = [name for name in TEXTS if not reason_outside(name)]
    assert len(compared) > 480


def test_every_reason_leaves_something_out() -> None:
    assert {reason_outside(name) for name in TEXTS} == {*OUTSIDE, ""}
    assert {*TEXTS} >= ROUNDING


def test_every_attribute_of_tensors_is_one_of_pytorch() -> None:
    for name in dir(Tensor):
        if name[0] != "_" and not hasattr(torch.Tensor, name):
            with pytest.raises(GradcliError, match="has no attribute"):
                get_attribute(Tensor.__new__(Tensor), name)

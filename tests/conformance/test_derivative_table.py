"""What functions keep for their gradient, and what gradients show, against PyTorch's tables."""

from __future__ import annotations

import re
from pathlib import Path

import derivative_table
import pytest

SECOND = derivative_table.TABLE.with_name("second.txt")


def test_saved_tensors_are_those_of_pytorchs_derivatives() -> None:
    pytest.importorskip("torchgen")
    wanted = derivative_table.rows()
    lines = derivative_table.TABLE.read_text(encoding="utf-8").splitlines()
    assert lines == [wanted[line.split(" ", 1)[0]] for line in lines]


def test_formulas_of_gradients_speak_of_functions_that_pytorch_has() -> None:
    pytest.importorskip("torchgen")
    known = set(derivative_table.rows())
    text = Path(SECOND).read_text(encoding="utf-8")
    names = {f"{name[:-1]}Backward{name[-1]}" for name in re.findall(r"\b[A-Z]\w*\d\b", text)}
    assert names <= known


def test_a_function_keeps_what_its_row_says() -> None:
    pytest.importorskip("torch")
    from gradcli.tensor.fields import fields

    names = [field.name for field in fields("MulBackward0")]
    assert names == ["other", "self"]
    assert [field.wanted for field in fields("MulBackward0")] == [0, 1]
    assert fields("AddBackward0") == ()

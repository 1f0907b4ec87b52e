"""grad_fn names are PyTorch's: pinned in a file, so that they are checked without PyTorch too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from grad_fn_cases import EXPRESSIONS, PINNED, SHAPES, _ask_pytorch, outcome

from gradcli.functions import find
from gradcli.language.parser import parse_expression
from gradcli.lowering.interpret import Interpreter
from gradcli.source import Source

NAMES: dict[str, str] = json.loads(PINNED.read_text(encoding="utf-8"))


def _variables() -> dict[str, Any]:
    found: dict[str, Any] = {
        name: (find("torch.rand")(*shape) * 0.8 + 0.1).detach() for name, shape in SHAPES.items()
    }
    for tensor in found.values():
        tensor.requires_grad = True
    found["i"] = find("torch.tensor")([0, 1])
    found["m"] = find("torch.tensor")([[True, False, True], [False, True, False]])
    return found


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_name(text: str) -> None:
    value = Interpreter(_variables()).evaluate(parse_expression(Source("<expr>", text)))
    assert outcome(value) == NAMES[text]


def test_pinned_names_are_what_pytorch_says_today() -> None:
    pytest.importorskip("torch")
    assert _ask_pytorch() == NAMES

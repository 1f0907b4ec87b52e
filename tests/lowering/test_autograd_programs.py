"""Programs about autograd print what they print under Python with PyTorch, addresses aside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEXT = Path(__file__).with_name("autograd_programs.txt").read_text(encoding="utf-8")
PARTS = re.split(r"^=== (.*)$", TEXT, flags=re.MULTILINE)
PROGRAMS = dict(zip(PARTS[1::2], PARTS[2::2], strict=True))


def without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x", text)


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_prints_what_it_prints_with_pytorch(name, gradcli_output, python_output):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    program = PROGRAMS[name]
    printed = without_addresses(gradcli_output(program))
    assert printed == without_addresses(python_output(program))

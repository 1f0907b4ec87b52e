"""The samples on a backend: each prints what stands beside it.

Constraints: run in a process of its own, for one backend at a time.
"""

from __future__ import annotations

import io
import math
import os
import re
import sys
from pathlib import Path

import gradcli
from gradcli.execute import spent
from gradcli.source import Source
from gradcli.tensor.generator import default_generator

NUMBER = re.compile(r"(-?\d+\.\d+(?:e[+-]?\d+)?)")
MOMENTUM = """
import torch
a = torch.tensor([1.0, 2.0], requires_grad=True)
b = torch.tensor([3.0, 2.0], requires_grad=True)
m = [torch.zeros_like(a), torch.zeros_like(b)]
for i in range(4):
    gs = torch.autograd.grad((a*a).sum() + (b*b).sum(), [a, b])
    for g, mm in zip(gs, m):
        mm.mul_(0.9).add_(g)
    print(m)
"""
"""A buffer that was a constant the first time, computed with others of its form later."""
SAMPLES = Path(__file__).parent.parent.parent / "samples"


def compare(backend: str) -> None:
    os.chdir(SAMPLES)
    spent.LEAST = 1  # small values are written over as well, where a library can
    wrong = []
    for script in sorted(SAMPLES.glob("*.py")):
        out = io.StringIO()
        default_generator.manual_seed(0)
        gradcli.run(Source(script.name, script.read_text()), stdout=out, backend=backend)
        printed = re.sub(r"0x[0-9a-f]+", "0x...", out.getvalue())
        if not same(printed, script.with_suffix(".out").read_text()):
            wrong.append(script.name)
    texts = []
    for name in ("numpy", backend):
        out = io.StringIO()
        gradcli.run(MOMENTUM, stdout=out, backend=name)
        texts.append(out.getvalue())
    assert texts[0] == texts[1]
    assert not wrong, wrong


def same(printed: str, wanted: str) -> bool:
    """Whether two texts are equal; numbers of a float32 with all its digits up to 1e-5."""
    one, other = (NUMBER.split(text) for text in (printed, wanted))
    if one[::2] != other[::2]:
        return False
    pairs = zip(one[1::2], other[1::2], strict=True)
    return all(
        a == b or (len(a) > 9 and math.isclose(float(a), float(b), rel_tol=1e-5)) for a, b in pairs
    )


if __name__ == "__main__":
    if sys.argv[1] == "cupy":
        from backend_table import stand_in

        stand_in()
    compare(sys.argv[1])

"""The samples on a backend: each prints what stands beside it.

Constraints: run in a process of its own, for one backend at a time.
"""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path

import gradcli
from gradcli.source import Source
from gradcli.tensor.generator import default_generator

SAMPLES = Path(__file__).parent.parent.parent / "samples"


def compare(backend: str) -> None:
    os.chdir(SAMPLES)
    wrong = []
    for script in sorted(SAMPLES.glob("*.py")):
        out = io.StringIO()
        default_generator.manual_seed(0)
        gradcli.run(Source(script.name, script.read_text()), stdout=out, backend=backend)
        printed = re.sub(r"0x[0-9a-f]+", "0x...", out.getvalue())
        if printed != script.with_suffix(".out").read_text():
            wrong.append(script.name)
    assert not wrong, wrong


if __name__ == "__main__":
    compare(sys.argv[1])

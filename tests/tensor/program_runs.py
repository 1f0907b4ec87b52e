"""What a program prints under gradcli, and what it prints under PyTorch."""

from __future__ import annotations

import io
import re
import warnings
from contextlib import redirect_stdout
from pathlib import Path

REGRESSIONS = Path(__file__).with_name("program_regressions.txt")


def run_gradcli(source: str) -> str:
    """What a program prints under gradcli."""
    from gradcli import api
    from gradcli.errors import GradcliError

    _reset_gradcli()
    printed = io.StringIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            api.run(source, stdout=printed)
    except GradcliError as error:
        printed.write(f"stopped by {error.kind.__name__}: {error}\n")
    finally:
        _reset_gradcli()
    return masked(printed.getvalue())


def run_learned(source: str) -> str:
    """The same, where every call and backward step is learned when it is done first."""
    from gradcli.tensor.repeats import eager

    eager.on = True
    try:
        return run_gradcli(source)
    finally:
        eager.on = False


def run_plainly(source: str) -> str:
    """The same, where nothing learned is used and no loop is done by a plan."""
    from gradcli.graph.recording import Recording
    from gradcli.lowering.switch import switch

    switch.on = False
    try:
        with Recording():
            return run_gradcli(source)
    finally:
        switch.on = True


def _reset_gradcli() -> None:
    from gradcli.graph.dtype import default, float32
    from gradcli.graph.node import current

    default.dtype, current.tracking = float32, True


def run_pytorch(source: str) -> str:
    """What a program prints under PyTorch."""
    import torch

    printed = io.StringIO()
    with redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(source, "<program>", "exec"), {})
        except Exception as error:
            printed.write(f"stopped by {type(error).__name__}: {error}\n")
        finally:
            torch.set_default_dtype(torch.float32)
            torch.set_grad_enabled(True)
    return masked(printed.getvalue())


def masked(text: str) -> str:
    """Without what may differ: addresses, and which of two reasons to refuse a pass comes first."""
    text = re.sub(r"0x[0-9a-f]+", "0x...", text)
    reasons = "one of the variables needed for|Trying to backward through the graph a second"
    return re.sub(f"refused: (RuntimeError )?({reasons}).*", "refused: the pass", text)


def apart(found: str, wanted: str) -> str:
    """How two outputs differ: "" not at all, "digits" or "signs" of zero alone, else "text"."""
    if found == wanted:
        return ""
    sign = r"(?:(?<![\w.])-?|(?<=[\d.])[+-](?=[\d.e+-]+j))"  # a complex number has two
    numbers = re.compile(sign + r"(?:\d+\.?\d*(?:e[+-]\d+)?|inf|nan)")
    words = [re.sub(r"\s+", "", numbers.sub("#", text)) for text in (found, wanted)]
    pairs = list(zip(*(numbers.findall(text) for text in (found, wanted)), strict=False))
    if words[0] != words[1] or not all(_close(float(a), float(b)) for a, b in pairs):
        return "text"
    return "signs" if all(float(a) == float(b) or a == b for a, b in pairs) else "digits"


def _close(a: float, b: float) -> bool:
    return a == b or (a != a and b != b) or abs(a - b) <= 2e-4 * max(abs(a), abs(b)) + 1e-6


def regressions() -> dict[str, str]:
    """Programs that once differed, by name."""
    parts = re.split(r"^=== (.*)$", REGRESSIONS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))

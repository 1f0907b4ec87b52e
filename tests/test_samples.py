"""Scripts in samples/ print what stands beside them; those in samples/errors/ fail as they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent.parent / "samples"
GOOD = sorted(SAMPLES.glob("*.py"))
BAD = sorted((SAMPLES / "errors").glob("*.py"))


def masked(text: str) -> str:
    """Object addresses differ from run to run."""
    return re.sub(r"0x[0-9a-f]+", "0x...", text)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)


def test_there_are_samples() -> None:
    assert len(GOOD) >= 5
    assert len(BAD) >= 5


@pytest.mark.parametrize("script", GOOD, ids=lambda p: p.stem)
def test_sample_prints_what_stands_beside_it(script: Path) -> None:
    done = run([sys.executable, "-m", "gradcli", "run", script.name], SAMPLES)
    assert done.stderr == ""
    assert done.returncode == 0
    assert masked(done.stdout) == script.with_suffix(".out").read_text()


@pytest.mark.parametrize("script", GOOD, ids=lambda p: p.stem)
def test_sample_prints_the_same_under_pytorch(script: Path) -> None:
    pytest.importorskip("torch")
    done = run([sys.executable, script.name], SAMPLES)
    assert done.returncode == 0, done.stderr
    assert masked(done.stdout) == script.with_suffix(".out").read_text()


@pytest.mark.parametrize("script", BAD, ids=lambda p: p.stem)
def test_error_sample_fails_as_it_says(script: Path) -> None:
    done = run([sys.executable, "-m", "gradcli", "run", script.name], SAMPLES / "errors")
    assert masked(done.stderr) == script.with_suffix(".err").read_text()
    assert done.returncode == (1 if "error[G041]" in done.stderr else 2)

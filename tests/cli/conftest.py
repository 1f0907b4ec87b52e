"""A real gradcli process for every test of the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def gradcli(tmp_path: Path) -> Run:
    """Runs `gradcli ARGUMENTS` in an empty folder; `stdin` is text, or bytes."""

    def run(
        *arguments: str, stdin: str | bytes = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        content = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [sys.executable, "-m", "gradcli", *arguments],
            input=content,
            capture_output=True,
            cwd=tmp_path,
            env={**clean_environment(), "PYTHONPATH": str(ROOT), **environment},
            timeout=60,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return run


def in_its_own_process(statement: str) -> None:
    """Runs a Python statement there: JAX starts threads, which forks in this process would mind."""
    done = subprocess.run(
        [sys.executable, "-c", statement],
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def clean_environment() -> dict[str, str]:
    """The environment without what decides about colour or gradcli's settings."""
    colour = ("NO_COLOR", "FORCE_COLOR")
    return {k: v for k, v in os.environ.items() if k not in colour and not k.startswith("GRADCLI")}

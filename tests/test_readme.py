"""The README tells the truth: every command in a block marked `run` prints what stands under it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- run -->\n```console\n(.*?)```", README, re.DOTALL)


def session(block: str) -> list[tuple[str, str]]:
    """The commands of a block, each with the output that follows it."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def test_the_readme_has_a_tour() -> None:
    assert len(BLOCKS) >= 8


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.partition("\n")[0][2:40])
def test_block_prints_what_it_shows(block: str, tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "gradcli"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m gradcli "$@"\n')
    tool.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tool.parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    root = str(Path(__file__).parent.parent)
    environment["PYTHONPATH"] = root
    for command, expected in session(block):
        if command.startswith("cat ") and command.count(" ") == 1:
            (tmp_path / command.split()[1]).write_text(expected)
            continue
        done = subprocess.run(
            ["sh", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
        )
        assert done.stdout == expected, command

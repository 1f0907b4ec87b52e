"""The examples of every `--help` run as they stand, on files of the names that they mention."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gradcli.cli.commands import COMMANDS
from gradcli.cli.main import EXAMPLES
from tests.cli.conftest import ROOT, clean_environment

ELSEWHERE = (
    "s3://",
    "tcp://",
    "jax",
    "--device",
    "--bench",
    "./train.py",
    "| dot ",
    "gradcli bench",
)
"""What an example is recognised by that needs another machine, a library, or seconds."""
COMMAND = re.compile(r"  ((?:printf .*?)?gradcli .*?)(?:  .*)?")
CHECKS = """
[[check]]
name = "least squares"
expression = "sum((X@w - y)**2)"
shapes = { X = "m,n", w = "n", y = "m" }
expect = { w = "2*X.T@(X@w - y)" }
"""


def examples() -> list[str]:
    """The lines below `Examples:`, without what is said about them behind two spaces."""
    found = []
    told = [(c.help or "").partition("Examples:\n")[2].partition("\n\n")[0] for c in COMMANDS]
    for text in (EXAMPLES, *told):
        lines = [COMMAND.fullmatch(line) for line in text.splitlines()]
        found += [line[1] for line in lines if line and not any(w in line[1] for w in ELSEWHERE)]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of all examples."""
    here = tmp_path_factory.mktemp("help")
    (here / "parts").mkdir()
    draw = np.random.default_rng(0).standard_normal
    for name, shape in (
        ("X", (5, 3)),
        ("data", (5, 2)),
        ("big", (6, 3)),
        ("parts/1", (4, 25)),
        ("parts/2", (5, 25)),
    ):
        np.save(here / f"{name}.npy", draw(shape, np.float32))
    np.save(here / "y.npy", np.ones(9, np.float32))
    texts = {
        "y.csv": "1\n2\n3\n4\n5\n",
        "t.csv": "a,b,c\n1,2,3\n4,5,7\n",
        "x.json": "[1, 2, 3]",
        "records.jsonl": '{"x": [1, 2]}\n{"x": [3, 4]}\n',
        "derivative.txt": "2*x*sin(x) + x**2*cos(x)\n",
        "train.py": "import torch\nprint(torch.ones(2))\n",
        "snippet.py": "print(1)\n",
        "session.txt": "x = tensor(3., requires_grad=True)\nx**2\n",
        "checks.toml": CHECKS,
        "gradcli": f'#!/bin/sh\nexec {sys.executable} -m gradcli "$@"\n',
    }
    for name, text in texts.items():
        (here / name).write_text(text)
    (here / "gradcli").chmod(0o755)
    return here


def test_every_command_has_examples() -> None:
    told = {example.partition("gradcli ")[2].split()[0] for example in examples()}
    assert told == {command.name for command in COMMANDS} - {"bench"}


@pytest.mark.parametrize("example", examples())
def test_an_example_runs(folder: Path, example: str) -> None:
    environment = clean_environment()
    done = subprocess.run(
        ["sh", "-c", example],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT), "PATH": f"{folder}:{environment['PATH']}"},
        input="",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "error[" not in done.stderr

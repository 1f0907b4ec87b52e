"""The benchmarks are data that can be run: every source parses, names known variables and peers."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="the benchmarks are in the source tree only")

from benchmarks import eager
from benchmarks.cases import CASES
from benchmarks.runners import PEERS, RUNNERS, peers_of
from gradcli.language.parser import parse_expression, parse_script
from gradcli.source import Source


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_case_is_well_formed(case) -> None:
    parse = parse_script if case.kind in ("script", "plan") else parse_expression
    parse(Source("<case>", case.sources["gradcli"]))
    assert set(case.sources) <= {"gradcli", *PEERS}
    assert (case.kind, "gradcli") in RUNNERS
    for target in case.targets:
        assert set(target.peers) <= set(peers_of(case))
        assert target.moonshot <= target.limit


def test_the_command_lists_its_cases() -> None:
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "benchmarks", "--list"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.splitlines() == [case.name for case in CASES]


@pytest.mark.parametrize("case", [c for c in CASES if c.kind == "script"], ids=lambda c: c.name)
def test_the_first_steps_of_a_script_are_those_of_pytorch(case) -> None:
    pytest.importorskip("torch")
    short = {k: re.sub(r"range\((1, )?\d+\)", "range(1, 41)", s) for k, s in case.sources.items()}
    case = replace(case, sources=short)
    data = case.data(np.random.default_rng(0))
    found, expected = (RUNNERS["script", peer](case, data)() for peer in ("gradcli", "torch"))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, np.asarray(b), atol=1e-6)


@pytest.mark.parametrize("row", eager.SMALL, ids=lambda row: row.name)
def test_a_row_of_small_ops_gives_what_pytorch_gives(row) -> None:
    pytest.importorskip("torch")
    ours, theirs = eager.with_gradcli(row), eager.with_torch(row)
    for functions in (ours, theirs):
        for _ in range(5):
            functions["run"](functions["before"]())
    for name in ("x", "v", "w", "p", "c"):
        for of in (lambda t: t, lambda t: t.grad):
            a, b = of(ours[name]), of(theirs[name])
            assert (a is None) == (b is None)
            if a is not None:
                np.testing.assert_allclose(a.tolist(), b.tolist(), rtol=1e-3, atol=1e-5)


def test_the_table_of_a_device_is_made_and_replaced(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    root, results = Path(__file__).parent.parent, tmp_path / "results.md"
    results.write_text("# Results\n\n## Others\n\nkept\n", encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.device", "--device", "cpu", "--turns", "1"]
    command += ["--elements", "3000", "--libraries", "torch", "--write", str(results)]
    for _ in range(2):
        subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
    text = results.read_text(encoding="utf-8")
    assert text.startswith("# Results\n\n## Others\n\nkept\n\n## On a device: cpu\n")
    rows = [line.split(" | ") for line in text.splitlines() if " | torch | " in line]
    assert [len(row) for row in rows] == [6] * 4
    assert all(float(cell.split(":")[0].strip("| ")) > 0 for row in rows for cell in row[2:])


def test_the_table_of_a_device_says_that_there_is_none() -> None:
    root = Path(__file__).parent.parent
    command = [sys.executable, "-m", "benchmarks.device", "--device", "cuda:99"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "no library here finds cuda:99; --device cpu --elements 10000 tries it\n"
    )

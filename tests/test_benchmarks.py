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

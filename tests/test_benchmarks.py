"""The benchmarks are data that can be run: every source parses, names known variables and peers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="the benchmarks are in the source tree only")

from benchmarks.cases import CASES
from benchmarks.runners import PEERS, RUNNERS, peers_of
from gradcli.language.parser import parse_expression, parse_script
from gradcli.source import Source


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_case_is_well_formed(case) -> None:
    parse = parse_script if case.kind == "script" else parse_expression
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

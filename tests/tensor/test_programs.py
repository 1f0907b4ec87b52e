"""Programs of views, writes and backward passes print what they print in PyTorch."""

from __future__ import annotations

import random

import program_generator as programs
import program_runs as runs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

REGRESSIONS = runs.regressions()
KNOWN = {13: "last digits of gradients that cancel"}
"""Seeds whose programs print something else, and what."""


@pytest.mark.parametrize("name", REGRESSIONS)
def test_what_once_differed_prints_what_pytorch_prints(name: str) -> None:
    pytest.importorskip("torch")
    source = REGRESSIONS[name]
    assert runs.run_gradcli(source) == runs.run_pytorch(source)
    assert "stopped by" not in runs.run_pytorch(source)


@pytest.mark.parametrize("seed", range(60))
def test_program_prints_what_pytorch_prints(seed: int) -> None:
    pytest.importorskip("torch")
    source = programs.program(seed)
    assert runs.run_gradcli(source) == runs.run_pytorch(source)


@pytest.mark.parametrize("seed", [seed for seed in range(42) if seed not in KNOWN])
def test_program_of_rarer_statements_prints_what_pytorch_prints(seed: int) -> None:
    pytest.importorskip("torch")
    source = programs.program(seed, 4, list(programs.FAMILIES))
    assert runs.apart(runs.run_gradcli(source), runs.run_pytorch(source)) != "text"


@pytest.mark.parametrize("seed", range(100, 120))
def test_what_was_learned_prints_what_is_done_anew(seed: int) -> None:
    source = programs.program(seed, 4, list(programs.FAMILIES))
    assert runs.run_learned(source) == runs.run_plainly(source)


@given(st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=8, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_program_that_fails_is_shrunk(choose: random.Random, statements: int) -> None:
    pytest.importorskip("torch")
    source = programs.Programs(choose, statements).text()
    assert runs.run_gradcli(source) == runs.run_pytorch(source)


def test_a_program_is_the_same_for_the_same_seed() -> None:
    assert programs.program(7) == programs.program(7)
    assert programs.program(7) != programs.program(8)

"""Every op of PyTorch's op_db but those listed as outside: values, first and second derivatives.

Constraints: evenly spread samples of each op, so that all ops take about a minute in a dtype;
`scoreboard.py` runs all samples.
"""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

from op_db_lists import OUTSIDE, ROUGH, reason_outside  # noqa: E402
from op_db_run import Score, full_name, op_db, operations, run  # noqa: E402
from op_db_text import written  # noqa: E402

OPERATIONS = {name: op for name, op in operations().items() if op.dtypes}
SAMPLES = {"float64": 10, "float32": 4, "complex128": 3, "bfloat16": 2}
"""At most so many samples of an op."""
WRITTEN = 2
TWICE = 2


@pytest.mark.parametrize("dtype", SAMPLES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_samples_agree(name: str, dtype: str) -> None:
    op = OPERATIONS[name]
    if getattr(torch, dtype) not in op.dtypes:
        pytest.skip(f"PyTorch's {name} does not take {dtype}")
    if dtype == "bfloat16" and any(name in names for names in ROUGH.values()):
        pytest.skip("compared in wider types alone")
    _passes(run(op, getattr(torch, dtype), most=SAMPLES[dtype]))


def _smooth(op: Any) -> Any:
    """The dtype in which second derivatives are compared; None where there are none."""
    return next((d for d in (torch.float64, torch.complex128) if d in op.dtypes), None)


@pytest.mark.parametrize(
    "name", [n for n, op in OPERATIONS.items() if op.supports_gradgrad and _smooth(op)]
)
def test_second_derivatives_agree(name: str) -> None:
    op = OPERATIONS[name]
    _passes(run(op, _smooth(op), most=TWICE, twice=True))


@pytest.mark.parametrize("name", OPERATIONS)
def test_samples_agree_when_written_as_expressions(name: str) -> None:
    op = OPERATIONS[name]
    dtype = torch.float64 if torch.float64 in op.dtypes else min(op.dtypes, key=str)
    _passes(run(op, dtype, written(op), most=WRITTEN))


def _passes(score: Score) -> None:
    problems = [f"{count} x {sentence}" for sentence, count in score.failures.most_common(5)]
    assert not problems, "\n".join(problems)
    assert score.forward[1] > 0, f"every sample was skipped: {dict(score.outside)}"


def test_every_reason_leaves_something_out() -> None:
    titles = [full_name(op) for op in op_db]
    found = {reason_outside(title) for title in titles}
    assert set(OUTSIDE) <= found

"""The ops that the product promises agree with PyTorch on every op_db sample, gradients too."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

from op_db_lists import must_pass  # noqa: E402
from op_db_run import Score, operations, run  # noqa: E402
from op_db_text import written  # noqa: E402

OPERATIONS = {n: op for n, op in operations().items() if op.name in set(must_pass()) and op.dtypes}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_all_samples_agree(name: str, dtype: str) -> None:
    op = OPERATIONS[name]
    if getattr(torch, dtype) not in op.dtypes:
        pytest.skip(f"PyTorch's {name} does not take {dtype}")
    _passes(run(op, getattr(torch, dtype)))


@pytest.mark.parametrize("name", OPERATIONS)
def test_all_samples_agree_when_written_as_expressions(name: str) -> None:
    op = OPERATIONS[name]
    dtype = torch.float64 if torch.float64 in op.dtypes else min(op.dtypes, key=str)
    _passes(run(op, dtype, written(op)))


def _passes(score: Score) -> None:
    problems = [f"{count} x {sentence}" for sentence, count in score.failures.most_common(5)]
    assert not problems, "\n".join(problems)
    assert score.forward[1] > 0, f"every sample was skipped: {dict(score.outside)}"


def test_every_promised_name_is_in_op_db() -> None:
    known: set[Any] = {op.name for op in OPERATIONS.values()}
    assert [name for name in must_pass() if name not in known] == []

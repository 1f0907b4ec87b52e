"""Every wrong input of PyTorch's op_db is refused: the same class, the same first line."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

from op_db_errors import compare, wrong_inputs  # noqa: E402
from op_db_run import function_of, operations  # noqa: E402
from op_db_values import Outside  # noqa: E402

OPERATIONS = {
    name: op
    for name, op in operations().items()
    # Methods with underscores are no part of the language.
    if op.error_inputs_func and function_of(op) is not None and not name.startswith("__r")
}
OTHER_WORDS = {
    "nn.functional.max_pool1d": "says how large the result would be, as pooling in two dims does",
}
"""Ops whose sentences are not all PyTorch's."""


@pytest.mark.parametrize("name", OPERATIONS)
def test_wrong_inputs_are_refused(name: str) -> None:
    problems = []
    for sample in wrong_inputs(OPERATIONS[name]):
        try:
            problem = compare(OPERATIONS[name], sample)
        except Outside:
            continue
        if problem and not (name in OTHER_WORDS and problem.startswith("text: ")):
            problems.append(problem)
    assert not problems, "\n".join(problems)

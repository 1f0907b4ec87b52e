"""Sweeps over rows in files: the same bits as in memory, whatever the chunks and the threads."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcli
from gradcli.execute import rows
from gradcli.execute.plan import find_rows
from gradcli.execute.threads import THREADS
from gradcli.execute.tiles import Sweep
from gradcli.execute.whole import chunks
from gradcli.files.stored import Plain, Stored
from gradcli.files.views import Joined, Part
from gradcli.functions.create import from_array, made
from gradcli.graph.node import data
from gradcli.graph.walk import ancestors
from gradcli.tensor import Tensor
from tests.execute.conftest import ROWS, WIDTH

pytestmark = pytest.mark.usefixtures("as_before")
EXPRESSIONS = {
    "logistic": "mean(log1p(exp(-y*(X@w))))",
    "normalised": "sum(((X - X.mean(0))/X.std(0))@w * y)",
    "gram": "sum((X.T@X)@w)",
    "softmax over rows": "sum(softmax(X@w, 0)*y)",
    "extrema": "amax(X@w) - amin(X*y[:, None])",
    "a slice of many rows": "mean((X[:240_000]@w)**2)",
    "columns of the rows": "mean((X[:, 1] - X[:200_000, ::3].sum(-1).mean()) * y) * w[0]",
    "a few rows": "sum(X[5]*w) + sum((X*2)[-4:]@w) + sum((X*2)[1:9:3]@w)",
    "in one piece": "sum(sort(X@w)[0][:100])",
}


@pytest.fixture(scope="module")
def stored(arrays: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("rows")
    table = arrays["X"]
    parts = []
    for number, (a, b) in enumerate([(0, 100_000), (100_000, 100_001), (100_001, ROWS)]):
        path = folder / f"X{number}.bin"
        table[a:b].tofile(path)
        parts.append(Plain(path, path.name, (b - a, WIDTH), table.dtype, 0, False))
    return {**arrays, "X": tensor(Joined("X", parts))}


def tensor(value: Stored) -> Tensor:
    return made(data(value, value.shape, from_array(np.empty(0, value.dtype)).dtype))


def bits(expression: str, values: dict[str, Any]) -> list[bytes]:
    result = gradcli.evaluate(expression, values, wrt=["w"])
    return [result.value.tobytes(), result.grads["w"].tobytes()]


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_file_gives_the_bits_of_memory(
    name: str, arrays: dict[str, Any], stored: dict[str, Any]
) -> None:
    chunks.rows = 60_000
    assert bits(EXPRESSIONS[name], stored) == bits(EXPRESSIONS[name], arrays)


@given(chunk=st.integers(1, ROWS + 5), threads=st.integers(1, 3))
@settings(max_examples=12, deadline=None)
def test_chunks_and_threads_do_not_show(
    chunk: int, threads: int, arrays: dict[str, Any], stored: dict[str, Any]
) -> None:
    chunks.rows = chunk
    THREADS[0] = threads
    text = EXPRESSIONS["normalised"]
    assert bits(text, stored) == bits(text, arrays)


@given(data=st.data())
@settings(max_examples=8, deadline=None)
def test_pickled_parts_in_any_order_give_the_same_bits(
    data: st.DataObject, arrays: dict[str, Any], stored: dict[str, Any]
) -> None:
    def elsewhere(sweep: Sweep, known: dict[Any, Any], sinks: rows.Sinks) -> None:
        packed = pickle.dumps(rows.Task(sweep, known))
        assert len(packed) < 100_000 + arrays["y"].nbytes
        task = pickle.loads(packed)
        borders = task.borders(data.draw(st.integers(20_000, 100_000)))
        parts = [
            pickle.loads(pickle.dumps(pickle.loads(packed).partial(a, b)))
            for a, b in data.draw(st.permutations(borders))
        ]
        total = parts[0]
        for part in parts[1:]:
            total.merge(part)
        found = task.combined(total).values()
        known.update(zip(sweep.crosses, found, strict=True))

    text = EXPRESSIONS["logistic"]
    rows.settings.runner = elsewhere
    assert bits(text, stored) == bits(text, arrays)


def test_a_part_reads_along_either_axis(tmp_path: Path) -> None:
    array = np.arange(60.0).reshape(10, 6)
    array.T.copy().tofile(tmp_path / "f")
    plain = Plain(tmp_path / "f", "f", (10, 6), array.dtype, 0, True)
    found = Part(plain, [(2, 7, 1), (0, 6, 1)])
    assert (found.read(0, 1, 3) == array[3:5]).all()
    assert (found.read(-1, 1, 3) == array[2:9, 1:3]).all()
    found = Part(plain, [(1, 3, 3), (1, 2, 2)])
    assert (found.read(0, 1, 3) == array[4:8:3, 1:5:2]).all()
    assert (found.read(-1, 1, 2) == array[1:10:3, 3:4]).all()
    assert (np.asarray(found) == array[1:10:3, 1:5:2]).all()


@pytest.mark.parametrize(
    ("text", "shape", "axis"),
    [
        ("tanh(X)*X", (400, 2000), -2),
        ("(X - X.mean(0))/X.std(0)", (30_000, 18), -2),
        ("X - X.mean(0)", (18, 30_000), -1),
    ],
)
def test_rows_are_what_lies_together(text: str, shape: tuple[int, ...], axis: int) -> None:
    output = gradcli.evaluate(text, {"X": np.ones(shape, np.float32)}, gradients=False).output
    found = find_rows(ancestors([output.node], lambda node: node.value is None))
    assert found is not None
    assert found.axis[output.node] == axis

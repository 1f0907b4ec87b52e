"""What a process of a cluster does, done here: the bits of memory, however rows are dealt out."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcli
from gradcli.errors import GradcliError, Label
from gradcli.execute import rows
from gradcli.execute.cluster import _divided
from gradcli.execute.laid import Laid
from gradcli.execute.rows import Known, Partial
from gradcli.execute.threads import THREADS
from gradcli.execute.tiles import Sweep
from gradcli.execute.worker import Share, identity, keeper, ordered, work
from gradcli.files import read
from gradcli.files.stored import Plain, Stored
from gradcli.files.views import Joined
from gradcli.source import Source, Span
from tests.execute.conftest import ROWS, WIDTH
from tests.execute.test_rows import EXPRESSIONS, bits, tensor

pytest.importorskip("distributed")
pytestmark = pytest.mark.usefixtures("as_before")


@pytest.fixture(scope="module")
def stored(arrays: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {**arrays, "X": tensor(in_files(arrays["X"], tmp_path_factory.mktemp("worker")))}


def in_files(table: Any, folder: Path) -> Joined:
    parts = []
    for number, (a, b) in enumerate([(0, 99_999), (99_999, ROWS)]):
        path = folder / f"X{number}.bin"
        table[a:b].tofile(path)
        parts.append(Plain(path, path.name, (b - a, WIDTH), table.dtype, 0, False))
    return Joined("X", parts)


class Dealt:
    """A runner that deals chunks out as a cluster does, everything pickled on its way."""

    def __init__(self, order: Any, height: int, size: int) -> None:
        self.order = order
        self.height = height
        self.size = size
        self.nan: list[str] = []

    def __call__(self, sweep: Sweep, known: Known, sinks: rows.Sinks) -> None:
        task, local = _divided(sweep, known)
        content = pickle.dumps(task)
        borders = task.borders(self.height)
        size = 1 if task.kept else self.size
        shares = [borders[i : i + size] for i in range(0, len(borders), size)]
        self.order.shuffle(shares)
        total: Partial | None = None
        kept: list[Any] = []
        for chunks in shares:
            first, last = chunks[0][0], chunks[-1][1]
            place = {node: i for i, node in enumerate(ordered(task))}
            sent = {
                place[x]: Laid(rows.rows_of(np.asarray(v), sweep.rows.axis[x], first, last))
                for x, v in local.items()
            }
            share = pickle.loads(pickle.dumps(Share(chunks, sent, "here")))
            done = pickle.loads(pickle.dumps(work(pickle.loads(content), share)))
            self.nan += [done.nan] if done.nan else []
            kept += zip(chunks, done.rows, strict=False)
            if total is None:
                total = Partial(done.sums, [])
            else:
                total.merge(Partial(done.sums, []))
        assert total is not None
        known.update(task.combined(total))
        for i, node in enumerate(task.kept):
            parts = [part[i] for _, part in sorted(kept, key=lambda pair: pair[0])]
            known[node] = np.concatenate(parts, sweep.rows.axis[node])
        THREADS[0] = 0


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(sorted(EXPRESSIONS)),
    order=st.randoms(use_true_random=False),
    height=st.integers(1, ROWS + 5),
    size=st.integers(1, 9),
)
def test_any_dealing_gives_the_bits_of_memory(
    arrays: dict[str, Any],
    stored: dict[str, Any],
    name: str,
    order: Any,
    height: int,
    size: int,
) -> None:
    wanted = bits(EXPRESSIONS[name], arrays)
    rows.settings.runner = Dealt(order, max(height, 2000), size)
    assert bits(EXPRESSIONS[name], stored) == wanted


def test_rows_are_read_once_while_a_run_lasts(stored: dict[str, Any], arrays: dict[str, Any]):
    """What is on disk goes, what was kept does not: the third sweep reads nothing."""
    import random

    first = bits(EXPRESSIONS["logistic"], arrays)
    rows.settings.runner = Dealt(random.Random(0), 60_000, 2)
    keeper.begin("")
    for _ in range(2):
        assert bits(EXPRESSIONS["logistic"], stored) == first
    for part in stored["X"].value_node.value.parts:
        part.path.rename(part.path.with_suffix(".away"))
    try:
        assert bits(EXPRESSIONS["logistic"], stored) == first
        keeper.begin("")
        with pytest.raises(GradcliError, match="no such file"):
            bits(EXPRESSIONS["logistic"], stored)
    finally:
        for part in stored["X"].value_node.value.parts:
            part.path.with_suffix(".away").rename(part.path)


def test_nan_is_named_with_its_rows_and_its_file(arrays: dict[str, Any], tmp_path: Path):
    import random

    table = arrays["X"].copy()
    table[200_001, 3] = np.nan
    runner = Dealt(random.Random(0), 60_000, 9)
    rows.settings.runner = runner
    result = gradcli.evaluate(
        "mean(X@w)", {"X": tensor(in_files(table, tmp_path)), "w": arrays["w"]}, wrt=["w"]
    )
    assert np.isnan(result.value)
    (said,) = runner.nan
    assert said.endswith("; row 100002 of X1.bin is not finite")
    first, last = map(int, said.split("first in rows ")[1].split(";")[0].split(" to "))
    assert first <= 200_001 <= last < first + 60_000 + runner.height  # of whole tiles


def test_an_error_of_another_process_is_the_same_one_here():
    span = Span(Source("train.py", "x + y", 3), 0, 5)
    error = GradcliError("G051", "fact", span, "label", help="way out", kind=ValueError)
    error.diagnostic.labels.append(Label(span, "more"))
    made = pickle.loads(pickle.dumps(error))
    assert (str(made), made.kind, made.label) == ("fact", ValueError, "label")
    assert [label.text for label in made.diagnostic.labels] == ["label", "more"]
    assert made.diagnostic.labels[0].span == span
    assert made.diagnostic.help == ["way out"]


def test_an_array_lies_as_it_did():
    x = np.arange(24.0).reshape(2, 3, 4)
    for array in (
        *(x, x.T, x[::-1], x[:, ::2, ::-1], x[:0], np.array(3.0), x.transpose(1, 2, 0)),
        *(np.broadcast_to(x[0], (5, 3, 4)), np.broadcast_to(np.float32(2), (4,))),
    ):
        content = pickle.dumps(Laid(array))
        made = pickle.loads(content).array()
        assert np.array_equal(made, array)
        assert made.strides == array.strides
    assert len(pickle.dumps(Laid(np.broadcast_to(np.float32(2), (10**6,))))) < 1000


def test_what_is_stored_is_known_by_what_it_is(tmp_path: Path):
    a, b = in_files(np.zeros((ROWS, WIDTH)), tmp_path), in_files(np.ones((ROWS, WIDTH)), tmp_path)
    assert identity(a) == identity(pickle.loads(pickle.dumps(b)))
    assert identity(a) != identity(a.parts[0])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_is_known_again_after_it_was_read(suffix: str, tmp_path: Path):
    path = tmp_path / f"t.{suffix}"
    if suffix == "csv":
        path.write_text("".join(f"{i};{i % 5},5\n" for i in range(40_000)))
    else:
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.table({"a": np.arange(4e4), "b": np.arange(4e4)}), path)
    a = read(str(path), keep=0)
    b = pickle.loads(pickle.dumps(a))
    b.read(0, 100, 20_000)
    assert isinstance(a, Stored)
    assert identity(a) == identity(b)
    assert identity(a) != identity(read(f"{path}:0", keep=0) if suffix == "csv" else 0)

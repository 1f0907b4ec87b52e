"""Files and memory maps larger than the limit, from Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcli
from gradcli.execute.limits import memory
from gradcli.files.stored import Stored

ROWS, WIDTH = 270_000, 16
LOSS = "mean(log1p(exp(-y*(X@w))))"


@pytest.fixture
def small_memory() -> Iterator[None]:
    before = memory.limit
    memory.set(24_000_000)
    yield
    memory.set(before)


@pytest.fixture(scope="module")
def table() -> Any:
    return np.random.default_rng(2).standard_normal((ROWS, WIDTH), np.float32)


def bits(result: Any) -> list[bytes]:
    return [result.value.tobytes(), result.grads["w"].tobytes()]


def stays(value: Any) -> bool:
    return isinstance(gradcli.evaluate("X", {"X": value}).output.value_node.value, Stored)


def test_paths_and_maps_are_read_by_rows(tmp_path: Path, table: Any, small_memory: None) -> None:
    np.save(tmp_path / "X.npy", table)
    np.save(tmp_path / "F.npy", np.asfortranarray(table))
    np.savez(tmp_path / "d.npz", X=table, y=np.sign(table[:, 0]))
    rest = {"y": np.sign(table[:, 0]), "w": np.full(WIDTH, 0.1, np.float32)}
    wanted = bits(gradcli.evaluate(LOSS, {"X": table, **rest}, wrt=["w"]))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    shifted = np.lib.format.open_memmap(tmp_path / "s.npy", "w+", np.float32, (ROWS + 3, WIDTH))
    shifted[3:] = table
    columns = {"X": np.asfortranarray(table), **rest}
    by_columns = bits(gradcli.evaluate(LOSS, columns, wrt=["w"]))
    found = bits(gradcli.evaluate(LOSS, {**rest, "X": tmp_path / "F.npy"}, wrt=["w"]))
    assert found == by_columns
    for value in (tmp_path / "X.npy", mapped, shifted[3:]):
        assert stays(value)
        assert bits(gradcli.evaluate(LOSS, {"X": value, **rest}, wrt=["w"])) == wanted
    assert not stays(np.load(tmp_path / "X.npy", mmap_mode="r")[::2])
    loss = gradcli.function(LOSS, wrt=["w"])
    for _ in range(2):
        assert bits(loss(X=tmp_path / "X.npy", **rest)) == wanted
    assert bits(loss(X=table, **rest)) == wanted


def test_second_derivatives_over_rows(tmp_path: Path, table: Any, small_memory: None) -> None:
    np.save(tmp_path / "X.npy", table.astype(np.float64))
    w = np.linspace(-0.1, 0.1, WIDTH)
    found = gradcli.evaluate(
        "mean(exp(X@w))", {"X": tmp_path / "X.npy", "w": w}, wrt=["w"], hessian=True
    )
    weights = np.exp(table.astype(np.float64) @ w)
    wanted = (table * weights[:, None]).T.astype(np.float64) @ table / ROWS
    assert np.allclose(found.hessian["w"]["w"], wanted, rtol=1e-6)


def test_tables_that_share_no_rows(tmp_path: Path, table: Any, small_memory: None) -> None:
    np.save(tmp_path / "X.npy", table)
    np.save(tmp_path / "Z.npy", table[5:])
    values = {"X": tmp_path / "X.npy", "Z": tmp_path / "Z.npy", "w": np.full(WIDTH, 0.1)}
    text = "mean((X@w.float())**2) + mean((Z@w.float() - X.mean())**2)"
    found = gradcli.evaluate(text, values, wrt=["w"])
    w = np.full(WIDTH, 0.1)
    rest = table[5:] @ w - table.mean(dtype=np.float64)
    assert np.isclose(found.value, ((table @ w) ** 2).mean() + (rest**2).mean(), rtol=1e-5)
    wanted = 2 * table.T @ (table @ w) / ROWS + 2 * table[5:].T @ rest / len(rest)
    assert np.allclose(found.grads["w"], wanted, rtol=1e-4, atol=1e-6)
    with pytest.raises(gradcli.GradcliError, match="needs all rows of"):
        gradcli.evaluate("X@Z.T", values, gradients=False).output.sum().item()


def test_heavy_products_go_by_rows(tmp_path: Path, table: Any, small_memory: None) -> None:
    wide = table.reshape(-1)[: 4200 * 1024].reshape(4200, 1024)
    np.save(tmp_path / "X.npy", wide)
    w = np.random.default_rng(3).standard_normal((1024, 64)).astype(np.float32) / 32
    found = gradcli.evaluate("mean(tanh(X@w))", {"X": tmp_path / "X.npy", "w": w}, wrt=["w"])
    hidden = np.tanh(wide @ w)
    assert abs(float(found.value) - hidden.mean()) < 1e-6
    wanted = wide.T @ (1 - hidden**2) / hidden.size
    assert np.allclose(found.grads["w"], wanted, rtol=1e-3, atol=1e-7)


def test_what_does_not_fit_is_refused(tmp_path: Path, table: Any, small_memory: None) -> None:
    np.save(tmp_path / "X.npy", table)
    result = gradcli.evaluate("exp(X)", {"X": tmp_path / "X.npy"}, gradients=False)
    assert "..." in str(result.output)
    with pytest.raises(gradcli.GradcliError) as caught:
        _ = result.value
    assert caught.value.diagnostic.code == "G060"

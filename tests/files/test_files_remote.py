"""Files that a URL names: read as those of a path are, whole or by rows."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.errors import GradcliError
from gradcli.files import read
from gradcli.files.stored import Stored

fsspec = pytest.importorskip("fsspec")
TABLE = np.arange(24, dtype=np.float32).reshape(6, 4)


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's file system in memory, empty before and after."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def test_formats_and_keys(memory: Any) -> None:
    npz = io.BytesIO()
    np.savez(npz, a=TABLE, b=TABLE[0])
    memory.pipe({"/x.npy": npy(TABLE), "/x.npz": npz.getvalue(), "/t.csv": b"a,b\n1,2\n3,4\n"})
    memory.pipe({"/d.json": b'{"p": {"q": [1, 2]}}'})
    assert np.array_equal(read("memory://x.npy"), TABLE)
    assert np.array_equal(read("memory://x.npz:b"), TABLE[0])
    assert np.array_equal(read("memory://t.csv:b"), [2, 4])
    assert np.array_equal(read("memory://d.json:p.q"), [1, 2])


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_stay_where_they_are(memory: Any, order: Any) -> None:
    memory.pipe("/x.npy", npy(np.array(TABLE, order=order)))
    found = read("memory://x.npy", keep=0)
    assert isinstance(found, Stored)
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(again.read(0, 2, 5), TABLE[2:5])
    assert np.array_equal(again.read(-1, 1, 3), TABLE[:, 1:3])
    memory.pipe("/x.npy", npy(TABLE)[:-30])
    with pytest.raises(GradcliError, match="became shorter"):
        again.read(0, 0, 6)
    memory.rm("/x.npy")
    with pytest.raises(GradcliError, match=r"no such file: memory://x\.npy"):
        again.read(0, 0, 6)


def test_a_pattern_is_several_files_in_natural_order(memory: Any) -> None:
    for number in (10, 2, 1):
        memory.pipe(f"/p/{number}.npy", npy(np.full((2, 3), number)))
    assert np.array_equal(read("memory://p/*.npy")[:, 0], [1, 1, 2, 2, 10, 10])
    stored = read("memory://p/*.npy", keep=0)
    assert isinstance(stored, Stored)
    assert np.array_equal(stored.read(0, 1, 5)[:, 0], [1, 2, 2, 10])


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://none.npy", "no such file: memory://none.npy"),
        ("memory://none/*.npy", r"no file matches memory://none/\*.npy"),
        ("nope://x.npy", "nope://x.npy cannot be read: Protocol not known: nope"),
        ("memory://x.pt", "pickle"),
    ],
)
def test_what_cannot_be_read_is_said(memory: Any, url: str, message: str) -> None:
    with pytest.raises(GradcliError, match=message):
        read(url)


def test_a_script_has_no_way_to_urls(tmp_path: Path) -> None:
    with pytest.raises(GradcliError, match=r"no such file|outside the working directory"):
        read(f"file://{tmp_path}/x.npy", root=tmp_path)

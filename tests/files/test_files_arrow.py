"""Parquet, Arrow and Feather tables, with pyarrow and without."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from files_helpers import refused

from gradcli.files import read


def test_missing_pyarrow_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for suffix in ("parquet", "arrow", "feather"):
        (tmp_path / f"t.{suffix}").write_bytes(b"PAR1")
        refused(f"{tmp_path}/t.{suffix}:a", "G050", "pip install 'gradcli[arrow]'")


def test_parquet_and_arrow(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    feather = pytest.importorskip("pyarrow.feather")
    columns = {
        "a": np.arange(3),
        "b": np.float32([1, 2, 3]),
        "s": ["x", "y", "z"],
        "n": [1.0, None, 2.0],
        "l": [[1], [2], [3]],
        "t": [True, False, True],
    }
    table = pyarrow.table(columns)
    parquet.write_table(table, tmp_path / "t.parquet")
    feather.write_feather(table, tmp_path / "t.feather", compression="zstd")
    with pyarrow.ipc.new_stream(tmp_path / "t.arrow", table.schema) as sink:
        sink.write_table(table)
    for suffix in ("parquet", "feather", "arrow"):
        path = f"{tmp_path}/t.{suffix}"
        assert read(f"{path}:a").dtype == np.int64
        assert read(f"{path}:t").tolist() == [True, False, True]
        np.testing.assert_array_equal(read(f"{path}:b,a"), [[1, 0], [2, 1], [3, 2]])
        refused(f"{path}:n", "G051", "1 null")
        refused(f"{path}:s", "G051", "string")
        refused(f"{path}:l", "G051", "list")
        refused(path, "G051")
        refused(f"{path}:aa", "G052", "has no column")
        (tmp_path / f"t.{suffix}").write_bytes((tmp_path / f"t.{suffix}").read_bytes()[:-200])
        refused(f"{path}:a", "G051")
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table({"z": np.zeros(10**7, np.int8)}), buffer)
    (tmp_path / "z.parquet").write_bytes(buffer.getvalue())
    refused(tmp_path / "z.parquet", "G050", "limit", limit=10**6)

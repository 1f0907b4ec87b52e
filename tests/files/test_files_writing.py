"""Files and JSON text of results: round trips, and nothing left of a write that failed."""

from __future__ import annotations

import io
import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gradcli.errors import GradcliError
from gradcli.files import array_text, json_text, read, write, write_file, write_stream

VALUE = np.float32([[0.1, -2.5], [np.nan, np.inf]])


def refused(action: Callable[[], object]) -> GradcliError:
    with pytest.raises(GradcliError) as caught:
        action()
    assert caught.value.diagnostic.code == "G053"
    return caught.value


def test_npz_npy_csv_round_trip(tmp_path: Path) -> None:
    arrays = {"grad.x": np.arange(3), "value": VALUE, "jacobian.x": np.zeros((2, 0))}
    write(tmp_path / "r.npz", arrays, "npz")
    with np.load(tmp_path / "r.npz") as loaded:
        assert sorted(loaded) == sorted(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(loaded[name], array, strict=True)
    write(tmp_path / "r.npy", arrays, "npy")
    np.testing.assert_array_equal(np.load(tmp_path / "r.npy"), VALUE, strict=True)
    write(tmp_path / "r.csv", arrays, "csv")
    assert (tmp_path / "r.csv").read_text() == "0.1,-2.5\nnan,inf\n"
    np.testing.assert_array_equal(read(f"{tmp_path}/r.csv").astype(np.float32), VALUE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.csv", "r.npy", "r.npz"]


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.float64(1.5), "1.5\n"),
        (np.arange(3), "0\n1\n2\n"),
        (np.array([True, False]), "1\n0\n"),
        (np.float16([[0.1]]), "0.1\n"),
        (np.zeros((0, 2)), ""),
    ],
)
def test_csv_text(array: np.ndarray, text: str) -> None:
    stream = io.BytesIO()
    write_stream(stream, {"value": np.asarray(array)}, "csv")
    assert stream.getvalue().decode() == text


def test_what_a_format_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    assert (
        "-f npy"
        in refused(lambda: write(path, {"value": np.ones((2, 2, 2))}, "csv")).diagnostic.help[0]
    )
    refused(lambda: write(path, {"value": np.ones(2, np.complex64)}, "csv"))
    refused(lambda: write(path, {}, "npy"))
    refused(lambda: write(path, {"value": np.ones(2)}, "yaml"))
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "r.npy"
    path.write_bytes(b"before")

    def fail(stream: BinaryIO) -> None:
        stream.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_file(path, fail)
    assert path.read_bytes() == b"before"

    def full(stream: BinaryIO) -> None:
        raise OSError(28, "No space left on device")

    assert "no space left" in str(refused(lambda: write_file(path, full)))
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.npy"]


def test_permissions_are_those_of_a_normal_file(tmp_path: Path) -> None:
    path = tmp_path / "r.npy"
    previous = os.umask(0o027)
    try:
        write(path, {"value": VALUE}, "npy")
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    write(path, {"value": VALUE}, "npy")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_links_are_written_through(tmp_path: Path) -> None:
    (tmp_path / "link.npy").symlink_to(tmp_path / "real.npy")
    write(tmp_path / "link.npy", {"value": VALUE}, "npy")
    assert (tmp_path / "link.npy").is_symlink()
    assert np.load(tmp_path / "real.npy").shape == (2, 2)


def test_targets_that_cannot_be_written(tmp_path: Path) -> None:
    problem = refused(lambda: write(tmp_path / "no" / "r.npy", {"value": VALUE}, "npy"))
    assert problem.diagnostic.help == [f"mkdir -p {tmp_path}/no"]
    assert "is a directory" in str(refused(lambda: write(tmp_path, {"value": VALUE}, "npy")))
    refused(lambda: write(tmp_path / "a\0b", {"value": VALUE}, "npy"))
    (tmp_path / "file").write_text("")
    refused(lambda: write(tmp_path / "file" / "r.npy", {"value": VALUE}, "npy"))


@pytest.mark.parametrize("format", ["npz", "npy", "csv"])
def test_pipes_and_devices_are_written_straight(tmp_path: Path, format: str) -> None:
    write(Path("/dev/null"), {"value": VALUE}, format)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(path.read_bytes()))
    thread.start()
    write(path, {"value": VALUE}, format)
    thread.join()
    expected = io.BytesIO()
    write_stream(expected, {"value": VALUE}, format)
    assert stat.S_ISFIFO(path.stat().st_mode)
    (tmp_path / f"r.{format}").write_bytes(got[0])
    np.testing.assert_array_equal(read(f"{tmp_path}/r.{format}").astype(np.float32), VALUE)
    if format != "npz":
        assert got[0] == expected.getvalue()


def test_a_closed_pipe_is_the_callers(tmp_path: Path) -> None:
    receive, send = os.pipe()
    os.close(receive)
    with pytest.raises(BrokenPipeError), os.fdopen(send, "wb", buffering=0) as stream:
        write_stream(stream, {"value": VALUE}, "npy")


# -- JSON text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float32(0.1), "0.1"),
        (np.float16(0.1), "0.1"),
        (np.float64(0.1), "0.1"),
        (np.float32([16777216, 1e-30, 3e38, 0.0, -0.0]), "[16777216.0, 1e-30, 3e+38, 0.0, -0.0]"),
        (np.float32([[np.nan, 1], [np.inf, -np.inf]]), '[["NaN", 1.0], ["Infinity", "-Infinity"]]'),
        (np.float32("nan"), '"NaN"'),
        (np.complex64([1 + 0.1j]), "[[1.0, 0.1]]"),
        (np.complex128(complex(0, np.inf)), '[0.0, "Infinity"]'),
        (np.array([[True], [False]]), "[[true], [false]]"),
        (np.arange(3, dtype=np.int8), "[0, 1, 2]"),
        (np.zeros((2, 0)), "[[], []]"),
        (np.zeros((0, 2)), "[]"),
        ({"a": None, "b": [float("nan"), 2j, "x", True, 3]}, None),
        ({"dtype": "float32", "grads": {"x": np.float32([1.5])}}, None),
    ],
)
def test_json_text(value: object, text: str | None) -> None:
    result = json_text(value)
    json.loads(result, parse_constant=lambda name: pytest.fail(name))
    if text is not None:
        assert result == text
    assert json_text({"a": None, "b": [-float("inf"), 2j]}) == (
        '{"a": null, "b": ["-Infinity", [0.0, 2.0]]}'
    )


@settings(max_examples=150, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.float16, np.float32, np.float64]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )
)
def test_json_floats_round_trip_in_numpys_shortest_digits(array: np.ndarray) -> None:
    names = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}

    def revive(item: Any) -> Any:
        return list(map(revive, item)) if isinstance(item, list) else names.get(item, item)

    back = np.array(revive(json.loads(json_text(array))), array.dtype).reshape(array.shape)
    np.testing.assert_array_equal(back, array)
    assert array_text(array) == json_text(array)
    for item in array.reshape(-1)[np.isfinite(array.reshape(-1))]:
        assert json_text(item) == repr(float(str(item)))


def test_random_float32_bits_have_numpys_digits() -> None:
    bits = np.random.default_rng(1).integers(0, 1 << 32, 20_000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values)]
    assert json.loads(json_text(values)) == [float(str(value)) for value in values]
    for start in range(0, len(values), 50):
        part = values[start : start + 50]
        assert array_text(part) == json_text(part)


def test_one_nan_among_many_numbers() -> None:
    values = np.random.default_rng(0).standard_normal((50, 40)).astype(np.float32)
    values[3, 4] = np.nan
    read = np.array(json.loads(json_text(values)), np.float32)
    np.testing.assert_array_equal(read, values)

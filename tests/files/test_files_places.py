"""Paths, pipes, devices, limits, and formats recognised by content."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from files_helpers import CSV, NPY, NPZ, refused

from gradcli.errors import GradcliError
from gradcli.files import read, read_stream

# -- what a reference means


def test_a_path_may_hold_colons(tmp_path: Path) -> None:
    np.save(tmp_path / "a:b.npy", np.ones(2))
    np.savez(tmp_path / "c:d.npz", **{"k:l": np.zeros(3)})
    (tmp_path / "t.csv:x").write_text("5\n6\n")
    (tmp_path / "t.csv").write_text("x\n1\n")
    assert read(f"{tmp_path}/a:b.npy").shape == (2,)
    assert read(f"{tmp_path}/c:d.npz:k:l").shape == (3,)
    assert read(f"{tmp_path}/t.csv:x").tolist() == [5, 6]


def test_missing_files(tmp_path: Path) -> None:
    np.save(tmp_path / "weights.npy", np.ones(2))
    problem = refused(tmp_path / "wieghts.npy")
    assert problem.diagnostic.help == ["did you mean weights.npy?"]
    assert problem.kind is FileNotFoundError
    problem = refused(f"{tmp_path}/wieghts.npy:key")
    assert str(problem) == f"no such file: {tmp_path}/wieghts.npy"
    assert "no directory" in refused(tmp_path / "none" / "x.npy").diagnostic.help[0]


@pytest.mark.parametrize("name", ["", "a\0b.npy", "x" * 5000, "a\nb.npy", "\udcff.npy", "/", "."])
def test_strange_names(name: str) -> None:
    problem = refused(name)
    assert str(problem).isprintable()


def test_directories(tmp_path: Path) -> None:
    (tmp_path / "d.npy").mkdir()
    assert "is a directory" in str(refused(tmp_path))
    assert "is a directory" in str(refused(tmp_path / "d.npy"))


def test_what_the_system_does_not_let_us_read(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones(2))
    (tmp_path / "x.npy").chmod(0)
    if os.geteuid():
        assert "permission denied" in str(refused(tmp_path / "x.npy"))
    (tmp_path / "loop.npy").symlink_to(tmp_path / "loop.npy")
    refused(tmp_path / "loop.npy")
    refused(f"{tmp_path}/x.npy/y.npy")
    if Path("/proc/self/mem").exists():
        assert "/proc/self/mem cannot be read" in str(refused("/proc/self/mem"))


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "x.npy", np.ones(2))
    assert read("~/x.npy").shape == (2,)


def test_root_keeps_scripts_below_it(tmp_path: Path) -> None:
    inside = tmp_path / "work"
    inside.mkdir()
    for folder in (inside, tmp_path):
        np.save(folder / "x.npy", np.ones(2))
    (inside / "out.npy").symlink_to(tmp_path / "x.npy")
    (inside / "in.npy").symlink_to(inside / "x.npy")
    assert read("x.npy", root=inside).shape == (2,)
    assert read("in.npy", root=inside).shape == (2,)
    assert read(f"{inside}/x.npy", root=inside).shape == (2,)
    assert read(f"{inside}/out.npy").shape == (2,)
    for name in ("../x.npy", "out.npy", f"{tmp_path}/x.npy", "../none.npy", "/dev/zero"):
        assert "outside" in str(refused(name, root=inside))
    refused("~/x.npy", root=inside)


# -- formats


@pytest.mark.parametrize("name", ["x", "x.dat", "x.txt"])
@pytest.mark.parametrize(
    ("content", "shape"),
    [
        (NPY, (2, 3)),
        (NPZ, (6,)),
        (CSV, (3, 3)),
        (b"[1,2]", (2,)),
        (b" \n[1,\n2]", (2,)),
        (b"[1,2]\n[3,4]\n[5,6]", (3, 2)),
        (b"1\t2\n", (1, 2)),
        (b"3", ()),
        (b" -3.5e2\n", ()),
        (b"3\n4\n", (2,)),
        (b"nan\n", (1,)),
        (b"\xef\xbb\xbf1,2\n", (1, 2)),
    ],
)
def test_formats_by_content(
    tmp_path: Path, name: str, content: bytes, shape: tuple[int, ...]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert read(f"{tmp_path}/{name}").shape == shape
    assert read_stream(io.BytesIO(content)).shape == shape


@pytest.mark.parametrize("suffix", ["pt", "pth", "pkl", "pickle", "PT", "ckpt"])
def test_pickles_are_refused_with_a_conversion(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"m.{suffix}").write_bytes(b"\x80\x04]\x94.")
    problem = refused(tmp_path / f"m.{suffix}")
    assert "pickle" in str(problem)
    assert "python -c" in problem.diagnostic.help[0]
    (tmp_path / "m").write_bytes(b"\x80\x04]\x94.")
    assert "pickle" in str(refused(tmp_path / "m"))


@pytest.mark.parametrize(
    "content", [bytes(range(256)), b"\x1f\x8b\x08\0", b"\x89HDF\r\n", b"\0" * 9]
)
def test_other_binaries(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    refused(tmp_path / "x")


@pytest.mark.parametrize(
    "suffix", ["npy", "npz", "csv", "json", "jsonl", "safetensors", "dat", "tsv"]
)
def test_empty_files(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"x.{suffix}").write_bytes(b"")
    assert "is empty" in str(refused(tmp_path / f"x.{suffix}", "G051"))


# -- pipes and devices


@pytest.mark.parametrize("content", [NPY, NPZ, CSV, b"[1,2]", b"1,2\n" * 100_000])
def test_real_pipes(content: bytes) -> None:
    receive, send = os.pipe()

    def feed() -> None:
        with os.fdopen(send, "wb") as stream:
            stream.write(content)

    thread = threading.Thread(target=feed)
    thread.start()
    with os.fdopen(receive, "rb") as stream:
        array = read_stream(stream)
    thread.join()
    np.testing.assert_array_equal(array, read_stream(io.BytesIO(content)))


@pytest.mark.parametrize(("name", "content"), [("p.npy", NPY), ("p", CSV), ("p.npz:x", NPZ)])
def test_named_pipes(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name.partition(":")[0]
    os.mkfifo(path)
    thread = threading.Thread(target=path.write_bytes, args=(content,))
    thread.start()
    array = read(f"{tmp_path}/{name}")
    thread.join()
    assert array.size


def test_empty_stream_names_itself_and_leaves_the_place_to_the_caller() -> None:
    with pytest.raises(GradcliError, match="<stdin>: is empty") as caught:
        read_stream(io.BytesIO(b""))
    assert caught.value.diagnostic.code == "G051"
    assert not caught.value.diagnostic.labels
    with pytest.raises(GradcliError, match="is empty"):
        read_stream(io.BytesIO(b"\n \n"))


class Endless(io.RawIOBase):
    def __init__(self, unit: bytes) -> None:
        self.unit = unit
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        self.given += size
        return (self.unit * (size // len(self.unit) + 1))[:size]


@pytest.mark.parametrize("unit", [b"1,2\n", b"\0", b"[1,", NPY])
def test_endless_input_stops_at_the_limit(unit: bytes) -> None:
    stream = Endless(unit)
    with pytest.raises(GradcliError) as caught:
        read_stream(stream, limit=5 << 20)
    assert caught.value.diagnostic.code == "G050"
    assert stream.given <= 7 << 20


def test_dev_zero_is_refused_at_once() -> None:
    refused("/dev/zero")
    refused("/dev/null", "G051")


def test_memory_stays_bounded_in_a_small_process(tmp_path: Path) -> None:
    """Each of these would take gigabytes in a reader that trusts its input."""
    script = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from gradcli.errors import GradcliError
from gradcli.files import read
import zipfile, json, csv
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for name in sys.argv[2:]:
    for limit in (1 << 26, 1 << 40):
        try:
            read(name, limit=limit)
        except GradcliError as error:
            print(error.diagnostic.code)
"""
    huge = b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999,), }"
    (tmp_path / "huge.npy").write_bytes(b"\x93NUMPY\1\0" + bytes([len(huge), 0]) + huge)
    (tmp_path / "x.safetensors").write_bytes(b"\xff" * 7 + b"\x00" + b"{}")
    (tmp_path / "deep.json").write_bytes(b"[" * 1_000_000)
    (tmp_path / "pipe").symlink_to("/dev/zero")
    (tmp_path / "zeros.csv").symlink_to("/dev/zero")
    names = [str(path) for path in sorted(tmp_path.iterdir())]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", script, root, *names], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 2 * len(names)
    assert done.stderr == ""

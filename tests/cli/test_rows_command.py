"""Files larger than the memory limit, from the command line: real files, real processes."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcli.errors import GradcliError
from gradcli.files import read
from gradcli.files.spill import Parsed
from tests.cli.conftest import ROOT, Run, clean_environment

ROWS, WIDTH = 280_000, 16
SMALL = "--max-memory=24MB"
"""A limit that keeps X in its file (18 MB), and most of what is computed from it."""
LOSS = "mean(log1p(exp(-y*(X@w))))"


@pytest.fixture(scope="module")
def table() -> Any:
    random = np.random.default_rng(1)
    return random.standard_normal((ROWS, WIDTH), np.float32)


@pytest.fixture
def data(tmp_path: Path, table: Any) -> Path:
    """A folder with X.npy, y.npy, and X in parts."""
    np.save(tmp_path / "X.npy", table)
    np.save(tmp_path / "y.npy", np.sign(table[:, 0] + 0.5))
    (tmp_path / "parts").mkdir()
    for name, (a, b) in {"p1": (0, 1), "p2": (1, 90_000), "p10": (90_000, ROWS)}.items():
        np.save(tmp_path / "parts" / f"{name}.npy", table[a:b])
    return tmp_path


def sparse(path: Path, shape: tuple[int, ...], dtype: str = "float32") -> None:
    """A .npy file of zeros that takes no room on the disk."""
    with path.open("wb") as file:
        header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + int(np.prod(shape)) * np.dtype(dtype).itemsize)


def drafts(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("chunk", [1, 24_576, 24_577, ROWS - 1, ROWS])
def test_the_same_text_for_any_chunks(chunk: int, data: Path, gradcli: Run) -> None:
    bindings = ["X=@X.npy", "y=@y.npy", "w=full([16],0.1)", "-fjson", "-ww"]
    whole = gradcli("eval", LOSS, *bindings)
    found = gradcli("eval", LOSS, *bindings, f"--chunk-rows={chunk}", SMALL, "--threads=1", "-v")
    assert (found.returncode, found.stdout) == (0, whole.stdout)
    assert f"pass 1: {ROWS} rows of X, y" in found.stderr


def test_files_of_a_pattern_are_joined_in_natural_order(data: Path, gradcli: Run) -> None:
    for limit in ([], [SMALL]):
        done = gradcli(
            "eval", "X - P", "X=@X.npy", "P=@parts/*.npy", "--no-grad", "-od.npy", *limit
        )
        assert done.returncode == 0, done.stderr
        found = np.load(data / "d.npy")
        assert found.shape == (ROWS, WIDTH)
        assert not found.any()


@pytest.mark.parametrize("suffix", ["npy", "csv", "npz"])
def test_results_stream_into_files(suffix: str, data: Path, gradcli: Run) -> None:
    text = "tanh((X - X.mean(0))/X.std(0))[:, :9]"
    for name, limit in (("a", []), ("b", [SMALL])):
        done = gradcli("eval", text, "X=@X.npy", "--no-grad", f"-o{name}.{suffix}", *limit)
        assert done.returncode == 0, done.stderr
    assert (data / f"a.{suffix}").read_bytes() == (data / f"b.{suffix}").read_bytes()
    assert not drafts(data)


@pytest.mark.parametrize("text", ["sum(tanh(X)*2)", "mean(((X - X.mean(0))/X.std(0))**3)"])
def test_a_gradient_in_the_rows_is_shown_by_its_ends(text: str, data: Path, gradcli: Run) -> None:
    shown = [
        gradcli("eval", text, "X=@X.npy", "--precision=9", *limit)
        for limit in ([], [SMALL], [SMALL, "--threads=1", "--chunk-rows=50000"])
    ]
    assert "\n        ...,\n" in shown[0].stdout
    assert [done.stdout for done in shown[1:]] == [shown[0].stdout] * 2, shown[1].stderr


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_it_is_so_on_a_backend(backend: str, data: Path, gradcli: Run) -> None:
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    arguments = ["eval", "mean(tanh(X))", "X=@X.npy", SMALL]
    done = gradcli(*arguments, "--backend", backend)
    assert done.stdout == gradcli(*arguments).stdout != "", done.stderr


def test_a_gradient_in_the_rows_streams(data: Path, gradcli: Run) -> None:
    arguments = ["eval", "sum(tanh(X)*2)", "X=@X.npy"]
    assert gradcli(*arguments, SMALL, "-oa.npz").returncode == 0
    assert gradcli(*arguments, "-ob.npz").returncode == 0
    found, expected = np.load(data / "a.npz"), np.load(data / "b.npz")
    assert (found["grad.X"] == expected["grad.X"]).all()
    assert found["value"] == expected["value"]


def test_a_result_that_only_a_file_can_hold_is_refused_kindly(data: Path, gradcli: Run) -> None:
    done = gradcli("eval", "exp(X)", "X=@X.npy", SMALL, "-fjson")
    assert done.returncode == 2
    assert "a result of shape (280000, 16) needs 17.9 MB" in done.stderr
    assert "-o result.npy" in done.stderr


def test_a_backend_computes_losses_over_rows_and_says_that_it_leaves_large_results(
    data: Path, gradcli: Run
) -> None:
    pytest.importorskip("torch")
    arguments = ["X=@X.npy", "y=@y.npy", "w=full([16],0.1)", "-ww", SMALL, "--backend", "torch"]
    done = gradcli("eval", LOSS, *arguments, "-v")
    assert (done.returncode, done.stdout) == (0, gradcli("eval", LOSS, *arguments[:4]).stdout)
    assert "pass 1: 280000 rows of X" in done.stderr
    assert "on the host" not in done.stderr
    for name, more in (("r", arguments[4:]), ("s", [SMALL])):
        done = gradcli("eval", "exp(X)", "X=@X.npy", "--no-grad", *more, f"-o{name}.npy")
        said = "note: results larger than memory are computed on the host, not by torch\n"
        assert (done.returncode, done.stderr) == (0, said if name == "r" else "")
    assert (data / "r.npy").read_bytes() == (data / "s.npy").read_bytes()


def test_bench_times_rows_and_leaves_out_who_needs_them_in_memory(data: Path, gradcli: Run) -> None:
    arguments = ["X=@X.npy", "y=@y.npy", "w=full([16],0.1)", SMALL, "--seconds=0.05", "-fjson"]
    done = gradcli("bench", LOSS, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "note: timed without the gradient by X, which is larger than memory\n"
    found = json.loads(done.stdout)
    assert found["wrt"] == ["y", "w"]
    for timing in found["timings"]:
        if timing["name"].startswith("gradcli"):
            assert timing["agrees"]
        else:
            assert timing["error"] == "MemoryError: X is larger than memory"


def test_a_formula_needs_no_rows(data: Path, gradcli: Run) -> None:
    done = gradcli("diff", "sum(X**2)", "X=@X.npy", SMALL)
    assert done.returncode == 2
    assert "help: a formula needs no values: declare the shape instead, X:m,n\n" in done.stderr


def test_what_couples_rows_is_refused_with_its_place(data: Path, gradcli: Run) -> None:
    done = gradcli("eval", "sum(X.cumsum(0)**2)", "X=@X.npy", "--max-memory=2MB")
    assert done.returncode == 2
    assert "cumsum needs all rows of X.npy at once: 17.9 MB" in done.stderr
    assert "|     ^^^^^^^^^^^" in done.stderr


def test_a_script_runs_on_files(data: Path, gradcli: Run) -> None:
    (data / "fit.py").write_text(
        "X, y = load('X.npy'), load('parts/*.npy')[:, 1]\n"
        "w = torch.zeros(16, requires_grad=True)\n"
        "for step in range(4):\n"
        "    loss = ((X@w - y)**2).mean()\n"
        "    loss.backward()\n"
        "    with torch.no_grad():\n"
        "        w -= 0.1*w.grad\n"
        "        w.grad = None\n"
        "    print(step, loss.item())\n"
        "print(w, X[5:7]@w, (2*X)[-2:], X)\n"
        "save('p.npy', 2*X)\n"
    )
    whole = gradcli("run", "fit.py")
    assert whole.returncode == 0, whole.stderr
    first = (data / "p.npy").read_bytes()
    found = gradcli("run", "fit.py", SMALL, "-v")
    assert (found.returncode, found.stdout) == (0, whole.stdout), found.stderr
    assert (data / "p.npy").read_bytes() == first
    assert found.stderr.count("pass") <= 10


@pytest.mark.parametrize("memory", [["--max-memory=200MB"], []])
def test_an_address_space_smaller_than_the_data(tmp_path: Path, memory: list[str]) -> None:
    rows = 6_000_000
    sparse(tmp_path / "X.npy", (rows, 50))  # 1.2 GB
    limit = 1100 << 20
    text = "mean((X@w - 3)**2)"
    arguments = ["eval", text, "X=@X.npy", "w=ones(50)", "-ww", *memory, "--threads=2"]
    done = subprocess.run(
        [sys.executable, "-m", "gradcli", *arguments],
        cwd=tmp_path,
        env={**clean_environment(), "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tensor(9., grad_fn=<MeanBackward0>)")


# -- what is wrong with files


def test_a_truncated_file_among_the_parts(data: Path, gradcli: Run) -> None:
    path = data / "parts" / "p2.npy"
    path.write_bytes(path.read_bytes()[:-100])
    done = gradcli("eval", "sum(X)", "X=@parts/*.npy", SMALL)
    assert done.returncode == 2
    assert "parts/p2.npy: is cut off or damaged" in done.stderr


def test_parts_of_other_widths_and_dtypes(data: Path, gradcli: Run) -> None:
    np.save(data / "parts" / "p3.npy", np.zeros((4, 15), np.float32))
    done = gradcli("eval", "sum(X)", "X=@parts/*.npy", SMALL)
    assert "parts/p3.npy has rows of shape 15, parts/p1.npy of 16" in done.stderr
    np.save(data / "parts" / "p3.npy", np.zeros((4, 16)))
    done = gradcli("eval", "sum(X)", "X=@parts/*.npy", SMALL)
    assert "parts/p3.npy holds float64, parts/p1.npy float32" in done.stderr
    assert done.returncode == 2


def test_no_rows(data: Path, gradcli: Run) -> None:
    np.save(data / "parts" / "p3.npy", np.zeros((0, 16), np.float32))
    done = gradcli("eval", "sum(X*0)", "X=@parts/*.npy", SMALL, "--no-grad")
    assert done.stdout == "tensor(0.)\n"
    np.save(data / "none.npy", np.zeros((0, 16), np.float32))
    done = gradcli("eval", "mean(X)", "X=@none.npy", "--chunk-rows=5", "--no-grad")
    assert done.stdout == "tensor(nan)\n"
    done = gradcli("eval", "mean(X)", "X=@nothing/*.npy")
    assert done.returncode == 2
    assert "no file matches nothing/*.npy" in done.stderr


def test_nan_stays_nan(data: Path, table: Any, gradcli: Run) -> None:
    wrong = table.copy()
    wrong[200_000, 3] = np.nan
    np.save(data / "N.npy", wrong)
    for text in ("sum(X)", "amax(X)", "std(X)"):
        done = gradcli("eval", text, "X=@N.npy", SMALL, "--no-grad")
        assert done.stdout == "tensor(nan)\n"


def test_tables_of_text_are_read_by_blocks(tmp_path: Path, gradcli: Run) -> None:
    lines = ["a,b,c,d,e,f,g,h", *(f"{i % 7},1,2,3,4,5,6,{i % 5}.5" for i in range(530_000))]
    lines[40_000] = "# a remark"
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    text = "mean(tanh(X - X.mean(0)), 0)"
    whole = gradcli("eval", text, "X=@t.csv", "--no-grad")
    kept = tmp_path / "kept"
    kept.mkdir()
    arguments = ["eval", text, "X=@t.csv", "--no-grad", "--max-memory=20MB", "-v"]
    found = gradcli(*arguments, TMPDIR=str(kept))
    assert (found.returncode, found.stdout) == (0, whole.stdout), found.stderr
    assert f"X (17.0 MB from files, parsed, kept as 33.9 MB in {kept}), " in found.stderr
    assert "pass 2: 529999 rows of X (17.0 MB from files, parsed before), " in found.stderr
    assert not list(kept.iterdir())
    lines[500_000] += ",1"
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    done = gradcli("eval", text, "X=@t.csv", "--no-grad", "--max-memory=20MB")
    assert done.returncode == 2
    assert "t.csv: line 500001 has 9 cells, the header has 8" in done.stderr
    assert "--> t.csv:500001:" in done.stderr


def test_a_disk_that_fills_up_only_ends_the_keeping(disk: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    kept = Parsed((100_000, 2), np.dtype(np.float64), [0, 50_000, 100_000])
    kept.put(0, np.ones((50_000, 2)))
    assert kept.holds(range(1))
    assert kept.read(10, 12, None).tolist() == [[1, 1], [1, 1]]
    (disk / "other").write_bytes(bytes(3 << 20))
    kept.put(1, np.ones((50_000, 2)))
    assert not kept.holds(range(1))
    assert not kept.room
    assert [path.name for path in disk.iterdir()] == ["other"]


def test_what_was_parsed_is_not_parsed_again(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("".join(f"{i},{i % 5}.5\n" for i in range(40_000)))
    rows = read(f"{path}", keep=0)
    rows.keep()
    first = [rows.read(0, a, a + 9_000) for a in (0, 9_000, 18_000)]
    path.write_text("no table")
    for array, a in zip(first, (0, 9_000, 18_000), strict=True):
        assert np.array_equal(array[:, 0], np.arange(a, a + 9_000))
        assert np.array_equal(rows.read(0, a, a + 9_000), array)
    with pytest.raises(GradcliError, match="became shorter while it was read"):
        rows.read(0, 35_000, 36_000)


def test_parquet_is_read_by_batches(data: Path, table: Any, gradcli: Run) -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {f"c{i}": table[:, i] for i in range(WIDTH)}
    parquet.write_table(arrow.table(columns), data / "X.parquet", row_group_size=70_001)
    done = gradcli("eval", "X - P", "X=@X.npy", "P=@X.parquet", "--no-grad", SMALL, "-od.npy")
    assert done.returncode == 0, done.stderr
    assert not np.load(data / "d.npy").any()


def test_rows_that_are_none(data: Path, gradcli: Run) -> None:
    done = gradcli("eval", "sum(X)", "X=@X.npy", "--rows=Y")
    assert "--rows: there is no variable Y" in done.stderr
    done = gradcli("eval", "sum(X)*w.sum()", "X=@X.npy", "w=[1,2]", "--rows=X,w")
    assert "--rows: w is (2,), X is (280000, 16): not as many rows" in done.stderr
    assert done.returncode == 2


# -- what goes wrong on the way


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    if os.name != "posix" or os.getuid() != 0:
        pytest.skip("only root may mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount") or "mount"
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]).returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_leaves_nothing(data: Path, disk: Path, gradcli: Run) -> None:
    for name in ("r.npy", "r.csv", "r.npz"):
        done = gradcli("eval", "X*2", "X=@X.npy", "--no-grad", SMALL, f"-odisk/{name}")
        assert done.returncode == 2
        assert f"disk/{name} cannot be written: no space left on device" in done.stderr
        assert not list(disk.iterdir())


def test_text_is_parsed_in_each_pass_where_the_disk_has_no_room(
    tmp_path: Path, disk: Path, gradcli: Run
) -> None:
    (tmp_path / "t.csv").write_text("".join(f"{i},1,2,3,4,5,6,{i % 5}.5\n" for i in range(530_000)))
    arguments = ["eval", "std(X)", "X=@t.csv", "--no-grad", "--chunk-rows=30000", "-v"]
    done = gradcli(*arguments, TMPDIR=str(disk))
    assert f"parsed in each pass: too little room for 33.9 MB in {disk}" in done.stderr
    assert "pass 2: " in done.stderr
    assert (done.returncode, done.stdout) == (0, gradcli(*arguments[:4]).stdout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    sparse(tmp_path / "X.npy", (100_000_000, 100))  # 40 GB that are not there
    arguments = ["eval", "X + 1", "X=@X.npy", "--no-grad", "-or.npy", "--max-memory=100MB"]
    child = subprocess.Popen(
        [sys.executable, "-m", "gradcli", *arguments],
        cwd=tmp_path,
        env={**clean_environment(), "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 60
        while not drafts(tmp_path):
            assert time.monotonic() < until
            assert child.poll() is None
            time.sleep(0.05)
        child.send_signal(number)
        _, said = child.communicate(timeout=20)
    finally:
        child.kill()
    assert child.returncode == 128 + number
    assert not said.strip()
    assert [p.name for p in tmp_path.iterdir()] == ["X.npy"]


def test_a_time_limit_that_ends_the_process_leaves_nothing(tmp_path: Path) -> None:
    """One call of NumPy lasts longer than the patience behind the limit."""
    script = (
        "import sys, numpy as np\nfrom pathlib import Path\n"
        "from gradcli.cli.session import stop_after\n"
        "from gradcli.files import write_file\nfrom gradcli.files.spill import Spill\n"
        "spill, x = Spill((2, 2), np.dtype(float), 0), np.ones((6000, 6000))\n"
        "stop_after(0.2)\n"
        "write_file(Path('r.npy'), lambda file: np.linalg.svd(x))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**clean_environment(), "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error[G061]: stopped after 0.2 s")
    assert not list(tmp_path.iterdir())


def test_a_terminal_shows_how_far_it_is(tmp_path: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    sparse(tmp_path / "X.npy", (100_000_000, 100))
    child = pexpect.spawn(
        sys.executable,
        ["-m", "gradcli", "eval", "mean(X)", "X=@X.npy", "--no-grad", "--max-memory=100MB"],
        cwd=str(tmp_path),
        env={**clean_environment(), "PYTHONPATH": str(ROOT), "TERM": "xterm"},
        dimensions=(24, 100),
        timeout=60,
    )
    child.expect("rows/s")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130

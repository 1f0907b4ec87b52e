"""`--backend dask` with real processes: the bits of one machine, whatever happens to workers.

The scheduler and its workers are started once, as processes of their own.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import ROOT, clean_environment

pytest.importorskip("distributed")

ROWS, WIDTH = 300_000, 16
LOSS = "mean(log1p(exp(-y*(X@w))))"
WHERE = ["--backend", "dask"]


class Machines:
    """A scheduler and its workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        self.file = folder / "scheduler.json"
        self.scheduler = self.start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        while not self.file.exists() or not self.file.read_text():
            time.sleep(0.05)
        self.address = json.loads(self.file.read_text())["address"]

    def start(self, what: str, *arguments: str, path: Path = ROOT) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                *(sys.executable, "-W", "ignore", "-m", f"distributed.cli.dask_{what}"),
                *(*arguments, "--no-dashboard"),
            ],
            cwd=self.folder,
            env={**clean_environment(), "PYTHONPATH": str(path)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def add(self, threads: int = 1, path: Path = ROOT) -> subprocess.Popen[bytes]:
        arguments = [self.address, "--no-nanny", "--nthreads", str(threads)]
        self.workers.append(self.start("worker", *arguments, path=path))
        return self.workers[-1]

    def wait_for(self, count: int) -> None:
        """Returns when so many workers are there."""
        text = (
            "import sys; from distributed import Client\n"
            "Client(sys.argv[1], timeout=20).wait_for_workers(int(sys.argv[2]), timeout=20)"
        )
        subprocess.run([sys.executable, "-c", text, self.address, str(count)], check=True)

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """X in three files of odd sizes, y and w."""
    made = tmp_path_factory.mktemp("dask")
    numbers = np.random.default_rng(0)
    table = numbers.standard_normal((ROWS, WIDTH), np.float32)
    y = np.sign(table[:, 0] + numbers.standard_normal(ROWS)).astype(np.float32)
    (made / "parts").mkdir()
    for number, (a, b) in enumerate([(0, 100_000), (100_000, 100_001), (100_001, ROWS)]):
        np.save(made / "parts" / f"{number}.npy", table[a:b])
    np.save(made / "X.npy", table)
    np.save(made / "y.npy", y)
    return made


@pytest.fixture(scope="module")
def machines(folder: Path) -> Iterator[Machines]:
    found = Machines(folder)
    found.add()
    found.add(threads=2)
    found.wait_for(2)
    yield found
    found.stop()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gradcli", *arguments]


def gradcli(folder: Path, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    environment = {**clean_environment(), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command(*arguments),
        **{"cwd": folder, "env": environment, "capture_output": True, "text": True, "timeout": 60}
        | more,
    )


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    found.pop("backend")
    return found


def logistic(x: str, *more: str) -> list[str]:
    w = f"w={[i / 100 for i in range(WIDTH)]}"
    return ["eval", LOSS, f"X=@{x}", "y=@y.npy", w, "-w", "w", "-f", "json", *more]


@pytest.fixture(scope="module")
def alone(folder: Path) -> dict[str, Any]:
    """What one machine says, from memory."""
    return result(gradcli(folder, *logistic("X.npy")))


@pytest.mark.parametrize("seed", range(3))
def test_any_chunks_give_the_bits_of_one_machine(folder, machines, alone, seed) -> None:
    numbers = random.Random(seed)
    rows = str(numbers.randrange(3_000, ROWS))
    x = ["X.npy", "parts/*.npy", f"file://{folder}/parts/*.npy"][seed]
    scheduler = ["--scheduler", machines.address, "--chunk-rows", rows]
    done = gradcli(folder, *logistic(x, *WHERE, *scheduler))
    assert result(done) == alone
    assert json.loads(done.stdout)["backend"] == "dask"
    assert done.stderr == ""


def test_processes_of_this_machine_give_the_same_bits(folder, alone) -> None:
    done = gradcli(folder, *logistic("parts/*.npy", *WHERE, "--threads", "2"))
    assert result(done) == alone
    assert done.stderr == ""


def test_row_by_row_results_and_several_passes(folder, machines) -> None:
    where = [*WHERE, "--scheduler", machines.address, "--chunk-rows", "20000"]
    expression = "softmax(X@w, 0)*y"
    arguments = ["eval", expression, "X=@parts/*.npy", "y=@y.npy", f"w={[0.1] * WIDTH}"]
    assert gradcli(folder, *arguments, "--no-grad", "-o", "here.npy").returncode == 0
    done = gradcli(folder, *arguments, "--no-grad", "-o", "there.npy", *where)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "here.npy").read_bytes() == (folder / "there.npy").read_bytes()


def test_of_a_gradient_in_the_rows_only_the_ends_travel(folder, machines) -> None:
    arguments = ["eval", "sum(tanh(X)*2)", "X=@parts/*.npy", "--precision", "9"]
    where = [*WHERE, "--scheduler", machines.address, "--chunk-rows", "20000"]
    done = gradcli(folder, *arguments, "--max-memory", "30MB", *where)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == gradcli(folder, *arguments).stdout


SCRIPT = """
w = zeros(16, requires_grad=True)
for step in range(6):
    loss = (log1p(exp(-y*(X@w)))).mean()
    loss.backward()
    with torch.no_grad():
        w -= w.grad
    w.grad = None
    print(step, loss.item(), w)
"""


def test_a_worker_is_killed_and_another_delayed_while_a_script_runs(folder, machines) -> None:
    (folder / "train.py").write_text(SCRIPT)
    arguments = ["run", "train.py", "X=@parts/*.npy", "y=@y.npy"]
    wanted = gradcli(folder, *arguments)
    assert wanted.returncode == 0, wanted.stderr
    killed, slow = machines.add(), machines.add()
    machines.wait_for(4)
    process = subprocess.Popen(
        command(*arguments, *WHERE, "--scheduler", machines.address, "--chunk-rows", "5000"),
        cwd=folder,
        env={**clean_environment(), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        assert process.stderr
        first = process.stdout.readline()
        killed.send_signal(signal.SIGKILL)
        slow.send_signal(signal.SIGSTOP)
        time.sleep(1)
        slow.send_signal(signal.SIGCONT)
        rest, errors = process.stdout.read(), process.stderr.read()
    assert (process.returncode, errors) == (0, "")
    assert first + rest == wanted.stdout
    slow.kill()


def test_a_truncated_file_is_named_with_its_worker(folder, machines) -> None:
    broken = folder / "broken"
    shutil.copytree(folder / "parts", broken)
    size = (broken / "2.npy").stat().st_size
    os.truncate(broken / "2.npy", size - 1000)
    done = gradcli(folder, *logistic("broken/*.npy", *WHERE, "--scheduler", machines.address))
    assert done.returncode == 2
    assert "error[G051]: broken/2.npy" in done.stderr
    assert "Traceback" not in done.stderr


def test_nan_is_named_with_its_chunk_and_its_row(folder, machines) -> None:
    bad = folder / "bad"
    shutil.copytree(folder / "parts", bad)
    table = np.load(bad / "2.npy")
    table[150_000, 3] = np.nan
    np.save(bad / "2.npy", table)
    where = ["--scheduler", machines.address, "--chunk-rows", "40000"]
    done = gradcli(folder, *logistic("bad/*.npy", *WHERE, *where))
    assert done.returncode == 0
    assert json.loads(done.stdout)["value"] == "NaN"
    (note,) = done.stderr.splitlines()
    found = re.fullmatch(r"note: NaN comes from chunk (\d+): rows (\d+) to (\d+), .*", note)
    assert found
    assert int(found[2]) <= 250_001 <= int(found[3])
    assert note.endswith("row 150000 of bad/2.npy is not finite")


@pytest.mark.parametrize("rows", [0, 1])
def test_files_of_few_rows_are_computed_here(folder, machines, rows: int) -> None:
    np.save(folder / "few.npy", np.ones((rows, WIDTH), np.float32))
    arguments = ["eval", "sum(X@w)", "X=@few.npy", f"w={[0.5] * WIDTH}", "-w", "w", "-f", "json"]
    done = gradcli(folder, *arguments, *WHERE, "--scheduler", machines.address)
    assert result(done)["value"] == rows * WIDTH / 2


@pytest.mark.parametrize(
    ("address", "fact"),
    [
        ("tcp://127.0.0.1:9", "no scheduler answers (connection refused)"),
        ("nowhere.invalid:8786", "no scheduler answers ("),
        ("nonsense://x", "this is no address of a scheduler, such as tcp://host:8786"),
        ("tcp://127.0.0.1:99999", "no scheduler answers ("),
    ],
)
def test_no_scheduler_is_said_at_once(folder, address: str, fact: str) -> None:
    done = gradcli(folder, *logistic("X.npy", *WHERE, "--scheduler", address), timeout=20)
    assert done.returncode == 2
    assert f"error[G071]: {address}: {fact}" in done.stderr
    assert "--scheduler local" in done.stderr


def test_another_version_is_said_at_once(folder, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "gradcli", tmp_path / "gradcli")
    init = tmp_path / "gradcli" / "__init__.py"
    text = init.read_text()
    init.write_text(re.sub(r'__version__ = "[^"]*"', '__version__ = "0.0.7"', text))
    assert init.read_text() != text
    found = Machines(tmp_path)
    try:
        done = gradcli(folder, *logistic("X.npy", *WHERE, "--scheduler", found.address))
        assert f"the scheduler at {found.address} has no workers" in done.stderr
        found.add(path=tmp_path)
        found.wait_for(1)
        done = gradcli(folder, *logistic("X.npy", *WHERE, "--scheduler", found.address))
    finally:
        found.stop()
    assert done.returncode == 2
    assert "has gradcli 0.0.7, here it is" in done.stderr
    assert "on the workers: pip install gradcli==" in done.stderr


def test_ctrl_c_ends_local_processes_without_a_word(folder) -> None:
    (folder / "long.py").write_text(SCRIPT.replace("range(6)", "range(100000)"))
    arguments = ["run", "long.py", "X=@parts/*.npy", "y=@y.npy", *WHERE]
    process = subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env={**clean_environment(), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        errors = process.stderr.read()
    assert (process.returncode, errors.strip()) == (130, b"")


def test_a_process_that_dies_while_it_starts_is_started_again(folder) -> None:
    psutil = pytest.importorskip("psutil")
    arguments = ["eval", LOSS, "X=@parts/*.npy", "y=@y.npy", "w=full([16], 0.1)", "-w", "w"]
    process = subprocess.Popen(
        command(*arguments, *WHERE, "--threads", "2"),
        cwd=folder,
        env={**clean_environment(), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    parent, found = psutil.Process(process.pid), []
    while not found and process.poll() is None:
        children = [child.as_dict(["pid", "cmdline"]) for child in parent.children()]
        found = [c["pid"] for c in children if "spawn_main" in str(c["cmdline"])]
    os.kill(found[0], signal.SIGKILL)
    result, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert result == gradcli(folder, *arguments).stdout

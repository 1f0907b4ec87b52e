"""`--backend` and `--device`: what they compute, refuse and say; `gradcli backends`."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Run, clean_environment

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
LIBRARIES = ("jax", "torch", "cupy", "array_api_strict")


def process(statement: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", statement],
        capture_output=True,
        text=True,
        env={**clean_environment(), "PYTHONPATH": str(ROOT)},
        timeout=120,
    )


@needs_torch
@pytest.mark.parametrize("way", ["option", "environment", "settings"])
def test_json_says_which_backend_computed(gradcli: Run, tmp_path: Path, way: str) -> None:
    options: tuple[str, ...] = ("--backend", "torch") if way == "option" else ()
    environment = {"GRADCLI_BACKEND": "torch"} if way == "environment" else {}
    if way == "settings":
        (tmp_path / "pyproject.toml").write_text('[tool.gradcli]\nbackend = "torch"\n')
    done = gradcli("eval", "sum(x**2)", "x=[1,2]", "-f", "json", *options, **environment)
    found = json.loads(done.stdout)
    assert done.stderr == ""
    assert (found["value"], found["grads"], found["backend"]) == (5.0, {"x": [2.0, 4.0]}, "torch")


@needs_torch
@pytest.mark.parametrize("more", ["--jacobian", "--hessian", "--steps", "--trace-nan"])
def test_what_is_printed_does_not_depend_on_the_backend(gradcli: Run, more: str) -> None:
    arguments = ("eval", "mean(log(x)**2)", "x=[1,2,0.5]", more)
    here, there = gradcli(*arguments), gradcli(*arguments, "--backend", "torch", "--device", "cpu")
    assert here.stdout == there.stdout != ""
    assert here.stderr == there.stderr


@needs_torch
def test_records_of_a_stream_and_checks_take_a_backend(gradcli: Run) -> None:
    done = gradcli("eval", "sum(x**2)", "--each", "--backend", "torch", stdin='{"x": [1, 2]}\n')
    assert json.loads(done.stdout)["backend"] == "torch"
    done = gradcli("check", "x**3", "--expect", "3*x**2", "--backend", "torch")
    assert done.returncode == 0, done.stderr


@needs_torch
def test_control_flow_forces_values(gradcli: Run) -> None:
    script = (
        "import torch\nx = torch.tensor([3.0], requires_grad=True)\n"
        "while (x * x).sum() > 1:\n    loss = (x * x).sum()\n    loss.backward()\n"
        "    with torch.no_grad():\n        x -= 0.2 * x.grad\n        x.grad = None\n"
        "    if loss.item() < 4:\n        print(loss)\n"
        "try:\n    torch.tensor([1]) // torch.tensor([0])\n"
        "except RuntimeError as error:\n    print(error)\nprint(x)\n"
    )
    here, there = (
        gradcli("run", "-", stdin=script),
        gradcli("run", "-", "--backend", "torch", stdin=script),
    )
    assert here.stdout == there.stdout
    assert "ZeroDivisionError" in there.stdout
    assert there.returncode == 0


def test_what_runs_on_the_host_is_said_once(gradcli: Run) -> None:
    if find_spec("torch") is None:
        pytest.skip("torch is not installed")
    expression = "sum(bessel_j0(x) + bessel_j0(2*x))"
    done = gradcli("eval", expression, "x=[1,2]", "--backend", "torch", "--no-grad")
    assert done.stderr == "note: torch has no bessel_j0: it runs on the host\n"
    assert done.stdout == gradcli("eval", expression, "x=[1,2]", "--no-grad").stdout


@pytest.mark.parametrize(
    ("options", "fact", "help"),
    [
        (("--device", "cuda"), "the numpy backend does not run on cuda", "--backend"),
        (("--device", "tpu"), "'tpu' is no device", "cpu, cuda, cuda:N, mps"),
        (("--device", "cuda:x"), "'cuda:x' is no device", "cuda:N"),
        (("--backend", "cupy", "--device", "cpu"), "does not run on cpu", "--backend numpy"),
    ],
)
def test_a_device_that_cannot_be_is_refused(
    gradcli: Run, options: tuple[str, ...], fact: str, help: str
) -> None:
    done = gradcli("eval", "x**2", "x=3", *options)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "error[G071]" in done.stderr
    assert fact in done.stderr
    assert help in done.stderr


@needs_torch
def test_a_device_that_is_not_there_is_refused(gradcli: Run) -> None:
    done = gradcli("eval", "x**2", "x=3", "--backend", "torch", "--device", "cuda:99")
    assert done.returncode == 2
    assert "error[G071]: torch finds no device cuda:99 on this machine" in done.stderr
    assert "it finds cpu" in done.stderr


@pytest.mark.parametrize("name", ["jax", "torch", "cupy"])
def test_a_missing_extra_is_a_line_with_the_command(name: str) -> None:
    done = process(
        f"import sys; sys.modules[{name!r}] = None\nfrom gradcli.cli.main import main\n"
        f"main(['eval', 'x**2', 'x=3', '--backend', {name!r}])"
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"error[G071]: the {name} backend needs {name}, which is not installed" in done.stderr
    assert f"pip install 'gradcli[{name}]'" in done.stderr


@pytest.mark.parametrize("arguments", [["eval", "x**2", "x=3"], ["backends"], ["--help"]])
def test_nothing_is_imported_that_was_not_asked_for(arguments: list[str]) -> None:
    done = process(
        "import sys\nfrom gradcli.cli.main import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"print([n for n in {LIBRARIES!r} if n in sys.modules], file=sys.stderr)"
    )
    assert done.stderr == "[]\n"


@needs_torch
def test_one_backend_imports_no_other() -> None:
    done = process(
        "import sys, gradcli\ngradcli.evaluate('sum(x)', {'x': [1.0]}, backend='torch')\n"
        f"print([n for n in {LIBRARIES!r} if n in sys.modules])"
    )
    assert done.stdout == "['torch']\n", done.stderr


def test_backends_lists_all(gradcli: Run) -> None:
    found = json.loads(gradcli("backends", "-f", "json").stdout)
    assert [record["name"] for record in found][:1] == ["numpy"]
    assert {"jax", "torch", "cupy"} <= {record["name"] for record in found}
    for record in found:
        assert (record["version"] is None) == ("install" in record)
    assert "numpy" in gradcli("backends").stdout


def test_numpy_is_timed(gradcli: Run) -> None:
    done = gradcli("backends", "--bench", "--seconds", "0.01", "-f", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["seconds"] > 0


@pytest.mark.parametrize("command", ["eval", "run", "check", "bench"])
@pytest.mark.parametrize("backend", [(), ("--backend", "numpy")])
def test_a_scheduler_without_dask_is_refused(
    gradcli: Run, command: str, backend: tuple[str, ...]
) -> None:
    for options in (("--scheduler", "local", *backend), (*backend, "--scheduler", "local")):
        done = gradcli(command, "x", "x=1", *options)
        assert (done.returncode, done.stdout) == (2, "")
        assert "error[G070]: --scheduler is for --backend dask\nhelp: " in done.stderr


def test_a_scheduler_in_the_environment_waits_for_dask(gradcli: Run) -> None:
    done = gradcli("eval", "x*2", "x=1", "--no-grad", GRADCLI_SCHEDULER="tcp://nowhere:1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "tensor(2.)\n", "")

"""What every command shares: exit codes, errors as one block, streams, colour, limits, help."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gradcli.errors import CODES
from gradcli.render.explanations import EXPLANATIONS

CHECKS = ("G080", "G081", "G082", "G083")
"""Codes of checks that fail, which are results, not errors."""
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "place", "help"),
    [
        (["eval", "mean(x"], "", "G001", "<expr>:1:", ""),
        (["eval", "import os"], "", "G0", "<expr>:1:1", ""),
        (["eval", "men(x)", "x=1"], "", "G010", "<expr>:1:1", "did you mean mean?"),
        (["eval", "mean(3*x)", "--steps"], "", "G012", "<expr>:1:8", "x=3"),
        (["run", "-", "x:2,3"], "print(x)", "G012", "", "x=3"),
        (["eval", "x + y", "x=ones(3)", "y=ones(4)"], "", "G020", "<expr>:1:1", ""),
        (["eval", "X @ w", "X=ones(2,3)", "w=ones(5,3)"], "", "G021", "1:1", "X @ w.T?"),
        (["eval", "x[5]", "x=[1,2]"], "", "G022", "<expr>:1:1", ""),
        (["eval", "2j*x", "x=2"], "", "G034", "<expr>:1:1", ".abs()"),
        (["eval", "sum(x, dim=3)", "x=[1,2]"], "", "G023", "<expr>:1:1", ""),
        (["eval", "x.view(3)", "x=[1,2]"], "", "G024", "<expr>:1:1", ""),
        (["eval", "mean(x)", "x=tensor([1])"], "", "G025", "<expr>:1:1", ".float()"),
        (["eval", "sum(x, dims=0)", "x=[1]"], "", "G013", "<expr>:1:1", "did you mean dim?"),
        (["eval", "1/0"], "", "G040", "<expr>:1:1", ""),
        (["eval", "10**10**10"], "", "G062", "<expr>:1:1", ""),
        (["eval", "x", "x=@missing.npy"], "", "G050", "<x>:1:1", ""),
        (["eval", "x", "x=-"], "1,2\n3\n", "G051", "", ""),
        (["eval", "ones(10**6, 10**6)"], "", "G060", "<expr>:1:1", "--max-memory"),
        (["eval", "x", "x=1", "-w", "y"], "", "G012", "", ""),
        (["eval", "x", "y"], "", "G070", "", "NAME=VALUE"),
        (["eval", "x", "x=1", "--formt", "json"], "", "G070", "", "--format"),
        (["eval", "-x", "x=1"], "", "G070", "", "-- -x"),
        (["evla", "x"], "", "G070", "", "did you mean eval?"),
        (["eval", "x", "x=1", "-o", "r.xyz"], "", "G070", "", "-f"),
        (["eval", "x", "x=1", "--max-memory", "lots"], "", "G070", "", "512MB"),
        (["eval", "x", "x=1", "--timeout", "nan"], "", "G070", "", "--help"),
        (["eval", "x", "x=1", "--timeout", "inf"], "", "G070", "", "--help"),
        (["bench", "x", "x=1", "--seconds", "inf"], "", "G070", "", "--help"),
        (["backends", "--bench", "--seconds", "nan"], "", "G070", "", "--help"),
        (["bench", "x", "x=1", "-o", "times.csv"], "", "G070", "", "-f"),
        (["eval", "x", "x=1", "--seed", "9" * 30], "", "G070", "", "--seed 0"),
        (["eval", "x", "x=1", "-w", ","], "", "G070", "", "--wrt x,y"),
        (["eval", "x", "x=[1,'a']"], "", "G014", "<x>:1:1", ""),
        (["eval", "2**100000"], "", "G062", "", "floating-point"),
        (["eval", "[2**100000]", "-f", "json"], "", "G062", "", "floating-point"),
        (["repl"], "2**100000", "G062", "", "floating-point"),
        (["check", "x**2", "--tolerance", "nan"], "", "G070", "", "--help"),
        (["check", "x**2", "-e", "x=1", "-e", "x=2*x"], "", "G070", "", "-e x="),
        (["run", "missing.py"], "", "G050", "", ""),
        (["run", "-"], "print(z)", "G010", "<stdin>:1:7", "z=3"),
        (["run", "-"], "torch.zork(2)", "G011", "<stdin>:1:1", "gradcli ops zork"),
        (["eval", "[1]", "-f", "npz"], "", "G053", "", "-f json"),
        (["eval", "x", "x=1", "-o", "."], "", "G053", "", "result.json"),
        (["run", "-"], "while True: pass", "G061", "", "--timeout"),
        (["run", "-"], "raise ValueError('no')", "G042", "<stdin>:1:1", ""),
        (["run", "-"], "class A: pass", "G002", "<stdin>:1:1", ""),
        (["run", "-"], "w = ones(2)\nw - 0.1*w.grad", "G014", "<stdin>:2:5", "until backward()"),
        (["ops", "nosuchfunction"], "", "G010", "", ""),
        (["ops", "--outside", "softmax"], "", "G010", "", "gradcli ops softmax looks for it"),
        (["ops", "torch.optim.SGD"], "", "G010", "", "write the step, `w -= lr * w.grad`"),
        (["explain", "G999"], "", "G010", "", ""),
    ],
)
def test_errors_are_one_block_with_a_way_out(gradcli, arguments, stdin, code, place, help):
    extra = ["--timeout", "0.5"] if code == "G061" else []
    done = gradcli(*arguments, *extra, stdin=stdin)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith(f"error[{code}")
    assert done.stderr.count("error[") == 1
    assert place in done.stderr
    assert help in done.stderr
    assert "Traceback" not in done.stderr


def test_a_hint_is_given_once(gradcli):
    error = gradcli("eval", "x", "--formt", "json").stderr
    assert error.lower().count("did you mean") == 1


def test_names_are_the_same_in_bindings_and_expressions(gradcli):
    """Python reads compatibility characters as the plain ones."""
    done = gradcli("eval", "\uff41**2", "\uff41=3", "-w", "\uff41")
    assert (done.stderr, done.stdout.splitlines()[1:]) == ("", ["a.grad:", "tensor(6.)"])


def test_every_function_is_listed_with_its_derivative(gradcli):
    done = gradcli("ops")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) > 500
    assert [line for line in lines if len(line.split(None, 1)) < 2] == []


def test_what_is_outside_is_listed_with_its_reason(gradcli):
    """Each name with its reason; what is there is not among them."""
    records = json.loads(gradcli("ops", "--outside", "-f", "json").stdout)
    names = {name for record in records for name in record["names"]}
    assert {"optim", "jit", "nn.*"} <= names
    assert not names & {line.split()[0] for line in gradcli("ops").stdout.splitlines()}
    done = gradcli("ops", "--outside")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"{record['reason']}\n    " in done.stdout for record in records)
    (record,) = json.loads(gradcli("ops", "--outside", "torch.optim.SGD", "-f", "json").stdout)
    assert record["names"] == ["optim"]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("tanh", ["derivative  x: g*(1 - out**2)", "grad_fn     TanhBackward0"]),
        ("softmax", ["derivative  X: out*(g - sum(g*out, 0))", "grad_fn     SoftmaxBackward0"]),
        ("matmul", ["derivative  y: g*x", "of matmul(x, y)", "grad_fn     DotBackward0"]),
        ("floor_divide", ["aten::floor_divide is not implemented"]),
        ("argmax", ["derivative  none: the result jumps"]),
        ("unique_consecutive", ["grad_fn     UniqueConsecutiveBackward0"]),
        ("zeros", ["zeros(*size"]),
        ("swapaxes", ["swapaxes(input, axis0, axis1)", "also        torch.transpose"]),
        ("unsafe_split_with_sizes", ["also        Tensor.unsafe_split_with_sizes"]),
    ],
)
def test_a_function_is_described(gradcli, name: str, lines: list[str]):
    done = gradcli("ops", name)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(line in done.stdout for line in lines)
    assert ("grad_fn" in done.stdout) is (name not in ("argmax", "zeros"))


@pytest.mark.parametrize(
    ("command", "status", "stdout", "stderr"),
    [
        ("eval x x=3 >&-", 0, "", ""),
        ("eval 'men(x)' x=3 2>&-", 2, "", ""),
        ("eval x x=3 > /dev/full", 2, "", "error[G053]: the result cannot be written"),
        ("graph x x=3 --to png > /dev/full", 2, "", "error[G053]: the result cannot be written"),
        ("eval x x=3", 0, "tensor(3.", ""),
    ],
)
def test_streams_that_take_nothing(tmp_path: Path, command, status, stdout, stderr):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && {sys.executable} -m gradcli {command}"
    done = subprocess.run(
        ["sh", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert done.returncode == status
    assert done.stdout.startswith(stdout)
    assert done.stderr.startswith(stderr)
    assert bool(done.stderr) == bool(stderr)


def test_an_encoding_without_a_character_shows_its_escape(gradcli):
    done = gradcli("graph", "x*2", "x=3", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "\\u2514\\u2500\\u2500 x  scalar float32" in done.stdout


def test_a_failed_assert_is_exit_code_1(gradcli):
    done = gradcli("run", "-", stdin="print('before')\nassert 1 + 1 == 3, 'sums'\n")
    assert done.returncode == 1
    assert done.stdout == "before\n"
    assert done.stderr.startswith("error[G041]")


def test_a_shebang_line_works(gradcli, tmp_path: Path):
    script = tmp_path / "s.py"
    script.write_text("#!/usr/bin/env -S gradcli run\nprint(x * 2)\n")
    done = gradcli("run", "s.py", "x=3")
    assert done.stdout == "tensor(6.)\n"


def test_explanations_cover_every_code(gradcli):
    assert set(EXPLANATIONS) == set(CODES)
    done = gradcli("explain", "g021")
    assert done.stdout.startswith("G021: matrix shapes do not fit")
    assert "gradient by x: g*y" in gradcli("explain", "MulBackward0").stdout


def test_every_explanation_s_example_shows_its_code(gradcli, tmp_path: Path):
    tool = tmp_path / "bin"
    tool.mkdir()
    (tool / "gradcli").write_text(f'#!/bin/sh\nexec {sys.executable} -m gradcli "$@"\n')
    (tool / "gradcli").chmod(0o755)
    np_file = tmp_path / "data.npz"
    import numpy as np

    np.savez(np_file, X=np.ones(2), w=np.ones(2))
    environment = {**os.environ, "PATH": f"{tool}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    for code, (_, _, example) in EXPLANATIONS.items():
        if code in ("G037", "G071", "G072", "G098", "G099"):
            continue
        done = subprocess.run(
            ["sh", "-c", example],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        told = f"error[{code}]" in done.stderr or f"warning[{code}]" in done.stderr
        shown = told or (code in CHECKS and f"[{code}]" in done.stdout)
        assert shown, (code, done.stdout, done.stderr)


def test_help_shows_examples_first(gradcli):
    for command in ([], ["eval"], ["run"], ["diff"], ["ops"], ["explain"], ["backends"]):
        done = gradcli(*command, "--help")
        assert done.returncode == 0
        assert done.stdout.index("gradcli ") < done.stdout.index("Options:")
        assert gradcli(*command, "-h").stdout == done.stdout
    assert gradcli("--version").stdout.startswith("gradcli ")


def test_help_imports_neither_numpy_nor_lark():
    code = (
        "import sys; sys.argv = ['gradcli', 'eval', '--help']\n"
        "from gradcli.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert not {'numpy', 'lark', 'rich', 'scipy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


def test_eval_imports_neither_rich_nor_scipy():
    code = (
        "import sys; sys.argv = ['gradcli', 'eval', 'mean(x*2)', 'x=ones(2)']\n"
        "from gradcli.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "assert not {'rich', 'scipy', 'numpy.random', 'json'} & set(sys.modules) - BASE\n"
    )
    base = "import sys, numpy, click\nBASE = set(sys.modules)\n"
    done = subprocess.run(
        [sys.executable, "-c", base + code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_colour_only_adds_style(gradcli):
    plain = gradcli("eval", "1/0").stderr
    assert "\x1b" not in plain
    coloured = gradcli("eval", "1/0", "--color", "always").stderr
    assert "\x1b[" in coloured
    import re

    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert "\x1b[" in gradcli("eval", "1/0", FORCE_COLOR="1").stderr
    assert "\x1b[" not in gradcli("eval", "1/0", FORCE_COLOR="1", NO_COLOR="1").stderr
    assert "\x1b[" not in gradcli("eval", "1/0", "--color=never", FORCE_COLOR="1").stderr


def test_a_closed_pipe_is_silent(tmp_path: Path):
    command = f"{sys.executable} -m gradcli eval 'print(1) or arange(100000)' --no-grad | head -1"
    script = "for i in range(100000): print(i)"
    command = f"echo '{script}' | {sys.executable} -m gradcli run - | head -1"
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_interrupt_ends_with_130():
    process = subprocess.Popen(
        [sys.executable, "-m", "gradcli", "run", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"print('ready', flush=True)\nwhile True: pass\n")
    process.stdin.close()
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stdout.close()
    process.stderr.close()


def test_binary_output_is_refused_on_a_terminal(tmp_path: Path):
    pexpect = pytest.importorskip("pexpect")
    child = pexpect.spawn(
        sys.executable, ["-m", "gradcli", "eval", "x", "x=1", "-f", "npy"], cwd=str(ROOT)
    )
    child.expect("G053.*stdout is a terminal")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2


def test_standard_input_that_is_a_terminal_is_no_hang():
    pexpect = pytest.importorskip("pexpect")
    child = pexpect.spawn(
        sys.executable, ["-m", "gradcli", "eval", "sum(x)", "x=-"], cwd=str(ROOT), timeout=20
    )
    child.expect("which is a terminal")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 2


def test_memory_is_refused_before_it_is_allocated(gradcli):
    done = gradcli("eval", "x[:, None] * x", "x=ones(100000)", "--max-memory=1GB", "-fjson")
    assert done.returncode == 2
    assert "error[G060]" in done.stderr
    assert "40.0 GB" in done.stderr


def test_memory_is_refused_for_what_is_needed_at_a_time(gradcli):
    text = "sum(tanh(x@x.T)@exp(x.T@x))"
    for limit, code in (("24MB", 2), ("100MB", 0)):  # a matrix takes 16
        done = gradcli("eval", text, "x=ones(2000, 2000)/2000", f"--max-memory={limit}")
        assert done.returncode == code, done.stderr
        assert ("2 results are needed at a time" in done.stderr) == (code == 2)
        assert ("32.0 MB" in done.stderr) == (code == 2)


def test_settings_come_from_the_environment(gradcli):
    done = gradcli("eval", "x/3", "x=1", GRADCLI_PRECISION="8")
    assert done.stdout.startswith("tensor(0.33333334,")


def test_completion_script_is_there(gradcli):
    done = gradcli(_GRADCLI_COMPLETE="bash_source")
    assert "_gradcli_completion" in done.stdout

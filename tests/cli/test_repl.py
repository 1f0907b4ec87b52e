"""The interactive session, in a terminal and in a pipe."""

from __future__ import annotations

import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import ROOT, Run, clean_environment

SESSION = """x = tensor(3., requires_grad=True)
y = x**2
y
y.backward(); x.grad
for i in range(2):
    print(i)

_ * 2
"""
ANSWERS = """tensor(9., grad_fn=<PowBackward0>)
tensor(6.)
0
1
tensor(12.)
"""


def test_a_piped_session_prints_values_without_a_prompt(gradcli: Run) -> None:
    done = gradcli("repl", stdin=SESSION)
    assert (done.stdout, done.stderr, done.returncode) == (ANSWERS, "", 0)


def test_an_error_ends_its_statement_and_not_the_session(gradcli: Run) -> None:
    done = gradcli("repl", "a=2", stdin="b = a + c\nfor for\n\nprint(a)\n")
    assert done.stdout == "tensor(2.)\n"
    assert "--> <repl 1>:1:9" in done.stderr
    assert "--> <repl 2>" in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize("text", ["(" * 5000, "'", "x = \\", "\0", "def f(:", "for i in x:\n"])
def test_broken_input_is_an_error_block(gradcli: Run, text: str) -> None:
    done = gradcli("repl", stdin=text)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error[")


def test_a_terminal(tmp_path: Path) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "gradcli", "repl", "x=3"],
        cwd=tmp_path,
        env={**clean_environment(), "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "TERM": "dumb"},
        encoding="utf-8",
        timeout=30,
    )
    child.expect_exact(">>> ")
    child.sendline("x*x")
    child.expect_exact("tensor(9.)")
    child.expect_exact(">>> ")
    child.sendline("def f(a):")
    child.expect_exact("... ")
    child.sendintr()
    child.expect_exact(">>> ")
    child.sendline("y")
    child.expect_exact("error[G010]")
    child.expect_exact(">>> ")
    child.sendeof()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0

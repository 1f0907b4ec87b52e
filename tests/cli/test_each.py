"""`gradcli eval --each`: a result a line for every JSON record, as a stream."""

from __future__ import annotations

import io
import json
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcli
from gradcli.files.json_records import records
from gradcli.render.result import result_json
from tests.cli.conftest import ROOT, clean_environment

MIXED = [
    {"x": 3},
    {"x": [1, 2]},
    {"x": [[0.1, -2], [1e-30, 7]]},
    {"x": [3, 4], "id": "b", "more": {"x": 1}},
    {"x": ["NaN", 1, "-Infinity"]},
    {"x": []},
    {"x": 0.1, "flag": False},
]


def lines(found: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in found)


def alone(expression: str, record: dict[str, Any], **options: Any) -> str:
    """The line of one evaluation."""
    return result_json(gradcli.evaluate(expression, record, **options))


@pytest.mark.parametrize(
    ("expression", "arguments", "options"),
    [
        ("mean(3*(x+2)**2)", [], {}),
        ("x*2", ["--no-grad"], {"gradients": False}),
        ("sin(x)*x", ["--jacobian"], {"jacobian": True}),
        ("sum(x**3)", ["--hessian", "-w", "x"], {"hessian": True, "wrt": ["x"]}),
        ("x if sum(x) > 2 else -x", [], {}),
        ("len(x.shape)", [], {}),
    ],
    ids=lambda v: str(v)[:20],
)
def test_each_line_is_what_one_evaluation_prints(gradcli, expression, arguments, options):
    done = gradcli("eval", expression, "--each", *arguments, stdin=lines(MIXED + MIXED))
    wanted = [alone(expression, {"x": values(r["x"])}, **options) for r in MIXED]
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == wanted + wanted


def values(value: Any) -> Any:
    if isinstance(value, list):
        return [values(item) for item in value]
    return float(value) if isinstance(value, str) else value


def test_fixed_bindings_stand_beside_the_records_which_come_before_them(gradcli):
    done = gradcli(
        *("eval", "sum((x-c)**2)", "c=[1,2]", "--each", "-w", "x"),
        stdin=lines([{"x": [0, 0]}, {"x": [1, 2]}, {"x": [1, 2], "c": [0, 0]}]),
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["value"] for r in found] == [5, 0, 5]
    assert [r["grads"] for r in found] == [{"x": [-2, -4]}, {"x": [0, 0]}, {"x": [2, 4]}]


def test_a_fixed_binding_may_be_rows_of_a_file(gradcli, tmp_path):
    np.save(tmp_path / "X.npy", np.ones((300_000, 16), np.float32))
    arguments = ["eval", "mean(X)*c", "X=@X.npy", "--each", "-w", "c", "--rows"]
    done = gradcli(*arguments, "X", "-v", stdin='{"c": 1}\n{"c": 2}\n')
    assert [json.loads(line)["value"] for line in done.stdout.splitlines()] == [1, 2]
    assert done.stderr.count("300000 rows of X (19.2 MB from files)") == 2
    done = gradcli(*arguments, "Y", stdin='{"c": 1}\n')
    assert (done.returncode, done.stdout) == (2, "")
    assert "--rows: there is no variable Y" in done.stderr


def test_a_write_to_a_fixed_binding_does_not_reach_the_next_record(gradcli):
    done = gradcli("eval", "c.add_(x)", "c=1", "--each", "--no-grad", stdin='{"x": 1}\n' * 3)
    assert [json.loads(line)["value"] for line in done.stdout.splitlines()] == [2, 2, 2]


@pytest.mark.parametrize("vector", ["[1,10]", "2*x", "c*ones(2)"])
def test_a_cotangent_may_depend_on_the_record(gradcli, vector):
    done = gradcli(
        *("eval", "x**2 + c", "c=3", "--each", "--vjp", vector, "-w", "x"),
        stdin=lines([{"x": [1, 2]}, {"x": [3, 4]}, {"x": [5, 6]}]),
    )
    for record, line in zip([[1, 2], [3, 4], [5, 6]], done.stdout.splitlines(), strict=True):
        v = {"[1,10]": [1, 10], "2*x": [2 * r for r in record], "c*ones(2)": [3, 3]}[vector]
        assert json.loads(line)["grads"]["x"] == [2 * a * b for a, b in zip(record, v, strict=True)]


def test_directions_and_steps_work_for_each(gradcli):
    done = gradcli("eval", "sum(x**3)", "--each", "--hvp", "x=x", stdin='{"x": [1, 2]}\n{"x": 3}\n')
    assert [json.loads(line)["hvp"]["x"] for line in done.stdout.splitlines()] == [[6, 24], 54]
    done = gradcli("eval", "sum(x**3)", "--each", "--steps", stdin='{"x": [1, 2]}\n{"x": 3}\n')
    steps = [json.loads(line)["steps"] for line in done.stdout.splitlines()]
    assert [s[0]["passes"] for s in steps] == [{"x": "3*g*x**2"}] * 2


def test_what_is_random_is_drawn_anew(gradcli):
    done = gradcli("eval", "x + randn(2)", "--each", "--seed", "1", stdin='{"x": 0}\n' * 3)
    found = [tuple(json.loads(line)["value"]) for line in done.stdout.splitlines()]
    assert len(set(found)) == 3


def test_bad_records_are_reported_with_their_lines_while_others_go_on(gradcli):
    bad = [
        '{"x": [1, 2, 3]}',
        '{"y": 3}',
        '{"x": [[1, 2], [3]]}',
        "[1]",
        '{"x": NaN}',
        '{"x": [1, 2]',
        "nonsense",
        '{"x": 1e999}',
        '{"a": {"x": [1]}, "x":  null}',
        b'{"x": "\xff"}',
        "[" * 100_000,
    ]
    good = b'{"x": [1, 2]}'
    text = b""
    for line in bad:
        text += good + b"\n" + (line if isinstance(line, bytes) else line.encode()) + b"\n"
    done = gradcli("eval", "x @ c", "c=[1,2]", "--each", stdin=text + good)
    assert done.returncode == 2
    found = [json.loads(line)["value"] for line in done.stdout.splitlines()]
    assert found == [5.0] * (len(bad) + 1)
    places = re.findall(r"(?:-->|:::) <stdin>:(\S+)", done.stderr)
    assert "Traceback" not in done.stderr
    wanted = ["2:1", "4:1", "6:7", "8:1", "10:7", "12:13", "14:1", "16:7", "18:25", "20:8", "22:1"]
    assert places == wanted
    assert "error[G012]: x has no value\n  --> <expr>:1:1" in done.stderr


def test_fail_fast_stops_at_the_first_bad_record(gradcli, tmp_path: Path):
    text = '{"x": 1}\n{"x": 2}\n{"x": "a"}\n{"x": 4}\n'
    done = gradcli("eval", "x*x", "--each", "--fail-fast", stdin=text)
    assert done.returncode == 2
    assert [json.loads(line)["value"] for line in done.stdout.splitlines()] == [1, 4]
    assert "<stdin>:3:7" in done.stderr
    gradcli("eval", "x*x", "--each", "--fail-fast", "-o", "out.jsonl", stdin=text)
    assert list(tmp_path.iterdir()) == []
    gradcli("eval", "x*x", "--each", "-o", "out.jsonl", stdin=text)
    found = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["value"] for line in found] == [1, 4, 16]


@pytest.mark.parametrize(
    "text",
    ["", "\n\n", '{"x": 1}', '\n \n{"x": 1}\r\n\n', '\ufeff{"x": 1}\n', '{"x": 1, "x": 1}'],
)
def test_lines_that_are_empty_and_ends_of_lines(gradcli, text):
    done = gradcli("eval", "x", "--each", stdin=text)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == ("x" in text)
    empty = 'note: standard input held no record\nhelp: write one a line: {"x": 3}\n'
    assert done.stderr == ("" if "x" in text else empty)


def test_the_note_on_results_without_gradients_comes_once(gradcli):
    done = gradcli("eval", "x*x", "--each", stdin='{"x": [1, 2]}\n' * 5)
    assert done.stderr.count("note: the result is (2,), not a scalar") == 1
    assert len(done.stdout.splitlines()) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x", "--each", "-f", "npz"], "npz shows one result, --each gives many"),
        (["x", "--each", "-o", "r.npy"], "npy shows one result, --each gives many"),
        (["x", "--each", "--trace-nan"], "a trace shows one result"),
        (["x", "--fail-fast", "x=1"], "--fail-fast is for --each"),
        (["x + y", "--each", "y=-"], "standard input is read by --each"),
        (["-", "--each"], "standard input is read by --each"),
        (["x", "--each", "--vjp", "-"], "standard input is read by --each"),
    ],
)
def test_what_does_not_go_with_each_is_refused(gradcli, arguments, message):
    done = gradcli("eval", *arguments, stdin='{"x": 1}\n')
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def started(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "gradcli", "eval", *arguments, "--each"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**clean_environment(), "PYTHONPATH": str(ROOT)},
    )


def ask(process: subprocess.Popen[bytes], record: dict[str, Any]) -> Any:
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(record).encode() + b"\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())["value"]


def test_each_record_is_answered_before_the_next_one_and_ctrl_c_ends_it():
    with started("sum(x*2)") as process:
        assert [ask(process, {"x": [i, 1]}) for i in range(4)] == [2, 4, 6, 8]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr is not None
        assert process.stderr.read().strip() == b""


def test_a_closed_pipe_is_silent():
    with started("x") as process:
        assert ask(process, {"x": 1}) == 1
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.write(b'{"x": 2}\n' * 3)
        process.stdin.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == b""


def test_a_time_limit_ends_the_stream():
    with started("x", "--timeout", "1") as process:
        assert ask(process, {"x": 1}) == 1
        assert process.wait(20) == 2
        assert process.stderr is not None
        assert b"error[G061]" in process.stderr.read()


def resident(process: subprocess.Popen[bytes]) -> int:
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_memory_does_not_grow_with_the_stream():
    batch = b"".join(b'{"x": [%s]}\n' % b", ".join([b"1"] * (1 + n % 20)) for n in range(100))
    with started("sum(x*c)", "c=2") as process:
        assert process.stdin
        assert process.stdout
        for number in range(150):
            process.stdin.write(batch)
            process.stdin.flush()
            answers = [process.stdout.readline() for _ in range(100)]
            assert json.loads(answers[-1])["value"] == 40
            if number == 30:
                before = resident(process)
        assert resident(process) - before < 2 << 20
        process.stdin.close()
        assert process.wait(20) == 0


def test_a_line_that_is_too_long_is_refused_and_the_next_one_read(tmp_path: Path):
    path = tmp_path / "long.jsonl"
    path.write_bytes(b'{"x": 1}\n[' + b"1, " * 3_000_000 + b'\n{"x": 2}\n')
    with path.open("rb") as stream:
        first, second, third = records(stream, limit=4 << 20)
    assert first.members() == {"x": 1}
    with pytest.raises(gradcli.GradcliError, match="line 2 holds more than the memory limit"):
        second.members()
    assert third.members() == {"x": 2}


NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=32)
SHAPED = st.recursive(NUMBERS, lambda inner: st.lists(inner, min_size=2, max_size=2), max_leaves=6)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=3), SHAPED, max_size=3), SHAPED)
def test_numbers_survive_the_way_in_and_out(others: dict[str, Any], value: Any) -> None:
    text = json.dumps({name: word(v) for name, v in {**others, "x": value}.items()})
    (record,) = records(io.BytesIO(text.encode()))
    try:
        found = record.value("x", record.members()["x"])
    except gradcli.GradcliError:
        with pytest.raises(ValueError, match="inhomogeneous"):
            np.array(value)
        return
    assert np.array_equal(found, np.array(value), equal_nan=True)


def word(value: Any) -> Any:
    if isinstance(value, list):
        return [word(item) for item in value]
    if math.isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"

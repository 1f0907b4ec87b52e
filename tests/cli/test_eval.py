"""`gradcli eval` as a user calls it: expressions, bindings, options, output formats."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

TUTORIAL = """tensor(27., grad_fn=<MeanBackward0>)
x.grad:
tensor([[4.5000, 4.5000],
        [4.5000, 4.5000]])
"""


def test_the_contract_s_example(gradcli):
    done = gradcli("eval", "mean(3*(x+2)**2)", "x=ones(2,2)")
    assert (done.stdout, done.stderr, done.returncode) == (TUTORIAL, "", 0)


def test_json_is_the_contract_s_object(gradcli):
    done = gradcli("eval", "mean(3*(x+2)**2)", "x=ones(2,2)", "-f", "json")
    assert json.loads(done.stdout) == {
        "gradcli": 1,
        "expression": "mean(3*(x+2)**2)",
        "value": 27.0,
        "shape": [],
        "dtype": "float32",
        "grad_fn": "MeanBackward0",
        "grads": {"x": [[4.5, 4.5], [4.5, 4.5]]},
        "backend": "numpy",
    }


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (["x*2", "x=3"], "tensor(6., grad_fn=<MulBackward0>)"),
        (["sum(x)", "x=[[1,2],[3,4]]"], "tensor(10., grad_fn=<SumBackward0>)"),
        (["x", "x=tensor([1,2])"], "tensor([1, 2])"),
        (["x + y", "x=2", "y=x*3"], "tensor(8., grad_fn=<AddBackward0>)"),
        (["--", "-x**2", "x=-3"], "tensor(-9., grad_fn=<NegBackward0>)"),
        (["x**2", "x=-3"], "tensor(9., grad_fn=<PowBackward0>)"),
        (["1 + 2"], "3"),
        (["mean(x)", "x=1e-3"], "tensor(0.0010, grad_fn=<MeanBackward0>)"),
        (["sum(x) if flag else x", "x=[1,2]", "flag=True"], "tensor(3., grad_fn=<SumBackward0>)"),
    ],
)
def test_value_and_bindings(gradcli, arguments, first):
    done = gradcli("eval", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == first


def test_data_files_keep_their_dtype_and_text_gets_the_default(gradcli, tmp_path: Path):
    np.save(tmp_path / "x.npy", np.array([1.0, 2.0]))
    np.savez(tmp_path / "x.npz", a=np.array([1, 2], np.float32), b=np.zeros(3))
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    (tmp_path / "d.json").write_text('{"p": {"q": [1, 2]}}')
    for binding, dtype in [
        ("x=@x.npy", "float64"),
        ("x=@x.npz:a", "float32"),
        ("x=@t.csv:b", "float32"),
        ("x=@d.json:p.q", "float32"),
    ]:
        done = gradcli("eval", "sum(x**2)", binding, "-f", "json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["dtype"] == dtype
        assert len(json.loads(done.stdout)["grads"]["x"]) == 2


@pytest.mark.parametrize("kind", ["csv", "json", "npy"])
def test_standard_input_is_recognised_by_content(gradcli, kind: str):
    array = np.array([[1.0, 2.0], [3.0, 4.0]])
    buffer = io.BytesIO()
    np.save(buffer, array)
    content = {"csv": b"1,2\n3,4\n", "json": b"[[1,2],[3,4]]", "npy": buffer.getvalue()}[kind]
    done = gradcli("eval", "sum(x**2)", "x=-", "-f", "json", stdin=content)
    record = json.loads(done.stdout)
    assert record["grads"]["x"] == [[2, 4], [6, 8]]
    assert record["dtype"] == ("float64" if kind == "npy" else "float32")


def test_expression_from_standard_input_and_from_a_file(gradcli, tmp_path: Path):
    (tmp_path / "loss.txt").write_text("mean(3*(x+2)**2)\n")
    assert gradcli("eval", "@loss.txt", "x=ones(2,2)").stdout == TUTORIAL
    assert gradcli("eval", "-", "x=ones(2,2)", stdin="mean(3*(x+2)**2)\n").stdout == TUTORIAL


def test_standard_input_serves_one_reader(gradcli):
    done = gradcli("eval", "-", "x=-", stdin="x")
    assert done.returncode == 2
    assert "error[G070]: standard input is read by the expression" in done.stderr


def test_wrt_chooses_and_unused_is_none(gradcli):
    done = gradcli("eval", "x*y", "x=2", "y=3", "z=4", "-w", "x,z")
    assert "x.grad:\ntensor(3.)\nz.grad:\nNone\n" in done.stdout
    assert "y.grad" not in done.stdout
    done = gradcli("eval", "x*y", "x=2", "y=3", "z=4", "-w", "x,z", "-f", "json")
    assert json.loads(done.stdout)["grads"] == {"x": 3.0, "z": None}


def test_no_grad_prints_the_value_alone(gradcli):
    assert gradcli("eval", "x*2", "x=[1,2]", "--no-grad").stdout == "tensor([2., 4.])\n"


def test_vjp_and_the_note_without_it(gradcli):
    done = gradcli("eval", "x**2", "x=[1,2]", "--vjp", "[1,10]")
    assert done.stdout.endswith("x.grad:\ntensor([ 2., 40.])\n")
    assert done.stderr == ""
    done = gradcli("eval", "x**2", "x=[1,2]")
    assert done.stdout == "tensor([1., 4.], grad_fn=<PowBackward0>)\n"
    assert "note: the result is (2,), not a scalar" in done.stderr
    assert "--vjp" in done.stderr


def test_vjp_of_the_wrong_shape(gradcli):
    done = gradcli("eval", "x**2", "x=[1,2]", "--vjp", "[1,2,3]")
    assert done.returncode == 2
    assert done.stderr.startswith("error[G036]: Mismatch in shape")


def test_steps(gradcli):
    done = gradcli("eval", "log(1 + x**2)", "x=2", "--steps", "-f", "json")
    steps = json.loads(done.stdout)["steps"]
    assert [s["expression"] for s in steps] == ["x**2", "1 + x**2", "log(1 + x**2)"]
    assert [round(s["grad"], 6) for s in steps] == [0.2, 0.2, 1.0]
    passed = [s["passes"] for s in steps]
    assert passed == [{"x": "2*g*x"}, {"x**2": "g"}, {"1 + x**2": "g/(1 + x**2)"}]


def test_seed_gives_the_same_numbers(gradcli):
    runs = {gradcli("eval", "x", "x=randn(3)", "--seed", "0").stdout for _ in range(2)}
    assert len(runs) == 1
    assert "1.5410, -0.2934, -2.1788" in runs.pop()


def test_dtype_and_precision(gradcli):
    done = gradcli("eval", "x/3", "x=1", "--dtype", "float64", "--precision", "10")
    assert done.stdout.splitlines()[0] == "tensor(0.3333333333, grad_fn=<DivBackward0>)"
    assert gradcli("eval", "x", "x=1", "--dtype", "int64").returncode == 2


@pytest.mark.parametrize("suffix", ["npz", "npy", "csv", "json", "txt"])
def test_output_files(gradcli, tmp_path: Path, suffix: str):
    path = tmp_path / f"r.{suffix}"
    done = gradcli("eval", "x**2", "x=[1,2]", "--vjp", "[1,1]", "-o", path.name)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
    if suffix == "npz":
        with np.load(path) as members:
            assert {k: members[k].tolist() for k in members} == {
                "value": [1, 4],
                "grad.x": [2, 4],
            }
    elif suffix == "npy":
        assert np.load(path).tolist() == [1, 4]
    elif suffix == "csv":
        assert np.loadtxt(path, delimiter=",").tolist() == [1, 4]
    elif suffix == "json":
        assert json.loads(path.read_text())["grads"] == {"x": [2, 4]}
    else:
        assert path.read_text().startswith("tensor([1., 4.]")


def test_nothing_is_written_when_the_run_fails(gradcli, tmp_path: Path):
    done = gradcli("eval", "x + nosuch", "x=1", "-o", "r.json")
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_million_rows(gradcli, tmp_path: Path):
    rows = np.random.default_rng(0).standard_normal((10**6, 3)).astype(np.float32)
    np.savez(tmp_path / "d.npz", X=rows, y=rows.sum(1))
    done = gradcli("eval", "mean((X@w-y)**2)", "X=@d.npz:X", "y=@d.npz:y", "w=[1,1,1]", "-w", "w")
    assert done.returncode == 0, done.stderr
    assert "w.grad:" in done.stdout
    csv = "\n".join(["a,b", *("1,2" for _ in range(1000))])
    done = gradcli("eval", "sum(x)", "x=-", stdin=csv)
    assert done.stdout.startswith("tensor(3000.")
    assert "summar" not in done.stderr


def test_non_finite_json_is_valid_json(gradcli):
    done = gradcli("eval", "x/y", "x=[0,1,-1]", "y=0", "--no-grad", "-f", "json")
    assert json.loads(done.stdout)["value"] == ["NaN", "Infinity", "-Infinity"]


def test_jacobian_and_hessian(gradcli):
    done = gradcli("eval", "x**2*y", "x=[1,2]", "y=3", "--jacobian", "-f", "json")
    assert json.loads(done.stdout)["jacobian"] == {"x": [[6, 0], [0, 12]], "y": [1, 4]}
    done = gradcli("eval", "sum(x**2*y)", "x=[1,2]", "y=3", "--hessian", "-f", "json")
    assert json.loads(done.stdout)["hessian"]["x"] == {"x": [[6, 0], [0, 6]], "y": [2, 4]}
    done = gradcli("eval", "x**2", "x=[1,2]", "--hessian")
    assert done.returncode == 2
    assert "error[G034]" in done.stderr


def test_products_with_vectors(gradcli):
    done = gradcli("eval", "x**2*y", "x=[1,2]", "y=3", "--jvp", "x=[1,10]")
    assert done.stdout.endswith("jvp:\ntensor([  6., 120.])\n")
    done = gradcli("eval", "sum(x**3)", "x=[1,2]", "--hvp", "x=ones(2)")
    assert done.stdout.endswith("x.hvp:\ntensor([ 6., 12.])\n")
    done = gradcli("eval", "x**2", "x=[1,2]", "--jvp", "z=1")
    assert done.returncode == 2
    assert "error[G012]" in done.stderr


def test_a_jacobian_that_does_not_fit_is_refused_with_its_size(gradcli):
    done = gradcli("eval", "exp(x)", "x=ones(100000)", "--jacobian", "--max-memory", "1GB")
    assert done.returncode == 2
    assert "error[G060]" in done.stderr
    assert "40.0 GB" in done.stderr


def test_trace_nan_and_kinks(gradcli):
    leak = ["eval", "sum(where(x > 0, log(x), 0))", "x=[0,1]"]
    done = gradcli(*leak, "--trace-nan")
    assert done.returncode == 0
    assert done.stdout == gradcli(*leak).stdout
    assert "warning[G083]: log(x) gives -inf" in done.stderr
    assert "help: write where(x > 0, log(where(x > 0, x, 1)), 0)" in done.stderr
    assert gradcli("eval", "x*2", "x=1", "--trace-nan").stderr.startswith("note: every value")
    done = gradcli("eval", "relu(x)", "x=0", "--kinks", "warn")
    assert (done.returncode, done.stdout.count("tensor(0.)")) == (0, 1)
    assert "warning[G084]: relu at 0" in done.stderr
    done = gradcli("eval", "relu(x)", "x=0", "--kinks", "error")
    assert (done.returncode, done.stdout) == (1, "")
    script = "x = torch.tensor(0., requires_grad=True)\ny = x.sqrt()\ny.backward()\nprint(x.grad)\n"
    done = gradcli("run", "-", "--trace-nan", "--kinks", "note", stdin=script)
    assert (done.returncode, done.stdout) == (0, "tensor(inf)\n")
    assert "SqrtBackward0" in done.stderr
    assert "<stdin>:2:5" in done.stderr

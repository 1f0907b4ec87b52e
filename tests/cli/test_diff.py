"""`gradcli diff`, and `gradcli eval` of variables without values, as a user runs them."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import in_its_own_process


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["mean(3*(x+2)**2)"], "6*(x + 2)/numel(x)\n"),
        (["x**2*sin(x)"], "2*x*sin(x) + x**2*cos(x)\n"),
        (
            ["sum((X@w - y)**2)", "--wrt", "w", "X:m,n", "w:n", "y:m"],
            "2*X.T@(X@w - y)\n",
        ),
        (["log(det(X))", "X:n,n"], "inv(X).T\n"),
        (["trace(X.T@A@X)", "-w", "X", "X:n,k", "A:n,n"], "A@X + A.T@X\n"),
        (["norm(A@x - y)", "-w", "x", "A:m,n", "x:n", "y:m"], "A.T@(A@x - y)/norm(A@x - y)\n"),
        (["A@x", "A:m,n", "x:n", "-w", "x"], "A\n"),
        (["A@x", "A:m,n", "x:n", "-w", "x", "--vjp", "v"], "A.T@v\n"),
        (["A@x", "A:m,n", "x:n", "-w", "x", "--jvp", "v"], "A@v\n"),
        (["a*x", "a:", "x:"], "a: x\nx: a\n"),
        (
            ["sum(softplus(X@w))", "-w", "w", "X:m,n", "w:n", "--order", "2"],
            "X.T@diag(s*(1 - s))@X\nwhere s = sigmoid(X@w)\n",
        ),
        (
            ["sum(softplus(X@w))", "-w", "w", "X:m,n", "w:n", "--order", "2", "--no-cse"],
            "X.T@diag(sigmoid(X@w)*(1 - sigmoid(X@w)))@X\n",
        ),
        (["sum(x**2)/n", "x:n"], "2*x/n\n"),
        (["mean(x**2)", "x=[1,2,3]"], "2*x/3\n"),
    ],
)
def test_formulas(gradcli, arguments: list[str], printed: str) -> None:
    done = gradcli("diff", *arguments)
    assert (done.stdout, done.returncode) == (printed, 0), done.stderr


def test_json(gradcli) -> None:
    done = gradcli("diff", "sum((X@w - y)**2)", "-w", "w", "X:m,n", "w:n", "y:m", "-f", "json")
    assert json.loads(done.stdout) == {
        "gradcli": 1,
        "expression": "sum((X@w - y)**2)",
        "derivatives": {"w": {"formula": "2*X.T@(X@w - y)", "where": {}, "shape": ["n"]}},
    }


def test_a_formula_goes_back_into_eval(gradcli) -> None:
    values = ["X=[[1,2],[3,4],[5,6]]", "w=[1,-1]", "y=[0,1,0]"]
    formula = gradcli("diff", "mean((X@w - y)**2)", "X:m,n", "w:n", "y:m", "-w", "w").stdout
    wanted = gradcli("eval", "mean((X@w - y)**2)", *values, "-w", "w").stdout.split("w.grad:\n")[1]
    found = gradcli("eval", formula.strip(), *values, "--no-grad").stdout
    assert found == wanted


def test_eval_without_values_answers_with_formulas(gradcli) -> None:
    done = gradcli("eval", "mean(3*(x+2)**2)")
    assert done.returncode == 0
    assert done.stdout == (
        "mean(3*(x + 2)**2)  grad_fn=<MeanBackward0>\nx.grad:\n6*(x + 2)/numel(x)\n"
    )
    assert "x has no value" in done.stderr
    assert "x=3" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["sum((X@w)**2)"], "G015", "`X@w` needs them"),
        (["sum(x, dim=0)"], "G015", "declare x"),
        (["sum((X@w)**2)", "X:m,n"], "G015", "declare w"),
        (["sum(conv1d(x, w))", "x:1,1,n", "w:1,1,k"], "G015", "declare the smaller size first"),
        (["sort(x)"], "G014", "take one of its results"),
        (["softmax(z, 0)", "z:n", "--order", "2"], "G034", "only a scalar has a Hessian"),
        (["x**2", "-w", "y"], "G012", "there are x"),
        (["2 + 3"], "G014", "only a floating-point tensor"),
        (["x > 1"], "G014", "bool"),
        (["x +"], "G001", ""),
        (["foo(x)"], "G010", "foo"),
        (["x@y", "x:n", "y:m"], "G021", "[n]"),
        (["a*b", "a:", "b:", "--jvp", "v"], "G070", "--jvp a=v"),
        (["sqrt(-1 - x**2)", "x:"], "G039", "NAME=VALUE"),
        (["print(x)"], "G012", "give it one: x=..."),
        (["float(sum(x))"], "G012", "give it one: x=..."),
    ],
)
def test_what_cannot_be_done_is_said(gradcli, arguments: list[str], code: str, said: str) -> None:
    done = gradcli("diff", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"error[{code}]" in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_variable_that_plays_no_part_is_named(gradcli) -> None:
    done = gradcli("diff", "sum(x)", "x:n", "z:m")
    assert done.stdout == "x: ones_like(x)\nz: zeros_like(z)\n"
    assert "does not depend on z" in done.stderr


def test_vectors_are_names_expressions_or_values(gradcli, tmp_path) -> None:
    """`--vjp` and `--jvp` take what a binding takes."""
    shapes = ("-w", "x", "A:m,n", "x:n")
    assert gradcli("diff", "A@x", *shapes, "--vjp", "v").stdout == "A.T@v\n"
    assert gradcli("diff", "A@x", *shapes, "--vjp", "ones(m)").stdout == "sum(A, 0)\n"
    assert gradcli("diff", "A@x", *shapes, "--jvp", "x=x/norm(x)").stdout == "A@x/norm(x)\n"
    assert gradcli("diff", "sin(x)", "x:3", "--vjp", "[1,2,3]").stdout == (
        "tensor([1, 2, 3])*cos(x)\n"
    )
    (tmp_path / "v.json").write_text("[1, 2, 3]")
    read = gradcli("diff", "sin(x)", "x:3", "--vjp", "@v.json")
    assert read.stdout == "v*cos(x)\n"
    assert gradcli("diff", "sin(x)", "x:3", "--vjp", "-", stdin="[1, 2, 3]").stdout == "v*cos(x)\n"
    wrong = gradcli("diff", "A@x", *shapes, "--vjp", "ones(n)")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "has the shape (n), it must have (m)" in wrong.stderr


def test_eval_without_values_takes_vectors_and_hessians(gradcli) -> None:
    assert gradcli("eval", "sin(x)", "x:3", "--vjp", "v").stdout == (
        "sin(x)  grad_fn=<SinBackward0>\nx.grad:\nv*cos(x)\n"
    )
    assert gradcli("eval", "sum(x**3)", "x:n", "--hessian").stdout.endswith(
        "x.x.hessian:\n6*diag(x)\n"
    )
    assert "jvp:\nv*cos(x)\n" in gradcli("eval", "sin(x)", "x:3", "--jvp", "x=v").stdout
    refused = gradcli("eval", "sin(x)", "x:3", "--steps")
    assert refused.returncode == 2
    assert "--steps needs one" in refused.stderr
    assert "gradcli graph" in refused.stderr


def test_singular_points_and_ties_are_noted(gradcli) -> None:
    """Once each, where PyTorch's choice is not what the formula says; else there is no note."""
    norm = gradcli("diff", "norm(x)", "x:n")
    assert norm.stdout == "x/norm(x)\n"
    assert norm.stderr == (
        "note: where norm(x) == 0 PyTorch takes 0 for an element of the derivative by x, the "
        "formula gives nan\n"
    )
    ties = gradcli("diff", "sum(maximum(x, y))", "x:n", "y:n", "-f", "json")
    assert (
        "where x == y PyTorch takes 0.5" in json.loads(ties.stdout)["derivatives"]["x"]["notes"][0]
    )
    assert gradcli("diff", "norm(x)**2", "x:n").stderr == ""


@pytest.mark.parametrize("name", ["x", "y", "b", "w"])
def test_a_variable_loads_no_families_of_functions(name: str) -> None:
    """Where `"x"` is text in a family, as in `"x".join`, it names no function."""
    in_its_own_process(
        "import sys; from gradcli.calculus import differentiate; "
        f"differentiate('{name}**2*sin({name})'); "
        "assert sum(m.startswith('gradcli.functions.') for m in sys.modules) < 10"
    )

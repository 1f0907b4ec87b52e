"""LaTeX and MathML of formulas: read by independent programs, and set as a person would write."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from gradcli.calculus import differentiate
from gradcli.cli.inputs import Standard, bind
from gradcli.render.derivatives import derivatives_text
from tests.calculus.test_formulas import LINES

FURTHER = [
    *("softmax(z, 0) | z:n", "sum(softplus(X@w)) | X:m,n w:n", "stack([x[0]*x[1], x[0]]) | x:2"),
    *("lr*wd*x**2 | lr: wd: x:", "sum(tril(X, 1)**2) | X:n,n", "sum(remainder(x, y)*y) | x:n y:n"),
    *("sum(x[:n//2]**3) | x:n", "where(x > 0, x, where(x < -1, x**2, 0*x)) | x:"),
]


def written(expression: str, shapes: str, by: list[str] | None = None, to: str = "latex") -> str:
    values = bind(shapes.split(), Standard(), shapes=True)
    return derivatives_text(differentiate(expression, wrt=by, values=values), to)


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """The acceptance set, and more, a formula a line."""
    texts = [written(line.expression, line.shapes, [line.variable]) for line in LINES]
    texts += [written(*case.split(" | ")) for case in FURTHER]
    return [line for text in texts for line in text.splitlines()]


def test_another_parser_knows_every_command(lines: list[str]) -> None:
    """It refuses double scripts and unclosed groups, and shows commands that it does not know."""
    converter = pytest.importorskip("latex2mathml.converter")
    for line in lines:
        assert "\\" not in converter.convert(line.replace(r"\_", "-")), line


def test_tex_sets_every_formula(lines: list[str], tmp_path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("TeX is not installed")
    head = r"\documentclass{article}\usepackage{amsmath}\begin{document}"
    body = "\n\n".join(f"${line}$" for line in lines)
    (tmp_path / "all.tex").write_text(f"{head}\n{body}\n\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert [x for x in done.stdout.splitlines() if x.startswith("!")] == []
    assert (tmp_path / "all.pdf").exists()


SET = [
    # names: letters need no space, words do; Greek; an index with another script
    ("a*b*x", "a: b: x:", "x", "a b"),
    ("lr*wd*x", "lr: wd: x:", "x", r"\mathrm{lr} \, \mathrm{wd}"),
    ("k*lr*x", "k: lr: x:", "x", r"k \, \mathrm{lr}"),
    ("lam*x", "lam: x:", "x", r"\lambda"),
    ("x@W1.T@y", "x:n W1:m,n y:m", "x", r"W_{1}^{\top} y"),
    ("x1**3", "x1:", "x1", r"3 x_{1}^{2}"),
    # brackets grow with fractions only
    ("sum((X@w - y)**2)", "X:m,n w:n y:m", "w", r"2 X^{\top} (X w-y)"),
    ("erf(x/2)", "x:", "x", r"\frac{e^{-\frac{x^{2}}{4}}}{\sqrt{\pi}}"),
    ("sum(log(x/y))*2", "x:n y:n", "x", r"\frac{2}{x}"),
    ("sin(x/a)", "x: a:", "x", r"\frac{\cos\left(\frac{x}{a}\right)}{a}"),
    ("norm(A@x - y)", "A:m,n x:n y:m", "x", r"\frac{A^{\top} (A x-y)}{\left\|A x-y\right\|}"),
    # powers of functions, numbers beside numbers
    ("tanh(x)", "x:", "x", r"1-\tanh^{2}(x)"),
    ("tan(x)", "x:n", "x", r"\operatorname{diag}(\tan^{\odot 2}(x) + 1)"),
    ("2**x", "x:", "x", r"\log(2) \cdot 2^{x}"),
    # a product by elements binds less than one without a sign
    ("sum(tanh(W@x))", "W:m,n x:n", "W", r"(1-\tanh^{\odot 2}(W x)) x^{\top}"),
    ("sum((A*B)@x)", "A:m,n B:m,n x:n", "A", r"B \odot \mathbf{1} x^{\top}"),
    ("sum(M*(A - U@V.T)**2)", "A:m,n U:m,k V:n,k M:m,n", "U", r"-2 (M \odot (A-U V^{\top})) V"),
    # a vector beside a matrix stands in each of its rows
    ("sum((X + b)**2)", "X:m,n b:n", "X", r"2 (X + \mathbf{1} b^{\top})"),
    ("sum(exp(X), 0)@v", "X:m,n v:n", "X", r"\exp(X) \odot \mathbf{1} v^{\top}"),
    # choices
    ("relu(x)", "x:", "x", r"\mathbf{1}[x > 0]"),
    (
        *("where(x > 0, x, a*x)", "x: a:", "x"),
        r"\begin{cases} 1 & x > 0 \\ a & \text{otherwise} \end{cases}",
    ),
    (
        *("where((x > 0) & ((y > 0) | (y < -x)), x, a*x)", "x: y: a:", "x"),
        r"\begin{cases} 1 & x > 0 \wedge (y > 0 \vee y < -x) \\ a & \text{otherwise} \end{cases}",
    ),
    # what a number says stays, a dim is an index
    (
        "y*clamp(x, 0, 2)",
        "x: y:",
        "y",
        r"\operatorname{clamp\_max}(\operatorname{clamp\_min}(x, 0), 2)",
    ),
    ("sum(tril(X, 1)**2)", "X:n,n", "X", r"2 \operatorname{tril}(X, \text{diagonal} = 1)"),
    ("sum(logsumexp(X, 1))", "X:m,n", "X", r"\operatorname{softmax}_{\text{dim 1}}(X)"),
]


@pytest.mark.parametrize(("expression", "shapes", "by", "latex"), SET)
def test_a_formula_is_set_as_on_paper(expression, shapes, by, latex) -> None:
    assert written(expression, shapes, [by]) == latex

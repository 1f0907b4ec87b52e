"""Functions written for NumPy, PyTorch, JAX and Python run as they stand and agree."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from gradcli import evaluate
from gradcli.calculus import differentiate
from gradcli.cli.inputs import Standard, bind
from gradcli.graph.dim import sized
from gradcli.render.derivatives import derivatives_text
from tests.cli.conftest import in_its_own_process

SIZES = {"m": 4, "n": 3, "k": 2}
CASES = [
    *("sum((X@w - y)**2) | X:m,n w:n y:m", "mean(log(1 + exp(-y*(X@w)))) | X:m,n w:n y:m"),
    *("logsumexp(X@w, 0) - y@X@w | X:m,n w:n y:m", "norm(X@w - y) | X:m,n w:n y:m"),
    *("sum(relu(1 - y*(X@w))) | X:m,n w:n y:m", "sum(tanh(X@w)**2)/m | X:m,n w:n y:m"),
    *("log(det(S)) | S:n,n", "trace(inv(S)@S@S) | S:n,n", "sum(S.T@w) | S:n,n w:n"),
    *("sum(X + w) | X:m,n w:n", "sum(sum(X, 0)**2) | X:m,n", "sum((X*y[:, None])**2) | X:m,n y:m"),
    *("sum(log_softmax(X@W, 1)*Y) | X:m,n W:n,k Y:m,k", "sum(softplus(X@w)) | X:m,n w:n"),
    *("sum(w[1:]**2) + w[0] | w:n", "max(w) | w:n", "prod(w) | w:n", "sum(cumsum(w, 0)**2) | w:n"),
    *("sum(where(w > 0.5, w, 0.1*w)) | w:n", "sum(erf(w)) + sum(lgamma(w)) | w:n"),
    *("sum(clamp(w, 0.3, 0.6)) | w:n", "std(w) | w:n", "sum(atan(w)) + sum(abs(w)) | w:n"),
    *(
        "sum(relu(W2@relu(W1@w))) | W2:k,m W1:m,n w:n",
        "trace(S) | S:n,n",
        "sum(diag(S)**2) | S:n,n",
    ),
    *("sum((roll(w, 1) - w)**2) | w:n", "w[0]*w[1] | w:n", "sum(max(X, 1)[0]**2) | X:m,n"),
    *("sum(linalg.cholesky(S)**2) | S:n,n", "sum(pinv(X)**2) | X:m,n", "sum(X[:, 0]**2) | X:m,n"),
    *("sum(std(X, 1)) | X:m,n", "sum((T@w)**2) | T:k,m,n w:n"),
]

CASES += """
sum(conv1d(x, w, stride=2, padding=1)**2) | x:2,3,8 w:4,3,3
sum(conv2d(x, w, groups=2)**2) | x:2,4,7,6 w:6,2,3,2
sum(conv2d(x, w, stride=(2, 1), padding=(1, 2), dilation=2)**2) | x:2,3,9,8 w:4,3,3,2
sum(conv2d(x, w)**2) | x:3,7,6 w:4,3,3,2
sum(conv3d(x, w)**2) | x:1,2,4,5,4 w:3,2,2,3,2
sum(conv_transpose1d(x, w, stride=2, padding=1, output_padding=1)**2) | x:2,3,5 w:3,4,3
sum(conv_transpose2d(x, w, stride=3, dilation=2, groups=3)**2) | x:2,3,5,4 w:3,2,3,2
mean(relu(conv1d(x, w, b) - 1)) | x:2,3,7 w:4,3,3 b:4
sum(avg_pool1d(x, 2)**2) | x:2,3,8
sum(avg_pool2d(x, 3, stride=2, padding=1)**2) | x:2,3,8,8
sum(avg_pool3d(x, (1, 2, 2))**2) | x:2,2,3,5,4
sum(max_pool1d(x, 2)**2) | x:2,3,8
sum(max_pool2d(x, 3, stride=2, padding=1)**2) | x:2,3,8,7
sum(max_pool2d(x, (2, 3), dilation=2)**2) | x:3,8,8
sum(max_pool2d(x, 2, stride=3, ceil_mode=True)**2) | x:2,3,8,6
sum(max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True)**2) | x:2,3,8,8
sum(max_pool3d(x, 2)**2) | x:1,2,4,5,4
sum(adaptive_max_pool2d(x, (2, 3))**2) | x:2,3,8,7
sum(adaptive_max_pool2d(x, (3, 5))**2) | x:2,3,8,7
sum(adaptive_avg_pool2d(x, 2)**2) | x:2,3,8,8
sum(local_response_norm(x, 2)) | x:2,4,5
sum(pad(x, (1, 2))**3) | x:2,3,4
sum(pad(x, (1, 2, 0, 3))[:, 1:]**3) | x:2,3,4
sum(sort(x)[0]*y) | x:5 y:5
sum(sort(x, 0, descending=True)[0]*y) | x:5 y:5
""".strip().splitlines()


def arrays(shapes: str) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    found = {}
    for name, value in bind(shapes.split(), Standard(), shapes=True).items():
        x = rng.random([int(sized(n, SIZES)) for n in value.shape]) + 0.1
        found[name] = x @ x.T + np.eye(len(x)) if name == "S" else x
    return found


def written(expression: str, shapes: str, to: str) -> str:
    values = bind(shapes.split(), Standard(), shapes=True)
    return derivatives_text(differentiate(expression, values=values), to)


def compared(case: str, to: str, given: Any, plain: Any) -> None:
    expression, shapes = case.split(" | ")
    code = written(expression, shapes, to)
    scope: dict[str, Any] = {}
    exec(code, scope)
    known = arrays(shapes)
    found = scope["gradient"](**{name: given(x) for name, x in known.items()})
    found = found if isinstance(found, dict) else {next(iter(known)): found}
    wanted = evaluate(expression.replace("/m", "/4"), known).grads
    for name, gradient in wanted.items():
        value = np.zeros_like(known[name]) if gradient is None else gradient
        np.testing.assert_allclose(plain(found[name]), value, rtol=1e-6, atol=1e-9, err_msg=code)
        assert np.shape(plain(found[name])) == np.shape(value), code


@pytest.mark.parametrize("case", CASES)
def test_numpy(case: str) -> None:
    pytest.importorskip("scipy")
    compared(case, "numpy", lambda x: x, np.asarray)


@pytest.mark.parametrize("case", CASES)
def test_torch(case: str) -> None:
    torch = pytest.importorskip("torch")
    compared(case, "torch", torch.tensor, lambda x: x.numpy())


def compare_with_jax() -> None:
    """All cases."""
    import jax

    jax.config.update("jax_enable_x64", True)
    for case in CASES:
        compared(case, "jax", jax.numpy.asarray, np.asarray)


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_jax() -> None:
    in_its_own_process("import test_diff_code as t; t.compare_with_jax()")


@pytest.mark.parametrize(
    "expression",
    [
        *("x**2*sin(x)", "exp(-x**2/2)", "log(1 + exp(x))", "relu(x)*x", "abs(x)/x**2", "tanh(x)"),
        *("erf(x)", "where(x > 0, x, 0.1*x)", "clamp(x, -1, 1)*x", "sigmoid(x)", "2**x", "sqrt(x)"),
    ],
)
def test_python(expression: str) -> None:
    code = derivatives_text(differentiate(expression), "python")
    scope: dict[str, Any] = {}
    exec(code, scope)
    for x in (0.3, 1.7):
        wanted = evaluate(expression, {"x": np.array(x)}).grads["x"]
        assert math.isclose(scope["derivative"](x), wanted, rel_tol=1e-9), code


def test_stable_forms_are_kept() -> None:
    code = derivatives_text(differentiate("log(1 + exp(x))"), "numpy")
    scope: dict[str, Any] = {}
    exec(code, scope)
    assert scope["derivative"](np.array([-1e4, 1e4])).tolist() == [0.0, 1.0]


def test_latex_and_mathml(gradcli) -> None:  # type: ignore[no-untyped-def]
    shown = {
        "norm(A@x - y)": r"\frac{A^{\top} (A x-y)}{\left\|A x-y\right\|}",
        "sum((A@x - y)**2)": r"2 A^{\top} (A x-y)",
        "sqrt(x@B@x)": r"\frac{B x + B^{\top} x}{2 \sqrt{x^{\top} B x}}",
        "sum(exp(sum(A*x, 1)))": r"A^{\top} \exp(A x)",
        "sum(x**3)": r"3 x^{\odot 2}",
        "sum(y1*sin(x))*beta": r"\beta y_{1} \odot \cos(x)",
    }
    import re
    from xml.etree import ElementTree

    for expression, latex in shown.items():
        shapes = ["A:m,n", "x:n", "y:m", "y1:n", "beta:", "B:n,n"]
        done = gradcli("diff", expression, "-w", "x", *shapes, "--to", "latex")
        assert done.stdout == latex + "\n"
        assert latex.count("{") == latex.count("}")
        assert len(re.findall(r"\\left", latex)) == len(re.findall(r"\\right", latex))
        mathml = gradcli("diff", expression, "-w", "x", *shapes, "--to", "mathml").stdout
        assert ElementTree.fromstring(mathml).tag.endswith("math")


MARKED = [
    *(
        "stack([x[0]*cos(x[1]), x[0]*sin(x[1])]) | x:2",
        "sum(softmax(X@W, 1)*Y) | X:m,n W:n,k Y:m,k",
    ),
    *("hardswish(x) | x:n", "sum(huber_loss(X@w, y)) | X:m,n w:n y:m", "a*x**2*y | a: x: y:"),
    *("sum((x[1:] - x[:-1])**2) | x:n", "sum(layer_norm(X, (n,))*X) | X:m,n", "erf(x1/2) | x1:"),
]


@pytest.mark.parametrize("case", MARKED)
@pytest.mark.parametrize("order", [1, 2])
def test_every_element_of_mathml_has_its_parts(case: str, order: int) -> None:
    """A browser shows an index or a fraction with other than two parts as an error, or badly."""
    from xml.etree import ElementTree

    expression, shapes = case.split(" | ")
    values = bind(shapes.split(), Standard(), shapes=True)
    scalar = order == 1 or expression.startswith(("sum", "a*", "erf"))
    found = differentiate(expression, values=values, order=order if scalar else 1)
    several = len(found) > 1
    lines = derivatives_text(found, "mathml").splitlines()
    assert (lines[0].count("∂") >= 2) is several
    for line in lines:
        for element in ElementTree.fromstring(line).iter():
            if element.tag.rpartition("}")[2] in ("msub", "msup", "mfrac"):
                assert len(element) == 2, line


def test_a_small_vector_is_set_as_one() -> None:
    values = bind(["x:2"], Standard(), shapes=True)
    found = differentiate("stack([x[0]*x[1], x[0] + 2*x[1]])", values=values)
    shown = r"\begin{pmatrix} x_{1} & x_{0} \\ 1 & 2 \end{pmatrix}"
    assert derivatives_text(found, "latex") == shown
    assert derivatives_text(found, "mathml").count("<mtd>") == 4


def test_what_a_language_has_no_word_for_is_said(gradcli) -> None:  # type: ignore[no-untyped-def]
    done = gradcli("diff", "sum(x**2)", "x:n", "--to", "python")
    assert (done.returncode, done.stdout) == (2, "")
    assert "x is a tensor" in done.stderr
    done = gradcli("diff", "lgamma(x)", "--to", "python")
    assert "error[G038]" in done.stderr
    assert "digamma" in done.stderr


def test_from_python() -> None:
    import gradcli

    found = gradcli.differentiate(
        "sum((X@w - y)**2)", {"X": ("m", "n"), "w": ("n",), "y": "m"}, ["w"]
    )
    assert found["w"].formula == "2*X.T@(X@w - y)"
    assert json.loads(json.dumps(found["w"].shape)) == ["n"]

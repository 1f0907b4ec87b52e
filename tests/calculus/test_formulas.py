"""The acceptance set: each line of formulas.txt is printed as it stands there, and is PyTorch's
gradient.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gradcli.calculus import differentiate
from gradcli.calculus.reference import Reference
from gradcli.calculus.task import Task
from gradcli.calculus.verify import Formula, mismatch
from gradcli.cli.inputs import Standard, bind
from gradcli.errors import GradcliError
from gradcli.graph.dim import bases, sized
from gradcli.language.parser import parse_expression
from gradcli.source import Source
from gradcli.tensor.symbols import placeholder

SIZES = {"m": 5, "n": 3, "k": 4, "d": 2, "l": 2}


class Line(NamedTuple):
    """An expression, the shapes of its variables, one of them, and the derivative by it."""

    expression: str
    shapes: str
    variable: str
    formula: str
    where: dict[str, str]


def lines() -> list[Line]:
    found = []
    text = (Path(__file__).parent / "formulas.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            expression, shapes, variable, formula = (part.strip() for part in line.split(" | ", 3))
            formula, *where = formula.split(" ; ")
            named = dict(part.split(" = ", 1) for part in where)
            found.append(Line(expression, shapes, variable, formula, named))
    return found


LINES = lines()


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.expression} by {line.variable}")
def test_formula(line: Line) -> None:
    given = bind(line.shapes.split(), Standard(), shapes=True)
    found = differentiate(line.expression, wrt=[line.variable], values=given)[line.variable]
    assert (found.formula, found.where) == (line.formula, line.where)
    check_with_torch(line, given)


def names(torch: Any) -> dict[str, Any]:
    """PyTorch's functions under the names that the language has without their prefix."""
    found: dict[str, Any] = {"math": math, "torch": torch}
    for module in (torch.special, torch.linalg, torch.nn.functional, torch):
        found |= {n: getattr(module, n) for n in dir(module) if not n.startswith("_")}
    functional = ("kl_div", "binary_cross_entropy_with_logits", "huber_loss", "pad")
    found |= {n: getattr(torch.nn.functional, n) for n in functional}
    return found | {"linalg": torch.linalg, "solve": torch.linalg.solve, "F": torch.nn.functional}


def check_with_torch(line: Line, given: dict[str, Any]) -> None:
    """The expression and the formula under PyTorch, at a point in the domain."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    variables: dict[str, Any] = {}
    for name, value in given.items():
        shape = [int(sized(size, SIZES)) for size in value.shape]
        x = torch.rand(shape, dtype=torch.float64) + 0.1
        if len(shape) == 2 and shape[0] == shape[1]:
            x = x @ x.T + torch.eye(shape[0])
        variables[name] = x
        for size in value.shape:
            variables |= {n: SIZES[n] for n in bases(size) if n in line.expression.split()}
    words = sorted(line.expression.replace("(", " ").replace("*", " ").split())
    for name in dict.fromkeys((*"abcxy", *words)):
        if name in ("a", "b", "c", "x", "y") and name not in variables:
            variables[name] = torch.rand(4, dtype=torch.float64) * 0.8 + 0.1
    by = variables[line.variable].requires_grad_()
    spoken = set(re.findall(r"\w+", line.expression)) & set(SIZES)
    known = names(torch) | {n: SIZES[n] for n in spoken}
    torch.set_default_dtype(torch.float64)
    try:
        output = eval(line.expression, known | variables)
        (wanted,) = torch.autograd.grad(output.sum(), by)
        for name, text in line.where.items():
            variables[name] = eval(text, known | variables)
        value = eval(line.formula, known | variables)
    finally:
        torch.set_default_dtype(torch.float32)
    value = torch.as_tensor(value, dtype=torch.float64)
    if line.shapes:
        assert value.shape == wanted.shape
    torch.testing.assert_close(value.expand_as(wanted), wanted, rtol=1e-8, atol=1e-10)


def test_there_are_enough() -> None:
    assert len(LINES) >= 100


JACOBIANS = {
    "x[1:]": "eye(numel(x))[1:]",
    "x[::2]": "eye(numel(x))[::2]",
    "x[tensor([0, 2, 2])]": "eye(numel(x))[tensor([0, 2, 2])]",
    "gather(x, 0, tensor([0, 1]))": "eye(numel(x))[tensor([0, 1])]",
    "cumsum(x, 0)": "tril(ones(numel(x), numel(x)))",
    "roll(x, 1)": "roll(eye(numel(x)), 1, 0)",
    "flip(x, (0,))": "flip(eye(numel(x)), dims=(0,))",
    "diff(x)": "eye(numel(x))[1:] - eye(numel(x))[:-1]",
    "sort(x)[0]": "eye(numel(x))[argsort(x)]",
    "max(x, 0)[0]": "eye(numel(x))[argmax(x)]",
    "x.reshape(1, -1).flatten()[:2]": "eye(numel(x))[:2]",
}


@pytest.mark.parametrize("expression", JACOBIANS)
def test_jacobian_of_what_picks_elements(expression: str) -> None:
    """Rows of the unit matrix; the printed formula was compared with the engine's Jacobian."""
    assert differentiate(expression, {"x": ("n",)})["x"].formula == JACOBIANS[expression]


REFUSED = (
    "sum(quantile(x, tensor([0.3, 0.5])))",
    "conv1d(x.reshape(1, 3, 3), x[:6].reshape(6, 1, 1), groups=3)",
)


@pytest.mark.parametrize("expression", REFUSED)
def test_what_has_no_closed_form_says_what_works(expression: str) -> None:
    with pytest.raises(GradcliError) as caught:
        differentiate(expression, {"x": (9,)})
    diagnostic = caught.value.diagnostic
    assert diagnostic.code == "G038"
    assert any("gradcli eval" in line for line in diagnostic.help)
    assert diagnostic.labels


@pytest.mark.parametrize(
    ("expression", "shapes"),
    [
        ("linalg.householder_product(A, t).sum()", {"A": ("n", "n"), "t": ("n",)}),
        ("ormqr(A, t, B).sum()", {"A": ("n", "n"), "t": ("n",), "B": ("n", "k")}),
        ("gumbel_softmax(T)", {"T": ("m", "n", "k")}),
        ("sum(stack([x[i]**2 for i in range(len(x))]))", {"x": ("n",)}),
        ("sum(stack([row**2 for row in X]))", {"X": ("m", "n")}),
        ("quantile(x, 0.5)", {"x": ("n",)}),
        ("matrix_power(X, len(X)).sum()", {"X": ("n", "n")}),
    ],
)
def test_work_of_a_declared_size_is_refused_at_once(expression, shapes):
    with pytest.raises(GradcliError) as caught:
        differentiate(expression, shapes)
    assert caught.value.diagnostic.code == "G038"
    assert "NAME=VALUE" in str(caught.value.diagnostic.help)


@pytest.mark.parametrize(
    "expression", ["special.bessel_j0(x).sum()", "sum(x*special.bessel_j1(2*x))"]
)
def test_a_derivative_that_pytorch_lacks_is_not_taken_for_zero(expression):
    with pytest.raises(GradcliError, match="PyTorch defines none") as caught:
        differentiate(expression, {"x": ("n",)})
    assert caught.value.diagnostic.code == "G038"
    assert differentiate("a*special.bessel_j0(floor(x)).sum()", {"x": ("n",), "a": ()}, ["a"])


def test_a_formula_is_not_withheld_for_its_poles():
    """Where every element is masked the formula is 0/0, and PyTorch's gradient is 0."""
    found = differentiate("sqrt(mean((x.masked_fill(x > 1, 0.))**2))")["x"]
    assert found.formula.endswith("*numel(x))")
    assert any("0/0" in note for note in found.notes)


@pytest.mark.parametrize(("text", "wrong"), [("x/x", None), ("1 + 0*x/x", None), ("2*x/x", "x")])
def test_poles_hide_no_wrong_formula(text, wrong):
    task = Task(
        parse_expression(Source("", "x + abs(0*x)")),
        {"x": placeholder("x", ())},
        None,
        1,
        None,
        None,
    )
    formula = Formula(f"where(x > 1, 0/(x - x), {text})", {})
    assert mismatch({"x": formula}, Reference(task), poles=False) == "x"
    assert mismatch({"x": formula}, Reference(task), poles=True) == wrong

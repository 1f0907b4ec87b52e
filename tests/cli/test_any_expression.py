"""Any expression that fits together has a verified derivative or one located refusal, and what is
printed of a derivative means the same wherever it is run.
"""

from __future__ import annotations

import random
import re
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from conftest import in_its_own_process
from expressions import SHAPES, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradcli import api
from gradcli.calculus import differentiate
from gradcli.calculus.results import Derivatives
from gradcli.errors import GradcliError
from gradcli.render.derivatives import derivatives_text

SIZES = {"m": 4, "n": 3}
QUESTIONS = ({}, {}, {}, {"order": 2}, {"vjp": "u"})
"""What is asked for; most often the derivative alone."""
BUGS = ("G098", "G099")


def drawn(choose: Any) -> tuple[str, dict[str, Any]]:
    """An expression and what is asked of it."""
    kind = choose(("s", "s", "s", "n", "m", "nn"))
    return text(choose, kind, choose((1, 2, 2, 3))), choose(QUESTIONS)


def shapes_of(expression: str) -> dict[str, Any]:
    words = set(re.findall(r"\b[a-zA-Z]\b", expression))
    return {name: shape for name, shape in SHAPES.items() if name in words}


def derivatives(expression: str, question: dict[str, Any]) -> Derivatives | None:
    """The derivatives; None where they are refused, with a code and a place."""
    found, refused = None, None
    try:
        found = differentiate(expression, shapes_of(expression), **question)
    except GradcliError as error:
        refused = error.diagnostic
    if refused is not None:
        assert refused.code not in BUGS, expression
        asked = refused.code in ("G030", "G034")  # about what is asked, not where
        assert refused.labels or asked, (expression, refused.message)
    return found


def as_code(found: Derivatives, to: str) -> str | None:
    """The derivative as code; None where the language has no word for it."""
    code, refused = None, ""
    try:
        code = derivatives_text(found, to)
    except GradcliError as error:
        refused = error.diagnostic.code
    assert code is not None or refused in ("G038", "G070")
    return code


def point(found: Derivatives) -> dict[str, Any]:
    """Numbers for every variable and vector."""
    rng = np.random.default_rng(5)
    shapes = {**found.traced.shapes, **found.vectors}
    return {
        name: rng.uniform(0.2, 0.9, [SIZES[str(n)] if str(n) in SIZES else int(n) for n in shape])
        for name, shape in shapes.items()
    }


def by_eval(found: Derivatives, known: dict[str, Any]) -> dict[str, Any]:
    """What `gradcli eval` gives for the printed text, `where` lines as bindings."""
    values = {}
    for name, derivative in found.items():
        bound: dict[str, Any] = dict(known)
        for shared, meaning in derivative.where.items():
            bound[shared] = api.evaluate(meaning, bound, gradients=False).output
        output = api.evaluate(derivative.formula, bound, gradients=False).output
        values[name] = np.asarray(output.array() if hasattr(output, "array") else output)
    return values


@given(st.data())
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_verified_formula_or_a_located_refusal(data: st.DataObject) -> None:
    expression, question = drawn(lambda options: data.draw(st.sampled_from(options)))
    found = derivatives(expression, question)
    if found is not None and not question:
        known = point(found)
        values = by_eval(found, known)
        wanted = api.evaluate(expression, known, wrt=list(found)).grads
        for name, value in values.items():
            gradient = wanted.get(name)
            if found.kind == "gradient" and gradient is not None and np.isfinite(gradient).all():
                np.testing.assert_allclose(
                    np.broadcast_to(value, np.shape(gradient)), gradient, rtol=1e-6, atol=1e-7
                )


def run_as(to: str, seed: int, give: Any, plain: Any) -> None:
    """A random expression's derivative as code: complete, and with the formula's numbers."""
    chance = random.Random(seed)
    expression, question = drawn(chance.choice)
    found = derivatives(expression, question)
    code = None if found is None else as_code(found, to)
    if found is None or code is None:
        return
    known = point(found)
    scope: dict[str, Any] = {}
    exec(code, scope)
    function = next(v for n, v in scope.items() if n == found.kind.removesuffix("2"))
    with np.errstate(all="ignore"):
        made = function(**{name: give(x) for name, x in known.items()})
        wanted = by_eval(found, known)
    made = made if isinstance(made, dict) else {next(iter(found)): made}
    for name, value in wanted.items():
        given_back = np.asarray(plain(made[name]), np.float64)
        np.testing.assert_allclose(given_back, value, rtol=1e-6, atol=1e-8, err_msg=code)


@pytest.mark.parametrize("seed", range(25))
def test_numpy_code(seed: int) -> None:
    pytest.importorskip("scipy")
    run_as("numpy", seed, lambda x: x, np.asarray)


@pytest.mark.parametrize("seed", range(25))
def test_torch_code(seed: int) -> None:
    torch = pytest.importorskip("torch")
    run_as("torch", seed, torch.tensor, lambda x: x.numpy() if hasattr(x, "numpy") else x)


def run_with_jax() -> None:
    """A few of them."""
    import jax

    jax.config.update("jax_enable_x64", True)
    for seed in range(12):
        run_as("jax", seed, jax.numpy.asarray, np.asarray)


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_jax_code() -> None:
    in_its_own_process("import test_any_expression as t; t.run_with_jax()")


@pytest.mark.parametrize("seed", range(20))
def test_python_code(seed: int) -> None:
    chance = random.Random(seed)
    forms = [form for form in (text(chance.choice, "s", 2) for _ in range(20)) if "(" in form]
    scalar = next((f for f in forms if set(re.findall(r"\b[a-zA-Z]\b", f)) <= {"a", "b"}), "a*b")
    found = derivatives(scalar, {})
    code = None if found is None else as_code(found, "python")
    if found is None or code is None:
        return
    scope: dict[str, Any] = {}
    exec(code, scope)
    known = point(found)
    made = scope["gradient"](**{name: float(x) for name, x in known.items()})
    made = made if isinstance(made, dict) else {next(iter(found)): made}
    for name, value in by_eval(found, known).items():
        np.testing.assert_allclose(made[name], value, rtol=1e-9, err_msg=code)

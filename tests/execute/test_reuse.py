"""Results written over operands that die: the numbers are NumPy's, and the caller's arrays stay."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import gradcli
from gradcli.execute.backends.reuse import reused
from gradcli.execute.work import Work
from gradcli.graph.dtype import float64
from gradcli.graph.node import data
from gradcli.graph.walk import ancestors
from gradcli.ops.elementwise import add, exp, mul
from gradcli.ops.movement import permute

FORMS = (
    *("tanh({0})", "sin({0})", "-{0}", "{0}*{0}", "{0} + {1}", "{0}*{1}", "{0} - {1}"),
    *("{0}.T", "{0}.reshape(9).reshape(3, 3)", "{0}[0]", "{0}[:, 1:2]", "{0}.expand(3, 3)"),
    *("where({0} > {1}, {0}, {1})", "softmax({0}, -1)", "{0} @ {0}", "index_put({0}, {1})"),
)
PUT = "{0}.index_put((torch.tensor([0, 2]),), {1}[:1])"


@st.composite
def texts(draw: Any) -> str:
    """An expression of 3 x 3 matrices in which parts occur more than once."""
    pool = ["x", "y"]
    for _ in range(draw(st.integers(2, 7))):
        form = draw(st.sampled_from(FORMS)).replace("index_put({0}, {1})", PUT)
        parts = [draw(st.sampled_from(pool[-3:])) for _ in range(2)]
        made = form.format(*(f"({part})" for part in parts))
        pool.append(made if len(made) < 2000 and "[" not in form else f"({made} + 0*{pool[0]})")
    return " + ".join(f"({part}).sum()" for part in ("x*y", *pool[-3:]))


@settings(max_examples=60, deadline=None)
@given(texts())
def test_views_and_shared_parts(text: str) -> None:
    rng = np.random.default_rng(0)
    values = {name: rng.standard_normal((3, 3)) for name in "xy"}
    before = {name: value.copy() for name, value in values.items()}
    wanted = gradcli.evaluate(text, values)
    for _ in range(2):
        found = gradcli.evaluate(text, values, backend="torch")
        np.testing.assert_allclose(found.value, wanted.value, rtol=1e-12, atol=1e-11)
        for name in wanted.grads:
            one, other = found.grads[name], wanted.grads[name]
            scale = np.abs(other).max()
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-11 * max(1, scale))
    for name, value in values.items():
        np.testing.assert_array_equal(value, before[name])


def test_inputs_outputs_and_viewed_values_stay() -> None:
    x = data(np.ones((2, 2)), (2, 2), float64)
    first = exp(x)
    seen = permute(first, axes=(1, 0))
    second = exp(first)
    third = mul(add(second, seen), second)
    fourth = exp(third)
    order = ancestors([third, fourth], lambda node: node.value is None)
    over = frozenset(("exp", "add", "multiply"))
    found = [place for _, place in reused(Work(order, [third, fourth]), over, frozenset())]
    names = dict(zip((node.op.name for node in order), found, strict=True))
    assert found[0] is None  # x is the caller's
    assert names["mul"] is not None  # nobody needs the sum any more
    assert found[-1] is None  # the product is wanted

"""Whatever functions of torch.nn.functional are called with, they answer or refuse, never break."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from functional_oracle import ours
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcli.errors import GradcliError
from gradcli.functions.create import from_array
from gradcli.tensor import registry

registry.names()
FUNCTIONS = {
    name: entry
    for name, entry in registry.ENTRIES.items()
    if name.startswith("torch.nn.functional.")
    and name.rpartition(".")[2] not in ("tanh", "sigmoid")
}
SHAPES = [(), (0,), (1,), (3,), (2, 3), (2, 0), (3, 3), (2, 3, 2), (1, 2, 3, 2)]
DTYPES = ["float32", "float64", "int64", "bool", "complex64", "float16", "uint8"]
OTHERS = [
    *(0, 1, -1, 2.5, None, "mean", "none", "foo", True, [1, 2], (1,), (2, 3), {}, 2j, [[1]]),
    *(10**12, 10**30, float("nan"), float("inf"), 1e-3, (0, -1)),
]


def tensor(shape: tuple[int, ...], dtype: str, seed: int) -> Any:
    draw = np.random.default_rng(seed)
    array = np.asarray(draw.uniform(-1, 2, shape)).astype(dtype)
    return from_array(array, requires_grad=dtype in ("float32", "float64"))


TENSORS = st.builds(tensor, st.sampled_from(SHAPES), st.sampled_from(DTYPES), st.integers(0, 3))
PLAUSIBLE = st.builds(
    tensor,
    st.sampled_from([(3,), (2, 3)]),
    st.sampled_from(["float32", "int64"]),
    st.integers(0, 3),
)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(sorted(FUNCTIONS)), st.data())
def test_any_arguments(name: str, data: Any) -> None:
    function = FUNCTIONS[name]
    count = len(inspect.signature(function.body).parameters)
    first = data.draw(st.lists(PLAUSIBLE | TENSORS, min_size=1, max_size=min(count, 3)))
    rest = data.draw(st.lists(st.sampled_from(OTHERS) | TENSORS, max_size=max(count - 3, 0)))
    code = ""
    try:
        result = function(*first, *rest)
        for part in result if isinstance(result, tuple) else (result,):
            part.array()
            if part.requires_grad:
                part.abs().sum().backward(retain_graph=True)
    except GradcliError as error:
        code = error.diagnostic.code
    assert code != "G099"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "F.linear(x, [1, 2])",
            "linear(): argument 'weight' (position 2) must be Tensor, not list",
        ),
        ("F.kl_div(x, 3)", "kl_div(): argument 'target' (position 2) must be Tensor, not int"),
        ("F.elu(x, 'a')", "elu(): argument 'alpha' (position 2) must be float, not str"),
        ("F.softmax(x, 1.5)", "softmax(): argument 'dim' (position 2) must be int, not float"),
    ],
)
def test_arguments_of_the_wrong_kind(expression: str, message: str) -> None:
    with pytest.raises(GradcliError) as caught:
        ours(expression, {"x": np.ones((2, 2))})
    assert str(caught.value) == message
    assert caught.value.kind is TypeError

"""Any tensor, of any dtype, under any print options, is printed as PyTorch prints it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gradcli.functions import find
from gradcli.graph.dtype import DTYPES

torch = pytest.importorskip("torch")

STORED = {"bfloat16": "float32", "complex32": "complex64"}
"""What the numbers of the dtypes that NumPy lacks are drawn in."""
PRINTED = (
    *("bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64"),
    *("float16", "bfloat16", "float32", "float64", "complex32", "complex64", "complex128"),
)

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "precision": st.integers(0, 20),
        "threshold": st.one_of(st.integers(0, 40), st.just(math.inf)),
        "edgeitems": st.integers(0, 5),
        "linewidth": st.integers(0, 200),
        "profile": st.sampled_from(["default", "short", "full"]),
        "sci_mode": st.sampled_from([None, True, False]),
    },
)


@st.composite
def arrays(draw: Any) -> tuple[str, np.ndarray[Any, Any]]:
    """A dtype and numbers for it; small ones and round ones as often as any."""
    name = draw(st.sampled_from(PRINTED))
    dtype = np.dtype(STORED.get(name, name))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9))
    elements = None
    if dtype.kind in "fc":
        width = dtype.itemsize * 8 // (1 + (dtype.kind == "c"))
        plain = st.sampled_from([0.0, -0.0, 0.5, 1.0, -3.0, 1e-4, 99999.5, 1e8, math.nan, math.inf])
        if width == 16:
            plain = st.sampled_from([0.0, -0.0, 0.5, 1.0, -3.0, 1000.0, math.nan, math.inf])
        numbers = st.one_of(
            plain.map(dtype.type),
            st.integers(-100, 100).map(dtype.type),
            st.floats(-10, 10, width=width).map(dtype.type),
            st.floats(width=width).map(dtype.type),
        )
        elements = numbers
        if dtype.kind == "c":
            elements = st.builds(lambda a, b: dtype.type(complex(a.real, b.real)), numbers, numbers)
    return name, draw(hnp.arrays(dtype, shape, elements=elements))


@pytest.fixture(autouse=True)
def default_options() -> Iterator[None]:
    yield
    _set({"profile": "default"})


def _set(options: dict[str, Any]) -> None:
    for setter in (torch.set_printoptions, find("torch.set_printoptions")):
        setter(profile="default")
        setter(**options)


@given(arrays(), OPTIONS, st.integers(0, 2))
@example(("bfloat16", np.array([1e-4, 300.0], np.float32)), {"precision": 2}, 1)
@example(("complex64", np.array([1 + 2j, np.nan], np.complex64)), {"sci_mode": True}, 2)
@example(("bool", np.zeros((3, 9), bool)), {"edgeitems": 1, "threshold": 5, "linewidth": 20}, 0)
@settings(max_examples=300, deadline=None)
def test_any_tensor_under_any_options(
    drawn: tuple[str, np.ndarray[Any, Any]], options: dict[str, Any], flavour: int
) -> None:
    """Flavour 0 is a plain tensor, 1 a leaf that requires a gradient, 2 a result."""
    name, array = drawn
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, that complex numbers of halves are new
        theirs = torch.from_numpy(array.copy()).to(getattr(torch, name))
        ours = find("torch.tensor")(array).to(DTYPES[name])
    if flavour and DTYPES[name].differentiable:
        ours, theirs = ours.requires_grad_(), theirs.requires_grad_()
        if flavour == 2:
            ours, theirs = ours.view_as(ours), theirs.view_as(theirs)
    _set(options)
    assert repr(ours) == repr(theirs)

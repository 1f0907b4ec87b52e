"""The printed tensor against PyTorch's, byte for byte."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gradcli.errors import GradcliError
from gradcli.functions.create import from_array
from gradcli.tensor import text
from gradcli.tensor.text import PrintOptions, scalar_format, tensor_text

NAN, INF = math.nan, math.inf
FLOATS = ["float16", "float32", "float64"]
INTEGERS = ["int8", "int16", "int32", "int64", "uint8"]
COMPLEX = ["complex64", "complex128"]
SPECIAL = [0.0, -0.0, NAN, INF, -INF]
EXTREME = [1e-4, 1e-8, 1e8, 1e8 + 1, 1e10, 1e38, 1e-40, 5e-324, 0.1, 0.3, 100.0, 300.0, 1000.0]
ROUNDING = [0.5, 1.0, 2.0, -3.0, 999.9995, 99999.5, 0.00005, 0.00015, 9.99995]
SHAPES = [(), (0,), (0, 3), (2, 0, 2), (1,), (2,), (17,), (40,), (3, 4), (1, 1, 1), (2, 3, 4)]
LARGE = [(2, 1, 3, 2), (5, 30), (1001,), (8, 8, 17), (2, 600), (11, 1, 100), (7, 7)]


@pytest.fixture(autouse=True)
def _default_options():
    yield
    text.set_printoptions(profile="default")


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch")
    yield module
    module.set_printoptions(profile="default")
    module.set_default_dtype(module.float32)


def draw_numbers(rng: np.random.Generator, count: int) -> np.ndarray:
    """Floats of one of the mixtures between which PyTorch's number format changes."""
    plain = rng.standard_normal(count)
    whole = rng.integers(-1000, 1000, count).astype(float)
    odd = rng.random(count) < 0.3
    everything = [*SPECIAL, *EXTREME, *ROUNDING]
    mixtures = [
        lambda: rng.integers(-5, 6, count).astype(float),
        lambda: plain,
        lambda: plain * 10.0 ** rng.integers(-12, 12),
        lambda: 10.0 ** rng.uniform(-4, 4, count),
        lambda: rng.choice(everything, count),
        lambda: np.where(odd, rng.choice(SPECIAL, count), plain * 100),
        lambda: np.where(odd, rng.choice(SPECIAL, count), whole),
        lambda: rng.integers(-(10**6), 10**12, count).astype(float),
        lambda: rng.choice(rng.choice(everything, 3), count),
        lambda: rng.choice(SPECIAL, count),
    ]
    return mixtures[rng.integers(len(mixtures))]()


def draw_array(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    count = math.prod(shape)
    with np.errstate(all="ignore"):
        if dtype in FLOATS:
            return draw_numbers(rng, count).astype(dtype).reshape(shape)
        if dtype in COMPLEX:
            array = np.empty(count, dtype)
            array.real, array.imag = draw_numbers(rng, count), draw_numbers(rng, count)
            return array.reshape(shape)
    if dtype == "bool":
        return (rng.random(count) < rng.choice([0.0, 0.5, 1.0])).reshape(shape)
    info = np.iinfo(dtype)
    ranges = [(0, 10), (max(-100, info.min), min(1000, info.max)), (info.min, info.max)]
    low, high = ranges[rng.integers(3)]
    return rng.integers(low, high, shape, dtype=dtype, endpoint=True).reshape(shape)


def draw_options(rng: np.random.Generator) -> dict[str, object]:
    choices = {
        "precision": [None, 0, 1, 4, 7, 17],
        "threshold": [None, 0, 5, 50, INF],
        "edgeitems": [None, 0, 1, 2, 5],
        "linewidth": [None, 0, 10, 37, 80, 200],
        "profile": [None, "short", "full", "Full"],
        "sci_mode": [None, True, False],
    }
    return {name: values[rng.integers(len(values))] for name, values in choices.items()}


def compare(torch, array: np.ndarray, flavour: int = 0) -> None:
    """Flavour 0 is a plain tensor, 1 a leaf that requires a gradient, 2 a result."""
    tensor = torch.from_numpy(array)
    suffixes = []
    if flavour and array.dtype.kind in "fc":
        tensor.requires_grad_()
        suffixes = ["requires_grad=True"]
        if flavour == 2:
            tensor = tensor.view_as(tensor)
            suffixes = ["grad_fn=<ViewBackward0>"]
    assert tensor_text(array, array.dtype.name, suffixes=suffixes) == str(tensor)


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, "bool", *COMPLEX])
def test_grid(torch, dtype: str) -> None:
    rng = np.random.default_rng(7)
    for _ in range(6 if dtype in FLOATS + COMPLEX else 3):
        for shape in SHAPES + LARGE:
            for flavour in range(3 if dtype in FLOATS + COMPLEX else 1):
                compare(torch, draw_array(rng, dtype, shape), flavour)


@pytest.mark.parametrize("dtype", [*FLOATS, "int64", "int8", "bool", *COMPLEX])
def test_print_options(torch, dtype: str) -> None:
    rng = np.random.default_rng(11)
    shapes = SHAPES + LARGE
    try:
        for index in range(150):
            options = draw_options(rng)
            for module in (torch, text):
                module.set_printoptions(profile="default")
                module.set_printoptions(**options)
            compare(torch, draw_array(rng, dtype, shapes[index % len(shapes)]), index % 3)
    finally:
        torch.set_printoptions(profile="default")


@pytest.mark.parametrize("dtype", FLOATS)
def test_every_pair_of_delicate_numbers(torch, dtype: str) -> None:
    delicate = [*SPECIAL, *EXTREME, *ROUNDING, 1001.0, 0.0999, 1e5]
    with np.errstate(all="ignore"):
        for a in delicate:
            for b in delicate:
                compare(torch, np.array([a, b]).astype(dtype))


@given(
    hnp.arrays(
        st.sampled_from([*FLOATS, *INTEGERS, "bool", *COMPLEX]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9),
    ),
    st.integers(0, 2),
)
@settings(max_examples=150, deadline=None)
def test_any_array(array: np.ndarray, flavour: int) -> None:
    compare(pytest.importorskip("torch"), array, flavour)


@pytest.mark.parametrize("default", ["float32", "float64", "float16", "bfloat16"])
def test_dtype_suffix(torch, default: str) -> None:
    torch.set_default_dtype(getattr(torch, default))
    try:
        for dtype in [*FLOATS, *INTEGERS, "bool", *COMPLEX]:
            for shape in [(), (0,), (2,), (0, 3)]:
                array = np.zeros(shape, dtype)
                expected = str(torch.from_numpy(array))
                assert tensor_text(array, dtype, default_dtype=default) == expected
    finally:
        torch.set_default_dtype(torch.float32)


def test_strided_and_broadcast_arrays(torch) -> None:
    for tensor in (
        torch.arange(12.0).reshape(3, 4).T,
        torch.ones(1).expand(100, 200),
        torch.zeros((1,) * 20),
        torch.ones((2,) * 11),
    ):
        assert tensor_text(tensor.numpy(), "float32") == str(tensor)


def test_suffixes_break_like_pytorch(torch) -> None:
    try:
        for width in range(8, 80, 3):
            torch.set_printoptions(linewidth=width)
            for array in (np.ones(3), np.ones((2, 6)), np.array(2.0)):
                tensor = torch.from_numpy(array).requires_grad_()
                ours = tensor_text(
                    array,
                    "float64",
                    suffixes=["requires_grad=True"],
                    options=PrintOptions(linewidth=width),
                )
                assert ours == str(tensor)
    finally:
        torch.set_printoptions(profile="default")


def test_known_texts() -> None:
    ones = np.ones((2, 2), np.float32)
    assert tensor_text(ones, "float32", suffixes=["requires_grad=True"]) == (
        "tensor([[1., 1.],\n        [1., 1.]], requires_grad=True)"
    )
    result = tensor_text(np.float32(27)[()].reshape(()), "float32", suffixes=["grad_fn=<M0>"])
    assert result == "tensor(27., grad_fn=<M0>)"
    assert tensor_text(np.zeros((0, 3), np.int32), "int32") == (
        "tensor([], size=(0, 3), dtype=torch.int32)"
    )
    assert tensor_text(np.arange(1001), "int64") == (
        "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    )


def test_options_of_the_call_win() -> None:
    third = np.array(1 / 3)
    assert tensor_text(third, "float64", options=PrintOptions(precision=2)) == (
        "tensor(0.33, dtype=torch.float64)"
    )
    assert "0.3333" in tensor_text(third, "float64")


def test_set_printoptions_refuses_what_cannot_be_printed() -> None:
    for options in ({"precision": -1}, {"precision": 10**9}):
        with pytest.raises(ValueError, match="precision must be between 0 and 1000"):
            text.set_printoptions(**options)
    for options in ({"precision": 2.5}, {"linewidth": "wide"}, {"edgeitems": True}):
        with pytest.raises(TypeError, match="must be"):
            text.set_printoptions(**options)
    assert text.current.precision == 4


def test_unlimited_line_and_negative_edges() -> None:
    line = tensor_text(np.arange(900), "int64", options=PrintOptions(linewidth=INF))
    assert "\n" not in line
    assert tensor_text(np.arange(9), "int64", options=PrintOptions(threshold=5, edgeitems=-1)) == (
        "tensor([...], size=(9,))"
    )


@pytest.mark.parametrize("value", [True, 3, 2.5, 1.2345678, 1 + 2j])
def test_format_of_numbers(torch, value: object) -> None:
    tensor = torch.tensor(value)
    dtype = str(tensor.dtype).removeprefix("torch.")
    for spec in ["", ".2f", ">8", "e", "d", "x", "08.3f", "+", "%", "s", "zz", ".3", "_", "n"]:
        assert outcome(scalar_format, tensor.numpy(), dtype, spec) == outcome(format, tensor, spec)
        number = tensor.item()
        assert outcome(scalar_format, number, dtype, spec) == outcome(format, tensor, spec)


def test_format_of_arrays(torch) -> None:
    for shape in [(), (1,), (2, 3), (0,)]:
        array = np.ones(shape, np.float32)
        for spec in ["", ".2f"]:
            ours = outcome(format, from_array(array), spec)
            assert ours == outcome(format, torch.from_numpy(array), spec)


def outcome(function, *arguments) -> object:
    try:
        return function(*arguments)
    except GradcliError as error:
        return error.kind, str(error)
    except (TypeError, ValueError) as error:
        return type(error), str(error)


def test_only_shown_elements_are_looked_at() -> None:
    pages = np.broadcast_to(np.float32(1.5), (10**6, 10**7))  # 40 TB, were it all looked at
    assert tensor_text(pages, "float32").count("1.5000") == 36

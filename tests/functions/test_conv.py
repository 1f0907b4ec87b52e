"""Convolutions, patches and padding against PyTorch: values, two derivatives, names, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from functional_oracle import compare, compare_error
from hypothesis import given, settings
from hypothesis import strategies as st

CALLS = [
    ("F.conv1d(x, w)", {"x": (2, 4, 8), "w": (3, 4, 3)}),
    ("torch.conv1d(x, w, b, 2, 1, 2)", {"x": (2, 4, 8), "w": (3, 4, 3), "b": (3,)}),
    ("F.conv1d(x, w, padding='same')", {"x": (4, 7), "w": (2, 4, 3)}),
    ("F.conv2d(x, w, b)", {"x": (2, 4, 5, 6), "w": (3, 4, 3, 2), "b": (3,)}),
    ("F.conv2d(x, w, stride=(2, 1), padding=(1, 2))", {"x": (2, 3, 5, 6), "w": (2, 3, 3, 3)}),
    ("F.conv2d(x, w, padding='same')", {"x": (2, 3, 5, 6), "w": (2, 3, 3, 3)}),
    ("F.conv2d(x, w, padding='same', dilation=2)", {"x": (2, 3, 5, 6), "w": (2, 3, 2, 3)}),
    ("F.conv2d(x, w, padding='valid')", {"x": (2, 3, 5, 6), "w": (2, 3, 3, 3)}),
    ("F.conv2d(x, w, groups=2, padding=1)", {"x": (2, 4, 4, 4), "w": (6, 2, 3, 3)}),
    ("F.conv2d(x, w, groups=4)", {"x": (4, 4, 4), "w": (4, 1, 3, 3)}),
    ("F.conv2d(x, w)", {"x": (1, 2, 3, 3), "w": (2, 2, 1, 1)}),
    ("F.conv3d(x, w, b, stride=2)", {"x": (1, 2, 4, 5, 6), "w": (2, 2, 2, 3, 3), "b": (2,)}),
    ("F.conv3d(x, w)", {"x": (2, 4, 5, 6), "w": (2, 2, 2, 3, 3)}),
    ("F.conv_transpose1d(x, w, b)", {"x": (2, 4, 5), "w": (4, 3, 3), "b": (3,)}),
    ("F.conv_transpose1d(x, w, stride=2, output_padding=1)", {"x": (4, 5), "w": (4, 3, 3)}),
    ("F.conv_transpose2d(x, w, b, 2, 1, 1)", {"x": (2, 3, 3, 4), "w": (3, 2, 3, 3), "b": (2,)}),
    ("F.conv_transpose2d(x, w, groups=2, dilation=2)", {"x": (2, 4, 3, 3), "w": (4, 3, 2, 3)}),
    (
        "F.conv_transpose2d(x, w, dilation=3, output_padding=2)",
        {"x": (1, 2, 3, 3), "w": (2, 1, 2, 2)},
    ),
    ("F.conv_transpose3d(x, w, stride=(1, 2, 1))", {"x": (1, 2, 2, 3, 3), "w": (2, 1, 2, 3, 2)}),
    ("F.unfold(x, 2)", {"x": (2, 3, 4, 5)}),
    ("F.unfold(x, (2, 3), dilation=(2, 1), padding=(1, 2), stride=2)", {"x": (3, 4, 5)}),
    ("F.fold(x, (3, 4), 2)", {"x": (2, 12, 6)}),
    ("F.fold(x, (4, 5), (2, 3), padding=1, stride=2)", {"x": (12, 9)}),
    ("F.pad(x, (1, 2), mode='reflect')", {"x": (2, 4)}),
    ("F.pad(x, (1, 2, 0, 3), mode='reflect')", {"x": (2, 1, 4, 5)}),
    ("F.pad(x, (1, -2, 1, 1, 2, 0), mode='reflect')", {"x": (1, 3, 4, 5)}),
    ("F.pad(x, (1, 2), mode='replicate')", {"x": (2, 4)}),
    ("F.pad(x, (4, 2, -1, 6), mode='replicate')", {"x": (2, 4, 3)}),
    ("F.pad(x, (4, 2, 1, 6, 1, 1), mode='replicate')", {"x": (2, 1, 4, 3, 2)}),
]
"""Calls with the shape of each tensor."""
CIRCULAR = [
    ("F.pad(x, (1, 2), mode='circular')", {"x": (2, 4)}),
    ("F.pad(x, (2, -1, 2, 0), mode='circular')", {"x": (2, 4, 3)}),
    ("F.pad(x, (2, -1, 2, 0, 1, 1), mode='circular')", {"x": (2, 4, 3, 5)}),
    ("F.pad(x, (0, 0), mode='circular')", {"x": (2, 4)}),
]


def _drawn(shapes: dict[str, tuple[int, ...]], dtype: str = "float64") -> dict[str, Any]:
    numbers = np.random.default_rng(5)
    return {name: numbers.standard_normal(s).astype(dtype) for name, s in shapes.items()}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("expression", "shapes"), CALLS, ids=[c for c, _ in CALLS])
def test_values_derivatives_and_names(
    expression: str, shapes: dict[str, tuple[int, ...]], dtype: str
) -> None:
    compare(expression, _drawn(shapes, dtype))


@pytest.mark.parametrize(("expression", "shapes"), CIRCULAR, ids=[c for c, _ in CIRCULAR])
def test_circular_padding(expression: str, shapes: dict[str, tuple[int, ...]]) -> None:
    compare(f"({expression})*1", _drawn(shapes))


@pytest.mark.parametrize(
    ("expression", "shapes"),
    [
        ("F.conv2d(x, w)", {"x": (0, 4, 5, 6), "w": (3, 4, 3, 2)}),
        ("F.conv_transpose2d(x, w)", {"x": (0, 4, 3, 3), "w": (4, 3, 2, 2)}),
        ("F.unfold(x, 2)", {"x": (0, 3, 4, 5)}),
        ("F.pad(x, (1, 1), mode='reflect')", {"x": (0, 3, 4)}),
    ],
)
def test_nothing_in_the_batch(expression: str, shapes: dict[str, tuple[int, ...]]) -> None:
    compare(expression, _drawn(shapes), order=1)


def test_integers_and_complex_numbers() -> None:
    whole = {"cx": np.arange(18).reshape(1, 2, 3, 3), "cw": np.arange(8).reshape(1, 2, 2, 2)}
    compare("F.conv2d(cx, cw)", whole)
    compare("F.conv_transpose2d(cx, cw.permute(1, 0, 2, 3))", whole)
    numbers = np.random.default_rng(1)
    parts = {n: numbers.standard_normal(s) for n, s in (("x", (1, 2, 5)), ("w", (3, 2, 2)))}
    compare("F.conv1d(x*(1+2j), w*(1-1j), b*1j)", parts | {"b": np.ones(3)}, order=0)


REFUSED = [
    *("F.conv2d(torch.ones(2, 3), w)", "F.conv1d(x, w)", "F.conv3d(x[0, 0], w)"),
    *(
        "F.conv2d(x[:, :3], w)",
        "F.conv2d(x, w[0])",
        "F.conv2d(x, w[None])",
        "F.conv2d(x, w[0, 0, 0])",
    ),
    *("F.conv2d(x[..., :2, :2], w)", "F.conv2d(x[..., :2], w, padding=(1, 0))"),
    *("F.conv1d(x[0, ..., :2], w[0])", "F.conv2d(x, w, w[0, 0, 0])", "F.conv2d(x, w, w[0, 0])"),
    *("F.conv2d(x, w, stride=0)", "F.conv2d(x, w, stride=-1)", "F.conv2d(x, w, padding=-1)"),
    *("F.conv2d(x.float(), w.float(), dilation=0)", "F.conv2d(x, w, stride=(1, 1, 1))"),
    *("F.conv2d(x, w, padding=(1, 1, 1))", "F.conv2d(x, w, dilation=(1, 1, 1))"),
    *("F.conv2d(x, w, groups=3)", "F.conv2d(x, w, groups=5)", "F.conv2d(x, w, groups=0)"),
    *("F.conv2d(x, w[:, :2], groups=3)", "F.conv2d(x, w, groups=2)"),
    *("F.conv2d(x, w, padding='same', stride=2)", "F.conv2d(x, w, padding='foo')"),
    *("F.conv2d(x, w.float())", "F.conv2d(x, w, w[:, 0, 0, 0].float())", "F.conv2d(x.long(), w)"),
    *("F.conv2d(x.bool(), w.bool())", "F.conv_transpose2d(x[0, 0], w)"),
    *("F.conv_transpose2d(x, w[:3])", "F.conv_transpose2d(x, w, w[0, 0, 0])"),
    *("F.conv_transpose2d(x, w, output_padding=1)", "F.conv_transpose2d(x, w, output_padding=-1)"),
    *("F.conv_transpose2d(x, w, output_padding=(1, 1, 1))", "F.conv_transpose2d(x, w, groups=3)"),
    *(
        "F.conv_transpose2d(x[..., :1, :1], w, padding=2)",
        "F.conv_transpose1d(x[0], w[0], stride=0)",
    ),
    *(
        "F.conv_transpose2d(x, w, padding='same')",
        "F.conv_transpose1d(x[0], w[0], output_padding=1)",
    ),
    *("F.unfold(x, 9)", "F.unfold(x, (2, 2, 2))", "F.unfold(x, 0)"),
    *("F.unfold(x, 2, dilation=0)", "F.unfold(x, 2, padding=-1)", "F.unfold(x, 2, stride=0)"),
    *("F.unfold(x.long(), 2)", "F.unfold(x[:, :0], 2)", "F.fold(p, (3, 3), 2, stride=3)"),
    *("F.fold(p[:, :11], (3, 3), 2)", "F.fold(p[0, 0], (3, 3), 2)", "F.fold(p, (1, 1), 2)"),
    *("F.fold(p, (3, 3), 0)", "F.fold(p, (3, 3), 2, stride=0)", "F.fold(p, (3, 3, 3), 2)"),
    *("F.fold(p, (3, 3), 2, dilation=0)", "F.fold(p, (3, 3), 2, padding=-1)"),
    *("F.pad(x[0, 0, 0], (1, 1), mode='reflect')", "F.pad(x[0, 0], (6, 1), mode='reflect')"),
    *("F.pad(x, (1, 1), mode='reflect')", "F.pad(x, (1, 1, 7, 1), mode='reflect')"),
    *("F.pad(x[0], (1,)*6, mode='reflect')", "F.pad(x, (7, 1, 1, 1), mode='circular')"),
    *("F.pad(x, (-4, -4, 1, 1), mode='circular')", "F.pad(x, (1,), mode='reflect')"),
    *("F.pad(x, (1,)*4, mode='reflect', value=2.)", "F.pad(x, (1,)*4, mode='foo')"),
    *("F.pad(x[0, :, :0], (1, 1), mode='reflect')", "F.pad(x[0], (-1, -7), mode='replicate')"),
    *("F.pad(x[0].bool(), (1, 1), mode='replicate')", "F.pad(x[0], (1,)*7)", "F.pad(x, (1,)*3)"),
]


@pytest.mark.parametrize("expression", REFUSED)
def test_refusals_are_pytorch_s(expression: str) -> None:
    compare_error(expression, _drawn({"x": (2, 4, 5, 6), "w": (4, 4, 3, 3), "p": (2, 12, 4)}))


@st.composite
def _convolution(draw: Any) -> tuple[str, dict[str, tuple[int, ...]]]:
    small = st.integers(1, 3)
    dims, groups, transposed = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.booleans())
    each = [[draw(small) for _ in range(dims)] for _ in range(3)]
    kernel, stride, dilation = each
    padding = [draw(st.integers(0, 2)) for _ in range(dims)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    sizes = [
        max(r, 2 * p + 2) + draw(st.integers(0, 2)) for r, p in zip(reach, padding, strict=True)
    ]
    inside, outside = groups * draw(small), groups * draw(small)
    pair = (inside, outside // groups) if transposed else (outside, inside // groups)
    shapes = {"x": (draw(small), inside, *sizes), "w": (*pair, *kernel), "b": (outside,)}
    options = f"{stride=}, {padding=}, {dilation=}, {groups=}"
    name = f"conv_transpose{dims}d" if transposed else f"conv{dims}d"
    return f"F.{name}(x, w, b, {options})", shapes


@given(_convolution())
@settings(max_examples=40, deadline=None)
def test_any_convolution(call: tuple[str, dict[str, tuple[int, ...]]]) -> None:
    compare(call[0], _drawn(call[1]))

"""Resizing, shuffling and sampling of images against PyTorch: values, derivatives, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from functional_oracle import compare, compare_error
from hypothesis import given, settings
from hypothesis import strategies as st

# PyTorch warns about defaults that changed long ago.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

LINE, IMAGE, VOLUME = (2, 3, 5), (2, 3, 4, 5), (1, 2, 3, 4, 5)
CALLS = [
    *((f"F.interpolate(x, {a})", LINE) for a in ("8", "scale_factor=2", "3, mode='linear'")),
    *((f"F.interpolate(x, {a})", IMAGE) for a in ("8", "scale_factor=2", "(3, 9)", "(4, 5)")),
    ("F.interpolate(x, scale_factor=1.7)", VOLUME),
    ("F.interpolate(x, scale_factor=1.7, mode='nearest-exact')", IMAGE),
    ("F.interpolate(x, scale_factor=(1.7, 0.5), mode='bilinear')", IMAGE),
    ("F.interpolate(x, scale_factor=1.7, mode='bilinear', recompute_scale_factor=True)", IMAGE),
    ("F.interpolate(x, (7, 1), mode='bilinear', align_corners=True)", IMAGE),
    ("F.interpolate(x, (7, 2), mode='bicubic')", IMAGE),
    ("F.interpolate(x, scale_factor=1.4, mode='bicubic', align_corners=True)", IMAGE),
    ("F.interpolate(x, 4, mode='trilinear')", VOLUME),
    ("F.interpolate(x, 2, mode='area')", IMAGE),
    ("F.interpolate(x, scale_factor=0.7, mode='area')", VOLUME),
    ("F.upsample(x, scale_factor=2)", IMAGE),
    ("F.upsample_nearest(x, 7)", IMAGE),
    ("F.upsample_bilinear(x, scale_factor=2)", IMAGE),
    *(
        (f"F.interpolate(x, {size}, mode='{mode}', antialias=True)", (1, 2, 7, 8))
        for mode in ("bilinear", "bicubic", "lanczos")
        for size in ("3", "(9, 5)")
    ),
    ("F.interpolate(x, scale_factor=0.4, mode='bilinear', antialias=True)", (1, 2, 7, 8)),
    ("F.pixel_shuffle(x, 2)", (2, 8, 2, 3)),
    ("torch.pixel_shuffle(x, 3)", (9, 2, 1)),
    ("F.pixel_unshuffle(x, 2)", (2, 3, 4, 6)),
    ("torch.pixel_unshuffle(x, 1)", (3, 4, 6)),
    ("F.channel_shuffle(x, 3)", (2, 6, 2, 3)),
    ("torch.channel_shuffle(x, 2)", (2, 6, 3)),
    ("F.affine_grid(x, (2, 1, 3, 4))", (2, 2, 3)),
    ("F.affine_grid(x, [2, 1, 3, 1], align_corners=True)", (2, 2, 3)),
    ("F.affine_grid(x, (1, 2, 2, 3, 4))", (1, 3, 4)),
]
"""Calls with the shape of `x`."""
SAMPLED = [
    *("F.grid_sample(x, g)", "F.grid_sample(x, g, align_corners=True)"),
    *("F.grid_sample(x, g, padding_mode='border')", "F.grid_sample(x, g, 'nearest')"),
    *("F.grid_sample(x, g, padding_mode='reflection')", "F.grid_sample(x, g, 'nearest', 'border')"),
    *("F.grid_sample(x, g, 'bilinear', 'reflection', True)",),
    *(
        "F.grid_sample(x, g, 'nearest', 'reflection', True)",
        "torch.grid_sampler(x, g, 0, 1, False)",
    ),
]
CUBIC = [
    f"F.grid_sample(x, g, 'bicubic', {padding!r}, {align})"
    for padding in ("zeros", "border", "reflection")
    for align in (True, False)
]


def _drawn(shape: tuple[int, ...], dtype: str = "float64") -> dict[str, Any]:
    return {"x": np.random.default_rng(5).standard_normal(shape).astype(dtype)}


def _with_grid(count: int, dtype: str) -> dict[str, Any]:
    numbers = np.random.default_rng(5)
    points = numbers.uniform(-2.5, 2.5, (2, *(3, 4, 2)[:count], count))
    image = numbers.standard_normal((2, 3, *(4, 5, 6)[:count]))
    return {"x": image.astype(dtype), "g": points.astype(dtype)}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("expression", "shape"), CALLS, ids=[c for c, _ in CALLS])
def test_values_derivatives_and_names(expression: str, shape: tuple[int, ...], dtype: str) -> None:
    compare(expression, _drawn(shape, dtype))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("expression", SAMPLED)
def test_reading_at_the_points_of_a_grid(expression: str, count: int, dtype: str) -> None:
    compare(expression, _with_grid(count, dtype), order=1)


@pytest.mark.parametrize("expression", CUBIC)
def test_reading_smoothly_at_the_points_of_a_grid(expression: str) -> None:
    compare(expression, _with_grid(2, "float64"), order=1)


def test_points_that_are_no_numbers() -> None:
    arrays = _with_grid(2, "float64")
    arrays["g"][0, 0, 0] = np.nan
    arrays["g"][1, 1, 1, 0] = np.inf
    for padding in ("zeros", "border"):
        compare(f"F.grid_sample(x, g.detach(), 'nearest', {padding!r})", arrays, order=1)


def test_bytes() -> None:
    compare("F.interpolate(cx, 7)", {"cx": np.arange(24, dtype=np.uint8).reshape(1, 2, 3, 4)})


REFUSED = [
    *("F.interpolate(x)", "F.interpolate(x, 2, 2)", "F.interpolate(x, (2, 2, 2))"),
    *("F.interpolate(x, scale_factor=(2, 2, 2))", "F.interpolate(x, 2, align_corners=True)"),
    *("F.interpolate(x, 2, mode='linear')", "F.interpolate(x[0], 2, mode='bilinear')"),
    *("F.interpolate(x, 2, mode='trilinear')", "F.interpolate(x[None], 2, mode='bicubic')"),
    *("F.interpolate(x[0, 0], 2)", "F.interpolate(x, 2, mode='foo')", "F.interpolate(x, 0)"),
    *("F.interpolate(x, -1)", "F.interpolate(x, scale_factor=0.1)", "F.interpolate(x[0], 0)"),
    *("F.interpolate(x[:, :, :0], 2)", "F.interpolate(x[:, :0], 2)", "F.interpolate(x.long(), 2)"),
    *("F.interpolate(x, 2, recompute_scale_factor=True)", "F.interpolate(x, 2, antialias=True)"),
    *("F.interpolate(x.long(), 2, mode='bilinear')", "F.interpolate(x[0].long(), 2)"),
    *("F.interpolate(x.long(), 2, mode='bicubic')", "F.interpolate(x[None].long(), 2)"),
    *("F.pixel_shuffle(x[0, 0], 2)", "F.pixel_shuffle(x, 2)", "F.pixel_shuffle(x, 0)"),
    *("F.pixel_unshuffle(x[0, 0], 2)", "F.pixel_unshuffle(x, 2)", "F.pixel_unshuffle(x, 3)"),
    *("F.pixel_unshuffle(x, 0)", "F.channel_shuffle(x[0, 0], 2)", "F.channel_shuffle(x, 2)"),
    *("F.channel_shuffle(x, 0)", "F.grid_sample(x, x)", "F.grid_sample(x, x[:1, ..., :2])"),
    *("F.grid_sample(x, x[:, 0, :, :2])", "F.grid_sample(x, x[..., :2], mode='foo')"),
    *("F.grid_sample(x, x[..., :2], padding_mode='foo')", "F.grid_sample(x.float(), x[..., :2])"),
    *("F.grid_sample(x[:, :, :0], x[..., :2])", "F.grid_sample(x.long(), x[..., :2].long())"),
    *("F.grid_sample(x[..., None], x[..., None].expand(2, 3, 4, 5, 3), 'bicubic')",),
    *("F.affine_grid(x[0, :, :3], (2, 1, 3))", "F.affine_grid(x[0, :2, :3], (2, 1, 3, 3, 3))"),
    *("F.affine_grid(x[0], (2, 1, 3, 3))", "F.affine_grid(x[0].long(), (2, 1, 3, 3))"),
    *(
        "F.affine_grid(x[:, 0, :2, :3], (2, 1, 0, 3))",
        "F.affine_grid(x[:, 0, :2, :3], (3, 1, 3, 3))",
    ),
]


@pytest.mark.parametrize("expression", REFUSED)
def test_refusals_are_pytorch_s(expression: str) -> None:
    compare_error(expression, {"x": np.random.default_rng(0).standard_normal((2, 3, 4, 5))})


@given(
    st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic"]),
    st.sampled_from(["float32", "float64"]),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.floats(0.3, 3.5), st.floats(0.3, 3.5)),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_any_size(
    mode: str,
    dtype: str,
    sizes: tuple[int, int],
    scales: tuple[float, float],
    by_scale: bool,
    align: bool,
) -> None:
    wanted = [int(n * s) for n, s in zip(sizes, scales, strict=True)]
    if min(wanted) < 1:
        return
    if mode == "bicubic" and by_scale and wanted == list(sizes):
        return  # PyTorch's gradient is the cotangent itself there, though its result is scaled
    option = f"scale_factor={scales}" if by_scale else f"size={wanted}"
    corners = f", align_corners={align}" if mode.startswith("bi") else ""
    compare(f"F.interpolate(x, {option}, mode={mode!r}{corners})", _drawn((1, 2, *sizes), dtype))

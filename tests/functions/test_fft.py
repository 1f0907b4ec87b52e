"""Fourier transforms: names, derivatives, printed zeros and errors, against PyTorch and sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from functional_oracle import compare, compare_error, ours, theirs
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcli.functions import find

pytestmark = pytest.mark.filterwarnings("ignore:.*window:UserWarning", "ignore:stft:UserWarning")

numbers = np.random.default_rng(5)
VALUES: dict[str, Any] = {
    **{"x": numbers.normal(size=(3, 4)), "v": numbers.normal(size=20), "w": np.hanning(8) + 0.1},
    **{"ci": np.arange(4), "ch": np.ones(3, np.float16), "cz": np.ones((2, 3)) + 1j},
    **{"cf": np.arange(6, dtype=np.float32), "ce": np.zeros(0), "cr": np.ones((2, 3))},
    "cs": np.ones((5, 11)) * 1j,
}
ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
EXPRESSIONS = [
    *(f"torch.fft.{name}(x).abs()" for name in ONE),
    *(f"torch.fft.{name}(x, n=5, dim=0, norm='ortho').abs()" for name in ONE),
    *(f"torch.fft.{name}2(x, s=(2, 5), norm='forward').abs()" for name in ONE),
    *(f"torch.fft.{name}n(x, dim=(1, 0)).abs()" for name in ONE),
    *("torch.fft.fft(x)", "torch.fft.ifft(x)", "torch.fft.irfft2(x)", "torch.fft.hfftn(x)"),
    *("torch.fft.fftshift(x)", "torch.fft.ifftshift(x, dim=1)", "torch.fft.ihfft2(x)"),
]
SHORT_TIME = [
    *("torch.stft(v, 8, window=w, return_complex=True)", "torch.stft(v, 8, return_complex=False)"),
    "torch.stft(v, 8, 3, 6, w[:6], center=False, onesided=False, return_complex=True)",
    "torch.istft(torch.stft(v, 8, window=w, return_complex=True), 8, window=w, length=15)",
    "torch.istft(torch.stft(v, 8, return_complex=True, normalized=True), 8, normalized=True)",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_value_name_and_derivatives(expression: str) -> None:
    compare(expression, VALUES, order=2 if expression.endswith("abs()") else 1)


@pytest.mark.parametrize("expression", SHORT_TIME)
def test_short_time_transforms(expression: str) -> None:
    compare(expression, VALUES, order=1)


@pytest.mark.parametrize(
    "expression",
    [
        *("fft(ci)", "ifft(ci)", "fft(cf[:4])", "ifft(cf[:5])", "rfft(cf[:4])", "irfft(cf[:3])"),
        *("fftfreq(5)", "fftfreq(4, d=0.5)", "rfftfreq(5)", "rfftfreq(4, 2)", "fftfreq(0)"),
        *("fftfreq(3, requires_grad=True)", "fftshift(ci)", "ifftshift(cf)", "fftn(cr, dim=())"),
    ],
)
def test_printed_as_pytorch_prints_it(expression: str) -> None:
    expression = f"torch.fft.{expression}"
    assert repr(ours(expression, VALUES)[0]) == repr(theirs(expression, VALUES)[0])


@pytest.mark.parametrize(
    "expression",
    [
        *("fft(x, norm='x')", "fft(x, n=0)", "fft(x, dim=2)", "rfft(cz)", "ihfft(cz)", "fft(ce)"),
        *("fft(v[0])", "fftn(x, s=(1, 2, 3))", "fftn(x, s=(1, 2), dim=(0,))", "fftn(x, s=(0, 2))"),
        *("fftn(x, dim=(0, -2))", "rfftn(cz)", "rfftn(x, dim=())", "irfftn(x, dim=())", "fft(ch)"),
        *("irfft(v[:1])", "hfft(v[:1])", "fft2(v)", "ihfft2(cz)", "hfftn(x, dim=())"),
    ],
)
def test_refusals(expression: str) -> None:
    compare_error(f"torch.fft.{expression}", VALUES)


@pytest.mark.parametrize(
    "expression",
    [
        *("stft(v, 8)", "stft(v, 30, return_complex=True, center=False)", "istft(cr, 8)"),
        *("stft(v, 8, 0, return_complex=True)", "stft(v, 8, win_length=9, return_complex=True)"),
        *("stft(v, 8, window=w[:7], return_complex=True)", "istft(cs, 16)", "istft(cs, 8, 10)"),
        *(
            "stft(torch.complex(v, v), 8, onesided=True, return_complex=True)",
            "istft(cs, 8, onesided=False)",
        ),
        *("stft(ci, 2, return_complex=True)", "istft(cs, 8, window=w[:7])"),
    ],
)
def test_short_time_refusals(expression: str) -> None:
    compare_error(f"torch.{expression}", VALUES)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=9), st.sampled_from([None, "ortho"]))
def test_back_and_forth(values: list[float], norm: str | None) -> None:
    x = find("torch.tensor")(values, dtype=find("torch.float64"))
    there = find("torch.fft.rfft")(x, norm=norm)
    back = find("torch.fft.irfft")(there, n=len(values), norm=norm)
    np.testing.assert_allclose(back.array(), values, atol=1e-12)
    places = np.arange(len(values))
    sums = np.exp(-2j * np.pi * np.outer(places, places) / len(values)) @ values
    scale = len(values) ** 0.5 if norm else 1
    np.testing.assert_allclose(there.array() * scale, sums[: len(values) // 2 + 1], atol=1e-10)

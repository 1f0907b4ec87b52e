"""Special functions: what op_db and the op table leave out, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from functional_oracle import compare, compare_error, ours, theirs

X = np.array([0.5, 1.5, 2.5])
VALUES: dict[str, Any] = {"x": X, "cy": X + 1, "ci": np.array([4, -6, 0]), "cb": X > 1}
VALUES["cz"] = X + 1j

EXPRESSIONS = [
    *("torch.special.i0e(x)", "torch.special.i1e(x)", "torch.special.xlog1py(x, x)"),
    *("torch.special.xlog1py(x, 2.)", "torch.special.xlog1py(2., x)", "torch.i0(x)"),
    *("torch.special.zeta(2., x)", "torch.igamma(cy, x)", "torch.special.gammaincc(cy, x)"),
    *("torch.mvlgamma(x + 1, 2)", "torch.special.multigammaln(x + 1, 3)", "torch.special.ndtr(x)"),
    *("torch.special.log_ndtr(x)", "torch.special.ndtri(x / 4)", "torch.special.entr(x)"),
    *("torch.ldexp(x, cy)", "torch.frexp(x)[0]", "torch.special.polygamma(1, x)"),
    *("x.polygamma(2)", "torch.special.erfcx(x)"),
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_value_name_and_derivatives(expression: str) -> None:
    compare(expression, VALUES)


@pytest.mark.parametrize(
    "expression",
    [
        *("torch.special.zeta(x, 2.)", "torch.igamma(x, x)", "torch.igammac(x, x)"),
        *("torch.special.bessel_j0(x)", "torch.special.chebyshev_polynomial_t(x, 3)"),
        *("torch.frexp(x)", "torch.gcd(ci, ci + 2)", "torch.lcm(ci, ci + 2)", "torch.i0(ci)"),
        *("torch.special.legendre_polynomial_p(x, ci)", "torch.special.entr(cb)"),
    ],
)
def test_printed_as_pytorch_prints_it(expression: str) -> None:
    assert repr(ours(expression, VALUES)[0]) == repr(theirs(expression, VALUES)[0])


ERRORS = [
    *("torch.igamma(x, x).sum().backward()", "torch.special.zeta(x, 2.).sum().backward()"),
    *("torch.igammac(x, x).sum().backward()", "torch.mvlgamma(x, 0)", "torch.mvlgamma(cb, 1)"),
    *("torch.gcd(x, x)", "torch.lcm(cb, cb)", "torch.igamma(ci, ci)", "torch.special.i0e(cz)"),
    *("torch.special.erfcx(x.half())", "torch.special.bessel_j0(cz)", "torch.frexp(ci)"),
    *("torch.ldexp(x, 2)", "torch.polygamma(-1, x)", "torch.special.xlog1py(cz, cz)"),
]


@pytest.mark.parametrize("expression", ERRORS)
def test_refusals(expression: str) -> None:
    compare_error(expression, VALUES)

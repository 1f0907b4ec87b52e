"""Where each op of the table is tested: shapes, a domain for each input, attributes.

Constraints: one line an op; every differentiable op has one, and a test says so. Domains keep away
from kinks, poles and branch cuts, because a numeric derivative knows no side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcli.graph.dtype import complex128, float64

Shape = tuple[int, ...]
Domain = tuple[float, float]


class Case(NamedTuple):
    """One call of an op: a shape (numbers are drawn) or an array (given) for each input."""

    inputs: tuple[Any, ...]
    domains: tuple[Domain, ...]
    attrs: dict[str, Any]


ANY: Domain = (-2.0, 2.0)
ONE = ((), (3,), (2, 3), (0,), (2, 0))
TWO = (
    *(((), ()), ((3,), (3,)), ((2, 3), (2, 3)), ((2, 3), (3,)), ((), (2, 3)), ((2, 1), (1, 3))),
    *(((2, 1, 2), (3, 1)), ((0,), (1,)), ((2, 0), ())),
)


def unary(low: float = -2.0, high: float = 2.0, **attrs: Any) -> list[Case]:
    """Scalar, vector, matrix and empty inputs between `low` and `high`."""
    return [Case((shape,), ((low, high),), attrs) for shape in ONE]


def binary(x: Domain = ANY, y: Domain = ANY) -> list[Case]:
    """Pairs of equal and of broadcast shapes, each input in its domain."""
    return [Case(shapes, (x, y), {}) for shapes in TWO]


def calls(*inputs: tuple[Any, ...], domain: Domain = ANY, **attrs: Any) -> list[Case]:
    """The same attributes for several tuples of inputs."""
    return [Case(given, (domain,) * len(given), attrs) for given in inputs]


def reductions(low: float = -2.0, high: float = 2.0, empty: bool = True) -> list[Case]:
    """One axis, several, all, kept and dropped, of vectors, matrices and stacks."""
    found = []
    for keepdims in (False, True):
        for shape, axis in (
            ((3,), (-1,)),
            ((2, 3), (-2,)),
            ((2, 3), (-2, -1)),
            ((2, 3, 2), (-3, -1)),
        ):
            found += calls((shape,), domain=(low, high), axis=axis, keepdims=keepdims)
    return found + (calls(((2, 0),), axis=(-1,), keepdims=False) if empty else [])


def along(low: float = -2.0, high: float = 2.0, **attrs: Any) -> list[Case]:
    """Scans and normalisations along one axis."""
    shapes = (((3,), -1), ((2, 3), -1), ((2, 3), -2), ((2, 3, 2), -2), ((2, 0), -1))
    return [Case((shape,), ((low, high),), {"axis": axis, **attrs}) for shape, axis in shapes]


ROWS = np.array([[0, 2], [1, 0]])
COLUMNS = np.array([1, 3])
REPEATED = np.array([1, 1, 3])
CHOICE = np.array([[True, False, True], [False, False, True]])
POSITIVE = unary(0.3, 3.0)
INSIDE = unary(-0.8, 0.8)
STEPS = unary(0.1, 0.9)

LOWER = np.array([[1.5, 0.0, 0.0], [0.3, -1.2, 0.0], [0.7, 0.2, 0.9]])
STEEP = np.array([[4.0, 1.0, 0.5], [1.2, 3.0, -1.0], [0.5, -0.7, 2.0]])
"""Well-conditioned; its pivots stay where they are under small changes."""
PAIR = np.stack([STEEP[:2, :2], STEEP[1:, 1:]])
SQUARE = calls((STEEP,), (PAIR,), (STEEP[:1, :1],))
SYSTEMS = calls((STEEP, (3, 2)), (PAIR, (2, 1)), (STEEP, (2, 3, 1)), left=True)
SYSTEMS += calls((STEEP, (2, 3)), left=False)

SAMPLES: dict[str, list[Case]] = {
    # arithmetic
    **{name: binary() for name in ("add", "sub", "mul")},
    "div": binary(y=(0.4, 2.0)),
    "pow": binary(x=(0.3, 2.0)),
    **{name: unary() for name in ("neg", "square", "clone", "conj_physical")},
    "reciprocal": POSITIVE,
    # exponentials, logarithms, trigonometry
    **{name: unary() for name in ("exp", "exp2", "expm1", "sin", "cos", "sinh", "cosh", "tanh")},
    **{name: unary() for name in ("atan", "asinh", "sigmoid", "erf", "erfc")},
    **{name: POSITIVE for name in ("log", "log2", "log10", "log1p", "sqrt", "rsqrt")},
    **{name: INSIDE for name in ("tan", "asin", "acos", "atanh", "erfinv")},
    "acosh": unary(1.2, 3.0),
    "sinc": unary(0.2, 2.0),
    **{name: binary() for name in ("logaddexp", "logaddexp2")},
    "xlogy": binary(y=(0.3, 2.0)),
    **{name: binary(x=(0.3, 2.0)) for name in ("atan2", "hypot")},
    **{name: unary(0.5, 3.0) for name in ("lgamma", "digamma")},
    "polygamma": unary(0.5, 3.0, n=1) + unary(0.5, 3.0, n=2),
    **{name: unary() for name in ("i0", "i1", "i1e", "erfcx", "log_ndtr")},
    **{name: POSITIVE for name in ("i0e", "entr", "frexp")},
    "ndtri": STEPS,
    "xlog1py": binary(y=(-0.5, 2.0)),
    "ldexp": binary(),
    # magnitude, sign, rounding
    "abs": POSITIVE + unary(-3.0, -0.3),
    "sgn": POSITIVE + unary(-3.0, -0.3),
    **{name: STEPS for name in ("sign", "floor", "ceil", "trunc", "frac")},
    "round": unary(0.6, 0.9) + unary(0.61, 0.64, decimals=1),
    **{name: binary(x=(2.2, 2.8), y=(1.0, 1.05)) for name in ("fmod", "remainder")},
    **{name: binary(x=(2.2, 2.8), y=(1.0, 1.05)) for name in ("div_floor", "div_trunc")},
    # choices
    **{name: binary() for name in ("maximum", "minimum", "fmax", "fmin", "clamp_min", "clamp_max")},
    "relu": POSITIVE + unary(-3.0, -0.3),
    "where": calls((CHOICE, (2, 3), (2, 3)), (CHOICE, (3,), ()), (np.array(True), (2,), (2,))),
    "replace": calls(((2, 3), (2, 3)), ((), ()), ((0,), (0,))),
    "heaviside": binary(x=(0.3, 2.0)),
    "copysign": binary(x=(0.3, 2.0), y=(0.3, 2.0)),
    "nextafter": binary(),
    # networks
    "softplus": unary(),
    "logit": STEPS,
    "binary_cross_entropy": binary(x=(0.2, 0.8), y=(0.0, 1.0)),
    # dtypes and complex parts
    "cast": unary(dtype=complex128) + unary(dtype=float64),
    "real": unary(),
    "imag": unary(),
    "complex": binary(),
    "conj": unary(),
    "angle": POSITIVE,
    "view_as_real": unary(),
    "view_as_complex": calls(((2,),), ((3, 2),), ((0, 2),)),
    # movement
    "reshape": calls(((2, 3),), axes=2, shape=(6,))
    + calls(((4, 2, 3),), ((0, 2, 3),), axes=2, shape=(3, 2))
    + calls(((),), axes=0, shape=(1, 1)),
    "permute": calls(((2, 3, 4),), axes=(-1, -3, -2)) + calls(((2, 0),), axes=(-1, -2)),
    "expand": calls(((3,),), ((1,),), ((2, 1),), ((),), shape=(4, 2, 3)),
    "slice": calls(((4, 5),), slices=((1, 2, 2), (0, 3, 1))) + calls(((3,),), slices=((0, 0, 1),)),
    "embed": calls(((2, 3),), slices=((1, 2, 2), (0, 3, 1)), shape=(4, 5)),
    "slice_put": calls(((4, 5), (2, 3)), slices=((1, 2, 2), (0, 3, 1))),
    "flip": calls(((2, 3),), axis=(-1,)) + calls(((2, 3),), axis=(-2, -1)),
    "cat": calls(((2, 3), (2, 1), (2, 2)), axis=-1) + calls(((3,), (0,)), axis=-1),
    **{name: calls(((3, 4),), ((2, 4, 3),), diagonal=1) for name in ("tril", "triu")},
    "diagonal": calls(((3, 4),), ((2, 3, 3),), offset=1) + calls(((4, 3),), offset=-1),
    "diagonal_embed": calls(((3,),), ((2, 3),), offset=1, shape=(4, 4)),
    # indexing
    "index": calls(((3, 4, 2), ROWS, ROWS + 1), ((3, 4, 2), ROWS), axes=3),
    "index_add": calls(((2, 2, 4), ROWS), shape=(3, 4)) + calls(((2, 2), ROWS, ROWS), shape=(3, 4)),
    "index_put": calls(((3, 4), (2,), np.array([0, 2]), COLUMNS), axes=2)
    + calls(((4, 3), (2, 3), COLUMNS), axes=2),
    "scatter_reduce": [
        Case(inputs, (ANY,) * len(inputs), {"axes": axes, "reduce": reduce, "include": include})
        for inputs, axes in ((((4,), (3,), REPEATED), 1), (((2, 4, 2), (2, 3, 2), REPEATED), 2))
        for reduce in ("prod", "amax", "amin")
        for include in (True, False)
    ],
    "as_strided": calls(((5, 3, 4),), shape=(2, 2), strides=(3, 2), offset=1, source=(3, 4)),
    "strided_add": calls(((5, 2, 3),), shape=(2, 3), strides=(1, 2), offset=1, source=(3, 4)),
    "median": [Case(((5,),), (ANY,), {"axis": (-1,), "skip": skip}) for skip in (False, True)]
    + [Case(((2, 3),), (ANY,), {"axis": (-2, -1), "skip": False})],
    # windows
    "windows": calls(((2, 7),), ((7,),), kernel=(3,), stride=(2,), dilation=(1,))
    + calls(((2, 5, 6),), kernel=(2, 3), stride=(1, 2), dilation=(3, 2))
    + calls(((0, 4),), kernel=(2,), stride=(1,), dilation=(1,)),
    "overlap_add": calls(((2, 3, 3),), stride=(2,), dilation=(1,), shape=(8,))
    + calls(((2, 3, 3, 2),), stride=(1, 2), dilation=(2, 1), shape=(5, 5))
    + calls(((4, 2),), stride=(1,), dilation=(1,), shape=(5,)),
    "window_sum": calls(((2, 7),), ((7,),), kernel=(3,), stride=(2,))
    + calls(((2, 5, 6),), kernel=(2, 3), stride=(1, 2)),
    # matrices
    **{name: SQUARE for name in ("linalg_det", "linalg_slogdet", "linalg_inv_ex")},
    "cofactors": SQUARE,
    "linalg_matrix_exp": SQUARE,
    "linalg_solve_ex": SYSTEMS,
    "linalg_solve_triangular": calls(
        (LOWER.T, (3, 2)), (PAIR, (2, 1)), upper=True, left=True, unit=True
    )
    + calls((LOWER, (2, 3)), (LOWER, (2, 2, 3)), upper=False, left=False, unit=False),
    "linalg_pinv": calls(
        ((3, 2), np.array(0.0), np.array(1e-9)),
        ((2, 2, 3), np.array(0.0), np.array(1e-9)),
        hermitian=False,
    ),
    "linalg_lstsq": calls(((3, 2), (3, 2)), ((2, 3), (2, 1)), rcond=None, driver="gelsy")
    + calls(((2, 4, 2), (4, 1)), rcond=None, driver="gels"),
    "linalg_qr": calls(((3, 3),), ((2, 4, 2),), ((2, 4),), ((0, 2),), mode="reduced"),
    "linalg_lu_factor_ex": calls((STEEP,), (STEEP[:, :2],), (STEEP[:2],)),
    "linalg_eig": SQUARE,
    "linalg_svd": calls(((3, 3),), ((2, 4, 2),), ((2, 3),), full=False)
    + calls(((2, 2),), full=True),
    # Fourier transforms
    "fft_c2c": calls(((4,),), ((2, 3),), axes=(-1,), scale="none", forward=True)
    + calls(((2, 3, 4),), axes=(-3, -1), scale="root", forward=False),
    "fft_r2c": calls(((4,),), ((5,),), axes=(-1,), scale="none", half=True)
    + calls(((2, 4, 3),), axes=(-3, -2), scale="all", half=True)
    + calls(((2, 3),), axes=(-1,), scale="root", half=False),
    "fft_c2r": calls(((3,),), ((2, 3),), axes=(-1,), scale="none", size=4)
    + calls(((2, 3, 2),), axes=(-1, -2), scale="all", size=5),
    # products and reductions
    "contract": calls(((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), spec="ik,kj->ij")
    + calls(((3,), (3,)), ((0,), (0,)), spec="k,k->")
    + calls(((3,), (2,)), spec="i,j->ij")
    + calls(((2, 3, 4), (2, 4, 2)), spec="bik,bkj->bji"),
    "sum": reductions(),
    "prod": [
        *along(0.3, 2.0, keepdims=False),
        *calls((np.array([2.0, 0.0, 3.0]),), axis=-1, keepdims=True),
    ],
    "amax": reductions(empty=False),
    "amin": reductions(empty=False),
    "logsumexp": reductions(empty=False),
    **{name: along() for name in ("cumsum", "logcumsumexp", "softmax", "log_softmax")},
    "cumprod": along(0.3, 2.0),
}
"""A case or more for each op; a new differentiable op needs a line here."""

COMPLEX = frozenset(
    {
        *("add", "sub", "mul", "div", "pow", "neg", "reciprocal", "square", "exp", "expm1", "log"),
        *("log2", "log10", "log1p", "sqrt", "rsqrt", "sin", "cos", "tan", "asin", "acos", "atan"),
        *("sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid", "sinc", "abs", "sgn"),
        *("logaddexp", "logsumexp", "logcumsumexp", "ldexp", "logsumexp", "logcumsumexp", "ldexp"),
        *(
            "cast",
            "conj_physical",
            "real",
            "imag",
            "clone",
            "where",
            "reshape",
            "permute",
            "expand",
        ),
        *("slice", "embed", "slice_put", "flip", "cat", "tril", "triu", "diagonal"),
        *("diagonal_embed", "index", "index_add", "index_put", "contract", "sum", "prod", "cumsum"),
        *("cumprod", "windows", "overlap_add", "window_sum"),
        *("as_strided", "strided_add", "conj", "angle", "view_as_real"),
        *("linalg_det", "linalg_slogdet", "linalg_inv_ex", "cofactors", "linalg_matrix_exp"),
        *("linalg_solve_ex", "linalg_solve_triangular", "linalg_qr", "linalg_lu_factor_ex"),
        *("linalg_pinv", "fft_c2c", "fft_c2r"),
    }
)
"""Ops that are checked on complex numbers too."""
ONLY_COMPLEX = frozenset({"imag", "view_as_real", "fft_c2c", "fft_c2r"})
"""Ops that have no derivative for real numbers."""
NO_FORMULA = {
    "leaf": "the identity around a variable",
    **dict.fromkeys(
        ("igamma", "igammac", "zeta"),
        "no derivative by the first input; tests/functions/test_special.py checks the other",
    ),
    **dict.fromkeys(
        ("linalg_cholesky_ex", "linalg_eigh", "cholesky_inverse", "cholesky_solve"),
        "half of the matrix is read, the whole gets a gradient; tests/functions checks them",
    ),
    **dict.fromkeys(
        ("linalg_ldl_factor_ex", "linalg_ldl_solve", "geqrf"), "PyTorch has no derivative either"
    ),
    "require": "the identity where a condition holds",
    **dict.fromkeys(
        ("widen", "to_bfloat16", "to_complex32"),
        "the identity but for rounding; tests/lowering/test_halves.py compares with PyTorch",
    ),
    **dict.fromkeys(("custom", "pulled"), "a script writes their derivatives"),
    "floor_divide": "PyTorch refuses its derivative, and so does the rule",
    **dict.fromkeys(
        ("ruled", "ruled_whole"),
        "who calls them brings the rule; tests/conformance/test_singular.py compares these",
    ),
    "overwrite": "a value with another one's history; its gradient is by design not its slope",
}
"""Rows that are bookkeeping of autograd, or whose derivatives are tested elsewhere."""

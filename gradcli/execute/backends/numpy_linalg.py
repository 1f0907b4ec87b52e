"""Linear algebra on NumPy arrays: NumPy's stacked LAPACK calls, SciPy's where NumPy has none.

Constraints: imported when an op first needs it, SciPy only by the kernels that do. A matrix that
cannot be factorised gets its place in `info`, never an exception: whoever asked decides whether it
is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.lapack import each, routine
from gradcli.execute.backends.tridiagonal import LARGEST, eigh
from gradcli.ops.matrices import LinAlgError

Array = Any
INFO = np.int32
FEW = 32
"""Matrices in a stack up to which eigenvectors get PyTorch's signs, one by one."""


def adjoint(x: Array) -> Array:
    """The conjugate transpose of the last two axes."""
    return np.conj(np.swapaxes(x, -1, -2))


def _finite(name: str, x: Array) -> None:
    """Raises PyTorch's error for the first matrix with an infinite or NaN entry."""
    bad = ~np.isfinite(x).all(axis=(-2, -1))
    if bad.any():
        where = f"(Batch element {int(np.argmax(bad))}): " if bad.ndim else ""
        raise GradcliError(
            "G026",
            f"{name}: {where}The algorithm failed to converge because the input matrix contained "
            "non-finite values.",
            kind=LinAlgError,
        )


# -- factorisations that give triangles


def _lu_factor(x: Array) -> Any:
    m, n = x.shape[-2:]

    def run(matrix: Array) -> Any:
        packed, pivots, info = routine("getrf", x)(matrix)
        return packed, pivots + 1, max(info, 0)

    kinds = [((m, n), x.dtype), ((min(m, n),), INFO), ((), INFO)]
    return each(run, kinds, (x, 2))


def _permutation(pivots: Array, *, size: int, dtype: Any) -> Array:
    def run(exchanges: Array) -> Any:
        order = np.arange(size)
        for row, other in enumerate(exchanges - 1):
            order[[row, other]] = order[[other, row]]
        matrix = np.zeros((size, size), dtype.name)
        matrix[order, np.arange(size)] = 1
        return (matrix,)

    return each(run, [((size, size), dtype.name)], (pivots, 1))[0]


def _cholesky_ex(x: Array, *, upper: bool) -> Any:
    try:
        factor = np.linalg.cholesky(x, upper=upper)
        # LAPACK lets NaN pass: it is no number below zero.
        bad = np.isnan(np.diagonal(factor, axis1=-2, axis2=-1).real)
        return factor, np.where(bad.any(-1), bad.argmax(-1) + 1, 0) if bad.size else bad.any(-1)
    except np.linalg.LinAlgError:
        cut = np.triu if upper else np.tril

        def run(matrix: Array) -> Any:
            factor, info = routine("potrf", x)(matrix, lower=not upper, clean=False)
            return cut(factor), info

        return each(run, [(x.shape[-2:], x.dtype), ((), INFO)], (x, 2))


def _qr(x: Array, *, mode: str) -> Any:
    if mode == "r":
        return np.empty(0, x.dtype), np.linalg.qr(x, mode="r")
    return np.linalg.qr(x, mode=mode)  # type: ignore[call-overload]


def _geqrf(x: Array) -> Any:
    if x.size == 0:
        return x, np.zeros((*x.shape[:-2], min(x.shape[-2:])), x.dtype)
    packed, scales = np.linalg.qr(x, mode="raw")
    return np.swapaxes(packed, -1, -2), scales


def _ldl_routine(stem: str, hermitian: bool, x: Array) -> Callable[..., Any]:
    return routine(f"{'he' if hermitian and x.dtype.kind == 'c' else 'sy'}{stem}", x)


def _ldl_factor(x: Array, *, hermitian: bool) -> Any:
    def run(matrix: Array) -> Any:
        packed, pivots, info = _ldl_routine("trf", hermitian, x)(matrix, lower=True)
        return np.tril(packed), pivots, max(info, 0)

    kinds = [(x.shape[-2:], x.dtype), (x.shape[-1:], INFO), ((), INFO)]
    return each(run, kinds, (x, 2))


def _ldl_solve(x: Array, pivots: Array, y: Array, *, hermitian: bool) -> Array:
    def run(packed: Array, exchanges: Array, right: Array) -> Any:
        return (_ldl_routine("trs", hermitian, x)(packed, exchanges, right, lower=True)[0],)

    return each(run, [(y.shape[-2:], y.dtype)], (x, 2), (pivots, 1), (y, 2))[0]


# -- inverses and systems


def _inv_ex(x: Array) -> Any:
    try:
        with np.errstate(all="ignore"):
            return np.linalg.inv(x), np.zeros(x.shape[:-2], INFO)
    except np.linalg.LinAlgError:
        unit = np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape)
        return _solved_each(x, unit)


def _solved_each(x: Array, y: Array) -> Any:
    """Solves one by one, with infinities where a pivot is zero."""

    def run(matrix: Array, right: Array) -> Any:
        packed, pivots, info = routine("getrf", x)(matrix)
        return routine("getrs", x)(packed, pivots, right)[0], max(info, 0)

    return each(run, [(y.shape[-2:], y.dtype), ((), INFO)], (x, 2), (y, 2))


def _solve_ex(x: Array, y: Array, *, left: bool) -> Any:
    if not left:
        found, info = _solve_ex(np.swapaxes(x, -1, -2), np.swapaxes(y, -1, -2), left=True)
        return np.swapaxes(found, -1, -2), info
    lead = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    try:
        found = np.linalg.solve(x, np.broadcast_to(y, lead + y.shape[-2:]))
        return found, np.zeros(lead, INFO)
    except np.linalg.LinAlgError:
        return _solved_each(x, y)


def _solve_triangular(x: Array, y: Array, *, upper: bool, left: bool, unit: bool) -> Array:
    def run(matrix: Array, right: Array) -> Any:
        solve = routine("trsm", y, "blas")
        return (solve(1, matrix, right, side=not left, lower=not upper, diag=unit),)

    return each(run, [(y.shape[-2:], y.dtype)], (x, 2), (y, 2))[0]


def _cholesky_solve(y: Array, x: Array, *, upper: bool) -> Array:
    def run(right: Array, factor: Array) -> Any:
        return (routine("potrs", x)(factor, right, lower=not upper)[0],)

    return each(run, [(y.shape[-2:], y.dtype)], (y, 2), (x, 2))[0]


def _cholesky_inverse(x: Array, *, upper: bool) -> Array:
    def run(factor: Array) -> Any:
        half, info = routine("potri", x)(factor, lower=not upper)
        if info > 0:
            raise GradcliError(
                "G026",
                f"cholesky_inverse: The diagonal element {info} is zero, the inversion could not "
                "be completed because the input matrix is singular.",
                kind=LinAlgError,
            )
        half = np.triu(half) if upper else np.tril(half)
        return (half + adjoint(half) - np.diag(np.diag(half)),)

    return each(run, [(x.shape[-2:], x.dtype)], (x, 2))[0]


def _pinv(x: Array, atol: Array, rtol: Array, *, hermitian: bool) -> Array:
    if hermitian:
        values, left = np.linalg.eigh(x)
        right, sizes = adjoint(left), np.abs(values)
    else:
        _finite("linalg.svd", x)
        left, values, right = np.linalg.svd(x, full_matrices=False)
        sizes = values
    largest = sizes.max(axis=-1, initial=0)
    counts = sizes > np.maximum(atol, rtol * largest)[..., None]
    scales = np.where(counts, 1 / np.where(counts, values, 1), 0).astype(x.dtype)
    return adjoint(right) @ (scales[..., None] * adjoint(left))


def _lstsq(x: Array, y: Array, *, rcond: float | None, driver: str) -> Any:
    m, n = x.shape[-2:]
    cut = max(m, n) * np.finfo(x.dtype).eps if rcond is None else rcond
    left, sizes, right = np.linalg.svd(x, full_matrices=False)
    counts = (sizes > cut * sizes[..., :1]) | (driver == "gels")
    scales = np.where(counts, 1 / np.where(counts, sizes, 1), 0)[..., None]
    found = adjoint(right) @ (scales * (adjoint(left) @ y))
    measured = m > n and driver != "gelsy"
    off = (np.abs(x @ found - y) ** 2).sum(-2) if measured else np.zeros(0)
    rank = counts.sum(-1) if driver != "gels" else np.zeros(0)
    return found, off, rank, sizes if driver in ("gelsd", "gelss") else np.zeros(0)


# -- eigenvalues and singular values


def _eig(x: Array) -> Any:
    if not np.isfinite(x).all():
        raise GradcliError(
            "G026", "torch.linalg.eig: input tensor should not contain infs or NaNs."
        )
    return np.linalg.eig(x)


def _eigh(x: Array, *, uplo: Any) -> Any:
    if x.size and not np.isfinite(x).all():
        return np.full(x.shape[:-1], np.nan, x.real.dtype), np.full_like(x, np.nan)
    if x.shape[-1] > LARGEST or x.size > FEW * x.shape[-1] ** 2:
        return np.linalg.eigh(x, uplo)
    outs = [(x.shape[-1:], x.real.dtype), (x.shape[-2:], x.dtype)]
    try:
        return each(lambda matrix: eigh(matrix, uplo == "L"), outs, (x, 2))
    except np.linalg.LinAlgError:
        return np.linalg.eigh(x, uplo)


def _svd(x: Array, *, full: bool) -> Any:
    _finite("linalg.svd", x)
    return np.linalg.svd(x, full_matrices=full)


# -- functions of matrices


def _cofactors(x: Array) -> Array:
    values = np.linalg.det(x)
    singular = np.abs(values) < 100 * np.finfo(x.dtype).eps
    kept = np.where(singular[..., None, None], np.eye(x.shape[-1], dtype=x.dtype), x)
    regular = np.conj(values)[..., None, None] * adjoint(np.linalg.inv(kept))
    if not singular.any() or not np.isfinite(x).all():
        return regular
    left, sizes, right = np.linalg.svd(x)
    others = np.where(np.eye(x.shape[-1], dtype=bool), 1, sizes[..., None, :]).prod(-1)
    phase = np.conj(np.linalg.det(left) * np.linalg.det(right))[..., None, None]
    return np.where(
        singular[..., None, None], phase * (left * others[..., None, :]) @ right, regular
    )


def _matrix_exp(x: Array) -> Array:
    if not x.size:
        return x
    from scipy.linalg import expm

    return expm(x)


def _require(x: Array, holds: Array, *, sentence: str) -> Array:
    if not holds.all():
        raise GradcliError("G037", sentence)
    return x


def _slogdet(x: Array) -> tuple[Array, Array]:
    sign, size = np.linalg.slogdet(x)
    return np.where(np.isnan(size), 0, sign).astype(x.dtype, copy=False), size


KERNELS: dict[str, Callable[..., Any]] = {
    **{"linalg_lu_factor_ex": _lu_factor, "lu_permutation": _permutation},
    **{"linalg_cholesky_ex": _cholesky_ex, "linalg_qr": _qr, "geqrf": _geqrf},
    **{"linalg_ldl_factor_ex": _ldl_factor, "linalg_ldl_solve": _ldl_solve},
    **{"linalg_inv_ex": _inv_ex, "linalg_solve_ex": _solve_ex, "linalg_pinv": _pinv},
    **{"linalg_solve_triangular": _solve_triangular, "linalg_lstsq": _lstsq},
    **{"cholesky_solve": _cholesky_solve, "cholesky_inverse": _cholesky_inverse},
    **{"linalg_eig": _eig, "linalg_eigh": _eigh, "linalg_svd": _svd},
    **{"linalg_det": np.linalg.det, "linalg_slogdet": _slogdet},
    **{"checked": _require, "cofactors": _cofactors, "linalg_matrix_exp": _matrix_exp},
}
"""Kernels by name; each is what the row of the same name in gradcli/ops says."""

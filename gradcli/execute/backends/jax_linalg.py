"""Kernels of matrices on JAX.

Constraints: as gradcli/execute/backends/numpy_linalg.py has them. What a factorisation refuses is
told by numbers beside its result, which are computed only where something was refused.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

jax: Any = import_module("jax")
jnp: Any = import_module("jax.numpy")
lax: Any = import_module("jax.lax")
special_linalg: Any = import_module("jax.scipy.linalg")
Array = Any

BEYOND = 1e30
"""A pivot that is positive whatever is taken from it."""


def _lu_factor(b: Any, x: Array) -> Any:
    packed, pivots, _ = lax.linalg.lu(x)
    return packed, pivots + 1, _first_zero(packed)


def _first_zero(packed: Array) -> Array:
    """The number, from 1, of the first pivot that is 0; 0 where there is none."""
    zero = jnp.diagonal(packed, 0, -2, -1) == 0
    if not zero.shape[-1]:
        return jnp.zeros(zero.shape[:-1], np.int32)
    return jnp.where(zero.any(-1), zero.argmax(-1) + 1, 0)


def _permutation(b: Any, pivots: Array, *, size: int, dtype: Any) -> Array:
    order = lax.linalg.lu_pivots_to_permutation(pivots - 1, size)
    return (order[..., None, :] == np.arange(size)[:, None]).astype(b.dtype(dtype))


def _inv_ex(b: Any, x: Array) -> Any:
    return jnp.linalg.inv(x), _first_zero(lax.linalg.lu(x)[0])


def _solve_ex(b: Any, x: Array, y: Array, *, left: bool) -> Any:
    if not left:
        found, info = _solve_ex(b, x.swapaxes(-1, -2), y.swapaxes(-1, -2), left=True)
        return found.swapaxes(-1, -2), info
    lead = jnp.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x = jnp.broadcast_to(x, lead + x.shape[-2:])
    found = jnp.linalg.solve(x, jnp.broadcast_to(y, lead + y.shape[-2:]))
    return found, _first_zero(lax.linalg.lu(x)[0])


def _solve_triangular(
    b: Any, x: Array, y: Array, *, upper: bool, left: bool, unit: bool, adjoint: bool = False
) -> Array:
    lead = jnp.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = (jnp.broadcast_to(v, lead + v.shape[-2:]) for v in (x, y))
    kind = {"lower": not upper, "unit_diagonal": unit, "left_side": left}
    return lax.linalg.triangular_solve(x, y, transpose_a=adjoint, conjugate_a=adjoint, **kind)


# -- Cholesky


def _cholesky_ex(b: Any, x: Array, *, upper: bool) -> Any:
    if upper:
        factor, info = _cholesky_ex(b, _adjoint(x), upper=False)
        return _adjoint(factor), info
    factor = lax.linalg.cholesky(x, symmetrize_input=False)
    if not x.size:
        return factor, jnp.zeros(x.shape[:-2], np.int32)
    refused = jnp.isnan(jnp.diagonal(factor, 0, -2, -1).real).any(-1)
    return lax.cond(
        refused.any(),
        lambda: _as_far_as_it_goes(x, factor, refused),
        lambda: (factor, jnp.zeros(x.shape[:-2], np.int32)),
    )


def _as_far_as_it_goes(x: Array, factor: Array, refused: Array) -> Any:
    """The factor up to the first minor that is not positive definite, and the order of that."""
    size = x.shape[-1]
    columns = np.arange(size)

    def begun(order: Array) -> Array:
        """The factor's columns before `order`, from a matrix that goes on with large pivots."""
        inside = columns < order[..., None]
        rest = jnp.where(columns[:, None] == columns, BEYOND, 0).astype(x.dtype)
        return lax.linalg.cholesky(jnp.where(inside[..., None, :], x, rest), symmetrize_input=False)

    def halved(_: int, bounds: Any) -> Any:
        least, most = bounds
        middle = (least + most) // 2
        fails = jnp.isnan(jnp.diagonal(begun(middle), 0, -2, -1).real).any(-1)
        return jnp.where(fails, least, middle), jnp.where(fails, middle, most)

    ends = jnp.zeros(x.shape[:-2], np.int32), jnp.full(x.shape[:-2], size, np.int32)
    done, order = lax.fori_loop(0, size.bit_length(), halved, ends)
    made = begun(done)
    before = columns < done[..., None]
    square = jnp.where(before[..., None, :], jnp.abs(made) ** 2, 0).sum(-1)
    pivot = jnp.diagonal(x, 0, -2, -1) - square
    at = (columns == done[..., None])[..., None, :] & (columns[:, None] == columns)
    part = jnp.where(before[..., None, :], made, jnp.where(at, pivot[..., None, :], jnp.tril(x)))
    return jnp.where(refused[..., None, None], part, factor), jnp.where(refused, order, 0)


def _cholesky_solve(b: Any, y: Array, x: Array, *, upper: bool) -> Array:
    kind = {"upper": upper, "left": True, "unit": False}
    first = _solve_triangular(b, x, y, adjoint=upper, **kind)
    return _solve_triangular(b, x, first, adjoint=not upper, **kind)


# -- singular values


def _pinv(b: Any, x: Array, atol: Array, rtol: Array, *, hermitian: bool) -> Array:
    if hermitian:
        values, left = jnp.linalg.eigh(x, UPLO="L", symmetrize_input=False)
        right, sizes = _adjoint(left), jnp.abs(values)
    else:
        left, values, right = jnp.linalg.svd(x, full_matrices=False)
        sizes = values
    largest = sizes.max(axis=-1, initial=0)
    counts = sizes > jnp.maximum(atol, rtol * largest)[..., None]
    scales = jnp.where(counts, 1 / jnp.where(counts, values, 1), 0).astype(x.dtype)
    return _product(_adjoint(right), scales[..., None] * _adjoint(left))


def _lstsq(b: Any, x: Array, y: Array, *, rcond: float | None, driver: str) -> Any:
    m, n = x.shape[-2:]
    cut = max(m, n) * np.finfo(x.dtype).eps if rcond is None else rcond
    left, sizes, right = jnp.linalg.svd(x, full_matrices=False)
    counts = (sizes > cut * sizes[..., :1]) | (driver == "gels")
    scales = jnp.where(counts, 1 / jnp.where(counts, sizes, 1), 0)[..., None]
    found = _product(_adjoint(right), scales * _product(_adjoint(left), y))
    measured = m > n and driver != "gelsy"
    nothing = jnp.zeros(0)
    off = (jnp.abs(_product(x, found) - y) ** 2).sum(-2) if measured else nothing
    rank = counts.sum(-1) if driver != "gels" else nothing
    return found, off, rank, sizes if driver in ("gelsd", "gelss") else nothing


def _cofactors(b: Any, x: Array) -> Array:
    """conj(det(x)) times the inverse's adjoint; from singular values where x is singular."""
    values = jnp.linalg.det(x)
    singular = jnp.abs(values) < 100 * np.finfo(x.dtype).eps
    kept = jnp.where(singular[..., None, None], jnp.eye(x.shape[-1], dtype=x.dtype), x)
    regular = jnp.conj(values)[..., None, None] * _adjoint(jnp.linalg.inv(kept))

    def by_singular_values() -> Array:
        left, sizes, right = jnp.linalg.svd(x)
        others = jnp.where(np.eye(x.shape[-1], dtype=bool), 1, sizes[..., None, :]).prod(-1)
        phase = jnp.conj(jnp.linalg.det(left) * jnp.linalg.det(right))[..., None, None]
        made = phase * _product(left * others[..., None, :], right)
        return jnp.where(singular[..., None, None], made, regular)

    wanted = singular.any() & jnp.isfinite(x).all()
    return lax.cond(wanted, by_singular_values, lambda: regular)


def _eigh(b: Any, x: Array, *, uplo: Any) -> Any:
    return jnp.linalg.eigh(x, UPLO=uplo, symmetrize_input=False)


def _adjoint(x: Array) -> Array:
    return jnp.conj(x.swapaxes(-1, -2))


def _product(x: Array, y: Array) -> Array:
    return jnp.matmul(x, y, precision=lax.Precision.HIGHEST)


LINALG: dict[str, Callable[..., Any]] = {
    **{"linalg_lu_factor_ex": _lu_factor, "lu_permutation": _permutation},
    **{"linalg_inv_ex": _inv_ex, "linalg_solve_ex": _solve_ex, "cofactors": _cofactors},
    **{"linalg_cholesky_ex": _cholesky_ex, "cholesky_solve": _cholesky_solve},
    **{"linalg_solve_triangular": _solve_triangular, "linalg_eigh": _eigh},
    **{"linalg_pinv": _pinv, "linalg_lstsq": _lstsq},
    "linalg_matrix_exp": lambda b, x: special_linalg.expm(x) if x.size else x,
}
"""Kernels by name."""

"""Einstein sums of two operands on NumPy: as a matrix product on BLAS, without a copy where
strides allow.

Constraints: a recipe is made once per spec and ranks, then only run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from gradcli.execute import outputs
from gradcli.execute.backends import blas

Array = Any
_recipes: dict[tuple[str, int, int], Callable[[Array, Array], Array]] = {}


def contract(x: Array, y: Array, *, spec: str) -> Array:
    """`spec` is `ij,jk->ik` over the trailing axes; leading axes broadcast."""
    key = (spec, x.ndim, y.ndim)
    multiply = _recipes.get(key) or recipe(*key)
    return blas.matmul(x, y) if multiply is np.matmul else multiply(x, y)


def recipe(spec: str, x_rank: int, y_rank: int) -> Callable[[Array, Array], Array]:
    """What multiplies two arrays of these ranks: `np.matmul`, a `Product`, or another function."""
    key = (spec, x_rank, y_rank)
    found = _recipes.get(key)
    if found is None:
        found = _recipes[key] = _recipe(*key)
    return found


def _recipe(spec: str, x_rank: int, y_rank: int) -> Callable[[Array, Array], Array]:
    operands, _, result = spec.partition("->")
    left, _, right = operands.partition(",")
    lead = max(x_rank - len(left), y_rank - len(right))
    plain = lead == 0 or (x_rank - len(left) == y_rank - len(right))
    shared = [c for c in left if c in right and c not in result]
    batch = [c for c in left if c in right and c in result]
    rows = [c for c in left if c not in right]
    columns = [c for c in right if c not in left]
    if all(len(group) <= 1 for group in (shared, rows, columns)) and len(shared) == 1 and not batch:
        return _matmul(left, right, result, shared[0], rows, columns, lead)
    if lead == 0 or plain:
        return _grouped(left, right, result, (batch, rows, shared, columns), lead)
    return _einsum(left, right, result)


def _einsum(left: str, right: str, result: str) -> Callable[[Array, Array], Array]:
    spec = f"...{left},...{right}->...{result}"
    return lambda x, y: np.einsum(spec, x, y)


def _matmul(
    left: str, right: str, result: str, shared: str, rows: list[str], columns: list[str], lead: int
) -> Callable[[Array, Array], Array]:
    """At most one row, one column and one summed label: np.matmul on views."""
    flip_x = rows and left.index(shared) == 0
    flip_y = columns and right.index(shared) == 1
    flip_result = len(result) == 2 and result[0] in columns
    if lead == 0 and not (flip_x or flip_y or flip_result):
        return np.matmul

    return Product(flip_x, flip_y, flip_result, bool(rows), bool(columns))


class Product:
    """A matrix product of views: `arranged(np.matmul(*operands(x, y)))`."""

    __slots__ = ("columns", "flip_result", "flip_x", "flip_y", "rows")

    def __init__(
        self, flip_x: Any, flip_y: Any, flip_result: Any, rows: bool, columns: bool
    ) -> None:
        self.flip_x, self.flip_y, self.flip_result = flip_x, flip_y, flip_result
        self.rows, self.columns = rows, columns

    def operands(self, x: Array, y: Array) -> tuple[Array, Array]:
        """The two matrices, without a copy."""
        x = x.swapaxes(-1, -2) if self.flip_x else x if self.rows else x[..., None, :]
        y = y.swapaxes(-1, -2) if self.flip_y else y if self.columns else y[..., :, None]
        return x, y

    def arranged(self, out: Array) -> Array:
        """The product as the result, without a copy."""
        if not self.rows:
            out = out[..., 0, :]
            return out if self.columns else out[..., 0]
        if not self.columns:
            return out[..., 0]
        return out.swapaxes(-1, -2) if self.flip_result else out

    def __call__(self, x: Array, y: Array) -> Array:
        """The result."""
        return self.arranged(blas.matmul(*self.operands(x, y)))


def _grouped(
    left: str, right: str, result: str, groups: tuple[list[str], ...], lead: int
) -> Callable[[Array, Array], Array]:
    """Any labels: group them into batch, rows, summed, columns and multiply as matrices."""
    batch, rows, shared, columns = groups
    # A first axis of the right operand that stays first: a product for each of its elements saves
    # moving it, and the matrix on the left stays in the cache.
    apart = shared and len(columns) > 1 and right[0] == result[0] == columns[0]
    looped, columns = (columns[:1], columns[1:]) if apart else ([], columns)
    order = [*batch, *looped, *rows, *columns]

    def product(x: Array, y: Array) -> Array:
        front = np.broadcast_shapes(x.shape[:lead], y.shape[:lead])
        sizes = dict(zip(left, x.shape[lead:], strict=True))
        sizes.update(zip(right, y.shape[lead:], strict=True))
        x = _matrices(x, left, (batch, [], rows, shared), lead)
        y = _matrices(y, right, (batch, looped, shared, columns), lead)
        # A sum over nothing is an outer product: multiplying beats a BLAS call of inner length one.
        out = blas.matmul(x, y) if shared else x * y
        out = out.reshape((*front, *(sizes[c] for c in order)))
        return _arranged(out, "".join(order), list(result), lead)

    return product


def _matrices(array: Array, labels: str, groups: tuple[list[str], ...], lead: int) -> Array:
    """`array` with one axis for each group of labels, the last two rows and columns of matrices.

    A copy, where one is needed, is in the order in which the array is stored; BLAS takes both.
    """
    *outer, first, second = groups
    turned = bool(first and second) and _nearest(array, labels, lead) in first
    order = (*outer, second, first) if turned else groups
    arranged = _arranged(array, labels, [c for group in order for c in group], lead)
    made = _merged(arranged, [len(group) for group in order], lead)
    return made.swapaxes(-1, -2) if turned else made


def _merged(array: Array, groups: list[int], lead: int) -> Array:
    """`array` with groups of so many of its axes as one; a copy is in memory that is used again."""
    places = itertools.accumulate(groups, initial=lead)
    parts = [slice(a, a + n) for a, n in zip(places, groups, strict=False)]
    if array.size and not all(_is_line(array.shape[p], array.strides[p]) for p in parts):
        copy = outputs.empty(array.shape, array.dtype)
        np.copyto(copy, array)
        array = copy
    return array.reshape(*array.shape[:lead], *(prod(array.shape[p]) for p in parts))


def _is_line(shape: tuple[int, ...], steps: tuple[int, ...]) -> bool:
    """Whether axes are one in memory."""
    long = [(n, step) for n, step in zip(shape, steps, strict=True) if n > 1]
    return all(step == n * inner for (_, step), (n, inner) in itertools.pairwise(long))


def _nearest(array: Array, labels: str, lead: int) -> str:
    """The label along which neighbours lie closest in memory."""
    far = array.nbytes + 1
    distance = [
        step or far if n > 1 else far
        for step, n in zip(array.strides[lead:], array.shape[lead:], strict=True)
    ]
    nearest: str = min(
        reversed(list(zip(distance, labels, strict=True))), key=lambda pair: pair[0]
    )[1]
    return nearest


def _arranged(array: Array, labels: str, order: list[str], lead: int) -> Array:
    axes = [lead + labels.index(c) for c in order]
    if axes == list(range(lead, array.ndim)):
        return array
    return array.transpose(*range(lead), *axes)

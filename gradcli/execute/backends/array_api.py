"""A library of the Python array API standard as a backend: its names, and kernels made of them.

Constraints: only what the standard (2024.12) has, so that any library of it can stand below; what
it has no names for, such as adding up at positions, is a subclass's or the host's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import accumulate
from typing import Any

import numpy as np

from gradcli.execute.backends import composed
from gradcli.execute.backends.base import Library
from gradcli.execute.backends.shared import Axes, Slices, taken
from gradcli.graph.dtype import DType
from gradcli.graph.shape import Shape, numel

Array = Any


def _number(value: complex, dtype: DType) -> complex:
    """The number as Python's of the dtype's kind, as the standard wants it."""
    kinds: tuple[Callable[[Any], Any], ...] = (bool, int, float, complex)
    return kinds[dtype.category](value)  # type: ignore[no-any-return]  # one of four


def _axis(x: Array, axis: int | Axes) -> int | Axes | None:
    return axis if x.ndim else None


def _sum(b: ArrayAPI, x: Array, *, axis: Axes, keepdims: bool) -> Array:
    if b.kind(x) == "b":
        return b.any(x, axis=axis, keepdims=keepdims)
    return b.xp.sum(x, axis=_axis(x, axis), keepdims=keepdims, dtype=x.dtype)


def _prod(b: ArrayAPI, x: Array, *, axis: int, keepdims: bool) -> Array:
    return b.xp.prod(x, axis=_axis(x, axis), keepdims=keepdims, dtype=x.dtype)


def _reduction(name: str) -> Callable[..., Array]:
    def kernel(b: ArrayAPI, x: Array, *, axis: int | Axes, keepdims: bool) -> Array:
        if b.kind(x) == "b":
            x = b.xp.astype(x, b.xp.uint8)
        return getattr(b.xp, name)(x, axis=_axis(x, axis), keepdims=keepdims)

    return kernel


def _truth(name: str) -> Callable[..., Array]:
    def kernel(b: ArrayAPI, x: Array, *, axis: Axes, keepdims: bool) -> Array:
        return getattr(b.xp, name)(b.ne_zero(x), axis=_axis(x, axis), keepdims=keepdims)

    return kernel


def scan(name: str) -> Callable[..., Array]:
    """The scan of that name, in the dtype of its input."""

    def kernel(b: ArrayAPI, x: Array, *, axis: int) -> Array:
        return getattr(b.xp, name)(x, axis=axis, dtype=x.dtype) if x.ndim else x

    return kernel


def argsort(**stable: Any) -> Callable[..., Array]:
    """The order of an axis; `stable` is how the library is asked to keep that of equal ones.

    It keeps it where PyTorch does not, too (`ties`).
    """

    def kernel(
        b: ArrayAPI, x: Array, *, axis: int, descending: bool = False, ties: Any = ()
    ) -> Array:
        if not x.ndim:
            return b.xp.zeros((), dtype=b.xp.int64)
        if not descending:
            return b.xp.argsort(x, axis=axis, **stable)
        turned = b.xp.argsort(b.xp.flip(x, axis=axis), axis=axis, **stable)
        return x.shape[axis] - 1 - b.xp.flip(turned, axis=axis)

    return kernel


def _logical(name: str) -> Callable[..., Array]:
    return lambda b, *values: getattr(b.xp, name)(*(b.ne_zero(x) for x in values))


def _contract(b: ArrayAPI, x: Array, y: Array, *, spec: str) -> Array:
    """Any labels: grouped into batch, rows, summed, columns, and multiplied as matrices."""
    operands, _, result = spec.partition("->")
    left, _, right = operands.partition(",")
    if b.kind(x) == "b":
        x, y = (b.xp.astype(v, b.xp.uint8) for v in (x, y))
        return b.ne_zero(_contract(b, x, y, spec=spec))
    x, y = (
        b.led(v, len(labels), x.ndim - len(left), y.ndim - len(right))
        for v, labels in ((x, left), (y, right))
    )
    lead = x.ndim - len(left)
    batch = [c for c in left if c in right and c in result]
    shared = [c for c in left if c in right and c not in result]
    rows, columns = ([c for c in a if c not in o] for a, o in ((left, right), (right, left)))
    sizes = {**dict(zip(left, x.shape[lead:], strict=True))}
    sizes |= dict(zip(right, y.shape[lead:], strict=True))
    order = [*batch, *rows, *columns]
    a = _matrices(b, x, left, (batch, rows, shared), lead, sizes)
    c = _matrices(b, y, right, (batch, shared, columns), lead, sizes)
    made = b.xp.matmul(a, c)
    made = b.xp.reshape(made, (*made.shape[:lead], *(sizes[label] for label in order)))
    axes = (*range(lead), *(lead + order.index(label) for label in result))
    return b.xp.permute_dims(made, axes)


def _matrices(
    b: ArrayAPI, x: Array, labels: str, groups: Any, lead: int, sizes: dict[str, int]
) -> Array:
    order = [label for group in groups for label in group]
    x = b.xp.permute_dims(x, (*range(lead), *(lead + labels.index(label) for label in order)))
    counts = [numel(tuple(sizes[label] for label in group)) for group in groups]
    return b.xp.reshape(x, (*x.shape[:lead], *counts))


# -- movement


def _embed(b: ArrayAPI, x: Array, *, slices: Slices, shape: Shape) -> Array:
    out = b.xp.zeros((*x.shape[: x.ndim - len(shape)], *shape), dtype=x.dtype)
    out[taken(slices)] = x
    return out


def _slice_put(b: ArrayAPI, x: Array, y: Array, *, slices: Slices) -> Array:
    core = len(slices)
    lead = np.broadcast_shapes(x.shape[: x.ndim - core], y.shape[: y.ndim - core])
    wide = b.xp.broadcast_to(x, (*lead, *x.shape[x.ndim - core :]))
    out = b.xp.asarray(wide, copy=True)
    out[taken(slices)] = y
    return out


def _index(b: ArrayAPI, x: Array, *indices: Array, axes: int) -> Array:
    """One `take` at flat positions."""
    place = x.ndim - axes
    lead, core = tuple(x.shape[:place]), tuple(x.shape[place:])
    sizes, rest = core[: len(indices)], core[len(indices) :]
    flat = b.flat(sizes, indices)
    rows = b.xp.reshape(x, (*lead, numel(sizes), *rest))
    picked = b.xp.take(rows, b.xp.reshape(flat, (-1,)), axis=len(lead))
    return b.xp.reshape(picked, (*lead, *flat.shape, *rest))


def _diagonal_embed(b: ArrayAPI, x: Array, *, offset: int, shape: Shape) -> Array:
    """A choice between the diagonal's elements, read at their rows, and 0."""
    count = x.shape[-1]
    rows, columns = (np.arange(n) for n in shape)
    place = np.clip(rows - max(-offset, 0), 0, max(count - 1, 0))
    mask = (columns == rows[:, None] + offset) & (rows[:, None] >= max(-offset, 0))
    mask &= rows[:, None] < max(-offset, 0) + count
    out = b.xp.zeros((*x.shape[:-1], *shape), dtype=x.dtype)
    if not count:
        return out
    held = b.xp.take(x, b.from_numpy(place), axis=-1)[..., None]
    return b.xp.where(b.from_numpy(mask), held, out)


# -- elementwise


def _sign(b: ArrayAPI, x: Array) -> Array:
    if b.kind(x) == "b":
        return x
    sign = b.xp.sign(x)
    return b.xp.where(sign == sign, sign, b.xp.zeros_like(sign)) if b.kind(x) == "f" else sign


def _angle(b: ArrayAPI, x: Array) -> Array:
    if b.kind(x) == "c":
        return b.xp.atan2(b.xp.imag(x), b.xp.real(x))
    turned = b.xp.where(x < 0, b.xp.zeros_like(x) + np.pi, b.xp.zeros_like(x))
    return b.xp.where(x == x, turned, x)


def _round(b: ArrayAPI, x: Array, *, decimals: int = 0) -> Array:
    if b.kind(x) in "iu" or not decimals:
        return b.xp.round(x)
    scale = 10.0 ** abs(decimals)
    if decimals > 0:
        return b.xp.round(x * scale) / scale
    return b.xp.round(x / scale) * scale


def _floor_divide(b: ArrayAPI, x: Array, y: Array) -> Array:
    whole = b.xp.floor_divide(x, y)
    return whole if b.kind(x) != "f" else b.xp.where(y == 0, x / y, whole)


def _trunc_divide(b: ArrayAPI, x: Array, y: Array) -> Array:
    if b.kind(x) not in "iu":
        return b.xp.trunc(x / y)
    quotient = b.xp.floor_divide(x, y)
    down = b.xp.logical_and((x < 0) != (y < 0), quotient * y != x)
    return b.xp.where(down, quotient + 1, quotient)


def _remainder(b: ArrayAPI, x: Array, y: Array) -> Array:
    found = b.xp.remainder(x, y)
    if b.kind(x) != "f":
        return found
    return b.xp.where(found == 0, b.xp.copysign(found, x), found)


def _fmod(b: ArrayAPI, x: Array, y: Array) -> Array:
    """With the sign of the dividend."""
    if b.kind(x) == "f":
        return b.xp.copysign(b.xp.remainder(b.xp.abs(x), b.xp.abs(y)), x)
    found = b.xp.remainder(x, y)
    return b.xp.where(b.xp.logical_and(found != 0, (x < 0) != (y < 0)), found - y, found)


def _power(b: ArrayAPI, x: Array, y: Array) -> Array:
    """A negative power of a whole number is 0 but for 1 and -1, as in PyTorch."""
    if b.kind(x) not in "iu":
        return b.xp.pow(x, y)
    positive = b.xp.pow(x, b.xp.where(y < 0, b.xp.zeros_like(y), y))
    one = b.xp.ones_like(x)
    inverse = b.xp.where(y % 2 == 0, one, x)
    inverse = b.xp.where(b.xp.abs(x) == 1, inverse, b.xp.zeros_like(inverse))
    return b.xp.where(y < 0, inverse, positive)


def _shift(name: str, down: bool) -> Callable[..., Array]:
    def kernel(b: ArrayAPI, x: Array, y: Array) -> Array:
        beyond = b.xp.logical_or(y < 0, y >= b.xp.iinfo(x.dtype).bits)
        shifted = getattr(b.xp, name)(x, b.xp.where(beyond, b.xp.zeros_like(y), y))
        fill = b.xp.zeros_like(shifted)
        if down and b.kind(x) == "i":
            fill = b.xp.where(x < 0, fill - 1, fill)
        return b.xp.where(beyond, fill, shifted)

    return kernel


def _chosen_extreme(name: str) -> Callable[..., Array]:
    """The extreme of two numbers, or the one that is no NaN."""

    def kernel(b: ArrayAPI, x: Array, y: Array) -> Array:
        found = getattr(b.xp, name)(x, y)
        return b.xp.where(x != x, y, b.xp.where(y != y, x, found))

    return kernel


def _heaviside(b: ArrayAPI, x: Array, y: Array) -> Array:
    step = b.xp.where(x > 0, b.xp.ones_like(x), b.xp.zeros_like(x))
    return b.xp.where(x == 0, y, step)


def _logaddexp(b: ArrayAPI, x: Array, y: Array) -> Array:
    return composed.logaddexp(b, x, y) if b.kind(x) == "c" else b.xp.logaddexp(x, y)


def _logaddexp2(b: ArrayAPI, x: Array, y: Array) -> Array:
    top, low = b.xp.maximum(x, y), b.xp.minimum(x, y)
    made = top + b.xp.log1p(b.xp.pow(b.xp.full_like(top, 2), low - top)) / math.log(2)
    return b.xp.where(top == low, top + 1, made)


def _part(name: str) -> Callable[..., Array]:
    def kernel(b: ArrayAPI, x: Array) -> Array:
        if b.kind(x) == "c":
            return getattr(b.xp, name)(x)
        return b.xp.zeros_like(x) if name == "imag" else x

    return kernel


def _doubling(combine: str) -> Callable[..., Array]:
    """A scan in log2(n) steps of whole arrays."""

    def kernel(b: ArrayAPI, x: Array, *, axis: int) -> Array:
        if not x.ndim:
            return x
        rows = b.xp.moveaxis(x, axis, 0)
        step = 1
        while step < rows.shape[0]:
            both = getattr(b, combine)(rows[step:, ...], rows[:-step, ...])
            rows = b.xp.concat((rows[:step, ...], both), axis=0)
            step *= 2
        return b.xp.moveaxis(rows, 0, axis)

    return kernel


def _qr(b: ArrayAPI, x: Array, *, mode: str) -> Any:
    q, r = b.xp.linalg.qr(x, mode="reduced" if mode == "r" else mode)
    return (x[..., :0, 0], r) if mode == "r" else (q, r)


OWN: dict[str, Callable[..., Any]] = {
    **{"sum": _sum, "prod": _prod, "max": _reduction("max"), "min": _reduction("min")},
    **{"any": _truth("any"), "all": _truth("all"), "argsort": argsort(stable=True)},
    **{"argmax": _reduction("argmax"), "argmin": _reduction("argmin")},
    **{"cumulative_sum": scan("cumulative_sum"), "cumulative_prod": scan("cumulative_prod")},
    **{name: _logical(name) for name in ("logical_and", "logical_or", "logical_xor")},
    **{"logical_not": _logical("logical_not"), "logaddexp": _logaddexp},
    "where": lambda b, c, x, y: b.xp.where(b.ne_zero(c), x, y),
    "flip": lambda b, x, *, axis: b.xp.flip(x, axis=axis),
    "tril": lambda b, x, *, diagonal: b.xp.tril(x, k=diagonal),
    "triu": lambda b, x, *, diagonal: b.xp.triu(x, k=diagonal),
    "iota": lambda b, *, shape, axis: b.xp.reshape(b.xp.arange(shape[axis]), shape),
    **{"sign": _sign, "sgn": _sign, "angle": _angle, "round": _round, "pow": _power},
    **{"floor_divide": _floor_divide, "div_trunc": _trunc_divide, "remainder": _remainder},
    "bitwise_left_shift": _shift("bitwise_left_shift", False),
    "bitwise_right_shift": _shift("bitwise_right_shift", True),
    "special_ldexp": lambda b, x, y: x * b.xp.pow(b.xp.full_like(y, 2), y),
    "view_as_real": lambda b, x: b.xp.stack((b.xp.real(x), b.xp.imag(x)), axis=-1),
    **{"linalg_det": lambda b, x: b.xp.linalg.det(x), "linalg_qr": _qr},
    "linalg_slogdet": lambda b, x: tuple(b.xp.linalg.slogdet(x)),
    "linalg_svd": lambda b, x, *, full: tuple(b.xp.linalg.svd(x, full_matrices=full)),
}
"""Kernels whose arguments have other names, or that mean something else in the standard."""
LACKING: dict[str, Callable[..., Any]] = {
    **{"contract": _contract, "embed": _embed, "slice_put": _slice_put, "index": _index},
    "diagonal": lambda b, x, *, offset: b.xp.linalg.diagonal(x, offset=offset),
    **{"diagonal_embed": _diagonal_embed, "logcumsumexp": _doubling("logaddexp")},
    **{"fmod": _fmod, "fmax": _chosen_extreme("maximum"), "fmin": _chosen_extreme("minimum")},
    **{"heaviside": _heaviside, "logaddexp2": _logaddexp2, "real": _part("real")},
    **{"imag": _part("imag"), "conj": lambda b, x: b.xp.conj(x) if b.kind(x) == "c" else x},
    "isposinf": lambda b, x: x == np.inf,
    "isneginf": lambda b, x: x == -np.inf,
    "exp2": lambda b, x: b.xp.pow(b.xp.full_like(x, 2), x),
}
"""Kernels that the standard has under no single name; libraries beyond it have most of them."""


class ArrayAPI(Library):
    """A library of the standard.

    Args:
        xp: its namespace.
        device: where its arrays are, in words.
        spaces: further modules with functions of kernels' names.
    """

    name = "array-api-strict"
    own = {**OWN, **LACKING}
    renamed = {"bitwise_not": "bitwise_invert"}
    missing = frozenset(("complex", "sinc"))

    def __init__(self, xp: Any, device: str, *spaces: Any) -> None:
        super().__init__((xp, *spaces), device)

    def from_numpy(self, array: Any) -> Any:
        """The library's copy or view of an array."""
        return self.xp.asarray(np.asarray(array))

    def to_numpy(self, array: Any) -> Any:
        """The array on the host."""
        return np.asarray(array)

    def full(self, shape: Shape, value: complex, dtype: DType) -> Any:
        """An array that holds one number everywhere."""
        return self.xp.full(shape, _number(value, dtype), dtype=self.dtype(dtype))

    def cast(self, array: Any, dtype: DType) -> Any:
        """`array` in another dtype."""
        return self.xp.astype(array, self.dtype(dtype))

    def ne_zero(self, x: Any) -> Any:
        """Where `x` is not 0."""
        return x if self.kind(x) == "b" else x != 0

    def kind(self, x: Any) -> str:
        """The kind of numbers, as NumPy's letter."""
        name = str(x.dtype).rpartition(".")[2]
        return "b" if name == "bool" else name[0]

    def computing(self) -> AbstractContextManager[Any]:
        """A block without NumPy's warnings, which a library may stand on."""
        return np.errstate(all="ignore")

    def as_complex(self, x: Any) -> Any:
        """Real numbers as complex ones."""
        double = str(x.dtype).endswith("float64")
        return self.xp.astype(x, self.xp.complex128 if double else self.xp.complex64)

    def flat(self, sizes: Shape, indices: tuple[Any, ...]) -> Any:
        """Positions along several axes as positions along one."""
        steps = [*accumulate(reversed(sizes[1:]), lambda a, b: a * b, initial=1)][::-1]
        found = indices[0] * steps[0]
        for position, step in zip(indices[1:], steps[1:], strict=True):
            found = found + position * step
        return found

    def led(self, x: Any, core: int, *leads: int) -> Any:
        """`x` with as many leading axes as the operand that has most."""
        missing = max(leads) - (x.ndim - core)
        return self.xp.reshape(x, (*(1,) * missing, *x.shape)) if missing else x

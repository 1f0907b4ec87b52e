"""NumPy, the default engine: array-API names where NumPy has them, and the few kernels it lacks.

Constraints: kernels take the input values and the op's attributes, and change no input. SciPy is
imported only by the kernels that need it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.errors import ExampleUnknown, GradcliError
from gradcli.execute.backends import cascade, pointwise, precise, short_rows, vectorised
from gradcli.execute.backends.contraction import contract
from gradcli.execute.backends.unstable import reordered
from gradcli.graph.dtype import DTYPES, DType
from gradcli.graph.node import Node, current
from gradcli.graph.shape import Shape, numel
from gradcli.ops.elementwise import ROUNDING

Array = Any
Slices = tuple[tuple[int, int, int], ...]

NUMPY_DTYPES: dict[DType, np.dtype[Any]] = {
    d: np.dtype((d.wider if d in ROUNDING and d.wider else d).name) for d in DTYPES.values()
}
"""What the values of a dtype are stored in: where NumPy lacks it, the wider one."""
BY_NUMPY = {n: d for d, n in NUMPY_DTYPES.items() if d not in ROUNDING}
SLABS = 64
"""Numbers in a slab at most for each of them to be added up by itself, by the slabs' positions;
of more, a single pass goes through the positions of all numbers."""


def dtype_of(array: Array) -> DType:
    """gradcli's dtype of a NumPy array.

    Raises:
        GradcliError: G025 for a NumPy type that PyTorch has no counterpart of here.
    """
    found = BY_NUMPY.get(array.dtype) or BY_NUMPY.get(array.dtype.newbyteorder("="))
    if found is None:
        raise GradcliError(
            "G025",
            f"arrays of {array.dtype} are not supported",
            help=f"convert it to one of {', '.join(DTYPES)}",
            kind=TypeError,
        )
    return found


def stored(values: Array, dtype: DType) -> Array:
    """Numbers as arrays of `dtype` are stored: converted, and rounded where NumPy lacks it."""
    array = values.astype(NUMPY_DTYPES[dtype])
    return KERNELS[ROUNDING[dtype].kernel](array) if dtype in ROUNDING else array


# -- kernels that NumPy has under no single name


def _axis(axis: int | tuple[int, ...], ndim: int) -> int | tuple[int, ...]:
    return () if ndim == 0 else axis


def _sum(x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
    axis = _axis(axis, x.ndim)  # type: ignore[assignment]
    exact = cascade.total(x, axis)
    if exact is not None:
        return np.expand_dims(exact, axis) if keepdims else exact
    return fast_sum(x, axis=axis, keepdims=keepdims)


def fast_sum(x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
    """A sum as accurate as adding pairwise, of small arrays not in PyTorch's order."""
    if x.size >= short_rows.LONG and len(axis) == x.ndim:
        total = short_rows.total(x)
        if total is not None:
            return np.reshape(total, (1,) * x.ndim) if keepdims else total
    if len(axis) == 1:
        short = short_rows.sums(x, axis)
        if short is not None:
            return np.expand_dims(short, axis) if keepdims else short
    elif -1 in axis and x.size >= short_rows.LONG and x.flags.c_contiguous:
        lead = max(a for a in range(-x.ndim - 1, 0) if a not in axis)
        lines = fast_sum(x.reshape(*x.shape[: lead + 1 + x.ndim], -1), axis=(-1,), keepdims=False)
        made = lines.sum(axis=tuple([a - lead - 1 for a in axis if a < lead]), dtype=x.dtype)
        return np.expand_dims(made, axis) if keepdims else made
    return x.sum(axis=axis, keepdims=keepdims, dtype=x.dtype)


def _prod(x: Array, *, axis: int, keepdims: bool) -> Array:
    return x.prod(axis=_axis(axis, x.ndim), keepdims=keepdims, dtype=x.dtype)


def _extreme(name: str) -> Callable[..., Array]:
    def reduce(x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
        short = short_rows.extremes(x, axis, name)
        if short is not None:
            return np.expand_dims(short, axis) if keepdims else short
        return getattr(x, name)(axis=_axis(axis, x.ndim), keepdims=keepdims)

    return reduce


def _truth(name: str) -> Callable[..., Array]:
    def reduce(x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
        return getattr(x.astype(bool), name)(axis=_axis(axis, x.ndim), keepdims=keepdims)

    return reduce


def _position(name: str) -> Callable[..., Array]:
    def reduce(x: Array, *, axis: int, keepdims: bool) -> Array:
        if x.ndim == 0:
            return np.zeros((), np.int64)
        found = getattr(x, name)(axis=axis)
        return np.expand_dims(found, axis) if keepdims else found

    return reduce


def _scan(ufunc: np.ufunc) -> Callable[..., Array]:
    def scan(x: Array, *, axis: int) -> Array:
        if not x.ndim:
            return x
        wide = np.float64 if precise.applies(x) else x.dtype
        found = ufunc.accumulate(x, axis=axis, dtype=wide).astype(x.dtype, copy=False)
        return _unsigned(found, axis) if ufunc is np.add else found

    return scan


def _unsigned(sums: Array, axis: int) -> Array:
    """Running sums that begin with 0, to which -0.0 is added: there is none among them."""
    if sums.dtype.kind not in "fc" or not sums.size or sums.take(0, axis).all():
        return sums
    return sums + 0


def _logcumsumexp(x: Array, *, axis: int) -> Array:
    if not x.ndim or not x.shape[axis]:
        return x
    if x.dtype.kind != "c":
        return _unsigned(np.logaddexp.accumulate(x, axis=axis), axis)
    rows = np.array(np.moveaxis(x, axis, 0))
    for i in range(1, len(rows)):
        rows[i] = _logaddexp(rows[i - 1], rows[i])
    return np.moveaxis(rows, 0, axis)


def _logaddexp(x: Array, y: Array) -> Array:
    if x.dtype.kind != "c":
        return np.logaddexp(x, y) if precise.applies(x) else vectorised.logaddexp(x, y)
    top = np.where(x.real >= y.real, x, y)
    return top + np.log(np.exp(x - top) + np.exp(y - top))


def _argsort(x: Array, *, axis: int, descending: bool = False, ties: tuple[Any, ...] = ()) -> Array:
    if x.ndim == 0:
        return np.zeros((), np.int64)
    x = np.moveaxis(x, axis, -1)
    if descending:
        flipped = np.argsort(np.flip(x, -1), axis=-1, kind="stable")
        places = x.shape[-1] - 1 - np.flip(flipped, -1)
    else:
        places = np.argsort(x, axis=-1, kind="stable")
    if ties:
        places = reordered(x, places, ties)
    return np.moveaxis(places, -1, axis)


def _norm(powers: Array, axis: int | tuple[int, ...]) -> Array:
    """The sum of `powers` along `axis`, kept."""
    exact = cascade.softmax_total(powers, axis) if isinstance(axis, int) else None
    return _sum(powers, axis=_tuple(axis), keepdims=True) if exact is None else exact


def _top(x: Array, axis: int | tuple[int, ...]) -> Array:
    if x.size:
        return KERNELS["max"](x, axis=_tuple(axis), keepdims=True)
    return x.max(axis=axis, keepdims=True, initial=-np.inf)


def _tuple(axis: int | tuple[int, ...]) -> tuple[int, ...]:
    return axis if isinstance(axis, tuple) else (axis,)


def _softmax(x: Array, *, axis: int) -> Array:
    axes = _axis(axis, x.ndim)
    powers = precise.exp(x - _top(x.real, axes))
    norm = _norm(powers, axes)
    # PyTorch divides columns, and multiplies rows with the inverse.
    return powers / norm if axis != -1 else powers * (1 / norm)


def _log_softmax(x: Array, *, axis: int) -> Array:
    axes = _axis(axis, x.ndim)
    shifted = x - _top(x.real, axes)
    return shifted - precise.log(_norm(precise.exp(shifted), axes))


def _logsumexp(x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
    axes = _axis(axis, x.ndim)
    top = _top(x.real, axes)
    top = np.where(np.isfinite(top), top, np.zeros((), top.dtype)).astype(x.dtype, copy=False)
    result = precise.log(_sum(precise.exp(x - top), axis=_tuple(axes), keepdims=True)) + top
    return result if keepdims else result.squeeze(axis=axes)


def _trunc_divide(x: Array, y: Array) -> Array:
    if x.dtype.kind in "iu":
        _refuse_zero_divisor(y)
        quotient = np.floor_divide(x, y)  # the absolute value of the least number is none
        return quotient + (((x < 0) != (y < 0)) & (quotient * y != x))
    return np.trunc(np.divide(x, y))


def _floor_divide(x: Array, y: Array) -> Array:
    if x.dtype.kind in "iub":
        _refuse_zero_divisor(y)
        return np.floor_divide(x, y)
    whole = np.floor_divide(x, y)
    chosen: Array = np.where(y == 0, np.divide(x, y), whole)
    return chosen.astype(x.dtype, copy=False)


def _remainder(x: Array, y: Array) -> Array:
    """`np.remainder`, whose zeros have the sign of the dividend, as C's have."""
    found = np.asarray(np.remainder(x, y))
    if found.dtype.kind != "f":
        return found
    return np.where(found == 0, np.copysign(found, x), found)


def _integer_guard(ufunc: Callable[[Array, Array], Any]) -> Callable[..., Array]:
    def divide(x: Array, y: Array) -> Array:
        if x.dtype.kind in "iu":
            _refuse_zero_divisor(y)
        return ufunc(x, y)

    return divide


def _refuse_zero_divisor(y: Array) -> None:
    if not np.all(y):
        raise GradcliError("G026", "ZeroDivisionError", kind=RuntimeError)


def _slice(x: Array, *, slices: Slices) -> Array:
    return x[(..., *map(_as_slice, slices))]


def _as_slice(part: tuple[int, int, int]) -> slice:
    start, length, step = part
    return slice(start, start + max(length - 1, 0) * step + (length > 0), step)


def _embed(x: Array, *, slices: Slices, shape: Shape) -> Array:
    out: Array = np.zeros(x.shape[: x.ndim - len(shape)] + shape, x.dtype)
    out[(..., *map(_as_slice, slices))] = x
    return out


def _slice_put(x: Array, y: Array, *, slices: Slices) -> Array:
    out: Array = np.array(x)
    out[(..., *map(_as_slice, slices))] = y
    return out


def _reshape(x: Array, *, axes: int, shape: Shape) -> Array:
    return np.reshape(x, x.shape[: x.ndim - axes] + shape)


def _permute(x: Array, *, axes: tuple[int, ...]) -> Array:
    return np.transpose(x, (*range(x.ndim - len(axes)), *(x.ndim + a for a in axes)))


def _expand(x: Array, *, shape: Shape) -> Array:
    if not x.ndim:
        return repeated(x, shape)
    core = min(x.ndim, len(shape))
    lead = x.shape[: x.ndim - core]
    return np.broadcast_to(x, lead + np.broadcast_shapes(x.shape[x.ndim - core :], shape))


def _triangle(keep: Callable[..., Array]) -> Callable[..., Array]:
    def triangle(x: Array, *, diagonal: int) -> Array:
        return keep(x, diagonal)

    return triangle


def _diagonal(x: Array, *, offset: int) -> Array:
    return np.diagonal(x, offset, -2, -1)


def _diagonal_embed(x: Array, *, offset: int, shape: Shape) -> Array:
    out = np.zeros(x.shape[:-1] + shape, x.dtype)
    diagonal_of(out, offset)[...] = x
    return out


def diagonal_of(matrices: Array, offset: int) -> Array:
    """The diagonals of matrices, to write to."""
    diagonals = np.diagonal(matrices, offset, -2, -1)
    diagonals.flags.writeable = True
    return diagonals


def positions(axes: int, indices: tuple[Array, ...]) -> tuple[Any, ...]:
    """An indexing tuple that keeps leading axes in front and picked axes in place."""
    rest = (slice(None),) * (axes - len(indices))
    return (..., *indices, *rest)


def _iota(*, shape: Shape, axis: int) -> Array:
    return np.arange(shape[axis]).reshape(shape)


def _index(x: Array, *indices: Array, axes: int) -> Array:
    if len(indices) == 1 and indices[0].dtype.kind == "i":
        return x.take(indices[0], axis=-axes)
    return x[positions(axes, indices)]


def _index_put(x: Array, y: Array, *indices: Array, axes: int) -> Array:
    out = np.array(x, order="C")
    out[positions(axes, indices)] = y
    return out


def _index_add(x: Array, *indices: Array, shape: Shape) -> Array:
    """Adds slabs of `x` at flat positions; a bincount is far faster than add.at."""
    sizes, rest = shape[: len(indices)], shape[len(indices) :]
    picked = np.broadcast_shapes(*(i.shape for i in indices))
    lead = x.shape[: x.ndim - len(picked) - len(rest)]
    flat = np.zeros(0, np.int64)
    if numel(sizes):
        flat = np.ravel_multi_index(np.broadcast_arrays(*indices), sizes)
    flat = np.reshape(flat, -1)
    if x.dtype.kind in "fc" and 0 < numel(lead + rest) <= SLABS < flat.size:
        slabs = np.moveaxis(np.reshape(x, (numel(lead), flat.size, numel(rest))), 1, -1)
        sums = [[_summed_at(flat, line, numel(sizes)) for line in slab] for slab in slabs]
        return np.moveaxis(np.array(sums), -1, 1).reshape(lead + shape)
    if x.dtype.kind in "fc":
        cells = (np.arange(numel(lead))[:, None] * numel(sizes) + flat)[..., None] * numel(rest)
        cells = np.reshape(cells + np.arange(numel(rest)), -1)
        return _summed_at(cells, np.reshape(x, -1), numel(lead + shape)).reshape(lead + shape)
    out = np.zeros((numel(lead), numel(sizes), numel(rest)), x.dtype)
    place: Any = (slice(None), flat)
    np.add.at(out, place, x.reshape(numel(lead), numel(picked), numel(rest)))
    return out.reshape(lead + shape)


def _summed_at(cells: Array, values: Array, size: int) -> Array:
    if values.dtype.kind == "c":
        parts = (_summed_at(cells, part, size) for part in (values.real, values.imag))
        return (next(parts) + 1j * next(parts)).astype(values.dtype, copy=False)
    return np.bincount(cells, values, minlength=size).astype(values.dtype, copy=False)


def _scipy(name: str) -> Callable[..., Array]:
    def kernel(*values: Array) -> Array:
        import scipy.special

        return getattr(scipy.special, name)(*values)

    return kernel


def _erfinv(x: Array) -> Array:
    import scipy.special

    return np.copysign(scipy.special.erfinv(x), x)  # of -0.0 it is 0.0


def _polygamma(x: Array, *, n: int) -> Array:
    import scipy.special

    if n == 0:
        return scipy.special.digamma(x)
    if n == 1:
        return _trigamma(x)
    sign = -1.0 if n % 2 == 0 else 1.0
    found = sign * scipy.special.gamma(n + 1.0) * scipy.special.zeta(n + 1.0, x)
    # There PyTorch's expansions give NaN.
    return np.where(x == np.inf, np.nan, found).astype(x.dtype, copy=False)


def _trigamma(x: Array) -> Array:
    # Below 1/2 it is reflected, as in PyTorch: large, not infinite, at negative whole numbers.
    import scipy.special

    below = x < 0.5
    far = scipy.special.zeta(x.dtype.type(2), np.where(below, 1 - x, x))
    sine = np.sin(x.dtype.type(np.pi) * np.where(below, x, x.dtype.type(0.5)))
    return np.where(below, x.dtype.type(np.pi**2) / (sine * sine) - far, far)


def _lgamma(x: Array) -> Array:
    return np.where(x == -np.inf, np.inf, _scipy("gammaln")(x)).astype(x.dtype, copy=False)


def _heaviside(x: Array, y: Array) -> Array:
    # Of NaN it is 0 in PyTorch.
    return np.where(x == 0, y, (x > 0).astype(y.dtype))


def _sign(x: Array) -> Array:
    return vectorised.sign(x) if x.dtype.kind == "f" else np.sign(x)


def _angle(x: Array) -> Array:
    if x.dtype.kind == "c":
        return np.angle(x)
    return np.where(x == x, np.where(x < 0, x.dtype.type(np.pi), x.dtype.type(0)), x)


def _sgn(x: Array) -> Array:
    if x.dtype.kind == "b":
        return x
    if x.dtype.kind != "c":
        return _sign(x)
    size = np.abs(x)
    return np.where(size == 0, 0, x / np.where(size == 0, 1, size))


def _shift(ufunc: np.ufunc) -> Callable[..., Array]:
    def shift(x: Array, y: Array) -> Array:
        bits = x.dtype.itemsize * 8
        beyond = (y < 0) | (y >= bits)
        shifted = ufunc(x, np.where(beyond, 0, y))
        fill = np.where(x < 0, -1, 0) if ufunc is np.right_shift and x.dtype.kind == "i" else 0
        return np.where(beyond, fill, shifted)

    return shift


def _round(x: Array, *, decimals: int = 0) -> Array:
    if decimals == 0:
        return np.rint(x) if x.dtype.kind != "i" else x
    scale = 10.0 ** abs(decimals)
    return np.rint(x * scale) / scale if decimals > 0 else np.rint(x / scale) * scale


def _complex(x: Array, y: Array) -> Array:
    out = np.empty(np.broadcast_shapes(np.shape(x), np.shape(y)), np.result_type(x, np.complex64))
    out.real, out.imag = x, y
    return out


def _as_pairs(x: Array) -> Array:
    return np.stack((x.real, x.imag), -1)


def _from_pairs(x: Array) -> Array:
    return _complex(x[..., 0], x[..., 1])


def _sinc(x: Array) -> Array:
    angle = np.pi * x
    return np.where(x == 0, 1, np.sin(angle) / np.where(x == 0, 1, angle))


def _binary_cross_entropy(x: Array, y: Array) -> Array:
    least = x.dtype.type(-100)
    known, other = precise.log(x), vectorised.log1p(-x)
    return (y - 1) * np.maximum(other, least) - y * np.maximum(known, least)


def _logit(x: Array) -> Array:
    return precise.log(x / (1 - x))


def _of_nothing(*values: Array, function: Any, kinds: Any, count: int) -> list[Array]:
    """Forward mode differentiates these at zero cotangents, of which they are linear functions."""
    return [np.zeros(shape, NUMPY_DTYPES[dtype]) for shape, dtype in kinds]


KERNELS: dict[str, Callable[..., Array]] = {
    **{"sum": _sum, "prod": _prod, "max": _extreme("max"), "min": _extreme("min")},
    **{"any": _truth("any"), "all": _truth("all")},
    **{"argmax": _position("argmax"), "argmin": _position("argmin"), "argsort": _argsort},
    **{"cumulative_sum": _scan(np.add), "cumulative_prod": _scan(np.multiply)},
    **{"logcumsumexp": _logcumsumexp, "softmax": _softmax, "log_softmax": _log_softmax},
    **{
        "logaddexp": _logaddexp,
        "logsumexp": _logsumexp,
        "round": _round,
    },
    **{"div_trunc": _trunc_divide, "floor_divide": _floor_divide, "sinc": _sinc},
    **{"fmod": _integer_guard(np.fmod), "remainder": _integer_guard(_remainder)},
    **{"slice": _slice, "embed": _embed, "slice_put": _slice_put, "reshape": _reshape},
    **{"permute_dims": _permute, "expand": _expand, "diagonal": _diagonal},
    **{"diagonal_embed": _diagonal_embed, "index": _index, "iota": _iota, "index_put": _index_put},
    **{"index_add": _index_add, "tril": _triangle(np.tril), "triu": _triangle(np.triu)},
    **{"concat": lambda *arrays, axis: np.concatenate(arrays, axis)},
    **{"flip": lambda x, *, axis: np.flip(x, axis)},
    **{"contract": contract, "sign": _sign, "sgn": _sgn, "angle": _angle, "polygamma": _polygamma},
    **{"heaviside": _heaviside},
    **{"binary_cross_entropy": _binary_cross_entropy, "logit": _logit},
    **{"abs": np.absolute, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan},
    **{"asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "atan2": np.arctan2},
    **{"complex": _complex, "view_as_real": _as_pairs, "view_as_complex": _from_pairs},
    **{"real": np.real, "imag": np.imag, "bitwise_not": np.invert},
    **{"bitwise_left_shift": _shift(np.left_shift), "bitwise_right_shift": _shift(np.right_shift)},
    **{name: _scipy(name) for name in ("erfc", "digamma")},
    "erfinv": _erfinv,
    **{"lgamma": _lgamma, "xlogy": _scipy("xlogy")},
    **precise.PRECISE,
    **pointwise.WRITERS,
    **dict.fromkeys(("ruled", "ruled_whole"), lambda x, *_, **__: x),
    **{"overwrite": lambda x, value: value, "replace": lambda x, value: value},
    **{"custom": lambda *values, function, count: values[:count], "pulled": _of_nothing},
}
"""Kernels by name, where they are not NumPy's function of that name."""


def _constant(node: Node, values: list[Array]) -> Array:
    value, wanted = node.attrs["value"], NUMPY_DTYPES[node.dtype]
    if node.dtype in ROUNDING:
        one = stored(np.asarray(value), node.dtype)
        return repeated(one, node.shape) if node.shape else one
    plain = wanted.kind == "f" and not isinstance(value, complex)
    one = wanted.type(value) if plain else np.asarray(value).astype(wanted)
    return repeated(one, node.shape) if node.shape else one


def repeated(one: Array, shape: Shape) -> Array:
    """An array of `shape` that reads the one element everywhere."""
    held = np.asarray(one)
    if not numel(shape):
        return np.empty(shape, held.dtype)
    made = np.ndarray(shape, held.dtype, held, 0, (0,) * len(shape))
    made.flags.writeable = False
    return made


def _cast(node: Node, values: list[Array]) -> Array:
    value, wanted = values[0], NUMPY_DTYPES[node.dtype]
    # NumPy warns when it drops an imaginary part; a bool asks whether either part is not zero.
    return (value.real if value.dtype.kind == "c" and wanted.kind in "iuf" else value).astype(
        wanted
    )


def _of_one_example(node: Node, values: list[Array]) -> Array:
    if node.released:
        raise GradcliError(
            "G016",
            "this tensor stands for one example of a vmap that has ended",
            current.span,
            help="return it from the function, to get that of all examples",
        )
    raise ExampleUnknown(
        "G016",
        "vmap: It looks like you're attempting to use a Tensor in some data-dependent control "
        "flow. We don't support that yet, please file an issue at "
        "https://github.com/pytorch/pytorch/issues .",
        current.span,
        help="torch.where(condition, x, y) chooses for each example",
    )


MAKERS: dict[str, Callable[[Node, list[Array]], Array]] = {
    "full": _constant,
    "cast": _cast,
    "lane": _of_one_example,
    "leaf": lambda node, values: values[0],
    "item": lambda node, values: np.asarray(
        values[0][node.attrs["index"]], NUMPY_DTYPES[node.dtype]
    ),
}
"""The ops that are executed from the node rather than from their inputs and attributes alone."""


RARER = ("refined", "window", "numpy_linalg", "numpy_fft", "special", "ordering", "scatter", "bits")
"""Modules beside this one with more KERNELS, imported when an op has none here."""


def _rarer(kernel: str) -> Callable[..., Array] | None:
    for name in RARER:
        module = importlib.import_module(f"gradcli.execute.backends.{name}")
        if kernel in module.KERNELS:
            return module.KERNELS[kernel]  # type: ignore[no-any-return]
    return None


class NumPy:
    """The NumPy backend."""

    name = "numpy"

    def __init__(self) -> None:
        self.kernels: dict[str, Callable[..., Array]] = {}

    def run(self, node: Node, values: list[Array]) -> Array:
        """The value of `node`: an ndarray, or a NumPy scalar for a 0-dim result."""
        op = node.op
        kernel = self.kernels.get(op.name)
        if kernel is None:
            maker = MAKERS.get(op.name)
            if maker is not None:
                return maker(node, values)
            kernel = self.kernels[op.name] = self.kernel(op.name, op.kernel)
        value = kernel(*values, **node.attrs) if node.attrs else kernel(*values)
        if op.multiple:
            return tuple(value)
        wanted = NUMPY_DTYPES[node.dtype]
        kind = value.dtype
        return value if kind is wanted or kind == wanted else value.astype(wanted)

    def kernel(self, name: str, kernel: str) -> Callable[..., Array]:
        """The function that executes op `name`, whose kernel name is `kernel`."""
        found = KERNELS.get(kernel) or getattr(np, kernel, None) or _rarer(kernel)
        if found is None:
            raise GradcliError("G099", f"the numpy backend has no kernel for {name}")
        return found

    def from_numpy(self, array: Array) -> Array:
        """The array itself."""
        return array

    def to_numpy(self, array: Array) -> Array:
        """The array itself."""
        return np.asarray(array)

    def dtype(self, dtype: DType) -> np.dtype[Any]:
        """NumPy's dtype."""
        return NUMPY_DTYPES[dtype]

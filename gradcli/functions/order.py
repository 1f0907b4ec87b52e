"""Order: sorting, the k largest, medians, quantiles, the most frequent, running extremes.

Constraints: values are read at the places that order finds, so that gradients go to one element
each; `median()` and `aminmax` share the gradient among equals, as PyTorch does.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.index import gather_along
from gradcli.functions.reduce import axes_of
from gradcli.functions.shape import part, permuted, reshaped
from gradcli.graph.dtype import BOOL, FLOATING, SCALAR_TYPES, as_dtype, float32, float64, int64
from gradcli.graph.node import Node, constant
from gradcli.graph.op import Op
from gradcli.graph.shape import axis_from_right
from gradcli.ops import elementwise as ops
from gradcli.ops import order, reduction
from gradcli.ops.elementwise import cast
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite, function, internal, number_node
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import AnyTensor
from gradcli.tensor.operands import no_kernel
from gradcli.tensor.results import Results, named_results
from gradcli.tensor.wrapping import written

PAIRS = {
    name: named_results(name, "values", "indices")
    for name in ("sort", "topk", "kthvalue", "mode", "median", "nanmedian", "cummax", "cummin")
}
"""What functions that find elements and their places return."""
AMINMAX = named_results("aminmax", "min", "max")


def _row(x: Node) -> Node:
    """A 0-dim tensor as a row of one element."""
    return x if x.ndim else reshaped(x, (1,))


def _real(name: str, input: Any) -> Node:
    """The operand of a function that compares elements, which complex numbers do not allow."""
    x = tensor(input)
    if x.dtype.is_complex:
        plain = _PLAIN_REFUSALS.get(name)
        raise GradcliError(
            "G025",
            plain or f"\"{name}_cpu\" not implemented for '{SCALAR_TYPES[x.dtype]}'",
            kind=RuntimeError if plain else NotImplementedError,
        )
    return x


_PLAIN_REFUSALS = {
    name: f" {name if name == 'topk' else 'Sort'} does not support complex dtypes on CPU"
    for name in ("sort", "topk")
}


def _found(name: str, x: Node, places: Node, axis: int, shape: tuple[int, ...]) -> Results:
    """Values and places along an axis, both in the shape `shape`."""
    values = gather_along(_row(x), places, axis)
    return PAIRS[name](reshaped(values, shape), reshaped(places, shape))


def _without(x: Node, axis: int, keepdim: bool) -> tuple[int, ...]:
    """The shape after `axis` was reduced to one element."""
    kept = [1] if keepdim else []
    return (*x.shape[: axis + x.ndim], *kept, *x.shape[axis + x.ndim + 1 :]) if x.ndim else ()


def _not_empty(name: str, x: Node, axis: int) -> None:
    if x.ndim and x.shape[axis] == 0:
        raise GradcliError(
            "G022",
            f"{name}(): Expected reduction dim {axis + x.ndim} to have non-zero size.",
            kind=IndexError,
        )


# -- sorting


def _sort_overload(*args: Any, stable: bool | None = None, **options: Any) -> int:
    return int(stable is not None)


@function("sort", overload=_sort_overload, layout=True)
def sort(input: Any, dim: int = -1, descending: bool = False, *, stable: bool | None = None) -> Any:
    """The elements in order along `dim`, and where they were; equal ones keep their order."""
    x = _real("sort", input)
    axis = axis_from_right(dim, x.ndim)
    places = reduction.argsort(_row(x), axis=axis, descending=descending)
    return _found("sort", x, places, axis, x.shape)


@function("argsort", layout=True)
def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Node:
    """Where the elements in order along `dim` are."""
    x = _real("sort", input)
    axis = axis_from_right(dim, x.ndim)
    places = reduction.argsort(_row(x), axis=axis, descending=descending)
    return reshaped(places, x.shape)


@composite("msort")
def msort(input: Any) -> Any:
    """The elements in order along the first dim."""
    return sort(input, 0)[0]


@function("topk")
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The `k` largest (or smallest) elements along `dim`, and where they are."""
    x = _real("topk", input)
    if x.dtype.category == BOOL:
        raise GradcliError("G025", "topk does not support bool dtypes on CPU")
    axis = axis_from_right(dim, x.ndim)
    row = _row(x)
    if not 0 <= k <= row.shape[axis]:
        raise GradcliError("G026", "selected index k out of range")
    places = part(reduction.argsort(row, axis=axis, descending=largest), axis, 0, k)
    return _found("topk", x, places, axis, places.shape if x.ndim else ())


@function("kthvalue")
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The `k`-th smallest element along `dim`, and where it is."""
    x = _real("kthvalue", input)
    if x.dtype.category == BOOL:
        raise no_kernel("kthvalue_cpu", x)
    axis = axis_from_right(dim, x.ndim)
    _not_empty("kthvalue", x, axis)
    row = _row(x)
    if not 1 <= k <= row.shape[axis]:
        raise GradcliError(
            "G026",
            f"kthvalue(): selected number k out of range for dimension {axis + row.ndim}",
        )
    places = part(reduction.argsort(row, axis=axis, descending=False), axis, k - 1, 1)
    return _found("kthvalue", x, places, axis, _without(x, axis, keepdim))


# -- middles and most frequent


def _dim_overload(input: Any, dim: Any = None, keepdim: bool = False) -> int:
    return 0 if dim is None else 1


def _median(name: str, skip: bool) -> None:
    @function(name, overload=_dim_overload)
    def median(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        x = _real("median", input)
        if x.dtype.category == BOOL or (dim is not None and x.dtype.is_complex):
            raise no_kernel("median_cpu" if dim is None else "median_out", x)
        if dim is None:
            return order.median(x, axis=axes_of(None, x.ndim), skip=skip)
        axis = axis_from_right(dim, x.ndim)
        _not_empty(name, x, axis)
        places = order.median_place(_row(x), axis=axis, skip=skip)
        return _found(name, x, places, axis, _without(x, axis, keepdim))

    without = ", NaN left out" if skip else ""
    median.doc = f"The lower median of everything, or along `dim` with its place{without}."


_median("median", False)
_median("nanmedian", True)


@function("mode")
def mode(input: Any, dim: int = -1, keepdim: bool = False) -> Any:
    """The smallest of the most frequent elements along `dim`, and where it is."""
    x = _real("mode", input) if input.ndim else tensor(input)
    axis = axis_from_right(dim, x.ndim)
    _not_empty("mode", x, axis)
    places = order.mode_place(_row(x), axis=axis)
    return _found("mode", x, places, axis, _without(x, axis, keepdim))


# -- extremes


@function("aminmax")
def aminmax(input: Any, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest element, of everything or along `dim`."""
    x = _real("aminmax", input)
    axes = axes_of(dim, x.ndim)
    if not x.size and any(x.shape[a] == 0 for a in axes):
        raise _nothing(dim)
    keep = keepdim or not x.ndim
    both = (op(x, axis=axes, keepdims=keep) for op in (reduction.amin, reduction.amax))
    return AMINMAX(*both)


def _nothing(dim: int | None) -> GradcliError:
    if dim is None:
        return GradcliError(
            "G026",
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
            "identity.",
        )
    return GradcliError(
        "G022", f"aminmax: Expected reduction dim {dim} to have non-zero size.", kind=IndexError
    )


def _running(name: str, largest: bool) -> None:
    @function(name)
    def running(input: Any, dim: int) -> Any:
        x = _real(name, input)
        axis = axis_from_right(dim, x.ndim)
        places = order.running_place(_row(x), axis=axis, largest=largest)
        return _found(name, x, places, axis, x.shape)

    what = "largest" if largest else "smallest"
    running.doc = f"The {what} element so far along `dim`, and where it is."


_running("cummax", True)
_running("cummin", False)


# -- quantiles

_ROUNDED: dict[str, Op] = {"lower": ops.floor, "higher": ops.ceil, "nearest": ops.rounded}
INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(name: str, skip: bool) -> None:
    @internal("squeeze", overload=4)
    def found(input: Any, q: Any, dim: int | None, keepdim: bool, interpolation: str) -> Node:
        x = tensor(input)
        wanted = _probabilities(x, q, interpolation)
        axis = -1 if dim is None else axis_from_right(dim, x.ndim)
        if not x.size:
            raise GradcliError("G026", "quantile() input tensor must be non-empty")
        rows = reshaped(x, (x.size,)) if dim is None else _row(x)
        rows = permuted(rows, _moved_last(rows.ndim, axis))
        values = _interpolated(rows, _row(wanted), skip, interpolation)
        kept = _kept_shape(x, axis, dim is None, keepdim)
        if wanted.ndim == 0:
            return reshaped(values, kept)
        front = permuted(values, (-1, *range(-values.ndim, -1)))
        return reshaped(front, (wanted.shape[0], *kept))

    @composite(name)
    def quantile(
        input: Any,
        q: float | AnyTensor,
        dim: int | None = None,
        keepdim: bool = False,
        *,
        interpolation: str = "linear",
    ) -> Any:
        made = found(input, q, dim, keepdim, interpolation)
        between = interpolation in ("linear", "midpoint")
        return written(made, 1 + between + 2 * (isinstance(q, Tensor) and q.ndim > 0))

    without = ", NaN left out" if skip else ""
    quantile.doc = f"The elements below which the shares `q` of all (or along `dim`) lie{without}."


def _kept_shape(x: Node, axis: int, everything: bool, keepdim: bool) -> tuple[int, ...]:
    if everything:
        return (1,) * x.ndim if keepdim else ()
    return _without(x, axis, keepdim)


def _moved_last(rank: int, axis: int) -> tuple[int, ...]:
    return (*(a for a in range(-rank, 0) if a != axis), axis)


def _probabilities(x: Node, q: Any, interpolation: str) -> Node:
    """`q` as a node of the dtype of `x` as PyTorch checks it."""
    if x.dtype not in (float32, float64):
        raise GradcliError("G025", "quantile() input tensor must be either float or double dtype")
    if interpolation not in INTERPOLATIONS:
        raise GradcliError(
            "G026",
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}",
        )
    if not isinstance(q, Node):
        if not 0 <= q <= 1:
            raise GradcliError("G026", f"quantile() q must be in the range [0, 1] but got {q}")
        return number_node(q, x.dtype)
    if q.ndim > 1:
        raise GradcliError("G024", "quantile() q must be a scalar or 1D tensor")
    if q.dtype is not x.dtype:
        raise GradcliError("G025", "quantile() q tensor must be same dtype as the input tensor")
    return _in_range(q)


def _in_range(q: Node) -> Node:
    from gradcli.execute.evaluate import array

    known = array(q)
    if not ((known >= 0) & (known <= 1)).all():
        raise GradcliError("G026", "quantile() q values must be in the range [0, 1]")
    return q


def _interpolated(rows: Node, q: Node, skip: bool, interpolation: str) -> Node:
    """The quantiles of the last axis: between the elements on both sides of a rank."""
    places = reduction.argsort(rows, axis=-1, descending=False)
    ordered = gather_along(rows, places, -1)
    last = constant(rows.shape[-1] - 1, rows.dtype)
    missing = ops.isnan(rows)
    if skip:
        numbers = cast(ops.logical_not(missing), rows.dtype)
        found = reduction.total(numbers, axis=(-1,), keepdims=True) - 1
        ranks = q * ops.clamp_min(found, constant(0, rows.dtype))
    else:
        empty = reduction.any_(missing, axis=(-1,), keepdims=True)
        ranks = ops.where(empty, last, q * last)
    rounded = _ROUNDED.get(interpolation)
    if rounded is not None:
        return gather_along(ordered, cast(rounded(ranks), int64), -1)
    lower = ops.floor(ranks)
    below, above = (
        gather_along(ordered, cast(rank, int64), -1) for rank in (lower, ops.ceil(ranks))
    )
    weight = constant(0.5, rows.dtype) if interpolation == "midpoint" else ranks - lower
    # As PyTorch's lerp: from the nearer end, so that weights 0 and 1 are exact.
    near = ops.lt(weight, constant(0.5, rows.dtype))
    return ops.where(near, below + weight * (above - below), above - (above - below) * (1 - weight))


_quantile("quantile", False)
_quantile("nanquantile", True)


@composite("nanmean")
def nanmean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The mean over `dim`, NaN left out."""
    if input.dtype.category < FLOATING:
        raise GradcliError(
            "G025",
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{SCALAR_TYPES[input.dtype]}",
        )
    if dtype is not None and not as_dtype(dtype).differentiable:
        raise GradcliError(
            "G025",
            "nanmean(): could not infer output dtype. Optional dtype must be either a floating "
            f"point or complex dtype. Got: {SCALAR_TYPES[as_dtype(dtype)]}",
        )
    total = input.nansum(dim, keepdim, dtype=dtype)
    return total / input.isnan().logical_not().sum(dim, keepdim)

"""Order: sorting, the k largest, medians, quantiles, the most frequent, running extremes.

Constraints: values are read at the places that order finds, so that gradients go to one element
each; `median()` and `aminmax` share the gradient among equals, as PyTorch does.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.index import gather_along
from gradcli.functions.reduce import axes_of
from gradcli.functions.shape import part, reshaped
from gradcli.graph.dim import bases
from gradcli.graph.dtype import BOOL, FLOATING, HALVES, SCALAR_TYPES, as_dtype, float32, float64
from gradcli.graph.node import Node
from gradcli.graph.op import Check
from gradcli.graph.shape import axis_from_right
from gradcli.ops import order, reduction
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite, function, number_node
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import AnyTensor
from gradcli.tensor.levels import of_all_examples
from gradcli.tensor.operands import no_kernel, with_real_gradient
from gradcli.tensor.results import Results, named_results
from gradcli.tensor.storing import QUANTILE, SAME, SCALAR, Out

PAIRS = {
    name: named_results(name, "values", "indices")
    for name in ("sort", "topk", "kthvalue", "mode", "median", "nanmedian", "cummax", "cummin")
}
"""What functions that find elements and their places return."""
AMINMAX = named_results("aminmax", "min", "max")


def _row(x: Node) -> Node:
    """A 0-dim tensor as a row of one element."""
    return x if x.ndim else reshaped(x, (1,))


def _real(name: str, input: Any, dim: int = 0) -> Node:
    """The operand of a function that compares elements, which complex numbers do not allow."""
    x = tensor(input)
    axis_from_right(dim, x.ndim)  # refused before a kernel is looked for
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
    """The elements in order along `dim`, and where they were; `stable` keeps that of equal ones."""
    axis = axis_from_right(dim, input.ndim)
    x = _real("sort", input)
    places = _order(x, axis, descending, bool(stable))
    return _found("sort", x, places, axis, x.shape)


def _order(x: Node, axis: int, descending: bool, stable: bool) -> Node:
    ties: Any = {} if stable else {"ties": ("sort",)}
    return reduction.argsort(_row(x), axis=axis, descending=descending, **ties)


@function("argsort", layout=True)
def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Node:
    """Where the elements in order along `dim` are."""
    axis = axis_from_right(dim, input.ndim)
    x = _real("sort", input)
    return reshaped(_order(x, axis, descending, stable), x.shape)


@composite("msort", out=SAME)
def msort(input: Any) -> Any:
    """The elements in order along the first dim."""
    return sort(input, 0)[0]


@function("topk")
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The `k` largest (or smallest) elements along `dim`, and where they are."""
    x = _real("topk", input, dim)
    if x.dtype.category == BOOL:
        raise GradcliError("G025", "topk does not support bool dtypes on CPU")
    axis = axis_from_right(dim, x.ndim)
    row = _row(x)
    if not 0 <= k <= row.shape[axis]:
        raise GradcliError("G026", "selected index k out of range")
    order = reduction.argsort(row, axis=axis, descending=largest, ties=("topk", k, sorted))
    places = part(order, axis, 0, k)
    return _found("topk", x, places, axis, places.shape if x.ndim else ())


@function("kthvalue", out=Out("output values must be of same type as input"))
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The `k`-th smallest element along `dim`, and where it is."""
    x = _real("kthvalue", input, dim)
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
    order = reduction.argsort(row, axis=axis, descending=False, ties=("kthvalue", k))
    places = part(order, axis, k - 1, 1)
    return _found("kthvalue", x, places, axis, _without(x, axis, keepdim))


# -- middles and most frequent


def _dim_overload(input: Any, dim: Any = None, keepdim: bool = False) -> int:
    return 0 if dim is None else 1


def _median(name: str, skip: bool) -> None:
    @function(name, overload=_dim_overload)
    def median(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        x = tensor(input)
        axis = None if dim is None else axis_from_right(dim, x.ndim)
        if x.dtype.category == BOOL or x.dtype.is_complex:
            raise no_kernel("median_cpu" if axis is None else "median_out", x)
        if axis is None:
            return order.median(x, axis=axes_of(None, x.ndim), skip=skip)
        _not_empty(name, x, axis)
        places = order.median_place(_row(x), axis=axis, skip=skip)
        return _found(name, x, places, axis, _without(x, axis, keepdim))

    without = ", NaN left out" if skip else ""
    median.doc = f"The lower median of everything, or along `dim` with its place{without}."


_median("median", False)
_median("nanmedian", True)


@function("mode", out=Out("expected scalar type '{Wanted}' but got '{Got}' for values output"))
def mode(input: Any, dim: int = -1, keepdim: bool = False) -> Any:
    """The smallest of the most frequent elements along `dim`, and where it is."""
    x = _real("mode", input, dim) if input.ndim else tensor(input)
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
    @function(name, out=SCALAR)
    def running(input: Any, dim: int) -> Any:
        x = tensor(input)
        axis = axis_from_right(dim, x.ndim)
        if x.size and x.ndim:
            _real(name, x)
        with_real_gradient(name, x)
        places = order.running_place(_row(x), axis=axis, largest=largest)
        return _found(name, x, places, axis, x.shape)

    what = "largest" if largest else "smallest"
    running.doc = f"The {what} element so far along `dim`, and where it is."


_running("cummax", True)
_running("cummin", False)


# -- quantiles

_ROUNDINGS = {"lower": "floor", "higher": "ceil", "nearest": "round"}
NOT_WIDE = "quantile() input tensor must be either float or double dtype"
INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(name: str, skip: bool) -> None:
    @composite(name, refuses=dict.fromkeys(HALVES, Check(NOT_WIDE)), out=QUANTILE)
    def quantile(
        input: Any,
        q: AnyTensor | float,
        dim: int | None = None,
        keepdim: bool = False,
        *,
        interpolation: str = "linear",
    ) -> Any:
        shares = _shares(input, q, interpolation)
        axis = -1 if dim is None else axis_from_right(dim, len(input.shape))
        if not input.numel():
            raise GradcliError("G026", "quantile() input tensor must be non-empty")
        rows = _rows_in_order(input, None if dim is None else axis, keepdim)
        found = _interpolated(rows, _ranks(rows, shares, skip), interpolation)
        if len(shares.shape):
            found.unsqueeze_(0).transpose_(0, -1)
        return found.squeeze_(-1)

    without = ", NaN left out" if skip else ""
    quantile.doc = f"The elements below which the shares `q` of all (or along `dim`) lie{without}."


def _shares(x: Any, q: Any, interpolation: str) -> Any:
    """`q` as a tensor of the dtype of `x` as PyTorch checks it."""
    if x.dtype not in (float32, float64):
        raise GradcliError("G025", "quantile() input tensor must be either float or double dtype")
    if interpolation not in INTERPOLATIONS:
        raise GradcliError(
            "G026",
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}",
        )
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise GradcliError("G026", f"quantile() q must be in the range [0, 1] but got {q}")
        return Tensor(number_node(q, x.dtype))
    if q.ndim > 1:
        raise GradcliError("G024", "quantile() q must be a scalar or 1D tensor")
    if q.dtype is not x.dtype:
        raise GradcliError("G025", "quantile() q tensor must be same dtype as the input tensor")
    fits = q.ge(0).logical_and(q.le(1)).all()
    if not Tensor(of_all_examples(fits.value_node)).all():
        raise GradcliError("G026", "quantile() q values must be in the range [0, 1]")
    return q


def _rows_in_order(x: Any, axis: int | None, keepdim: bool) -> Any:
    """The elements that a quantile is of along the last dim, ascending; of all where no `axis`."""
    shape = list(x.shape)
    if axis is None or not shape:
        ordered, kept = x.flatten().sort()[0], [1] * len(shape) * keepdim
    else:
        turned = x if axis == -1 else x.unsqueeze(-1).transpose(axis - 1, -1)
        ordered, kept = turned.sort()[0], shape
        kept[axis:] = [1] * keepdim + kept[len(kept) + axis + 1 :]
    return ordered.view([*kept, ordered.shape[-1]])


def _ranks(rows: Any, shares: Any, skip: bool) -> Any:
    """The places of the quantiles in rows of ascending elements: the last one for a NaN."""
    if skip:
        return shares * (rows.isnan().logical_not().sum(-1, True) - 1).clamp(min=0)
    last = rows.shape[-1] - 1
    if bases(last):
        raise GradcliError(
            "G038",
            f"which elements a quantile lies between depends on the declared size {rows.shape[-1]}",
            help="declare a number, as in x:7, or give a value: NAME=VALUE",
        )
    missing = rows.isnan().any(-1, True)
    return (shares * last).masked_fill(missing, last)


def _interpolated(rows: Any, ranks: Any, interpolation: str) -> Any:
    """The elements at ranks that may lie between two."""
    rounding = _ROUNDINGS.get(interpolation)
    if rounding is not None:
        return rows.gather(-1, getattr(ranks, rounding)().long())
    lower = ranks.long()
    weights = ranks.new_full(ranks.shape, 0.5) if interpolation == "midpoint" else ranks - lower
    return rows.gather(-1, lower).lerp_(rows.gather(-1, ranks.ceil().long()), weights)


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

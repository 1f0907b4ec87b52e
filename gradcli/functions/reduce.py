"""Reductions: sums, means, products, extremes, spread, norms, cumulative functions.

Constraints: `dim` is an int, a tuple or None (everything), negative or not; `keepdim` keeps reduced
dimensions with length 1. Ties and gradients at singular points are PyTorch's.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import (
    BOOL,
    COMPLEX,
    SCALAR_TYPES,
    DType,
    as_dtype,
    bool_,
    complex128,
    float64,
    int64,
    uint8,
)
from gradcli.graph.node import Node, constant
from gradcli.graph.op import DETACH, Op
from gradcli.graph.shape import axes_from_right, axis_from_right
from gradcli.ops import elementwise as ops
from gradcli.ops import movement, reduction
from gradcli.ops.elementwise import cast
from gradcli.ops.rows import lacks, zero
from gradcli.ops.ruled import ruled, ruled_whole
from gradcli.tensor import registry
from gradcli.tensor.function import as_floating, as_numeric, composite, function
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.halves import in_wider
from gradcli.tensor.kinds import AnyTensor, Dims, Number
from gradcli.tensor.operands import is_half, no_kernel
from gradcli.tensor.results import named_results
from gradcli.tensor.storing import LEADING, MATCHING, ONLY_BOOLS, SAME, SCALAR, InPlace, Out
from gradcli.tensor.tensor import Tensor

Dim = int | Sequence[int] | None
Axes = tuple[int, ...]
EXTREMES = {name: named_results(name, "values", "indices") for name in ("max", "min")}
"""What `max(dim)` and `min(dim)` return."""


def axes_of(dim: Dim, rank: int) -> tuple[int, ...]:
    """`dim` as negative axes; None and () mean all of them."""
    if dim is None or (isinstance(dim, (list, tuple)) and not dim):
        return tuple(range(-rank, 0))
    dims = dim if isinstance(dim, (list, tuple)) else (dim,)
    axes = axes_from_right(dims, rank)
    return axes if rank else ()


def count(x: Node, axes: tuple[int, ...]) -> int:
    """How many elements a reduction over `axes` takes together."""
    total = 1
    for axis in axes:
        total *= x.shape[axis]
    return total


def _by_dim(input: Any, *args: Any, **options: Any) -> int:
    return int(bool(args) or not options.keys() <= {"dtype"})


def _typed(x: Node, dtype: Any) -> Node:
    return x if dtype is None else cast(x, as_dtype(dtype))


@function("sum", overload=_by_dim, out=LEADING)
def sum(input: Any, dim: Dim = None, keepdim: bool = False, *, dtype: DType | None = None) -> Node:
    """The sum over `dim`; integers add up as int64."""
    x = as_numeric(input) if dtype is None else _typed(tensor(input), dtype)
    return reduction.total(x, axis=axes_of(dim, x.ndim), keepdims=keepdim)


@function("nansum", overload=0)
def nansum(
    input: Any, dim: Dim = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Node:
    """The sum over `dim`, NaN counting as 0."""
    x = as_numeric(input) if dtype is None else _typed(tensor(input), dtype)
    if tensor(input).dtype.is_complex:
        raise GradcliError("G025", "nansum on CPU does not support complex inputs")
    if x.dtype.is_complex and tensor(input).dtype.is_floating_point:
        raise no_kernel("nansum_cpu", x)
    clean = ops.where(ops.isnan(x), constant(0, x.dtype), x)
    return reduction.total(clean, axis=axes_of(dim, x.ndim), keepdims=keepdim)


def mean_of(x: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    """The mean of a floating node over negative axes."""
    number = constant(count(x, axes), x.dtype)
    return reduction.total(x, axis=axes, keepdims=keepdims) / number


@function("mean", overload=_by_dim)
def mean(input: Any, dim: Dim = None, keepdim: bool = False, *, dtype: DType | None = None) -> Node:
    """The mean over `dim`; the input must be floating or complex."""
    x = _typed(tensor(input), dtype)
    if not x.dtype.differentiable:
        raise GradcliError(
            "G025",
            f"mean(): could not infer output dtype. {'Input' if dtype is None else 'Optional'} "
            "dtype must be either a floating point or complex dtype. Got: "
            f"{SCALAR_TYPES[x.dtype]}",
            help="convert it: .float()",
        )
    return mean_of(x, axes_of(dim, x.ndim), keepdim)


@function("prod", overload=_by_dim, out=LEADING)
def prod(
    input: Any, dim: int | None = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Node:
    """The product over `dim`, or of all elements."""
    x = as_numeric(input) if dtype is None else _typed(tensor(input), dtype)
    if dim is None and x.ndim:
        flat = movement.reshape(x, axes=x.ndim, shape=(x.size,))
        return reduction.prod(flat, axis=-1, keepdims=False)
    axis = axis_from_right(dim or 0, x.ndim)
    if x.ndim == 0:
        return ops.clone(x)
    return reduction.prod(x, axis=axis, keepdims=keepdim)


def _nonempty(name: str, x: Node, axes: tuple[int, ...]) -> None:
    if count(x, axes) == 0 and axes:
        raise GradcliError(
            "G026",
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument.",
        )


def _check_extents(name: str, x: Node, axes: tuple[int, ...]) -> None:
    for axis in axes:
        if x.shape[axis] == 0:
            raise GradcliError(
                "G022",
                f"{name}(): Expected reduction dim {axis + x.ndim} to have non-zero size.",
                kind=IndexError,
            )


@function("amax", out=MATCHING)
def amax(input: Any, dim: Dim = (), keepdim: bool = False) -> Node:
    """The largest element over `dim`; equal largest ones share the gradient."""
    x = tensor(input)
    axes = axes_of(dim, x.ndim)
    (_nonempty if dim in (None, ()) else _check_extents)("amax", x, axes)
    return reduction.amax(x, axis=axes, keepdims=keepdim)


@function("amin", out=MATCHING)
def amin(input: Any, dim: Dim = (), keepdim: bool = False) -> Node:
    """The smallest element over `dim`; equal smallest ones share the gradient."""
    x = tensor(input)
    axes = axes_of(dim, x.ndim)
    (_nonempty if dim in (None, ()) else _check_extents)("amin", x, axes)
    return reduction.amin(x, axis=axes, keepdims=keepdim)


def along(x: Node, indices: Node, axis: int) -> Node:
    """`x` gathered along `axis` at `indices`, whose other axes match `x`'s."""
    from gradcli.functions.index import gather_along

    return gather_along(x, indices, axis)


def _extreme(name: str, position: Any, reduce: Any) -> Any:
    @function(f"Tensor._{name}", shown=name, overload=lambda input, dim, _: int(dim is None))
    def extreme(input: Any, dim: Any, keepdim: bool) -> Any:
        x = tensor(input)
        if dim is None:
            if x.dtype.is_complex:
                raise no_kernel(f"{name}_all", x)
            _nonempty(name, x, axes_of(None, x.ndim))
            axes = axes_of(None, x.ndim)
            whole = reduce(x, axis=axes, keepdims=False)
            return ruled_whole(whole, x, rules=(reduction.evenly,), axis=axes)
        axis = axis_from_right(dim, x.ndim)
        if x.dtype.is_complex:
            raise GradcliError("G025", f"{name}(): does not support complex input")
        if x.ndim == 0:
            return EXTREMES[name](ops.clone(x), constant(0, int64))
        _check_extents(name, x, (axis,))
        indices = position(x, axis=axis, keepdims=True)
        values = along(x, indices, axis)
        if not keepdim:
            values, indices = (_squeezed(v, axis) for v in (values, indices))
        return EXTREMES[name](values, indices)

    @composite(name)
    def either(
        input: Any, dim: int | AnyTensor | None = None, keepdim: bool = False, *, other: Any = None
    ) -> Any:
        second = dim if isinstance(dim, Tensor) else other
        if second is not None:
            return registry.find(f"torch.{name}imum")(input, second)
        return extreme(input, dim, keepdim)

    either.doc = (
        f"The {name}imum: of all elements, with its positions along `dim`, or of two tensors."
    )
    return either


def _squeezed(x: Node, axis: int) -> Node:
    shape = list(x.shape)
    del shape[axis]
    return movement.reshape(x, axes=x.ndim, shape=tuple(shape))


max = _extreme("max", reduction.argmax, reduction.amax)
min = _extreme("min", reduction.argmin, reduction.amin)


def _position(name: str, op: Any) -> Any:
    @function(name, out=SAME)
    def position(input: Any, dim: int | None = None, keepdim: bool = False) -> Node:
        x = tensor(input)
        for category, word in ((COMPLEX, "complex"), (BOOL, "bool")):
            if x.dtype.category == category:
                raise GradcliError("G025", f"{name}(): does not support {word} input")
        if dim is None:
            if not x.size:
                raise GradcliError(
                    "G026",
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0.",
                    kind=IndexError,
                )
            flat = movement.reshape(x, axes=x.ndim, shape=(x.size,))
            found = op(flat, axis=-1, keepdims=False)
            return movement.reshape(found, axes=0, shape=(1,) * x.ndim) if keepdim else found
        axis = axis_from_right(dim, x.ndim)
        if not x.ndim:
            return constant(0, int64)
        _check_extents(name, x, (axis,))
        places: Node = op(x, axis=axis, keepdims=keepdim)
        return places

    which = "largest" if name == "argmax" else "smallest"
    position.doc = f"The position of the {which} element along `dim`; without it, of all in a row."
    return position


argmax = _position("argmax", reduction.argmax)
argmin = _position("argmin", reduction.argmin)


@function("any", out=ONLY_BOOLS)
def any(input: Any, dim: Dim = None, keepdim: bool = False) -> Node:
    """Whether any element over `dim` is not zero."""
    return _truth(reduction.any_, input, dim, keepdim)


@function("all", out=ONLY_BOOLS)
def all(input: Any, dim: Dim = None, keepdim: bool = False) -> Node:
    """Whether all elements over `dim` are not zero."""
    return _truth(reduction.all_, input, dim, keepdim)


def _truth(op: Op, input: Any, dim: Dim, keepdim: bool) -> Node:
    """A truth value over `dim`; no dims, `()`, are none here, and not all as for sums."""
    x = tensor(input)
    if isinstance(dim, (list, tuple)) and not dim:
        found = ops.ne(x, constant(0, x.dtype))
    else:
        found = op(x, axis=axes_of(dim, x.ndim), keepdims=keepdim)
    return cast(found, uint8) if x.dtype is uint8 else found


def _spread_of(
    input: Any,
    dim: Any,
    unbiased: bool | None,
    keepdim: bool,
    correction: Any,
    root: bool = False,
    together: bool = False,
) -> tuple[Node, Node]:
    """The variance over `dim`, divided by count - correction, and the mean, whose dims are kept.

    Both are computed in float64, as in PyTorch; `root` asks for the deviation, its square root.
    `together` says that the mean is wanted too: else PyTorch rounds that of all elements.
    """
    x = _floating_only("std and var", input)
    dim, correction = _spread_arguments(dim, unbiased, correction)
    axes = axes_of(dim, x.ndim)
    wide = cast(x, complex128 if x.dtype.is_complex else float64)
    if count(x, axes) == x.size and not is_half(x) and not together:
        mean = cast(mean_of(x, axes, True), wide.dtype)
    else:
        mean_of_wide = _running_mean if together else _mean_of_equals
        mean = mean_of_wide(wide, axes, widened=wide.dtype != x.dtype)
    freedom = builtins.max(count(x, axes) - correction, 0)
    square = reduction.total(square_size(wide - mean), axis=axes, keepdims=keepdim) / freedom
    of = {"correction": correction, "whole": dim is None}
    value = cast(square, x.dtype.to_real())
    made = ruled_whole(value, x, rules=(_var_rule,), axis=axes, keepdims=keepdim, **of)
    return (root_or_zero(made, square, **of) if root else made), mean


def _mean_of_equals(x: Node, axes: Axes, widened: bool) -> Node:
    """The mean over negative axes, kept: of equal numbers, that number.

    Sums of numbers that were `widened` are as exact as that; others are corrected by what is left.
    """
    mean = mean_of(x, axes, True)
    if widened:
        return mean
    rest = mean_of(x - mean, axes, True)
    return mean + DETACH(ops.where(ops.isfinite(mean), rest, zero(rest)))


def _running_mean(x: Node, axes: Axes, widened: bool) -> Node:
    """The same, as PyTorch takes it number by number: what comes after an infinity makes it NaN."""
    if x.dtype.is_complex:
        parts = (_running_mean(part, axes, widened) for part in (ops.real(x), ops.imag(x)))
        return ops.make_complex(*parts)
    mean = _mean_of_equals(x, axes, widened)
    if not x.size:
        return mean
    known = ops.logical_or(ops.isfinite(mean), _ends_infinite(x, axes))
    return mean + DETACH(ops.where(known, zero(mean), constant(math.nan, x.dtype)))


def _ends_infinite(x: Node, axes: Axes) -> Node:
    """Whether of the numbers over negative axes the last alone is infinite, and none is NaN."""
    slices = [(0, length, 1) for length in x.shape]
    for axis in axes:
        slices[axis] = (x.shape[axis] - 1, 1, 1)
    last = movement.slice_(DETACH(x), slices=tuple(slices)) if x.ndim else DETACH(x)
    finite = reduction.total(cast(ops.isfinite(x), x.dtype), axis=axes, keepdims=True)
    others = ops.eq(finite, constant(count(x, axes) - 1, x.dtype))
    return ops.logical_and(ops.isinf(last), others)


def root_or_zero(square: Node, wide: Node | None = None, **of: float) -> Node:
    """The square root, whose gradient at 0 is 0 as in PyTorch's deviations and distances.

    `wide` is the square in a wider type, if the root is to be taken there.
    """
    root = cast(ops.sqrt(DETACH(square if wide is None else wide)), square.dtype)
    return ruled(root, square, rules=(_root_rule,), corner=True, **of)


def _root_rule(g: Node, out: Node, x: Node, **of: float) -> Node:
    zero = constant(0, g.dtype)
    return ops.where(ops.eq(out, zero), zero, g / (out * 2))


def _var_rule(
    g: Node, out: Node, x: Node, *, axis: Axes, keepdims: bool, correction: float, whole: bool
) -> Node:
    g = cast(reduction.restore(g, x, axis, keepdims), x.dtype)
    mean, freedom = mean_of(x, axis, True), count(x, axis) - correction
    if freedom <= 0 and (whole or not x.ndim):
        infinite = (constant(number, x.dtype) for number in (math.nan, math.inf))
        return g * ops.where(ops.eq(x, mean), *infinite)
    return (2 / freedom if freedom else math.inf) * g * (x - mean)


def square_size(x: Node) -> Node:
    """The square of the absolute value."""
    return ops.real(x * ops.conj(x)) if x.dtype.is_complex else x * x


def _spread_arguments(
    dim: Any, unbiased: bool | None, correction: float | None
) -> tuple[Any, float]:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    return dim, correction


@function("var")
def var(
    input: Any,
    dim: bool | Dim = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Number | None = None,
) -> Node:
    """The variance over `dim`, divided by n - correction (1 by default)."""
    return _spread_of(input, dim, unbiased, keepdim, correction)[0]


@function("std")
def std(
    input: Any,
    dim: bool | Dim = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Number | None = None,
) -> Node:
    """The standard deviation over `dim`, with n - correction (1 by default)."""
    return _spread_of(input, dim, unbiased, keepdim, correction, root=True)[0]


def _floating_only(name: str, input: Any) -> Node:
    x = tensor(input)
    if not x.dtype.differentiable:
        raise GradcliError(
            "G025",
            f"{name} only support floating point and complex dtypes",
            help="convert it: .float()",
        )
    return x


def _with_mean(name: str, root: bool) -> None:
    @function(name, method=False, out=None)
    def both(
        input: Any,
        dim: bool | Dim = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: Number | None = None,
    ) -> tuple[Node, Node]:
        x = _floating_only(name, input)
        made, mean = _spread_of(x, dim, unbiased, keepdim, correction, root=root, together=True)
        return made, cast(movement.reshape(mean, axes=x.ndim, shape=made.shape), x.dtype)

    both.doc = f"`({name.removesuffix('_mean')}, mean)`."


_with_mean("std_mean", True)
_with_mean("var_mean", False)


# -- norms


def vector_norm_of(x: Node, order: float, axes: Axes, keepdims: bool, whole: bool = False) -> Node:
    """`(sum |x|**order)**(1/order)` over negative axes, and its limits at 0 and infinity.

    `whole` says that these are all, and that none was named.
    """
    made = in_wider(_norm_value, [x], [x, order, axes, keepdims], {})
    over: Any = {"axis": axes, "keepdims": keepdims, "order": order, "whole": whole}
    return ruled_whole(made, x, rules=(norm_rule,), corner=order == 2, **over)


def _norm_value(x: Node, order: float, axes: Axes, keepdims: bool) -> Node:
    alone = order != 0 and {x.shape[axis] for axis in axes} <= {1}
    if order == 2 and not alone:
        square = reduction.total(square_size(x), axis=axes, keepdims=keepdims)
        return ops.sqrt(DETACH(square))  # not the slope of a root at 0
    size = ops.absolute(x)
    if abs(order) == math.inf:
        extreme = reduction.amax if order > 0 else reduction.amin
        return extreme(size, axis=axes, keepdims=keepdims)
    if order == 0:
        size = cast(ops.ne(x, constant(0, x.dtype)), size.dtype)
    plain = alone or order in (0, 1)
    added = reduction.total(size if plain else size**order, axis=axes, keepdims=keepdims)
    return added if plain else added ** (1 / order)


def norm_rule(
    g: Node, out: Node, x: Node, *, axis: Axes, keepdims: bool, order: float, whole: bool = False
) -> Node | None:
    """PyTorch's gradient of a norm: none for the order 0, which counts."""
    if order == 0:
        return None
    g, out = (reduction.restore(v, x, axis, keepdims) for v in (g, out))
    if order == 1:
        return ops.sgn(x) * cast(g, x.dtype)
    zero, none = constant(0, x.dtype), constant(0, out.dtype)
    flat = ops.eq(out, none)
    if order == 2:
        return cast(g, x.dtype) * ops.where(flat, zero, x / cast(out, x.dtype))
    size = ops.absolute(x)
    if abs(order) == math.inf:
        hit = cast(ops.logical_or(ops.eq(size, out), ops.isnan(size)), out.dtype)
        share = g / reduction.total(hit, axis=axis, keepdims=True) * hit
        return ops.sgn(x) * cast(share, x.dtype)
    if order < 1:
        slope = ops.where(ops.eq(x, zero), none, size ** (order - 1))
        passed = ops.sgn(x) * cast(slope, x.dtype) * cast(g, x.dtype)
        return passed * cast(out ** (1 - order), x.dtype)
    scale = ops.where(flat, none, g / out ** (order - 1))
    first, less = (ops.sgn(x), 1) if order < 2 else (x, 2)
    return first * cast(size ** (order - less), x.dtype) * cast(scale, x.dtype)


@function("linalg.vector_norm", shown="linalg_vector_norm", method=False, out=SAME, exact=True)
def vector_norm(
    input: Any,
    ord: Number = 2,
    dim: Dim = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Node:
    """The vector norm of order `ord` over `dim`."""
    node = _norm_operand("linalg.vector_norm", input, dtype)
    return vector_norm_of(node, ord, axes_of(dim, node.ndim), keepdim, dim is None)


def _norm_operand(name: str, input: Any, dtype: Any) -> Node:
    x = _typed(tensor(input), dtype)
    if not x.dtype.differentiable:
        raise GradcliError(
            "G025",
            f"{name}: Expected a floating point or complex tensor as input. "
            f"Got {SCALAR_TYPES[x.dtype]}",
            help="convert it: .float()",
        )
    return x


@composite("norm", out=SAME, python=True)
def norm(
    input: Any, p: Any = "fro", dim: Dim = None, keepdim: bool = False, dtype: Any = None
) -> Any:
    """The norm of order `p` over `dim`; of all elements by default."""
    if p == "nuc":
        axes = (-2, -1) if dim is None else dim
        return registry.find("torch.linalg.matrix_norm")(input, "nuc", axes, keepdim, dtype=dtype)
    order = 2 if p in ("fro", None) else float(p)
    return vector_norm(input, order, dim, keepdim, dtype=dtype)


@composite("nuclear_norm", method=False)
def nuclear_norm(input: Any, dim: Any = (-2, -1), keepdim: bool = False) -> Any:
    """The sums of singular values; the second argument may be `keepdim` too."""
    if isinstance(dim, bool):
        dim, keepdim = (-2, -1), dim
    return registry.find("torch.linalg.matrix_norm")(input, "nuc", dim, keepdim)


@function(
    "logsumexp",
    "special.logsumexp",
    out=Out(
        "logsumexp(): Expected floating point type for result tensor, but got: {Got}", equal=False
    ),
)
def logsumexp(input: Any, dim: Dims, keepdim: bool = False) -> Node:
    """`log(sum(exp(input)))` over `dim`, without overflow."""
    x = as_floating(input)
    return reduction.logsumexp(x, axis=axes_of(dim, x.ndim), keepdims=keepdim)


# -- cumulative


def _scan(name: str, op: Any) -> Any:
    @function(name, out=LEADING, in_place=InPlace(refuses=lacks(f"{name}_out_cpu", BOOL)))
    def scan(input: Any, dim: int, *, dtype: DType | None = None) -> Node:
        x = as_numeric(input) if dtype is None else _typed(tensor(input), dtype)
        axis = axis_from_right(dim, x.ndim)
        if x.dtype is bool_:
            raise no_kernel(f"{name}_out_cpu", x)
        return op(x, axis=axis) if x.ndim else ops.clone(x)

    scan.doc = f"The {name} along `dim`: each element with all before it."
    return scan


cumsum = _scan("cumsum", reduction.cumsum)
cumprod = _scan("cumprod", reduction.cumprod)


@function("logcumsumexp", out=SCALAR)
def logcumsumexp(input: Any, dim: int) -> Node:
    """`log(cumsum(exp(input)))` along `dim`, without overflow."""
    x = tensor(input)
    axis = axis_from_right(dim, x.ndim)
    if not x.dtype.differentiable:
        raise no_kernel("logcumsumexp_out_cpu", x)
    return reduction.logcumsumexp(x, axis=axis) if x.ndim else ops.clone(x)


@function("count_nonzero", overload=_by_dim, out=None)
def count_nonzero(input: Any, dim: Dim = None) -> Node:
    """How many elements over `dim` are not zero."""
    x = tensor(input)
    hits = cast(ops.ne(x, constant(0, x.dtype)) if x.dtype is not bool_ else x, int64)
    return reduction.total(hits, axis=axes_of(dim, x.ndim), keepdims=False)

"""Writing to one position for each element: scatter and relatives.

Constraints: every position is checked before anything is written; a function here returns a new
tensor, its in-place form (`scatter_` ...) is made in functions/inplace.py. Errors are PyTorch's.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.index import grid, in_range_or_raise
from gradcli.functions.shape import reshaped
from gradcli.graph.dtype import FLOATING, int32, int64
from gradcli.graph.node import Node, constant
from gradcli.graph.shape import axis_from_right
from gradcli.ops import elementwise as ops
from gradcli.ops import indexing, movement
from gradcli.ops import scatter as combining
from gradcli.ops.ruled import opaque
from gradcli.ops.scatter import Places
from gradcli.tensor.function import composite, function
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import Number, Operand
from gradcli.tensor.operands import number_like
from gradcli.tensor.storing import METHOD, SAME, SCATTERING


def scatter_error(
    sentence: str, code: str = "G022", kind: type[Exception] = RuntimeError
) -> GradcliError:
    """What PyTorch says of positions and values that do not fit a tensor."""
    return GradcliError(code, sentence, kind=kind)


def as_row(x: Node) -> Node:
    """A 0-dim tensor as a row of one element, as PyTorch treats it here."""
    return x if x.ndim else reshaped(x, (1,))


# -- one position for each element


def _places(x: Node, dim: int, index: Any, source: Any) -> tuple[Node, Places, Node]:
    """Where `index` points along `dim` of `x`, and the elements of `source` that go there.

    Returns:
        `x` with a dim at least, the places, and the values for them.
    """
    axis, chosen = axis_from_right(dim, x.ndim), tensor(index)
    if chosen.dtype not in (int64, int32):
        raise scatter_error("scatter(): Expected dtype int32/int64 for index")
    x, at = as_row(x), as_row(chosen)
    if at.size and isinstance(source, Node):
        _fits(x, at, as_row(source), axis)
    elif at.size and at.ndim != x.ndim:
        raise scatter_error("Index tensor must have the same number of dimensions as self tensor")
    if not at.size:
        at = reshaped(at, (0,) * x.ndim)
    known = in_range_or_raise(at, x.shape[axis], axis + x.ndim)
    return x, Places(x, tuple(grid(known, axis)), x.ndim), _cut(x, source, at)


def _cut(x: Node, source: Any, at: Node) -> Node:
    """The elements of `source` at the front, as many along each dim as there are positions."""
    if not isinstance(source, Node):
        return movement.expand(number_like(x, source), shape=at.shape)
    row = as_row(source)
    if row.shape == at.shape:
        return row
    if row.ndim != at.ndim:
        row = reshaped(row, (row.size,) + (1,) * (at.ndim - 1))
    return movement.slice_(row, slices=tuple((0, n, 1) for n in at.shape))


def _fits(x: Node, at: Node, source: Node, axis: int) -> None:
    for other, what in ((x, "self"), (source, "src")):
        if at.ndim != other.ndim:
            raise scatter_error(
                f"Index tensor must have the same number of dimensions as {what} tensor", "G024"
            )
    wide = any(
        n > m and i - x.ndim != axis for i, (n, m) in enumerate(zip(at.shape, x.shape, strict=True))
    )
    if wide or any(n > m for n, m in zip(at.shape, source.shape, strict=True)):
        raise scatter_error(
            f"Expected index {list(at.shape)} to be no larger than self {list(x.shape)} apart from "
            f"dimension {axis + x.ndim} and to be no larger size than src {list(source.shape)}",
            "G024",
        )
    if source.dtype is not x.dtype:
        raise scatter_error("scatter(): Expected self.dtype to be equal to src.dtype", "G025")


def written(x: Node, places: Places, value: Node) -> Node:
    """`x` with `value` at `places`."""
    return indexing.index_put(x, value, *places.indices, axes=places.axes)


@composite("scatter", out=SAME, memory=SCATTERING, in_place=METHOD)
def scatter(
    input: Any,
    dim: int,
    index: Any,
    src: Operand | None = None,
    *,
    value: Number | None = None,
    reduce: str | None = None,
) -> Any:
    """`input` with `src` (a tensor, or one number) written along `dim` at the positions `index`."""
    given = src if value is None else value
    if given is None:
        raise scatter_error(
            "scatter() received an invalid combination of arguments",
            "G013",
            TypeError,
        )
    if reduce is None:
        return _scattered(input, dim, index, given)
    if reduce not in _COMBINED:
        raise scatter_error("reduce argument must be either add or multiply.", "G026")
    return _combined(input, dim, index, given, _COMBINED[reduce])


_COMBINED = {"add": "sum", "multiply": "prod"}


@function(
    "Tensor._scattered",
    shown="scatter",
    overload=lambda input, dim, index, src: int(not hasattr(src, "node")),
)
def _scattered(input: Any, dim: int, index: Any, src: Operand) -> Node:
    x, places, value = _places(tensor(input), dim, index, src)
    return reshaped(written(x, places, value), input.shape)


@function("Tensor._combined", shown="NotImplemented")
def _combined(input: Any, dim: int, index: Any, src: Operand, reduce: str) -> Node:
    x, places, value = _places(tensor(input), dim, index, src)
    result = reshaped(combine(x, places, value, reduce, True), input.shape)
    sources = [v for v in (input, src) if isinstance(v, Node)]
    return opaque(
        result,
        *sources,
        sentence="derivative for aten::scatter is not implemented",
        kind=RuntimeError,
    )


@function("scatter_add", out=SAME, memory=SCATTERING, in_place=METHOD)
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Node:
    """`input` with the elements of `src` added along `dim` at the positions `index`."""
    x, places, value = _places(tensor(input), dim, index, tensor(src))
    return reshaped(ops.add(x, places.added(value)), input.shape)


@function("scatter_reduce", memory=SCATTERING, in_place=METHOD)
def scatter_reduce(
    input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True
) -> Node:
    """`input` combined along `dim` with the elements of `src` that go to each position."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise scatter_error(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}", "G026"
        )
    x, places, value = _places(tensor(input), dim, index, tensor(src))
    return reshaped(combine(x, places, value, reduce, include_self), input.shape)


def combine(x: Node, places: Places, value: Node, reduce: str, include: bool) -> Node:
    """`x` with the values that go to each place added, averaged, multiplied or compared into it."""
    if reduce not in ("sum", "mean"):
        return combining.scatter_reduce(
            x, value, *places.indices, axes=places.axes, reduce=reduce, include=include
        )
    kept = x if include else places.cleared(x)
    total = ops.add(kept, places.added(value))
    if reduce == "sum":
        return total
    ones = constant(1, x.dtype, x.shape)
    falling = movement.expand(constant(1, x.dtype), shape=value.shape)
    count = ops.add(ones if include else places.cleared(ones), places.added(falling))
    least = ops.where(ops.eq(count, constant(0, x.dtype)), constant(1, x.dtype), count)
    return total / least if x.dtype.category >= FLOATING else ops.div_floor(total, least)

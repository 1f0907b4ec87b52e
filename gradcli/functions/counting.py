"""Looking up: unique elements, sorted search, buckets, membership.

Constraints: nothing here has a derivative; where PyTorch shows a grad_fn, asking for the gradient
is its error. Values are computed at once, because the shapes of results depend on them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES, dtype_of
from gradcli.execute.evaluate import array
from gradcli.graph.dtype import BOOL, COMPLEX, SCALAR_TYPES, bool_, int32, int64
from gradcli.graph.node import Node, data
from gradcli.graph.shape import axis_from_right
from gradcli.ops import elementwise as ops
from gradcli.ops.ruled import opaque
from gradcli.tensor.function import common_dtype, composite, function
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import AnyTensor, Operand, Value
from gradcli.tensor.named import NUMBER_FIRST, Named
from gradcli.tensor.operands import no_kernel, promoted
from gradcli.tensor.storing import SAME

Array = Any


def known_node(values: Array) -> Node:
    """A node of an array's values."""
    found = np.asarray(values)
    return data(found, found.shape, dtype_of(found))


# -- unique elements


def _undifferentiated(values: Array, x: Node, name: str) -> Node:
    made = known_node(values)
    sentence = f"the derivative for '{name}' is not implemented."
    tracked = x.tracked and made.dtype.differentiable
    return opaque(made, x, sentence=sentence, kind=NotImplementedError) if tracked else made


def _chosen(results: tuple[Node, ...], inverse: bool, counts: bool) -> Any:
    """One result alone, or the wanted ones in order."""
    wanted = (True, inverse, counts)
    picked = tuple(r for r, want in zip(results, wanted, strict=True) if want)
    return picked if len(picked) > 1 else picked[0]


@composite("unique", python=True)
def unique(
    input: Any,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The different elements (or slices along `dim`), where each went, how often it came."""
    if input.dtype.is_complex:
        raise no_kernel("unique", input)
    _refuse_empty(input, dim)
    unique_of = _unique if dim is None else _unique_slices
    return _chosen(unique_of(input, dim), return_inverse, return_counts)


def _refuse_empty(x: Any, dim: int | None) -> None:
    """Raises G024 where slices along `dim` have no elements."""
    empty = list(x.shape).count(0)
    if dim is not None and empty and (empty > 1 or x.shape[dim]):
        raise GradcliError(
            "G024",
            "Number of zero sized dimensions is more than one, so unique cannot be applied "
            if empty > 1 and x.shape[dim] == 0
            else "There are 0 sized dimensions, and they aren't selected, so unique cannot be "
            "applied",
        )


def _unique_arrays(x: Node, dim: int | None) -> tuple[Array, Array, Array]:
    known = array(x)
    axis = None if dim is None else axis_from_right(dim, x.ndim)
    values, inverse, counts = np.unique(
        known, return_inverse=True, return_counts=True, axis=axis, equal_nan=False
    )
    return values, inverse.reshape(x.shape if axis is None else -1), counts


@function("Tensor._unique", shown="unique2")
def _unique(input: Any, dim: None = None) -> tuple[Node, ...]:
    values, *others = _unique_arrays(input, None)
    return (_undifferentiated(values, input, "_unique2"), *map(known_node, others))


@function("Tensor._unique_slices", shown="unique_dim")
def _unique_slices(input: Any, dim: int) -> tuple[Node, ...]:
    values, *others = _unique_arrays(input, dim)
    return (_undifferentiated(values, input, "unique_dim"), *map(known_node, others))


@composite("unique_consecutive", python=True)
def unique_consecutive(
    input: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements (or slices along `dim`) without repetitions side by side."""
    if input.dtype.is_complex:
        raise no_kernel("unique", input)
    _refuse_empty(input, dim)
    return _chosen(_unique_runs(input, dim), return_inverse, return_counts)


@function("Tensor._unique_runs", shown="unique_consecutive")
def _unique_runs(input: Any, dim: int | None) -> tuple[Node, ...]:
    known = array(input)
    axis = None if dim is None else axis_from_right(dim, input.ndim)
    rows = known.reshape(-1) if axis is None else np.moveaxis(known, axis, 0)
    flat = rows.reshape(len(rows), -1) if rows.size else rows.reshape(len(rows), 0)
    starts = np.ones(len(rows), bool)
    starts[1:] = (flat[1:] != flat[:-1]).any(1)
    values = rows[starts] if axis is None else np.moveaxis(rows[starts], 0, axis)
    inverse = np.cumsum(starts) - 1
    counts = np.diff(np.append(np.nonzero(starts)[0], len(rows)))
    shaped = inverse.reshape(known.shape) if axis is None else inverse
    first = _undifferentiated(values, input, "unique_consecutive")
    return (first, known_node(shaped.astype(np.int64)), known_node(counts.astype(np.int64)))


# -- membership and sorted search


@function(
    Named(
        "isin",
        elements="elements: Tensor",
        element="elements: Number",
        test_elements="test_elements: Tensor",
        test_element="test_elements: Number",
    ),
    method=False,
    out=SAME,
)
def isin(
    elements: Operand, test_elements: Operand, *, assume_unique: bool = False, invert: bool = False
) -> Node:
    """Where `elements` are among `test_elements`."""
    for value in (elements, test_elements):
        kind = tensor(value).dtype
        if kind.category == BOOL or kind.is_complex:
            sentence = f"Unsupported input type encountered for isin(): {SCALAR_TYPES[kind]}"
            raise GradcliError("G025", sentence, help="compare: (x[..., None] == y).any(-1)")
    dtype = NUMPY_DTYPES[common_dtype((elements, test_elements))]
    given, wanted = (array(tensor(v)).astype(dtype) for v in (elements, test_elements))
    found = np.asarray(np.isin(given, wanted, invert=invert))
    return data(found, found.shape, bool_)


@function(Named("searchsorted", **NUMBER_FIRST), method=False)
def searchsorted(
    sorted_sequence: AnyTensor,
    input: Value,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Node:
    """Where the values `input` belong in the sorted last dim of `sorted_sequence`."""
    edges, values = tensor(sorted_sequence), tensor(input)
    _searchable(edges, values, right, side, sorter)
    on_right = right or side == "right"
    return _places(edges, values, on_right, int32 if out_int32 else int64, sorter)


def _searchable(edges: Node, values: Node, right: bool, side: str | None, sorter: Any) -> None:
    """Raises what PyTorch's searchsorted raises about its arguments."""
    if side is not None and side not in ("left", "right"):
        raise GradcliError(
            "G026", f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}"
        )
    if side == "left" and right:
        raise GradcliError(
            "G026",
            "torch.searchsorted(): side and right can't be set to opposites, got side of left "
            "while right was True",
        )
    if edges.ndim == 0:
        raise GradcliError(
            "G024",
            "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 "
            "dimension",
        )
    if edges.ndim != 1 and edges.shape[:-1] != values.shape[:-1]:
        raise GradcliError(
            "G024",
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
            "dimensions of boundaries tensor and input value tensor must match, but we got "
            f"boundaries tensor {list(edges.shape)} and input value tensor {list(values.shape)}",
        )
    if sorter is not None and sorter.shape != edges.shape:
        raise GradcliError(
            "G024",
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary "
            f"tensor {list(edges.shape)}and got sorter tensor {list(sorter.shape)}",
        )


def _places(edges: Node, given: Node, right: bool, dtype: Any, sorter: Any = None) -> Node:
    bounds, wanted = promoted(edges, given)
    if bounds.dtype.category in (BOOL, COMPLEX) and wanted.size:
        raise no_kernel("searchsorted_out_cpu", bounds)
    rows, values = array(bounds), array(wanted)
    if sorter is not None:
        order = array(sorter)
        if order.size and not 0 <= order.min() <= order.max() < rows.shape[-1]:
            raise GradcliError("G022", "torch.searchsorted(): sorter index out of range")
        rows = np.take_along_axis(rows, order, -1)
    side: Any = "right" if right else "left"
    if rows.ndim == 1:
        found = np.asarray(np.searchsorted(rows, values, side))
    else:
        found = np.empty(values.shape, np.int64)
        for place in np.ndindex(rows.shape[:-1]):
            found[place] = np.searchsorted(rows[place], values[place], side)
    return ops.cast(known_node(found.astype(np.int64)), dtype)


@function(Named("bucketize", **NUMBER_FIRST), method=False)
def bucketize(
    input: Value, boundaries: AnyTensor, *, out_int32: bool = False, right: bool = False
) -> Node:
    """The bucket between sorted `boundaries` that each value falls into."""
    edges = tensor(boundaries)
    if edges.ndim != 1:
        raise GradcliError(
            "G024", f"boundaries tensor must be 1 dimension, but got dim({edges.ndim})"
        )
    return _places(edges, tensor(input), right, int32 if out_int32 else int64)

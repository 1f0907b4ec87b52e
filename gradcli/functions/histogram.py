"""Counting how often values occur: bincount, histograms of one and of several variables.

Constraints: see functions/counting.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES, dtype_of
from gradcli.execute.evaluate import array
from gradcli.functions.counting import known_node
from gradcli.functions.spacing import spaced
from gradcli.graph.dtype import BOOL, C_TYPES, COMPLEX, FLOATING, HALVES, INTEGER, float32, float64
from gradcli.graph.node import Node
from gradcli.ops import elementwise as ops
from gradcli.ops.rows import lacks
from gradcli.ops.ruled import opaque
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite, function
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import AnyTensor, Number
from gradcli.tensor.operands import no_kernel
from gradcli.tensor.results import named_results

Array = Any


@function("bincount", shown="NotImplemented", out=None)
def bincount(input: Any, weights: AnyTensor = None, minlength: int = 0) -> Node:
    """How often (or with which sum of `weights`) each whole number occurs."""
    x = tensor(input)
    if x.dtype.category != INTEGER:
        raise no_kernel("bincount_cpu", x)
    known = array(x)
    if x.ndim != 1 or (known < 0).any():
        raise GradcliError("G026", "bincount only supports 1-d non-negative integral inputs.")
    if minlength < 0:
        raise GradcliError("G026", "minlength should be >= 0")
    if weights is None:
        return known_node(np.bincount(known, minlength=minlength).astype(np.int64))
    if weights.shape != x.shape:
        raise GradcliError("G024", "weights should be 1-d and have the same length as input")
    sums = known_node(np.bincount(known, array(weights).astype(np.float64), minlength))
    summed = ops.cast(sums, float32 if weights.dtype is float32 else float64)
    if not weights.tracked:
        return summed
    sentence = "derivative for aten::bincount is not implemented"
    return opaque(summed, weights, sentence=sentence, kind=RuntimeError)


@function("histc")
def histc(input: Any, bins: int = 100, min: Number = 0, max: Number = 0) -> Node:
    """How many elements fall into each of `bins` equal parts of the range."""
    x = tensor(input)
    if x.dtype.category != FLOATING:
        raise no_kernel("histogram_cpu", x)
    if bins <= 0:
        raise GradcliError(
            "G026", f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0"
        )
    known = array(x).reshape(-1)
    low, high = _limits(known, min, max, 1)
    inside = known[(known >= low) & (known <= high)]
    place = ((inside - low) * bins / (high - low)).astype(np.int64)
    counts = np.bincount(np.minimum(place, bins - 1), minlength=bins)
    return ops.cast(known_node(counts.astype(np.int64)), x.dtype)


def _limits(known: Array, low: float, high: float, margin: float) -> tuple[float, float]:
    """A range that is not empty: the given one, or that of the values, widened by `margin`."""
    if low == high and known.size:
        low, high = known.min().item(), known.max().item()
    if low == high:
        low, high = low - margin, high + margin
    if not (np.isfinite(low) and np.isfinite(high)):
        raise GradcliError("G026", f"torch.histc: range of [{low:g}, {high:g}] is not finite")
    if low > high:
        raise GradcliError("G026", "torch.histc: max must be larger than min")
    return low, high


HISTOGRAM = named_results("histogram", "hist", "bin_edges")
HISTOGRAMDD = named_results("histogramdd", "hist", "bin_edges")


@function("histogram", exact=True, refuses=lacks("histogramdd", BOOL, INTEGER, COMPLEX))
def histogram(
    input: Any, bins: Any = 100, *, range: Any = None, weight: Any = None, density: bool = False
) -> Any:
    """How many elements fall into each bin, and the bins' edges: a number of them, or the edges."""
    x = tensor(input)
    if x.dtype in HALVES:
        raise no_kernel("histogramdd", x)
    known = array(x).reshape(-1)
    _check_weight(x, weight, x.shape)
    weights = None if weight is None else array(weight).reshape(-1)
    edges = _edges(bins, known, range)
    counts, _ = np.histogram(known, edges, weights=weights, density=density)
    dtype = NUMPY_DTYPES[x.dtype]
    return HISTOGRAM(known_node(counts.astype(dtype)), known_node(edges.astype(dtype)))


def _check_weight(x: Any, weight: Any, shape: Sequence[int]) -> None:
    """Raises where `weight` is not of the dtype of `x`, or not a number for each of `shape`."""
    told = "torch.histogramdd: if weight tensor is provided"
    if weight is not None and weight.dtype is not x.dtype:
        raise GradcliError(
            "G025",
            f"{told}, input tensor and weight tensor should have the same dtype, but got "
            f"input({C_TYPES[x.dtype]}), and weight({C_TYPES[weight.dtype]})",
        )
    if weight is not None and tuple(weight.shape) != tuple(shape):
        sizes = [*x.shape, *([1] if tuple(shape) == tuple(x.shape) else [])]
        raise GradcliError(
            "G024",
            f"{told} it should have the same shape as the input tensor excluding its innermost "
            f"dimension, but got input with shape {sizes} and weight with shape "
            f"{[*weight.shape]}",
        )


def _edges(bins: Any, known: Array, limits: Any) -> Array:
    """The edges of bins: given, or equal parts of the range or of what there is."""
    if isinstance(bins, Node):
        return array(bins)
    if limits is None and not known.size:
        return spaced(0.0, 1.0, bins + 1, dtype_of(known))
    low, high = (0.0, 0.0) if limits is None else limits
    low, high = _limits(known, low, high, 0.5)
    return spaced(low, high, bins + 1, dtype_of(known))


@composite(
    "histogramdd",
    method=False,
    refuses=lacks("histogramdd", BOOL, INTEGER, COMPLEX, *HALVES),
    out=None,
)
def histogramdd(
    input: Any, bins: Any, range: Any = None, weight: Any = None, density: bool = False
) -> Any:
    """How many points (rows of the last dim) fall into each bin of a grid, and the bins' edges."""
    if input.ndim < 2:
        sentence = "torch.histogramdd: input tensor should have at least 2 dimensions"
        raise GradcliError("G024", sentence)
    points = input.array().reshape(-1, input.shape[-1])
    _check_weight(input, weight, input.shape[:-1])
    counted = [bins] * points.shape[1] if isinstance(bins, int) else bins
    given = [n.node if isinstance(n, Tensor) else n for n in counted]
    if len(given) != points.shape[1]:
        raise GradcliError(
            "G013",
            "histogramdd: The size of bins must be equal to the innermost dimension of the input.",
        )
    limits = [None if range is None else range[2 * i : 2 * i + 2] for i, _ in enumerate(given)]
    edges = [_edges(*each) for each in zip(given, points.T, limits, strict=True)]
    weights = np.ones(len(points)) if weight is None else weight.array().reshape(-1)
    counts = _grid_counts(points, edges, weights, density)
    found = tuple(Tensor(known_node(edge.astype(points.dtype))) for edge in edges)
    return HISTOGRAMDD(Tensor(known_node(counts.astype(points.dtype))), found)


def _grid_counts(points: Array, edges: list[Array], weights: Array, density: bool) -> Array:
    """The weights of the points in each cell; a density divides by their sum and the cells."""
    inside = np.ones(len(points), bool)
    cells = []
    for column, edge in zip(points.T, edges, strict=True):
        inside &= (column >= edge[0]) & (column <= edge[-1])
        cells.append(np.clip(_upper_bound(edge, column) - 1, 0, len(edge) - 2))
    counts = np.zeros([len(edge) - 1 for edge in edges])
    np.add.at(counts, tuple(cell[inside] for cell in cells), weights[inside])
    if density:
        counts = counts / counts.sum()
        for axis, edge in enumerate(edges):
            shape = [1] * len(edges)
            shape[axis] = -1
            counts = counts / np.diff(edge).reshape(shape)
    return counts


def _upper_bound(edges: Array, values: Array) -> Array:
    """The first edge that is larger, by halving: defined for edges out of order, as in PyTorch."""
    low, count = np.zeros(len(values), np.int64), np.full(len(values), len(edges))
    while (count > 0).any():
        half = count // 2
        middle = np.minimum(low + half, len(edges) - 1)
        right = (count > 0) & ~(values < edges[middle])
        low = np.where(right, low + half + 1, low)
        count = np.where(right, count - half - 1, half)
    return low

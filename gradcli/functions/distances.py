"""Distances between points, and slices scaled down to a norm.

Constraints: see functions/numeric.py; distances of equal points have gradient 0, as in PyTorch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.functions.index import positions
from gradcli.functions.math import refuse_bools
from gradcli.functions.reduce import norm_rule, root_or_zero, vector_norm_of
from gradcli.functions.shape import reshaped
from gradcli.graph.dtype import BOOL, FLOATING, HALVES, INTEGER, SCALAR_TYPES
from gradcli.graph.node import Node, constant
from gradcli.graph.op import Check
from gradcli.graph.shape import axis_from_right
from gradcli.ops import elementwise as ops
from gradcli.ops import indexing, linalg, movement, reduction
from gradcli.ops.rows import lacks, to_real, zero
from gradcli.ops.ruled import ruled_whole
from gradcli.tensor.function import composite, function, promoted
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import Number
from gradcli.tensor.operands import other_dtype
from gradcli.tensor.storing import METHOD, SAME


def _error(sentence: str, code: str = "G024", kind: type[Exception] = RuntimeError) -> GradcliError:
    return GradcliError(code, sentence, kind=kind)


@function("dist", out=None)
def dist(input: Any, other: Any, p: Number = 2) -> Node:
    """The norm of order `p` of `input - other`."""
    refuse_bools(input, other)
    x, y = promoted(input, other)
    if not x.dtype.differentiable:
        raise _error(
            "norm(): input dtype should be either floating point or complex. Got "
            f"{SCALAR_TYPES[x.dtype]} instead.",
            "G025",
        )
    apart = x - y
    return vector_norm_of(apart, p, tuple(range(-apart.ndim, 0)), False)


BY_PRODUCT = 25
"""Points from which on PyTorch computes Euclidean distances by a matrix product."""
_MODES = {
    "use_mm_for_euclid_dist_if_necessary": None,
    "use_mm_for_euclid_dist": True,
    "donot_use_mm_for_euclid_dist": False,
}


@composite("cdist", method=False, refuses=lacks("cdist", *HALVES), python=True)
def cdist(
    x1: Any, x2: Any, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary"
) -> Any:
    """The distances between all points (rows) of `x1` and of `x2`, by the norm of order `p`."""
    if compute_mode not in _MODES:
        raise _error(f"{compute_mode} is not a valid value for compute_mode", "G026", ValueError)
    for name, node in (("X1", x1), ("X2", x2)):
        if node.ndim < 2:
            raise _error(f"cdist only supports at least 2D tensors, {name} got: {node.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise _error(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    for name, node in (("X1", x1), ("X2", x2)):
        if node.dtype.category != FLOATING:
            raise _error(
                f"cdist only supports floating-point dtypes, {name} got: "
                f"{SCALAR_TYPES[node.dtype]}",
                "G025",
            )
    if p < 0:
        raise _error("cdist only supports non-negative p values", "G026")
    if x1.dtype is not x2.dtype:
        raise other_dtype(x1.dtype, x2.dtype)
    chosen = _MODES[compute_mode]
    many = max(x1.shape[-2], x2.shape[-2]) > BY_PRODUCT
    if p == 2 and x1.shape[-1] and (many if chosen is None else chosen):
        return _by_product(x1, x2)
    return _apart(x1, x2, float(p))


@function("Tensor._apart", shown="cdist", layout=False)
def _apart(input: Any, other: Any, p: float) -> Node:
    x, y = promoted(input, other)
    left = reshaped(x, (*x.shape[:-1], 1, x.shape[-1]))
    right = reshaped(y, (*y.shape[:-2], 1, *y.shape[-2:]))
    return _length(left - right, p)


def _length(apart: Node, p: float) -> Node:
    """The norm along the last dim, as PyTorch's distances have it: the order 0 counts no NaN."""
    made = vector_norm_of(apart, p, (-1,), False)
    if p == 0:
        lost = ops.isnan(reduction.total(ops.absolute(apart), axis=(-1,), keepdims=False))
        made = ops.where(lost, constant(math.nan, made.dtype), made)
    return ruled_whole(made, apart, rules=(_length_rule,), order=p)


def _length_rule(g: Node, out: Node, x: Node, *, order: float) -> Node | None:
    if order == 0:
        return constant(0, x.dtype, (*g.shape, x.shape[-1]))
    if order == math.inf:
        whole = reduction.restore(out, x, (-1,), False)
        hit = 1 - ops.clamp_max(ops.ceil(ops.absolute(ops.absolute(x) - whole)), zero(x) + 1)
        return reduction.restore(g, x, (-1,), False) * ops.sgn(x) * hit
    return norm_rule(g, out, x, axis=(-1,), keepdims=False, order=order)


@function("Tensor._by_product", shown="view")
def _by_product(input: Any, other: Any) -> Node:
    """Euclidean distances from |x|^2 + |y|^2 - 2xy: no node for each pair and coordinate."""
    x, y = promoted(input, other)
    sizes = [reduction.total(v * v, axis=(-1,), keepdims=True) for v in (x, y)]
    across = movement.permute(sizes[1], axes=(-1, -2))
    square = sizes[0] + across - 2 * linalg.contract(x, y, spec="ik,jk->ij")
    return root_or_zero(ops.clamp_min(square, zero(x)))


@function(
    "nn.functional.pdist",
    "pdist",
    method=False,
    refuses=lacks("pdist", *HALVES),
    out=None,
    python=False,
)
def pdist(input: Any, p: float = 2.0) -> Node:
    """The distances between each two rows, first with second, first with third ..."""
    x = tensor(input)
    if x.ndim != 2:
        raise _error(f"pdist only supports 2D tensors, got: {x.ndim}D")
    if x.dtype.category != FLOATING:
        raise _error("pdist only supports floating-point dtypes", "G025")
    if p < 0:
        raise _error("pdist only supports non-negative p values", "G026")
    rows, columns = np.triu_indices(x.shape[0], 1)
    first, second = (indexing.index(x, positions(v), axes=2) for v in (rows, columns))
    return _length(first - second, float(p))


@function(
    "renorm",
    layout=False,
    refuses=dict.fromkeys(
        (BOOL, INTEGER),
        Check(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got {dtype}"
        ),
    ),
    out=SAME,
    in_place=METHOD,
)
def renorm(input: Any, p: Number, dim: int, maxnorm: Number) -> Node:
    """`input` with each slice along `dim` scaled down to the norm `maxnorm` where it is longer."""
    x = tensor(input)
    if p <= 0:
        raise _error("renorm: non-positive-norm not supported", "G026")
    if maxnorm < 0:
        raise _error(f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}", "G026")
    if x.ndim < 2:
        raise _error(f"renorm: input needs at least 2 dimensions, got {x.ndim} dimensions")
    axis = axis_from_right(dim, x.ndim)
    rest = tuple(a for a in range(-x.ndim, 0) if a != axis)
    norm = vector_norm_of(x, float(p), rest, True)
    limit = constant(maxnorm, norm.dtype)
    scale = ops.where(ops.gt(norm, limit), limit / (norm + 1e-7), constant(1, norm.dtype))
    made = x * ops.cast(scale, x.dtype)
    return ruled_whole(made, x, rules=(_renorm,), axis=rest, order=float(p), limit=maxnorm)


def _renorm(
    g: Node, out: Node, x: Node, *, axis: tuple[int, ...], order: float, limit: float
) -> Node:
    norm = vector_norm_of(x, order, axis, True)
    along = ops.conj(x) * g
    inner = reduction.total(to_real(along), axis=axis, keepdims=True)
    turn = norm_rule(inner, norm, x, axis=axis, keepdims=True, order=order)
    assert turn is not None  # the order is positive
    inverse = ops.cast(1 / (norm + 1e-7), x.dtype)
    scaled = limit * inverse * (g - inverse * turn)
    return ops.where(ops.gt(norm, constant(limit, norm.dtype)), scaled, g)

"""Distances, cross products, turns, combinations, positions of triangles, block matrices.

Constraints: see functions/numeric.py; distances of equal points have gradient 0, as in PyTorch.
"""

from __future__ import annotations

import math
from itertools import combinations as choices
from itertools import combinations_with_replacement as repeated_choices
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.functions.create import from_array
from gradcli.functions.index import positions
from gradcli.functions.join import stack
from gradcli.functions.math import refuse_bools
from gradcli.functions.reduce import norm_rule, root_or_zero, vector_norm_of
from gradcli.functions.shape import meshgrid, part, permuted, reshaped
from gradcli.graph.dtype import BOOL, FLOATING, HALVES, INTEGER, SCALAR_TYPES, as_dtype, int64
from gradcli.graph.node import Node, constant
from gradcli.graph.op import Check
from gradcli.graph.shape import axes_from_right, axis_from_right, broadcast
from gradcli.ops import elementwise as ops
from gradcli.ops import indexing, linalg, movement, reduction
from gradcli.ops.rows import lacks, to_real, zero
from gradcli.ops.ruled import ruled_whole
from gradcli.tensor.function import composite, function, promoted
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import Number
from gradcli.tensor.operands import no_kernel


def _error(sentence: str, code: str = "G024", kind: type[Exception] = RuntimeError) -> GradcliError:
    return GradcliError(code, sentence, kind=kind)


# -- distances


@function("dist")
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
    return vector_norm_of(apart, float(p), tuple(range(-apart.ndim, 0)), False)


BY_PRODUCT = 25
"""Points from which on PyTorch computes Euclidean distances by a matrix product."""
_MODES = {
    "use_mm_for_euclid_dist_if_necessary": None,
    "use_mm_for_euclid_dist": True,
    "donot_use_mm_for_euclid_dist": False,
}


@composite("cdist", method=False, refuses=lacks("cdist", *HALVES))
def cdist(
    x1: Any, x2: Any, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary"
) -> Any:
    """The distances between all points (rows) of `x1` and of `x2`, by the norm of order `p`."""
    if compute_mode not in _MODES:
        raise _error(f"{compute_mode} is not a valid value for compute_mode", "G026", ValueError)
    for name, node in (("X1", x1), ("X2", x2)):
        if node.dtype.category != FLOATING:
            raise _error(
                f"cdist only supports floating-point dtypes, {name} got: "
                f"{SCALAR_TYPES[node.dtype]}",
                "G025",
            )
        if node.ndim < 2:
            raise _error(f"cdist only supports at least 2D tensors, {name} got: {node.ndim}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise _error(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    if p < 0:
        raise _error("cdist only supports non-negative p values", "G026")
    if x1.dtype is not x2.dtype:
        kinds = f"{SCALAR_TYPES[x1.dtype]} but found {SCALAR_TYPES[x2.dtype]}"
        raise _error(f"expected scalar type {kinds}", "G025")
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


@function("nn.functional.pdist", "pdist", method=False, refuses=lacks("pdist", *HALVES))
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


# -- products and turns


def _turned(x: Node, axis: int, shift: int) -> Node:
    return movement.concat(part(x, axis, shift, 3 - shift), part(x, axis, 0, shift), axis=axis)


@function("linalg.cross", shown="linalg_cross", method=False, layout=False)
def linalg_cross(input: Any, other: Any, *, dim: int = -1) -> Node:
    """The cross product of vectors of length 3 along `dim`."""
    x, y = promoted(input, other)
    if x.ndim != y.ndim:
        raise _error("linalg.cross: inputs must have the same number of dimensions.")
    axis = axis_from_right(dim, x.ndim)
    if x.shape[axis] != 3 or y.shape[axis] != 3:
        raise _error(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {x.shape[axis]} and "
            f"{y.shape[axis]}"
        )
    if x.dtype.category == BOOL:
        raise no_kernel("cross", x)
    shape = broadcast(x.shape, y.shape)
    x, y = (movement.expand(v, shape=shape) for v in (x, y))
    first, second = (_turned(x, axis, k) * _turned(y, axis, 3 - k) for k in (1, 2))
    return first - second


@composite("cross")
def cross(input: Any, other: Any, dim: int | None = None) -> Any:
    """The cross product of vectors of length 3, along the first dim of that length by default."""
    if dim is None:
        shape = broadcast(tuple(input.shape), tuple(other.shape))
        if 3 not in shape:
            raise _error("no dimension of size 3 in input")
        dim = shape.index(3)
    return linalg_cross(input, other, dim=dim)


@function("rot90")
def rot90(input: Any, k: int = 1, dims: Any = (0, 1)) -> Node:
    """Turned `k` times by a right angle, from the first of `dims` to the second."""
    x = tensor(input)
    if len(dims) != 2:
        raise _error(f"expected total rotation dims == 2, but got dims = {len(dims)}", "G013")
    if x.ndim < 2:
        raise _error(f"expected total dims >= 2, but got total dims = {x.ndim}")
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == x.ndim:
        raise _error(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = "
            f"{dims[1]}",
            "G023",
        )
    first, second = axes_from_right(dims, x.ndim)
    if k % 2 == 0:
        return movement.flip(x, axis=(first, second)) if k % 4 else ops.clone(x)
    order = list(range(-x.ndim, 0))
    order[first], order[second] = order[second], order[first]
    return movement.flip(permuted(x, tuple(order)), axis=(first if k % 4 == 1 else second,))


# -- combinations, grids, matrices


def _vector(x: Any) -> None:
    if len(x.shape) != 1:
        raise _error(f"Expect a 1D vector, but got shape {list(x.shape)}")


@composite("combinations", method=False)
def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """All choices of `r` elements of a vector, a row each."""
    _vector(input)
    if r < 0:
        raise _error(f"Expect a non-negative number, but got {r}", "G026")
    if r == 0:
        return input.new_empty((0,))
    choose = repeated_choices if with_replacement else choices
    rows = np.array(list(choose(range(input.shape[0]), r)), np.int64).reshape(-1, r)
    return stack([input.index_select(0, from_array(column.copy())) for column in rows.T], 1)


@composite("cartesian_prod", method=False)
def cartesian_prod(*tensors: Any) -> Any:
    """All choices of one element of each vector, a row each."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    for x in given:
        _vector(x)
    if len(given) == 1:
        return given[0]
    return stack([grid.reshape(-1) for grid in meshgrid(*given)], 1)


@function("block_diag", method=False)
def block_diag(*tensors: Any) -> Node:
    """A matrix with the given ones along its diagonal, zero elsewhere."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list) else tensors
    for place, x in enumerate(given):
        if x.ndim > 2:
            raise _error(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{place} has {x.ndim} dimensions"
            )
    blocks = [reshaped(x, (1,) * (2 - x.ndim) + x.shape) for x in promoted(*given)]
    width = sum(x.shape[1] for x in blocks)
    rows, start = [], 0
    for x in blocks:
        ends = (start, width - start - x.shape[1])
        left, right = (constant(0, x.dtype, (x.shape[0], n)) for n in ends)
        rows.append(movement.concat(left, x, right, axis=-1))
        start += x.shape[1]
    return movement.concat(*rows, axis=-2)


def _triangle(name: str, find: Any) -> None:
    @composite(f"{name}_indices", method=False)
    def indices(row: int, col: int, offset: int = 0, *, dtype: Any = int64, **options: Any) -> Any:
        for what, size in (("row", row), ("col", col)):
            if size < 0:
                raise _error(f"{what} must be non-negative, got{size}", "G026")
        kind = as_dtype(dtype)
        return from_array(np.stack(find(row, offset, col)).astype(NUMPY_DTYPES[kind]))

    indices.doc = f"The positions of the {name} part of a matrix: a row of rows, a row of columns."


_triangle("tril", np.tril_indices)
_triangle("triu", np.triu_indices)

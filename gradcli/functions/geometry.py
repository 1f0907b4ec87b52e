"""Cross products, turns, combinations, positions of triangles, block matrices.

Constraints: see functions/numeric.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations as choices
from itertools import combinations_with_replacement as repeated_choices
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.functions.create import from_array
from gradcli.functions.join import stack
from gradcli.functions.shape import meshgrid, part, permuted, reshaped
from gradcli.graph.dtype import BOOL, as_dtype, default, int64
from gradcli.graph.node import Node, constant
from gradcli.graph.shape import axes_from_right, axis_from_right, broadcast
from gradcli.ops import elementwise as ops
from gradcli.ops import movement
from gradcli.tensor.arguments import require_tensors
from gradcli.tensor.function import composite, function, internal, promoted
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.operands import no_kernel, other_dtype
from gradcli.tensor.result_layout import order_of
from gradcli.tensor.storing import SAME
from gradcli.tensor.wrapping import in_order


def _error(sentence: str, code: str = "G024", kind: type[Exception] = RuntimeError) -> GradcliError:
    return GradcliError(code, sentence, kind=kind)


# -- products and turns


def _turned(x: Node, axis: int, shift: int) -> Node:
    return movement.concat(part(x, axis, shift, 3 - shift), part(x, axis, 0, shift), axis=axis)


@function("linalg.cross", shown="linalg_cross", method=False, layout=False, out=SAME, exact=True)
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
    if input.dtype is not other.dtype:
        raise other_dtype(input.dtype, other.dtype)
    shape = broadcast(x.shape, y.shape)
    x, y = (movement.expand(v, shape=shape) for v in (x, y))
    first, second = (_turned(x, axis, k) * _turned(y, axis, 3 - k) for k in (1, 2))
    return first - second


@composite("cross", out=SAME)
def cross(input: Any, other: Any, dim: int | None = None) -> Any:
    """The cross product of vectors of length 3, along the first dim of that length by default."""
    if dim is None:
        shape = tuple(input.shape)
        if 3 not in shape:
            raise _error("no dimension of size 3 in input")
        dim = shape.index(3)
    return linalg_cross(input, other, dim=dim)


@composite("rot90", out=None)
def rot90(input: Any, k: int = 1, dims: Sequence[int] = (0, 1)) -> Any:
    """Turned `k` times by a right angle, from the first of `dims` to the second."""
    x = tensor(input.node)
    if len(dims) != 2:
        raise _error(f"expected total rotation dims == 2, but got dims = {len(dims)}", "G013")
    if x.ndim < 2:
        raise _error(f"expected total dims >= 2, but got total dims = {x.ndim}")
    for dim in dims:
        axis_from_right(dim, x.ndim)
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == x.ndim:
        raise _error(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = "
            f"{dims[1]}",
            "G023",
        )
    first, second = axes_from_right(dims, x.ndim)
    if k % 2 == 0:
        return _rotated(input, (first, second) if k % 4 else (), ())
    # PyTorch makes a transpose of what it flips.
    swapped = {first % x.ndim: second % x.ndim, second % x.ndim: first % x.ndim}
    flipped = (first if k % 4 == 1 else second,)
    return in_order(
        _rotated(input, flipped, (first, second)), [swapped.get(d, d) for d in order_of(input)]
    )


@internal("rot90", layout=True)
def _rotated(x: Node, flipped: tuple[int, ...], swapped: tuple[int, ...]) -> Node:
    order = list(range(-x.ndim, 0))
    if swapped:
        first, second = swapped
        order[first], order[second] = order[second], order[first]
    elif not flipped:
        return ops.clone(x)
    return movement.flip(permuted(x, tuple(order)), axis=flipped)


# -- combinations, grids, matrices


def _vector(x: Any) -> None:
    if len(x.shape) != 1:
        raise _error(f"Expect a 1D vector, but got shape {list(x.shape)}")


@composite("combinations", method=False, out=None)
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


@composite("cartesian_prod", method=False, python=True)
def cartesian_prod(*tensors: Any) -> Any:
    """All choices of one element of each vector, a row each."""
    require_tensors(tensors)
    for x in tensors:
        _vector(x)
    if len(tensors) == 1:
        return tensors[0]
    return stack([grid.reshape(-1) for grid in meshgrid(*tensors)], 1)


@function("block_diag", method=False, python=True)
def block_diag(*tensors: Any) -> Node:
    """A matrix with the given ones along its diagonal, zero elsewhere."""
    if not tensors:
        return constant(0, default.dtype, (1, 0))
    require_tensors(tensors)
    for place, x in enumerate(tensors):
        if x.ndim > 2:
            raise _error(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{place} has {x.ndim} dimensions"
            )
    blocks = [reshaped(x, (1,) * (2 - x.ndim) + x.shape) for x in promoted(*tensors)]
    width = sum(x.shape[1] for x in blocks)
    rows, start = [], 0
    for x in blocks:
        ends = (start, width - start - x.shape[1])
        left, right = (constant(0, x.dtype, (x.shape[0], n)) for n in ends)
        rows.append(movement.concat(left, x, right, axis=-1))
        start += x.shape[1]
    return movement.concat(*rows, axis=-2)


def _triangle(name: str, find: Any) -> None:
    @composite(f"{name}_indices", method=False, out=None)
    def indices(row: int, col: int, offset: int = 0, *, dtype: Any = int64) -> Any:
        for what, size in (("row", row), ("col", col)):
            if size < 0:
                raise _error(f"{what} must be non-negative, got{size}", "G026")
        kind = as_dtype(dtype)
        return from_array(np.stack(find(row, offset, col)).astype(NUMPY_DTYPES[kind]))

    indices.doc = f"The positions of the {name} part of a matrix: a row of rows, a row of columns."


_triangle("tril", np.tril_indices)
_triangle("triu", np.triu_indices)

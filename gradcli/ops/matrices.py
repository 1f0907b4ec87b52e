"""Matrices in derivative rules: products, adjoints, blocks, and what has to hold of them.

Constraints: a matrix is the last two axes, leading ones are batches and broadcast.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import DType, bool_
from gradcli.graph.node import Node, constant, current
from gradcli.graph.op import CONDITION, FULL, Op
from gradcli.graph.shape import Shape, broadcast
from gradcli.ops.elementwise import absolute, cast, conj, le, where
from gradcli.ops.linalg import contract
from gradcli.ops.movement import diagonal_embed, permute, reshape, slice_
from gradcli.ops.reduction import all_
from gradcli.ops.rows import zero

Kinds = list[tuple[Shape, DType]]
"""What `infer` says of an op with several results."""
EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}
"""The distance from 1 to the next number."""


class LinAlgError(RuntimeError):
    """A matrix is singular or not positive-definite, or an iteration did not converge."""


LinAlgError.__name__ = LinAlgError.__qualname__ = "_LinAlgError"
LinAlgError.__module__ = "torch._C"


# -- matrices as expressions


def product(x: Node, y: Node) -> Node:
    """The matrix product of the last two axes; leading ones broadcast."""
    return contract(x, y, spec="ik,kj->ij")


def adjoint(x: Node) -> Node:
    """The conjugate transpose of the last two axes."""
    return conj(permute(x, axes=(-1, -2)))


def columns(x: Node) -> Node:
    """A vector, to scale columns with."""
    return reshape(x, axes=1, shape=(1, x.shape[-1]))


def rows(x: Node) -> Node:
    """A vector, to scale rows with."""
    return reshape(x, axes=1, shape=(x.shape[-1], 1))


def absent(g: Node) -> bool:
    """Whether a cotangent is zero because nothing used that result."""
    return g.op is FULL and g.attrs["value"] == 0


def leading(x: Node, y: Node) -> Shape:
    """The shape of the stacks of matrices that `x` and `y` broadcast to."""
    return broadcast(x.shape[:-2], y.shape[:-2])


def transposed(x: Node) -> Node:
    """The transpose of the last two axes."""
    return permute(x, axes=(-1, -2))


def identity(count: int, dtype: DType, width: int | None = None) -> Node:
    """A unit matrix, as wide as it is high unless `width` says otherwise."""
    shape = (count, count if width is None else width)
    return diagonal_embed(constant(1, dtype, (min(shape),)), offset=0, shape=shape)


def as_matrix(x: Node) -> Node:
    """Numbers as matrices of one row and column, to scale matrices with."""
    return reshape(x, axes=0, shape=(1, 1))


def matrix_of(x: Node) -> Node:
    """Diagonal matrices."""
    return diagonal_embed(x, offset=0, shape=(x.shape[-1],) * 2)


def block(x: Node, high: slice = slice(None), wide: slice = slice(None)) -> Node:
    """A block of contiguous rows and columns."""
    (m, n), spans = x.shape[-2:], []
    for size, chosen in ((m, high), (n, wide)):
        start, stop, _ = chosen.indices(size)
        spans.append((start, max(0, stop - start), 1))
    return slice_(x, slices=tuple(spans))


def idle(x: Node, value: Node) -> Node:
    """`value`, which does not depend on `x`, with a gradient of zero by `x`."""
    return where(constant(False, bool_), x, value)


def emptied(x: Node) -> Node:
    """No numbers, with the history of `x`."""
    return slice_(reshape(x, axes=x.ndim, shape=(x.size,)), slices=((0, 0, 1),))


def with_diagonal(x: Node, values: Node) -> Node:
    """Square matrices with other diagonals."""
    kept = where(cast(identity(x.shape[-1], x.dtype.to_real()), bool_), zero(x), x)
    return kept + matrix_of(values)


def differences(values: Node) -> Node:
    """`values[j] - values[i]`, and 1 on the diagonal."""
    return columns(values) - rows(values) + identity(values.shape[-1], values.dtype)


# -- what has to hold


def _require(x: Node, holds: Node, *, sentence: str) -> tuple[Shape, DType]:
    return x.shape, x.dtype


require = Op(
    "require", _require, lambda g, out, x, holds, *, sentence: g, CONDITION, kernel="checked"
)
"""`x` itself; evaluation fails with `sentence` unless `holds` is true everywhere."""


def require_small(x: Node, phases: Node, sentence: str) -> Node:
    """`x`, where all `phases` are 0 as nearly as PyTorch asks for."""
    if current.forward:  # nothing is asked of a loss there
        return x
    size = absolute(phases)
    holds = le(size, constant(1e-2, size.dtype))
    return require(
        x, all_(holds, axis=tuple(range(-holds.ndim, 0)), keepdims=False), sentence=sentence
    )


def missing(sentence: str, kind: type[BaseException] = RuntimeError) -> Any:
    """The rule of an input for which PyTorch has no derivative, only a sentence."""

    def rule(*args: Any, **attrs: Any) -> Node:
        raise GradcliError("G037", sentence, kind=kind)

    return rule

"""Functions of a matrix: determinant, exponential.

Constraints: see gradcli/ops; of the last two axes.
"""

from __future__ import annotations

from gradcli.graph.dtype import DType, bool_
from gradcli.graph.node import Node, constant, current
from gradcli.graph.op import DETACH, Op
from gradcli.graph.shape import Shape
from gradcli.ops.decompositions import svd
from gradcli.ops.elementwise import (
    absolute,
    cast,
    conj,
    eq,
    imag,
    logical_or,
    lt,
    make_complex,
    where,
)
from gradcli.ops.linalg import contract
from gradcli.ops.matrices import (
    EPSILON,
    Kinds,
    adjoint,
    as_matrix,
    block,
    identity,
    matrix_of,
    product,
    transposed,
)
from gradcli.ops.movement import concat, diagonal, expand, reshape
from gradcli.ops.reduction import prod, total
from gradcli.ops.rows import zero
from gradcli.ops.systems import inverse


def _number_each(x: Node) -> tuple[Shape, DType]:
    return x.shape[:-2], x.dtype


def _det_rule(g: Node, out: Node, x: Node) -> Node:
    if current.tracking:
        return as_matrix(g) * cofactors(x)
    # PyTorch solves with g det(x) on the right here: a singular x has gradient 0, or NaN of
    # an infinite g.
    singular = eq(out, zero(out))
    scale = as_matrix(g * conj(out))
    slope = scale * adjoint(inverse(x))
    return where(as_matrix(singular), scale, slope)


def _cofactors_rule(g: Node, out: Node, x: Node) -> Node:
    value = det(x)
    bound = 100 * EPSILON[x.dtype.to_real().name]
    singular = as_matrix(lt(absolute(value), constant(bound, x.dtype.to_real())))
    inverted = inverse(where(singular, identity(x.shape[-1], x.dtype), x))
    turned = product(inverted, g)
    trace = total(diagonal(turned, offset=0), axis=(-1,), keepdims=False)
    regular = out * conj(as_matrix(trace)) - conj(as_matrix(value)) * adjoint(
        product(turned, inverted)
    )
    return where(singular, _singular_cofactors_rule(g, x), regular)


def _singular_cofactors_rule(g: Node, x: Node) -> Node:
    """In the basis of singular vectors: minors are products of all singular values but two."""
    u, s, v = svd.many(DETACH(x), full=False)
    phase = as_matrix(det(u) * det(v))
    size = x.shape[-1]
    others = expand(reshape(cast(s, x.dtype), axes=1, shape=(1, 1, size)), shape=(size,) * 3)
    unit = cast(identity(size, s.dtype), bool_)
    skipped = logical_or(
        reshape(unit, axes=2, shape=(size, 1, size)), reshape(unit, axes=2, shape=(1, size, size))
    )
    minors = prod(where(skipped, zero(others) + 1, others), axis=-1, keepdims=False)
    minors = where(unit, zero(minors), minors)
    inner = product(product(adjoint(u), g), adjoint(v))
    along = contract(minors, diagonal(inner, offset=0), spec="ij,i->j")
    return product(product(u, conj(phase * (matrix_of(along) - transposed(minors * inner)))), v)


det = Op("linalg_det", _number_each, _det_rule)
cofactors = Op("cofactors", lambda x: (x.shape, x.dtype), _cofactors_rule)
"""The derivative of the determinant: conj(det(x)) times inv(x) adjoint, or its limit."""


def _slogdet(x: Node) -> Kinds:
    return [(x.shape[:-2], x.dtype), (x.shape[:-2], x.dtype.to_real())]


def _slogdet_rule(g: tuple[Node, ...], out: tuple[Node, ...], x: Node) -> Node:
    factor = g[1]
    if x.dtype.is_complex:
        factor = make_complex(factor, -imag(conj(g[0]) * out[0]))
    return as_matrix(factor) * adjoint(inverse(x))


slogdet = Op("linalg_slogdet", _slogdet, _slogdet_rule, multiple=True)

# -- the exponential


def _matrix_exp_rule(g: Node, out: Node, x: Node) -> Node:
    """The corner of exp([[x, g], [0, x]]) with x adjoint: Higham, Functions of Matrices, 3.2."""
    size = x.shape[-1]
    back = expand(adjoint(x), shape=g.shape)
    top = concat(back, g, axis=-1)
    bottom = concat(expand(zero(g), shape=g.shape), back, axis=-1)
    return block(matrix_exp(concat(top, bottom, axis=-2)), slice(size), slice(size, None))


matrix_exp = Op("linalg_matrix_exp", lambda x: (x.shape, x.dtype), _matrix_exp_rule)

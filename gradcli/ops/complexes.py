"""Complex numbers as pairs of real ones: views between both, conjugation by view, the angle.

Constraints: see gradcli/ops. A gradient g of a real L by a complex z satisfies dL = Re(conj(g)*dz),
as PyTorch defines it.
"""

from __future__ import annotations

from gradcli.graph.dtype import DType
from gradcli.graph.node import Node, constant
from gradcli.graph.op import Op
from gradcli.graph.shape import Shape
from gradcli.ops.elementwise import conj, eq, imag, make_complex, real, where
from gradcli.ops.rows import elementwise, magnitude, same, zero


def _as_real(x: Node) -> tuple[Shape, DType]:
    return (*x.shape, 2), x.dtype.to_real()


def _as_complex(x: Node) -> tuple[Shape, DType]:
    return x.shape[:-1], x.dtype.to_complex()


def _angle_rule(g: Node, out: Node, x: Node) -> Node:
    if not x.dtype.is_complex:
        return constant(0, x.dtype, g.shape)
    square = real(x) * real(x) + imag(x) * imag(x)
    nowhere = eq(square, zero(square))
    turned = make_complex(zero(g), g / where(nowhere, zero(square) + 1, square))
    return where(nowhere, zero(x), turned * x)


conjugate = Op("conj", same, lambda g, out, x: conj(g), view=True)
view_as_real: Op = Op("view_as_real", _as_real, lambda g, out, x: view_as_complex(g), view=True)
view_as_complex: Op = Op(
    "view_as_complex", _as_complex, lambda g, out, x: view_as_real(g), view=True
)
angle = elementwise("angle", _angle_rule, infer=magnitude, promotes="")

"""Linear algebra primitives: the contraction that every product of matrices is.

Constraints: see gradcli/ops. `contract` is a two-operand Einstein sum over named trailing axes,
with broadcast leading axes; its derivatives only rename axes (Laue, Mitterreiter, Giesen: A Simple
and Efficient Tensor Calculus, AAAI 2020).
"""

from __future__ import annotations

from gradcli.graph.dtype import DType
from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.graph.shape import Shape, broadcast
from gradcli.ops.elementwise import conj


def parts(spec: str) -> tuple[str, str, str]:
    """The labels of the left operand, the right operand and the result of `ij,jk->ik`."""
    operands, _, result = spec.partition("->")
    left, _, right = operands.partition(",")
    return left, right, result


def _contract(x: Node, y: Node, *, spec: str) -> tuple[Shape, DType]:
    left, right, result = parts(spec)
    sizes = dict(zip(left, x.shape[x.ndim - len(left) :], strict=True))
    sizes.update(zip(right, y.shape[y.ndim - len(right) :], strict=True))
    lead = broadcast(x.shape[: x.ndim - len(left)], y.shape[: y.ndim - len(right)])
    return lead + tuple(sizes[label] for label in result), x.dtype


def _left_rule(g: Node, out: Node, x: Node, y: Node, *, spec: str) -> Node:
    left, right, result = parts(spec)
    return contract(g, conj(y), spec=f"{result},{right}->{left}")


def _right_rule(g: Node, out: Node, x: Node, y: Node, *, spec: str) -> Node:
    left, right, result = parts(spec)
    return contract(conj(x), g, spec=f"{left},{result}->{right}")


contract = Op("contract", _contract, _left_rule, _right_rule, broadcasts=True, torch="bmm")

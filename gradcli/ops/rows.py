"""What the tables share: makers of rows, shape and dtype rules, helpers for derivative rules.

Constraints: no rows here.
"""

from __future__ import annotations

from typing import Any

from gradcli.graph.dtype import DType, bool_
from gradcli.graph.node import Node, constant
from gradcli.graph.op import OPS, Derivative, Op
from gradcli.graph.shape import Shape, broadcast

__all__ = ["OPS", "elementwise", "lacks", "predicate", "to_real", "zero"]


def elementwise(name: str, *derivatives: Derivative, **row: Any) -> Op:
    """A row for an op on broadcast operands of one dtype, which is also the result's."""
    row.setdefault("broadcasts", len(derivatives) > 1)
    row.setdefault("promotes", "float")
    row["elementwise"] = True
    return Op(name, row.pop("infer", same), *derivatives, **row)


def predicate(name: str, *derivatives: Derivative, **row: Any) -> Op:
    """A row for an elementwise op whose result is a truth value."""
    row.setdefault("promotes", "same")
    return elementwise(name, *derivatives, infer=truth, **row)


def lacks(kernel: str, *kinds: int | DType) -> dict[Any, str]:
    """Dtypes, or categories of them, that are refused in PyTorch's sentence about its kernel."""
    return dict.fromkeys(kinds, f"\"{kernel}\" not implemented for '{{dtype}}'")


def same(*inputs: Node, **attrs: Any) -> tuple[Shape, DType]:
    """Broadcast shape, the operands' dtype."""
    first, last = inputs[0], inputs[-1]
    if len(inputs) == 1:
        return first.shape, first.dtype
    if len(inputs) == 2:
        return broadcast(first.shape, last.shape), last.dtype
    return broadcast(*(x.shape for x in inputs)), last.dtype


def truth(*inputs: Node, **attrs: Any) -> tuple[Shape, DType]:
    """Broadcast shape, bool."""
    return broadcast(*(x.shape for x in inputs)), bool_


def magnitude(x: Node) -> tuple[Shape, DType]:
    """The input's shape, and the dtype of its real part."""
    return x.shape, x.dtype.to_real()


def zero(like: Node) -> Node:
    """A 0-dim zero of `like`'s dtype."""
    return constant(0, like.dtype)


def to_real(x: Node) -> Node:
    """The real part; a real `x` itself."""
    return OPS["real"](x) if x.dtype.is_complex else x

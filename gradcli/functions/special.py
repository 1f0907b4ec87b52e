"""`torch.special` and relatives: Bessel, gamma and error functions, polynomials, divisors.

Constraints: an entry says promotion and PyTorch's names; derivatives stand in gradcli/ops.
"""

from __future__ import annotations

import math
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import BOOL, FLOATING, result_type
from gradcli.graph.node import Node
from gradcli.graph.op import Op, lacking
from gradcli.ops import elementwise as ops
from gradcli.ops import reduction, special
from gradcli.ops.movement import reshape
from gradcli.tensor.function import as_floating, function, promoted
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.kinds import Operand
from gradcli.tensor.named import NUMBER_FIRST, Named
from gradcli.tensor.operands import given_dtype
from gradcli.tensor.results import named_results
from gradcli.tensor.storing import EVERYWHERE, METHOD


def _operands(op: Op, *values: Any, floating: bool = False) -> list[Node]:
    """`values` of their common dtype; raises G025 where PyTorch's `op` does not take that.

    It is that of the arguments before they were widened.
    """
    tensors = [(given_dtype(v), v.shape) for v in values if isinstance(v, Node)]
    dtype = result_type(tensors, [v for v in values if not isinstance(v, Node)])
    refusal = lacking(op.refuses, dtype)
    if refusal is not None:
        raise refusal
    return promoted(*values, floating=floating)


def _unary(op: Op, *names: str, **options: Any) -> None:
    def body(input: Any) -> Node:
        return op(*_operands(op, tensor(input), floating=True))

    body.__doc__ = f"`{op.name}` of each element."
    function(*names, shown=op.torch, **options)(body)


for _op in (
    *(special.i0e, special.i1, special.i1e, special.entr, special.erfcx, special.ndtri),
    special.log_ndtr,
):
    _unary(_op, f"special.{_op.name}")
for _name in (
    *("bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "modified_bessel_i0"),
    *("modified_bessel_i1", "modified_bessel_k0", "modified_bessel_k1"),
):
    _unary(special.NO_SLOPE[_name], f"special.{_name}")
for _name in (
    *("airy_ai", "scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "spherical_bessel_j0"),
):
    _unary(special.NO_SLOPE[_name], Named(f"special.{_name}", x="input"))
_unary(special.i0, "i0", "special.i0", in_place=EVERYWHERE)


def _which(input: Any, other: Any) -> int:
    """Which of the three overloads: two tensors, a number first, a number second."""
    return 0 if hasattr(input, "node") and hasattr(other, "node") else 1 + hasattr(input, "node")


def _binary(op: Op, *names: str, **options: Any) -> None:
    def body(input: Any, other: Any) -> Node:
        return op(*_operands(op, input, other))

    body.__doc__ = f"`{op.name}` of the elements of both."
    function(*names, shown=op.torch, **options)(body)


def _of_operands(op: Op) -> None:
    def body(input: Operand, other: Operand) -> Node:
        return op(*_operands(op, input, other, floating=True))

    body.__doc__ = f"`{op.name}` of the elements of both."
    name = Named(f"special.{op.name}", **NUMBER_FIRST)
    function(name, shown=op.torch, overload=_which)(body)


def _polynomial(op: Op) -> None:
    def body(x: Operand, n: Operand) -> Node:
        return op(*_operands(op, x, n, floating=True))

    body.__doc__ = f"`{op.name}` of degree `n` at each element."
    function(f"special.{op.name}", shown=op.torch, overload=lambda x, n: _which(x, n))(body)


_binary(special.igamma, "igamma", "special.gammainc", in_place=METHOD)
_binary(special.igammac, "igammac", "special.gammaincc", in_place=METHOD)
_binary(special.gcd, "gcd", in_place=EVERYWHERE)
_binary(special.lcm, "lcm", in_place=EVERYWHERE)
for _op in (special.zeta, special.xlog1py):
    _of_operands(_op)
for _op in special.POLYNOMIALS.values():
    _polynomial(_op)


@function("special.ndtr", shown="mul", overload=1)
def ndtr(input: Any) -> Node:
    """The distribution function of the normal distribution."""
    return (ops.erf(as_floating(input) / math.sqrt(2)) + 1) * 0.5


@function("mvlgamma", "special.multigammaln", layout=False, in_place=METHOD)
def mvlgamma(input: Any, p: int) -> Node:
    """The logarithm of the multivariate gamma function in `p` dimensions."""
    if p < 1:
        raise GradcliError("G026", "p has to be greater than or equal to 1")
    given = tensor(input)
    if given.dtype.category == BOOL:
        raise GradcliError("G025", "The input tensor may not be a boolean tensor.")
    x = as_floating(given)
    column = reshape(x, axes=0, shape=(1,))
    shifts = ops.cast(_halves(p), x.dtype)
    total = reduction.total(ops.lgamma(column + shifts), axis=(-1,), keepdims=False)
    return total + p * (p - 1) * math.log(math.pi) / 4


def _halves(p: int) -> Node:
    """0, -1/2, ..., -(p - 1)/2."""
    import numpy as np

    from gradcli.graph.dtype import float64
    from gradcli.graph.node import data

    return data(np.arange(p) * -0.5, (p,), float64)


@function("ldexp", in_place=EVERYWHERE)
def ldexp(input: Any, other: Any) -> Node:
    """`input * 2**other`."""
    return special.ldexp(*promoted(input, other, floating=True))


FREXP = named_results("frexp", "mantissa", "exponent")


@function("frexp")
def frexp(input: Any) -> Any:
    """`mantissa` from 1/2 to 1 and `exponent` with `input == mantissa * 2**exponent`."""
    x = tensor(input)
    if x.dtype.category != FLOATING:
        raise GradcliError("G025", "torch.frexp() only supports floating-point dtypes")
    return FREXP(special.frexp(x), special.frexp_exponent(x))

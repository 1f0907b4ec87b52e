"""Functions of networks: softmax, distances, normalisation; what activations share.

Constraints: composed of ops unless ops/activation.py says why not. A branch that `where` does not
choose never puts NaN into a gradient: what it computes from is put back into its domain first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.limits import memory
from gradcli.functions import math as arithmetic
from gradcli.functions.create import from_array
from gradcli.functions.reduce import mean_of, vector_norm_of
from gradcli.functions.shape import reshaped
from gradcli.graph.dtype import (
    SCALAR_TYPES,
    int64,
    promote_pair,
)
from gradcli.graph.node import Node, lift
from gradcli.graph.op import OVERWRITE
from gradcli.graph.shape import axis_from_right, broadcast
from gradcli.ops import elementwise as ops
from gradcli.ops import reduction
from gradcli.ops.rows import zero
from gradcli.tensor.function import composite, function, internal
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.operands import no_kernel
from gradcli.tensor.storing import SAME


def floating(x: Any, kernel: str) -> Node:
    """A floating-point operand; raises G025, as PyTorch's `kernel` does, for any other."""
    node = tensor(x)
    if not node.dtype.is_floating_point:
        raise no_kernel(kernel, node)
    return node


add_number, sub_number, mul_number, div_number = (
    internal(entry.__name__, overload=1)(entry.body)
    for entry in (arithmetic.add, arithmetic.sub, arithmetic.mul, arithmetic.div)
)
"""A tensor and a number, as PyTorch's own functions combine them: the other overload in grad_fn."""


@internal("clone")
def kept_above(x: Node, least: float) -> Node:
    """`x`, at least `least`, with the derivative of `x` itself everywhere."""
    return OVERWRITE(x, ops.clamp_min(x, lift(least, x)))


def only(condition: Node, x: Node) -> Node:
    """`x` where `condition` holds, 0 elsewhere: what a branch computes from."""
    return ops.where(condition, x, zero(x))


# -- softmax


def _rows(name: str, op: Any) -> Callable[..., Any]:
    """`op` along a dim, under its two signatures: `torch.NAME` and `torch.nn.functional.NAME`."""

    @internal(name)
    def of(input: Any, dim: int) -> Node:
        axis = axis_from_right(dim, tensor(input).ndim)
        last = "_lastdim" if axis == -1 else ""
        x = floating(input, f"{name}{last}_kernel_impl")
        return op(x, axis=axis) if x.ndim else reshaped(op(reshaped(x, (1,)), axis=-1), ())

    def along(input: Any, dim: int, dtype: Any = None) -> Any:
        return of(input if dtype is None else input.to(dtype), dim)

    def functional(
        input: Any, dim: int | None = None, _stacklevel: Any = 3, dtype: Any = None
    ) -> Any:
        implicit = 0 if len(input.shape) in (0, 1, 3) else 1
        return along(input, implicit if dim is None else dim, dtype)

    for body in (along, functional):
        body.__name__ = name
        body.__doc__ = f"The {name.replace('_', ' ')} along `dim`, in `dtype` where one is given."
    composite(name, f"special.{name}", out=SAME)(along)
    return composite(f"nn.functional.{name}")(functional)


softmax = _rows("softmax", reduction.softmax)
log_softmax = _rows("log_softmax", reduction.log_softmax)


@composite("nn.functional.softmin")
def softmin(input: Any, dim: int | None = None, _stacklevel: Any = 3, dtype: Any = None) -> Any:
    """The softmax of `-input` along `dim`."""
    return softmax(-input, dim, dtype=dtype)


@composite("nn.functional.one_hot", python=False)
def one_hot(input: Any, num_classes: int = -1) -> Any:
    """A row for each class number: 1 at its place, 0 elsewhere; int64."""
    if input.dtype is not int64:
        raise GradcliError("G025", "one_hot is only applicable to index tensor of type LongTensor.")
    known = input.array()
    if known.size == 0 and num_classes <= 0:
        raise GradcliError("G026", "Can not infer total number of classes from empty tensor.")
    if known.size and known.min() < 0:
        raise GradcliError("G026", "Class values must be non-negative.")
    classes = int(known.max()) + 1 if num_classes == -1 else num_classes
    if known.size and known.max() >= classes:
        raise GradcliError("G026", "Class values must be smaller than num_classes.")
    memory.refuse(known.size * classes, int64.itemsize)
    return from_array((known[..., None] == np.arange(classes)).astype(np.int64))


@composite("nn.functional.normalize", out=SAME)
def normalize(input: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Any:
    """`input` over its norm of order `p` along `dim`, which counts as at least `eps`."""
    return input / input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)


@composite(
    "cosine_similarity", "nn.functional.cosine_similarity", method=False, out=None, python=False
)
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """The cosine of the angle between `x1` and `x2` along `dim`; norms count as at least `eps`."""
    common = promote_pair(x1.dtype, x2.dtype)
    if not common.is_floating_point:
        name = SCALAR_TYPES[common]
        raise GradcliError(
            "G025",
            f"expected common dtype to be floating point, yet common dtype is {name}",
        )
    shape = broadcast(tuple(x1.shape), tuple(x2.shape))
    repeated, units = x1.shape != x2.shape, []
    for x in (x1, x2):
        whole = x.to(common).expand(*shape) if repeated else x.to(common)
        units.append(whole / kept_above(whole.norm(2, dim, keepdim=True), eps))
    return (units[0] * units[1]).sum(dim)


@composite(
    "pairwise_distance", "nn.functional.pairwise_distance", method=False, out=None, python=False
)
def pairwise_distance(
    x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Any:
    """The norm of order `p` of `x1 - x2 + eps` along the last dim."""
    return _last_norm(add_number(x1 - x2, eps), p, keepdim)


@internal("norm", overload=1)
def _last_norm(x: Node, p: float, keepdim: bool) -> Node:
    return vector_norm_of(x, p, (-1,) if x.ndim else (), keepdim)


def _trailing(name: str, x: Any, normalized_shape: Any, **parameters: Any) -> tuple[int, ...]:
    """The axes that `normalized_shape` speaks of, after checking shapes as PyTorch does."""
    if not isinstance(normalized_shape, (list, tuple)):
        raise GradcliError(
            "G013",
            f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not "
            f"{type(normalized_shape).__name__}",
            help="put it into a tuple: (n,)",
            kind=TypeError,
        )
    wanted = list(normalized_shape)
    if not wanted:
        raise GradcliError(
            "G024",
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []",
        )
    for word, value in parameters.items():
        if value is not None and list(value.shape) != wanted:
            raise GradcliError(
                "G024",
                f"Expected {word} to be of same shape as normalized_shape, but got {word} of shape "
                f"{list(value.shape)} and normalized_shape = {wanted}",
            )
    if list(x.shape[len(x.shape) - len(wanted) :]) != wanted:
        sizes = ", ".join(map(str, wanted))
        raise GradcliError(
            "G024",
            f"Given normalized_shape={wanted}, expected input with shape "
            f"[*{', ' if name == 'layer_norm' else ''}{sizes}], but got input of size"
            f"{list(x.shape)}",
        )
    return tuple(range(-len(wanted), 0))


@function(
    *("layer_norm", "nn.functional.layer_norm"),
    method=False,
    shown="native_layer_norm",
    layout=False,
    edges=("input", "weight", "bias"),
    out=None,
)
def layer_norm(
    input: Any,
    normalized_shape: Sequence[int],
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-05,
) -> Node:
    """`input` with mean 0 and variance 1 over the last dims, times `weight`, plus `bias`."""
    x = tensor(input)
    axes = _trailing("layer_norm", x, normalized_shape, weight=weight, bias=bias)
    floating(x, "LayerNormKernelImpl")
    for parameter in (weight, bias):
        if parameter is not None and parameter.dtype is not x.dtype:
            raise GradcliError(
                "G025",
                "mixed dtype (CPU): expect parameter to have scalar type of "
                f"{SCALAR_TYPES[x.dtype]}",
            )
    centred = x - mean_of(x, axes, True)
    result = centred * ops.rsqrt(mean_of(centred * centred, axes, True) + eps)
    result = result if weight is None else result * weight
    return result if bias is None else result + bias


@composite("rms_norm", "nn.functional.rms_norm", method=False, out=None)
def rms_norm(
    input: Any, normalized_shape: Sequence[int], weight: Any = None, eps: float | None = None
) -> Any:
    """`input` over the root of its mean square over the last dims, times `weight`."""
    if not input.dtype.differentiable:
        raise no_kernel("rms_norm", input)
    axes = _trailing("rms_norm", input, normalized_shape, weight=weight)
    wide = input if input.dtype.wider is None else input.to(input.dtype.wider)
    least = _EPSILON[wide.dtype.to_real().name] if eps is None else eps
    result = wide * add_number(wide.pow(2).mean(axes, True), least).rsqrt()
    result = result if weight is None else result * weight
    return result if wide is input else result.to(input.dtype)


_EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}

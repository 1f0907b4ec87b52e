"""Activations: functions of each element that neural networks bend their sums with.

Constraints: the last argument of most, `inplace`, writes to the tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.nn import floating
from gradcli.functions.shape import part
from gradcli.graph.dtype import (
    BOOL,
    COMPLEX,
    INTEGER,
    SCALAR_TYPES,
    uint8,
)
from gradcli.graph.node import Node, lift
from gradcli.graph.op import DETACH
from gradcli.graph.shape import axis_from_right, numel
from gradcli.ops import activation as own
from gradcli.ops import elementwise as ops
from gradcli.ops.rows import lacks, zero
from gradcli.ops.ruled import opaque, ruled
from gradcli.tensor import Tensor, registry
from gradcli.tensor.function import Function, composite, function, internal, not_a_tensor
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.in_place import in_place as into_itself
from gradcli.tensor.kinds import Real
from gradcli.tensor.named import Named
from gradcli.tensor.operands import (
    as_number,
    given_dtype,
    no_kernel,
    number_like,
    with_real_gradient,
)
from gradcli.tensor.storing import FOUND, TYPE


def activation(
    *names: str,
    shown: str = "",
    method: bool = False,
    in_place: int = 0,
    layout: bool | None = None,
    python: bool | None = None,
    **options: Any,
) -> Callable[[Callable[..., Node]], Function]:
    """An entry of one tensor and numbers; its last argument, `inplace`, writes to the tensor.

    `in_place` is PyTorch's overload of the form that writes, for the digit in grad_fn.
    """

    def decorate(body: Callable[..., Node]) -> Function:
        common: Any = {"on_nodes": True, "shown": shown, "python": python}
        fresh = Function(names[0], body, layout=layout, **common)
        written = Function(names[0], body, overload=in_place, **common)
        parameters = body.__code__.co_varnames[1 : body.__code__.co_argcount]

        def entry(input: Any, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(input, Tensor):
                raise not_a_tensor(input)
            if (dict(zip(parameters, args, strict=False)) | kwargs).get("inplace"):
                return into_itself(written, input, *args, **kwargs)
            return fresh(input, *args, **kwargs)

        entry.__wrapped__ = body  # type: ignore[attr-defined]
        entry.__doc__ = body.__doc__
        return composite(*names, method=method, python=python, **options)(entry)

    return decorate


@activation("nn.functional.relu", shown="relu")
def relu(input: Any, inplace: bool = False) -> Node:
    """`max(input, 0)`; the derivative at 0 is 0."""
    return ops.relu(tensor(input))


@activation("nn.functional.leaky_relu", in_place=1)
def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Node:
    """`input` above 0, `negative_slope*input` below; the derivative at 0 is `negative_slope`."""
    return leaky(input, negative_slope, inplace)


def leaky(input: Any, slope: float, inplace: bool) -> Node:
    """`leaky_relu`'s value, for all that PyTorch computes by its kernel."""
    x = floating(input, "leaky_relu_cpu")
    made = ops.where(ops.gt(x, zero(x)), x, x * slope)
    return _one_way(made, x, "leakyReLu", _ISSUE) if inplace and slope < 0 else made


_ISSUE = (
    " File an issue at https://github.com/pytorch/pytorch if you do require supporting in-place "
    "leakRelu backward calculation with negative slope"
)


def _one_way(made: Node, x: Node, name: str, more: str = "") -> Node:
    """`made`, written over `x` with a negative slope: its sign no longer tells that of `x`."""
    sentence = (
        f"In-place {name} backward calculation is triggered with a negative slope which is not "
        "supported. This is caused by calling in-place forward function with a negative slope, "
        f"please call out-of-place version instead.{more}"
    )
    return opaque(made, x, sentence=sentence, kind=RuntimeError)


def _elu(
    x: Node, alpha: float, scale: float = 1.0, rate: float = 1.0, inplace: bool = False
) -> Node:
    negative = ops.lt(x, zero(x))
    below = ops.expm1(ops.where(negative, x, zero(x)) * rate) * (alpha * scale)
    above, slope = x * scale, alpha * scale * rate
    if slope != scale:  # the derivative at 0 is that of below, the second one is 0
        above = ops.where(ops.eq(x, zero(x)), x * slope, above)
    made = ops.where(negative, below, above)
    return _one_way(made, x, "elu") if inplace and alpha < 0 else made


@activation("nn.functional.elu", in_place=1)
def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Node:
    """`input` above 0, `alpha*(exp(input) - 1)` below."""
    return _elu(floating(input, "elu_cpu"), alpha, inplace=inplace)


@activation(Named("celu", inplace=None), "nn.functional.celu", in_place=1, out=None)
def celu(input: Any, alpha: Real = 1.0, inplace: bool = False) -> Node:
    """`input` above 0, `alpha*(exp(input/alpha) - 1)` below."""
    if alpha == 0:
        raise GradcliError("G026", "ZeroDivisionError: alpha cannot be 0 for CELU")
    return _elu(floating(input, "elu_cpu"), alpha, rate=1 / alpha, inplace=inplace)


@activation(Named("selu", inplace=None), "nn.functional.selu", shown="elu", in_place=1, out=None)
def selu(input: Any, inplace: bool = False) -> Node:
    """`elu` with the scale and alpha that keep mean 0 and variance 1 (Klambauer 2017)."""
    return _elu(floating(input, "elu_cpu"), 1.6732632423543772, 1.0507009873554805)


@activation("nn.functional.gelu", out=FOUND, python=False)
def gelu(input: Any, *, approximate: str = "none") -> Node:
    """`input` times its normal distribution function, which "tanh" approximates."""
    x = floating(input, "GeluKernelImpl")
    if approximate not in ("none", "tanh"):
        raise GradcliError("G026", "approximate argument must be either none or tanh.")
    share, rule = (_normal_share, _gelu) if approximate == "none" else (_tanh_share, _gelu_tanh)
    return ruled(x * 0.5 * (share(x) + 1), x, rules=(rule,))


def _normal_share(x: Node) -> Node:
    return ops.erf(x * math.sqrt(0.5))


def _tanh_share(x: Node) -> Node:
    return ops.tanh((x + x * x * x * 0.044715) * math.sqrt(2 / math.pi))


def _gelu(g: Node, out: Node, x: Node) -> Node:
    below = 0.5 * (_normal_share(x) + 1)
    return g * (below + x * (ops.exp(x * x * -0.5) / math.sqrt(2 * math.pi)))


def _gelu_tanh(g: Node, out: Node, x: Node) -> Node:
    share = _tanh_share(x)
    inner = (1 + 3 * 0.044715 * (x * x)) * math.sqrt(2 / math.pi)
    return g * (0.5 * (share + 1) + 0.5 * x * (1 - share * share) * inner)


@activation("nn.functional.silu")
def silu(input: Any, inplace: bool = False) -> Node:
    """`input*sigmoid(input)`."""
    x = tensor(input)
    x = with_real_gradient("silu", x) if x.dtype.is_complex else floating(x, "silu_cpu")
    value = x * ops.sigmoid(x) if x.dtype.is_complex else x / (ops.exp(-x) + 1)
    return ruled(value, x, rules=(_silu,))


def _silu(g: Node, out: Node, x: Node) -> Node:
    share = ops.sigmoid(x)
    if x.dtype.is_complex:
        return g * ops.conj(share * (x * (1 - share) + 1))
    slope = ops.product_and(x, 1 - share, lift(1, x))  # before g * share, as C++ compiles to
    return g * share * slope


@activation("nn.functional.mish")
def mish(input: Any, inplace: bool = False) -> Node:
    """`input*tanh(softplus(input))`."""
    x = floating(input, "mish_cpu")
    return ruled(x * ops.tanh(own.softplus(x)), x, rules=(_mish,))


def _mish(g: Node, out: Node, x: Node) -> Node:
    share = ops.tanh(own.softplus(x))
    return g * ops.product_and(x * ops.sigmoid(x), ops.one_less_square(share), share)


def _between(x: Node, low: Node, high: Node, inside: Node) -> Node:
    """`low` up to `low`, `high` from `high`, `inside` between, with slope 0 at both ends."""
    return ops.where(ops.le(x, low), low, ops.where(ops.ge(x, high), high, inside))


@activation("nn.functional.hardtanh")
def hardtanh(
    input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Node:
    """`input` between `min_val` and `max_val`; the derivative at both is 0."""
    if min_val > max_val:
        raise GradcliError("G026", "min_val cannot be greater than max_val", kind=ValueError)
    if input.dtype is uint8 and min_val < 0:
        sentence = "cannot do hardtanh on an unsigned type with negative limits"
        raise GradcliError("G026", sentence)
    return _hardtanh(tensor(input), min_val, max_val)


def _hardtanh(x: Node, low: float, high: float) -> Node:
    if x.dtype.category == BOOL:
        raise GradcliError("G025", "Bool inputs not supported for hardtanh")
    if x.dtype.is_complex:
        raise GradcliError(
            "G025", "clamp is not supported for complex types", kind=NotImplementedError
        )
    for bound in (low, high):
        as_number(bound, given_dtype(x))
    return _between(x, lift(low, x), lift(high, x), x)


@activation("nn.functional.relu6", shown="hardtanh")
def relu6(input: Any, inplace: bool = False) -> Node:
    """`input` between 0 and 6."""
    return _hardtanh(tensor(input), 0, 6)


@activation("nn.functional.hardsigmoid")
def hardsigmoid(input: Any, inplace: bool = False) -> Node:
    """`(input + 3)/6` between 0 and 1."""
    x = floating(input, "hardsigmoid_cpu")
    shifted = x + 3
    made = _between(shifted, zero(x), zero(x) + 6, shifted) / 6
    return ruled(made, x, rules=(_hardsigmoid,))


def _hardsigmoid(g: Node, out: Node, x: Node) -> Node:
    inside = ops.logical_and(ops.gt(x, zero(x) - 3), ops.lt(x, zero(x) + 3))
    return ops.where(inside, g / 6, zero(g))


@activation("nn.functional.hardswish")
def hardswish(input: Any, inplace: bool = False) -> Node:
    """`input*(input + 3)/6` between -3 and 3, 0 below, `input` above."""
    x = floating(input, "hardswish_cpu")
    share = ops.clamp_max(ops.clamp_min(x + 3, zero(x)), zero(x) + 6)
    return ruled(x * share / 6, x, rules=(_hardswish,))


def _hardswish(g: Node, out: Node, x: Node) -> Node:
    below, inside = ops.le(x, zero(x) - 3), ops.lt(x, zero(x) + 3)
    slope = ops.where(inside, ops.where(below, zero(x), x) / 3 + 0.5, zero(x) + 1)
    return ops.where(below, zero(g), g * slope)


@activation("hardshrink", "nn.functional.hardshrink", method=True, python=False)
def hardshrink(input: Any, lambd: Real = 0.5) -> Node:
    """`input` outside of [-lambd, lambd], 0 inside."""
    x = floating(input, "hardshrink_cpu")
    return ops.where(_within(x, lambd), zero(x), x)


@activation("nn.functional.softshrink", out=FOUND, python=False)
def softshrink(input: Any, lambd: Real = 0.5) -> Node:
    """`input` moved by `lambd` towards 0, 0 inside of [-lambd, lambd]."""
    x = floating(input, "softshrink_check")
    if lambd < 0:
        raise GradcliError(
            "G026",
            "lambda must be in range [0, 3.40282e+38] for input dtype "
            f"{SCALAR_TYPES[x.dtype]}, but found {lambd:g}",
        )
    moved = ops.where(ops.gt(x, zero(x)), x - lambd, x + lambd)
    return ops.where(_within(x, lambd), DETACH(x) * 0, moved)


def _within(x: Node, size: float) -> Node:
    bound = lift(size, x)
    return ops.logical_and(ops.ge(x, -bound), ops.le(x, bound))


@composite("nn.functional.tanhshrink")
def tanhshrink(input: Any) -> Any:
    """`input - tanh(input)`."""
    return input - input.tanh()


@composite("nn.functional.softsign")
def softsign(input: Any) -> Any:
    """`input/(|input| + 1)`."""
    return input / (input.abs() + 1)


@activation("nn.functional.softplus", out=FOUND, python=False)
def softplus(input: Any, beta: Real = 1.0, threshold: Real = 20.0) -> Node:
    """`log(1 + exp(beta*input))/beta`; `input` itself where `beta*input` is above `threshold`."""
    x = floating(input, "softplus_cpu")
    scaled = x if beta == 1 else x * beta
    smooth = own.softplus(scaled)
    return ops.where(ops.gt(scaled, lift(threshold, x)), x, smooth if beta == 1 else smooth / beta)


@activation("nn.functional.logsigmoid", shown="log_sigmoid", layout=False, out=TYPE, python=False)
def logsigmoid(input: Any) -> Node:
    """`log(sigmoid(input))`, without overflow."""
    return log_sigmoid_of(floating(input, "log_sigmoid_cpu"))


def log_sigmoid_of(x: Node) -> Node:
    """`log(sigmoid(x))` of a floating-point node, exact for large `|x|`."""
    return zero(x) - own.softplus(-x)


@activation(Named("threshold", inplace=None), "nn.functional.threshold", in_place=1)
def threshold(input: Any, threshold: Real, value: Real, inplace: bool = False) -> Node:
    """`input` where it is above `threshold`, `value` elsewhere."""
    x = tensor(input)
    if x.dtype.category == BOOL or x.dtype.is_complex:
        raise no_kernel("threshold_cpu", x)
    return ops.where(ops.le(x, number_like(x, threshold)), number_like(x, value), x)


@function("nn.functional.glu")
def glu(input: Any, dim: int = -1) -> Node:
    """The first half along `dim` times the sigmoid of the second half."""
    x = tensor(input)
    if x.ndim == 0:
        raise GradcliError("G024", "glu does not support scalars because halving size must be even")
    axis = axis_from_right(dim, x.ndim)
    size = x.shape[axis]
    if size % 2:
        raise GradcliError(
            "G024",
            f"Halving dimension must be even, but dimension {axis + x.ndim} is size {size}",
        )
    half = size // 2
    x = floating(x, "glu_cpu")
    return part(x, axis, 0, half) * ops.sigmoid(part(x, axis, half, half))


@composite("prelu", "nn.functional.prelu", out=None, python=False)
def prelu(input: Any, weight: Any) -> Any:
    """`input` above 0, `weight*input` below: one weight, or one for each channel (dim 1)."""
    rank, channels = len(input.shape), input.shape[1] if len(input.shape) > 1 else 1
    if not rank and numel(weight.shape) != 1:
        raise GradcliError("G024", "Not allow zero-dim input tensor.")
    if input.dtype is not weight.dtype:
        raise GradcliError(
            "G025",
            f"prelu: Type promoting not supported. Got {SCALAR_TYPES[input.dtype]} and "
            f"{SCALAR_TYPES[weight.dtype]}",
        )
    if numel(weight.shape) not in (1, channels):
        raise GradcliError(
            "G024",
            "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{numel(weight.shape)} and channel size = {channels}.",
        )
    if len(weight.shape) > 1:
        raise GradcliError(
            "G024",
            "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = "
            f"{len(weight.shape)}",
        )
    shape = [1] * rank
    if rank > 1:
        shape[1] = numel(weight.shape)
    return _prelu(input, weight if tuple(weight.shape) == tuple(shape) else weight.reshape(*shape))


@internal("_prelu_kernel", refuses=lacks("prelu_cpu", BOOL, INTEGER, COMPLEX))
def _prelu(input: Any, weight: Any) -> Node:
    made = ops.where(ops.gt(input, zero(input)), input, weight * input)
    return ruled(made, input, weight, rules=(_prelu_slope, _prelu_share))


def _prelu_slope(g: Node, out: Node, x: Node, w: Node) -> Node:
    made = ops.where(ops.gt(x, zero(x)), g, g * w)
    return ruled(made, g, x, w, rules=(_above_or_by_weight, _nothing, _below))


def _prelu_share(g: Node, out: Node, x: Node, w: Node) -> Node:
    made = ops.where(ops.gt(x, zero(x)), zero(g), g * x)
    return ruled(made, g, x, rules=(_below_by_input, _below))


def _above_or_by_weight(h: Node, out: Node, g: Node, x: Node, w: Node) -> Node:
    return ops.where(ops.ge(x, zero(x)), h, h * w)  # PyTorch's second derivative at 0 is that above


def _below(h: Node, out: Node, g: Node, x: Node, *rest: Node) -> Node:
    return ops.where(ops.ge(x, zero(x)), zero(h), g * h)


def _below_by_input(h: Node, out: Node, g: Node, x: Node) -> Node:
    return ops.where(ops.ge(x, zero(x)), zero(h), h * x)


def _nothing(h: Node, out: Node, g: Node, x: Node, w: Node) -> None:
    return None


for _name in ("sigmoid", "tanh"):
    _entry = registry.find(f"torch.{_name}").variant(python=True, out=None)
    registry.register(f"torch.nn.functional.{_name}", _entry)


def _written(name: str, *also: str) -> None:
    @composite(f"nn.functional.{name}_", *also, method=False, python=False)
    def written(input: Any, *args: Any, **kwargs: Any) -> Any:
        function = registry.find(f"torch.nn.functional.{name}")
        return function(input, *args, **kwargs, inplace=True)

    written.doc = f"`{name}`, written to the tensor itself."


for _name in ("elu", "hardtanh", "leaky_relu", "relu"):
    _written(_name)
for _name in ("celu", "rrelu", "selu", "threshold"):
    _written(_name, f"{_name}_")

"""Losses: how far predictions are from targets, each element or its mean or sum.

Constraints: `reduced` is the one place that means and sums losses. `size_average` and `reduce` are
PyTorch's old way to say `reduction`.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import checked
from gradcli.functions.activation import log_sigmoid_of
from gradcli.functions.nn import add_number, floating, kept_above
from gradcli.functions.reduce import mean, sum
from gradcli.graph.dtype import C_TYPES, COMPLEX, INTEGER, SCALAR_TYPES, float32
from gradcli.graph.node import Node, constant, current
from gradcli.graph.shape import require_room
from gradcli.ops import activation as own
from gradcli.ops import elementwise as ops
from gradcli.ops.elementwise import cast
from gradcli.ops.ruled import opaque, ruled
from gradcli.tensor import Tensor, registry
from gradcli.tensor.function import composite, function, internal, promoted
from gradcli.tensor.halves import in_wider
from gradcli.tensor.kinds import Sized
from gradcli.tensor.levels import of_all_examples
from gradcli.tensor.operands import cannot_cast

Reduction = str  # of any type: what it is, is looked at where losses are reduced
Old = bool | None
Loss = TypeVar("Loss")


def chosen(reduction: str, size_average: Old = None, reduce: Old = None) -> str:
    """The reduction: `reduction`, unless one of PyTorch's old arguments says another one.

    Raises:
        GradcliError: G026 for anything but "none", "mean" and "sum".
    """
    if size_average is not None or reduce is not None:
        return "none" if reduce is False else "sum" if size_average is False else "mean"
    if reduction not in ("none", "mean", "sum"):
        raise GradcliError(
            "G026",
            f"{reduction} is not a valid value for reduction",
            help='reduction="mean", "sum" or "none"',
            kind=ValueError,
        )
    return reduction


def reduced(
    losses: Loss, reduction: str, size_average: Old = None, reduce: Old = None, over: Any = None
) -> Loss:
    """Losses (a node or a tensor) as they are, their mean or their sum, as `chosen` says.

    `over` is what the mean divides the sum by where that is not the number of losses.
    """
    how = chosen(reduction, size_average, reduce)
    if how == "none":
        return losses
    entry = mean if how == "mean" and over is None else sum
    if isinstance(losses, Node):
        total: Any = in_wider(entry.body, [losses], [losses], {})
    else:
        total = entry(losses)
    result: Loss = total / over if how == "mean" and over is not None else total
    return result


def not_differentiable(name: str, **arguments: Any) -> None:
    """Raises G037, as PyTorch does, when an argument without a derivative requires a gradient."""
    for word, node in arguments.items():
        if isinstance(node, Node) and node.tracked and current.tracking:
            raise GradcliError(
                "G037",
                f"The function '{name}' is not differentiable with respect to argument '{word}'. "
                "This input cannot have requires_grad True.",
                help=f"detach it: {word}.detach()",
            )


def _pair(input: Node, target: Node, kernel: str) -> list[Node]:
    """Prediction and target in their common floating-point dtype."""
    x, y = promoted(input, target)
    return [floating(x, kernel), y]


# -- distances


@composite("nn.functional.mse_loss")
def mse_loss(
    input: Sized,
    target: Sized,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
    weight: Any = None,
) -> Any:
    """`(input - target)**2`."""
    how = chosen(reduction, size_average, reduce)
    if weight is not None:
        return _weighted((input - target) ** 2, weight, how)
    return _mse(*spread(input, target), how)


def spread(input: Any, target: Any) -> tuple[Any, Any]:
    """Both in the shape that they broadcast to: PyTorch's losses expand them first."""
    if input.shape == target.shape:
        return input, target
    both = registry.find("torch.broadcast_tensors")(input, target)
    return tuple(x if x.shape == y.shape else y for x, y in zip((input, target), both, strict=True))


@internal("mse_loss")
def _mse(input: Node, target: Node, how: str) -> Node:
    x, y = _pair(input, target, "mse_cpu")
    return reduced((x - y) ** 2, how)


def _weighted(losses: Any, weight: Any, how: str, over: bool = True) -> Any:
    if weight.shape != losses.shape:
        raise GradcliError("G024", "Weights and input must have the same size.", kind=ValueError)
    return reduced(losses * weight, how, over=weight.sum() if over else None)


@composite("nn.functional.l1_loss")
def l1_loss(
    input: Sized,
    target: Sized,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
    weight: Any = None,
) -> Any:
    """`|input - target|`."""
    how = chosen(reduction, size_average, reduce)
    losses = (input - target).abs()
    return reduced(losses, how) if weight is None else _weighted(losses, weight, how)


def _rounded_corner(d: Node, width: float, divisor: float, slope: float) -> Node:
    """`d**2/2/divisor` where `|d|` is below `width` or NaN, `slope*(|d| - width/2)` beyond."""
    size = ops.absolute(d)
    far = ops.ge(size, constant(width, d.dtype))
    inside = ops.where(far, constant(0, d.dtype), d)
    return ops.where(far, slope * (size - 0.5 * width), 0.5 * inside * inside / divisor)


@composite("nn.functional.smooth_l1_loss")
def smooth_l1_loss(
    input: Sized,
    target: Sized,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
    beta: float = 1.0,
) -> Any:
    """`d**2/(2*beta)` where `d = |input - target|` is below `beta`, `d - beta/2` beyond."""
    if beta == 0:
        return l1_loss(input, target, size_average, reduce, reduction)
    if beta < 0:
        raise GradcliError("G026", "smooth_l1_loss does not support negative values for beta.")
    return _smooth_l1(*spread(input, target), beta, chosen(reduction, size_average, reduce))


@internal("smooth_l1_loss")
def _smooth_l1(input: Node, target: Node, beta: float, how: str) -> Node:
    x, y = _pair(input, target, "smooth_l1_cpu")
    return reduced(_rounded_corner(x - y, beta, beta, 1.0), how)


@composite("nn.functional.huber_loss")
def huber_loss(
    input: Sized,
    target: Sized,
    reduction: Reduction = "mean",
    delta: float = 1.0,
    weight: Any = None,
) -> Any:
    """`d**2/2` where `d = |input - target|` is below `delta`, `delta*(d - delta/2)` beyond."""
    how = chosen(reduction)
    if weight is not None:
        return _weighted(_huber(input, target, delta, "none"), weight, how, over=False)
    return _huber(*spread(input, target), delta, how)


@internal("huber_loss")
def _huber(input: Node, target: Node, delta: float, how: str) -> Node:
    if delta <= 0:
        raise GradcliError("G026", "huber_loss does not support non-positive values for delta.")
    x, y = promoted(input, target)
    if x.dtype.category > input.dtype.category:
        raise cannot_cast(x.dtype, input.dtype)
    floating(x, "huber_cpu")
    losses = _rounded_corner(x - y, delta, 1.0, delta)
    if target.dtype is not input.dtype:
        found, wanted = SCALAR_TYPES[target.dtype], SCALAR_TYPES[input.dtype]
        sentence = f"Found dtype {found} but expected {wanted}"
        losses = opaque(losses, input, target, sentence=sentence, kind=RuntimeError)
    return cast(reduced(losses, how), input.dtype)


# -- truth values and probabilities


@function("nn.functional.soft_margin_loss", edges=("input",))
def soft_margin_loss(
    input: Any,
    target: Any,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
) -> Node:
    """`log(1 + exp(-target*input))`, which overflows where PyTorch's does."""
    not_differentiable("soft_margin_loss", target=target)
    x, y = promoted(-input, target)
    if x.dtype.category > input.dtype.category:
        raise cannot_cast(x.dtype, input.dtype)
    if x.dtype.category <= INTEGER:
        raise cannot_cast(float32, input.dtype)
    require_room(y.shape, x.shape)
    z = x * y
    losses = ops.log1p(ops.exp(z))
    return reduced(cast(losses, input.dtype), reduction, size_average, reduce)


@function("nn.functional.binary_cross_entropy")
def binary_cross_entropy(
    input: Sized,
    target: Sized,
    weight: Any = None,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
) -> Node:
    """`-weight*(target*log(input) + (1 - target)*log(1 - input))`; a logarithm is at least -100."""
    not_differentiable("binary_cross_entropy", weight=weight)
    how = chosen(reduction, size_average, reduce)
    x = input
    if x.shape != target.shape:
        raise GradcliError(
            "G024",
            f"Using a target size ({_size(target)}) that is different to the input size "
            f"({_size(x)}) is deprecated. Please ensure they have the same size.",
            kind=ValueError,
        )
    floating(x, "binary_cross_entropy")
    if target.dtype is not x.dtype:
        raise GradcliError(
            "G025", f"Found dtype {SCALAR_TYPES[target.dtype]} but expected {SCALAR_TYPES[x.dtype]}"
        )
    for word, node in (("input", x), ("target", target)):
        if checked(of_all_examples(node), _are_shares) is False:
            message = f"all elements of {word} should be between 0 and 1"
            raise GradcliError("G026", message)
    losses = own.binary_cross_entropy(x, target)
    return reduced(losses if weight is None else losses * cast(weight, x.dtype), how)


def _are_shares(values: Any) -> bool:
    """Whether all are from 0 to 1."""
    return not values.size or bool(values.min() >= 0 and values.max() <= 1)


def _size(x: Node) -> str:
    return f"torch.Size({list(x.shape)})"


@function("nn.functional.binary_cross_entropy_with_logits", edges=("input", "target"), exact=True)
def binary_cross_entropy_with_logits(
    input: Sized,
    target: Sized,
    weight: Any = None,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
    pos_weight: Any = None,
) -> Node:
    """Binary cross entropy of `sigmoid(input)`; `pos_weight` times where 1 is right."""
    name = "binary_cross_entropy_with_logits"
    not_differentiable(name, weight=weight, pos_weight=pos_weight)
    if input.shape != target.shape:
        raise GradcliError(
            "G024",
            f"Target size ({_size(target)}) must be the same as input size ({_size(input)})",
            kind=ValueError,
        )
    floating(input, "log_sigmoid_cpu")
    if not target.dtype.is_floating_point:
        raise cannot_cast(float32, target.dtype)
    x, y, *weights = promoted(input, target, *(w for w in (weight, pos_weight) if w is not None))
    right = -log_sigmoid_of(x)
    if pos_weight is not None:
        right = right * ((weights[-1] - 1) * y + 1)
    losses = (1 - y) * x + right
    losses = losses if weight is None else losses * weights[0]
    given = {"weighted": weight is not None, "positive": pos_weight is not None}
    losses = ruled(losses, x, y, *weights, rules=(_by_logit, _by_truth), **given)
    losses = ops.cast(losses, target.dtype)  # PyTorch writes all of it to `1 - target`
    return reduced(losses, reduction, size_average, reduce)


def _by_logit(
    g: Node, out: Node, x: Node, y: Node, *weights: Node, weighted: bool, positive: bool
) -> Node:
    if positive:
        right = weights[-1] * y
        slope = (right + 1 - y) * ops.sigmoid(x) - right
    else:
        slope = ops.sigmoid(x) - y
    return slope * g * weights[0] if weighted else slope * g


def _by_truth(
    g: Node, out: Node, x: Node, y: Node, *weights: Node, weighted: bool, positive: bool
) -> Node:
    slope = log_sigmoid_of(-x) - log_sigmoid_of(x) * weights[-1] if positive else -x
    return slope * g * weights[0] if weighted else slope * g


@composite("nn.functional.kl_div")
def kl_div(
    input: Any,
    target: Any,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
    log_target: bool = False,
) -> Any:
    """`target*(log(target) - input)`; `log_target` says that `target` is logarithms as `input` is.

    The reduction "batchmean" divides the sum by the length of the first dim.
    """
    if COMPLEX in (input.dtype.category, target.dtype.category):
        raise GradcliError("G025", "kl_div: Complex inputs not supported.")
    if min(input.dtype.category, target.dtype.category) <= INTEGER:
        raise GradcliError("G025", "kl_div: Integral inputs not supported.")
    if log_target:
        losses = target.exp() * (target - input)
    else:
        losses = target.xlogy(target) - target * input
    if reduction == "batchmean":
        return losses.sum() / (input.shape[0] if input.shape else 1)
    return reduced(losses, reduction, size_average, reduce)


@composite("nn.functional.gaussian_nll_loss")
def gaussian_nll_loss(
    input: Any,
    target: Any,
    var: Any,
    full: bool = False,
    eps: float = 1e-6,
    reduction: Reduction = "mean",
) -> Any:
    """`(log(var) + (input - target)**2/var)/2`; `var` counts as at least `eps`."""
    if reduction not in ("none", "mean", "sum"):
        raise GradcliError("G026", f"{reduction} is not valid", kind=ValueError)
    var = _variance(input, var)
    if var.dtype.category <= INTEGER:
        message = f"result type Float can't be cast to the desired output type {C_TYPES[var.dtype]}"
        raise GradcliError("G025", message, help="convert it: .float()")
    var = kept_above(var, eps)
    losses = 0.5 * (var.log() + (input - target) ** 2 / var)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced(losses, reduction)


def _variance(input: Any, var: Any) -> Any:
    """A variance for each element of `input`, or one for each row of it."""
    if not isinstance(var, Tensor):
        if not isinstance(var, (int, float)):
            message = f"gaussian_nll_loss(): var must be Tensor or float, not {type(var).__name__}"
            raise GradcliError("G014", message, kind=TypeError)
        var = var * registry.find("torch.ones_like")(input)
    if checked(of_all_examples(var.value_node), lambda values: bool((values < 0).any())):
        raise GradcliError("G026", "var has negative entry/entries", kind=ValueError)
    if var.shape == input.shape:
        return var
    if input.shape[:-1] == var.shape:
        return var.unsqueeze(-1)
    if input.shape[:-1] == var.shape[:-1] and var.shape[-1] == 1:
        return var
    raise GradcliError("G024", "var is of incorrect size", kind=ValueError)


@composite("nn.functional.poisson_nll_loss")
def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    size_average: Old = None,
    eps: float = 1e-8,
    reduce: Old = None,
    reduction: Reduction = "mean",
) -> Any:
    """`exp(input) - target*input`, or `input - target*log(input + eps)` without `log_input`.

    `full` adds Stirling's formula for `log(target!)` where `target` is above 1.
    """
    if log_input:
        losses = input.exp() - target * input
    else:
        losses = input - target * add_number(input, eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        losses = losses + stirling.masked_fill(target <= 1, 0)
    return reduced(losses, reduction, size_average, reduce)

"""Losses: how far predictions are from targets, each element or its mean or sum.

Constraints: `reduced` is the one place that means and sums losses. `size_average` and `reduce` are
PyTorch's old way to say `reduction`. Class numbers are looked at when the loss is made.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import answer, array, checkable
from gradcli.functions.index import gather_along, positions
from gradcli.functions.math import sub, where
from gradcli.functions.nn import (
    add_number,
    div_number,
    floating,
    internal,
    kept_above,
    linear,
    log_sigmoid_of,
    log_softmax,
    logsigmoid,
    mul_number,
    only,
    pairwise_distance,
    sub_number,
)
from gradcli.functions.reduce import mean, sum
from gradcli.functions.shape import reshaped
from gradcli.graph.dtype import COMPLEX, INTEGER, SCALAR_TYPES, bool_, float32, int64, uint8
from gradcli.graph.node import Node, constant, current, data
from gradcli.graph.shape import numel
from gradcli.ops import activation as own
from gradcli.ops import elementwise as ops
from gradcli.ops.elementwise import cast
from gradcli.ops.indexing import index
from gradcli.tensor import Tensor, registry
from gradcli.tensor.function import composite, function, promoted
from gradcli.tensor.levels import of_all_examples
from gradcli.tensor.operands import cannot_cast

Reduction = str
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
    total: Any = entry.body(losses) if isinstance(losses, Node) else entry(losses)
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
    input: Any,
    target: Any,
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
    input: Any,
    target: Any,
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
    """`d**2/2/divisor` where `|d|` is below `width`, `slope*(|d| - width/2)` beyond."""
    size = ops.absolute(d)
    near = ops.lt(size, constant(width, d.dtype))
    inside = only(near, d)
    return ops.where(near, 0.5 * inside * inside / divisor, slope * (size - 0.5 * width))


@composite("nn.functional.smooth_l1_loss")
def smooth_l1_loss(
    input: Any,
    target: Any,
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
    input: Any,
    target: Any,
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
    x, y = _pair(input, target, "huber_cpu")
    return cast(reduced(_rounded_corner(x - y, delta, 1.0, delta), how), input.dtype)


# -- classes


@composite("nn.functional.cross_entropy")
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Old = None,
    ignore_index: int = -100,
    reduce: Old = None,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """The negative log likelihood of `target` under the softmax of `input` over the classes.

    Args:
        input: (classes,), (batch, classes) or (batch, classes, ...): any real numbers.
        target: class numbers (int64) of the shape of `input` without the classes, or
            probabilities of the shape of `input`.
        weight: of each class.
        ignore_index: the class number that does not count.
        label_smoothing: how much of the target is spread over all classes.
    """
    if not 0 <= label_smoothing <= 1:
        raise GradcliError(
            "G026", f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}"
        )
    how = chosen(reduction, size_average, reduce)
    axis = 0 if len(input.shape) == 1 else 1
    if input.shape == target.shape:
        if ignore_index >= 0:
            raise GradcliError("G026", "ignore_index is not supported for floating point target")
        return _soft_cross_entropy(input, target, weight, how, label_smoothing)
    scores = log_softmax(input, axis)
    likelihood = nll_loss(scores, target, weight, None, ignore_index, None, how)
    if label_smoothing == 0:
        return likelihood
    spread = _over_all_classes(scores, target, weight, ignore_index, how)
    share = label_smoothing / input.shape[axis]
    return mul_number(likelihood, 1 - label_smoothing) + mul_number(spread, share)


@composite("nn.functional.linear_cross_entropy")
def linear_cross_entropy(
    input: Any,
    linear_weight: Any,
    target: Any,
    *,
    linear_bias: Any = None,
    weight: Any = None,
    reduction: Reduction = "mean",
    ignore_index: Any = None,
    label_smoothing: float = 0.0,
) -> Any:
    """The cross entropy of `linear(input, linear_weight, linear_bias)`."""
    sizes = linear_weight.shape[:-1]
    _check_linear(input, linear_weight, linear_bias)
    rows = linear_weight.reshape(-1, linear_weight.shape[-1])
    offset = None if linear_bias is None else linear_bias.reshape(-1)
    scores = linear(input, rows, offset).reshape(*input.shape[:-1], *sizes)
    if target.shape == scores.shape and ignore_index is not None:
        raise GradcliError(
            "G026", "ignore_index cannot be specified when target contains probabilities"
        )
    ignored = -100 if ignore_index is None else ignore_index
    named = {"reduction": reduction, "label_smoothing": label_smoothing, "ignore_index": ignored}
    return cross_entropy(scores, target, weight, **named)


def _check_linear(input: Any, weight: Any, bias: Any) -> None:
    misfit = ""
    if len(input.shape) not in (1, 2):
        misfit = f"expected input with dimensionality 1 or 2, got {len(input.shape)}"
    elif len(weight.shape) < 2:
        misfit = f"expected linear_weight with dimensionality at least 2, got {len(weight.shape)}"
    elif input.shape[-1] != weight.shape[-1]:
        misfit = (
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {weight.shape[-1]}, respectively"
        )
    elif bias is not None and bias.shape != weight.shape[:-1]:
        misfit = f"expected linear_bias shape {tuple(weight.shape[:-1])}, got {tuple(bias.shape)}"
    elif len(weight.shape) > 2 and len(input.shape) == 1:
        misfit = (
            f"K-dimensional loss defined by linear_weight shape {tuple(weight.shape)} requires "
            f"batched input, (N, {input.shape[-1]}), got unbatched input with shape "
            f"{tuple(input.shape)}"
        )
    if misfit:
        raise GradcliError("G021", misfit)


def _soft_cross_entropy(
    input: Any, target: Any, weight: Any, how: str, label_smoothing: float
) -> Any:
    """Cross entropy where the target is probabilities."""
    if not target.dtype.is_floating_point:
        raise GradcliError(
            "G025",
            "Expected floating point type for target with class probabilities, got "
            f"{SCALAR_TYPES[target.dtype]}",
            help="class numbers have the shape of input without the dim of the classes",
        )
    axis = 0 if len(input.shape) == 1 else 1
    classes = input.shape[axis]
    _check_weight("cross_entropy: ", weight, classes)
    if label_smoothing > 0:
        target = add_number(mul_number(target, 1 - label_smoothing), label_smoothing / classes)
    parts = _by_class(log_softmax(input, axis) * target, weight, axis)
    if how == "none":
        return -parts.sum(axis)
    total = -parts.sum()
    batch = numel(input.shape) // classes if classes else 0
    return total if how == "sum" else div_number(total, batch)


def _over_all_classes(scores: Any, target: Any, weight: Any, ignore_index: int, how: str) -> Any:
    """What label smoothing adds: the loss if every class were the target."""
    axis = 0 if len(scores.shape) == 1 else 1
    ignored = target == ignore_index
    losses = (-_by_class(scores, weight, axis).sum(axis)).masked_fill(ignored, 0.0)
    kept = ~ignored.array()
    if weight is None:
        return reduced(losses, how, over=int(kept.sum()))
    weights = weight.array()[np.where(kept, target.array(), 0)] * kept
    return reduced(losses, how, over=float(weights.sum()))


def _by_class(scores: Any, weight: Any, axis: int) -> Any:
    """`scores` times the weight of each class."""
    if weight is None:
        return scores
    after = len(scores.shape) - axis - 1
    return scores * (weight.reshape(-1, *[1] * after) if after else weight)


def _check_weight(who: str, weight: Any, classes: int) -> None:
    if weight is not None and tuple(weight.shape) != (classes,):
        raise GradcliError(
            "G024",
            f"{who}weight tensor should be defined either for all {classes} classes or no classes "
            f"but got weight tensor of shape: {list(weight.shape)}",
        )


@composite("nn.functional.nll_loss")
def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Old = None,
    ignore_index: int = -100,
    reduce: Old = None,
    reduction: Reduction = "mean",
) -> Any:
    """Minus the log probability that `input` gives to the class `target`, times the class's weight.

    Args:
        input: (classes,), (batch, classes) or (batch, classes, ...): log probabilities.
        target: class numbers (int64) of the shape of `input` without the classes.
        weight: of each class; the mean divides by the sum of the weights that took part.
        ignore_index: the class number that does not count.
    """
    how = chosen(reduction, size_average, reduce)
    rank = len(input.shape)
    _check_classes(input, target)
    _check_weight("", weight, input.shape[0 if rank == 1 else 1])
    if rank <= 2:
        return _nll(input, target, weight, ignore_index, how)
    if rank == 4:
        return _nll_2d(input, target, weight, ignore_index, how)
    batch, classes = input.shape[:2]
    inner = numel(input.shape[2:])
    losses = _nll_2d(
        input.reshape(batch, classes, 1, inner),
        target.reshape(batch, 1, inner),
        weight,
        ignore_index,
        how,
    )
    return losses.view(*target.shape) if how == "none" else losses


def _check_classes(input: Any, target: Any) -> None:
    """Raises PyTorch's errors for a target whose shape does not go with the input's."""
    rank, shape, wanted = (
        len(input.shape),
        tuple(target.shape),
        (*input.shape[:1], *input.shape[2:]),
    )
    message = ""
    kind: type[Exception] = RuntimeError
    if rank == 0:
        message, kind = "Expected 1 or more dimensions (got 0)", ValueError
    elif rank == 1:
        if shape not in ((), (1,)):
            size = f"but got target size: {numel(shape)}"
            message, kind = f"For 1D input, 1D target must have size 1, {size}", ValueError
    elif input.shape[0] != (shape[0] if shape else 0):
        sizes = f"({input.shape[0]}) to match target batch_size ({shape[0] if shape else 0})"
        message, kind = f"Expected input batch_size {sizes}.", ValueError
    elif rank == 2 and len(shape) > 1:
        message = "0D or 1D target tensor expected, multi-target not supported"
    elif rank == 4 and len(shape) != 3:
        message = (
            "only batches of spatial targets supported (3D tensors) but got targets of "
            f"dimension: {len(shape)}"
        )
    elif rank == 4 and shape != wanted:
        message = f"size mismatch (got input: {list(input.shape)} , target: {list(shape)}"
    elif shape != wanted:
        message = f"Expected target size {list(wanted)}, got {list(shape)}"
    if message:
        raise GradcliError("G024", message, kind=kind)


def _picked(input: Node, target: Node, weight: Node | None, ignore_index: int, how: str) -> Node:
    not_differentiable("nll_loss_forward", weight=weight)
    x, axis = floating(input, "nll_loss_out_frame"), -1 if input.ndim < 2 else 1 - input.ndim
    if target.dtype not in (int64, uint8):
        raise GradcliError(
            "G025",
            f"expected target dtype to be Long or Byte, but got {SCALAR_TYPES[target.dtype]}",
            help="class numbers are whole: .long()",
        )
    classes = x.shape[axis]
    beyond, kept, all_kept = answer(
        of_all_examples(target), lambda known: _beyond(known, classes, ignore_index)
    )
    if beyond is not None:
        raise GradcliError("G022", f"Target {beyond} is out of bounds.", kind=IndexError)
    if weight is not None and weight.dtype is not x.dtype:
        message = (
            f"expected scalar type {SCALAR_TYPES[x.dtype]} but found {SCALAR_TYPES[weight.dtype]}"
        )
        raise GradcliError("G025", message)
    if not classes:
        return reduced(constant(0, x.dtype, target.shape), how, over=kept)
    shape = () if x.ndim == 1 else target.shape
    number = reshaped(cast(target, int64), shape)
    mask = ops.ne(number, constant(ignore_index, int64))
    safe = number if all_kept else ops.where(mask, number, constant(0, int64))
    place = axis + x.ndim
    at = (1,) if x.ndim == 1 else (*shape[:place], 1, *shape[place:])
    losses = -reshaped(gather_along(x, reshaped(safe, at), axis), shape)
    if weight is None and all_kept:
        return reduced(losses, how)
    chosen_weight = constant(1, x.dtype, shape)
    if weight is not None:
        chosen_weight = index(weight, safe, axes=1)
        losses = losses * chosen_weight
    counted = only(mask, chosen_weight)
    return reduced(only(mask, losses), how, over=sum.body(counted))


def _beyond(known: Any, classes: int, ignored: int) -> tuple[int | None, int, bool]:
    """The first class number that there is not, if any; how many are not ignored; whether all."""
    if known.size and known.min() >= 0 and known.max() < classes and not 0 <= ignored < classes:
        return None, known.size, True
    known = known.astype(np.int64)
    kept = known != ignored
    beyond = known[kept & ((known < 0) | (known >= classes))]
    return int(beyond.flat[0]) if beyond.size else None, int(kept.sum()), bool(kept.all())


_nll = internal("nll_loss")(_picked)
_nll_2d = internal("nll_loss2D")(_picked)


# -- truth values and probabilities


@function("nn.functional.binary_cross_entropy")
def binary_cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
) -> Node:
    """`-weight*(target*log(input) + (1 - target)*log(1 - input))`; a logarithm is at least -100."""
    not_differentiable("binary_cross_entropy", weight=weight)
    how = chosen(reduction, size_average, reduce)
    x = floating(input, "binary_cross_entropy")
    if x.shape != target.shape:
        raise GradcliError(
            "G024",
            f"Using a target size ({_size(target)}) that is different to the input size "
            f"({_size(x)}) is deprecated. Please ensure they have the same size.",
            kind=ValueError,
        )
    if target.dtype is not x.dtype:
        raise GradcliError(
            "G025", f"Found dtype {SCALAR_TYPES[target.dtype]} but expected {SCALAR_TYPES[x.dtype]}"
        )
    for word, node in (("input", x), ("target", target)):
        values = checkable(of_all_examples(node))
        if values is not None and not ((values >= 0) & (values <= 1)).all():
            message = f"all elements of {word} should be between 0 and 1"
            raise GradcliError("G026", message)
    losses = own.binary_cross_entropy(x, target)
    return reduced(losses if weight is None else losses * cast(weight, x.dtype), how)


def _size(x: Node) -> str:
    return f"torch.Size({list(x.shape)})"


@function("nn.functional.binary_cross_entropy_with_logits", edges=("input", "target"))
def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
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
    return reduced(losses, reduction, size_average, reduce)


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
    values = checkable(of_all_examples(var.value_node))
    if values is not None and bool((values < 0).any()):
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


@function("nn.functional.soft_margin_loss")
def soft_margin_loss(
    input: Any,
    target: Any,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
) -> Node:
    """`log(1 + exp(-target*input))`, without the overflow that PyTorch's has."""
    not_differentiable("soft_margin_loss", target=target)
    if not input.dtype.is_floating_point:
        raise cannot_cast(float32, input.dtype)
    x, y = promoted(input, target)
    return reduced(own.softplus(x * -y), reduction, size_average, reduce)


# -- margins


@composite("nn.functional.hinge_embedding_loss")
def hinge_embedding_loss(
    input: Any,
    target: Any,
    margin: float = 1.0,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
) -> Any:
    """`input` where `target` is 1, `max(0, margin - input)` where it is -1."""
    apart = where(target != 1, sub(margin, input).clamp_min(0), 0)
    together = where(target != -1, input, 0)
    return reduced(apart + together, reduction, size_average, reduce)


@composite("nn.functional.margin_ranking_loss")
def margin_ranking_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
) -> Any:
    """`max(0, margin - target*(input1 - input2))`."""
    given = (input1, input2, target)
    if len({len(x.shape) for x in given}) > 1:
        sizes = ", ".join(
            f"{word}: {x.shape}"
            for word, x in zip(("input1", "input2", "target"), given, strict=True)
        )
        raise GradcliError(
            "G024",
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"{sizes} ",
        )
    losses = add_number(-target * (input1 - input2), margin).clamp_min(0)
    return reduced(losses, reduction, size_average, reduce)


@composite("nn.functional.cosine_embedding_loss")
def cosine_embedding_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
) -> Any:
    """`1 - cos(input1, input2)` where `target` is 1, `max(0, cos(...) - margin)` where it is -1."""
    rank = len(target.shape)
    if rank > 1:
        raise GradcliError("G024", "0D or 1D target tensor expected, multi-target not supported")
    if any(len(x.shape) != rank + 1 for x in (input1, input2)):
        raise GradcliError(
            "G024",
            f"{rank}D target tensor expects {rank + 1}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}.",
        )
    squares = [add_number((x * x).sum(rank), 1e-12) for x in (input1, input2)]
    cosine = (input1 * input2).sum(rank) / (squares[0] * squares[1]).sqrt()
    together = where(target == 1, sub(1, cosine), 0)
    apart = where(target == -1, sub_number(cosine, margin).clamp_min(0), 0)
    return reduced(together + apart, reduction, size_average, reduce)


@composite("nn.functional.triplet_margin_loss")
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
) -> Any:
    """`max(0, margin + |anchor - positive| - |anchor - negative|)` with norms of order `p`.

    With `swap`, `|positive - negative|` counts where it is smaller than the last one.
    """
    _check_triplet(anchor, positive, negative, margin)
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = far.minimum(pairwise_distance(positive, negative, p, eps))
    losses = (add_number(near, margin) - far).clamp_min(0)
    return reduced(losses, reduction, size_average, reduce)


def _check_triplet(anchor: Any, positive: Any, negative: Any, margin: float) -> None:
    if margin <= 0:
        raise GradcliError("G026", f"margin must be greater than 0, got {margin}", kind=ValueError)
    ranks = [len(x.shape) for x in (anchor, positive, negative)]
    if len(set(ranks)) > 1:
        raise GradcliError(
            "G024",
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {ranks[0]}D, positive {ranks[1]}D, and negative "
            f"{ranks[2]}D inputs",
        )


@composite("nn.functional.triplet_margin_with_distance_loss")
def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Any = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Any:
    """`triplet_margin_loss` with a distance of one's own."""
    if reduction not in ("mean", "sum", "none"):
        raise GradcliError(
            "G026", f"{reduction} is not a valid value for reduction", kind=ValueError
        )
    _check_triplet(anchor, positive, negative, margin)
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduced((add_number(near, margin) - far).clamp_min(0), reduction)


@function("nn.functional.multi_margin_loss")
def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
) -> Node:
    """The mean over the other classes of `max(0, margin - input[target] + input[class])**p`."""
    how = chosen(reduction, size_average, reduce)
    not_differentiable("multi_margin_loss", weight=weight)
    if p not in (1, 2):
        raise GradcliError("G026", "only p == 1 and p == 2 supported", kind=ValueError)
    x = _rows(input)
    rows, classes = x.shape
    if weight is not None:
        _check_margin_weight(weight, classes)
    if target.ndim > 1 or target.size != rows:
        raise GradcliError(
            "G024",
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input "
            f"samples (batch size). Expected target size [{rows}], but got {list(target.shape)}. "
            f"Input has shape {list(input.shape)}.",
        )
    known = _labels("multi_margin_loss_cpu_kernel", x, target).reshape(rows, 1)
    if ((known < 0) | (known >= classes)).any():
        raise GradcliError("G022", "target out of range")
    over = margin - gather_along(x, positions(known), -1) + x
    others = ops.relu(only(_mask(known != np.arange(classes)), over))
    losses = (others if p == 1 else others * others) / classes
    if weight is not None:
        losses = losses * index(weight, positions(known), axes=1)
    return _by_row(losses, input, how)


def _check_margin_weight(weight: Node, classes: int) -> None:
    if weight.ndim != 1:
        raise GradcliError("G024", "weight must be one-dimensional", kind=ValueError)
    if weight.shape != (classes,):
        message = f"inconsistent weight size, expected {classes} but got {list(weight.shape)}"
        raise GradcliError("G024", message)


def _mask(known: Any) -> Node:
    return data(known, known.shape, bool_)


def _rows(x: Node) -> Node:
    """The input as rows of classes."""
    if x.ndim > 2 or 0 in x.shape[x.ndim == 2 :]:
        raise GradcliError(
            "G024",
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(x.shape)}",
        )
    return reshaped(x, x.shape if x.ndim == 2 else (1, x.size))


def _labels(kernel: str, x: Node, target: Node) -> Any:
    """The target's class numbers as an array, for an input that the kernel takes."""
    floating(x, kernel)
    if target.dtype is not int64:
        raise GradcliError(
            "G025", f"expected scalar type Long but found {SCALAR_TYPES[target.dtype]}"
        )
    return array(target)


def _by_row(losses: Node, input: Node, how: str) -> Node:
    """The sum of each row's losses, reduced."""
    shape = input.shape[:1] if input.ndim == 2 else ()
    return reduced(reshaped(sum.body(losses, -1), shape), how)


@function("nn.functional.multilabel_margin_loss")
def multilabel_margin_loss(
    input: Any,
    target: Any,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
) -> Node:
    """`max(0, 1 - input[right] + input[wrong])`, summed over all pairs, over the number of classes.

    A row of `target` lists the right classes and ends with -1.
    """
    how = chosen(reduction, size_average, reduce)
    x = _rows(input)
    rows, classes = x.shape
    if target.shape != input.shape:
        sizes = f"{list(target.shape)} for input of size: {list(input.shape)}"
        raise GradcliError("G024", f"inconsistent target size: {sizes}")
    known = _labels("multilabel_margin_loss_forward_out_frame", x, target)
    if ((known < -1) | (known >= classes)).any():
        raise GradcliError("G022", "argument #2 'target' is out of range")
    known = known.reshape(rows, classes)
    listed = np.cumprod(known >= 0, axis=1).astype(bool)
    right = np.where(listed, known, 0)
    wrong = np.ones((rows, classes), bool)
    wrong[np.nonzero(listed)[0], known[listed]] = False
    chosen_scores = reshaped(gather_along(x, positions(right), -1), (rows, classes, 1))
    over = 1 - chosen_scores + reshaped(x, (rows, 1, classes))
    pairs = _mask(listed[:, :, None] & wrong[:, None, :])
    losses = ops.relu(only(pairs, over)) / classes
    return _by_row(reshaped(losses, (rows, classes * classes)), input, how)


@composite("nn.functional.multilabel_soft_margin_loss")
def multilabel_soft_margin_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Old = None,
    reduce: Old = None,
    reduction: Reduction = "mean",
) -> Any:
    """The mean over classes of the binary cross entropy of `sigmoid(input)`."""
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        losses = losses * weight
    means = losses.sum(-1) / input.shape[-1]
    return reduced(means, reduction, size_average, reduce)

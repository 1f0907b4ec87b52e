"""Losses of classes: scores of each class against a class number, or against probabilities.

Constraints: class numbers are looked at when the loss is made.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import answer
from gradcli.functions.index import gather_along
from gradcli.functions.linear import linear
from gradcli.functions.loss import Old, Reduction, chosen, not_differentiable, reduced
from gradcli.functions.nn import (
    add_number,
    div_number,
    floating,
    log_softmax,
    mul_number,
    only,
)
from gradcli.functions.reduce import sum
from gradcli.functions.shape import reshaped
from gradcli.graph.dtype import SCALAR_TYPES, int64, uint8
from gradcli.graph.node import Node, constant
from gradcli.graph.shape import numel
from gradcli.ops import elementwise as ops
from gradcli.ops.elementwise import cast
from gradcli.ops.indexing import index
from gradcli.tensor.function import composite, internal
from gradcli.tensor.levels import of_all_examples
from gradcli.tensor.operands import other_dtype


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
        raise other_dtype(x.dtype, weight.dtype)
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

"""Losses of margins: how far scores and distances stay from the sides that they should be on."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import array
from gradcli.functions.activation import logsigmoid
from gradcli.functions.index import gather_along, positions
from gradcli.functions.loss import Old, Reduction, chosen, not_differentiable, reduced
from gradcli.functions.math import sub, where
from gradcli.functions.nn import add_number, floating, only, pairwise_distance, sub_number
from gradcli.functions.reduce import sum
from gradcli.functions.shape import reshaped
from gradcli.graph.dtype import HALVES, bool_, int64
from gradcli.graph.node import Node, data
from gradcli.ops import elementwise as ops
from gradcli.ops.indexing import index
from gradcli.ops.rows import lacks, zero
from gradcli.tensor.function import composite, function
from gradcli.tensor.operands import other_dtype


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
    whole = not input.dtype.differentiable
    apart = where(target != 1, sub(int(margin) if whole else margin, input).clamp_min(0), 0)
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
    losses = add_number(-target * (input1 - input2), float(margin)).clamp_min(0)
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


@function("nn.functional.multi_margin_loss", refuses=lacks("multi_margin_loss_cpu_kernel", *HALVES))
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
    others = _positive(_mask(known != np.arange(classes)), over)
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


def _positive(mask: Node, x: Node) -> Node:
    """What is positive, where `mask` holds, and 0 elsewhere, NaN among it."""
    return only(ops.logical_and(mask, ops.gt(x, zero(x))), x)


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
        raise other_dtype(int64, target.dtype)
    return array(target)


def _by_row(losses: Node, input: Node, how: str) -> Node:
    """The sum of each row's losses, reduced."""
    shape = input.shape[:1] if input.ndim == 2 else ()
    return reduced(reshaped(sum.body(losses, -1), shape), how)


@function(
    "nn.functional.multilabel_margin_loss",
    refuses=lacks("multilabel_margin_loss_forward_out_frame", *HALVES),
)
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
    losses = _positive(pairs, over) / classes
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

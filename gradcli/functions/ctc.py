"""Connectionist temporal classification: the loss of all alignments of labels with a sequence.

Constraints: the forward recursion of Graves et al. (2006) on a logarithmic scale, all sequences at
once. Impossible is a very negative number, because -inf has no slope.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import array
from gradcli.functions.index import positions
from gradcli.functions.nn import floating
from gradcli.functions.shape import part, reshaped, whole
from gradcli.graph.dtype import HALVES, bool_
from gradcli.graph.node import Node, constant, data
from gradcli.graph.op import OVERWRITE
from gradcli.ops import elementwise as ops
from gradcli.ops import movement, reduction
from gradcli.ops.indexing import index
from gradcli.ops.rows import lacks
from gradcli.tensor import Tensor, registry
from gradcli.tensor.function import composite, internal

Array = Any
IMPOSSIBLE = -1e30


@composite("nn.functional.ctc_loss", method=False, refuses=lacks("ctc_loss_cpu", *HALVES))
def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """Minus the logarithm of the probability of `targets` under `log_probs`, (T, N, C) or (T, C).

    `targets` are (N, S), or all labels one after another. "mean" divides by the target lengths.
    As in PyTorch, the gradient is right for `log_probs` that come from `log_softmax`.
    """
    if reduction not in ("none", "mean", "sum"):
        raise GradcliError(
            "G026", f"{reduction} is not a valid value for reduction", kind=ValueError
        )
    given = _lengths("input_lengths", input_lengths)
    wanted = _lengths("target_lengths", target_lengths)
    batched = len(log_probs.shape) == 3
    x = log_probs if batched else log_probs.unsqueeze(1)
    labels = _labels(_whole_numbers(targets), wanted, x, blank, given)
    loss = _ctc(x, labels, (given, wanted), blank, 0.0 if zero_infinity else np.nan)
    if zero_infinity:
        zero = registry.find("torch.zeros")((), dtype=loss.dtype)
        loss = registry.find("torch.where")(loss.isinf(), zero, loss)
    loss = loss if batched else loss.squeeze(0)
    if reduction == "mean":
        lengths = Tensor(positions(np.maximum(wanted, 1) if batched else np.maximum(wanted, 1)[0]))
        return (loss / lengths.to(loss.dtype)).mean()
    return loss.sum() if reduction == "sum" else loss


def _lengths(name: str, value: Any) -> Array:
    """Lengths, given as a tensor or as whole numbers; raises G013 or G025 for anything else."""
    if isinstance(value, Tensor):
        if value.dtype.differentiable:
            raise GradcliError("G025", f"{name} must be integral")
        known = _whole_numbers(value)
    else:
        listed = value if isinstance(value, (list, tuple)) else [value]
        known = np.asarray([min(whole(n), 1 << 62) for n in listed], np.int64)
    return np.atleast_1d(known).astype(np.int64)


def _whole_numbers(value: Tensor) -> Array:
    """The elements as whole numbers, cut as PyTorch cuts them; raises G025 for complex ones."""
    if value.dtype.is_complex:
        raise GradcliError("G025", "ctc_loss: labels and lengths must be whole numbers")
    return np.nan_to_num(value.array(), posinf=0, neginf=0).astype(np.int64)


def _labels(targets: Array, wanted: Array, x: Any, blank: int, given: Array) -> Array:
    """The labels as a matrix with a row for each sequence; raises for lengths that do not fit."""
    time, batch, classes = x.shape
    fault = ""
    targets = targets.astype(np.int64)
    if not 0 <= blank < classes:
        fault = "blank must be in label range"
    elif len(given) != batch:
        fault = "input_lengths must be of size batch_size"
    elif len(wanted) != batch:
        fault = "target_lengths must be of size batch_size"
    elif targets.ndim == 1 and len(targets) != wanted.sum():
        fault = _expected(f"size {wanted.sum()} at dimension 0", len(targets))
    elif targets.ndim == 2 and len(targets) != batch:
        fault = _expected(f"size {batch} at dimension 0", len(targets))
    elif targets.ndim == 2 and targets.shape[1] < wanted.max(initial=0):
        least = wanted.max(initial=0)
        fault = _expected(f"size at least {least} at dimension 1", targets.shape[1])
    elif given.max(initial=0) > time:
        fault = (
            f"Expected input_lengths to have value at most {time}, but got value {given.max()} "
            "(while checking arguments for ctc_loss_allocate_outputs)"
        )
    if fault:
        raise GradcliError("G021", fault)
    width = int(wanted.max(initial=0))
    rows = np.full((batch, width), blank, np.int64)
    starts = np.cumsum(wanted) - wanted
    for row, start, length, n in zip(rows, starts, wanted, range(batch), strict=True):
        row[:length] = targets[start : start + length] if targets.ndim == 1 else targets[n, :length]
    return rows


def _expected(what: str, got: int) -> str:
    return (
        f"Expected tensor to have {what}, but got size {got} for argument #2 'targets' (while "
        "checking arguments for ctc_loss_allocate_outputs)"
    )


@internal("ctc_loss")
def _ctc(
    log_probs: Node, labels: Array, lengths: tuple[Array, Array], blank: int, lost: float
) -> Node:
    """The loss of each sequence; `lost` is the gradient where no alignment is possible."""
    given, wanted = lengths
    x = floating(log_probs, "ctc_loss_cpu")
    time, batch, _ = x.shape
    path = np.full((batch, 2 * labels.shape[1] + 1), blank)
    path[:, 1::2] = labels
    rows = np.arange(batch)[:, None]
    steps = index(
        x, positions(np.arange(time)[:, None, None]), positions(rows), positions(path), axes=3
    )
    last = _recursion(steps, path, given, blank)
    ends = np.stack([2 * wanted, np.maximum(2 * wanted - 1, 0)], 1)
    found = index(last, positions(rows), positions(ends), axes=2)
    found = _possible(found, np.stack([wanted >= 0, wanted > 0], 1))
    total = reduction.logsumexp(found, axis=(-1,), keepdims=False)
    impossible = ops.lt(total, constant(IMPOSSIBLE / 2, x.dtype))
    loss = ops.where(impossible, constant(np.inf, x.dtype), -total)
    # PyTorch's gradient has the one of log_softmax worked in: the probabilities themselves.
    seen = np.arange(time)[:, None, None] < given[:, None]
    mass = ops.where(_condition(seen), ops.exp(x), constant(0, x.dtype))
    spread = ops.where(impossible, constant(lost, x.dtype), constant(1, x.dtype))
    added = reduction.total(
        reduction.total(mass, axis=(-1,), keepdims=False), axis=(-2,), keepdims=False
    )
    return OVERWRITE((loss + added) * spread, loss)


def _recursion(steps: Node, path: Array, given: Array, blank: int) -> Node:
    """The logarithm of the probability of each prefix of the path, (N, 2S + 1), at the end."""
    time, batch, width = steps.shape
    first = np.zeros((batch, width), bool)
    first[:, :2] = True
    started = given > 0
    start = np.where(first & (np.arange(width) == 0), 0.0, IMPOSSIBLE)
    if not time:
        return _array(start, steps)
    alpha = ops.where(
        _condition(started[:, None]), _possible(_at(steps, 0), first), _array(start, steps)
    )
    skips = np.zeros((batch, width), bool)
    skips[:, 2:] = (path[:, 2:] != blank) & (path[:, 2:] != path[:, :-2])
    for t in range(1, time):
        both = ops.logaddexp(alpha, _moved(alpha, 1))
        ways = ops.logaddexp(both, _possible(_moved(alpha, 2), skips))
        going_on = _condition((t < given)[:, None])
        alpha = ops.where(going_on, ways + _at(steps, t), alpha)
    return alpha


def _at(steps: Node, t: int) -> Node:
    return reshaped(part(steps, -3, t, 1), steps.shape[1:])


def _moved(alpha: Node, by: int) -> Node:
    """`alpha` moved on along the path, impossible at its beginning."""
    batch, width = alpha.shape
    by = min(by, width)
    edge = constant(IMPOSSIBLE, alpha.dtype, (batch, by))
    return movement.concat(edge, part(alpha, -1, 0, width - by), axis=-1)


def _possible(x: Node, where: Array) -> Node:
    return ops.where(_condition(where), x, constant(IMPOSSIBLE, x.dtype))


def _condition(known: Array) -> Node:
    return data(known, known.shape, bool_)


def _array(known: Array, like: Node) -> Node:
    values = known.astype(array(constant(0, like.dtype)).dtype)
    return data(values, values.shape, like.dtype)

"""Rows of a table at given positions, one by one or added up in bags.

Constraints: positions have no slope; the row `padding_idx` gets no gradient and counts in no bag.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import array
from gradcli.functions.index import positions
from gradcli.graph.dtype import FLOATING, SCALAR_TYPES, int64
from gradcli.graph.node import Node, constant, data
from gradcli.graph.op import DETACH, OVERWRITE
from gradcli.ops import elementwise as ops
from gradcli.ops.indexing import index, index_add
from gradcli.ops.movement import reshape
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite, function, internal
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.levels import of_all_examples
from gradcli.tensor.operands import with_real_gradient
from gradcli.tensor.storage import Stop
from gradcli.tensor.write import write

Array = Any


@composite("nn.functional.embedding")
def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """The rows of `weight` at the positions `input`; the row `padding_idx` gets no gradient.

    With `max_norm`, longer rows among them are shortened in place first. `scale_grad_by_freq`
    divides a row's gradient by how often it is read. Sparse gradients are refused.
    """
    _refuse_sparse(sparse)
    rows = weight.shape[0] if weight.shape else 0
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise GradcliError("G022", "Padding_idx must be within num_embeddings", kind=AssertionError)
    if max_norm is not None:
        _shorten(weight, input.array(), max_norm, norm_type)
    padding = -1 if padding_idx is None else padding_idx % rows
    return _embedding(weight, input, padding, scale_grad_by_freq)


def _refuse_sparse(sparse: bool) -> None:
    if sparse:
        raise GradcliError("G026", "sparse gradients are not supported", help="sparse=False")


def _shorten(weight: Any, chosen: Array, most: float, order: float) -> None:
    """Makes the chosen rows no longer than `most`, in place."""
    with Stop(False):
        used = np.zeros(weight.shape[0], bool)
        used[np.unique(chosen)] = True
        sizes = np.linalg.norm(weight.array(), order, -1)
        factor = np.where(used & (sizes > most), most / (sizes + 1e-7), 1)[:, None]
        values = (weight.array() * factor).astype(weight.array().dtype)
        write(weight, Tensor(_known(values, weight.node)))


def _known(values: Array, like: Node) -> Node:
    return data(values, values.shape, like.dtype)


@function("embedding", method=False, out=None)
def _embedding(
    weight: Any,
    indices: Any,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Node:
    """The rows of `weight` at the positions `indices`; the row `padding_idx` gets no gradient."""
    _refuse_sparse(sparse)
    x, chosen = tensor(weight), tensor(indices)
    if x.ndim != 2:
        raise GradcliError("G021", "'weight' must be 2-D")
    _check_dtype("embedding", chosen)
    known = array(of_all_examples(chosen))
    if ((known < 0) | (known >= x.shape[0])).any():
        raise GradcliError("G022", "index out of range in self", kind=IndexError)
    number = ops.cast(chosen, int64)
    with_real_gradient("embedding", x)
    rows = _rows(x, number, scale_grad_by_freq)
    if padding_idx < 0:
        return rows
    row = reshape(number, axes=0, shape=(1,))
    padding = ops.eq(row, constant(padding_idx, int64))
    return ops.where(padding, DETACH(rows), rows)


def _check_dtype(name: str, chosen: Node) -> None:
    if chosen.dtype.name not in ("int64", "int32"):
        raise GradcliError(
            "G022",
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got torch.{SCALAR_TYPES[chosen.dtype]}Tensor instead (while checking "
            f"arguments for {name})",
        )


def _check_weights(name: str, weight: Any) -> None:
    if weight.dtype.category != FLOATING:
        raise GradcliError(
            "G025",
            "Expected tensor for argument #1 'weight' to have one of the following scalar types: "
            f"Half, BFloat16, Float, Double; but got torch.{SCALAR_TYPES[weight.dtype]}Tensor "
            f"instead (while checking arguments for {name})",
            help="convert it: .float()",
        )


def _rows(x: Node, number: Node, by_frequency: bool) -> Node:
    rows = index(x, number, axes=2)
    if not by_frequency:
        return rows
    known = array(number)
    count = np.bincount(known.reshape(-1), minlength=x.shape[0])[known][..., None]
    return OVERWRITE(rows / ops.cast(positions(count), x.dtype), rows)


# -- bags


@composite("nn.functional.embedding_bag", method=False)
def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """The sum, mean or maximum of the rows of `weight` in each bag of positions.

    A bag is a row of a matrix `input`, or what lies between two `offsets` into a vector.
    """
    _refuse_sparse(sparse)
    _check_bags(input, weight, offsets, mode, scale_grad_by_freq, per_sample_weights)
    known = input.array().reshape(-1)
    bags = _bags(input, offsets, include_last_offset)
    if max_norm is not None:
        _shorten(weight, known, max_norm, norm_type)
    _check_dtype("embedding_bag", input.node)
    _check_weights("embedding_bag", weight)
    size = weight.shape[0]
    _check_range(known, size, weight)
    if padding_idx is not None:
        known, bags, per_sample_weights = _without_padding(
            known, bags, per_sample_weights, padding_idx, size
        )
    elif per_sample_weights is not None and per_sample_weights.dim() > 1:
        per_sample_weights = per_sample_weights.reshape(-1)
    return _bagged(weight, known, bags, mode, per_sample_weights, scale_grad_by_freq)


def _check_range(known: Array, size: int, weight: Any) -> None:
    places = np.nonzero((known < 0) | (known >= size))[0]
    if not len(places):
        return
    value = known[places[0]]
    # PyTorch has a kernel of its own, with its own words, for float32.
    if weight.dtype.name == "float32":
        fault = (
            f"Index {places[0]} of input takes value {value} which is not in the valid range "
            f"[0, {size})"
        )
    else:
        fault = (
            f"embedding_bag: Expected idx >= 0 && idx < num_embeddings but found idx to be {value}"
        )
    raise GradcliError("G022", fault)


def _bags(input: Any, offsets: Any, include_last: bool) -> tuple[Array, int]:
    """The bag of each position, and how many bags there are."""
    if len(input.shape) == 2:
        count, width = input.shape
        return np.repeat(np.arange(count), width), count
    starts, total = offsets.array(), input.shape[0]
    if len(starts) and starts[0] != 0:
        raise GradcliError(
            "G022",
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {starts[0]}",
        )
    if len(starts) and starts[-1] > total:
        raise GradcliError(
            "G022",
            f"offsets[-1] can not be greater than input's length {total} but got offsets[-1] of "
            f"{starts[-1]}",
        )
    ends = starts[1:] if include_last else np.append(starts[1:], total)
    lengths = np.maximum(ends - starts[: len(ends)], 0)
    return np.repeat(np.arange(len(ends)), lengths), len(ends)


def _without_padding(
    known: Array, bags: tuple[Array, int], weights: Any, padding_idx: int, size: int
) -> tuple[Array, tuple[Array, int], Any]:
    if not -size <= padding_idx < size:
        raise GradcliError(
            "G022",
            f"padding_idx must be within the number of embeddings, -{size} through {size - 1}, but "
            f"got {padding_idx}",
        )
    kept = known != padding_idx % size
    if weights is not None:
        weights = weights.reshape(-1)[Tensor(positions(np.nonzero(kept)[0]))]
    return known[kept], (bags[0][kept[: len(bags[0])]], bags[1]), weights


@internal("embedding_bag")
def _bagged(
    weight: Node,
    known: Array,
    bags: tuple[Array, int],
    mode: str,
    per_sample: Node | None,
    by_frequency: bool,
) -> Node:
    bag, count = bags
    known = known[: len(bag)]
    if mode == "max":
        return _largest(weight, known, bag, count)
    rows = _rows(weight, positions(known), by_frequency)
    if per_sample is not None:
        rows = rows * index(per_sample, positions(np.arange(len(bag))[:, None]), axes=1)
    total = index_add(rows, positions(bag), shape=(count, weight.shape[1]))
    if mode == "sum":
        return total
    lengths = np.maximum(np.bincount(bag, minlength=count), 1)[:, None]
    return total / ops.cast(positions(lengths), weight.dtype)


def _largest(weight: Node, known: Array, bag: Array, count: int) -> Node:
    """The maximum of each bag; 0 for an empty one."""
    values, width = array(weight), weight.shape[1]
    chosen = np.zeros((count, width), np.int64)
    for number in np.unique(bag):
        members = known[bag == number]
        chosen[number] = members[values[members].argmax(0)]
    found = index(weight, positions(chosen), positions(np.arange(width)), axes=2)
    filled = np.bincount(bag, minlength=count)[:, None] > 0
    known_filled = ops.ne(positions(filled), constant(0, int64))
    return ops.where(known_filled, found, constant(0, weight.dtype))


def _check_bags(
    input: Any, weight: Any, offsets: Any, mode: str, by_frequency: bool, per_sample: Any
) -> None:
    fault, kind = "", ValueError
    if per_sample is not None and input.shape != per_sample.shape:
        fault = (
            f"embedding_bag: If per_sample_weights ({per_sample.shape}) is not None, then it must "
            f"have the same shape as the input ({input.shape})"
        )
    elif len(weight.shape) != 2:
        fault = f"weight has to be a 2D Tensor, but got Tensor of dimension {len(weight.shape)}"
    elif len(input.shape) == 2 and offsets is not None:
        fault = (
            "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of "
            "fixed length sequences. However, found offsets of type <class 'torch.Tensor'>"
        )
    elif len(input.shape) == 1 and offsets is None:
        fault = "offsets has to be a 1D Tensor but got None"
    elif len(input.shape) == 1 and len(offsets.shape) != 1:
        fault = "offsets has to be a 1D Tensor"
    elif len(input.shape) not in (1, 2):
        fault = f"input has to be 1D or 2D Tensor, but got Tensor of dimension {len(input.shape)}"
    elif mode not in ("sum", "mean", "max"):
        fault = "mode has to be one of sum, mean or max"
    elif mode == "max" and by_frequency:
        fault = "max mode does not support scaling the gradient by the frequency"
    elif per_sample is not None and mode != "sum":
        fault = (
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}'). Please open a feature request on GitHub."
        )
        raise GradcliError("G026", fault, kind=NotImplementedError)
    if fault:
        raise GradcliError("G013", fault, kind=kind)

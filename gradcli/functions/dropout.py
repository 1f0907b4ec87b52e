"""What draws random numbers in a network: dropout of elements and of whole channels, rrelu.

Constraints: the same seed drops what PyTorch drops.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.functions.activation import leaky
from gradcli.functions.constants import empty_like, zeros, zeros_like
from gradcli.functions.create import from_array
from gradcli.functions.drawing import drawing, drawn_as, drawn_tensor, in_memory_order
from gradcli.functions.nn import floating, softmax
from gradcli.graph.dtype import BOOL, INTEGER, float32
from gradcli.graph.node import Node
from gradcli.graph.shape import numel
from gradcli.ops import elementwise as ops
from gradcli.ops.rows import lacks, zero
from gradcli.tensor.function import Function, composite, internal
from gradcli.tensor.in_place import in_place
from gradcli.tensor.kinds import Real
from gradcli.tensor.named import Named
from gradcli.tensor.operands import cannot_cast
from gradcli.tensor.storing import InPlace

ALPHA = 1.7580993408473766
"""Minus the least value of selu: what alpha dropout puts in place of an element."""


@partial(Function, "dropout", on_nodes=False)
def _dropped(x: Any, p: float, *, channels: bool, alpha: bool) -> Any:
    """`x` with elements (or channels) dropped with probability `p` > 0."""
    if p == 1:
        return x * zeros((), dtype=x.dtype)
    like, kind = _channel_noise(x) if channels else empty_like(x), drawn_as(x.dtype)
    noise = drawn_tensor(in_memory_order(like, "bernoulli", None, kind, p=1 - p), x.dtype)
    if not alpha:
        return x * (noise / (1 - p))
    scale = 1 / math.sqrt((ALPHA * ALPHA * p + 1) * (1 - p))
    return x * (noise * scale) + ((noise - 1) * (ALPHA * scale) + ALPHA * scale * p)


def _channel_noise(x: Any) -> Any:
    rank = len(x.shape)
    if rank < 2:
        raise GradcliError("G021", "Feature dropout requires at least 2 dimensions in the input")
    return zeros(*x.shape[:2], *[1] * (rank - 2), dtype=x.dtype)


def _applied(
    x: Any, p: float, training: bool, inplace: bool, *, channels: bool = False, alpha: bool = False
) -> Any:
    if not 0 <= p <= 1:
        raise GradcliError(
            "G026",
            f"dropout probability has to be between 0 and 1, but got {p}",
            kind=ValueError,
        )
    if not training or p == 0 or not numel(x.shape):
        return x
    if not x.dtype.differentiable:
        raise cannot_cast(float32, x.dtype)
    if inplace:
        return in_place(_dropped, x, p, channels=channels, alpha=alpha)
    return _dropped(x, p, channels=channels, alpha=alpha)


@composite("nn.functional.dropout")
def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """In training, each element is 0 with probability `p`, else it is divided by `1 - p`."""
    return _applied(input, p, training, inplace)


@composite("nn.functional.alpha_dropout")
def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """Dropout that keeps mean 0 and variance 1 (Klambauer 2017): elements become selu's least."""
    return _applied(input, p, training, inplace, alpha=True)


@composite("nn.functional.feature_alpha_dropout")
def feature_alpha_dropout(
    input: Any, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Any:
    """`alpha_dropout` of whole channels (dim 1)."""
    return _applied(input, p, training, inplace, channels=True, alpha=True)


def _by_channel(name: str, *batched: int) -> None:
    """Dropout of whole channels; an input of one of the ranks `batched` has a batch dim."""

    def drop(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        rank = len(input.shape)
        if name == "dropout1d" and rank not in (2, 3):
            raise GradcliError(
                "G021",
                f"dropout1d: Expected 2D or 3D input, but received a {rank}D input. Note that "
                "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial "
                "dimension, a channel dimension, and an optional batch dimension (i.e. 2D or 3D "
                "inputs).",
            )
        if not batched or rank in batched:
            return _applied(input, p, training, inplace, channels=True)
        one = input.unsqueeze_(0) if inplace else input.unsqueeze(0)
        result = _applied(one, p, training, inplace, channels=True)
        return result.squeeze_(0) if inplace else result.squeeze(0)

    drop.__name__ = name
    drop.__doc__ = "Dropout of whole channels: all elements of one are dropped together."
    composite(f"nn.functional.{name}")(drop)


_by_channel("dropout1d", 3)
_by_channel("dropout2d")
_by_channel("dropout3d", 5)


def _spelled_out(name: str, inplace: bool, **what: bool) -> None:
    @composite(f"{name}_" if inplace else name, method=False, out=None)
    def drop(input: Any, p: float, train: bool) -> Any:
        return _applied(input, p, train, inplace, **what)

    drop.doc = f"`{name}` with all its arguments spelled out."


for _name, _what in {
    "dropout": {},
    "feature_dropout": {"channels": True},
    "alpha_dropout": {"alpha": True},
    "feature_alpha_dropout": {"channels": True, "alpha": True},
}.items():
    _spelled_out(_name, False, **_what)
    _spelled_out(_name, True, **_what)


# -- activations that draw


@internal(
    "rrelu_with_noise",
    layout=False,
    in_place=InPlace(refuses=lacks("leaky_relu_cpu", BOOL, INTEGER)),
)
def _rrelu(x: Node, noise: Any, inplace: bool = False) -> Node:
    if not isinstance(noise, Node):
        return leaky(x, noise, inplace)
    x = floating(x, "rrelu_with_noise_cpu")
    return ops.where(ops.gt(x, zero(x)), x, x * noise)


def _rrelu_noise(x: Any, lower: float, upper: float, generator: Any) -> Any:
    """A slope for each element; numbers are drawn for those up to 0 alone."""
    known = x.array()
    noise = np.ones_like(known)
    below = known <= 0
    drawn = drawing(generator).uniform((int(below.sum()),), float, lower, upper)
    noise[below] = drawn.astype(known.dtype)
    return from_array(noise, x.dtype)


@composite(Named("rrelu", inplace=None), "nn.functional.rrelu", method=False, out=None)
def rrelu(
    input: Any,
    lower: Real = 1 / 8,
    upper: Real = 1 / 3,
    training: bool = False,
    inplace: bool = False,
    *,
    generator: Any = None,
) -> Any:
    """`input` above 0, below it `input` times a slope between `lower` and `upper`."""
    if lower > upper:
        raise GradcliError("G026", "Lower bound should be less than or equal to the upper bound")
    noise = _rrelu_noise(input, lower, upper, generator) if training else (lower + upper) / 2
    return in_place(_rrelu, input, noise, True) if inplace else _rrelu(input, noise)


@composite("nn.functional.gumbel_softmax")
def gumbel_softmax(
    logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Any:
    """A sample of a class for each row, soft, or `hard` with the gradient of the soft one."""
    gumbels = (logits - empty_like(logits).exponential_().log()) / tau
    soft = softmax(gumbels, dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    return zeros_like(logits).scatter_(dim, index, 1.0) - soft.detach() + soft

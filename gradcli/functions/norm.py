"""Normalisation by batch, instance and group.

Constraints: channels are dim 1. Running statistics are written to in place, outside of autograd.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.nn import floating
from gradcli.functions.reduce import mean_of
from gradcli.functions.shape import reshaped
from gradcli.graph.dtype import float32
from gradcli.graph.node import Node
from gradcli.graph.shape import numel
from gradcli.ops import elementwise as ops
from gradcli.tensor.function import composite, internal
from gradcli.tensor.kinds import AnyTensor
from gradcli.tensor.named import Named
from gradcli.tensor.storage import Stop
from gradcli.tensor.write import write

AFFINE = ("input", "weight", "bias")
"""What gradients go to: running statistics have none."""


def _per_channel(value: Node, like: Node) -> Node:
    """A vector of a number for each channel, to broadcast against `like`."""
    return reshaped(value, (value.size,) + (1,) * (like.ndim - 2))


def _affine(x: Node, weight: Node | None, bias: Node | None) -> Node:
    x = x if weight is None else x * _per_channel(weight, x)
    return x if bias is None else x + _per_channel(bias, x)


def _same_dtype(x: Node, *parameters: Node | None) -> None:
    kinds = {p.dtype for p in parameters if p is not None}
    if kinds - {x.dtype}:
        # PyTorch looks for float32 parameters of a half-precision input first.
        told = "all inputs must share same datatype."
        if kinds != {float32}:
            told = "expect parameter to have scalar type of Float"
        raise GradcliError(
            "G025", f"mixed dtype (CPU): {told}", help="convert one of them: .to(other.dtype)"
        )


# -- batches


@composite("nn.functional.batch_norm", method=False)
def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Any:
    """Each channel with mean 0 and variance 1, times `weight`, plus `bias`.

    In training by the batch's own statistics, which then move the running ones by `momentum`.
    """
    shape = tuple(input.shape)
    if training and len(shape) > 1 and numel((shape[0], *shape[2:])) == 1:
        raise GradcliError(
            "G024",
            f"Expected more than 1 value per channel when training, got input size {input.shape}",
            kind=ValueError,
        )
    if training and not shape:
        raise GradcliError("G023", "tuple index out of range", kind=IndexError)
    if len(shape) < 2 and 0 not in shape:
        raise GradcliError(
            "G023",
            "Dimension out of range (expected to be in range of [-1, 0], but got 1)",
            kind=IndexError,
        )
    return _batch_norm(input, (running_mean, running_var), (weight, bias), training, momentum, eps)


@composite("batch_norm", method=False, out=None)
def _positional(
    input: Any,
    weight: AnyTensor | None,
    bias: AnyTensor | None,
    running_mean: AnyTensor | None,
    running_var: AnyTensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Any:
    """`nn.functional.batch_norm` with its arguments spelled out."""
    return _batch_norm(input, (running_mean, running_var), (weight, bias), training, momentum, eps)


def _batch_norm(
    input: Any, running: Any, affine: Any, training: bool, momentum: float, eps: float
) -> Any:
    if 0 in input.shape:
        return _nothing(input, *affine)
    names = ("running_mean", "running_var", "weight", "bias")
    for name, value in zip(names, (*running, *affine), strict=True):
        if name.startswith("running") and value is None and not training:
            raise GradcliError("G013", f"{name} must be defined in evaluation mode")
        if value is not None and numel(value.shape) != input.shape[1]:
            raise GradcliError(
                "G021",
                f"{name} should contain {input.shape[1]} elements not {numel(value.shape)}",
            )
        if name.startswith("running") and value is not None and value.requires_grad:
            raise GradcliError(
                "G037",
                f"The function 'native_batch_norm' is not differentiable with respect to argument "
                f"'{name}'. This input cannot have requires_grad True.",
            )
    if not training:
        return _by_given(input, *running, *affine, eps)
    result, *statistics = _by_own(input, *affine, eps, *running)
    _move(running, statistics, momentum)
    return result


def _nothing(input: Any, weight: Any, bias: Any) -> Any:
    """What PyTorch makes of an input without elements: no statistics, nothing moves."""
    result = input.clone()
    result = result if weight is None else result * weight[0]
    return result if bias is None else result + bias[0]


def _move(running: Any, statistics: list[Any], momentum: float) -> None:
    with Stop(False):
        for old, new in zip(running, statistics, strict=True):
            if old is not None:
                write(old, old * (1 - momentum) + new * momentum, "")


@internal("native_batch_norm", edges=AFFINE)
def _by_own(
    input: Node, weight: Node | None, bias: Node | None, eps: float, *running: Node | None
) -> tuple[Node, Node, Node]:
    """The result, and the mean and unbiased variance that it came from."""
    x = floating(input, "batch_norm")
    _same_dtype(x, weight, bias, *running)
    axes = tuple(a for a in range(-x.ndim, 0) if a != 1 - x.ndim)
    mean = mean_of(x, axes, True)
    centred = x - mean
    variance = mean_of(centred * centred, axes, True)
    count = x.size // max(x.shape[1], 1)
    unbiased = variance * (count / (count - 1)) if count > 1 else variance
    result = _affine(centred * ops.rsqrt(variance + eps), weight, bias)
    return result, reshaped(mean, (x.shape[1],)), reshaped(unbiased, (x.shape[1],))


@internal("native_batch_norm", edges=AFFINE)
def _by_given(
    input: Node,
    mean: Node,
    variance: Node,
    weight: Node | None,
    bias: Node | None,
    eps: float,
) -> Node:
    x = floating(input, "batch_norm")
    _same_dtype(x, weight, bias, mean, variance)
    scale = ops.rsqrt(variance + eps)
    return _affine((x - _per_channel(mean, x)) * _per_channel(scale, x), weight, bias)


# -- instances


@composite("nn.functional.instance_norm", method=False)
def instance_norm(
    input: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Any:
    """Each channel of each instance with mean 0 and variance 1, times `weight`, plus `bias`."""
    if use_input_stats and numel(tuple(input.shape[2:])) == 1:
        raise GradcliError(
            "G024",
            f"Expected more than 1 spatial element when training, got input size {input.shape}",
            kind=ValueError,
        )
    if not use_input_stats and (running_mean is None or running_var is None):
        raise GradcliError(
            "G013",
            "Expected running_mean and running_var to be defined when use_input_stats is false",
        )
    batch, channels = input.shape[:2]
    running, affine = (
        tuple(None if v is None else v.repeat(batch) for v in values)
        for values in ((running_mean, running_var), (weight, bias))
    )
    apart = input.reshape(1, batch * channels, *input.shape[2:])
    result = _batch_norm(apart, running, affine, use_input_stats, momentum, eps)
    if use_input_stats:
        with Stop(False):
            for old, moved in zip((running_mean, running_var), running, strict=True):
                if old is not None and moved is not None:
                    write(old, moved.view(batch, channels).mean(0), "")
    return result.view(*input.shape)


@composite("instance_norm", method=False, out=None)
def _instance_positional(
    input: Any,
    weight: AnyTensor | None,
    bias: AnyTensor | None,
    running_mean: AnyTensor | None,
    running_var: AnyTensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Any:
    """`nn.functional.instance_norm` with its arguments spelled out."""
    return instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


# -- groups


@composite(Named("nn.functional.group_norm", cudnn_enabled=None), "group_norm", method=False)
def group_norm(
    input: Any,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-05,
    cudnn_enabled: bool = True,
) -> Any:
    """Each group of channels with mean 0 and variance 1, times `weight`, plus `bias`."""
    shape = list(input.shape)
    if len(shape) < 2:
        raise GradcliError(
            "G021", f"Expected at least 2 dimensions for input tensor but received {len(shape)}"
        )
    if num_groups < 1:
        raise GradcliError("G026", "integer division or modulo by zero", kind=ZeroDivisionError)
    if shape[0] * shape[1] // num_groups * numel(tuple(shape[2:])) == 1:
        raise GradcliError(
            "G024",
            f"Expected more than 1 value per channel when training, got input size {shape}",
            kind=ValueError,
        )
    if shape[1] % num_groups:
        raise GradcliError(
            "G021",
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {shape} and num_groups={num_groups}",
        )
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and list(value.shape) != shape[1:2]:
            # PyTorch shows the shape of the weight where the bias is wrong.
            shown = value if weight is None else weight
            raise GradcliError(
                "G021",
                f"Expected {name} to be a vector of size equal to the number of channels in "
                f"input, but got {name} of shape {list(shown.shape)} and input of shape {shape}",
            )
    return _group_norm(input, num_groups, weight, bias, eps)


@internal("native_group_norm", edges=AFFINE)
def _group_norm(
    input: Node, groups: int, weight: Node | None, bias: Node | None, eps: float
) -> Node:
    x = floating(input, "GroupNormKernelImpl")
    _same_dtype(x, weight, bias)
    inner = numel(x.shape[1:]) // groups
    apart = reshaped(x, (x.shape[0], groups, inner))
    centred = apart - mean_of(apart, (-1,), True)
    scaled = centred * ops.rsqrt(mean_of(centred * centred, (-1,), True) + eps)
    return _affine(reshaped(scaled, x.shape), weight, bias)

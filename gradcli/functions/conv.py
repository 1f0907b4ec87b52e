"""Convolutions, and transposed ones.

Constraints: a convolution is the contraction of weights with the windows of the padded input; a
transposed one adds contracted windows up where they overlap. So each is the other's derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.conv_checks import (
    check_convolution,
    check_extra,
    check_numbers,
    check_ranks,
    check_result,
    check_transposed,
    one_each,
)
from gradcli.functions.pad import constant_pad_nd, padded
from gradcli.functions.shape import reshaped
from gradcli.graph.dtype import BOOL, SMALL_INTEGERS
from gradcli.graph.node import Node
from gradcli.graph.op import Refusals
from gradcli.ops.linalg import contract
from gradcli.ops.rows import lacks
from gradcli.ops.window import overlap_add, windows
from gradcli.tensor.function import Function, composite, internal
from gradcli.tensor.function import tensor_operand as tensor

Numbers = tuple[int, ...]
INSIDE, PLACE = "ijk", "pqr"
"""Labels of the positions inside a window, and of the windows."""


# -- convolution


def _conv(count: int) -> Function:
    name = f"conv{count}d"

    @composite(name, f"nn.functional.{name}", method=False, out=None, python=False)
    def conv(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        x = _batched(input, name, count)
        if isinstance(padding, str):
            check_ranks(x, weight)
        steps, gaps = (
            one_each(name, value, count, weight)
            for name, value in (("stride", stride), ("dilation", dilation))
        )
        if isinstance(padding, str):
            x, around = _padding(x, padding, tuple(weight.shape[2:]), steps, gaps)
        else:
            around = one_each("padding", padding, count, weight)
        check_numbers(steps, around, gaps, groups)
        refuses = _lacking(count, gaps)
        made = _run(_convolution, refuses, x, weight, bias, steps, around, gaps, groups)
        return made if x.ndim == input.ndim else made.squeeze(0)

    conv.doc = (
        f"Cross-correlation over {count} dims: `weight` is (out, in/groups, kernel), "
        '`padding` numbers, "same" or "valid".'
    )
    return conv


def _batched(input: Any, name: str, count: int) -> Any:
    """`input` with a batch axis; raises G021 for a rank that is neither with nor without one."""
    if input.ndim not in (count + 1, count + 2):
        raise GradcliError(
            "G021",
            f"Expected {count + 1}D (unbatched) or {count + 2}D (batched) input to {name}, but got "
            f"input of size: {list(input.shape)}",
        )
    return input if input.ndim == count + 2 else input.unsqueeze(0)


def _padding(
    x: Any, mode: str, kernel: Numbers, stride: Numbers, dilation: Numbers
) -> tuple[Any, Numbers]:
    """What `padding="same"` and `"valid"` mean: the input, padded on one side where need be."""
    if mode == "valid":
        return x, (0,) * len(kernel)
    if mode != "same":
        raise GradcliError("G026", f"Invalid padding string: '{mode}'")
    if any(step != 1 for step in stride):
        raise GradcliError("G026", "padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    odd = [(0, n % 2) for n in total]
    return constant_pad_nd(x, odd) if any(map(any, odd)) else x, tuple(n // 2 for n in total)


def _lacking(count: int, dilation: Numbers) -> Refusals:
    """What PyTorch's kernel for such a convolution lacks."""
    if any(gap != 1 for gap in dilation):
        return lacks("slow_conv_dilated<>", BOOL, *SMALL_INTEGERS)
    return lacks("slow_conv2d_cpu" if count < 3 else "compute_columns3d", BOOL)


def _run(body: Callable[..., Node], refuses: Refusals, x: Any, *operands: Any) -> Any:
    """`body` under the name that PyTorch's has: its complex ones are sums of real ones."""
    if x.dtype.is_complex:
        return internal("add")(body)(x, *operands)
    entry = internal("convolution", edges=("input", "weight", "bias"), refuses=refuses)
    return entry(body)(x, *operands)


def _convolution(
    input: Any,
    weight: Node,
    bias: Node | None,
    stride: Numbers,
    padding: Numbers,
    dilation: Numbers,
    groups: int,
) -> Node:
    x = tensor(input)
    check_convolution(x, weight, bias, padding, dilation, groups)
    kernel = weight.shape[2:]
    grouped = padded(x, [(n, n) for n in padding])
    if groups > 1:
        grouped = _split(grouped, 1, groups)
        weight = _split(weight, 0, groups)
    taken = windows(grouped, kernel=kernel, stride=stride, dilation=dilation)
    inside, place = INSIDE[: len(kernel)], PLACE[: len(kernel)]
    g = "g" if groups > 1 else ""
    result = contract(weight, taken, spec=f"{g}oc{inside},n{g}c{inside}{place}->n{g}o{place}")
    return _with_bias(_joined(result) if g else result, bias)


def _split(x: Node, axis: int, groups: int) -> Node:
    shape = (*x.shape[:axis], groups, x.shape[axis] // groups, *x.shape[axis + 1 :])
    return reshaped(x, shape)


def _joined(x: Node) -> Node:
    return reshaped(x, (x.shape[0], x.shape[1] * x.shape[2], *x.shape[3:]))


def _with_bias(x: Node, bias: Node | None) -> Node:
    return x if bias is None else x + reshaped(bias, (bias.size,) + (1,) * (x.ndim - 2))


# -- transposed convolution


def _conv_transpose(count: int) -> Function:
    name = f"conv_transpose{count}d"
    kernel = f"slow_conv_transpose{max(count, 2)}d_out_cpu"
    refuses = lacks(kernel, BOOL, *SMALL_INTEGERS)

    @composite(name, f"nn.functional.{name}", method=False, out=None, python=False)
    def conv_transpose(
        input: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        x = _batched(input, name, count)
        if isinstance(padding, str):
            raise GradcliError(
                "G013",
                f"{name}(): argument 'padding' must be tuple of ints, not str",
                kind=TypeError,
            )
        steps, gaps = (
            one_each(name, value, count, weight)
            for name, value in (("stride", stride), ("dilation", dilation))
        )
        around = one_each("padding", padding, count, weight)
        extra = one_each("output_padding", output_padding, count, weight)
        check_numbers(steps, around, gaps, groups, extra)
        made = _run(_transposed, refuses, x, weight, bias, steps, around, gaps, groups, extra)
        return made if x.ndim == input.ndim else made.squeeze(0)

    conv_transpose.doc = (
        f"The adjoint of `conv{count}d` in its input: `weight` is (in, out/groups, kernel)."
    )
    return conv_transpose


def _transposed(
    input: Any,
    weight: Node,
    bias: Node | None,
    stride: Numbers,
    padding: Numbers,
    dilation: Numbers,
    groups: int,
    extra: Numbers,
) -> Node:
    x = tensor(input)
    check_transposed(x, weight, bias, groups)
    check_extra(stride, dilation, extra)
    kernel = weight.shape[2:]
    if groups > 1:
        x, weight = _split(x, 1, groups), _split(weight, 0, groups)
    inside, place = INSIDE[: len(kernel)], PLACE[: len(kernel)]
    g = "g" if groups > 1 else ""
    taken = contract(weight, x, spec=f"{g}co{inside},n{g}c{place}->n{g}o{inside}{place}")
    counts = x.shape[x.ndim - len(kernel) :]
    shape = tuple(
        max((n - 1) * s, 0) + d * (k - 1) + 1
        for n, s, d, k in zip(counts, stride, dilation, kernel, strict=True)
    )
    result = overlap_add(taken, stride=stride, dilation=dilation, shape=shape)
    if groups > 1:
        result = _joined(result)
    around = [(-p, e - p) for p, e in zip(padding, extra, strict=True)]
    check_result(x, result, around)
    return _with_bias(padded(result, around), bias)


conv1d, conv2d, conv3d = map(_conv, (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = map(_conv_transpose, (1, 2, 3))

"""What a convolution checks before it starts, in PyTorch's words.

Constraints: raises, never changes anything; operands are nodes with a batch axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.shape import whole
from gradcli.graph.dim import bases
from gradcli.graph.dtype import C_TYPES
from gradcli.graph.node import Node
from gradcli.tensor.operands import other_dtype

Numbers = tuple[int, ...]


def one_each(name: str, value: Any, count: int, weight: Any) -> Numbers:
    """A whole number for each of `count` dims, given as one for all or as a list.

    Raises:
        GradcliError: G013, as PyTorch does, when they are not as many as the dims of `weight`.
    """
    dims = len(weight.shape) - 2
    if dims < 1:
        raise GradcliError("G021", "weight should have at least three dimensions")
    many = isinstance(value, (list, tuple))
    given = [whole(v) for v in value] if many else [whole(value)] * count
    if len(given) == 1:
        given = given * dims
    if len(given) != dims:
        raise GradcliError(
            "G013",
            f"expected {name} to be a single integer value or a list of {dims} values to match the "
            f"convolution dimensions, but got {name}={given}",
        )
    return tuple(given)


def check_ranks(x: Any, weight: Any, before_sizes: str = "") -> None:
    """Refuses an input (with a batch axis) of another rank than the weight."""
    rank = len(weight.shape)
    if len(x.shape) != rank:
        raise GradcliError(
            "G021",
            f"Expected {rank}-dimensional input for {rank}-dimensional weight"
            f"{before_sizes}{list(weight.shape)}, but got {len(x.shape)}-dimensional input of size "
            f"{list(x.shape)} instead",
        )


def check_numbers(
    stride: Numbers, padding: Numbers, dilation: Numbers, groups: int, output: Numbers = ()
) -> None:
    """Refuses numbers that no convolution takes."""
    for sentence, bad in (
        ("negative padding is not supported", min(padding) < 0),
        ("negative output_padding is not supported", min(output, default=0) < 0),
        ("non-positive stride is not supported", min(stride) < 1),
        ("dilation should be greater than zero", min(dilation) < 0),
        ("non-positive dilation is not supported", min(dilation) < 1),
        ("non-positive groups is not supported", groups < 1),
    ):
        if bad:
            raise GradcliError("G026", sentence)


def _check_groups(weight: Node, groups: int) -> None:
    kind = f"Given groups={groups}, expected weight to be "
    if weight.shape[0] < groups:
        raise GradcliError(
            "G021",
            f"{kind}at least {groups} at dimension 0, but got weight of size "
            f"{list(weight.shape)} instead",
        )
    if weight.shape[0] % groups:
        raise GradcliError(
            "G021",
            f"{kind}divisible by {groups} at dimension 0, but got weight of size "
            f"[{list(weight.shape)}] instead",
        )


def _check_operands(x: Node, weight: Node, bias: Node | None, size: int, given: str) -> None:
    """Checks dims, bias and dtypes; `size` is the number of channels of the result."""
    if bias is not None and bias.shape != (size,):
        raise GradcliError(
            "G021",
            f"Given {given}weight of size {list(weight.shape)}, expected bias to be 1-dimensional "
            f"with {size} elements, but got bias of size {list(bias.shape)} instead",
        )
    if bias is not None and bias.dtype is not x.dtype:
        raise GradcliError(
            "G025",
            f"Input type ({C_TYPES[x.dtype]}) and bias type ({C_TYPES[bias.dtype]}) should be the "
            "same",
            help="convert one of them: .to(other.dtype)",
        )
    if weight.dtype is not x.dtype:
        raise other_dtype(x.dtype, weight.dtype)


def check_convolution(
    x: Node, weight: Node, bias: Node | None, padding: Numbers, dilation: Numbers, groups: int
) -> None:
    """Checks ranks, channels, bias, dtypes and sizes of a convolution's operands."""
    check_ranks(x, weight, " ")
    _check_groups(weight, groups)
    if x.shape[1] != weight.shape[1] * groups:
        raise GradcliError(
            "G021",
            f"Given groups={groups}, weight of size {list(weight.shape)}, expected input"
            f"{list(x.shape)} to have {weight.shape[1] * groups} channels, but got {x.shape[1]} "
            "channels instead",
        )
    _check_operands(x, weight, bias, weight.shape[0], "")
    sizes = [n + 2 * p for n, p in zip(x.shape[2:], padding, strict=True)]
    kernel = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    for k, n, own, size in zip(kernel, sizes, weight.shape[2:], x.shape[2:], strict=True):
        if k > n and (bases(k) or bases(n)):
            raise GradcliError(
                "G015",
                f"nothing declared says that a kernel of size {own} fits into a size of {size}",
                help=[
                    "declare the smaller size first: w:1,1,k x:1,1,n",
                    "or give a number: w:1,1,3",
                ],
            )
    if any(k > n for k, n in zip(kernel, sizes, strict=True)):
        raise GradcliError(
            "G021",
            f"Calculated padded input size per channel: ({' x '.join(map(str, sizes))}). Kernel "
            f"size: ({' x '.join(map(str, kernel))}). Kernel size can't be greater than actual "
            "input size",
        )


def check_transposed(x: Node, weight: Node, bias: Node | None, groups: int) -> None:
    """Checks channels, bias and dtypes of a transposed convolution's operands."""
    _check_groups(weight, groups)
    if x.shape[1] != weight.shape[0]:
        raise GradcliError(
            "G021",
            f"Given transposed=1, weight of size {list(weight.shape)}, expected "
            f"input{list(x.shape)} to have {weight.shape[0]} channels, but got {x.shape[1]} "
            "channels instead",
        )
    _check_operands(x, weight, bias, weight.shape[1] * groups, "transposed=1, ")


def check_extra(stride: Numbers, dilation: Numbers, extra: Numbers) -> None:
    """Refuses an output padding that would only add zeros."""
    if all(e < s or e < d for s, d, e in zip(stride, dilation, extra, strict=True)):
        return
    # PyTorch runs one dim as two, the first of which does nothing.
    flat = len(stride) == 1
    values = " ".join(
        f"{name}_{side}: {number}"
        for name, numbers, idle in (
            ("output_padding", extra, 0),
            ("stride", stride, 1),
            ("dilation", dilation, 1),
        )
        for side, number in zip(
            ("height", "width") if len(stride) < 3 else ("depth", "height", "width"),
            (idle, *numbers) if flat else numbers,
            strict=True,
        )
    )
    raise GradcliError(
        "G026",
        f"output padding must be smaller than either stride or dilation, but got {values}",
    )


def check_result(x: Node, result: Node, around: Sequence[tuple[int, int]]) -> None:
    """Refuses a transposed convolution with an empty result."""
    sizes = [n + a + b for n, (a, b) in zip(result.shape[2:], around, strict=True)]
    if min(sizes) < 1:
        flat = [1] if len(sizes) == 1 else []
        given, made = (
            " x ".join(map(str, (*flat, *numbers)))
            for numbers in (x.shape[x.ndim - len(around) :], sizes)
        )
        raise GradcliError(
            "G021",
            f"Given input size per channel: ({given}). Calculated output size per channel: "
            f"({made}). Output size is too small",
        )

"""`torch.masked`: reductions and normalisations of the elements that a mask chooses.

Constraints: composed of other functions. What the mask leaves out becomes the number that does not
change the result; where no element is left the result is that number, or NaN for a mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.constants import ones
from gradcli.functions.types import IInfo
from gradcli.graph.dtype import BOOL, INTEGER, float32, int64
from gradcli.graph.shape import axes_from_right
from gradcli.tensor import registry
from gradcli.tensor.function import composite

LOWEST, HIGHEST = "amax", "amin"
"""Neutral elements that depend on the dtype, by what they are neutral in."""


def _neutral(kind: Any, input: Any, name: str) -> Any:
    if kind not in (LOWEST, HIGHEST):
        return kind
    if input.dtype.category > INTEGER:
        return -math.inf if kind is LOWEST else math.inf
    if input.dtype.category == BOOL:
        raise GradcliError(
            "G025",
            f"identity of {name or kind} on torch.bool input",
            help="convert them: .to(torch.uint8)",
            kind=NotImplementedError,
        )
    limits = IInfo(input.dtype)
    return limits.min if kind is LOWEST else limits.max


def _chosen(input: Any, mask: Any, neutral: Any, name: str = "") -> Any:
    """`input` where `mask` holds, elsewhere the neutral element (of the function `name`)."""
    if mask is None:
        return input
    fill = input.new_tensor(_neutral(neutral, input, name))
    return registry.find("torch.where")(_spread(input, mask), input, fill)


def _spread(input: Any, mask: Any) -> Any:
    if len(mask.shape) > len(input.shape):
        raise GradcliError(
            "G022",
            "_input_mask expected broadcastable mask (got mask dimensionality higher than of the "
            "input)",
            kind=IndexError,
        )
    return mask.expand(input.shape).bool()


def _dims(dim: Any, input: Any) -> tuple[int, ...]:
    """The dims of a reduction, counted from the left, in order; all of them for None and ()."""
    rank = len(input.shape)
    if dim is None or dim == ():
        return tuple(range(rank))
    axes = axes_from_right((dim,) if isinstance(dim, int) else dim, rank)
    return tuple(sorted(a + max(rank, 1) for a in axes))


def _widened(input: Any, dtype: Any) -> Any:
    if dtype is None:
        return int64 if input.dtype.category <= INTEGER else input.dtype
    return dtype


# -- reductions


@composite("masked.sum")
def sum(
    input: Any, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Any:
    """The sum of the chosen elements."""
    kept = _chosen(input, mask, 0)
    return kept.sum(_dims(dim, input), bool(keepdim), dtype=_widened(input, dtype))


@composite("masked.prod")
def prod(
    input: Any, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Any:
    """The product of the chosen elements."""
    result = _chosen(input, mask, 1).to(_widened(input, dtype))
    for axis in reversed(_dims(dim, input)):
        result = result.prod(axis, keepdim=bool(keepdim))
    return result


def _extreme(name: str, neutral: str) -> None:
    reduce = registry.method(name)

    @composite(f"masked.{name}")
    def extreme(
        input: Any, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
    ) -> Any:
        kept = _chosen(input, mask, neutral)
        return reduce(kept, _dims(dim, input), bool(keepdim)).to(dtype or input.dtype)

    extreme.doc = f"The {name} of the chosen elements."


_extreme("amax", LOWEST)
_extreme("amin", HIGHEST)


def _position(name: str, neutral: str) -> None:
    reduce = registry.method(name)

    @composite(f"masked.{name}")
    def position(
        input: Any, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
    ) -> Any:
        found = reduce(_chosen(input, mask, neutral, name), dim, bool(keepdim))
        return found.to(dtype or input.dtype)

    position.doc = f"The {name} of the chosen elements."


_position("argmax", LOWEST)
_position("argmin", HIGHEST)


def _count(input: Any, dim: Any, keepdim: bool, mask: Any) -> Any:
    counted = ones(input.shape, dtype=int64) if mask is None else _spread(input, mask)
    return counted.sum(_dims(dim, input), bool(keepdim))


@composite("masked.mean")
def mean(
    input: Any, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Any:
    """The mean of the chosen elements; NaN where there are none."""
    kind = dtype or input.dtype
    if not kind.differentiable:
        source = "Input" if dtype is None else "Optional"
        raise GradcliError(
            "G025",
            f"mean(): Could not infer output dtype. {source} dtype must be either a floating point "
            f"or complex dtype. Got: {kind!r}",
            kind=ValueError,
        )
    total = sum(input, dim, keepdim=keepdim, dtype=kind, mask=mask)
    return total / _count(input, dim, keepdim, mask)


@composite("masked.median")
def median(
    input: Any, dim: int = -1, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Any:
    """The median of the chosen elements along a dim."""
    kind = input.dtype
    floating = input if kind.is_floating_point else input.to(float32)
    (axis,) = _dims(dim, input)
    result = _chosen(floating, mask, math.nan).nanmedian(axis, keepdim)[0]
    if floating is input:
        return result
    if result.isnan().any():
        raise GradcliError(
            "G025",
            "masked median expects no fully masked out rows if dtype is not floating point",
            kind=ValueError,
        )
    return result.to(dtype or kind)


@composite("masked.norm")
def norm(
    input: Any,
    ord: Any = 2.0,
    dim: Any = None,
    *,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Any = None,
) -> Any:
    """The norm of order `ord` of the chosen elements."""
    kept = _chosen(input, mask, math.inf if ord == -math.inf else 0)
    measure = registry.find("torch.linalg.vector_norm")
    return measure(kept, ord, _dims(dim, input), bool(keepdim), dtype=dtype or input.dtype)


@composite("masked.logsumexp")
def logsumexp(
    input: Any, dim: Any = None, *, keepdim: bool = False, dtype: Any = None, mask: Any = None
) -> Any:
    """The logarithm of the sum of the exponentials of the chosen elements."""
    kept = _chosen(input, mask, LOWEST, "logsumexp")
    return kept.logsumexp(_dims(dim, input), keepdim).to(dtype or input.dtype)


@composite("masked.var")
def var(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Any = None,
) -> Any:
    """The variance of the chosen elements; NaN where there are too few."""
    if unbiased is not None and correction is not None:
        raise GradcliError(
            "G026", "Only one of unbiased and correction may be given", kind=AssertionError
        )
    less = float(unbiased is not False) if correction is None else float(correction)
    kind = dtype or (input.dtype if input.dtype.differentiable else float32)
    compute = kind if kind.differentiable else float32
    centre = sum(input, dim, keepdim=True, dtype=kind, mask=mask)
    apart = input - centre / _count(input, dim, True, mask)
    total = sum(apart * apart.conj(), dim, keepdim=keepdim, dtype=compute, mask=mask)
    count = _count(input, dim, keepdim, mask)
    if less:
        count = (count.to(compute.to_real()) - less).clamp_min(0)
    return (total / count).to(kind)


@composite("masked.std")
def std(
    input: Any,
    dim: Any = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: Any = None,
    mask: Any = None,
) -> Any:
    """The standard deviation of the chosen elements; NaN where there are too few."""
    given = {"correction": correction, "keepdim": keepdim, "dtype": dtype, "mask": mask}
    return var(input, dim, unbiased, **given).sqrt()


# -- normalisations and scans: of the shape of the input


def _along(name: str, run: Callable[..., Any], neutral: Any) -> None:
    @composite(f"masked.{name}")
    def entry(input: Any, dim: int, *, dtype: Any = None, mask: Any = None) -> Any:
        (axis,) = _dims(dim, input) or (0,)
        return run(_chosen(input, mask, neutral), axis, dtype=dtype or input.dtype)

    entry.doc = f"The {name} of the chosen elements."


for _name, _unit in (("cumsum", 0), ("cumprod", 1)):
    _along(_name, registry.method(_name), _unit)
for _name, _end in (("softmax", LOWEST), ("log_softmax", LOWEST), ("softmin", HIGHEST)):
    _along(_name, registry.find(f"torch.nn.functional.{_name}"), _end)


@composite("masked.normalize")
def normalize(
    input: Any, ord: float, dim: int, *, eps: float = 1e-12, dtype: Any = None, mask: Any = None
) -> Any:
    """The chosen elements over their norm of order `ord`, which counts as at least `eps`."""
    size = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return _chosen(input, mask, 0) / size.maximum(size.new_full([], eps))


@composite("masked.logaddexp")
def logaddexp(
    input: Any,
    other: Any,
    *,
    dtype: Any = None,
    input_mask: Any = None,
    other_mask: Any = None,
) -> Any:
    """`log(exp(input) + exp(other))` of the chosen elements."""
    x = _chosen(input, input_mask, LOWEST, "logaddexp")
    y = _chosen(other, other_mask, LOWEST, "logaddexp")
    return x.logaddexp(y).to(dtype or input.dtype)

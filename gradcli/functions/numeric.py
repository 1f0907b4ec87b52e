"""Numerical analysis: differences, slopes, integrals, covariance and correlation.

Constraints: composed of other functions where PyTorch composes them, so that its grad_fn shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.join import cat
from gradcli.functions.nn import div_number, mul_number
from gradcli.graph.dtype import BOOL, FLOATING, INTEGER, SCALAR_TYPES, uint8
from gradcli.graph.node import Node
from gradcli.graph.shape import axes_from_right, axis_from_right, own_axis
from gradcli.ops import elementwise as ops
from gradcli.tensor import Tensor
from gradcli.tensor.function import composite, function
from gradcli.tensor.kinds import AnyTensor, Number
from gradcli.tensor.storing import SCALAR


def _error(sentence: str, code: str = "G026", kind: type[Exception] = RuntimeError) -> GradcliError:
    return GradcliError(code, sentence, kind=kind)


def _between(x: Any, dim: int, start: int, stop: int) -> Any:
    """The part of `x` along `dim` from `start` to `stop`, which counts from the end."""
    return x.narrow(dim, start, max(x.shape[dim] + stop - start, 0))


# -- differences and slopes


@composite("diff", out=SCALAR)
def diff(
    input: Any, n: int = 1, dim: int = -1, prepend: AnyTensor = None, append: AnyTensor = None
) -> Any:
    """The differences of neighbours along `dim`, taken `n` times."""
    if not input.shape:
        raise _error("diff expects input to be at least one-dimensional", "G024")
    if n < 0:
        raise _error(f"order must be non-negative but got {n}")
    axis_from_right(dim, len(input.shape))
    if n == 0:
        return input.new_zeros(input.shape).copy_(input)
    for end in (prepend, append):
        _check_end(input, end, dim)
    ends = [v for v in (prepend, input, append) if v is not None]
    x = cat(ends, dim) if len(ends) > 1 else input
    for _ in range(min(n, x.shape[dim]) or 1):
        before, after = _between(x, dim, 0, -1), _between(x, dim, min(1, x.shape[dim]), 0)
        x = after.logical_xor(before) if x.dtype.category == BOOL else after - before
    return x


def _check_end(x: Any, end: Any, dim: int) -> None:
    """Raises G024 for what cannot stand before or after `x` along `dim`."""
    if end is None:
        return
    if len(end.shape) != len(x.shape):
        raise _error("diff expects prepend or append to be the same dimension as input", "G024")
    for i, (size, own) in enumerate(zip(end.shape, x.shape, strict=True)):
        if size != own and i != dim % len(x.shape):
            raise _error(
                "diff expects the shape of tensor to prepend or append to match that of input "
                f"except along the differencing dimension; input.size({i}) = {own}, but got "
                f"tensor.size({i}) = {size}",
                "G024",
            )


@composite("gradient", method=False, out=None)
def gradient(
    input: Any, *, spacing: Any = None, dim: Any = None, edge_order: int = 1
) -> tuple[Any, ...]:
    """The slope along each of `dim`: central differences inside, one-sided ones at the ends."""
    rank = len(input.shape)
    if input.dtype is uint8:
        raise _error("torch.gradient does not support uint8 input.", "G025")
    dims = (
        list(range(rank)) if dim is None else list(dim if isinstance(dim, (list, tuple)) else [dim])
    )
    axes = axes_from_right(dims, rank)
    spaces = _spaces(spacing, len(axes), rank, dim is None)
    if edge_order not in (1, 2):
        raise _error("torch.gradient only supports edge_order=1 and edge_order=2.")
    if any(input.shape[a] < edge_order + 1 for a in axes):
        raise _error(
            "torch.gradient expected each dimension size to be at least edge_order+1", "G024"
        )
    return tuple(
        _slope(input, axis, space, edge_order) for axis, space in zip(axes, spaces, strict=True)
    )


def _spaces(spacing: Any, count: int, rank: int, everywhere: bool) -> list[Any]:
    """The spacing of each dim: a number, or a tensor of coordinates."""
    if not isinstance(spacing, (list, tuple)):
        return [1 if spacing is None else spacing] * count
    if len(spacing) != count:
        start = "torch.gradient expected spacing to be unspecified, a scalar or "
        if everywhere:
            raise _error(
                f"{start[:-4]}, or a list of length equal to 'self.dim() = {rank}', since dim "
                f"argument was not given, but got a list of length {len(spacing)}"
            )
        raise _error(
            f"{start}it's spacing and dim arguments to have the same length, but got a spacing "
            f"argument of length {len(spacing)} and a dim argument of length {count}."
        )
    return list(spacing)


def _slope(x: Any, axis: int, space: Any, edge_order: int) -> Any:
    even = not isinstance(space, Tensor) or not space.shape
    step = space if even else diff(space).reshape(-1, *[1] * (-axis - 1))
    if even:
        inside = (_between(x, axis, 2, 0) - _between(x, axis, 0, -2)) / (2 * step)
        steps = [step] * 4
    else:
        inside = _uneven(x, axis, step)
        rank = len(x.shape)
        places = (0, min(1, step.shape[0] - 1), -1, max(-2, -step.shape[0]))
        steps = [step[i].reshape([1] * rank) for i in places]
    first = _edge(x, axis, (0, 1, 2), steps[:2], edge_order)
    last = _edge(x, axis, (-1, -2, -3), steps[2:], edge_order, -1)
    return cat([first, inside, last], axis)


def _uneven(x: Any, axis: int, step: Any) -> Any:
    """The slopes between uneven coordinates whose differences are `step`."""
    before, after = step[:-1], step[1:]
    middle = _between(x, axis, 1, -1)
    right = before / (after * (before + after))
    left = after / (before * (before + after))
    both = -left * _between(x, axis, 0, -2) + (after - before) / (before * after) * middle
    return both + right * _between(x, axis, 2, 0)


def _edge(
    x: Any, axis: int, places: Sequence[int], steps: Sequence[Any], edge_order: int, sign: int = 1
) -> Any:
    """The slope at an end: of a line through two points, a parabola through three.

    `sign` is -1 at the last end, from which the steps go back.
    """
    near, next_, *far = (x.narrow(axis, p % x.shape[axis], 1) for p in places[: edge_order + 1])
    a, b = steps
    if not far:
        return (next_ - near if sign == 1 else near - next_) / a
    both = -sign * (2 * a + b) / (a * (a + b)) * near + sign * (a + b) / (a * b) * next_
    return both - sign * a / (b * (a + b)) * far[0]


# -- integrals


def _trapezoids(name: str, whole: bool) -> Any:
    def integral(y: Any, x: Any = None, *, dx: Number | None = None, dim: int = -1) -> Any:
        if y.dtype.category == BOOL and not (whole and not y.shape):
            raise _error(f"{name}: received a bool input for `y`, but bool is not supported")
        own_axis(dim, y.ndim)
        if x is not None and dx is not None:
            raise _error(
                f"{name}() received an invalid combination of arguments - got (Tensor, Tensor, "
                f"dx={type(dx).__name__}), but expected one of:",
                "G013",
                TypeError,
            )
        if isinstance(dx, (bool, complex)) and name != "trapz":
            raise _error(f"{name}: Currently, we only support dx as a real number.")
        axis = axis_from_right(dim, len(y.shape))
        if whole and x is None and y.shape[axis]:
            ends = y.select(axis, 0) + y.select(axis, -1)
            total = y.sum(axis) - mul_number(ends, 0.5)
            return mul_number(total, 1 if dx is None else dx)
        heights = _between(y, axis, min(1, y.shape[axis]), 0) + _between(y, axis, 0, -1)
        if whole and y.shape[axis] == 0:
            return heights.sum(axis) * 0.5
        if x is None:
            width = 1 if dx is None else dx
            return mul_number(heights, width / 2).cumsum(axis)
        areas = heights * _widths(name, x, y, axis)
        return div_number(areas.sum(axis) if whole else areas.cumsum(axis), 2)

    what = "integral" if whole else "running integral"
    integral.__doc__ = f"The {what} along `dim` by the trapezoidal rule, for `x` or steps of `dx`."
    return integral


def _widths(name: str, x: Any, y: Any, axis: int) -> Any:
    """The distances of the points `x`, to multiply along `axis` of `y`."""
    if len(x.shape) == 1:
        if x.shape[0] != y.shape[axis]:
            raise _error(f"{name}: There must be one `x` value for each sample point", "G024")
        return diff(x).reshape(-1, *[1] * (-axis - 1))
    return diff(x, dim=axis) if len(x.shape) >= -axis else diff(x)


trapezoid = composite("trapezoid", method=False, out=None)(_trapezoids("trapezoid", True))
composite("trapz", method=False, out=None)(_trapezoids("trapz", True))
cumulative_trapezoid = composite("cumulative_trapezoid", method=False, out=None)(
    _trapezoids("cumulative_trapezoid", False)
)


# -- covariance


@composite("cov", out=None)
def cov(
    input: Any, *, correction: int = 1, fweights: AnyTensor = None, aweights: AnyTensor = None
) -> Any:
    """The covariances of variables (rows) over observations (columns)."""
    if len(input.shape) > 2:
        raise _error(
            "cov(): expected input to have two or fewer dimensions but got an input with "
            f"{len(input.shape)} dimensions",
            "G024",
        )
    if input.dtype.category == BOOL:
        raise _error("cov(): bool dtype is not supported for input", "G025")
    x = input if len(input.shape) == 2 else input.reshape(1, -1)
    weight = _weights(x, fweights, aweights)
    total = x.shape[1] if weight is None else weight.sum()
    if weight is None:
        mean = x.sum(1, keepdim=True) / total
        freedom: Any = max(total - correction, 0)
    else:
        mean = (x * weight).sum(1, keepdim=True) / total
        freedom = _freedom(total, weight, aweights, correction)
    centred = x - mean
    weighted = centred if weight is None else centred * weight
    return (weighted @ centred.t().conj() / freedom).squeeze()


def _freedom(total: Any, weight: Any, aweights: Any, correction: int) -> Any:
    taken = correction if aweights is None else correction * (weight * aweights).sum() / total
    return (total - taken).clamp(min=0)


def _weights(x: Any, fweights: Any, aweights: Any) -> Any:
    """The product of both kinds of weights; None for none."""
    found = None
    kinds = (("fweights", fweights, INTEGER, "integral"), ("aweights", aweights, FLOATING, ""))
    for name, given, category, word in kinds:
        if given is None:
            continue
        if len(given.shape) > 1:
            raise _error(
                f"cov(): expected {name} to have one or fewer dimensions but got {name} with "
                f"{len(given.shape)} dimensions",
                "G024",
            )
        if given.dtype.category != category:
            raise _error(
                f"cov(): expected {name} to have {word or 'floating point'} dtype but got {name} "
                f"with {SCALAR_TYPES[given.dtype]} dtype",
                "G025",
            )
        if given.numel() != x.shape[1]:
            raise _error(
                f"cov(): expected {name} to have the same numel as there are observations in the "
                f"input but got {given.numel()} != {x.shape[1]}",
                "G024",
            )
        if bool((given < 0).any()):
            raise _error(f"cov(): {name} cannot be negative")
        found = given if found is None else found * given
    return found


@composite("corrcoef", out=None)
def corrcoef(input: Any) -> Any:
    """The correlations of variables (rows) over observations (columns)."""
    if len(input.shape) > 2:
        raise _error(
            "corrcoef(): expected input to have two or fewer dimensions but got an input with "
            f"{len(input.shape)} dimensions",
            "G024",
        )
    found = cov(input)
    if not found.shape:
        return found / found
    size = found.diagonal().real.sqrt() if found.dtype.is_complex else found.diagonal().sqrt()
    scaled = found / size.unsqueeze(1) / size.unsqueeze(0)
    if not scaled.dtype.is_complex:
        return scaled.clip(-1, 1)
    parts = (scaled.real.clip(-1, 1), scaled.imag.clip(-1, 1))
    return _joined(*parts)


@function("Tensor._joined", shown="complex")
def _joined(input: Any, other: Any) -> Node:
    return ops.make_complex(input, other)

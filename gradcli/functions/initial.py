"""`torch.nn.init`: writes the first values of a network's parameters.

Constraints: no gradient is recorded; the same seed gives PyTorch's numbers. Names without the
underscore are PyTorch's older ones.
"""

from __future__ import annotations

import math
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.constants import empty, empty_like, eye
from gradcli.functions.decompositions import qr
from gradcli.functions.random import randperm
from gradcli.graph.node import current
from gradcli.graph.shape import numel
from gradcli.tensor.function import Function, composite


def _initial(body: Any) -> Function:
    """An entry `nn.init.NAME_`; its body runs without recording."""
    return _named(body, body.__name__)


def _initial_of_old(body: Any) -> Function:
    """The same of two names: PyTorch's first versions called it `NAME`."""
    return _named(body, body.__name__, body.__name__[:-1])


def _named(body: Any, *names: str) -> Function:
    def write(tensor: Any, *args: Any, **kwargs: Any) -> Any:
        before, current.tracking = current.tracking, False
        try:
            body(tensor, *args, **kwargs)
        finally:
            current.tracking = before
        return tensor

    write.__wrapped__ = body  # type: ignore[attr-defined]
    write.__doc__ = body.__doc__
    return composite(*[f"nn.init.{name}" for name in names], method=False)(write)


def _require(fits: bool, sentence: str) -> None:
    if not fits:
        raise GradcliError("G026", sentence, kind=ValueError)


@_initial_of_old
def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0, generator: Any = None) -> None:
    """Uniform between `a` and `b`."""
    tensor.uniform_(a, b, generator=generator)


@_initial_of_old
def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> None:
    """Normal."""
    tensor.normal_(mean, std, generator=generator)


@_initial_of_old
def constant_(tensor: Any, val: float) -> None:
    """One number everywhere."""
    tensor.fill_(val)


@_initial
def ones_(tensor: Any) -> None:
    """1 everywhere."""
    tensor.fill_(1.0)


@_initial
def zeros_(tensor: Any) -> None:
    """0 everywhere."""
    tensor.zero_()


@_initial_of_old
def eye_(tensor: Any) -> None:
    """The identity matrix."""
    _require(len(tensor.shape) == 2, "Only tensors with 2 dimensions are supported")
    tensor.copy_(eye(*tensor.shape))


@_initial_of_old
def dirac_(tensor: Any, groups: int = 1) -> None:
    """The kernel of a convolution that keeps channels as they are."""
    rank = len(tensor.shape)
    _require(rank in (3, 4, 5), "Only tensors with 3, 4, or 5 dimensions are supported")
    _require(tensor.shape[0] % groups == 0, "dim 0 must be divisible by groups")
    size = tensor.shape[0] // groups
    middle = tuple(n // 2 for n in tensor.shape[2:])
    tensor.zero_()
    for group in range(groups):
        for channel in range(min(size, tensor.shape[1])):
            tensor[(group * size + channel, channel, *middle)] = 1


# -- scaled by the number of inputs and outputs


def _fans(tensor: Any) -> tuple[int, int]:
    """How many elements an output is computed from, and an input goes to."""
    _require(
        len(tensor.shape) > 1,
        "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions",
    )
    field = numel(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


GAINS = {
    **dict.fromkeys((f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)), 1),
    **{"linear": 1, "sigmoid": 1, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4},
}


@composite("nn.init.calculate_gain", method=False)
def calculate_gain(nonlinearity: str, param: Any = None) -> float:
    """The factor that keeps the variance through a layer with this activation."""
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        fits = isinstance(slope, (int, float)) and not isinstance(slope, bool)
        _require(fits, f"negative_slope {slope} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    _require(nonlinearity in GAINS, f"Unsupported nonlinearity {nonlinearity}")
    return GAINS[nonlinearity]


def _glorot(tensor: Any, gain: float) -> float:
    return gain * math.sqrt(2.0 / float(sum(_fans(tensor))))


@_initial_of_old
def xavier_uniform_(tensor: Any, gain: float = 1.0, generator: Any = None) -> None:
    """Uniform, with the variance of Glorot & Bengio 2010."""
    bound = math.sqrt(3.0) * _glorot(tensor, gain)
    tensor.uniform_(-bound, bound, generator=generator)


@_initial_of_old
def xavier_normal_(tensor: Any, gain: float = 1.0, generator: Any = None) -> None:
    """Normal, with the variance of Glorot & Bengio 2010."""
    tensor.normal_(0.0, _glorot(tensor, gain), generator=generator)


def _he(tensor: Any, a: float, mode: str, nonlinearity: str) -> float:
    modes = ["fan_in", "fan_out"]
    _require(mode.lower() in modes, f"Mode {mode.lower()} not supported, please use one of {modes}")
    fan = _fans(tensor)[modes.index(mode.lower())]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)  # type: ignore[no-any-return]


@_initial_of_old
def kaiming_uniform_(
    tensor: Any,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> None:
    """Uniform, with the variance of He et al. 2015."""
    if 0 not in tensor.shape:
        bound = math.sqrt(3.0) * _he(tensor, a, mode, nonlinearity)
        tensor.uniform_(-bound, bound, generator=generator)


@_initial_of_old
def kaiming_normal_(
    tensor: Any,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> None:
    """Normal, with the variance of He et al. 2015."""
    if 0 not in tensor.shape:
        tensor.normal_(0, _he(tensor, a, mode, nonlinearity), generator=generator)


# -- redrawn, orthogonal, sparse


def _normal_share(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


@_initial
def trunc_normal_(
    tensor: Any,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Any = None,
) -> None:
    """Normal, drawn again until it lies between `a` and `b`."""
    share = _normal_share((b - mean) / std) - _normal_share((a - mean) / std)
    if share > 0.3:
        _until_inside(tensor, mean, std, (a, b), generator)
    else:
        _by_rejection(tensor, mean, std, (a, b), generator)


def _until_inside(
    tensor: Any, mean: float, std: float, ends: tuple[float, float], generator: Any
) -> None:
    low, high = (tensor.new_tensor(v).item() for v in ends)
    tensor.normal_(mean, std, generator=generator)
    while (outside := (tensor < low) | (tensor > high)).any():
        again = empty_like(tensor).normal_(mean, std, generator=generator)
        tensor.copy_(again.where(outside, tensor))


def _by_rejection(
    tensor: Any, mean: float, std: float, ends: tuple[float, float], generator: Any
) -> None:
    """Uniform candidates, each kept with the density's share of its peak."""
    a, b = ends
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    tensor.uniform_(a, b, generator=generator)
    candidates, pending = tensor.clone(), None
    while True:
        height = ((candidates - mean) / std) ** 2 * -0.5 - peak
        lost = empty_like(tensor).uniform_(generator=generator).log_() > height
        pending = lost if pending is None else lost & pending
        if not pending.any():
            return
        candidates = empty_like(tensor).uniform_(a, b, generator=generator)
        tensor.copy_(candidates.where(pending, tensor))


@_initial_of_old
def orthogonal_(tensor: Any, gain: float = 1, generator: Any = None) -> None:
    """A matrix with orthonormal rows or columns (Saxe et al. 2013), times `gain`."""
    _require(len(tensor.shape) > 1, "Only tensors with 2 or more dimensions are supported")
    if not numel(tensor.shape):
        return
    rows, columns = tensor.shape[0], numel(tensor.shape[1:])
    drawn = empty(rows, columns, dtype=tensor.dtype).normal_(0, 1, generator=generator)
    q, r = qr(drawn.t() if rows < columns else drawn)
    q = q * r.diagonal().sign()
    q = q.t() if rows < columns else q
    tensor.copy_((q * gain).reshape(tensor.shape))


@_initial_of_old
def sparse_(tensor: Any, sparsity: float, std: float = 0.01, generator: Any = None) -> None:
    """Normal, with the share `sparsity` of each column set to 0."""
    _require(len(tensor.shape) == 2, "Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    tensor.normal_(0, std, generator=generator)
    for column in range(columns):
        tensor[randperm(rows)[: math.ceil(sparsity * rows)], column] = 0

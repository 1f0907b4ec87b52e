"""Windows for spectral analysis: `hann_window` and its kind, and `torch.signal.windows`.

Constraints: leaf tensors of one dim, in float32 or float64; computed in that dtype step by step as
PyTorch does. `periodic` (`sym=False`) leaves out the last element of the symmetric window.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.constants import arange, empty, linspace, ones
from gradcli.functions.create import dtype_or_default, tensor
from gradcli.functions.shape import whole
from gradcli.graph.dtype import DType, float32, float64
from gradcli.tensor import registry
from gradcli.tensor.function import composite

i0 = registry.find("torch.i0")

Shape = Callable[..., Any]
"""The numbers of a window from its size and options."""


# -- torch.hann_window and its kind: of the numbers from 0 to size - 1


def _window(name: str, shape: Shape, words: str, **parameters: float) -> None:
    def window(
        window_length: int,
        periodic: bool = True,
        *args: float,
        dtype: Any = None,
        requires_grad: bool = False,
        device: Any = None,
        layout: Any = None,
        **options: Any,
    ) -> Any:
        kind = dtype_or_default(dtype)
        count = _length(name, window_length, kind)
        given = dict(zip(parameters, args, strict=False)) | options
        if len(args) > len(parameters) or given.keys() - parameters.keys():
            sentence = f"{name}() received an invalid combination of arguments"
            raise GradcliError("G013", sentence, help=f"gradcli ops {name}", kind=TypeError)
        if count < 2:
            return ones(count, dtype=kind, requires_grad=requires_grad)
        size = count + bool(periodic)
        values = shape(arange(size, dtype=kind), size - 1, **given)[:count]
        return values.clone().requires_grad_(requires_grad)

    composite(name, method=False, out=None)(_shown(window, words, parameters))


def _shown(body: Any, words: str, parameters: dict[str, Any]) -> Any:
    """`body`, said to take `parameters` in the place of its `*args` and `**options`."""
    body.__doc__, body.__signature__ = words, _signature(body, parameters)
    return body


def _signature(body: Any, parameters: dict[str, Any]) -> Any:
    import inspect

    given = inspect.signature(body)
    kind: Any = inspect.Parameter.KEYWORD_ONLY
    kept, tail = [], []
    for parameter in given.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        elif parameter.kind is parameter.KEYWORD_ONLY:
            tail.append(parameter)
        elif parameter.kind is not parameter.VAR_KEYWORD:
            kept.append(parameter)
    own = [inspect.Parameter(name, kind, default=value) for name, value in parameters.items()]
    return given.replace(parameters=[*kept, *own, *tail])


def _length(name: str, length: Any, kind: DType) -> int:
    count = whole(length)
    if not kind.differentiable:
        raise GradcliError("G025", f"{name} expects floating point dtypes, got: {kind!r}")
    if count < 0:
        raise GradcliError(
            "G024", f"{name} requires non-negative window_length, got window_length={count}"
        )
    return count


def _hann(n: Any, last: int) -> Any:
    return _hamming(n, last, 0.5, 0.5)


def _hamming(n: Any, last: int, alpha: float = 0.54, beta: float = 0.46) -> Any:
    return (n * (math.pi * 2 / last)).cos() * -beta + alpha


def _blackman(n: Any, last: int) -> Any:
    angle = n * (math.pi / last)
    return (angle * 4).cos() * 0.08 - (angle * 2).cos() * 0.5 + 0.42


def _bartlett(n: Any, last: int) -> Any:
    rising = n * (2 / last)
    return rising.where(n <= last // 2, 2 - rising)


def _kaiser(n: Any, last: int, beta: float = 12.0) -> Any:
    place = n * (2 / last) - 1
    return i0((1 - place * place).sqrt() * beta) / i0(tensor(beta, dtype=n.dtype))


_window("hann_window", _hann, "The Hann window: `(1 - cos(2*pi*n/N))/2`.")
_window("hamming_window", _hamming, "`alpha - beta*cos(2*pi*n/N)`.", alpha=0.54, beta=0.46)
_window("blackman_window", _blackman, "The Blackman window: `0.42 - cos(2*pi*n/N)/2 + ...`.")
_window("bartlett_window", _bartlett, "The Bartlett window: a triangle.")
_window("kaiser_window", _kaiser, "The Kaiser window with parameter `beta`.", beta=12.0)


# -- torch.signal.windows: of numbers that are evenly spaced from the start


class Places:
    """Where a window is computed: evenly spaced numbers of one dtype, which may be a leaf."""

    def __init__(self, kind: DType, requires_grad: bool) -> None:
        self.kind = kind
        self.requires_grad = requires_grad

    def between(self, start: Any, end: Any, size: int) -> Any:
        """`size` numbers from `start` to `end`."""
        return linspace(start, end, size, dtype=self.kind, requires_grad=self.requires_grad)

    def spaced(self, start: float, step: float, size: int) -> Any:
        """`size` numbers from `start` on, `step` apart."""
        return self.between(start, start + (size - 1) * step, size)


def _signal(name: str, shape: Shape, words: str, single: bool = True, **parameters: Any) -> None:
    """`single`: a window of one element is 1 whatever the parameters say."""

    def window(
        M: int,
        *,
        sym: bool = True,
        dtype: Any = None,
        requires_grad: bool = False,
        device: Any = None,
        layout: Any = None,
        **options: Any,
    ) -> Any:
        kind = dtype_or_default(dtype)
        size = _size(name, M, kind)
        given = parameters | options
        _check(name, sym, **given)
        if size == 0 or (size == 1 and single):
            made = ones if size else empty
            return made(size, dtype=kind, requires_grad=requires_grad)
        last = size if not sym and size > 1 else size - 1
        return shape(size, last, Places(kind, requires_grad), **given)

    composite(f"signal.windows.{name}")(_shown(window, words, parameters))


def _size(name: str, size: Any, kind: DType) -> int:
    count = whole(size)
    said = ""
    if count < 0:
        said = f"requires non-negative window length, got M={count}"
    elif kind not in (float32, float64):
        said = f"expects float32 or float64 dtypes, got: {kind!r}"
    if said:
        raise GradcliError("G026", f"{_CHECKED_AS.get(name, name)} {said}", kind=ValueError)
    return count


_CHECKED_AS = {name: "general_cosine" for name in ("hamming", "hann", "nuttall", "general_hamming")}
"""The window whose name PyTorch's messages say."""


def _check(name: str, sym: bool, **given: Any) -> None:
    said, kind = "", ValueError
    if name == "exponential" and given["tau"] <= 0:
        said = f"Tau must be positive, got: {given['tau']} instead."
    elif name == "exponential" and sym and given["center"] is not None:
        said = "Center must be None for symmetric windows"
    elif name == "gaussian" and given["std"] <= 0:
        said = f"Standard deviation must be positive, got: {given['std']} instead."
    elif name == "kaiser" and given["beta"] < 0:
        said = f"beta must be non-negative, got: {given['beta']} instead."
    elif name == "general_cosine" and not isinstance(given["a"], (list, tuple)):
        said, kind = "Coefficients must be a list/tuple", TypeError  # type: ignore[assignment]
    elif name == "general_cosine" and not given["a"]:
        said = "Coefficients cannot be empty"
    if said:
        raise GradcliError("G026", said, kind=kind)


def _exponential(size: int, last: int, at: Places, center: Any, tau: float) -> Any:
    middle = last / 2 if center is None else center
    return (-at.spaced(-middle / tau, 1 / tau, size).abs()).exp()


def _cosine(size: int, last: int, at: Places) -> Any:
    step = math.pi / (last + 1)
    return at.spaced(0.5 * step, step, size).sin()


def _gaussian(size: int, last: int, at: Places, std: float) -> Any:
    step = 1 / (std * math.sqrt(2))
    return (-(at.spaced(-last / 2 * step, step, size) ** 2)).exp()


def _kaiser_of(size: int, last: int, at: Places, beta: float) -> Any:
    width = tensor(beta, dtype=at.kind)
    step = 2 * width / last
    end = width.minimum(-width + (size - 1) * step)
    places = at.between(-width, end, size)
    return i0((width * width - places**2).sqrt()) / i0(width)


def _bartlett_of(size: int, last: int, at: Places) -> Any:
    return 1 - at.spaced(-1, 2 / last, size).abs()


def _general_cosine(size: int, last: int, at: Places, a: Any) -> Any:
    angles = at.between(0, (size - 1) * (2 * math.pi / last), size)
    weights = tensor([(-1) ** i * w for i, w in enumerate(a)], dtype=at.kind)
    turns = arange(len(a), dtype=at.kind).unsqueeze(-1) * angles
    return (weights.unsqueeze(-1) * turns.cos()).sum(0)


def _general_hamming(size: int, last: int, at: Places, alpha: float) -> Any:
    return _general_cosine(size, last, at, [alpha, 1 - alpha])


def _cosines(*a: float) -> Shape:
    return lambda size, last, at: _general_cosine(size, last, at, a)


_signal("exponential", _exponential, "`exp(-|n - center|/tau)`.", False, center=None, tau=1.0)
_signal("cosine", _cosine, "Half a period of a sine.", single=False)
_signal("gaussian", _gaussian, "`exp(-(n/std)**2/2)` around the middle.", single=False, std=1.0)
_signal("kaiser", _kaiser_of, "The Kaiser window with parameter `beta`.", beta=12.0)
_signal("bartlett", _bartlett_of, "A triangle.")
_signal("general_cosine", _general_cosine, "A sum of cosines with the weights `a`.", a=())
_signal("general_hamming", _general_hamming, "`alpha - (1-alpha)*cos(2*pi*n/N)`.", alpha=0.54)
for _name, _weights in {
    "hamming": (0.54, 0.46),
    "hann": (0.5, 0.5),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
}.items():
    _signal(_name, _cosines(*_weights), f"The {_name.capitalize()} window, a sum of cosines.")

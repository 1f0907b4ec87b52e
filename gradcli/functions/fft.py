"""`torch.fft`: discrete Fourier transforms of real and complex tensors.

Constraints: composed of three ops (complex to complex, from real, to real) as PyTorch composes
them, so that grad_fn names agree. `norm` is None or "backward", "ortho", "forward".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import SCALAR_TYPES, default
from gradcli.graph.node import Node
from gradcli.graph.shape import own_axis
from gradcli.ops import fft as own
from gradcli.tensor import registry
from gradcli.tensor.function import Function, composite, function
from gradcli.tensor.function import tensor_operand as tensor
from gradcli.tensor.layout import dense
from gradcli.tensor.storing import CAST, SPECTRA, SPECTRUM, Out
from gradcli.tensor.wrapping import in_order

SCALES: dict[tuple[str | None, bool], str] = {
    **{(None, True): "none", ("backward", True): "none", ("forward", True): "all"},
    **{(None, False): "all", ("backward", False): "all", ("forward", False): "none"},
    **{("ortho", True): "root", ("ortho", False): "root"},
}
"""(`norm`, forward?) -> what the sums are divided by."""
Sizes = Sequence[int] | None


def _scale(norm: Any, forward: bool) -> str:
    found = SCALES.get((norm, forward)) if norm is None or isinstance(norm, str) else None
    if found is None:
        raise GradcliError("G026", f'Invalid normalization mode: "{norm}"')
    return found


# -- the three transforms, each one grad_fn


@function("Tensor._fft_c2c", shown="fft_c2c")
def _of_complex(input: Any, axes: tuple[int, ...], scale: str, forward: bool) -> Node:
    return own.transform(input, axes=axes, scale=scale, forward=forward)


@function("Tensor._fft_r2c", shown="fft_r2c")
def _of_real(input: Any, axes: tuple[int, ...], scale: str, half: bool) -> Node:
    return own.from_real(input, axes=axes, scale=scale, half=half)


@function("Tensor._fft_c2r", shown="fft_c2r")
def _into_real(input: Any, axes: tuple[int, ...], scale: str, size: int) -> Node:
    return own.to_real(input, axes=axes, scale=scale, size=size)


def _transform(x: Any, axes: tuple[int, ...], scale: str, forward: bool) -> Any:
    """Of complex numbers."""
    return in_order(_of_complex(x, axes, scale, forward), _together(x, axes))


def _from_real(x: Any, axes: tuple[int, ...], scale: str, half: bool) -> Any:
    """Of real numbers."""
    inner = [*_outwards(x.stride(), axes[:-1]), axes[-1]]
    return in_order(_of_real(x, axes, scale, half), _around(x.stride(), inner))


def _to_real(x: Any, axes: tuple[int, ...], scale: str, size: int) -> Any:
    """To real numbers."""
    strides = dense(x.shape, _together(x, axes[:-1])) if len(axes) > 1 else x.stride()
    return in_order(_into_real(x, axes, scale, size), _around(strides, axes[-1:]))


# -- where a library writes the results: the axes that it transforms lie innermost


def _together(x: Any, axes: Sequence[int]) -> list[int]:
    return _around(x.stride(), _outwards(x.stride(), axes))


def _around(strides: Sequence[int], axes: Sequence[int]) -> list[int]:
    """All dims from the outermost in memory inwards, `axes` last."""
    inner = [axis % len(strides) for axis in axes]
    return [*_outwards(strides, [d for d in range(len(strides)) if d not in inner]), *inner]


def _outwards(strides: Sequence[int], dims: Sequence[int]) -> list[int]:
    return sorted(dims, key=lambda dim: -strides[dim])


# -- operands


def _operand(input: Any, *, complex: bool = False) -> Any:
    """The tensor with a floating-point dtype, complex if asked for."""
    dtype = tensor(input.node).dtype
    if dtype.wider is not None:
        raise GradcliError("G025", f"Unsupported dtype {SCALAR_TYPES[dtype]}")
    wanted = dtype if dtype.differentiable else default.dtype
    wanted = wanted.to_complex() if complex else wanted
    return input if wanted is dtype else input.to(wanted)


def _real_only(input: Any, sentence: str) -> Any:
    if input.dtype.is_complex:
        raise GradcliError("G025", f"{sentence}{SCALAR_TYPES[input.dtype]}")
    return _operand(input)


def _points(count: int) -> int:
    if count < 1:
        raise GradcliError("G026", f"Invalid number of data points ({count}) specified")
    return count


def _axes(x: Any, s: Sizes, dim: Sizes) -> tuple[tuple[int, ...], list[int]]:
    """The axes of a transform, and the size that its input has along each."""
    s = None if s is None else [s] if isinstance(s, int) else list(s)
    dim = None if dim is None else [dim] if isinstance(dim, int) else list(dim)
    rank = x.dim()
    if s is not None and dim is not None and len(s) != len(dim):
        raise GradcliError("G013", "When given, dim and shape arguments must have the same length")
    if s is not None and len(s) > rank:
        raise GradcliError(
            "G013",
            f"Got shape with {len(s)} values but input tensor only has {rank} dimensions.",
        )
    if dim is None:
        dim = range(-rank if s is None else -len(s), 0)
    axes = tuple(own_axis(d, x.dim()) for d in dim)
    if len(set(axes)) < len(axes):
        raise GradcliError("G023", "FFT dims must be unique")
    sizes = [x.shape[a] for a in axes] if s is None else list(s)
    return axes, [x.shape[a] if n == -1 else n for a, n in zip(axes, sizes, strict=True)]


def _fitted(x: Any, axes: Sequence[int], sizes: Sequence[int]) -> Any:
    """`x` cut off, or filled up with zeros, to `sizes` along `axes`."""
    padding = [0] * (2 * x.dim())
    for axis, size in zip(axes, sizes, strict=True):
        have = x.shape[axis]
        if size < have:
            x = x.narrow(axis, 0, size)
        padding[2 * (-axis - 1) + 1] = max(0, size - have)
    return padded(x, padding) if any(padding) else x


def padded(x: Any, padding: Sequence[int], mode: str = "constant") -> Any:
    """`x` with numbers before and after it, as `torch.nn.functional.pad`."""
    return registry.find("torch.nn.functional.pad")(x, padding, mode)


# -- along one dim


def _one(
    name: str, forward: bool, body: Callable[[Any, int, Any, str], Any], **options: Any
) -> Function:
    def entry(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Any:
        return body(input, own_axis(dim, input.dim()), n, _scale(norm, forward))

    entry.__doc__ = f"The transform `{name}` along `dim`, of `n` points."
    return composite(f"fft.{name}", method=False, **options)(entry)


def _full(forward: bool) -> Callable[[Any, int, Any, str], Any]:
    def body(input: Any, axis: int, n: Any, scale: str) -> Any:
        x = _operand(input)
        x = _fitted(x, [axis], [_points(x.shape[axis] if n is None else n)])
        if x.dtype.is_complex:
            return _transform(x, (axis,), scale, forward)
        found = _from_real(x, (axis,), scale, False)
        return found if forward else found.conj()

    return body


def _halved(name: str, conjugate: bool) -> Callable[[Any, int, Any, str], Any]:
    def body(input: Any, axis: int, n: Any, scale: str) -> Any:
        x = _real_only(input, f"{name} expects a real input tensor, but got ")
        x = _fitted(x, [axis], [_points(x.shape[axis] if n is None else n)])
        found = _from_real(x, (axis,), scale, True)
        return found.conj() if conjugate else found

    return body


def _restored(conjugate: bool) -> Callable[[Any, int, Any, str], Any]:
    def body(input: Any, axis: int, n: Any, scale: str) -> Any:
        x = _operand(input, complex=True)
        size = _points(2 * (x.shape[axis] - 1) if n is None else n)
        x = _fitted(x, [axis], [size // 2 + 1])
        return _to_real(x.conj() if conjugate else x, (axis,), scale, size)

    return body


fft = _one("fft", True, _full(True), out=SPECTRUM)
ifft = _one("ifft", False, _full(False), out=SPECTRUM)
rfft, ihfft = (
    _one("rfft", True, _halved("rfft", False), out=SPECTRUM),
    _one("ihfft", False, _halved("ihfft", True), out=SPECTRUM),
)
irfft, hfft = _one("irfft", False, _restored(False)), _one("hfft", True, _restored(True))

# -- along several dims


def _several(
    name: str, forward: bool, body: Callable[[Any, Sizes, Sizes, str], Any], *out: Out
) -> None:
    """`fft2` and `fftn`: the last two dims by default, or all of them; `out` of each."""
    rules = out or (CAST, CAST)
    for ending, usual, rule in zip("2n", ((-2, -1), None), rules, strict=True):

        def entry(input: Any, s: Sizes = None, dim: Sizes = usual, norm: str | None = None) -> Any:
            return body(input, s, dim, _scale(norm, forward))

        entry.__doc__ = f"The transform `{name}` along several dims, of `s` points."
        composite(f"fft.{name}{ending}", method=False, out=rule)(entry)


def _needs_axes(name: str, axes: tuple[int, ...]) -> None:
    if not axes:
        raise GradcliError("G013", f"{name} must transform at least one axis")


def _full_n(forward: bool) -> Callable[[Any, Sizes, Sizes, str], Any]:
    def body(input: Any, s: Sizes, dim: Sizes, scale: str) -> Any:
        x = _operand(input, complex=True)
        axes, sizes = _axes(x, s, dim)
        return _transform(_fitted(x, axes, [_points(n) for n in sizes]), axes, scale, forward)

    return body


def _rfftn(input: Any, s: Sizes, dim: Sizes, scale: str) -> Any:
    x = _real_only(input, "rfftn expects a real-valued input tensor, but got ")
    axes, sizes = _axes(x, s, dim)
    _needs_axes("rfftn", axes)
    return _from_real(_fitted(x, axes, [_points(n) for n in sizes]), axes, scale, True)


def _ihfftn(input: Any, s: Sizes, dim: Sizes, scale: str) -> Any:
    x = _real_only(input, "Only supports floating-point dtypes, but found: ")
    axes, sizes = _axes(x, s, dim)
    _needs_axes("ihfftn", axes)
    x = _fitted(x, axes, [_points(n) for n in sizes])
    found = _from_real(x, axes[-1:], scale, True)
    if len(axes) == 1:
        return found.conj()
    return _transform(found.conj_physical(), axes[:-1], scale, False)


def _spectrum(name: str, input: Any, s: Sizes, dim: Sizes) -> tuple[Any, tuple[int, ...], int]:
    """Half of a Hermitian spectrum, its axes, and the size of the last one of the result."""
    x = _operand(input, complex=True)
    axes, sizes = _axes(x, s, dim)
    _needs_axes(name, axes)
    last = list(s)[-1] if isinstance(s, (list, tuple)) else s
    size = _points(2 * (x.shape[axes[-1]] - 1) if last in (None, -1) else sizes[-1])
    for count in sizes[:-1]:
        _points(count)
    return _fitted(x, axes, [*sizes[:-1], size // 2 + 1]), axes, size


def _irfftn(input: Any, s: Sizes, dim: Sizes, scale: str) -> Any:
    x, axes, size = _spectrum("irfftn", input, s, dim)
    return _to_real(x, axes, scale, size)


def _hfftn(input: Any, s: Sizes, dim: Sizes, scale: str) -> Any:
    x, axes, size = _spectrum("hfftn", input, s, dim)
    if len(axes) > 1:
        x = _transform(x, axes[:-1], scale, True)
    return _to_real(x.conj(), axes[-1:], scale, size)


_several("fft", True, _full_n(True), SPECTRA, SPECTRUM)
_several("ifft", False, _full_n(False), SPECTRA, SPECTRUM)
_several("rfft", True, _rfftn, CAST, SPECTRUM)
_several("irfft", False, _irfftn)
_several("hfft", True, _hfftn)
_several("ihfft", False, _ihfftn, CAST, SPECTRUM)

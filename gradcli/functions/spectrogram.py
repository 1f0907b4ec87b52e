"""Short-time Fourier transforms, and back.

Constraints: composed as PyTorch composes them: frames of the padded signal, times the window,
transformed; back, the frames are added up and divided by the windows' own sum.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions import fft
from gradcli.graph.dtype import SCALAR_TYPES
from gradcli.graph.node import Node
from gradcli.ops.matrices import transposed
from gradcli.ops.movement import reshape
from gradcli.ops.window import overlap_add
from gradcli.tensor import levels, registry
from gradcli.tensor.function import composite, function
from gradcli.tensor.wrapping import in_columns

LEAST_ENVELOPE = 1e-11
"""The smallest sum of squared windows that `istft` divides by."""


def _call(name: str, x: Any, said: dict[str, Any]) -> str:
    """The call as PyTorch's errors quote it."""

    def written(value: Any) -> str:
        if isinstance(value, bool):
            return str(int(value))
        if hasattr(value, "node"):
            return f"torch.{SCALAR_TYPES[value.dtype]}Tensor{{{list(value.shape)}}}"
        return str(value)

    parts = [f"{key}={written(value)}" for key, value in said.items()]
    kind, sizes = SCALAR_TYPES[x.dtype], ", ".join(map(str, x.shape))
    shown = f"CPU{kind}Type[{sizes}]" if name == "istft" else f"torch.{kind}Tensor[{sizes}]"
    return f"{name}({shown}, {', '.join(parts)})"


def _need(holds: bool, call: str, sentence: str) -> None:
    if not holds:
        raise GradcliError("G026", f"{call} {sentence}")


def _one_sided(onesided: bool | None, x: Any, window: Any) -> bool:
    mixed = x.dtype.is_complex or (window is not None and window.dtype.is_complex)
    if onesided and mixed:
        raise GradcliError("G026", "Cannot have onesided output if window or input is complex")
    return not mixed if onesided is None else onesided


def _widened(window: Any, length: int, size: int, x: Any) -> Any:
    """The window in the middle of `size` numbers; None where it is all ones."""
    if window is None:
        if length == size:
            return None
        window = registry.find("torch.ones")(length, dtype=x.dtype.to_real())
    left = (size - length) // 2
    return window if length == size else fft.padded(window, (left, size - length - left))


@composite("stft", python=True)
def stft(
    input: Any,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Any:
    """The Fourier transforms of the frames of a signal (..., time): (..., frequency, frame)."""
    x, rank = input, input.dim()
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    complex_result = x.dtype.is_complex or (window is not None and window.dtype.is_complex)
    if return_complex is None and not complex_result:
        raise GradcliError(
            "G013",
            "stft requires the return_complex parameter be given for real inputs, and will further "
            "require that return_complex=True in a future PyTorch release.",
        )
    if center:
        x = x.view(*(1,) * (3 - rank), *x.shape)
        x = fft.padded(x, (n_fft // 2, n_fft // 2), pad_mode).view(*x.shape[3 - rank : -1], -1)
    said = {"n_fft": n_fft, "hop_length": hop, "win_length": length, "window": window}
    said |= {"normalized": normalized, "onesided": onesided, "return_complex": return_complex}
    call = _call("stft", x, {**said, "align_to_window": align_to_window})
    _check_stft(call, x, n_fft, hop, length, window)
    found = _transformed(x, n_fft, hop, length, window, normalized, onesided)
    if return_complex or return_complex is None:
        return found
    return registry.find("torch.view_as_real")(found)


def _check_stft(call: str, x: Any, n_fft: int, hop: int, length: int, window: Any) -> None:
    _need(x.dtype.differentiable, call, ": expected a tensor of floating point or complex values")
    size = x.shape[-1]
    _need(x.dim() in (1, 2), call, ": expected a 1D or 2D tensor")
    _need(0 < n_fft <= size, call, f": expected 0 < n_fft < {size}, but got n_fft={n_fft}")
    _need(hop > 0, call, f": expected hop_length > 0, but got hop_length={hop}")
    sentence = f": expected 0 < win_length <= n_fft, but got win_length={length}"
    _need(0 < length <= n_fft, call, sentence)
    if window is not None:
        sentence = (
            f": expected a 1D window tensor of size equal to win_length={length}, but got window "
            f"with size {list(window.shape)}"
        )
        _need(tuple(window.shape) == (length,), call, sentence)


def _transformed(
    x: Any, size: int, hop: int, length: int, window: Any, normalized: bool, onesided: bool | None
) -> Any:
    single = x.dim() == 1
    half = _one_sided(onesided, x, window)
    rows = x.unsqueeze(0) if single else x
    count = 1 + (rows.shape[1] - size) // hop
    rows = rows.contiguous()
    if levels.active:
        rows = rows.clone()  # an example may lie in memory between others
    frames = rows.as_strided((rows.shape[0], count, size), (rows.shape[1], hop, 1))
    scales = _widened(window, length, size, x)
    frames = frames if scales is None else frames * scales
    norm = "ortho" if normalized else None
    found = fft.rfft(frames, norm=norm) if half else fft.fft(frames, norm=norm)
    found = _first(_frames_last(found)) if single else _frames_last(found)
    return in_columns(found, (0,))


@function("Tensor._frames_last", shown="transpose", overload=1)
def _frames_last(input: Any) -> Node:
    """The last two dims exchanged, as PyTorch does in place."""
    return transposed(input)


@function("Tensor._first", shown="squeeze", overload=4)
def _first(input: Any) -> Node:
    """Without the leading dim of length 1, as PyTorch does in place."""
    return reshape(input, axes=input.ndim, shape=input.shape[1:])


# -- back


@function("Tensor._overlap_added", shown="unfold_backward")
def _overlap_added(input: Any, hop: int, total: int) -> Node:
    """The sums of frames (batch, frame, place) that start `hop` apart."""
    return overlap_add(transposed(input), stride=(hop,), dilation=(1,), shape=(total,))


@composite("istft", python=True)
def istft(
    input: Any,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Any = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Any:
    """The signal whose short-time Fourier transform comes nearest to `input`."""
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    said = {"n_fft": n_fft, "hop_length": hop, "win_length": width, "window": window}
    said |= {"center": center, "normalized": normalized, "onesided": onesided, "length": length}
    call = _call("istft", input, {**said, "return_complex": return_complex})
    half = _check_istft(call, input, n_fft, hop, width, window, onesided, return_complex)
    single = input.dim() == 2
    frames = (input.unsqueeze(0) if single else input).transpose(1, 2)
    norm = "ortho" if normalized else None
    if return_complex:
        signals = fft.ifft(frames, norm=norm)
    else:
        kept = frames if half else frames.narrow(-1, 0, n_fft // 2 + 1)
        signals = fft.irfft(kept, n_fft, norm=norm)
    scales = _widened(window, width, n_fft, input)
    scales = registry.find("torch.ones")(n_fft) if scales is None else scales
    scales = scales.to(signals.dtype if return_complex else input.dtype.to_real())
    found = _divided(call, signals, scales, hop, center, length)
    return found.squeeze(0) if single else found


def _check_istft(
    call: str, x: Any, size: int, hop: int, width: int, window: Any, onesided: Any, complex: bool
) -> bool:
    """Raises what PyTorch raises; returns whether only half of the frequencies are given."""
    if not x.dtype.is_complex:
        raise GradcliError(
            "G025",
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True.",
        )
    count = x.shape[-2] if x.dim() > 1 else 0
    _need(x.numel() > 0, call, ": input tensor cannot be empty.")
    _need(x.dim() in (2, 3), call, ": expected a tensor with 3 or 4 dimensions")
    half = count != size if onesided is None else onesided
    where = ": expected the frequency dimension (3rd to the last) of the input tensor to match "
    wanted, words = (
        (size // 2 + 1, "n_fft / 2 + 1 when onesided=True")
        if half
        else (size, "n_fft when onesided=False")
    )
    _need(count == wanted, call, f"{where}{words}, but got {count}")
    _need(0 < hop <= width, call, ": expected 0 < hop_length <= win_length")
    _need(0 < width <= size, call, ": expected 0 < win_length <= n_fft")
    if window is not None:
        sentence = ": Invalid window shape. window has to be 1D and length of `win_length`"
        _need(tuple(window.shape) == (width,), call, sentence)
    _one_sided(complex and onesided, x, window)
    return half


def _divided(
    call: str, signals: Any, scales: Any, hop: int, center: bool, length: int | None
) -> Any:
    """The frames times the window, added up, over the squared windows, added up; cut to size."""
    size, count = scales.shape[0], signals.shape[1]
    total = size + hop * (count - 1)
    sums = _overlap_added(signals * scales.view(1, 1, size), hop, total)
    squares = (scales * scales).expand(1, count, size)
    envelope = _overlap_added(squares, hop, total)
    start = size // 2 if center else 0
    stop = total - size // 2 if center else total
    stop = stop if length is None else start + length
    sums, envelope = (x[:, start : min(stop, total)] for x in (sums, envelope))
    least = float(envelope.abs().min())
    _need(least > LEAST_ENVELOPE, call, "window overlap add min: 1")
    found = sums / envelope
    return fft.padded(found, (0, stop - total)) if stop > total else found

"""PyTorch as a backend: its functions on tensors that record no history, on any of its devices.

Constraints: our graph holds the derivatives, PyTorch's autograd sees nothing of them; no function
here gives a lazily conjugated tensor.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import numpy as np

from gradcli.execute.backends.base import Library
from gradcli.execute.backends.choice import found_device
from gradcli.execute.backends.numpy import NUMPY_DTYPES
from gradcli.execute.backends.shared import Axes, Slices, places, taken
from gradcli.graph.dtype import DType
from gradcli.graph.shape import Shape, numel

torch: Any = import_module("torch")
Array = Any


def devices() -> list[str]:
    """Where PyTorch can compute on this machine."""
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]


def load(device: str | None) -> Torch:
    """The backend on `device`, the CPU by default."""
    return Torch(found_device("torch", device or "cpu", devices()))


def _contract(b: Torch, x: Array, y: Array, *, spec: str) -> Array:
    operands, _, result = spec.partition("->")
    left, _, right = operands.partition(",")
    if x.dtype == torch.bool:
        return _contract(b, x.to(torch.uint8), y.to(torch.uint8), spec=spec) != 0
    return torch.einsum(f"...{left},...{right}->...{result}", x, y)


def _extreme(reduce: Callable[..., Array]) -> Callable[..., Array]:
    def extreme(b: Torch, x: Array, *, axis: Axes, keepdims: bool) -> Array:
        return reduce(x, axis, keepdims) if x.ndim else x

    return extreme


def _truth(reduce: Callable[..., Array]) -> Callable[..., Array]:
    def truth(b: Torch, x: Array, *, axis: Axes, keepdims: bool) -> Array:
        return reduce(x != 0, dim=axis, keepdim=keepdims) if x.ndim else x != 0

    return truth


def _position(reduce: Callable[..., Array]) -> Callable[..., Array]:
    def position(b: Torch, x: Array, *, axis: int, keepdims: bool) -> Array:
        return reduce(x.to(torch.uint8) if x.dtype == torch.bool else x, axis, keepdims)

    return position


def _sum(b: Torch, x: Array, *, axis: Axes, keepdims: bool) -> Array:
    return torch.sum(x, dim=axis, keepdim=keepdims, dtype=x.dtype) if x.ndim and axis else x


def _where(b: Torch, condition: Array, x: Array, y: Array, *, out: Array = None) -> Array:
    truth = condition if condition.dtype == torch.bool else condition != 0
    return torch.where(truth, x, y, out=out)


def _embed(b: Torch, x: Array, *, slices: Slices, shape: Shape) -> Array:
    out = x.new_zeros((*x.shape[: x.ndim - len(shape)], *shape))
    out[taken(slices)] = x
    return out


def _slice_put(b: Torch, x: Array, y: Array, *, slices: Slices) -> Array:
    lead = torch.broadcast_shapes(x.shape[: -len(slices)], y.shape[: y.ndim - len(slices)])
    out = x.expand(*lead, *x.shape[x.ndim - len(slices) :]).clone() if slices else x.clone()
    out[taken(slices)] = y
    return out


def _index_put(
    b: Torch, x: Array, y: Array, *indices: Array, axes: int, out: Array = None
) -> Array:
    if out is None:
        out = x.clone(memory_format=torch.contiguous_format)
    out[places(axes, indices)] = y
    return out


def _index_add(b: Torch, x: Array, *indices: Array, shape: Shape) -> Array:
    sizes, rest = shape[: len(indices)], shape[len(indices) :]
    picked = torch.broadcast_shapes(*(i.shape for i in indices))
    lead = x.shape[: x.ndim - len(picked) - len(rest)]
    flat = _flat(sizes, indices).expand(picked)
    out = x.new_zeros((numel(lead), numel(sizes), numel(rest)))
    out.index_add_(1, flat.reshape(-1), x.reshape(numel(lead), numel(picked), numel(rest)))
    return out.reshape((*lead, *shape))


def _diagonal_embed(b: Torch, x: Array, *, offset: int, shape: Shape) -> Array:
    out = x.new_zeros((*x.shape[:-1], *shape))
    torch.diagonal(out, offset, -2, -1).copy_(x)
    return out


def _windows(b: Torch, x: Array, *, kernel: Axes, stride: Axes, dilation: Axes) -> Array:
    """A view with an axis for the place inside a window before one for the window."""
    place = x.ndim - len(kernel)
    counts = [
        max(0, (n - d * (k - 1) - 1) // s + 1)
        for n, k, s, d in zip(x.shape[place:], kernel, stride, dilation, strict=True)
    ]
    steps = x.stride()
    inside = [step * d for step, d in zip(steps[place:], dilation, strict=True)]
    between = [step * s for step, s in zip(steps[place:], stride, strict=True)]
    return torch.as_strided(
        x,
        (*x.shape[:place], *kernel, *counts),
        (*steps[:place], *inside, *between),
        x.storage_offset(),
    )


def _scatter_reduce(
    b: Torch, x: Array, y: Array, *indices: Array, axes: int, reduce: str, include: bool
) -> Array:
    """Flat: positions along one axis."""
    lead = tuple(x.shape[: x.ndim - axes])
    sizes = tuple(x.shape[x.ndim - axes :][: len(indices)])
    rest = tuple(x.shape[x.ndim - axes :][len(indices) :])
    flat = _flat(sizes, indices)
    y = y.expand((*lead, *flat.shape, *rest)).reshape(numel(lead), flat.numel(), numel(rest))
    out = x.clone(memory_format=torch.contiguous_format)
    wide = out.reshape(numel(lead), numel(sizes), numel(rest))
    at = flat.reshape(-1)[:, None].expand(y.shape)
    made = wide.scatter_reduce(1, at, y, reduce, include_self=include)
    return made.reshape(x.shape)


def _flat(sizes: Shape, indices: tuple[Array, ...]) -> Array:
    """Positions along several axes as positions along one."""
    flat = indices[0] * 0
    for size, position in zip(sizes, indices, strict=True):
        flat = flat * size + position
    return flat


def _cofactors(b: Torch, x: Array) -> Array:
    """conj(det(x)) times the inverse's adjoint; from singular values where x is singular."""
    values = torch.linalg.det(x)
    singular = values.abs() < 100 * torch.finfo(x.dtype).eps
    unit = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    kept = torch.where(singular[..., None, None], unit, x)
    regular = values.conj_physical()[..., None, None] * _adjoint(torch.linalg.inv(kept))
    if not bool(singular.any()) or not bool(torch.isfinite(x).all()):
        return regular
    left, sizes, right = torch.linalg.svd(x)
    others = torch.where(unit != 0, 1, sizes[..., None, :]).prod(-1)
    phase = (torch.linalg.det(left) * torch.linalg.det(right)).conj_physical()[..., None, None]
    made = phase * (left * others[..., None, :]) @ right
    return torch.where(singular[..., None, None], made, regular)


def _adjoint(x: Array) -> Array:
    return x.mT.conj_physical()


def _round(b: Torch, x: Array, *, decimals: int = 0) -> Array:
    return torch.round(x, decimals=decimals) if decimals else torch.round(x)


def _imag(b: Torch, x: Array) -> Array:
    return torch.imag(x) if x.is_complex() else torch.zeros_like(x)


def _permutation(b: Torch, pivots: Array, *, size: int, dtype: Any) -> Array:
    """The matrix that LU's row exchanges make."""
    packed = torch.zeros((*pivots.shape[:-1], size, pivots.shape[-1]), device=pivots.device)
    matrix, _, _ = torch.lu_unpack(packed, pivots, unpack_data=False)
    return matrix.to(b.dtype(dtype))


def _lstsq(b: Torch, x: Array, y: Array, *, rcond: float | None, driver: str) -> Any:
    lead = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = (v.expand((*lead, *v.shape[-2:])) for v in (x, y))
    return torch.linalg.lstsq(x, y, rcond=rcond, driver=driver)


def _solve_ex(b: Torch, x: Array, y: Array, *, left: bool) -> Any:
    found, info = torch.linalg.solve_ex(x, y, left=left)
    return found, info.expand(found.shape[:-2])


OWN: dict[str, Callable[..., Any]] = {
    "contract": _contract,
    **{"max": _extreme(torch.amax), "min": _extreme(torch.amin)},
    **{"any": _truth(torch.any), "all": _truth(torch.all)},
    **{"argmax": _position(torch.argmax), "argmin": _position(torch.argmin)},
    **{"sum": _sum, "where": _where, "embed": _embed, "slice_put": _slice_put},
    "prod": lambda b, x, *, axis, keepdims: (
        torch.prod(x, axis, keepdims, dtype=x.dtype) if x.ndim else x
    ),
    "argsort": lambda b, x, *, axis, descending=False, ties=(): torch.argsort(
        x, dim=axis, descending=descending, stable=not ties
    ),
    "cumulative_sum": lambda b, x, *, axis: torch.cumsum(x, axis, dtype=x.dtype),
    "cumulative_prod": lambda b, x, *, axis: torch.cumprod(x, axis, dtype=x.dtype),
    "logcumsumexp": lambda b, x, *, axis: torch.logcumsumexp(x, axis),
    "softmax": lambda b, x, *, axis: torch.softmax(x, axis),
    "log_softmax": lambda b, x, *, axis: torch.log_softmax(x, axis),
    "logsumexp": lambda b, x, *, axis, keepdims: torch.logsumexp(x, axis, keepdims),
    "round": _round,
    "div_trunc": lambda b, x, y: torch.div(x, y, rounding_mode="trunc"),
    "floor_divide": lambda b, x, y: torch.div(x, y, rounding_mode="floor"),
    "binary_cross_entropy": lambda b, x, y: (
        (y - 1) * torch.clamp_min(torch.log1p(-x), -100) - y * torch.clamp_min(torch.log(x), -100)
    ),
    "to_bfloat16": lambda b, x: x.to(torch.bfloat16).to(torch.float32),
    "to_complex32": lambda b, x: torch.complex(x.real.half().float(), x.imag.half().float()),
    "softplus": lambda b, x: torch.logaddexp(x, torch.zeros_like(x)),
    "real": lambda b, x: torch.real(x) if x.is_complex() else x,
    "imag": _imag,
    "flip": lambda b, x, *, axis: torch.flip(x, axis),
    "tril": lambda b, x, *, diagonal: torch.tril(x, diagonal),
    "triu": lambda b, x, *, diagonal: torch.triu(x, diagonal),
    "diagonal": lambda b, x, *, offset: torch.diagonal(x, offset, -2, -1),
    "diagonal_embed": _diagonal_embed,
    **{"index_put": _index_put, "index_add": _index_add, "scatter_reduce": _scatter_reduce},
    "windows": _windows,
    "special_frexp": lambda b, x: torch.frexp(x)[0],
    "special_frexp_exponent": lambda b, x: torch.frexp(x)[1],
    "special_ldexp": lambda b, x, y: x * torch.pow(2, y) if y.is_complex() else x * torch.exp2(y),
    "cofactors": _cofactors,
    "take_along_axis": lambda b, x, places, *, axis: torch.take_along_dim(x, places, axis),
    "running_place": lambda b, x, *, axis, largest: (torch.cummax if largest else torch.cummin)(
        x, axis
    )[1],
    "mode_place": lambda b, x, *, axis: torch.mode(x, axis, keepdim=True)[1],
    "cholesky_inverse": lambda b, x, *, upper: torch.cholesky_inverse(x, upper=upper),
    "cholesky_solve": lambda b, y, x, *, upper: torch.cholesky_solve(y, x, upper=upper),
    "iota": lambda b, *, shape, axis: torch.arange(shape[axis], device=b.place).reshape(shape),
    "view_as_complex": lambda b, x: torch.complex(x[..., 0], x[..., 1]),
    **{"lu_permutation": _permutation, "linalg_lstsq": _lstsq, "linalg_solve_ex": _solve_ex},
    "linalg_solve_triangular": lambda b, x, y, *, upper, left, unit: torch.linalg.solve_triangular(
        x, y, upper=upper, left=left, unitriangular=unit
    ),
    "linalg_pinv": lambda b, x, atol, rtol, *, hermitian: torch.linalg.pinv(
        x, atol=atol, rtol=rtol, hermitian=hermitian
    ),
    "linalg_svd": lambda b, x, *, full: torch.linalg.svd(x, full_matrices=full),
    "linalg_eigh": lambda b, x, *, uplo: torch.linalg.eigh(x, uplo),
    **{
        f"linalg_{name}": (lambda function: lambda b, *x, **attrs: function(*x, **attrs))(
            getattr(torch.linalg, name)
        )
        for name in (
            *("inv_ex", "cholesky_ex", "qr", "lu_factor_ex", "ldl_factor_ex"),
            *("ldl_solve", "eig", "det", "slogdet", "matrix_exp"),
        )
    },
}
"""Kernels whose arguments have other names, or that are no single function."""


OVER = frozenset(
    (
        *("add", "subtract", "multiply", "divide", "pow", "negative", "reciprocal", "square"),
        *("exp", "exp2", "expm1", "log", "log10", "log1p", "log2", "sqrt", "rsqrt", "xlogy"),
        *("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh"),
        *("atanh", "tanh", "sigmoid", "erf", "erfc", "erfinv", "lgamma", "digamma", "hypot"),
        *("abs", "sign", "sgn", "floor", "ceil", "trunc", "copysign", "maximum", "minimum"),
        *("logical_and", "logical_or", "logical_xor", "logical_not"),
        *("where", "index_put"),
    )
)
"""Kernels that take `out`, which may be an operand."""


class Torch(Library):
    """PyTorch on one device."""

    name = "torch"
    own = OWN
    renamed = {
        **{
            "permute_dims": "permute",
            "conj": "conj_physical",
            "equal": "eq",
            "special_gcd": "gcd",
            "special_lcm": "lcm",
        },
        **{"special_igamma": "special_gammainc", "special_igammac": "special_gammaincc"},
    }
    missing = frozenset(
        (
            *("as_strided", "polygamma", "special_bessel_j0", "special_bessel_j1"),
            *("special_bessel_y0", "special_bessel_y1"),
        )
    )

    over = OVER
    fresh = frozenset(("contract",))

    def __init__(self, device: str) -> None:
        super().__init__((torch, Special()), device)
        self.place = torch.device(device)
        self.dtypes: dict[DType, Any] = {}

    def from_numpy(self, array: Any) -> Any:
        """A tensor on the device; on the CPU it shares the array's memory."""
        array = np.asarray(array)
        if any(step < 0 for step in array.strides):
            array = np.array(array, order="C")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # nothing writes to it
            return torch.from_numpy(array).to(self.place)

    def to_numpy(self, array: Any) -> Any:
        """The array on the host."""
        return array.cpu().resolve_conj().resolve_neg().numpy()

    def full(self, shape: Shape, value: complex, dtype: DType) -> Any:
        """One element, seen everywhere."""
        one = torch.full((), value, dtype=self.dtype(dtype), device=self.place)
        return one.expand(shape) if shape else one

    def cast(self, array: Any, dtype: DType) -> Any:
        """`array` in another dtype."""
        return array.to(self.dtype(dtype))

    def dtype(self, dtype: DType) -> Any:
        """PyTorch's dtype of that name."""
        found = self.dtypes.get(dtype)
        if found is None:
            found = self.dtypes[dtype] = getattr(torch, NUMPY_DTYPES[dtype].name)
        return found

    def is_complex(self, x: Any) -> bool:
        """Whether the numbers are complex."""
        return bool(x.is_complex())

    def all(self, x: Any) -> bool:
        """Whether all elements are true."""
        return bool(x.all())

    def finish(self, arrays: Any) -> None:
        """Waits for the device."""
        if self.place.type == "cuda":
            torch.cuda.synchronize(self.place)
        elif self.place.type == "mps":
            torch.mps.synchronize()

    def transform(self, name: str, x: Any, axes: Any, norm: str, sizes: Any = None) -> Any:
        """A Fourier transform by its name in PyTorch."""
        return getattr(torch.fft, name)(x, s=sizes, dim=axes, norm=norm)

    def computing(self) -> AbstractContextManager[Any]:
        """A block without autograd."""
        return torch.inference_mode()  # type: ignore[no-any-return]  # torch is Any here


class Special:
    """`torch.special` under the names that kernels have: `special_i0`."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(torch.special, name.removeprefix("special_"), None)
        if found is None or not name.startswith("special_"):
            raise AttributeError(name)
        return found

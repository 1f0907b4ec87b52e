"""CuPy as a backend: the array API's kernels under CuPy's names, and what CuPy has beyond them.

Constraints: a CUDA device only. The table is what any library with NumPy's names can stand below:
tests put NumPy and SciPy there, because no GPU is at hand where they run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import numpy as np

from gradcli.execute.backends.array_api import LACKING, OWN, ArrayAPI, argsort, scan
from gradcli.execute.backends.choice import found_device
from gradcli.execute.backends.shared import places
from gradcli.graph.shape import Shape

Array = Any

SPECIAL = {
    **{"lgamma": "gammaln", "special_bessel_j0": "j0", "special_bessel_j1": "j1"},
    **{"special_bessel_y0": "y0", "special_bessel_y1": "y1", "special_gcd": "gcd"},
    **{f"special_{name}": name for name in ("i0", "i0e", "i1", "i1e", "entr", "ndtri", "log_ndtr")},
    **{f"special_{name}": name for name in ("erfcx", "zeta", "xlog1py", "lcm")},
    **{f"special_modified_bessel_{name}": name for name in ("i0", "i1", "k0", "k1")},
    **{f"special_scaled_modified_bessel_{name}": f"{name}e" for name in ("k0", "k1")},
    **{"special_igamma": "gammainc", "special_igammac": "gammaincc"},
}
"""Kernel -> the name in cupyx.scipy.special, or in cupy."""


def devices() -> list[str]:
    """The CUDA devices of this machine."""
    cupy = import_module("cupy")
    try:
        return [f"cuda:{i}" for i in range(cupy.cuda.runtime.getDeviceCount())]
    except Exception:  # no driver, an old one, or none of CUDA's libraries: each has its own class
        return []


def load(device: str | None) -> CuPy:
    """The backend on a CUDA device, the first one by default."""
    chosen = found_device("cupy", device or "cuda", devices())
    special, add_at = import_module("cupyx.scipy.special"), import_module("cupyx").scatter_add
    return CuPy(import_module("cupy"), special, add_at, chosen)


def _contract(b: CuPy, x: Array, y: Array, *, spec: str) -> Array:
    operands, _, result = spec.partition("->")
    left, _, right = operands.partition(",")
    return b.xp.einsum(f"...{left},...{right}->...{result}", x, y)


def _index_put(b: CuPy, x: Array, y: Array, *indices: Array, axes: int) -> Array:
    out = x.copy()
    out[places(axes, indices)] = y
    return out


def _index_add(b: CuPy, x: Array, *indices: Array, shape: Shape) -> Array:
    sizes, rest = shape[: len(indices)], shape[len(indices) :]
    picked = np.broadcast_shapes(*(i.shape for i in indices))
    lead = x.shape[: x.ndim - len(picked) - len(rest)]
    count = int(np.prod(lead, dtype=np.int64))
    flat = b.xp.reshape(b.xp.broadcast_to(b.flat(sizes, indices), picked), (-1,))
    out = b.xp.zeros((count, int(np.prod(sizes)), int(np.prod(rest))), dtype=x.dtype)
    wide = b.xp.reshape(x, (count, flat.shape[0], out.shape[2]))
    if wide.size:
        b.add_at(out, (slice(None), flat), wide)
    return b.xp.reshape(out, (*lead, *shape))


def _complex(b: CuPy, x: Array, y: Array) -> Array:
    x, y = b.xp.broadcast_arrays(x, y)
    out = b.xp.empty(x.shape, dtype=b.as_complex(x[:0] if x.ndim else x).dtype)
    out.real, out.imag = x, y
    return out


CUPY: dict[str, Callable[..., Any]] = {
    **OWN,
    **{name: LACKING[name] for name in ("embed", "slice_put", "diagonal_embed", "logcumsumexp")},
    **{"contract": _contract, "index_put": _index_put, "index_add": _index_add},
    **{"complex": _complex, "view_as_complex": lambda b, x: _complex(b, x[..., 0], x[..., 1])},
    "diagonal": lambda b, x, *, offset: b.xp.diagonal(x, offset, -2, -1),
    "special_frexp": lambda b, x: b.xp.frexp(x)[0],
    "special_frexp_exponent": lambda b, x: b.xp.frexp(x)[1],
    "argsort": argsort(kind="stable"),
    "linalg_eigh": lambda b, x, *, uplo: tuple(b.xp.linalg.eigh(x, UPLO=uplo)),
    "cumulative_sum": scan("cumsum"),
    "cumulative_prod": scan("cumprod"),
}
"""The array API's kernels, and those for which CuPy has more."""


class CuPy(ArrayAPI):
    """CuPy on one device.

    Args:
        xp: CuPy, or a library with its names.
        special: cupyx.scipy.special, or one with its names.
        add_at: `(array, places, values)` adds up where places repeat.
        device: `cuda:N`.
    """

    name = "cupy"
    own = CUPY
    renamed = {"bitwise_not": "bitwise_invert", **SPECIAL}
    missing = frozenset(("polygamma", "softmax", "log_softmax", "logsumexp", "round", "sinc"))

    def __init__(self, xp: Any, special: Any, add_at: Callable[..., Any], device: str) -> None:
        super().__init__(xp, device, special)
        self.add_at = add_at

    def to_numpy(self, array: Any) -> Any:
        """The array on the host."""
        return array.get() if hasattr(array, "get") else np.asarray(array)

    def all(self, x: Any) -> bool:
        """Whether all elements are true; one byte leaves the device."""
        return bool(x.all())

    def finish(self, arrays: Any) -> None:
        """Waits for the device."""
        if hasattr(self.xp, "cuda"):
            self.xp.cuda.get_current_stream().synchronize()

    def computing(self) -> AbstractContextManager[Any]:
        """A block on the device."""
        if not hasattr(self.xp, "cuda"):
            return super().computing()
        number = int(self.device.partition(":")[2])
        return self.xp.cuda.Device(number)  # type: ignore[no-any-return]  # xp is Any here

"""Functions of large float32 arrays from the few that NumPy computes several numbers at a time.

Constraints: `(*inputs, out=None)` as a ufunc takes them; `out` is no input unless `IN_PLACE` says
so. Results are within a few units in the last place of the exact ones, also beyond the range of
each formula, where a block goes NumPy's way. A pass over memory costs a tenth of an exponential,
so a formula of twenty passes is still faster than one call that takes number by number.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from gradcli.execute.backends import precise

Array = Any
LARGE = 512
"""Elements from which a longer formula of vectorised ufuncs beats a shorter of slow ones."""
LINE = 4096
"""Elements of a repeated number that stand for it: against a number itself NumPy's extremes go
element by element."""
SIGN = np.uint32(1 << 31)
EXP_MOST = 80
"""Up to where exponentials of float32 are far from overflow."""
MOST_KEPT = 1 << 22
"""Bytes of a buffer at most that is kept: a block is smaller, but for rows that are very long."""


class _Buffers(threading.local):
    """A thread's buffers for intermediate values, by place, dtype and size."""

    def __init__(self) -> None:
        self.known: dict[tuple[int, Any], Array] = {}

    def get(self, place: int, like: Array, dtype: Any = None) -> Array:
        """An array of the shape of `like`, with any numbers in it."""
        dtype = dtype or like.dtype
        held = self.known.get((place, dtype))
        if held is None or held.size < like.size:
            held = np.empty(like.size, dtype)
            if held.nbytes <= MOST_KEPT:
                self.known[place, dtype] = held
        return held[: like.size].reshape(like.shape)


buffers = _Buffers()


def result(out: Array, *values: Array) -> Array:
    """Where a result goes: `out`, or a new array for `values` that are broadcast."""
    if out is not None:
        return out
    return np.empty(np.broadcast_shapes(*(np.shape(v) for v in values)), np.result_type(*values))


def is_large(x: Array, kinds: str, least: int = LARGE) -> bool:
    """Whether `x` is an array of one of the dtypes (as characters) that is worth a formula."""
    return isinstance(x, np.ndarray) and x.dtype.char in kinds and x.size >= least


@cache
def is_vectorised(name: str) -> bool:
    """Whether NumPy has a kernel for float32 that this machine runs several numbers at a time."""
    found = np.lib.introspect.opt_func_info(func_name=f"^{name}$", signature="float32")
    return any("baseline" not in kind["current"] for kind in found.get(name, {}).values())


def _instead(ufunc: np.ufunc) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """A formula for large float32 arrays where NumPy's own function takes number by number."""

    def around(formula: Callable[..., Array]) -> Callable[..., Array]:
        def compute(x: Array, *more: Array, out: Array = None) -> Array:
            if precise.applies(x):
                return precise.rounded(ufunc, x, *more, out=out)
            alike = all([y.dtype == x.dtype and y.shape == x.shape for y in more])
            if not is_large(x, "f") or not alike or is_vectorised(ufunc.__name__):
                return ufunc(x, *more, out=out)
            return formula(x, *more, out=result(out, x))

        return compute

    return around


# -- exponentials and logarithms

SERIES = tuple(map(np.float32, (2.0, 0.66666315, 0.4002491, 0.27960605, 0.28178326)))
"""log(1 + t) is s*P(s*s) for s = t/(t + 2): a least-squares fit for -1/3 <= s <= 1/3, to 4e-9."""


def near_one(t: Array, out: Array) -> Array:
    """log(1 + t) for -0.5 <= t <= 1."""
    s, square = buffers.get(0, t), buffers.get(1, t)
    np.divide(t, np.add(t, 2, out=s), out=s)
    np.multiply(s, s, out=square)
    return np.multiply(_polynomial(square, SERIES, out), s, out=out)


def _polynomial(x: Array, coefficients: tuple[np.float32, ...], out: Array) -> Array:
    np.multiply(x, coefficients[-1], out=out)
    for c in reversed(coefficients[1:-1]):
        np.add(out, c, out=out)
        np.multiply(out, x, out=out)
    return np.add(out, coefficients[0], out=out)


def log1p(x: Array, out: Array = None) -> Array:
    """log(1 + x)."""
    return (precise.complex_log1p if x.dtype.kind == "c" else _real_log1p)(x, out=out)


@_instead(np.log1p)
def _real_log1p(x: Array, out: Array) -> Array:
    """log(1 + x): a series around 1, else corrected by what rounding 1 + x lost.

    Kahan's correction: log(1 + x) is log(u) - ((u - 1) - x)/u for u = 1 + x rounded.
    """
    least, most = np.min(x), np.max(x)
    if least >= -0.5 and most <= 1:
        return near_one(x, out)
    if not (least > -1 and most < np.inf):
        return np.log1p(x, out=out)
    u = buffers.get(0, x)
    np.add(x, 1, out=u)
    np.subtract(u, 1, out=out)
    np.subtract(out, x, out=out)
    np.divide(out, u, out=out)
    np.log(u, out=u)
    np.subtract(u, out, out=out)
    return out if least > 0 else _signed(out, x)  # -0.0 stays


def _signed(out: Array, x: Array) -> Array:
    """`out` with the sign of `x`; what has another sign is no zero and no number."""
    sign = buffers.get(0, x, np.uint32)
    np.bitwise_and(x.view(np.uint32), SIGN, out=sign)
    np.bitwise_or(out.view(np.uint32), sign, out=out.view(np.uint32))
    return out


def softplus(x: Array, out: Array = None) -> Array:
    """log(1 + exp(x)) without overflow."""
    if precise.applies(x):
        made = np.where(x > 20, x, log1p(precise.exp(x)))
        return made if out is None else _put(out, made)
    if not is_large(x, "f"):
        return np.logaddexp(x, x.dtype.type(0), out=out)
    out = result(out, x)
    if is_vectorised("log1p") and np.max(x) < EXP_MOST:
        return np.log1p(np.exp(x, out=out), out=out)
    small = buffers.get(2, x)
    np.bitwise_or(x.view(np.uint32), SIGN, out=small.view(np.uint32))
    near_one(np.exp(small, out=small), out)
    return np.add(out, maximum(x, x.dtype.type(0), out=small), out=out)


def _put(out: Array, value: Array) -> Array:
    np.copyto(out, value)
    return out


@_instead(np.logaddexp)
def logaddexp(x: Array, y: Array, out: Array) -> Array:
    """log(exp(x) + exp(y))."""
    small = buffers.get(2, x)
    bits = small.view(np.uint32)
    np.subtract(x, y, out=small)
    np.bitwise_or(bits, SIGN, out=bits)
    near_one(np.exp(small, out=small), out)
    np.add(out, np.maximum(x, y, out=small), out=out)
    return np.logaddexp(x, y, out=out) if np.isnan(np.max(out)) else out  # two of one infinity


@_instead(np.expm1)
def expm1(x: Array, out: Array) -> Array:
    """exp(x) - 1 is tanh(x/2)*(exp(x) + 1)."""
    above = buffers.get(0, x)
    np.add(np.exp(x, out=above), 1, out=above)
    np.tanh(np.multiply(x, 0.5, out=out), out=out)
    return np.multiply(out, above, out=out)


# -- circular and hyperbolic functions


@_instead(np.sinh)
def sinh(x: Array, out: Array) -> Array:
    """(u + u/(u + 1))/2 for u = exp(|x|) - 1, with the sign of x."""
    size, u = buffers.get(1, x), buffers.get(2, x)
    np.abs(x, out=size)
    if not np.max(size) < 88:  # exp would overflow before sinh does
        return np.sinh(x, out=out)
    expm1(size, out=u)
    np.divide(u, np.add(u, 1, out=out), out=out)
    np.multiply(np.add(out, u, out=out), 0.5, out=out)
    return _signed(out, x)


@_instead(np.cosh)
def cosh(x: Array, out: Array) -> Array:
    """u + 1/(4*u) for u = exp(|x|)/2."""
    np.abs(x, out=out)
    if not np.max(out) < 88:
        return np.cosh(x, out=out)
    u = np.multiply(np.exp(out, out=out), 0.5, out=buffers.get(0, x))
    np.divide(0.25, u, out=out)
    return np.add(out, u, out=out)


@_instead(np.tan)
def tan(x: Array, out: Array) -> Array:
    """sin(x)/cos(x)."""
    below = np.cos(x, out=buffers.get(0, x))
    return np.divide(np.sin(x, out=out), below, out=out)


ARCTAN = (
    *(1.0, -0.33333073, 0.19992619, -0.14203642, 0.10640924, -0.07504274),
    *(0.04269128, -0.01606848, 0.00284985),
)
"""atan(x) is x*P(x*x): a least-squares fit for -1 <= x <= 1, to 2e-8."""


@_instead(np.arctan)
def arctan(x: Array, out: Array) -> Array:
    """A polynomial up to 1, and pi/2 less that of the inverse beyond."""
    z, square = buffers.get(0, x), buffers.get(1, x)
    np.abs(x, out=z)
    beyond = np.greater(z, 1)
    np.minimum(z, np.divide(1, z, out=out), out=z)
    np.multiply(z, z, out=square)
    np.subtract(_polynomial(square, tuple(map(np.float32, ARCTAN)), out), 1, out=out)
    np.add(np.multiply(out, z, out=out), z, out=out)
    # out + beyond*(pi/2 - 2*out)
    np.add(np.multiply(out, -2, out=z), np.float32(np.pi / 2), out=z)
    np.copyto(square, beyond)
    np.add(out, np.multiply(z, square, out=z), out=out)
    return _signed(out, x)


# -- a number against many


def _against(ufunc: np.ufunc) -> Callable[..., Array]:
    """`ufunc` of an array and a number, which is repeated along a line; of zeros the first one."""

    def compute(x: Array, y: Array, out: Array = None) -> Array:
        flat = is_large(x, "fd", LINE) and np.ndim(y) == 0 and x.dtype == y.dtype
        if not flat or not x.flags.c_contiguous or not (out is None or out.flags.c_contiguous):
            return ufunc(y, x, out=out)
        out = result(out, x)
        whole = x.size // LINE * LINE
        lines, made = x.reshape(-1), out.reshape(-1)
        line, rows = np.full(LINE, y, x.dtype), made[:whole].reshape(-1, LINE)
        ufunc(line, lines[:whole].reshape(-1, LINE), out=rows)  # NumPy gives its last operand's
        ufunc(y, lines[whole:], out=made[whole:])
        return out

    return compute


maximum, minimum = _against(np.maximum), _against(np.minimum)


def relu(x: Array, out: Array = None) -> Array:
    """The larger of x and 0."""
    return maximum(x, np.zeros((), x.dtype), out=out)


def reciprocal(x: Array, out: Array = None) -> Array:
    """1/x, which NumPy divides several numbers at a time, and complex ones as PyTorch."""
    large = is_large(x, "fd") or x.dtype.kind == "c"
    return np.divide(1, x, out=out) if large else np.reciprocal(x, out=out)


def sign(x: Array, out: Array = None) -> Array:
    """-1, 0 or 1 for real floating-point numbers; 0 for NaN, as in PyTorch."""
    above, below = np.greater(x, 0), np.less(x, 0)
    made = np.subtract(above.view(np.int8), below.view(np.int8))
    return made.astype(x.dtype) if out is None else _put(out, made)


IN_PLACE = frozenset((maximum, minimum, relu, reciprocal, sign))
"""The functions whose `out` may be an input."""
SWEPT: dict[str, Callable[..., Array]] = {
    **{"sign": sign, "sgn": sign, "logaddexp": logaddexp},
}
"""Kernel name -> its function of large real arrays, instead of NumPy's ufunc."""
WRITERS: dict[str, Callable[..., Array]] = {
    **{"log1p": log1p, "softplus": softplus, "expm1": expm1, "relu": relu},
    **{"maximum": maximum, "minimum": minimum, "reciprocal": reciprocal},
    **{"sinh": sinh, "cosh": cosh, "tan": tan, "atan": arctan},
}
"""Kernel name -> its function; all take `out`."""

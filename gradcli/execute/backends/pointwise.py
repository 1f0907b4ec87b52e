"""Elementwise kernels that NumPy has under no single ufunc, or only in a slow one.

Constraints: `(*inputs, out=None)` as a ufunc takes them; `out` is none of the inputs. Buffers for
intermediate values belong to the thread and are used again. The fast forms are for large arrays of
float32 or float64 and give what the plain ones give, up to a few units in the last place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcli.execute.backends import precise, vectorised
from gradcli.execute.backends.vectorised import buffers, is_large, reciprocal, result

Array = Any
BRANCHES = 4096
"""Elements from which masks beat a branch at each."""
RARE = 64
"""Elements for each of one side from which a branch is seldom guessed wrong: it takes 0.3 to 0.7 ns
an element then, masks 0.8."""
MASKS = {2: np.int16, 4: np.int32, 8: np.int64}


def where(condition: Array, x: Array, y: Array, out: Array = None) -> Array:
    """The choice by masking bits: NumPy's own branches on each element, and guesses wrong."""
    like = x if getattr(x, "size", 1) >= getattr(y, "size", 1) else y
    if not (
        is_large(condition, "?", 1)
        and getattr(like, "dtype", None) == getattr(x, "dtype", 0) == getattr(y, "dtype", 1)
        and like.dtype.char in "fdeil"
        and max(condition.size, like.size) >= BRANCHES
    ):
        if out is None:
            return np.where(condition, x, y)
        np.copyto(out, y)
        np.copyto(out, x, where=condition)
        return out
    out = result(out, condition, x, y)
    chosen = np.count_nonzero(condition) if np.ndim(x) or np.ndim(y) else condition.size // 2
    for usual, rare, count in ((y, x, chosen), (x, y, condition.size - chosen)):
        if count * RARE <= condition.size:
            np.copyto(out, usual)
            if count:
                np.copyto(out, rare, where=condition if rare is x else np.logical_not(condition))
            return out
    kind = MASKS[like.dtype.itemsize]
    _choose(condition, np.asarray(x).view(kind), np.asarray(y).view(kind), out.view(kind))
    return out


def _choose(condition: Array, x: Array, y: Array, out: Array) -> None:
    """Chooses among bits; of two numbers without a mask of its own."""
    if x.ndim == y.ndim == 0:
        _choose_number(condition, x, y, out)
        return
    mask = buffers.get(0, condition, out.dtype)
    if y.ndim == 0 and not y:
        np.copyto(mask, _negative(condition))
        np.bitwise_and(x, mask, out=out)
    elif x.ndim == 0 and not x:
        np.copyto(mask, _below(condition))
        np.bitwise_and(y, mask, out=out)
    else:
        np.copyto(mask, _negative(condition))
        # y ^ ((x ^ y) & mask)
        np.bitwise_xor(x, y, out=out)
        np.bitwise_and(out, mask, out=out)
        np.bitwise_xor(out, y, out=out)


def _choose_number(condition: Array, x: Array, y: Array, out: Array) -> None:
    """Chooses one of two numbers: the difference of their bits 0 or 1 times, changed to the other.

    Where zero is one of them, that is all.
    """
    if x:
        np.copyto(out, condition)
    else:
        np.copyto(out, np.logical_not(condition, out=buffers.get(0, condition, np.bool_)))
        x, y = y, x
    np.multiply(out, x ^ y, out=out)
    if y:
        np.bitwise_xor(out, y, out=out)


def _negative(condition: Array) -> Array:
    """-1, all of whose bits are set, where a condition holds, else 0."""
    return np.negative(condition.view(np.int8), out=buffers.get(0, condition, np.int8))


def _below(condition: Array) -> Array:
    """0 where a condition holds, else -1, all of whose bits are set."""
    return np.subtract(condition.view(np.int8), 1, out=buffers.get(0, condition, np.int8))


def sigmoid(x: Array, out: Array = None) -> Array:
    """1/(1 + exp(-x))."""
    made = np.negative(x, out=out)
    out = made if isinstance(made, np.ndarray) else None
    return reciprocal(np.add(precise.exp(made, out=out), 1, out=out), out=out)


def rsqrt(x: Array, out: Array = None) -> Array:
    """1/sqrt(x)."""
    made = np.sqrt(x, out=out)
    return reciprocal(made, out=made if isinstance(made, np.ndarray) else None)


def frac(x: Array, out: Array = None) -> Array:
    """What follows the decimal point."""
    made = np.trunc(x, out=out)
    return np.subtract(x, made, out=made if isinstance(made, np.ndarray) else None)


def same(x: Array, out: Array = None) -> Array:
    """The value itself."""
    return x if out is None else cast(x, out)


def cast(x: Array, out: Array) -> Array:
    """The value in the dtype of `out`; of a complex number its real part, as PyTorch takes it."""
    real = x.dtype.kind == "c" and out.dtype.kind in "iuf"
    np.copyto(out, x.real if real else x, casting="unsafe")
    return out


def widen(x: Array, out: Array = None) -> Array:
    """A number of half the width in the type that is computed in, which may store it already."""
    if out is None:
        return x.astype(np.float32) if x.dtype == np.float16 else x
    return cast(x, out)


def to_bfloat16(x: Array, out: Array = None) -> Array:
    """The nearest float32 whose last 16 bits are zero, of two the one that ends in an even bit."""
    x = np.asarray(x)
    bits = x.view(np.uint32)
    rounded = (bits + (((bits >> 16) & 1) + np.uint32(0x7FFF))) & np.uint32(0xFFFF0000)
    return same(np.where(x == x, rounded.view(np.float32), x), out)


def to_complex32(x: Array, out: Array = None) -> Array:
    """Both parts rounded to float16."""
    made = np.empty(np.shape(x), np.complex64)
    made.real, made.imag = x.real.astype(np.float16), x.imag.astype(np.float16)
    return same(made, out)


ERF = (
    *(1.1283792743020398, 0.10276905581977294, -0.00019183084264088473, -0.0006197846401071165),
    *(8.763732549397212e-05, -5.668476029787552e-06, 1.418522822728595e-07),
)
"""erf(x) is tanh(x*P(x*x)), to 1e-7 of itself: a least-squares fit up to 4, whose weights were
moved to where the error was largest. The last coefficient is positive, so that beyond 4 the
argument goes on to grow."""


def erf(x: Array, out: Array = None) -> Array:
    """The error function; of large float32 arrays a hyperbolic tangent, to 3e-7."""
    if precise.applies(x) or not is_large(x, "f"):
        import scipy.special

        if precise.applies(x):
            return precise.rounded(scipy.special.erf, x, out=out)
        return scipy.special.erf(x, out=out)
    out = result(out, x)
    square = np.square(x, out=buffers.get(0, x))
    np.multiply(square, ERF[-1], out=out)
    for c in reversed(ERF[1:-1]):
        np.add(out, c, out=out)
        np.multiply(out, square, out=out)
    np.add(out, ERF[0], out=out)
    return np.tanh(np.multiply(out, x, out=out), out=out)


POWERS: dict[float, Callable[..., Array]] = {
    **{2.0: np.square, 1.0: np.positive, -1.0: reciprocal},
    **{0.5: np.sqrt, -0.5: rsqrt},
}
"""Exponent -> what PyTorch computes instead."""


PRODUCTS = 8
"""Exponents up to which no power of a float32 leaves the range of float64."""


def _whole_power(x: Array, exponent: float, out: Array) -> Array:
    """x**exponent for a whole exponent; NumPy takes a hundred times as long of negative numbers.

    Of float32 products in float64, rounded once; of others the power of the size.
    """
    if x.dtype.char == "f" and 0 < abs(exponent) <= PRODUCTS:
        wide, made = buffers.get(0, x, np.float64), buffers.get(1, x, np.float64)
        np.copyto(wide, x)
        np.copyto(made, wide)
        for digit in bin(int(abs(exponent)))[3:]:
            np.multiply(made, made, out=made)
            if digit == "1":
                np.multiply(made, wide, out=made)
        if exponent < 0:
            np.reciprocal(made, out=made)
        np.copyto(out, made, casting="same_kind")
        return out
    size, number = np.abs(x, out=buffers.get(0, x)), x.dtype.type(exponent)
    if precise.applies(x):
        precise.rounded(np.power, size, number, out=out)
    else:
        np.power(size, number, out=out)
    return np.copysign(out, x, out=out) if exponent % 2 else out


def power(x: Array, y: Array, out: Array = None) -> Array:
    """x**y; a negative power of an integer is 0 but for 1 and -1, as in PyTorch."""
    kind = x.dtype.kind
    if np.ndim(y) == 0 and (kind == "f" or (kind == "c" and not y.imag)):
        exponent = float(y.real)
        if exponent in POWERS:
            return POWERS[exponent](x, out=out)
        if exponent in (3.0, -2.0):
            made = np.multiply(x, x, out=out)
            out = made if isinstance(made, np.ndarray) else None
            return reciprocal(made, out=out) if exponent < 0 else np.multiply(made, x, out=out)
        if exponent.is_integer() and kind == "f" and x.size > precise.FEW:
            return _whole_power(x, exponent, result(out, x))
    if kind == "i" and np.any(np.less(y, 0)):
        positive = np.power(x, np.maximum(y, 0))
        inverse = np.where(np.abs(x) == 1, np.where(y % 2 == 0, 1, x), 0)
        return same(np.where(y < 0, inverse, positive).astype(x.dtype), out)
    if kind == "c" and (np.ndim(y) or y != 0):
        return np.exp(np.multiply(y, np.log(x)), out=out)
    if precise.applies(x):
        return precise.rounded(np.power, x, y, out=out)
    few = precise.few_powers(x, y)
    return np.power(x, y, out=out) if few is None else same(few, out)


WRITERS: dict[str, Callable[..., Array]] = {
    **vectorised.WRITERS,
    **{"where": where, "sigmoid": sigmoid},
    **{"pow": power, "erf": erf, "rsqrt": rsqrt, "frac": frac},
    **{"cast": cast, "leaf": same, "detach": same, "clone": same},
    **{"widen": widen, "to_bfloat16": to_bfloat16, "to_complex32": to_complex32},
}
"""Kernel name -> its function; all take `out`."""

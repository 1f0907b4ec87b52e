"""What PyTorch refuses to draw, and the words it says so in.

Constraints: raises `GradcliError` or returns; draws nothing; keeps PyTorch's first line.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.files.dtypes import BFLOAT16 as BFLOAT16
from gradcli.graph.dim import bases
from gradcli.graph.dtype import C_TYPES, DTYPES, SCALAR_TYPES

if TYPE_CHECKING:  # numpy.typing costs a start-up ten milliseconds
    from numpy.typing import NDArray

FLOATING = frozenset(map(np.dtype, ("float16", "float32", "float64")))
ORDINARY = FLOATING | set(map(np.dtype, ("uint8", "int8", "int16", "int32", "int64")))
MOST_DECLARED = 1 << 22
"""Random numbers that are drawn for a shape of declared sizes."""
WITH_BOOL = ORDINARY | {np.dtype(bool)}


def refused(
    message: str, code: str = "G026", kind: type[BaseException] = RuntimeError
) -> GradcliError:
    """The error to raise for a parameter that PyTorch refuses with `message`."""
    return GradcliError(code, message, kind=kind)


def names(dtype: np.dtype[Any]) -> tuple[str, str]:
    """PyTorch's name of a dtype and the C++ type it stands for, as its messages show them."""
    name = dtype.metadata["name"] if dtype.metadata else dtype.name
    kind = DTYPES.get(name)
    return (name, name) if kind is None else (SCALAR_TYPES[kind], C_TYPES[kind])


def is_half(dtype: np.dtype[Any]) -> bool:
    """Whether it is a floating-point type of two bytes."""
    return dtype == np.float16 or bool(dtype.metadata)


def digits(dtype: np.dtype[Any]) -> int:
    """The binary digits of a floating-point type."""
    return 8 if dtype.metadata else int(np.finfo(dtype).nmant) + 1


def require(kernel: str, dtype: np.dtype[Any], allowed: frozenset[np.dtype[Any]]) -> None:
    """Raises unless the kernel of that name exists for `dtype`."""
    if dtype not in allowed:
        message = f"\"{kernel}\" not implemented for '{names(dtype)[0]}'"
        raise refused(message, "G025", NotImplementedError)


def require_continuous(distribution: str, dtype: np.dtype[Any], shown: str) -> None:
    """Raises unless `dtype` is floating."""
    if dtype not in FLOATING:
        message = (
            f"{distribution} distribution is a continuous probability distribution. dtype must"
        )
        raise refused(f"{message} be a floating point but you specified {shown}", "G025")


def element_count(shape: tuple[int, ...]) -> int:
    """The number of elements of a shape; raises for a negative size.

    Raises G038 for a shape of declared sizes of which nothing as large is worth drawing: the
    numbers that stand for names are primes far larger than those a user has in mind.
    """
    for size in shape:
        if size < 0:
            listed = ", ".join(map(str, shape))
            raise refused(
                f"Trying to create tensor with negative dimension {size}: [{listed}]", "G024"
            )
    count = math.prod(map(int, shape))
    if count > MOST_DECLARED and any(map(bases, shape)):
        raise GradcliError(
            "G038",
            f"random numbers of the declared shape ({', '.join(map(str, shape))}) have no formula",
            help="gradcli eval gives the derivative at values: NAME=VALUE",
        )
    return count


def seed_word(seed: int) -> int:
    """A seed as an unsigned 64-bit number."""
    if not -(2**63) <= seed < 2**64:
        raise refused("Overflow when unpacking long long", kind=ValueError)
    return seed % 2**64


def check_uniform(dtype: np.dtype[Any], low: float, high: float) -> None:
    """Raises unless [low, high) is a range of `dtype`."""
    largest = float(np.finfo(dtype).max)
    name, type_name = names(dtype)
    for word, value in (("from", low), ("to", high)):
        if not -largest <= value <= largest:
            raise refused(f"{word} is out of bounds for {type_name}")
    if not low <= high:
        found = f"found from={low:g} > to={high:g}"
        raise refused(f"uniform_ expects to return a [from, to) range, but {found}")
    if not high - low <= largest:
        raise refused(
            f"uniform_ expects to-from <= std::numeric_limits<{name}>::max(), but found"
            f" to={high:g} and from={low:g} which result in to-from to exceed the limit"
        )


def integer_range(low: int, high: int | None, dtype: np.dtype[Any]) -> tuple[int, int]:
    """The range [low, high) to draw in `dtype`, its ends moved where rounding could leave it."""
    if high is None:
        return low, largest_drawn(dtype) + 1
    for value in (low, high):
        if not -(2**63) <= value < 2**63:
            raise refused("Overflow when unpacking long long", kind=ValueError)
    if low >= high:
        found = f"got from={low} >= to={high}"
        raise refused(f"random_ expects 'from' to be less than 'to', but {found}")
    if dtype.kind not in "fiub":
        raise refused(
            "check_random_bounds handles only integral, floating-point and boolean types", "G025"
        )
    if dtype.kind == "f":
        low, high = -_inwards(-low, dtype, open_end=False), _inwards(high, dtype, open_end=True)
        if low >= high:
            raise refused(
                "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype,"
                f" but got from={low} >= to={high}"
            )
    smallest, largest = _limits(dtype)
    for word, value in (("from", low), ("to - 1", high - 1)):
        if not smallest <= value <= largest:
            raise refused(f"{word} is out of bounds for {names(dtype)[1]}")
    return low, high


def largest_drawn(dtype: np.dtype[Any]) -> int:
    """The largest whole number that is drawn unless another one is said."""
    if dtype.kind == "f":
        return 2 ** digits(dtype)  # type: ignore[no-any-return]
    return 1 if dtype.kind == "b" else int(np.iinfo(dtype).max)


def check_permutation(n: int, dtype: np.dtype[Any]) -> None:
    """Raises unless 0 ... n-1 fit into `dtype` and can be permuted there."""
    element_count((n,))
    if dtype.kind == "f":
        most = 2 ** digits(dtype) + 1
        if n > most:
            name = names(dtype)[0]
            raise refused(f"n cannot be greater than {most} for {name} type.", "G025")
    elif dtype.kind in "iu" and n - 1 > _limits(dtype)[1]:
        kind = "int" if dtype.name == "int32" else f"{dtype.name}_t"
        raise refused(f"value cannot be converted to type {kind} without overflow", "G025")
    require("randperm", dtype, ORDINARY)


def check_multinomial(weights: NDArray[Any], num_samples: int, replacement: bool) -> None:
    """Raises unless rows of `weights`, shape (n,) or (m, n), can be sampled `num_samples` times."""
    if weights.ndim not in (1, 2):
        raise refused("prob_dist must be 1 or 2 dim", "G024")
    if weights.dtype not in FLOATING:
        name = names(weights.dtype)[0]
        message = f"multinomial only supports floating-point dtypes for input, got: {name}"
        raise refused(message, "G025")
    if num_samples <= 0:
        raise refused("cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > weights.shape[-1]:
        raise refused("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if weights.shape[-1] > 2**24:
        raise refused("number of categories cannot exceed 2^24")
    if not weights.size and weights.ndim == 2 and not weights.shape[0]:
        return
    _check_weights(weights, single=num_samples == 1 or not replacement)


def _check_weights(weights: NDArray[Any], single: bool) -> None:
    bad = "invalid multinomial distribution"
    if not np.all(weights >= 0) or not np.all(np.isfinite(weights)):
        if single:
            raise refused("probability tensor contains either `inf`, `nan` or element < 0")
        negative = not np.all(weights >= 0)
        found = "< 0" if negative else "= infinity or NaN"
        raise refused(f"{bad} (encountering probability entry {found})")
    if not np.all(np.any(weights > 0, axis=-1)):
        raise refused(f"{bad} (sum of probabilities <= 0)")


def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The smallest and the largest integer bound that PyTorch accepts for `dtype`."""
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind == "f":
        return float(np.finfo(dtype).min), float(np.finfo(dtype).max)
    bounds = np.iinfo(dtype)
    return int(bounds.min), min(int(bounds.max), 2**63 - 1)


def _inwards(end: int, dtype: np.dtype[Any], *, open_end: bool) -> int:
    """The upper `end` of a range, lowered where the number below it rounds to or past it."""
    with np.errstate(over="ignore"):
        rounded = float(np.asarray(end - 1).astype(dtype))
    if math.isinf(rounded) or not (rounded >= end if open_end else rounded > end):
        return end
    return int(rounded) - (1 << (abs(end - 1).bit_length() - digits(dtype)))

"""PyTorch's CPU random streams: the same seed gives the same numbers, whatever calls are mixed.

Constraints: arrays in and out; draws move the stream as torch 2.13 does; callers limit memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcli.execute.backends.pointwise import to_bfloat16
from gradcli.execute.backends.unstable import reordered
from gradcli.tensor import gaussian
from gradcli.tensor import random_checks as checks
from gradcli.tensor.fused import multiply_add
from gradcli.tensor.random_checks import refused
from gradcli.tensor.random_stream import Stream

if TYPE_CHECKING:  # numpy.typing costs a start-up ten milliseconds
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Array = NDArray[Any]

Shape = tuple[int, ...]


class Generator(Stream):
    """One random stream with PyTorch's state, to be drawn from and to be saved.

    Every drawing method takes the shape and the NumPy dtype of its result and returns a new array;
    a dtype or a parameter that PyTorch refuses raises its message.

    Args:
        seed: as `manual_seed`; None means unpredictable, as PyTorch's default generator is in a
            process that never calls `manual_seed`.
    """

    def uniform(self, shape: Shape, dtype: DTypeLike, low: float = 0.0, high: float = 1.0) -> Array:
        """Uniform on [low, high) (`rand`, `uniform_`): floating and complex dtypes."""
        dtype = np.dtype(dtype)
        if dtype.kind == "c":
            return _paired(self.uniform, shape, dtype, low, high)
        checks.require("check_uniform_bounds", dtype, checks.FLOATING)
        values = self.fractions(checks.element_count(shape), dtype)
        plain = low == 0.0 and high == 1.0
        if not plain:
            checks.check_uniform(dtype, low, high)
            values = _stretched(values, low, high)
        result = _cast(values, dtype)
        if not plain or checks.is_half(dtype):  # rounding may have reached the open end
            result[result == np.asarray(high, dtype)] = low
        return result.reshape(shape)

    def normal(
        self,
        shape: Shape,
        dtype: DTypeLike,
        mean: float = 0.0,
        std: float = 1.0,
        serial: bool = False,
    ) -> Array:
        """Normal numbers (`randn`, `normal_`); a complex one has the variance std² in all."""
        dtype, count = np.dtype(dtype), checks.element_count(shape)
        if not std >= 0.0:
            raise refused(f"normal expects std >= 0.0, but found std {std:g}")
        if not count:
            return np.empty(shape, dtype)
        if dtype.kind == "c":
            return _paired(self.normal, shape, dtype, mean, std / math.sqrt(2.0), serial)
        checks.require("normal_kernel_cpu", dtype, checks.FLOATING)
        if count < 16 or serial:  # PyTorch fills what is not contiguous one by one, not 16 at once
            return _cast(self.serial_normals(count, mean, std), dtype).reshape(shape)
        return _cast(self.block_normals(count, dtype, mean, std), dtype).reshape(shape)

    def normal_from(self, mean: ArrayLike, std: ArrayLike) -> Array:
        """Normal numbers, each with its own mean or deviation (`torch.normal` of tensors).

        Args:
            mean: an array that gives the dtype and broadcasts with `std`, or a Python number.
            std: an array, or a Python number; not negative.
        """
        center, spread = np.asarray(mean), np.asarray(std)
        if isinstance(std, int | float):
            return np.asarray(self.normal(center.shape, center.dtype, 0.0, std) + center)
        if spread.size and not np.min(spread) >= 0:
            raise refused("normal expects all elements of std >= 0.0")
        if isinstance(mean, int | float):
            center = center.astype(spread.dtype)
        shape = np.broadcast_shapes(center.shape, spread.shape)
        values = self.normal(shape, center.dtype)
        # A product in place promotes with an array of floats, not with a lone number.
        lone = spread.dtype.kind != "f" or (spread.ndim == 0 and values.ndim > 0)
        factor = spread.astype(values.dtype) if lone else spread
        return np.asarray(_cast(values * factor, values.dtype) + center)

    def integers(
        self, low: int, high: int | None, shape: Shape, dtype: DTypeLike = np.int64
    ) -> Array:
        """Integers of [low, high), or up to the largest that `random_` draws: every real dtype."""
        dtype = np.dtype(dtype)
        low, high = checks.integer_range(low, high, dtype)
        # From 2**28 on, the remainder of one 32-bit word would be visibly skewed.
        words = self.words(checks.element_count(shape), wide=high - low >= 1 << 28)
        if high - low == 1 << 64:
            return words.view(np.int64).reshape(shape)
        offsets = (words % words.dtype.type(high - low)).astype(np.uint64)
        return _cast((offsets + np.uint64(low % 2**64)).view(np.int64), dtype).reshape(shape)

    def random_(self, shape: Shape, dtype: DTypeLike) -> Array:
        """Integers from 0 to the largest of the dtype, or to 2**digits of a floating one."""
        dtype, count = np.dtype(dtype), checks.element_count(shape)
        if not count:
            return np.empty(shape, dtype)
        checks.require("random_kernel_cpu", dtype, checks.WITH_BOOL)
        bound = checks.largest_drawn(dtype) + 1
        words = self.words(count, wide=dtype in (np.int64, np.float64))
        return _cast(words % words.dtype.type(bound), dtype).reshape(shape)

    def permutation(self, n: int, dtype: DTypeLike = np.int64) -> Array:
        """The numbers 0 ... n-1 in random order (`randperm`), shape (n,)."""
        dtype = np.dtype(dtype)
        checks.check_permutation(n, dtype)
        order = np.arange(n)
        _shuffle(self, order) if n < 0xFFFFFFFF // 20 else _shuffle_many(self, order)
        return order.astype(dtype, copy=False)

    def bernoulli(
        self, p: ArrayLike, shape: Shape | None = None, dtype: DTypeLike | None = None
    ) -> Array:
        """1 with probability p, else 0 (`bernoulli`, `bernoulli_`).

        Args:
            p: a Python number, or a floating array that broadcasts to `shape`.
            shape: of the result; default: that of `p`.
            dtype: of the result; default: that of an array `p`, float32 for a number.
        """
        chance = np.asarray(p)
        shape = chance.shape if shape is None else shape
        count = checks.element_count(shape)
        if isinstance(p, int | float):
            dtype = np.dtype(np.float32 if dtype is None else dtype)
            if not 0 <= p <= 1:
                raise refused(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
            checks.require("bernoulli_scalar_cpu_", dtype, checks.WITH_BOOL)
            return (self.engine.doubles(count) < p).astype(dtype).reshape(shape)
        dtype = chance.dtype if dtype is None else np.dtype(dtype)
        checks.require("bernoulli_tensor_cpu_self_", dtype, checks.WITH_BOOL)
        checks.require("bernoulli_tensor_cpu_p_", chance.dtype, checks.FLOATING)
        if count and not np.all((chance >= 0) & (chance <= 1)):
            raise refused(_BAD_CHANCE)
        values = self.fractions(count, chance.dtype).reshape(shape)
        return (values < chance.astype(values.dtype)).astype(dtype)

    def exponential(self, shape: Shape, dtype: DTypeLike, lambd: float = 1.0) -> Array:
        """Exponential numbers of rate `lambd` (`exponential_`): floating dtypes."""
        dtype, count = np.dtype(dtype), checks.element_count(shape)
        if not lambd > 0:
            raise refused(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
        checks.require_continuous("Exponential", dtype, checks.names(dtype)[0])
        logarithms = _function(math.log1p, -self.engine.doubles(count), dtype)
        return _cast(-1.0 / lambd * logarithms, dtype).reshape(shape)

    def cauchy(
        self, shape: Shape, dtype: DTypeLike, median: float = 0.0, sigma: float = 1.0
    ) -> Array:
        """Cauchy numbers (`cauchy_`): floating dtypes."""
        dtype, count = np.dtype(dtype), checks.element_count(shape)
        if not sigma > 0:
            raise refused(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
        checks.require_continuous("Cauchy", dtype, checks.names(dtype)[1])
        angles = math.pi * (self.engine.doubles(count) - 0.5)
        values = multiply_add(_function(math.tan, angles, dtype), sigma, median)
        return _cast(values, dtype).reshape(shape)

    def geometric(self, shape: Shape, dtype: DTypeLike, p: float) -> Array:
        """Trials up to the first success (`geometric_`): every real dtype but bool."""
        dtype, count = np.dtype(dtype), checks.element_count(shape)
        if not 0 < p < 1:
            raise refused(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
        checks.require("geometric_cpu", dtype, checks.ORDINARY)
        logarithms = gaussian.through_libm(math.log, self.engine.doubles(count))
        return _cast(np.ceil(logarithms / math.log1p(-p)), dtype).reshape(shape)

    def log_normal(
        self, shape: Shape, dtype: DTypeLike, mean: float = 1.0, std: float = 2.0
    ) -> Array:
        """Numbers whose logarithm is normal (`log_normal_`): floating dtypes."""
        dtype = np.dtype(dtype)
        if not std > 0:
            raise refused(f"log_normal_ expects std > 0.0, but found std={std:g}")
        checks.require("log_normal_cpu", dtype, checks.FLOATING)
        logarithms = self.serial_normals(checks.element_count(shape), mean, std)
        return _cast(_function(math.exp, logarithms, dtype), dtype).reshape(shape)

    def multinomial(
        self, given: ArrayLike, num_samples: int, replacement: bool = False, order: Shape = ()
    ) -> Array:
        """Indices drawn with weights, (num_samples,) or (m, num_samples), int64 (`multinomial`).

        Args:
            given: shape (n,) or (m, n), floating, not negative; need not sum to one.
            num_samples, replacement: how many of each row, and whether an index may come again.
            order: the axes of `given`, the one that moves farthest in memory first.
        """
        weights = np.asarray(given)
        checks.check_multinomial(weights, num_samples, replacement)
        if replacement and num_samples > 1:
            return self._with_replacement(weights, num_samples)
        placed = weights.transpose(order or range(weights.ndim))
        with np.errstate(all="ignore"):
            scores = placed / self.exponential(placed.shape, weights.dtype)
        lost = -(scores.transpose(np.argsort(order)) if order else scores)
        if num_samples == 1:
            return np.asarray(np.argmin(lost, axis=-1, keepdims=True))
        places = np.argsort(lost, axis=-1, kind="stable")
        return np.asarray(reordered(lost, places, ("topk", num_samples, True))[..., :num_samples])

    def _with_replacement(self, weights: Array, num_samples: int) -> Array:
        rows = np.atleast_2d(weights)
        sums = np.cumsum(rows, axis=-1, dtype=np.result_type(weights.dtype, np.float32))
        sums /= sums[:, -1:].copy()
        sums[:, -1] = 1.0
        points = self.engine.doubles(len(rows) * num_samples).reshape(-1, num_samples)
        found = [np.searchsorted(*row) for row in zip(sums.astype(np.float64), points, strict=True)]
        return np.array(found, np.int64).reshape(*weights.shape[:-1], num_samples)


_BAD_CHANCE = (
    "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be"
    " improved?  If so, please report an enhancement request to PyTorch.)"
)


def _cast(values: Array, dtype: np.dtype[Any]) -> Array:
    """To `dtype` as C does it: no word about overflow, integers wrap around."""
    if dtype.metadata:
        return np.asarray(to_bfloat16(values.astype(np.float32)))
    with np.errstate(all="ignore"):
        if values.dtype.kind == "f" and dtype.kind in "iu":
            values = values.astype(np.int64)
        elif dtype == np.float16:  # C++ gets there by way of float, which rounds twice
            values = values.astype(np.float32)
        return values.astype(dtype, copy=False)


def _stretched(values: Array, low: float, high: float) -> Array:
    """From [0, 1) to [low, high), in the precision of `values`, rounded once."""
    start = values.dtype.type(low)
    span = float(values.dtype.type(high) - start)
    if values.dtype == np.float64:
        return multiply_add(values, span, low)
    return (values.astype(np.float64) * span + float(start)).astype(values.dtype)


def _paired(
    draw: Callable[..., Array], shape: Shape, dtype: np.dtype[Any], *parameters: float
) -> Array:
    """Complex numbers whose parts are drawn in turn as real ones."""
    real = np.dtype(np.float32 if dtype.itemsize == 8 else np.float64)
    parts = draw((*shape, 2), real, *parameters)
    return parts.view(dtype)[..., 0]


def _function(function: Callable[[float], float], values: Array, dtype: np.dtype[Any]) -> Array:
    """`function` of float64 values: to the last bit for a float64 result, else in bulk."""
    if dtype == np.float64:
        return gaussian.through_libm(function, values)
    with np.errstate(all="ignore"):
        return np.asarray(getattr(np, function.__name__)(values))


_CHUNK = 1 << 16


def _shuffle(stream: Stream, order: NDArray[np.int64]) -> None:
    """Fisher-Yates from the front, one word a step."""
    places = order.data  # n Python integers would take four times the memory
    last = max(len(order) - 1, 0)
    for start in range(0, last, _CHUNK):
        count = min(_CHUNK, last - start)
        sizes = np.arange(len(order) - start, len(order) - start - count, -1, dtype=np.uint32)
        steps = (stream.words(count, wide=False) % sizes).tolist()
        for place, step in enumerate(steps, start):
            other = place + step
            places[place], places[other] = places[other], places[place]


def _shuffle_many(stream: Stream, order: NDArray[np.int64]) -> None:
    """Fisher-Yates inside out, two words a step: what PyTorch does from 2**32/20 numbers on."""
    places = order.data
    for start in range(0, len(order), _CHUNK):
        sizes = np.arange(start + 1, min(start + _CHUNK, len(order)) + 1, dtype=np.uint64)
        for place, other in enumerate(
            (stream.words(len(sizes), wide=True) % sizes).tolist(), start
        ):
            places[place] = places[other]
            places[other] = place

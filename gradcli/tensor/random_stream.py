"""A random stream with PyTorch's state: seeding, saving, and what all distributions are made of.

Constraints: state bytes are PyTorch's; the spare normal of a pair belongs to the state, because the
next small draw begins with it.
"""

from __future__ import annotations

import math
import os
import struct
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gradcli.graph.node import current
from gradcli.tensor import gaussian
from gradcli.tensor.fused import multiply_add
from gradcli.tensor.mersenne import SIZE, Mersenne
from gradcli.tensor.random_checks import is_half, refused, seed_word

if TYPE_CHECKING:  # numpy.typing costs a start-up ten milliseconds
    from numpy.typing import ArrayLike, NDArray

DEFAULT_SEED = 67280421310721
"""What `torch.Generator()` starts with."""


class Stream:
    """One stream of random words, and the numbers that are made of them one by one.

    Args:
        seed: as `manual_seed`; None means unpredictable, as PyTorch's default generator is in a
            process that never calls `manual_seed`.
    """

    __slots__ = ("_engine", "_single_spare", "_spare")

    def __init__(self, seed: int | None = DEFAULT_SEED) -> None:
        # PyTorch's CPU code never makes a single-precision spare, but its state has room for one.
        self._single_spare = (0.0, False)
        self._spare: float | None = None
        self._engine = None if seed is None else Mersenne(seed_word(seed))

    def manual_seed(self, seed: int) -> Self:
        """Starts the stream of `seed` (-2**63 ... 2**64 - 1; negative ones wrap around)."""
        _note("the random numbers started anew")
        engine = Mersenne(seed_word(seed))
        self._engine, self._spare, self._single_spare = engine, None, (0.0, False)
        return self

    def seed(self) -> int:
        """Starts an unpredictable stream; returns its seed."""
        return self.manual_seed(int.from_bytes(os.urandom(8), "little")).initial_seed()

    def initial_seed(self) -> int:
        """The seed of the current stream, 0 ... 2**64 - 1."""
        return self.engine.seed

    def state(self) -> NDArray[np.uint8]:
        """The state, byte for byte as `torch.get_rng_state()`: shape (5056,), uint8."""
        engine = self.engine
        key, following = engine.position()
        left = SIZE + 1 - following if following else 1
        spare = (0.0, self._spare or 0.0, 0.0, self._spare is not None)
        head = (engine.seed, left, 1, following)
        packed = _STATE.pack(*head, *key.tolist(), *spare, *self._single_spare)
        return np.frombuffer(packed, np.uint8).copy()

    def restore(self, state: ArrayLike) -> None:
        """Continues from a `state` of this one or of PyTorch: shape (5056,), uint8."""
        _note("the random numbers started anew")
        array = np.asarray(state)
        if array.dtype != np.uint8:
            raise refused("RNG state must be a torch.ByteTensor", "G025", TypeError)
        if array.size != _STATE.size:
            found = f"but found the input RNG state size to be {array.size}"
            raise refused(f"Expected a CPUGeneratorImplState of size {_STATE.size} {found}")
        seed, left, seeded, following, *rest = _STATE.unpack(array.tobytes())
        if not seeded or following > SIZE or left != (SIZE + 1 - following if following else 1):
            raise refused("Invalid mt19937 state")
        key = np.array(rest[:SIZE], np.uint64).astype(np.uint32)
        _, spare, _, has_spare, single, has_single = rest[SIZE:]
        self._engine = Mersenne.restore(seed, key, following)
        self._spare = spare if has_spare else None
        self._single_spare = (single, has_single)

    def mark(self) -> Any:
        """The present position, for `back`; costs nothing."""
        engine = self._engine
        return engine, engine and engine.mark(), self._spare, self._single_spare

    def back(self, mark: Any) -> None:
        """Goes on from a position of `mark`."""
        self._engine, place, self._spare, self._single_spare = mark
        if self._engine is not None:
            self._engine.back(place)

    @property
    def engine(self) -> Mersenne:
        """The engine at its present position; seeds it if that has not happened yet."""
        _note("random numbers were drawn")
        if self._engine is None:
            self.seed()
        assert self._engine is not None
        return self._engine

    def words(self, count: int, *, wide: bool) -> NDArray[Any]:
        """Random words, shape (count,): uint64 when `wide`, else uint32."""
        return self.engine.long_words(count) if wide else self.engine.words(count)

    def fractions(self, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Uniform numbers of [0, 1), shape (count,): float64 for `dtype` float64, else float32."""
        return self.engine.doubles(count) if dtype.itemsize == 8 else self.engine.floats(count)

    def serial_normals(self, count: int, mean: float, std: float) -> NDArray[np.float64]:
        """Normal numbers made in pairs, shape (count,); a spare one waits for the next call."""
        values = [] if self._spare is None or not count else [self._spare]
        if values:
            self._spare = None
        pairs = (count - len(values) + 1) // 2
        numbers = iter(self.engine.doubles(2 * pairs).tolist())
        for turn, depth in zip(numbers, numbers, strict=True):
            radius = math.sqrt(-2.0 * math.log1p(-depth))
            angle = 2.0 * math.pi * turn
            values += (radius * math.cos(angle), radius * math.sin(angle))
        if len(values) > count:
            self._spare = values.pop()
        result = np.array(values, np.float64)
        standard = mean == 0.0 and std == 1.0
        return result if standard else multiply_add(result, std, mean)

    def block_normals(
        self, count: int, dtype: np.dtype[Any], mean: float, std: float
    ) -> NDArray[Any]:
        """Normal numbers made 16 at a time, shape (count,); `count` is at least 16."""
        whole = count - count % 16
        # Numbers that the last 16 will replace are drawn all the same, but not for halves.
        drawn = whole if is_half(dtype) else count
        values = self.fractions(drawn, dtype)
        gaussian.fill(values[:whole], mean, std)
        if whole == count:
            return values
        last = self.fractions(16, dtype)
        gaussian.fill(last, mean, std)
        return np.concatenate((values[: count - 16], last))


# PyTorch's state: the seed, the words left, whether seeded, the next word, the words, three slots
# of which the middle one is the spare normal, whether it is there, and a single-precision spare.
_STATE = struct.Struct(f"<QiiQ{SIZE}Q3di4xf?3x")


def _note(what: str) -> None:
    """Tells a recording of what it cannot repeat."""
    if current.recording is not None:
        current.recording.fail(what)

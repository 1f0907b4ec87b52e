"""The Mersenne Twister as PyTorch's CPU generator runs it: one stream of 32-bit words.

Constraints: the words come in the order of the reference MT19937 seeded with one 32-bit number;
small draws stay in NumPy's core, because loading `numpy.random` costs a start-up more than they do.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # numpy.typing costs a start-up ten milliseconds
    from numpy.typing import NDArray

    Words = NDArray[np.uint32]

SIZE = 624


class Mersenne:
    """A position in the stream of one seed.

    Args:
        seed: 0 ... 2**64 - 1; the engine takes its low 32 bits, as PyTorch's does.
    """

    __slots__ = ("_block", "_key", "_next", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._key: Words | None = None
        self._next = 0
        self._block: Words | None = None

    @classmethod
    def restore(cls, seed: int, key: Words, next_word: int) -> Mersenne:
        """The engine that `position` was read from; `next_word` is 0 ... 624."""
        engine = cls(seed)
        engine._key = key
        engine._next = next_word
        return engine

    def position(self) -> tuple[Words, int]:
        """The 624 words of the state and the index of the next one; 0 before the first draw."""
        if self._key is None:
            self._key = _spread(self.seed)
        return self._key, self._next

    def mark(self) -> Any:
        """The present position, for `back`; no words are copied."""
        return self._key, self._next, self._block

    def back(self, mark: Any) -> None:
        """Goes on from a position of `mark`."""
        self._key, self._next, self._block = mark

    def words(self, count: int) -> Words:
        """The next `count` words, shape (count,), uint32; not to be written to."""
        start, end = self._next, self._next + count
        if not (start and end <= SIZE):
            return self._gather(count)
        self._next = end
        if self._block is None:
            self._block = _temper(self.position()[0].copy())
        return self._block[start:end]

    def long_words(self, count: int) -> NDArray[np.uint64]:
        """The next `count` pairs of words as uint64, the first of a pair on top."""
        words = self.words(2 * count)
        return (words[0::2].astype(np.uint64) << np.uint64(32)) | words[1::2]

    def floats(self, count: int) -> NDArray[np.float32]:
        """Uniform numbers of [0, 1) with 24 random bits, shape (count,), float32."""
        values = (self.words(count) & np.uint32(0xFFFFFF)).astype(np.float32)
        values *= np.float32(2.0**-24)
        return values

    def doubles(self, count: int) -> NDArray[np.float64]:
        """Uniform numbers of [0, 1) with 53 random bits, shape (count,), float64."""
        words = self.words(2 * count)
        values = (words[0::2] & np.uint32(0x1FFFFF)).astype(np.float64)
        values *= 2.0**32
        values += words[1::2]
        values *= 2.0**-53
        return values

    def _gather(self, count: int) -> Words:
        """`words` across the end of a block."""
        out = np.empty(count, np.uint32)
        if not count:
            return out
        key, start = self.position()
        filled = min(SIZE - start, count) if start else 0
        out[:filled] = key[start : start + filled]
        _temper(out[:filled])
        self._block = None
        if count - filled >= _bulk_from():
            self._key, self._next = _draw_bulk(key, out[filled:])
            return out
        done = filled
        while done < count:
            key = _twist(key)
            self._next = min(SIZE, count - done)
            out[done : done + self._next] = key[: self._next]
            done += self._next
        self._key = key
        _temper(out[filled:])
        return out


def _spread(seed: int) -> Words:
    """The state that a seed stands for: Knuth's multiplicative generator, 624 steps."""
    word = seed & 0xFFFFFFFF
    words = [word]
    for index in range(1, SIZE):
        word = (1812433253 * (word ^ (word >> 30)) + index) & 0xFFFFFFFF
        words.append(word)
    return np.array(words, np.uint32)


_LAG = 397
_AHEAD = SIZE - _LAG
_UPPER, _LOWER = np.uint32(0x80000000), np.uint32(0x7FFFFFFF)
_ONE = np.uint32(1)
_MATRIX = 0x9908B0DF


def _twist(key: Words) -> Words:
    """The next 624 words of the state."""
    pair = key[:-1] & _UPPER
    pair |= key[1:] & _LOWER
    odd = key[1:] & _ONE
    odd *= np.uint32(_MATRIX)
    pair >>= _ONE
    pair ^= odd
    new = np.empty(SIZE, np.uint32)
    np.bitwise_xor(key[_LAG:], pair[:_AHEAD], out=new[:_AHEAD])
    np.bitwise_xor(new[:_AHEAD], pair[_AHEAD : 2 * _AHEAD], out=new[_AHEAD : 2 * _AHEAD])
    np.bitwise_xor(new[_AHEAD : _LAG - 1], pair[2 * _AHEAD :], out=new[2 * _AHEAD : -1])
    # The last word wraps around to the first of the new block, so it can't be in the vectors above.
    last = (int(key[-1]) & 0x80000000) | (int(new[0]) & 0x7FFFFFFF)
    new[-1] = int(new[_LAG - 1]) ^ (last >> 1) ^ (_MATRIX if last & 1 else 0)
    return new


_TEMPER_BLOCK = 1 << 14


def _temper(words: Words) -> Words:
    """Turns words of the state into words of the stream, in place."""
    for start in range(0, len(words), _TEMPER_BLOCK):
        part = words[start : start + _TEMPER_BLOCK]
        part ^= part >> np.uint32(11)
        part ^= (part << np.uint32(7)) & np.uint32(0x9D2C5680)
        part ^= (part << np.uint32(15)) & np.uint32(0xEFC60000)
        part ^= part >> np.uint32(18)
    return words


_BULK_BLOCK = 1 << 16


def _bulk_from() -> int:
    """How many words are worth NumPy's own engine: far fewer once it is loaded."""
    return 1 << 12 if "numpy.random" in sys.modules else 1 << 19


def _draw_bulk(key: Words, out: Words) -> tuple[Words, int]:
    """Fills `out` with the words after the block `key`; returns the position reached."""
    from numpy.random import MT19937

    engine = MT19937(0)
    engine.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": SIZE}}
    for start in range(0, len(out), _BULK_BLOCK):
        part = out[start : start + _BULK_BLOCK]
        part[:] = engine.random_raw(len(part))
    state = engine.state["state"]
    return state["key"].copy(), int(state["pos"])

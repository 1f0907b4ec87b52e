"""Eigenvectors of small Hermitian matrices with the signs that PyTorch's LAPACK gives them.

Constraints: LAPACK's algorithm for at most 25 rows (dsyevd: reduction to a tridiagonal matrix,
implicit QL or QR), with plane rotations as they were before LAPACK 3.10, as PyTorch's library still
makes them. Newer ones turn other vectors round.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.execute.backends.lapack import routine

Array = Any
LARGEST = 25
"""Rows up to which LAPACK works like this; beyond, it divides and conquers in all versions."""


def eigh(x: Array, lower: bool) -> tuple[Array, Array]:
    """The ascending eigenvalues and the eigenvectors of one matrix.

    Args:
        x: real symmetric or Hermitian, from 1 to `LARGEST` rows, finite.
        lower: which triangle is read.

    Raises:
        LinAlgError: NumPy's, when the sweeps do not converge.
    """
    stem = "he" if x.dtype.kind == "c" else "sy"
    packed, d, e, tau, _ = routine(f"{stem}trd", x)(x, lower=lower)
    values, vectors = Sweeps(d, e).run()
    return values, _unreduced(packed, tau, vectors.astype(x.dtype), lower)


def _unreduced(packed: Array, tau: Array, vectors: Array, lower: bool) -> Array:
    """Q @ vectors, Q the product of the reflections of the reduction."""
    size = len(packed)
    for i in range(size - 2, -1, -1) if lower else range(size - 1):
        v = np.zeros(size, packed.dtype)
        if lower:
            v[i + 1], v[i + 2 :] = 1, packed[i + 2 :, i]
        else:
            v[i], v[:i] = 1, packed[:i, i + 1]
        vectors = vectors - tau[i] * np.outer(v, v.conj() @ vectors)
    return vectors


def rotation(f: Any, g: Any) -> tuple[Any, Any, Any]:
    """c, s and r with `c*f + s*g = r` and `c*g = s*f`; c is not negative where |f| > |g|."""
    if g == 0:
        return f * 0 + 1, f * 0, f
    if f == 0:
        return g * 0, g * 0 + 1, g
    r = np.sqrt(f * f + g * g)
    c, s = f / r, g / r
    return (-c, -s, -r) if abs(f) > abs(g) and c < 0 else (c, s, r)


def length(x: Any, y: Any) -> Any:
    """The length of (x, y), rounded as LAPACK rounds it: a tie of |f| and |g| above turns on it."""
    small, large = sorted((abs(x), abs(y)))
    return large * np.sqrt(1 + (small / large) ** 2) if large else large


def two_by_two(a: Any, b: Any, c: Any) -> tuple[Any, Any, Any, Any]:
    """The eigenvalues of [[a, b], [b, c]], the larger in size first, and its vector (cos, sin)."""
    size = length(a - c, 2 * b)
    sign = -1 if a + c < 0 else 1
    first = (a + c + sign * size) / 2
    large, small = (a, c) if abs(a) > abs(c) else (c, a)
    second = (large / first) * small - (b / first) * b if a + c != 0 else -size / 2
    turn = 1 if a >= c else -1
    along = a - c + turn * size
    if abs(along) > abs(2 * b):
        slope = -2 * b / along
        sine = 1 / np.sqrt(1 + slope * slope)
        cosine = slope * sine
    elif b == 0:
        cosine, sine = a * 0 + 1, a * 0
    else:
        slope = -along / (2 * b)
        cosine = 1 / np.sqrt(1 + slope * slope)
        sine = slope * cosine
    return (first, second, -sine, cosine) if sign == turn else (first, second, cosine, sine)


class Sweeps:
    """Implicit QL and QR sweeps over a tridiagonal matrix (LAPACK's dsteqr).

    Args:
        d: its diagonal.
        e: the diagonal beside it.
    """

    def __init__(self, d: Array, e: Array) -> None:
        self.d, self.e = d.copy(), e.copy()
        self.z = np.eye(len(d), dtype=d.dtype)
        self.epsilon = np.finfo(d.dtype).eps / 2
        self.tiny = np.finfo(d.dtype).tiny

    def run(self) -> tuple[Array, Array]:
        """The eigenvalues in ascending order, and the eigenvectors."""
        start, size = 0, len(self.d)
        while start < size:
            stop = next((k for k in range(start, size - 1) if self._splits(k)), size - 1)
            if stop > start:
                self._block(start, stop)
            start = stop + 1
        self._sort()
        return self.d, self.z

    def _splits(self, k: int) -> bool:
        if self.e[k] == 0:
            return True
        scale = np.sqrt(abs(self.d[k])) * np.sqrt(abs(self.d[k + 1]))
        small = bool(abs(self.e[k]) <= scale * self.epsilon)
        if small:
            self.e[k] = 0
        return small

    def _block(self, start: int, stop: int) -> None:
        """Diagonalises an unreduced block, from the end whose diagonal is smaller in size."""
        down = not abs(self.d[stop]) < abs(self.d[start])
        here, end, step = (start, stop, 1) if down else (stop, start, -1)
        for _ in range(30 * len(self.d) * (stop - start + 1)):
            if (end - here) * step < 0:
                return
            split = here
            while split != end and not self._negligible(split, step):
                split += step
            if split != end:
                self.e[min(split, split + step)] = 0
            if split == here:
                here += step
            elif split == here + step:
                self._pair(min(here, split))
                here += 2 * step
            else:
                self._sweep(here, split, step)
        raise np.linalg.LinAlgError("no convergence")

    def _negligible(self, k: int, step: int) -> bool:
        square = abs(self.e[min(k, k + step)]) ** 2
        scale = self.epsilon**2 * abs(self.d[k]) * abs(self.d[k + step])
        return bool(square <= scale + self.tiny)

    def _pair(self, k: int) -> None:
        first, second, c, s = two_by_two(self.d[k], self.e[k], self.d[k + 1])
        self._rotate(k, c, s)
        self.d[k], self.d[k + 1], self.e[k] = first, second, 0

    def _sweep(self, here: int, split: int, step: int) -> None:
        """One sweep from `split` back to `here`, whose eigenvalue is shifted for."""
        d, e = self.d, self.e
        p, beside = d[here], e[min(here, here + step)]
        g = (d[here + step] - p) / (2 * beside)
        r = length(g, d.dtype.type(1))
        g = d[split] - p + beside / (g + (r if g >= 0 else -r))
        s, c, p = (d.dtype.type(n) for n in (1, 1, 0))
        for k in range(split, here, -step):
            place = min(k, k - step)
            f, b = s * e[place], c * e[place]
            c, s, r = rotation(g, f)
            if k != split:
                e[min(k, k + step)] = r
            g = d[k] - p
            r = (d[k - step] - g) * s + 2 * c * b
            p = s * r
            d[k] = g + p
            g = c * r - b
            self._rotate(place, c, -s * step)
        d[here] -= p
        e[min(here, here + step)] = g

    def _rotate(self, k: int, c: Any, s: Any) -> None:
        left, right = self.z[:, k].copy(), self.z[:, k + 1].copy()
        self.z[:, k] = s * right + c * left
        self.z[:, k + 1] = c * right - s * left

    def _sort(self) -> None:
        """Selection, with as few exchanges as can be: equal values may change their order."""
        for i in range(len(self.d) - 1):
            k = i + int(np.argmin(self.d[i:]))
            if self.d[k] < self.d[i]:
                self.d[[i, k]], self.z[:, [i, k]] = self.d[[k, i]], self.z[:, [k, i]]

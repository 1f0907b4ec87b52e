"""Where a derivative is checked: the given values, and random ones for declared shapes.

Constraints: named sizes become distinct odd primes, others at every point, so that no transpose and
no wrong factor can hide, and none looks like a size; the same seed gives the same points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.functions.create import from_array
from gradcli.tensor import Tensor
from gradcli.tensor.symbols import declared_sizes, is_placeholder, sized_shape

SIZES = (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)
SPREADS = {
    "standard normal": lambda rng, shape: rng.standard_normal(shape),
    "uniform in (0.5, 1.5)": lambda rng, shape: rng.uniform(0.5, 1.5, shape),
    "uniform in (0.1, 0.9)": lambda rng, shape: rng.uniform(0.1, 0.9, shape),
    "uniform in (1.1, 3)": lambda rng, shape: rng.uniform(1.1, 3.0, shape),
}
"""How random points are drawn."""
GROWTHS = ("ascending", "the same", "descending")
"""How sizes are given to the declared names: other ones at every point, or the same where other
values and formulas count on them; `X:m,n` is wide, or tall."""
ATTEMPTS = 12
"""How many points are drawn for one at which the function is tame."""
DROWNED = 1e-6
"""The relative error from rounding at which a function is no longer tame."""

Array = Any
Values = dict[str, Any]
Noise = Callable[[Values], float]
Shapes = Mapping[str, tuple[int, ...]]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]


class Points:
    """The points of a check: `count` of them, as often as wanted, and `words` for where they are.

    Args:
        variables: values, and placeholders for shapes that get random values.
        samples, seed: of the random points.
        noises: how much of the function is rounding at a point, infinite where it has no value;
            raises GradcliError where shapes do not fit. Of the ways to draw the first is taken in
            which it is small. The first that does not raise everywhere counts.
    """

    def __init__(
        self,
        variables: Mapping[str, Any],
        samples: int,
        seed: int,
        noises: Sequence[Noise],
    ) -> None:
        self.variables = variables
        self.words = "the given point"
        self.drawn: list[dict[str, Array]] = [{}]
        if any(is_placeholder(value) for value in variables.values()):
            found = (self._draw(samples, seed, noise) for noise in noises)
            spread = next(filter(None, found), "") or self._first(samples, seed)
            plural = "s" * (samples > 1)
            self.words = f"{samples} random point{plural} ({spread}, seed {seed})"

    def values(self) -> list[Values]:
        """The variables, tensors of their own, and the declared sizes, at every point."""
        return [self._at(arrays) for arrays in self.drawn]

    def _at(self, arrays: Mapping[str, Array]) -> Values:
        sizes: dict[str, int] = {}
        for name, array in arrays.items():
            for size, number in zip(self.variables[name].shape, array.shape, strict=True):
                if isinstance(form := getattr(size, "form", None), str):
                    sizes[form] = number
        known = {name: from_array(a) for name, a in arrays.items()}
        return {**sizes, **self.variables, **known}

    def _shapes(self, samples: int, growth: str) -> list[Shapes]:
        """The shapes of the variables without value, at every point."""
        free = {n: tuple(v.shape) for n, v in self.variables.items() if is_placeholder(v)}
        sizes = _sizes(declared_sizes(free.values()), samples, growth)
        return [{name: sized_shape(shape, at) for name, shape in free.items()} for at in sizes]

    def _first(self, samples: int, seed: int) -> str:
        """Draws the first points, whatever is there; returns how."""
        rng = np.random.default_rng(seed)
        words, draw = next(iter(SPREADS.items()))
        self.drawn = [_arrays(each, rng, draw) for each in self._shapes(samples, GROWTHS[0])]
        return words

    def _draw(self, samples: int, seed: int, noise: Noise) -> str:
        """Draws the points; returns how, and nothing where no shapes fit."""
        best, words = math.inf, ""
        for growth in GROWTHS:
            shapes = self._shapes(samples, growth)
            for spread, draw in SPREADS.items():
                rng = np.random.default_rng(seed)
                try:
                    found = [self._tame(each, rng, draw, noise) for each in shapes]
                except GradcliError:
                    break
                worst = max(lost for lost, _ in found)
                if worst < best or not words:
                    self.drawn, best, words = [arrays for _, arrays in found], worst, spread
                if best < DROWNED:
                    return words
        return words

    def _tame(
        self,
        shapes: Shapes,
        rng: np.random.Generator,
        draw: Draw,
        noise: Noise,
    ) -> tuple[float, dict[str, Array]]:
        """The first point of some at which the function is tame, or the tamest; its noise first."""
        tamest: tuple[float, dict[str, Array]] | None = None
        for _ in range(ATTEMPTS):
            arrays = _arrays(shapes, rng, draw)
            lost = noise(self._at(arrays))
            if tamest is None or lost < tamest[0]:
                tamest = lost, arrays
            if lost < DROWNED:
                break
        assert tamest is not None
        return tamest


def _arrays(shapes: Shapes, rng: np.random.Generator, draw: Draw) -> dict[str, Array]:
    return {name: np.asarray(draw(rng, shape)) for name, shape in shapes.items()}


def _sizes(names: Mapping[str, Any], samples: int, growth: str) -> list[dict[str, int]]:
    """The sizes of the declared names at every point."""
    count = len(names)
    choices = list(combinations((SIZES * count)[: count + 1], count))
    if growth == "the same":
        choices = choices[:1]
    turn = -1 if growth == "descending" else 1
    chosen = (choices[point % len(choices)][::turn] for point in range(samples))
    return [dict(zip(names, sizes, strict=True)) for sizes in chosen]


def array_of(value: Any) -> Any:
    """A tensor's value as a float64 array, not to be written to; raises G025 for a complex one."""
    assert isinstance(value, Tensor)
    if value.is_complex():
        raise GradcliError(
            "G025",
            "a complex variable has no derivative that differences along one axis could check",
            help="check by real and imaginary part: torch.complex(a, b) in place of the variable",
        )
    return np.asarray(value.array(), np.float64)

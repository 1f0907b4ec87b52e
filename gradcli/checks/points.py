"""Where a derivative is checked: the given values, and random ones for declared shapes.

Constraints: named sizes become distinct odd primes, so that no transpose and no wrong factor 1/n
can hide; the same seed gives the same points.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.functions.create import from_array
from gradcli.tensor import Tensor
from gradcli.tensor.symbols import declared_sizes, is_placeholder, sized_shape

SIZES = (3, 5, 7, 11, 13, 17, 19, 23)
SPREADS = {
    "standard normal": lambda rng, shape: rng.standard_normal(shape),
    "uniform in (0.5, 1.5)": lambda rng, shape: rng.uniform(0.5, 1.5, shape),
    "uniform in (0.1, 0.9)": lambda rng, shape: rng.uniform(0.1, 0.9, shape),
    "uniform in (1.1, 3)": lambda rng, shape: rng.uniform(1.1, 3.0, shape),
}
"""How random points are drawn; the first one at which the function is finite is taken."""

Values = dict[str, Any]


def is_random(variables: Mapping[str, Any]) -> bool:
    """Whether some variable has a shape and no value."""
    return any(is_placeholder(value) for value in variables.values())


def points(variables: Mapping[str, Any], samples: int, seed: int, spread: str) -> Iterator[Values]:
    """The variables with values: as many random ones as asked for, or the one given."""
    rng = np.random.default_rng(seed)
    free = {name: value for name, value in variables.items() if is_placeholder(value)}
    names = declared_sizes(tuple(value.shape) for value in free.values())
    sizes = {name: SIZES[i % len(SIZES)] for i, name in enumerate(names)}
    for _ in range(samples if free else 1):
        values = dict(variables)
        for name, value in free.items():
            shape = sized_shape(tuple(value.shape), sizes)
            values[name] = from_array(np.asarray(SPREADS[spread](rng, shape)))
        yield values


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

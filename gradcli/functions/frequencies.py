"""`torch.fft`: the frequencies of a transform, and which of them lies first.

Constraints: the transforms themselves are in fft.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import default
from gradcli.tensor import registry
from gradcli.tensor.function import composite


def _frequencies(name: str, places: Callable[[int], list[int]]) -> None:
    def entry(
        n: int,
        d: float = 1.0,
        *,
        dtype: Any = None,
        requires_grad: bool = False,
    ) -> Any:
        if n < 0 and name == "fftfreq":
            sentence = f"Trying to create tensor with negative dimension {n}: [{n}]"
            raise GradcliError("G024", sentence)
        counts = registry.find("torch.tensor")(places(n), dtype=dtype or default.dtype)
        found = counts * (1.0 / (n * d) if n * d else math.copysign(math.inf, d))
        return found.requires_grad_() if requires_grad else found

    entry.__doc__ = "The frequencies of a transform of `n` points that lie `d` apart."
    composite(f"fft.{name}", method=False)(entry)


_frequencies("fftfreq", lambda n: [*range((n + 1) // 2), *range(-(n // 2), 0)])
_frequencies("rfftfreq", lambda n: [*range(int(n / 2) + 1)])


def _shift(name: str, half: Callable[[int], int]) -> None:
    def entry(input: Any, dim: Any = None) -> Any:
        dims = range(input.dim()) if dim is None else [dim] if isinstance(dim, int) else dim
        return input.roll([half(input.shape[d]) for d in dims], [*dims])

    entry.__doc__ = "Moves the frequency zero to the middle along `dim`, or back (`ifftshift`)."
    composite(f"fft.{name}", method=False)(entry)


_shift("fftshift", lambda n: n // 2)
_shift("ifftshift", lambda n: (n + 1) // 2)

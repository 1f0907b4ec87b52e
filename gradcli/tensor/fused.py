"""`x*y + z` rounded once, as the processor's fused multiply-add does: PyTorch is compiled with it.

Constraints: NumPy arrays of float64; other dtypes are rounded from its result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # numpy.typing costs a start-up ten milliseconds
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]


def multiply_add(x: Doubles, y: float, z: float | Doubles) -> Doubles:
    """x*y + z with one rounding, for float64: Dekker's product and Knuth's sum."""
    product = x * y
    total = product + z
    with np.errstate(all="ignore"):
        x_high, y_high = _upper_half(x), _upper_half(np.float64(y))
        x_low, y_low = x - x_high, y - y_high
        rest = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
        moved = total - product
        rest += (product - (total - moved)) + (z - moved)
        exact: Doubles = total + rest
    return np.where(np.isfinite(exact), exact, total)


def _upper_half(x: Any) -> Any:
    """The upper 26 bits of the significand: Veltkamp's splitting."""
    scaled = 134217729.0 * x
    return scaled - (scaled - x)

"""Order and statistics on NumPy arrays: what sorts, ranks and scans.

Constraints: imported when an op first needs it; NaN counts as the largest number, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

KERNELS: dict[str, Callable[..., Any]] = {}
"""Kernels by name."""

"""The bits of an array, read as numbers of another type.

Constraints: what NumPy has no type for is stored in a wider one (bfloat16 as float32, complex32 as
complex64), and goes through the bits that it has in its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.graph.dtype import DType, bfloat16, bool_, complex32

Array = Any


def reinterpret(x: Array, *, source: DType, dtype: DType) -> Array:
    """The elements of `x`, which are of type `source`, as the last axis reads as `dtype`."""
    packed = np.array(_packed(np.asarray(x), source), order="C")
    if dtype is bfloat16:
        return (packed.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    if dtype is complex32:
        return packed.view(np.float16).astype(np.float32).view(np.complex64)
    if dtype is bool_:
        return packed.view(np.uint8) != 0
    return packed.view(dtype.name)


def _packed(x: Array, source: DType) -> Array:
    """`x` as bits of the width of `source`."""
    if source is bfloat16:
        return (np.array(x, order="C").view(np.uint32) >> 16).astype(np.uint16)
    if source is complex32:
        return np.array(x, order="C").view(np.float32).astype(np.float16)
    return x


KERNELS = {"reinterpret": reinterpret}

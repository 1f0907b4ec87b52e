"""Which element types gradcli computes with, and how the others arrive at one of them.

Constraints: the tables are the only list; nothing is converted when a value would change.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcli.files.data import Data

SUPPORTED = frozenset("?bhilqefdFDB")
"""numpy's type letters that pass as they are: bool, int8-64, uint8, float16-64, complex64/128."""

UPCAST = frozenset("HILQ")
"""uint16, uint32 and uint64 become int64, as PyTorch has next to no arithmetic for them."""

BFLOAT16 = np.dtype(np.float32, metadata={"name": "bfloat16"})
"""Of an array of float32 that holds numbers of bfloat16, which NumPy lacks, and says so."""

_REASONS = {
    "O": ("Python objects", "save numbers: np.save(file, np.asarray(x, dtype=float))"),
    "S": ("text", "convert it to numbers before saving: x.astype(float)"),
    "U": ("text", "convert it to numbers before saving: x.astype(float)"),
    "M": ("dates", "convert them to numbers before saving: x.astype('int64')"),
    "m": ("durations", "convert them to numbers before saving: x.astype('int64')"),
    "V": ("structured or raw records", "save one field as an array: np.save(file, x['field'])"),
}
_WIDE = ("numbers of a width that gradcli does not compute with", "save them as float64")


def refuse(kind: str, descr: str, data: Data) -> Exception:
    """The error (G051) for elements of numpy's `kind`, such as O for objects."""
    what, help = _REASONS.get(kind, _WIDE)
    return data.malformed(f"holds {what} (dtype {descr}), not plain numbers", help)


def normalise(array: np.ndarray[Any, Any], data: Data) -> np.ndarray[Any, Any]:
    """The array in native byte order and in a dtype of `SUPPORTED`.

    Raises:
        GradcliError: G051 for any other dtype, or a uint64 beyond int64's range.
    """
    dtype = array.dtype
    if dtype.char in UPCAST:
        if array.size and dtype.itemsize == 8 and int(array.max()) > np.iinfo(np.int64).max:
            raise data.malformed(
                "holds unsigned integers above 9223372036854775807", "save them as float64"
            )
        data.take(array.size * 8)
        return array.astype(np.int64)
    if dtype.char not in SUPPORTED:
        raise refuse(dtype.kind, str(dtype), data)
    if not dtype.isnative:
        data.take(array.nbytes)
        return array.astype(dtype.newbyteorder("="))
    return array

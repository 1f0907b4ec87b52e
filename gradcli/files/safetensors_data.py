"""The safetensors format: one tensor of the file, by name.

Constraints: the safetensors library validates header and offsets; only the chosen tensor's bytes
are read; bfloat16, which NumPy lacks, comes as float32 whose dtype says so (dtypes.py).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from gradcli.files.data import Data
from gradcli.files.dtypes import BFLOAT16, normalise
from gradcli.files.npy import Header, read_elements

_DTYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "U32": "<u4",
    "I32": "<i4",
    "U64": "<u8",
    "I64": "<i8",
    "F16": "<f2",
    "BF16": "<u2",
    "F32": "<f4",
    "F64": "<f8",
    "C64": "<c8",
}


def read(data: Data, key: str) -> np.ndarray[Any, Any]:
    """The tensor `key`; without a key, the only one.

    Raises:
        GradcliError: G051 for a damaged file or a dtype such as float8, G052 for a missing key.
    """
    with data.guard("safetensors file"):
        _validate(data)
        data.stream.seek(0)
        length = int.from_bytes(data.stream.read(8), "little")
        tensors = json.loads(data.stream.read(length))
    tensors.pop("__metadata__", None)
    entry = tensors[data.choose("tensor", key, tensors)]
    if entry["dtype"] not in _DTYPES:
        raise data.malformed(
            f"holds {entry['dtype']}, which NumPy has no dtype for", "save it as float32"
        )
    start = 8 + length + entry["data_offsets"][0]
    data.stream.seek(start)
    header = Header(np.dtype(_DTYPES[entry["dtype"]]), tuple(entry["shape"]), False, start)
    if entry["dtype"] == "BF16":
        return _widen(header, data)
    return normalise(read_elements(data.stream, header, data), data)


def _validate(data: Data) -> None:
    import safetensors

    if data.path is None:
        deserialize: Any = safetensors.deserialize  # the library has no types
        deserialize(data.whole())
        return
    with safetensors.safe_open(str(data.path), framework="numpy"):
        pass


def _widen(header: Header, data: Data) -> np.ndarray[Any, Any]:
    """bfloat16 is the upper half of a float32, which the array's dtype says of itself."""
    data.take(header.count * 4)
    halves = read_elements(data.stream, header, data)
    return (halves.astype(np.uint32) << 16).view(BFLOAT16)

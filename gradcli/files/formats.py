"""Which reader a file gets: by its suffix, or by its first bytes where the suffix says nothing.

Constraints: tables; a format is one row here and one module. Readers are imported when used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.files.data import Data, shown
from gradcli.files.stored import Stored
from gradcli.files.text import MARK

Reader = Callable[[Data, str], "np.ndarray[Any, Any]"]

READERS: dict[str, tuple[str, str]] = {
    "npy": ("npy", "read"),
    "npz": ("npz", "read"),
    "csv": ("csv_table", "read"),
    "json": ("json_data", "read"),
    "json lines": ("json_data", "read_lines"),
    "json or json lines": ("json_data", "read_any"),
    "safetensors": ("safetensors_data", "read"),
    "arrow": ("arrow_data", "read"),
}
"""Format: the module below gradcli.files and the function in it."""

STORED: dict[str, tuple[str, str]] = {
    "npy": ("npy", "stored"),
    "npz": ("npz", "stored"),
    "csv": ("text_rows", "stored"),
    "arrow": ("arrow_rows", "stored"),
}
"""The formats of which rows can be read: what gives the array where it lies, or None."""

SUFFIXES: dict[str, str] = {
    ".npy": "npy",
    ".npz": "npz",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ".safetensors": "safetensors",
    ".parquet": "arrow",
    ".arrow": "arrow",
    ".feather": "arrow",
}

_TORCH = [
    'a tensor: python -c "import torch, numpy; '
    "numpy.save('m.npy', torch.load('m.pt', weights_only=True).numpy())\"",
    'a state_dict: python -c "import torch; from safetensors.torch import save_file; '
    "save_file(torch.load('m.pt', weights_only=True), 'm.safetensors')\"",
]
_PICKLE = [
    'only if you trust it: python -c "import pickle, numpy; '
    "numpy.save('m.npy', pickle.load(open('m.pkl', 'rb')))\""
]
_PICKLED = "is a pickle, which can run any program when it is read; gradcli never reads one"

_REFUSED: dict[str, tuple[str, Iterable[str]]] = {
    ".pt": (_PICKLED, _TORCH),
    ".pth": (_PICKLED, _TORCH),
    ".ckpt": (_PICKLED, _TORCH),
    ".pkl": (_PICKLED, _PICKLE),
    ".pickle": (_PICKLED, _PICKLE),
    ".gz": ("is compressed", ["gunzip -c FILE | gradcli ... x=-"]),
    ".h5": ("is HDF5, which gradcli does not read", ["save the data set with numpy.save"]),
    ".hdf5": ("is HDF5, which gradcli does not read", ["save the data set with numpy.save"]),
    ".mat": ("is a MATLAB file", ["scipy.io.loadmat reads it; save the array with numpy.save"]),
    ".xlsx": ("is a spreadsheet", ["export the sheet as CSV"]),
}

_MAGIC: list[tuple[bytes, str]] = [
    (b"\x93NUMPY", "npy"),
    (b"PK\x03\x04", "npz"),
    (b"PK\x05\x06", "npz"),
    (b"PAR1", "arrow"),
    (b"ARROW1", "arrow"),
    (b"\x1f\x8b", ".gz"),
    (b"\x89HDF", ".h5"),
    *((bytes([0x80, version]), ".pkl") for version in range(2, 6)),
]
"""First bytes: a format of `READERS` or a suffix of `_REFUSED`."""


def by_suffix(suffix: str, name: str) -> str | None:
    """The format that a suffix names, or None for an unknown one.

    Raises:
        GradcliError: G050 for a suffix that is never read.
    """
    suffix = suffix.lower()
    if suffix in _REFUSED:
        raise _refusal(suffix, name)
    return SUFFIXES.get(suffix)


def by_content(head: bytes, name: str) -> str:
    """The format that the first bytes (a few thousand, or all there are) show.

    Raises:
        GradcliError: G050 for what is never read, and for binary bytes of no known format.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            if kind in _REFUSED:
                raise _refusal(kind, name)
            return kind
    if not _is_text(head):
        raise GradcliError(
            "G050",
            f"{shown(name)} is of no format that gradcli knows",
            help="it reads npy, npz, JSON, CSV, TSV, safetensors, and Parquet with the extra arrow",
            kind=ValueError,
        )
    text = head.removeprefix(MARK).strip()
    if text[:1] in (b"[", b"{") or _is_number(text):
        return "json or json lines"
    return "csv"


def reader(kind: str) -> Reader:
    """The function that reads a format."""
    found: Reader = _loaded(READERS[kind])
    return found


def stored_reader(kind: str) -> Callable[[Data, str], Stored | None] | None:
    """The function that gives an array in a file of this format; None where it has none."""
    return _loaded(STORED[kind]) if kind in STORED else None


def _loaded(row: tuple[str, str]) -> Any:
    module, function = row
    return getattr(import_module(f"gradcli.files.{module}"), function)


def _refusal(suffix: str, name: str) -> GradcliError:
    fact, help = _REFUSED[suffix]
    return GradcliError("G050", f"{shown(name)} {fact}", help=help, kind=ValueError)


def _is_text(head: bytes) -> bool:
    """Whether hardly a byte is a control character; which encoding, the text reader says."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    control = sum(byte < 32 and byte not in b"\t\n\r\f\v" for byte in head)
    return b"\0" not in head and control * 20 <= len(head)


def _is_number(text: bytes) -> bool:
    """Whether the text is one JSON number and nothing else."""
    import json

    if not text or len(text) > 64:
        return False
    try:
        return isinstance(json.loads(text), (int, float)) and text[:1] in b"-0123456789"
    except (ValueError, RecursionError):
        return False

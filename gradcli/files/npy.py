"""The .npy format: a header that is checked before anything is allocated, then the elements.

Constraints: never pickle; the header is matched, not evaluated; the declared size must be the
size that is there. Files above `MAPPED` bytes become a read-only memory map.
Source: NumPy enhancement proposal 1 (format versions 1.0, 2.0 and 3.0).
"""

from __future__ import annotations

import re
from math import prod
from typing import Any, BinaryIO

import numpy as np

from gradcli.files.data import Data, amount, fill
from gradcli.files.dtypes import normalise, refuse
from gradcli.files.stored import Plain, Stored

MAGIC = b"\x93NUMPY"
MAPPED = 64 << 20
"""Bytes of elements from which on a regular file is mapped and not read."""

_HEADER_MOST = 1 << 16
_DESCR = re.compile(r"""['"]descr['"]\s*:\s*(?:'([^'\\]*)'|"([^"\\]*)"|([\[(]))""")
_ORDER = re.compile(r"""['"]fortran_order['"]\s*:\s*(True|False)\b""")
_SHAPE = re.compile(r"""['"]shape['"]\s*:\s*\(([\d\s,]*)\)""")
_PLAIN = re.compile(r"[<>|=]?(?:\?|b1|[iu][1248]|f[248]|c8|c16)")


class Header:
    """What a header says: dtype, shape, whether in Fortran order, and where the elements start."""

    __slots__ = ("dtype", "fortran", "shape", "start")

    def __init__(
        self, dtype: np.dtype[Any], shape: tuple[int, ...], fortran: bool, start: int
    ) -> None:
        self.dtype = dtype
        self.shape = shape
        self.fortran = fortran
        self.start = start

    @property
    def count(self) -> int:
        """The number of elements, as an exact Python integer."""
        return prod(self.shape)


def read(data: Data, key: str) -> np.ndarray[Any, Any]:
    """The array of a .npy file; a memory map when it is large. `key` must be empty."""
    if key:
        raise data.missing("member", key, [])
    header = read_header(data.stream, data.size, data)
    if data.path is not None and header.count * header.dtype.itemsize > MAPPED:
        mapped = np.memmap(
            data.path,
            header.dtype,
            "r",
            header.start,
            header.shape,
            "F" if header.fortran else "C",
        )
        return normalise(mapped, data)
    return read_elements(data.stream, header, data)


def stored(data: Data, key: str) -> Stored | None:
    """The array where it lies; None where it has no rows."""
    if key:
        raise data.missing("member", key, [])
    return lying(data, read_header(data.stream, data.size, data))


def lying(data: Data, header: Header) -> Stored | None:
    """The array behind a header that was just read."""
    path = data.path or data.url
    if path is None or not header.shape:
        return None
    start = data.stream.tell()
    return Plain(path, data.name, header.shape, header.dtype, start, header.fortran)


def read_header(stream: BinaryIO, size: int, data: Data) -> Header:
    """Reads and checks the header at the start of a stream of `size` bytes.

    Raises:
        GradcliError: G051 for a wrong magic, a broken header, elements that are no plain
            numbers, or a shape that does not fit `size`.
    """
    start = stream.read(8)
    if start[:6] != MAGIC:
        raise data.malformed("does not start like a .npy file (wrong magic bytes)")
    version = start[6:]
    if version not in (b"\1\0", b"\2\0", b"\3\0"):
        raise data.malformed("is of an unknown or cut off version of the .npy format")
    field = stream.read(2 if version[0] == 1 else 4)
    length = int.from_bytes(field, "little")
    begin = 8 + len(field) + length
    if begin > size:
        raise data.malformed(f"declares a header of {length} bytes and has {size} bytes in all")
    if length > _HEADER_MOST:
        raise data.malformed(f"declares a header of {length} bytes; real ones have a few hundred")
    header = _parse(stream.read(length).decode("latin-1"), begin, data)
    _check_size(header, size - begin, data)
    return header


def read_elements(stream: BinaryIO, header: Header, data: Data) -> np.ndarray[Any, Any]:
    """Reads what `header` declares from a stream that stands behind it.

    Raises:
        GradcliError: G051 for missing bytes, G050 beyond the memory limit.
    """
    count = header.count
    data.take(count * header.dtype.itemsize)
    flat = np.empty(count, np.uint8 if header.dtype.kind == "b" else header.dtype)
    if fill(stream, flat.view(np.uint8).data) < flat.nbytes:
        raise data.malformed("is cut off: it ends before its last element")
    if header.dtype.kind == "b":
        # A byte other than 0 and 1 is no valid numpy bool and would break its arithmetic.
        flat = flat != 0
    shaped = flat.reshape(header.shape, order="F" if header.fortran else "C")
    return normalise(shaped, data)


def _parse(text: str, start: int, data: Data) -> Header:
    descr, order, extents = _DESCR.search(text), _ORDER.search(text), _SHAPE.search(text)
    if not (descr and order and extents):
        raise data.malformed("has a header without a readable descr, fortran_order and shape")
    if descr[3]:
        raise refuse("V", "with fields", data)
    name = descr[1] or descr[2] or ""
    if not _PLAIN.fullmatch(name):
        kind = name.lstrip("<>|=")[:1]
        raise refuse("S" if kind == "a" else kind, name[:40] or "without a name", data)
    shape = [part.strip() for part in extents[1].split(",")]
    if shape[-1] == "":
        shape.pop()
    if len(shape) > 64 or any(not part.isdigit() or len(part) > 18 for part in shape):
        raise data.malformed("declares a shape that no array can have")
    return Header(np.dtype(name), tuple(map(int, shape)), order[1] == "True", start)


def _check_size(header: Header, present: int, data: Data) -> None:
    declared = header.count * header.dtype.itemsize
    largest = header.dtype.itemsize * prod(max(extent, 1) for extent in header.shape)
    if declared > present or largest >= 1 << 63:
        raise data.malformed(
            f"is cut off or damaged: its header declares {amount(declared)} "
            f"of elements, {amount(present)} are there",
            "copy or write it again",
        )
    if declared < present:
        raise data.malformed(
            f"has {amount(present - declared)} behind its array",
            "to keep several arrays in one file, use np.savez and @file.npz:name",
        )

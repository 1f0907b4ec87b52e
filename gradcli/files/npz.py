"""The .npz format: a zip archive of .npy members, of which one is read.

Constraints: the declared size is checked before anything is inflated, inflating stops at it; only
stored and deflated members, which is all that NumPy writes.
"""

from __future__ import annotations

import zipfile
from typing import IO, Any, BinaryIO, cast

import numpy as np

from gradcli.files.data import Data, shown
from gradcli.files.npy import lying, read_elements, read_header
from gradcli.files.stored import Stored

_OTHERS = {
    "data.pkl": "it is a PyTorch file: save it with safetensors or np.savez",
    "[Content_Types].xml": "it is an office document: export the sheet as CSV",
}


def read(data: Data, key: str) -> np.ndarray[Any, Any]:
    """The member `key` of the archive; without a key, its only member.

    Raises:
        GradcliError: G052 for a missing or an ambiguous key, G051 for a damaged archive, G050
            beyond the memory limit.
    """
    with data.guard("zip archive"), zipfile.ZipFile(data.stream) as archive:
        member = _member(archive, key, data)
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise data.malformed(f"member {shown(member.filename)} is neither stored nor deflated")
        data.take(member.file_size)
        with archive.open(member) as stream:
            return _read_member(stream, member.file_size, data)


def stored(data: Data, key: str) -> Stored | None:
    """The member where it lies; None where it is deflated."""
    with data.guard("zip archive"), zipfile.ZipFile(data.stream) as archive:
        member = _member(archive, key, data)
        if member.compress_type != zipfile.ZIP_STORED:
            return None
        data.stream.seek(member.header_offset + 26)
        lengths = data.stream.read(4)
        name, extra = int.from_bytes(lengths[:2], "little"), int.from_bytes(lengths[2:], "little")
        data.stream.seek(member.header_offset + 30 + name + extra)
        return lying(data, read_header(data.stream, member.file_size, data))


def _member(archive: zipfile.ZipFile, key: str, data: Data) -> zipfile.ZipInfo:
    members = {
        info.filename.removesuffix(".npy"): info
        for info in archive.infolist()
        if info.filename.endswith(".npy")
    }
    if not members:
        raise _not_numpy(archive, data)
    bare = key if key in members else key.removesuffix(".npy")
    member = members[data.choose("member", bare, members)]
    if member.flag_bits & 1:
        raise data.malformed(f"member {shown(member.filename)} is encrypted")
    return member


def _read_member(stream: IO[bytes], size: int, data: Data) -> np.ndarray[Any, Any]:
    binary = cast(BinaryIO, stream)
    array = read_elements(binary, read_header(binary, size, data), data)
    stream.read(1)  # the end of the member is where zipfile compares the checksum
    return array


def _not_numpy(archive: zipfile.ZipFile, data: Data) -> Exception:
    names = {name.rsplit("/", 1)[-1] for name in archive.namelist()}
    help = [line for name, line in _OTHERS.items() if name in names]
    return data.malformed("is a zip archive without a .npy member", help)

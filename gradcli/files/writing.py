"""Writes arrays as npz, npy or CSV, whole or not at all.

Constraints: a file appears under its name when it is complete; devices and pipes are written
straight. JSON and text are rendered elsewhere and come here as bytes, if at all.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gradcli.errors import GradcliError
from gradcli.files import temporary
from gradcli.files.data import shown

Arrays = Mapping[str, "np.ndarray[Any, Any]"]

_ROWS = 16384  # rows of CSV that are text at one time


def write(path: Path, arrays: Arrays, format: str) -> None:
    """Writes `arrays` to a file: npz all by name, npy and csv `value` (or the first).

    A file that exists is replaced and keeps its permissions.

    Raises:
        GradcliError: G053 where the file cannot be written or the format cannot hold the array;
            then nothing is left of it.
    """
    check(arrays, format)
    write_file(path, lambda stream: write_stream(stream, arrays, format))


def write_stream(stream: BinaryIO, arrays: Arrays, format: str) -> None:
    """As `write`, to a binary stream that need not seek; the stream's own errors pass through."""
    check(arrays, format)
    _WRITERS[format](stream, arrays)


def write_file(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Calls `fill` with a stream whose bytes become the file `path` when it returns.

    Raises:
        GradcliError: G053 for what the operating system refuses.
    """
    try:
        if _is_straight(path):
            with os.fdopen(os.open(path, os.O_WRONLY), "wb") as stream:
                fill(stream)
        else:
            # Through a link to its target, as opening the file would.
            _replace(Path(os.path.realpath(path)), fill)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error


def check(arrays: Arrays, format: str) -> None:
    """Refuses (G053), before anything is computed or opened, what `format` cannot hold."""
    if format not in _WRITERS:
        raise GradcliError(
            "G053",
            f"there is no format {shown(format)!r}",
            help=f"formats of arrays: {', '.join(_WRITERS)}",
            kind=ValueError,
        )
    if format != "npz" and not arrays:
        raise GradcliError("G053", f"there is no array to write as {format}", kind=ValueError)
    if format != "csv":
        return
    array = _first(arrays)
    if array.ndim > 2 or array.dtype.kind == "c":
        what = f"{array.ndim} dimensions" if array.ndim > 2 else "complex numbers"
        raise GradcliError(
            "G053",
            f"CSV cannot hold an array of {what} (shape {array.shape})",
            help="use -f npy, -f npz or -f json",
            kind=ValueError,
        )


def _first(arrays: Arrays) -> np.ndarray[Any, Any]:
    return arrays["value"] if "value" in arrays else next(iter(arrays.values()))


# -- the formats


class _Sink:
    """A stream that cannot seek: NumPy and zipfile then write piecewise, which pipes allow."""

    def __init__(self, stream: Any) -> None:
        self.write = stream.write
        self.flush = stream.flush


def _write_npy(stream: BinaryIO, arrays: Arrays) -> None:
    _write_array(stream, _first(arrays))


def _write_array(stream: Any, array: Any) -> None:
    """An array as .npy; what is computed or stored gives some rows at a time."""
    if not hasattr(array, "feed"):
        np.lib.format.write_array(_Sink(stream), np.asarray(array), allow_pickle=False)
        return
    descr = np.lib.format.dtype_to_descr(array.dtype)
    header = {"descr": descr, "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(_Sink(stream), header)
    array.feed(lambda rows: stream.write(np.ascontiguousarray(rows).data))


def feed(array: Any, put: Callable[[Any], object]) -> None:
    """Gives the rows of an array to `put`, all at once or as they come."""
    if hasattr(array, "feed"):
        array.feed(put)
    else:
        put(np.asarray(array))


def _write_npz(stream: BinaryIO, arrays: Arrays) -> None:
    import zipfile

    # In a file sizes stand before the elements, where simple readers look; /dev/null only claims
    # that it can seek.
    target: Any = stream if _is_regular(stream) else _Sink(stream)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            # The fixed date of a bare ZipInfo makes equal results equal bytes.
            info = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(info, "w", force_zip64=True) as member:
                _write_array(member, array)


def _is_regular(stream: BinaryIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, AttributeError):
        return False


def _write_csv(stream: BinaryIO, arrays: Arrays) -> None:
    from gradcli.files.result_json import shortest

    def put(rows: Any) -> None:
        table = rows.reshape(-1, 1) if rows.ndim < 2 else rows
        for start in range(0, len(table), _ROWS):
            part = table[start : start + _ROWS]
            # true and false are 1 and 0, so that the file can be read back as numbers.
            values = (part.astype(np.int8) if part.dtype.kind == "b" else shortest(part)).tolist()
            stream.write("".join(",".join(map(repr, row)) + "\n" for row in values).encode("ascii"))

    feed(_first(arrays), put)


_WRITERS: dict[str, Callable[[BinaryIO, Arrays], None]] = {
    "npz": _write_npz,
    "npy": _write_npy,
    "csv": _write_csv,
}


# -- the file system


def _is_straight(path: Path) -> bool:
    """Whether the target is no ordinary file: /dev/stdout, a pipe, a device."""
    if path.is_absolute() and path.parts[1:2] in (("dev",), ("proc",)):
        return True
    try:
        return not stat.S_ISREG(os.stat(path).st_mode) and not path.is_dir()
    except FileNotFoundError:
        return False


def _replace(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    mode = None
    if path.is_dir():
        raise IsADirectoryError(21, "is a directory")
    if path.exists():
        mode = stat.S_IMODE(path.stat().st_mode)
        if not os.access(path, os.W_OK):
            raise PermissionError(13, "permission denied")
    # A name of our own and not tempfile's, whose files nobody else may read.
    draft = path.with_name(f".{path.name[:200]}.{os.getpid()}.{os.urandom(4).hex()}.part")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    temporary.made(str(draft))
    try:
        with os.fdopen(handle, "wb") as stream:
            if mode is not None:
                os.fchmod(stream.fileno(), mode)
            fill(stream)
        os.replace(draft, path)
        temporary.settled(str(draft))
    except BaseException:
        temporary.remove(str(draft))
        raise


def _unwritable(path: Path, error: Exception) -> GradcliError:
    name = shown(str(path))
    fact = str(getattr(error, "strerror", None) or error).lower()
    help: list[str] = []
    if isinstance(error, FileNotFoundError):
        parent = shown(str(path.parent))
        fact, help = f"there is no directory {parent}", [f"mkdir -p {parent}"]
    elif isinstance(error, IsADirectoryError):
        help = [f"name a file in it: {shown(str(path / 'result.json'))}"]
    return GradcliError("G053", f"{name} cannot be written: {fact}", help=help, kind=type(error))

"""Reads the array that a binding names: `@file`, `@file:key`, or a pipe.

Constraints: never runs what it reads, never takes more memory than the limit, answers every broken
input with a GradcliError. Text gives float64 (or bool); the caller converts it to its default.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gradcli.errors import GradcliError
from gradcli.files import remote
from gradcli.files.data import Data, budget, open_path, shown, spool, unreadable
from gradcli.files.formats import SUFFIXES, by_content, by_suffix, reader, stored_reader
from gradcli.files.patterns import in_order, is_pattern, joined, matching
from gradcli.files.stored import Stored

_SUFFIXED = re.compile(rf"(.+?(?:{'|'.join(map(re.escape, SUFFIXES))}))(?::(.*))?", re.DOTALL)
"""A URL that ends with a known suffix, and behind a colon what to take from the file."""


def read(
    reference: str,
    *,
    root: Path | None = None,
    limit: int | None = None,
    keep: int | None = None,
) -> np.ndarray[Any, Any] | Stored:
    """The array that `reference` names: a path, and behind a colon what to take from the file.

    Args:
        reference: `data.npy`, `data.npz:key`, `t.csv:a,b`, `d.json:path.to.key`,
            `m.safetensors:key`, `t.parquet:a,b` and so on. A file whose whole name is the
            reference comes first; `parts/*.npy` are several files one behind the other. A URL
            such as `s3://bucket/data.npy` goes through fsspec.
        keep: bytes from which an array of which rows can be read stays where it is (`Stored`).
        root: a directory that the file must lie below, links followed; None for anywhere.
        limit: bytes of memory; None for half of the machine's.

    Returns:
        bool, int8-64, uint8, float16-64 or complex64/128; a read-only `np.memmap` for a large
        .npy file. Text: float64, or bool for JSON's true and false. One column has shape (n,),
        several (n, k).

    Raises:
        GradcliError: G050 where the file cannot be read, G051 where it is malformed, G052 where
            it lacks the key.
    """
    if not reference:
        raise GradcliError("G050", "no file is named", help="write @ and a path: x=@data.npy")
    if root is None and remote.is_url(reference):
        return _read_url(reference, budget(limit), keep)
    path, key = split(reference, root)
    name = reference[: len(reference) - len(key) - 1] if key else reference
    if is_pattern(path):
        one = partial(_read_one, key=key, limit=limit, keep=0)
        files = [(_inside(p, str(p), root), str(p)) for p in matching(path, name)]
        return joined(name, [(n, one(p, n)) for p, n in files], budget(limit), keep)
    return _read_one(path, name, key, limit, keep)


def _read_url(reference: str, limit: int, keep: int | None) -> np.ndarray[Any, Any] | Stored:
    """As `read`, of a URL, which may be a pattern too."""
    found = _SUFFIXED.fullmatch(reference)
    url, key = (found[1], found[2] or "") if found else (reference, "")
    if not any(c in url for c in "*?["):
        return _read_one_url(url, key, limit, keep)
    urls = in_order(remote.matching(url), url)
    return joined(url, [(u, _read_one_url(u, key, limit, 0)) for u in urls], limit, keep)


def _read_one_url(
    url: str, key: str, limit: int, keep: int | None
) -> np.ndarray[Any, Any] | Stored:
    kind = by_suffix(Path(url).suffix, url)
    with remote.opened(url) as stream:
        if kind == "npy" and keep is not None:
            data = Data(url, stream, remote.size_of(url), limit)
            data.url = url
        else:
            data = spool(stream, url, limit, _look(kind, url))
        return _array(data, kind, key, keep)


def _read_one(
    path: Path, name: str, key: str, limit: int | None, keep: int | None
) -> np.ndarray[Any, Any] | Stored:
    try:
        kind = by_suffix(path.suffix, name)
        with open_path(path, name, budget(limit), _look(kind, name)) as data:
            return _array(data, kind, key, keep)
    except MemoryError as error:
        raise _too_large(name) from error


def read_stream(
    stream: BinaryIO, name: str = "<stdin>", *, limit: int | None = None
) -> np.ndarray[Any, Any]:
    """The array in a pipe: npy, npz, JSON, JSON lines, CSV or TSV, recognised by content.

    The pipe is read to its end first, up to `limit` bytes. A lone number has shape ().

    Raises:
        GradcliError: as `read`; G051 for a pipe without content.
    """
    try:
        with spool(stream, name, budget(limit), _look(None, name)) as data:
            return np.asarray(_array(data, None, "", None))
    except MemoryError as error:
        raise _too_large(name) from error
    except (OSError, ValueError) as error:
        raise unreadable(name, Path(name), error) from error


def _array(
    data: Data, kind: str | None, key: str, keep: int | None
) -> np.ndarray[Any, Any] | Stored:
    if not data.size:
        raise data.malformed("is empty")
    kind = kind or by_content(data.head(), data.name)
    stored = stored_reader(kind)
    # Rows of text are counted by reading all of it; other formats say how many there are.
    if keep is not None and stored and (kind != "csv" or data.size >= keep):
        found = stored(data, key)
        if found is not None and found.nbytes >= keep:
            return found
        data.stream.seek(0)
    return reader(kind)(data, key)


def _look(kind: str | None, name: str) -> Any:
    """What checks the first bytes of a pipe, so that an endless one of zeros stops at once."""
    return (lambda head: None) if kind else (lambda head: by_content(head, name))


def _too_large(name: str) -> GradcliError:
    return GradcliError("G050", f"{shown(name)} does not fit into memory", kind=MemoryError)


def split(reference: str, root: Path | None = None) -> tuple[Path, str]:
    """Path and key: the longest path that exists; else up to the first known suffix."""
    ends = [len(reference)] + [i for i in range(len(reference) - 1, 0, -1) if reference[i] == ":"]
    for end in ends:
        path = _place(reference[:end], root)
        if os.path.exists(path):
            return _inside(path, reference[:end], root), reference[end + 1 :]
    known = (end for end in reversed(ends) if Path(reference[:end]).suffix.lower() in SUFFIXES)
    end = next(known, len(reference))
    return _inside(_place(reference[:end], root), reference[:end], root), reference[end + 1 :]


def _place(name: str, root: Path | None) -> Path:
    if root is not None:
        return root / name
    # A shell leaves the ~ of x=@~/data.npy as it is.
    return Path(os.path.expanduser(name) if name.startswith("~/") else name)


def _inside(path: Path, name: str, root: Path | None) -> Path:
    if root is None:
        return path
    try:
        real = path.resolve()
        if real.is_relative_to(root.resolve()):
            return real
    except (OSError, ValueError, RuntimeError) as error:
        raise unreadable(name, path, error) from error
    raise GradcliError(
        "G050",
        f"{shown(name)} is outside the working directory",
        help="a script reads files below it only; give others as bindings: x=@/path/data.npy",
        kind=PermissionError,
    )

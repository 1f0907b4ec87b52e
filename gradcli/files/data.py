"""One data file or pipe, opened: its name, its bytes, its size, and how much memory it may take.

Constraints: whatever has no known size (pipes, devices) is spooled into memory first, within the
limit; every complaint about a file is built here, so that names are shown the same way everywhere.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from gradcli.errors import GradcliError, did_you_mean
from gradcli.source import Source, Span

HEAD = 4096
"""Bytes that are looked at to recognise a format."""

_CHUNK = 1 << 20
_SHOWN = 80  # characters of a name or a value from a file that an error repeats


class Data:
    """An opened input: a seekable binary `stream` of `size` bytes.

    Args:
        name: what errors call it.
        stream: seekable; closed by the `with` block.
        size: bytes in the stream.
        limit: bytes of memory that reading may take.
        path: the regular file behind the stream, or None when it was spooled.
        url: what names the file behind the stream, if that is elsewhere.
    """

    __slots__ = ("limit", "name", "path", "size", "stream", "url")

    def __init__(
        self, name: str, stream: BinaryIO, size: int, limit: int, path: Path | None = None
    ) -> None:
        self.name = shown(name)
        self.stream = stream
        self.size = size
        self.limit = limit
        self.path = path
        self.url: str | None = None

    def __enter__(self) -> Data:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def head(self) -> bytes:
        """The first `HEAD` bytes; the stream is back at its start."""
        first = self.stream.read(HEAD)
        self.stream.seek(0)
        return first

    def whole(self) -> bytes:
        """All bytes, if the limit allows."""
        self.take(self.size)
        self.stream.seek(0)
        return self.stream.read(self.size)

    def take(self, needed: int) -> None:
        """Refuses (G050) what needs more than the limit, before it is allocated."""
        require_memory(self.name, needed, self.limit)

    def malformed(
        self, fact: str, help: str | Iterable[str] = (), span: Span | None = None, label: str = ""
    ) -> GradcliError:
        """The error (G051) that says what is wrong inside the file."""
        return GradcliError(
            "G051", _safe(f"{self.name}: {fact}"), span, label, help=help, kind=ValueError
        )

    def at_cell(
        self, fact: str, line: str, number: int, cell: tuple[int, int], help: str | Iterable[str]
    ) -> GradcliError:
        """As `malformed`, with carets under the characters `cell` of line `number`."""
        return self.malformed(fact, help, Span(Source(self.name, line, number), *cell))

    def missing(self, what: str, key: str, keys: Iterable[str]) -> GradcliError:
        """The error (G052) for a `key` that is not among `keys`; `what` is member, column ..."""
        names = list(keys)
        choice = ", ".join(map(shown, names[:20])) + (", ..." if len(names) > 20 else "")
        hints = [shown(line) for line in did_you_mean(key, names[:10_000])]
        hints += [f"it has {choice}"] if names else []
        return GradcliError(
            "G052", f"{self.name} has no {what} {shown(key)!r}", help=hints, kind=KeyError
        )

    def ambiguous(self, what: str, keys: Iterable[str]) -> GradcliError:
        """The error (G052) for a file of several arrays of which none was chosen."""
        names = [shown(name) for name in list(keys)[:20]]
        return GradcliError(
            "G052",
            f"{self.name} holds several {what}: {', '.join(names)}",
            help=f"choose one: @{self.name}:{names[0]}",
            kind=KeyError,
        )

    def choose(self, what: str, key: str, keys: Collection[str]) -> str:
        """The one of `keys` that `key` names, without a key the only one; raises G052 else."""
        if key in keys:
            return key
        if key or not keys:
            raise self.missing(what, key, keys)
        if len(keys) > 1:
            raise self.ambiguous(f"{what}s", keys)
        return next(iter(keys))

    @contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Turns whatever a foreign reader raises on broken bytes into `malformed`."""
        try:
            yield
        except (GradcliError, MemoryError):
            raise
        except Exception as error:
            reason = shown(str(error).split("\n", 1)[0]) or type(error).__name__
            raise self.malformed(f"the {what} is damaged: {reason}") from error


def open_path(path: Path, name: str, limit: int, look: Callable[[bytes], object]) -> Data:
    """Opens a file; spools what is no regular file. `look` may refuse by the first bytes.

    Raises:
        GradcliError: G050 where the system does not let us read it.
    """
    try:
        stream = path.open("rb")
        status = os.fstat(stream.fileno())
        # Files of /proc are regular, with a size of 0 and with content.
        if stat.S_ISREG(status.st_mode) and status.st_size:
            return Data(name, stream, status.st_size, limit, path)
        with stream:
            return spool(stream, name, limit, look)
    except (OSError, ValueError) as error:
        raise unreadable(name, path, error) from error


def spool(stream: BinaryIO, name: str, limit: int, look: Callable[[bytes], object]) -> Data:
    """Reads a pipe to its end into memory; refuses as soon as it is longer than `limit` bytes."""
    buffer = io.BytesIO()
    data = Data(name, buffer, 0, limit)
    looked = False
    while chunk := stream.read(min(_CHUNK, limit + 1)):
        data.size += buffer.write(chunk)
        if not looked and data.size >= HEAD:
            look(buffer.getvalue()[:HEAD])
            looked = True
        if data.size > limit:
            raise GradcliError(
                "G050",
                f"{data.name} holds more than the memory limit of {amount(limit)}",
                help="raise the limit with --max-memory, or give a file",
                kind=MemoryError,
            )
    buffer.seek(0)
    return data


def fill(stream: Any, target: memoryview) -> int:
    """Reads until `target` is full or the stream ends; returns the number of bytes."""
    done = 0
    while done < len(target):
        # In pieces, as a zip member builds each answer as bytes of their own first.
        count = stream.readinto(target[done : done + _CHUNK])
        if not count:
            break
        done += count
    return done


def unreadable(name: str, path: Path, error: Exception) -> GradcliError:
    """The error (G050) for what the operating system said about a path."""
    kind = type(error)
    if isinstance(error, FileNotFoundError):
        return GradcliError(
            "G050", f"no such file: {shown(name)}", help=_similar(path), kind=FileNotFoundError
        )
    if isinstance(error, IsADirectoryError):
        fact, help = "is a directory", "name a file in it"
    elif isinstance(error, PermissionError):
        fact, help = "may not be read: permission denied", "check its permissions with ls -l"
    else:
        fact, help = f"cannot be read: {getattr(error, 'strerror', None) or error}".lower(), ""
    return GradcliError("G050", f"{shown(name)} {fact}", help=[help] if help else [], kind=kind)


def require_memory(name: str, needed: int, limit: int) -> None:
    """Refuses (G050) what needs more bytes than the limit."""
    if needed > limit:
        raise GradcliError(
            "G050",
            f"{shown(name)} needs {amount(needed)} of memory, the limit is {amount(limit)}",
            help="raise the limit with --max-memory, or choose fewer columns or members",
            kind=MemoryError,
        )


def budget(limit: int | None) -> int:
    """The memory limit in bytes: `limit`, or half of the machine's memory."""
    if limit is not None:
        return max(0, limit)
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):  # no POSIX
        return 4 << 30


def shown(text: str) -> str:
    """A name or value from outside, short and safe to print on a terminal."""
    return _safe(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


def amount(size: int) -> str:
    """Bytes for people: `1.5 GiB`."""
    value, unit = float(min(size, 1 << 80)), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def _safe(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _similar(path: Path) -> list[str]:
    from itertools import islice

    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in islice(entries, 10_000)]
    except (OSError, ValueError):
        return [f"there is no directory {shown(str(path.parent))}"]
    same = [name for name in names if Path(name).suffix == path.suffix]
    hints = did_you_mean(path.name, same) or did_you_mean(path.name, names)
    return [shown(line) for line in hints] or [
        f"there is nothing like it in {shown(str(path.parent.absolute()))}"
    ]

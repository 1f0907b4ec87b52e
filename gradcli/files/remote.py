"""Files that a URL names, read through fsspec: `s3://`, `gcs://`, `https://`, `file://` and others.

Constraints: fsspec, and what it needs for a scheme, are imported when such a file is opened.
"""

from __future__ import annotations

import re
from typing import Any

from gradcli.errors import GradcliError
from gradcli.files.data import shown

URL = re.compile(r"[a-z][a-z0-9+.-]+://.+", re.DOTALL)


def is_url(reference: str) -> bool:
    """Whether a reference is a URL and no path."""
    return URL.fullmatch(reference) is not None


def opened(url: str, *, ahead: bool = True) -> Any:
    """A binary file that seeks; raises G050 where it cannot be opened.

    Without `ahead`, no more is read than is asked for.
    """
    system, path = _system(url)
    try:
        return system.open(path, "rb", **({} if ahead else {"cache_type": "none"}))
    except Exception as error:
        raise _unreadable(url, error) from error


def size_of(url: str) -> int:
    """Bytes in the file; raises G050 where nobody can say."""
    system, path = _system(url)
    try:
        return int(system.size(path))
    except Exception as error:
        raise _unreadable(url, error) from error


def matching(pattern: str) -> list[str]:
    """The URLs that match a pattern, in no order; raises G050 where it cannot be asked."""
    system, path = _system(pattern)
    try:
        return [str(system.unstrip_protocol(found)) for found in system.glob(path)]
    except Exception as error:
        raise _unreadable(pattern, error) from error


def _system(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError:
        raise GradcliError(
            "G050",
            f"{shown(url)} needs fsspec, which is not installed",
            help="pip install 'gradcli[dask]'",
        ) from None
    try:
        system, path = fsspec.core.url_to_fs(url)
    except Exception as error:
        raise _unreadable(url, error) from error
    return system, path


def _unreadable(url: str, error: Exception) -> GradcliError:
    """G050 for whatever a file system says, which may be an exception of any library."""
    missing = isinstance(error, FileNotFoundError)
    first = str(error).split("\n", 1)[0]
    fact = f"no such file: {shown(url)}" if missing else f"{shown(url)} cannot be read: {first}"
    help = "check the URL"
    if isinstance(error, ImportError):
        help = "install what fsspec needs for it: pip install s3fs (s3), gcsfs (gcs), aiohttp"
    return GradcliError("G050", shown(fact) if missing else fact, help=help, kind=type(error))

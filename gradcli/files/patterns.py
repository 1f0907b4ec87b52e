"""Several files as one array: those that a pattern matches, in natural order, one behind the other.

Constraints: files must agree on everything but their number of rows; what each holds is looked at
before any of them is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.files.data import require_memory, shown
from gradcli.files.stored import Stored
from gradcli.files.views import Joined

Parts = Sequence[tuple[str, Any]]


def is_pattern(path: Path) -> bool:
    """Whether a path means several files: it has `*`, `?` or `[`, and no file has that name."""
    return any(c in str(path) for c in "*?[") and not path.exists()


def matching(pattern: Path, name: str) -> list[Path]:
    """The files that a pattern matches: part2 comes before part10.

    Raises:
        GradcliError: G050 where there are none.
    """
    from glob import glob

    found = [p for p in glob(str(pattern), recursive=True) if Path(p).is_file()]
    return [Path(p) for p in in_order(found, name)]


def in_order(found: list[str], name: str) -> list[str]:
    """The files of a pattern `name` in natural order; raises G050 where there are none."""
    if not found:
        raise GradcliError(
            "G050",
            f"no file matches {shown(name)}",
            help="quote the pattern, so that the shell leaves it as it is: X=@'parts/*.npy'",
            kind=FileNotFoundError,
        )
    return sorted(found, key=_natural)


def _natural(path: str) -> list[Any]:
    pieces = re.split(r"([0-9]+)", path)
    return [(int(piece), piece) if place % 2 else piece for place, piece in enumerate(pieces)]


def joined(name: str, parts: Parts, limit: int, keep: int | None) -> np.ndarray[Any, Any] | Stored:
    """The arrays of `parts` (file name, array) as one: stored from `keep` bytes on, else read.

    Raises:
        GradcliError: G051 where one is of another width or dtype, G050 beyond the memory limit.
    """
    first, like = parts[0]
    for other, array in parts:
        if not array.ndim:
            raise _unlike(other, "holds one number, which is no row", "leave it out of the pattern")
        if array.shape[1:] != like.shape[1:]:
            raise _unlike(
                other,
                f"has rows of shape {_row(array)}, {shown(first)} of {_row(like)}",
                "files of one pattern have rows of the same shape",
            )
        if array.dtype != like.dtype:
            raise _unlike(
                other,
                f"holds {array.dtype}, {shown(first)} {like.dtype}",
                f"convert it: np.save(file, np.load(file).astype('{like.dtype}'))",
            )
    whole = Joined(name, [array for _, array in parts if array.shape[0]] or [like])
    if keep is not None and whole.nbytes >= keep:
        return whole
    require_memory(name, whole.nbytes, limit)
    return np.asarray(whole)


def _row(array: Stored) -> str:
    return "()" if array.ndim == 1 else "x".join(map(str, array.shape[1:]))


def _unlike(name: str, fact: str, help: str) -> GradcliError:
    return GradcliError("G051", f"{shown(name)} {fact}", help=help, kind=ValueError)

"""Where results go: stdout as text or bytes, or a file whose suffix says the format.

Constraints: nothing is written when the run fails; a file appears whole or not at all; binary
formats are refused on a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradcli.errors import GradcliError

REPORTS = {".json": "json", ".txt": "text", ".text": "text"}
SUFFIXES = {**REPORTS, ".npz": "npz", ".npy": "npy", ".csv": "csv"}
"""Suffix of an output file -> format; `REPORTS` of commands whose results are no arrays."""


def chosen_format(
    format: str | None, output: str | None, suffixes: Mapping[str, str] = SUFFIXES
) -> str:
    """The format that `--format`, else the suffix of `--output`, asks for; text without either.

    Raises:
        GradcliError: G070 for a suffix that is not among `suffixes`.
    """
    if format is not None or output is None:
        return format or "text"
    suffix = Path(output).suffix.lower()
    if suffix not in suffixes and suffix and not output.startswith("/dev/"):
        raise GradcliError(
            "G070",
            f"{output}: no format has the suffix {suffix}",
            help=f"say which with -f, or use one of {', '.join(suffixes)}",
        )
    return suffixes.get(suffix, "text")


def write_text(text: str, output: str | None) -> None:
    """Writes text and a line end."""
    if output is None:
        print(text)
        return
    from gradcli.files import write_file

    content = (text + "\n").encode()
    write_file(Path(output), lambda stream: stream.write(content))


def write_arrays(arrays: Mapping[str, Any], format: str, output: str | None) -> None:
    """Writes arrays in a binary format or CSV."""
    from gradcli.files import write, write_stream

    if output is not None:
        write(Path(output), arrays, format)
        return
    if format != "csv":
        refuse_terminal(format)
    sys.stdout.flush()
    write_stream(sys.stdout.buffer, arrays, format)
    sys.stdout.buffer.flush()


def write_bytes(content: bytes, format: str, output: str | None) -> None:
    """Writes bytes; refused (G053) on a terminal."""
    if output is not None:
        from gradcli.files import write_file

        write_file(Path(output), lambda stream: stream.write(content))
        return
    refuse_terminal(format)
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def refuse_terminal(format: str) -> None:
    """Raises G053 where binary output would go to a terminal."""
    if sys.stdout.isatty():
        raise GradcliError(
            "G053",
            f"{format} is binary, and stdout is a terminal",
            help="name a file with -o, or redirect: > result." + format,
        )


def note(text: str, help: list[str] | None = None) -> None:
    """A remark on stderr."""
    print(f"note: {text}", *(f"help: {line}" for line in help or ()), sep="\n", file=sys.stderr)

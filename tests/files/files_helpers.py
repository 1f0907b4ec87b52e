"""What the tests of files share: writing a file and reading it back, or the error instead."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gradcli.errors import GradcliError
from gradcli.files import read

LIMIT = 1 << 26


def refused(
    reference: object,
    code: str = "G050",
    *words: str,
    limit: int = LIMIT,
    root: Path | None = None,
) -> GradcliError:
    """The error of reading `reference`, one printable line with these words in it or its help."""
    with pytest.raises(GradcliError) as caught:
        read(str(reference), limit=limit, root=root)
    error = caught.value
    assert error.diagnostic.code == code, str(error)
    assert str(error).isprintable()
    text = " ".join([str(error), *error.diagnostic.help])
    for word in words:
        assert word in text, text
    return error


def table(folder: Path, content: str | bytes, key: str = "", suffix: str = "csv") -> np.ndarray:
    path = folder / f"t.{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(f"{path}:{key}" if key else str(path), limit=1 << 28)


def error(folder: Path, content: str | bytes, key: str = "", suffix: str = "csv") -> GradcliError:
    with pytest.raises(GradcliError) as caught:
        table(folder, content, key, suffix)
    assert "\n" not in str(caught.value)
    return caught.value


def place(problem: GradcliError) -> tuple[int, int, str]:
    """Line, column and the text over the carets."""
    span = problem.diagnostic.labels[0].span
    line, column = span.source.position(span.start)
    text = span.source.line(line)
    width = span.end - span.start
    assert text[column - 1 : column - 1 + width] == span.text.rstrip("\n")
    return line, column, span.text


def bytes_of(save: Callable[..., object], *values: object, **named: object) -> bytes:
    buffer = io.BytesIO()
    save(buffer, *values, **named)
    return buffer.getvalue()


NPY = bytes_of(np.save, np.arange(6.0).reshape(2, 3))
NPZ = bytes_of(np.savez_compressed, x=np.arange(6.0))
CSV = b'a,b,"c"\n1,2,3\n4.5,nan,-6e3\n"7",8,9\n'
JSON = b'{"a": [[1, 2], [3, "NaN"]], "b": [{"x": 1.5}, {"x": 2}], "c": true}'

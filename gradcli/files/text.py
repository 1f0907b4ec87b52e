"""Text inside data files: UTF-8, with or without a byte order mark, and nothing else.

Constraints: looks at bytes only; other encodings are named, with the command that converts them.
"""

from __future__ import annotations

from gradcli.errors import GradcliError
from gradcli.files.data import HEAD, Data

MARK = b"\xef\xbb\xbf"
_UTF_16 = b"\xff\xfe", b"\xfe\xff"


def check(head: bytes, data: Data) -> None:
    """Refuses (G051) an empty file, UTF-16 and binary bytes."""
    if not head.removeprefix(MARK).strip():
        if data.size > len(head):
            return
        raise data.malformed("is empty")
    unmarked = len(head) > 3 and 0 in head[:2] and 0 not in head[:1] + head[2:3]
    if head.startswith(_UTF_16) or unmarked:
        raise data.malformed(
            "is UTF-16 text, not UTF-8", "convert it: iconv -f UTF-16 -t UTF-8 FILE > NEW"
        )
    if b"\0" in head[:HEAD]:
        raise data.malformed("is binary, not text")


def decode(data: Data) -> str:
    """The whole text without its byte order mark.

    Raises:
        GradcliError: G051 where a byte is no UTF-8, G050 beyond the memory limit.
    """
    check(data.head(), data)
    content = data.whole()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(error, content.count(b"\n", 0, error.start) + 1, data) from error


def not_utf8(error: UnicodeDecodeError, line: int | None, data: Data) -> GradcliError:
    """The error (G051) for a byte that is no UTF-8, in `line` if that is known."""
    byte = error.object[error.start]
    where = f" in line {line}" if line else ""
    return data.malformed(
        f"is not UTF-8 text: byte 0x{byte:02x}{where}",
        "if it is Latin-1: iconv -f LATIN1 -t UTF-8 FILE > NEW",
    )

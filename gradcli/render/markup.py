"""Terminal styles as plain SGR escapes, and the choice whether a stream gets them.

Constraints: style never changes text; imports nothing, because errors must be fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Paint = Callable[[str, str], str]
"""`paint(text, style)`: the text, in the style where there is colour."""

STYLES: dict[str, str] = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "help": "1;32",
    "gutter": "1;34",
    "strong": "1",
    "faint": "2",
}
"""The SGR parameters of every style by name."""


def painter(colour: bool) -> Paint:
    """The function that paints for a stream with or without colour."""
    return _paint if colour else _plain


def use_colour(stream: object, flag: str | None, environ: Mapping[str, str]) -> bool:
    """Whether text for this stream is coloured.

    The flag decides, then NO_COLOR, FORCE_COLOR, TERM=dumb, and at last whether the stream is a
    terminal. An empty variable counts as unset.

    Args:
        stream: a text stream; a closed one, or one without `isatty`, is no terminal.
        flag: `always`, `never`, or `auto` (as None) to leave it to the environment.
        environ: the environment variables.
    """
    if flag in ("always", "never"):
        return flag == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return environ.get("TERM") != "dumb" and _is_terminal(stream)


def _paint(text: str, style: str) -> str:
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if text else ""


def _plain(text: str, style: str) -> str:
    return text


def _is_terminal(stream: object) -> bool:
    isatty = getattr(stream, "isatty", None)  # without a console there is no stream at all
    try:
        return isatty is not None and bool(isatty())
    except ValueError:  # closed
        return False

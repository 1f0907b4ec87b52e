"""The values of number and string literals.

Constraints: takes a literal's text and span, gives a Python value, or an error that points into it.
"""

from __future__ import annotations

import re

from gradcli.errors import GradcliError
from gradcli.source import Span

MAX_BITS = 14_000
"""Integers stay below the 4,300 decimal digits that Python converts to text at most."""

ESCAPE = (
    r"\\(?:(\r\n?|\n)|([\\'\"abfnrtv])|([0-7]{1,3})"
    r"|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|N\{([^{}]+)\}|([xuUN]))"
)
SIMPLE = dict(zip("\\'\"abfnrtv", "\\'\"\a\b\f\n\r\t\v", strict=True))
LINE_END = re.compile(r"\r\n?")
STRING = re.compile(r"([a-zA-Z]*)('''|\"\"\"|'|\")")


def number(text: str, span: Span) -> int | float | complex:
    """The value of a number literal.

    Raises G001 for an integer that starts with zero, G062 for one beyond `MAX_BITS`.
    """
    if text[-1] in "jJ":
        return complex(0.0, float(text[:-1].replace("_", "")))
    if text[:2].lower() in ("0x", "0o", "0b"):
        return _bounded(int(text, 0), span) if len(text) < MAX_BITS else _too_large(span)
    if not text.replace("_", "").isdigit():
        return float(text)
    if text[0] == "0" and text.strip("0_"):
        decimal = text.lstrip("0_")
        raise GradcliError(
            "G001",
            "an integer does not start with 0",
            span,
            help=f"write {decimal}, or 0o{decimal} for an octal number",
            kind=SyntaxError,
        )
    return _bounded(int(text), span) if len(text) < MAX_BITS // 3 else _too_large(span)


def _bounded(value: int, span: Span) -> int:
    return value if value.bit_length() <= MAX_BITS else _too_large(span)


def _too_large(span: Span) -> int:
    message = "an integer has at most 4,200 digits"
    raise GradcliError("G062", message, span, help="a float such as 1e300", kind=SyntaxError)


def string(text: str, span: Span) -> str:
    """The value of a string literal (no f-string, no byte string) at `span`."""
    opening = STRING.match(text)
    assert opening is not None
    prefix, quote = opening.groups()
    start, end = opening.end(), len(text) - len(quote)
    body = Span(span.source, span.start + start, span.start + end)
    return string_body(text[start:end], body, raw="r" in prefix.lower())


def string_body(text: str, span: Span, *, raw: bool, braces: bool = False) -> str:
    """What stands between the quotes at `span`, with its escapes replaced unless `raw`.

    With `braces`, as in an f-string's text, `{{` and `}}` stand for one brace.
    """
    pieces, position = [], 0
    escapes = () if raw or "\\" not in text else re.finditer(ESCAPE, text)
    for escape in escapes:
        place = Span(span.source, span.start + escape.start(), span.start + escape.end())
        pieces += [_plain(text[position : escape.start()], braces), _escaped(escape, place)]
        position = escape.end()
    return "".join([*pieces, _plain(text[position:], braces)])


def _plain(text: str, braces: bool) -> str:
    text = LINE_END.sub("\n", text)
    return text.replace("{{", "{").replace("}}", "}") if braces else text


def _escaped(escape: re.Match[str], place: Span) -> str:
    line_end, simple, octal, *hexadecimal, name, broken = escape.groups()
    if line_end:
        return ""
    if simple:
        return SIMPLE[simple]
    if name:
        return _named(name, place)
    if broken:
        raise _bad_escape(place, f"the escape \\{broken} is incomplete")
    code = int(octal, 8) if octal else int(next(filter(None, hexadecimal)), 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise _bad_escape(place, f"there is no character {escape.group()}")
    return chr(code)


def _named(name: str, place: Span) -> str:
    import unicodedata

    try:
        return unicodedata.lookup(name)
    except KeyError:
        raise _bad_escape(place, f"there is no character named {name}") from None


def _bad_escape(place: Span, message: str) -> GradcliError:
    help = r"write \\ for a backslash, or a raw string such as r'...'"
    return GradcliError("G001", message, place, help=help, kind=SyntaxError)

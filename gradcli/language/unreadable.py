"""Errors for text that is no token: characters, look-alikes, open strings, and broken indentation.

Constraints: only describes (G001); lexer.py decides when.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gradcli.errors import GradcliError, Label
from gradcli.source import Source, Span

if TYPE_CHECKING:
    from gradcli.language.lexer import Open

LOOKALIKES = {
    **dict.fromkeys("×·⋅∙∗•⨯✕", "*"),
    **dict.fromkeys("÷⁄∕", "/"),
    **dict.fromkeys("−–—‐‑‒﹣", "-"),
    **dict.fromkeys("“”„‟«»″", '"'),
    **dict.fromkeys("‘’‚‛′´", "'"),
    **dict.fromkeys("\xa0\u2002\u2003\u2009\u202f\u3000\u2028\u2029", " "),
    **{sign: f"**{power}" for power, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "√": "sqrt(...)",
    "∞": "inf",
    "→": "->",
    "¬": "not",
    "∧": "and",
    "∨": "or",
    "∈": "in",
    "∑": "sum(...)",
    "∏": "prod(...)",
    "ᵀ": ".T",
    "⊤": ".T",
    "…": "...",
}
"""Characters that people paste, and what the language has in their place."""

NOT_TEXT = re.compile("[\0\ud800-\udfff]")
CHARACTERS = {
    "!": ("'!' is not an operator", "write 'not x' for a negation, '!=' for unequal"),
    "?": ("'?' is not an operator", "write 'a if condition else b'"),
    "$": ("'$' has no meaning here", "write variables by their bare name"),
    "`": ("'`' has no meaning here", "quote text with ' or \""),
    "\\": ("a backslash continues a line only at its very end", ""),
}


def end_of_name(text: str, start: int, end: int) -> int:
    """The end of the name whose letters end at `end`: marks on letters belong to it."""
    while end < len(text) and text[end] not in LOOKALIKES and text[start : end + 1].isidentifier():
        end += 1
    return end


def error(span: Span, message: str, help: str = "", label: str = "") -> GradcliError:
    """A syntax error at `span`."""
    return GradcliError("G001", message, span, label, help=help or (), kind=SyntaxError)


def check_text(source: Source) -> None:
    """Refuses a text that holds NUL or what was no UTF-8."""
    found = NOT_TEXT.search(source.text)
    if found is not None:
        what = "a NUL character" if found.group() == "\0" else "a byte that is not UTF-8"
        raise error(Span(source, found.start(), found.end()), f"the text holds {what}")


def character(source: Source, start: int, opened: list[Open]) -> GradcliError:
    """The error for the character at `start`, with which no token begins."""
    sign = source.text[start]
    span = Span(source, start, start + 1)
    if sign in "'\"":
        return _open_string(source, start, opened)
    if sign in CHARACTERS:
        return error(span, *CHARACTERS[sign])
    return _strange(span)


def normalized(source: Source, text: str, start: int, keywords: frozenset[str]) -> str:
    """A name that is not ASCII as Python reads it (NFKC); an error where Python reads none."""
    import unicodedata

    for offset in range(len(text)):
        if not text[: offset + 1].isidentifier():
            raise _strange(Span(source, start + offset, start + offset + 1))
    name = unicodedata.normalize("NFKC", text)
    if name in keywords or not name.isidentifier():
        raise error(Span(source, start, start + len(text)), f"{text!r} is no name", f"write {name}")
    return name


def _strange(span: Span) -> GradcliError:
    import unicodedata

    sign = span.text
    plain = LOOKALIKES.get(sign, unicodedata.normalize("NFKC", sign))
    shown = sign if sign.isprintable() and sign.strip() else f"U+{ord(sign):04X}"
    name = unicodedata.name(sign, "").lower()
    message = f"the character {shown}{f' ({name})' * bool(name)} is not part of the language"
    if plain == sign or not plain.isascii():
        return error(span, message)
    return error(span, message, f"write {plain}" if plain != " " else "write a plain space")


def _open_string(source: Source, start: int, opened: list[Open]) -> GradcliError:
    text = source.text
    if opened and opened[-1].kind == "field" and text.startswith(opened[-1].text, start):
        return open_field(source, start, opened[-1])
    quote = text[start] * (3 if text.startswith(text[start] * 3, start) else 1)
    return _unterminated(source, start, quote)


def _unterminated(source: Source, start: int, quote: str) -> GradcliError:
    found = re.compile(r"[^\r\n]*").match(source.text, start)
    assert found is not None
    what = "string" if len(quote) == 1 else "triple-quoted string"
    return error(
        Span(source, start, found.end()), f"this {what} is not closed", f"end it with {quote}"
    )


def open_field(source: Source, position: int, field: Open) -> GradcliError:
    """The error for an f-string that ends inside the braces of a field."""
    found = error(
        Span(source, position, position + 1), "expected '}' to close '{' in this f-string"
    )
    found.diagnostic.labels.append(Label(Span(source, field.start, field.start + 1), "opened here"))
    return found


def string_part(source: Source, position: int, opened: list[Open]) -> GradcliError:
    """The error for an f-string that cannot go on at `position`."""
    around = opened[-1]
    if around.kind == "spec" and source.text.startswith(around.text, position):
        return open_field(source, position, opened[-2])
    if source.text.startswith("}", position):
        span = Span(source, position, position + 1)
        return error(span, "a single '}' in an f-string", "write }} for the character")
    string = next(each for each in reversed(opened) if each.kind == "string")
    return _unterminated(source, string.start, string.text)


def mixed_tabs(place: Span) -> GradcliError:
    """The error for an indentation that depends on the width of a tab."""
    return error(place, "tabs and spaces are mixed in the indentation", "indent with spaces only")


def dedent(place: Span) -> GradcliError:
    """The error for an indentation that no line above has."""
    return error(place, "this indentation fits no block above", "line it up with an earlier line")

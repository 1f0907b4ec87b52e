"""Why the parser cannot go on, in plain words: what was found, what would fit, what was meant.

Constraints: describes one failed parse (G001) from the tables and the tokens around it; never shows
a name of the tables. The tests in `REASONS` go from the surest to the most general.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gradcli.errors import GradcliError, Label
from gradcli.language import fence
from gradcli.language.failure import WORDS, Failure, describe
from gradcli.language.lexer import CLOSING
from gradcli.language.unreadable import error, open_field
from gradcli.source import Span

if TYPE_CHECKING:
    from gradcli.language.lexer import Lexer, Open, Token

PAIRS = {
    "&&": "write 'a and b' for truth values, 'a & b' for tensors",
    "||": "write 'a or b' for truth values, 'a | b' for tensors",
    "++": "write 'x += 1'",
    "--": "write 'x -= 1'",
    "===": "write '==' to compare",
    "!==": "write '!=' to compare",
    "=>": "write '>=' to compare, or 'lambda x: ...' for a function",
    "=<": "write '<=' to compare",
    "<>": "write '!=' to compare",
}
"""Signs of other languages, as the two tokens they are read as, and what to write here."""

SOFT_KEYWORD = re.compile(r"[ \t]*(match\b(?=.*:)|case\b(?=.*:)|type(?=[ \t]+\w+[ \t]*=))")
SCRIPT_HELP = "to run statements, put them into a file and use: gradcli run FILE"


def explain(
    lexer: Lexer, start: str, states: list[int], before: Token, found: Token
) -> GradcliError:
    """The error for a parse that stands in `states` after `before` and cannot take `found`."""
    failure = Failure(lexer, start, states, before, found)
    for reason in REASONS:
        result = reason(failure)
        if result is not None:
            return result
    return _expected(failure)


# -- what may be wrong, the surest first; each returns None where it does not apply


def _outside(failure: Failure) -> GradcliError | None:
    """Parts of Python that the grammar does not have."""
    before, found = failure.before, failure.found
    if found.text[:1] == ":" and failure.text.startswith("=", found.end):
        return fence.refusal(":=", Span(failure.source, found.start, found.end + 1))
    if before.kind == ":" and found.text == "=" and failure.touching:
        return fence.refusal(":=", Span(failure.source, before.start, found.end))
    if before.kind == "from" and found.text in (".", "..."):
        return fence.refusal("relative import", failure.span)
    if before.kind == "except" and found.kind == "*":
        return fence.refusal("except*", failure.span)
    start = failure.text.rfind("\n", 0, found.start) + 1
    word = SOFT_KEYWORD.match(failure.text, start)
    if word is not None and word.start(1) < found.start:
        return fence.refusal(word[1], Span(failure.source, word.start(1), word.end(1)))
    return None


def _script(failure: Failure) -> GradcliError | None:
    """Statements where one expression is expected."""
    before, found = failure.before, failure.found
    if failure.start != "formula" or failure.lexer.open:
        return None
    gap = failure.text[before.end : found.start]
    assignment = found.kind.endswith("=") and not failure.operand_expected()
    begins = not before.text and found.kind in failure.statements()
    new_line = "\n" in gap and not failure.operand_expected()
    if not (begins or assignment or new_line or found.kind == ";"):
        return None
    name, value = failure.text[: found.start].strip(), failure.text[found.end :].strip()
    simple = before.kind == "NAME" and name == before.text and value.count("\n") == 0
    lines = []
    if found.kind == "=" and simple and value and "=" not in value:
        lines.append(f"to give {name} a value, bind it after the expression: {name}='{value}'")
    if found.kind == "=":
        lines.append("to compare, write '=='")
    message = "an expression is expected here, and this is a statement of a script"
    return GradcliError("G001", message, failure.span, help=[*lines, SCRIPT_HELP], kind=SyntaxError)


def _bracket(failure: Failure) -> GradcliError | None:
    """Brackets that close nothing, that do not fit, or that are never closed."""
    found, top = failure.found, failure.top
    if found.kind in CLOSING.values():
        if top is None:
            return error(
                failure.span, f"'{found.kind}' closes nothing", "remove it, or open it before"
            )
        expected = CLOSING.get(top.text, "}")
        if found.kind != expected:
            opener = top.text if top.kind == "bracket" else "{"
            message = f"'{found.kind}' does not close '{opener}'"
            return _with_opener(error(failure.span, message, f"write '{expected}'"), failure, top)
        return None
    if top is None or top.kind != "bracket":
        return None
    line = failure.text.count("\n", 0, top.start) + 1
    ended = found.kind == "END" and not failure.operand_expected()
    if ended or _left_open(failure, top):
        message = f"expected '{CLOSING[top.text]}' to close '{top.text}' opened at line {line}"
        return _with_opener(error(failure.span, message), failure, top)
    return None


def _left_open(failure: Failure, top: Open) -> bool:
    """Whether the bracket was opened on an earlier line than the error and is never closed."""
    if "\n" not in failure.text[top.start : failure.found.start] or failure.start != "script":
        return False
    lexer = failure.lexer
    try:
        lexer.open = [top]
        position = failure.found.start
        while lexer.open and position < len(failure.text):
            token = lexer.read(position)
            lexer.track(token)
            position = token.end
    except GradcliError:
        return False
    return bool(lexer.open) and lexer.open[0] is top


def _with_opener(result: GradcliError, failure: Failure, top: Open) -> GradcliError:
    opener = Span(failure.source, top.start, top.start + 1)
    result.diagnostic.labels.append(Label(opener, "opened here"))
    return result


def _block(failure: Failure) -> GradcliError | None:
    """Blocks that are missing, or indentation that opens none."""
    if failure.found.kind == "INDENT":
        return error(failure.span, "this line is indented and no block starts here")
    if failure.fits == {"INDENT"}:
        message = "expected an indented block after the ':' of the line above"
        return error(failure.span, message, "write 'pass' for an empty block")
    found = failure.found.kind
    over = found in ("NEWLINE", "END") or (failure.top is None and found in failure.statements())
    if over and ":" in failure.fits and not failure.operand_expected():
        return error(failure.span, f"expected ':' after {describe(failure.before)}")
    return None


def _foreign(failure: Failure) -> GradcliError | None:
    """Signs and words of other languages."""
    before, found = failure.before, failure.found
    pair = before.text + found.text
    if pair in PAIRS and failure.touching:
        span = Span(failure.source, before.start, found.end)
        return error(span, f"'{pair}' is not an operator", PAIRS[pair])
    pair = failure.text[found.start : found.end + 1]
    if found.text == "=" and pair in PAIRS:
        span = Span(failure.source, found.start, found.end + 1)
        return error(span, f"'{pair}' is not an operator", PAIRS[pair])
    run = failure.text[max(0, before.start - 1) : before.end]
    if run in PAIRS and failure.operand_expected() and before.text in ("+", "-"):
        span = Span(failure.source, before.start - 1, before.end)
        return error(span, f"'{run}' is not an operator", PAIRS[run])
    if before.kind == "else" and found.kind == "if":
        span = Span(failure.source, before.start, found.end)
        return error(span, "'else if' is one word", "write 'elif'")
    if before.text in ("print", "exec") and failure.begins_operand():
        rest = failure.text[found.start :].split("\n")[0].strip()
        return error(failure.span, f"{before.text} is a function", f"write {before.text}({rest})")
    return None


def _equals(failure: Failure) -> GradcliError | None:
    """`=` inside an expression."""
    if failure.found.text != "=" or failure.operand_expected():
        return None
    if "," in failure.fits and "NEWLINE" not in failure.fits and failure.top is None:
        return error(failure.span, "a starred target stands in a tuple", "write *name, = ...")
    return error(failure.span, "'=' assigns; it does not compare", "did you mean '=='?")


def _keyword(failure: Failure) -> GradcliError | None:
    """A word of the language where a name is expected, or where it begins nothing."""
    keywords = failure.lexer.tables.keywords
    word, before, script = failure.found.kind, failure.before, failure.start == "script"
    if before.kind in keywords and word == "=":
        word, place = before.kind, Span(failure.source, before.start, before.end)
    elif word in keywords and failure.fits <= {"NAME", "(", "*", "**", "/", ")"}:
        place = failure.span
    elif word not in keywords or not failure.operand_expected():
        return None
    elif word in failure.statements():
        return error(failure.span, f"'{word}' begins a statement", "put it on a line of its own")
    elif before.kind in ("", "NEWLINE"):
        return error(
            failure.span,
            f"'{word}' begins no {'statement' if script else 'expression'}",
            "line it up with the statement that it belongs to" if script else "",
        )
    else:
        return None
    message = f"'{word}' is a word of the language and cannot be a name"
    return error(place, message, f"choose another name, such as {word}_")


def _juxtaposed(failure: Failure) -> GradcliError | None:
    """Two operands without an operator between them."""
    before, found = failure.before, failure.found
    if not failure.begins_operand() or failure.operand_expected() or "+" not in failure.fits:
        return None
    left, right = describe(before), describe(found)
    if before.kind == "NUMBER" and found.kind == "NAME" and failure.touching:
        span = Span(failure.source, before.start, found.end)
        if found.text[0] == "_":
            return error(span, "'_' stands between two digits of a number")
        return error(span, "a product needs '*'", f"did you mean {before.text}*{found.text}?")
    comma = " or a comma" if "," in failure.fits and failure.top else ""
    what = "'in'" if "in" in failure.fits and "<" not in failure.fits else f"an operator{comma}"
    product = found.kind == "NAME" and before.kind in ("NAME", "NUMBER")
    guess = f"a product needs '*': did you mean {before.text}*{found.text}?"
    help = guess if product and failure.start == "formula" else ""
    return error(failure.span, f"expected {what} between {left} and {right}", help)


REASONS = (_outside, _bracket, _foreign, _script, _keyword, _equals, _block, _juxtaposed)


def _expected(failure: Failure) -> GradcliError:
    """What would fit, in general."""
    before, found, top = failure.before, failure.found, failure.top
    after = f" after {describe(before)}" if before.text and before.kind != "NEWLINE" else ""
    if not before.kind and found.kind == "END":
        return error(failure.span, "expected an expression, and the text is empty")
    if failure.operand_expected():
        result = error(
            failure.span, f"expected an expression{after}", "", f"found {describe(found)}"
        )
        return _with_opener(result, failure, top) if found.kind == "END" and top else result
    if top is not None and top.kind != "bracket" and "FIELD_CLOSE" in failure.fits:
        return open_field(failure.source, found.start, top)
    few = sorted({WORDS.get(kind, f"'{kind}'") for kind in failure.fits})
    if 0 < len(few) <= 5:
        return error(
            failure.span, f"expected {' or '.join(few)}{after}", "", f"found {describe(found)}"
        )
    message = f"{describe(found)} does not fit{after}"
    return error(failure.span, message[0].lower() + message[1:])

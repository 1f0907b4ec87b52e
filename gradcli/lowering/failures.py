"""What an exception meets on its way out of a script: its place, its handlers, its reader.

Constraints: an exception travels as Python raised it, and remembers in a `Failure` where it
happened; the place is `current.span`, which every operation sets just before it runs. An exception
that gradcli's own code let slip is a bug: no handler of the script catches it, and it leaves as it
is.
"""

from __future__ import annotations

import os
from typing import Any

from gradcli.errors import GradcliError, Label
from gradcli.graph.node import current
from gradcli.source import Span

_HERE = os.path.dirname(__file__) + os.sep
_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep
_MEANT = (TypeError, ValueError, ArithmeticError, MemoryError, RecursionError)
_UNCATCHABLE = frozenset(("G061", "G099"))


class Failure:
    """What an exception remembers on its way.

    Args:
        span: the place.

    Attributes:
        call: the call of the last function of the script that it left.
        error: what the user reads; None where the exception itself says it.
        value: what a handler of the script gets; None before one asks.
    """

    __slots__ = ("call", "error", "span", "value")

    def __init__(self, span: Span | None) -> None:
        self.span = span
        self.call: Span | None = None
        self.error: GradcliError | None = None
        self.value: BaseException | None = None


def failure_of(error: BaseException) -> Failure:
    """The record of `error`; made here, with the place of this moment, when it has none."""
    record: Failure | None = error.__dict__.get("_failure")
    if record is None:
        record = error.__dict__["_failure"] = Failure(current.span)
    return record


def is_catchable(error: BaseException) -> bool:
    """Whether a handler of the script may see `error`."""
    if isinstance(error, GradcliError):
        return error.diagnostic.code not in _UNCATCHABLE
    return isinstance(error, Exception) and not is_bug(error)


def kind_of(error: BaseException) -> type[BaseException]:
    """The Python class by which handlers know `error`."""
    return error.kind if isinstance(error, GradcliError) else type(error)


def value_of(error: BaseException) -> BaseException:
    """The exception object that `except ... as name` binds: what Python would have raised."""
    if not isinstance(error, GradcliError):
        return error
    record = failure_of(error)
    if record.value is None:
        try:
            value: BaseException = error.kind(str(error))
        except TypeError:
            value = RuntimeError(str(error))
        link = failure_of(value)
        link.span, link.error, record.value = record.span, error, value
    return record.value


def raisable(value: BaseException, error: GradcliError) -> BaseException:
    """What `raise value` raises: the error it stands for, or `value` remembering `error`."""
    known = value.__dict__.get("_failure")
    if known is not None and known.error is not None:
        return known.error if known.error.kind is type(value) else value
    if known is None:
        failure_of(value).error = error
    return value


def finish(error: Exception) -> Exception:
    """The located `GradcliError` that the user reads; a bug and a closed pipe come back."""
    record = failure_of(error)
    if isinstance(error, GradcliError):
        result = error
    elif record.error is not None:
        result = record.error
    elif isinstance(error, BrokenPipeError) or is_bug(error):
        return error
    else:
        result = _from_python(error)
    result.at(record.span)
    _add_call(result, record.call)
    _add_way_out(result, record.span)
    return result


def is_bug(error: BaseException) -> bool:
    """Whether gradcli's own code, below the interpreter, raised `error` without meaning to.

    Conversions of the user's values (`int` of a nan, an unknown format) fail in Python's own words
    wherever they stand, so the classes of these are never taken for bugs.
    """
    if isinstance(error, _MEANT) or failure_of(error).error is not None:
        return False
    innermost = ""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        innermost = name if name.startswith(_PACKAGE) else innermost
        trace = trace.tb_next
    return bool(innermost) and not innermost.startswith(_HERE)


def described(error: BaseException) -> str:
    """`ValueError: text`, or the class alone when there is no text."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _from_python(error: Exception) -> GradcliError:
    """A built-in exception as an error: its own words, under the code that fits them."""
    text = str(error)
    kind = type(error)
    if isinstance(error, MemoryError):
        return GradcliError("G062", "the result does not fit into memory", kind=kind)
    if isinstance(error, RecursionError):
        return GradcliError("G003", text or "maximum recursion depth exceeded", kind=kind)
    code = "G040"
    if isinstance(error, AttributeError):
        code = "G011"
    elif isinstance(error, TypeError):
        code = _type_error_code(text)
    message = described(error) if not text or isinstance(error, KeyError) else text
    return GradcliError(code, message, kind=kind)


def _type_error_code(text: str) -> str:
    if text.startswith(("unsupported operand", "bad operand")) or " not supported between " in text:
        return "G014"
    if any(f"() {word} " in text for word in ("missing", "takes", "got")):
        return "G013"
    return "G040"


def _add_call(error: GradcliError, call: Span | None) -> None:
    labels = error.diagnostic.labels
    if call is not None and all(label.span != call for label in labels):
        labels.append(Label(call, "called here"))


def _add_way_out(error: GradcliError, span: Span | None) -> None:
    """What to do about a gradient that is not there yet."""
    diagnostic = error.diagnostic
    if span and not diagnostic.help and ".grad" in span.text and "NoneType" in diagnostic.message:
        diagnostic.help.append("a gradient is None until backward() has passed on to it")


def brief(value: Any) -> str:
    """A value in a few words, for the text beside the carets."""
    try:
        text = " ".join(repr(value).split())
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."

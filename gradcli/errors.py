"""What can go wrong, as data: a code, a fact, a place, values, and a way out.

Constraints: raises and describes, never prints (render/diagnostic.py does); imports only source.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from gradcli.source import Span


class ExitStatus(IntEnum):
    """The exit codes of the command line."""

    OK = 0
    FAILED = 1
    USAGE = 2
    BUG = 70
    INTERRUPTED = 130


class Label:
    """A place with a word about it: the text beside the carets."""

    __slots__ = ("span", "text")

    def __init__(self, span: Span, text: str = "") -> None:
        self.span = span
        self.text = text


class Diagnostic:
    """One report: `code` such as G021, `message` in lower case, `labels` (the first is the
    place), `help` lines.

    Args:
        code: a key of `CODES`.
        message: the fact. Where PyTorch has a known sentence, its first line word for word.
        labels: places, the main one first; empty where the source is no text (an option, a file).
        help: ways out that can be pasted; one line each.
        notes: further facts, shown before the help.
        severity: `error`, `warning` or `note`.
    """

    __slots__ = ("code", "help", "labels", "message", "notes", "severity")

    def __init__(
        self,
        code: str,
        message: str,
        labels: Iterable[Label] = (),
        *,
        help: str | Iterable[str] = (),
        notes: Iterable[str] = (),
        severity: str = "error",
    ) -> None:
        self.code = code
        self.message = message
        self.labels = list(labels)
        self.help = [help] if isinstance(help, str) else list(help)
        self.notes = list(notes)
        self.severity = severity


class GradcliError(Exception):
    """The user's input is wrong; carries the one `Diagnostic` that says how.

    `kind` is the Python exception class that PyTorch raises here (so that a script's `except
    RuntimeError` behaves the same).

    Args:
        code: a key of `CODES`, such as "G021".
        message: the fact; `str(error)` is this message.
        span: the place; may be added later by `at`.
        label: the words beside the carets.
        help: ways out, one line each.
        notes: further facts.
        kind: the Python exception class of the same failure in PyTorch.

    Attributes:
        told: what the first label says of operands; empty where it says nothing, or something else.
    """

    exit_status = ExitStatus.USAGE
    told = ""

    def __init__(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        label: str = "",
        *,
        help: str | Iterable[str] = (),
        notes: Iterable[str] = (),
        kind: type[BaseException] = RuntimeError,
    ) -> None:
        super().__init__(message)
        labels = [Label(span, label)] if span is not None else []
        self.diagnostic = Diagnostic(code, message, labels, help=help, notes=notes)
        self.label = label
        self.kind = kind

    def __reduce__(self) -> tuple[object, ...]:
        """So that an error of another process is the same one here."""
        return _again, (type(self), self.diagnostic, self.label, self.kind)

    def at(self, span: Span | None, label: str = "") -> GradcliError:
        """Gives the error its place, unless it has one; returns the error."""
        if span is not None and not self.diagnostic.labels:
            self.diagnostic.labels.append(Label(span, label or self.label))
        return self

    def __str__(self) -> str:
        return self.diagnostic.message


class ExampleUnknown(GradcliError):
    """The value of one example of a vmap was looked at; the function that did may go on without."""

    def final(self) -> GradcliError:
        """The same error, as one that nobody goes on after."""
        return GradcliError("G016", str(self), help=self.diagnostic.help, kind=self.kind)


def _again(
    cls: type[GradcliError], diagnostic: Diagnostic, label: str, kind: type[BaseException]
) -> GradcliError:
    error = cls(diagnostic.code, diagnostic.message, label=label, kind=kind)
    error.diagnostic = diagnostic
    return error


class CheckFailed(GradcliError):
    """A script's `assert` failed: exit status 1, not 2."""

    exit_status = ExitStatus.FAILED


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `word` was most likely meant to be, or None when none is close."""
    import difflib

    names = list(dict.fromkeys(candidates))
    for name in names:
        if name.lower() == word.lower():
            return name
    found = difflib.get_close_matches(word, names, n=5, cutoff=0.7 if len(word) > 3 else 0.6)
    return max(found, key=lambda name: _likeness(word, name), default=None)


def _likeness(word: str, name: str) -> float:
    """How alike two words are; the first letter and the length count more than letters changed."""
    import difflib

    ratio = difflib.SequenceMatcher(a=word, b=name).ratio()
    odd = abs(len(word) - len(name)) + (word[0] != name[0]) + name.endswith("_")
    return ratio - 0.1 * odd


def did_you_mean(word: str, candidates: Iterable[str]) -> list[str]:
    """Help lines for an unknown `word`: one line, or none when nothing is close."""
    name = nearest(word, candidates)
    return [f"did you mean {name}?"] if name else []


CODES: dict[str, str] = {
    "G001": "the text is not a gradcli expression or script",
    "G002": "this part of Python is outside the language",
    "G003": "the text is nested too deeply",
    "G010": "a name is not known",
    "G011": "a value has no such attribute or method",
    "G012": "a variable has no value",
    "G013": "a function was called with the wrong arguments",
    "G014": "an operation does not apply to values of these types",
    "G015": "a variable's shape is not declared",
    "G016": "inside vmap no example has a value of its own",
    "G020": "shapes do not broadcast",
    "G021": "matrix shapes do not fit",
    "G022": "an index is out of range, or cannot index this tensor",
    "G023": "a dimension is out of range",
    "G024": "a shape does not fit the number of elements",
    "G025": "the dtype does not allow this operation",
    "G026": "a value is outside what the function accepts",
    "G027": "a gradient is not a number",
    "G030": "nothing in the result requires a gradient",
    "G031": "backward went through the same graph a second time",
    "G032": "a value needed for the gradient was changed in place",
    "G033": "a leaf that requires a gradient was changed in place",
    "G034": "only a scalar has a gradient without a cotangent",
    "G035": "a variable is not part of the graph of the result",
    "G036": "the cotangent does not fit the result",
    "G037": "this operation has no derivative",
    "G038": "a derivative has no closed form",
    "G039": "a formula cannot be checked anywhere",
    "G040": "Python raised an exception in the script",
    "G041": "an assertion of the script failed",
    "G042": "the script raised an exception",
    "G046": "a torch.autograd.Function does not keep its side",
    "G047": "a gradient is not what differences say",
    "G048": "a hook does not keep its side",
    "G050": "a data file cannot be read",
    "G051": "a data file is malformed",
    "G052": "a data file has no such key, column or member",
    "G053": "a result cannot be written",
    "G060": "a result would not fit into the memory limit",
    "G061": "the time limit ran out",
    "G062": "a number or a text grows too large",
    "G070": "an option or an argument of the command is wrong",
    "G071": "a backend is not available",
    "G072": "a cluster cannot finish its work",
    "G080": "a hand-written derivative is wrong",
    "G081": "autodiff and differences of the function disagree",
    "G082": "a derivative could not be checked",
    "G083": "a value or a derivative is NaN or infinite",
    "G084": "a function was differentiated at a kink",
    "G085": "a column and a vector broadcast to a table",
    "G098": "a formula failed its check and is withheld",
    "G099": "gradcli has a bug",
}
"""Every error code and what it means in one line; `gradcli explain CODE` prints more."""

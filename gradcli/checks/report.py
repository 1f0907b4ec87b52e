"""What a check found about one variable, for renderers to show.

Constraints: data only.
"""

from __future__ import annotations

from gradcli.checks.judge import SENTENCES, WITH_HAND, Entries, Verdict
from gradcli.errors import Diagnostic
from gradcli.source import Span


class Worst:
    """An entry of a derivative: which, at which point, and its three values."""

    __slots__ = ("autodiff", "differences", "hand", "index", "point")

    def __init__(self, point: int, index: tuple[int, ...], entries: Entries) -> None:
        self.point = point
        self.index = index
        self.autodiff = float(entries.autodiff[index])
        self.differences = float(entries.differences[index])
        self.hand = None if entries.hand is None else float(entries.hand[index])


class Report:
    """What a check found about one variable.

    Attributes:
        name: of the check; variable: `x`, or `x,y` of a second derivative, or empty.
        verdict: the worst over all entries and points; `sentence` says it in words.
        max_error: the largest relative error.
        worst: the entries with the largest errors, the worst first.
        slip: the slip that explains a wrong hand-written derivative.
        shape: of the derivative; `where`: the points; `notes`: more to know.
        place: of the check in a file; None for one on the command line.
        seconds: how long it took.
        error: why it could not be checked, where it could not.
    """

    def __init__(
        self, name: str, variable: str = "", where: str = "", place: Span | None = None
    ) -> None:
        self.name = name
        self.place = place
        self.variable = variable
        self.where = where
        self.verdict = Verdict.AGREE
        self.has_hand = False
        self.max_error = 0.0
        self.worst: list[Worst] = []
        self.slip: str | None = None
        self.shape: tuple[int, ...] = ()
        self.notes: list[str] = []
        self.seconds = 0.0
        self.error: Diagnostic | None = None

    @property
    def ok(self) -> bool:
        """Whether the check passed."""
        return self.verdict.ok

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.error is not None:
            return f"{SENTENCES[self.verdict]}: {self.error.message}"
        said = WITH_HAND if self.has_hand and self.verdict in WITH_HAND else SENTENCES
        return said[self.verdict]

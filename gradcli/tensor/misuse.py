"""The refusal of a call's arguments, which a method words in another way than a function.

Constraints: an error only; who finds what is wrong is arguments.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.node import current


class Misuse(GradcliError):
    """Arguments that a function does not take: PyTorch's TypeError.

    Args:
        function: the function.
        sentence: what PyTorch says, of a function (0) and of a method (1).
        help: ways out.
        place: which of the arguments is wrong, counted through the named ones; -1 for all.
        count: how many arguments there are.
        code: G013 for the wrong arguments, G014 for arguments of wrong types.
    """

    def __init__(
        self,
        function: Any,
        sentence: Callable[[int], str],
        help: list[str],
        *,
        place: int = -1,
        count: int = 0,
        code: str = "G013",
    ) -> None:
        super().__init__(code, sentence(0), help=help, kind=TypeError)
        self.function = function
        self.sentence = sentence
        span = current.span
        if span is not None and place >= 0 and len(span.parts) == count:
            self.at(span.parts[place])

    def of_another(self, function: Any, old: str, new: str) -> None:
        """Words it as the refusal of `function`, which is called `new` instead of `old`."""
        sentence = self.sentence
        self.function = function
        self.sentence = lambda bound: sentence(bound).replace(f"{old}()", f"{new}()", 1)
        self.diagnostic.message = self.sentence(0)

    def of_method(self) -> None:
        """Words it as the refusal of a method, which does not count the tensor itself."""
        self.diagnostic.message = self.sentence(1)

"""Calls of a script's `torch.autograd.Function` for a batch of examples, and pushed forward.

Constraints: each does what a call does (gradcli/functions/custom_call.py), example by example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcli.ops.batching import Batching, over_examples
from gradcli.ops.custom import Cotangents

if TYPE_CHECKING:
    from gradcli.functions.custom_call import Call


class Pushing:
    """The cotangents that a call pulls back, as a function of those of some of its results."""

    def __init__(self, call: Call | Lifted, given: list[bool]) -> None:
        self.call = call
        self.given = given

    def free(self) -> None:
        """A backward pass has used up what was saved."""
        self.call.free()

    def push(self, t: Cotangents) -> Cotangents:
        """The tangents of those results, for the tangents of the sources."""
        return [y for y, given in zip(self.call.push(t), self.given, strict=True) if given]

    def lifted(self, batching: Batching) -> Pushing:
        """The function of all examples of a batch."""
        return Pushing(self.call.lifted(batching), self.given)


class Lifted:
    """A call for all examples of a batch, which each of its sources and results is."""

    def __init__(self, call: Call | Lifted, batching: Batching) -> None:
        self.call = call
        self.batching = batching

    def free(self) -> None:
        """A backward pass has used up what was saved."""
        self.call.free()

    def pull(self, g: Cotangents) -> Cotangents:
        """The cotangents of the sources of all examples, for those of the results."""
        return over_examples(self.call.pull, g, self.batching.lanes, self.batching.size)

    def push(self, t: Cotangents) -> Cotangents:
        """The tangents of the results of all examples, for those of the sources."""
        return over_examples(self.call.push, t, self.batching.lanes, self.batching.size)

    def lifted(self, batching: Batching) -> Lifted:
        """The call for all examples of another batch, too."""
        return Lifted(self, batching)

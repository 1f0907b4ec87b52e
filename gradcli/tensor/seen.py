"""A function and its call, as the rows of second.txt speak of them.

Constraints: results, arguments and cotangents may be sketches themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gradcli.graph.call import results_of
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.walk import ancestors
from gradcli.ops.reduction import total
from gradcli.tensor.formulas import Formula
from gradcli.tensor.sketch import NO_FACTS, Told, common, is_sketch


class Seen(NamedTuple):
    """What the formulas of one function speak of.

    Attributes:
        part: what the function passes on, if computed.
        made: what was made of formulas so far.
    """

    cotangents: Sequence[Node | None]
    out: Node
    arguments: Sequence[Node]
    part: Node | None = None
    made: dict[Formula, Node] | None = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the function was called with, but for tensors, and `how`, its last step."""
        arguments = self.out.call[1] if self.out.call is not None else ()
        if isinstance(arguments, Told):
            return arguments.facts
        if is_sketch(self.out):
            return NO_FACTS
        found: dict[str, Any] = {"weighted": len(self.arguments) > 2, "how": self.out.op.name}
        for y in results_of(self.out).values():
            found.update(y.attrs)
        inner = self.out
        while inner.op.name in ("div", "sum") and inner.inputs and inner.inputs[0].call is None:
            inner, how = inner.inputs[0], "mean" if inner.op.name == "div" else found["how"]
            found = {**inner.attrs, **found, "how": how}
        return found

    @property
    def is_reduced(self) -> bool:
        """Whether a loss is the mean or the sum of several."""
        return self.facts.get("how") in ("mean", "sum")

    @property
    def whole(self) -> bool:
        """Whether the function reduced all dims of its argument without naming any."""
        return bool(self.facts.get("whole", self.out.ndim == 0))

    @property
    def first(self) -> Node:
        """The first cotangent that there is."""
        return next(g for g in self.cotangents if g is not None)

    def repeats(self, position: int) -> bool:
        """Whether the function repeats an argument: what is passed on has to be added up."""
        summed = self.part is not None and self.part.tracked and self.part.op is total
        if summed and self.arguments[position].shape != self.out.shape:
            return True
        return common(self.arguments) == self.out.shape

    @property
    def scaled(self) -> bool:
        """Whether what is passed on is multiplied by a number."""
        newest = max(g.serial for g in self.cotangents if g is not None)
        steps = [] if self.part is None else ancestors([self.part], lambda x: x.serial > newest)
        return any(x.op.name == "mul" and _is_factor(x.inputs[1]) for x in steps)

    @property
    def lacks_freedom(self) -> bool:
        """Whether a variance of all elements is corrected by no less than their number."""
        correction = self.facts.get("correction")
        if not self.whole and self.arguments[0].ndim:
            return False
        return correction is not None and self.arguments[0].size <= correction * self.out.size

    @property
    def reduced(self) -> int:
        """How many dims of its first argument the function has reduced."""
        return self.arguments[0].ndim - self.out.ndim


def _is_factor(x: Node) -> bool:
    return x.op is FULL and x.attrs["value"] != 1

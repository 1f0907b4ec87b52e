"""Recorded work on large values as a function of some of them: planned once, then swept.

Constraints: what was computed at once when it was recorded is computed at once again, what waited
is one plan, so that the bits are those of evaluation on demand. One run at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np

from gradcli.execute.backends.numpy import Array
from gradcli.execute.evaluate import in_one_piece, silence
from gradcli.execute.outputs import own
from gradcli.execute.program import Unplannable
from gradcli.execute.schedule import Plan, placeholder
from gradcli.execute.straight import Questions
from gradcli.graph.node import Node
from gradcli.graph.op import LEAF
from gradcli.graph.recording import Recording
from gradcli.graph.walk import ancestors


class Swept:
    """A plan from inputs to outputs.

    Args:
        recording: the work, fit for being repeated.
        inputs: nodes whose values are given anew for each run.
        outputs: nodes whose values are wanted.

    Raises:
        Unplannable: when no rows can be swept.
    """

    __slots__ = ("_inputs", "_lock", "_outputs", "_plan", "_questions", "_small")

    def __init__(
        self, recording: Recording, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> None:
        self._questions = Questions(recording, inputs)
        self._inputs = [placeholder(x) for x in inputs]
        self._small: list[Node] = []
        again = dict(zip(inputs, self._inputs, strict=True))
        for node, sources in recording.made:
            if node.op is LEAF and sources[0] in again:
                again[node] = again[sources[0]]
            elif any(x in again for x in sources):
                again[node] = self._again(node, tuple([again.get(x, x) for x in sources]))
        self._outputs = [again.get(x, x) for x in outputs]
        targets = {node for node in self._outputs if node.value is None}
        self._plan = Plan(ancestors(targets, lambda node: node.value is None), targets)
        if not self._plan.pays:
            raise Unplannable("nothing goes row by row")
        self._lock = Lock()

    def _again(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """The node on other inputs, as it was before its value was known."""
        made = Node(node.op, inputs, node.attrs, node.shape, node.dtype)
        made.span = node.span
        waits = node.pending or any(x.value is None for x in inputs)
        if node.value is not None and not waits:
            made.value = node.value
            self._small.append(made)
        return made

    def run(self, values: Sequence[Array]) -> list[Array]:
        """The outputs for these values of the inputs, which have the inputs' shapes and dtypes.

        Raises:
            Unplannable: when these values go another way than the recorded ones.
        """
        self._questions.ask(values)
        known: dict[Node, Any] = dict(zip(self._inputs, values, strict=True))
        with self._lock, silence:
            for node in self._small:
                known[node] = in_one_piece(node, {x: known.get(x, x.value) for x in node.inputs})
            found = self._plan.run(in_one_piece, known)
        results = [np.asarray(found.get(x, known.get(x, x.value))) for x in self._outputs]
        return [own(x, values) for x in results]

"""Recorded work as one compiled graph of a library: bound to new values, run, read.

Constraints: as for gradcli/execute/straight.py; arrays in are NumPy's or the library's own, arrays
out are NumPy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.execute.backends.base import Library
from gradcli.execute.forms import compiled, copied
from gradcli.execute.outputs import own
from gradcli.execute.program import Unplannable
from gradcli.execute.straight import Questions
from gradcli.graph.node import Node, current, data
from gradcli.graph.op import DATA
from gradcli.graph.recording import Recording


class Recorded:
    """A program from inputs to outputs.

    Args:
        library: what computes it.
        recording: the work.
        inputs: nodes whose values are given anew for each run.
        outputs: nodes whose values are wanted.

    Attributes:
        compiled: from the library's arrays to the library's arrays.

    Raises:
        Unplannable: when a run with other values could go another way.
    """

    __slots__ = ("_library", "_questions", "compiled")

    def __init__(
        self,
        library: Library,
        recording: Recording,
        inputs: Sequence[Node],
        outputs: Sequence[Node],
    ) -> None:
        self._questions = Questions(recording, inputs)
        before, current.recording = current.recording, None
        try:
            given = [data(True, node.shape, node.dtype) for node in inputs]
            copies = dict(zip(inputs, given, strict=True))
            _copy(dict(recording.made), outputs, copies)
            with library.computing():
                ends = [copies[node] for node in outputs]
                # What is copied to a device for one call is nobody else's.
                self.compiled = compiled(library, ends, given, given if library.copies else ())
        finally:
            current.recording = before
        self._library = library

    def run(self, values: Sequence[Any]) -> list[Any]:
        """The outputs for these values of the inputs, which have the inputs' shapes and dtypes.

        Raises:
            Unplannable: when these values go another way than the recorded ones.
        """
        self._questions.ask(values)
        library = self._library
        with library.computing():
            found = self.compiled([library.sent(value) for value in values])
            return [own(library.to_numpy(value), values) for value in found]


def _copy(
    sources: dict[Node, tuple[Node, ...]], outputs: Sequence[Node], copies: dict[Node, Node]
) -> None:
    """Adds what `outputs` were computed from; what was not recorded keeps its value."""
    found: set[Node] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node not in found and node not in copies:
            found.add(node)
            stack.extend(() if node.op is DATA else sources.get(node, ()))
    for node in sorted(found, key=lambda n: n.serial):
        if node in sources and node.op is not DATA:
            copies[node] = copied(node, sources[node], copies)
        elif node.value is None:
            raise Unplannable(f"{node} has no value")
        else:
            copies[node] = data(node.value, node.shape, node.dtype)

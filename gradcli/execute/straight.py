"""Recorded work as a function of some of its values: bound to new ones, run, read.

Constraints: for small values; the same kernels in the same order as evaluation on demand. One run
at a time: the buffers are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import numpy as np

from gradcli.execute.backends.numpy import NUMPY_DTYPES, Array
from gradcli.execute.evaluate import silence
from gradcli.execute.program import Unplannable, Writer
from gradcli.graph.node import Node
from gradcli.graph.recording import Recording

LARGEST = 1 << 23
"""Elements in a graph up to which one line of calls is worth more than threads and tiles."""


class Straight:
    """A program from inputs to outputs.

    Args:
        recording: the work.
        inputs: nodes whose values are given anew for each run.
        outputs: nodes whose values are wanted.

    Raises:
        Unplannable: when a run with other values could go another way, or is no small work.
    """

    __slots__ = ("_cells", "_lock", "_outputs", "_run")

    def __init__(
        self, recording: Recording, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> None:
        varying = recording.varying(inputs)
        if recording.obstacle or recording.checks or any(x in varying for x in recording.looked):
            raise Unplannable(recording.obstacle or "it depends on values which way it goes")
        if sum(node.size for node, _ in recording.made) > LARGEST:
            raise Unplannable("large values have plans of their own")
        cells = {node: np.empty(node.shape, NUMPY_DTYPES[node.dtype]) for node in inputs}
        with silence:
            writer = Writer(recording.made, cells)
            writer.need(outputs)
        self._cells = list(cells.values())
        self._outputs = [writer.arrays[node] for node in outputs]
        self._run = _compiled(writer)
        self._lock = Lock()

    def run(self, values: Sequence[Array]) -> list[Array]:
        """The outputs for these values of the inputs, which have the inputs' shapes and dtypes."""
        with self._lock, silence:
            for cell, value in zip(self._cells, values, strict=True):
                np.copyto(cell, value)
            self._run()
            return [np.array(output) for output in self._outputs]


def _compiled(writer: Writer) -> Callable[[], None]:
    text = "def run():\n    " + "\n    ".join([*writer.lines, "return None"])
    scope: dict[str, Any] = {"__builtins__": {}, **writer.names}
    exec(compile(text, "<straight>", "exec"), scope)
    # Taken out, it leaves no cycle that would keep the buffers.
    return scope.pop("run")  # type: ignore[no-any-return]  # a fresh namespace holds anything

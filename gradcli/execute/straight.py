"""Recorded work as a function of some of its values: bound to new ones, run, read.

Constraints: for small values; the same kernels in the same order as evaluation on demand. One run
at a time: the buffers are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.backends.numpy import NUMPY_DTYPES, Array
from gradcli.execute.compiling import compiled
from gradcli.execute.evaluate import SWEEP, backend, silence
from gradcli.execute.program import Unplannable, Writer
from gradcli.execute.stepping import PLACED
from gradcli.graph.node import Node
from gradcli.graph.recording import Recording

RARE = 8
"""How many elements there are for each other one where zeros are not copied."""
SPARSE = 1 << 13
"""Elements from which that is quicker."""
LARGEST = SWEEP
"""Elements in a graph up to which one line of calls is worth more than threads and tiles."""


class Straight:
    """A program from inputs to outputs.

    Args:
        recording: the work.
        inputs: nodes whose values are given anew for each run.
        outputs: nodes whose values are wanted.

    Raises:
        Unplannable: when a run with other values could go another way.
    """

    __slots__ = ("_cells", "_lock", "_outputs", "_questions", "_run")

    def __init__(
        self, recording: Recording, inputs: Sequence[Node], outputs: Sequence[Node]
    ) -> None:
        self._questions = Questions(recording, inputs)
        cells = {node: np.empty(node.shape, NUMPY_DTYPES[node.dtype]) for node in inputs}
        with silence:
            writer = Writer(recording.made, cells)
            writer.need(outputs)
        self._cells = list(cells.values())
        self._outputs = [_copier(writer.arrays[node], writer.memo) for node in outputs]
        text = "def run():\n    " + "\n    ".join([*writer.lines, "return None"])
        self._run = compiled(text, writer.names)
        self._lock = Lock()

    def run(self, values: Sequence[Array]) -> list[Array]:
        """The outputs for these values of the inputs, which have the inputs' shapes and dtypes.

        Raises:
            Unplannable: when these values go another way than the recorded ones.
        """
        self._questions.ask(values)
        with self._lock, silence:
            for cell, value in zip(self._cells, values, strict=True):
                cell[...] = value
            self._run()
            return [copied() for copied in self._outputs]


def _copier(output: Array, memo: Mapping[Any, Any]) -> Callable[[], Array]:
    """What copies an output: of zeros with few other places only these, into new zeros."""
    whole = output if output.base is None else output.base
    part = memo.get((PLACED, id(whole)))
    if part is None or output.size < whole.size or max(part.size * RARE, SPARSE) > whole.size:
        return partial(np.array, output)
    kind, starts = whole.dtype, [x.ctypes.data - whole.ctypes.data for x in (part, output)]

    def copied() -> Array:
        zeros = np.zeros(whole.shape, kind)
        np.ndarray(part.shape, kind, zeros, starts[0], part.strides)[...] = part
        return np.ndarray(output.shape, output.dtype, zeros, starts[1], output.strides)

    return copied


class Questions:
    """What recorded work asked about values, to be asked again when its inputs have others.

    Raises:
        Unplannable: when a run with other values could go another way for another reason.
    """

    __slots__ = ("_asked", "_inputs", "_made")

    def __init__(self, recording: Recording, inputs: Sequence[Node]) -> None:
        varying = recording.varying(inputs)
        if recording.obstacle or recording.checks or any(x in varying for x in recording.looked):
            raise Unplannable(recording.obstacle or "it depends on values which way it goes")
        self._inputs = inputs
        self._asked = [each for each in recording.asked if each[0] in varying]
        needed = {node for node, _, _ in self._asked}
        self._made: list[tuple[Node, tuple[Node, ...]]] = []
        for node, sources in reversed(recording.made):
            if node in needed and (node in varying or node.value is None):
                self._made.append((node, sources))
                needed.update(sources)
        self._made.reverse()

    def ask(self, values: Sequence[Array]) -> None:
        """Raises `Unplannable` unless all answers are the recorded ones."""
        if not self._asked:
            return
        known: dict[Node, Any] = dict(zip(self._inputs, values, strict=True))
        try:
            for node, sources in self._made:
                known[node] = backend.run(node, [known.get(x, x.value) for x in sources])
        except (GradcliError, IndexError, ValueError) as error:
            raise Unplannable(str(error)) from None
        for node, question, answer in self._asked:
            if question(known[node]) != answer:
                raise Unplannable("these values go another way")

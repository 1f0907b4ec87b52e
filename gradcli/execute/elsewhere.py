"""Where values are computed: at once on NumPy, or by an engine that takes whole graphs.

Constraints: one global, read by every op: without an engine it costs a comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from gradcli.graph.node import Node


class Engine(Protocol):
    """What computes whole graphs."""

    def wait(self, node: Node) -> None:
        """Marks a node as waiting, until somebody asks for a value."""

    def compute(self, targets: Sequence[Node]) -> None:
        """Gives `targets` their values, and with them all that waits and that somebody holds."""

    def position(self, node: Node) -> Any:
        """The value of a whole number as the host finds it, where it takes a few steps; or None."""

    def fetched(self, value: Any) -> Any:
        """A value of this engine as a NumPy array."""

    def hold(self, tensor: Any) -> None:
        """Takes note of a tensor: the value of its node is wanted as long as the tensor lives."""

    def turn(self, passed: bool = False) -> None:
        """An iteration of a loop ends; or a backward pass does, and the iteration goes on."""


class Elsewhere:
    """The engine, while one is in use.

    Attributes:
        watched: whether every op is looked at, so that no engine may be used.
    """

    __slots__ = ("engine", "watched")

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.watched = False


elsewhere = Elsewhere()

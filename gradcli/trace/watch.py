"""A block in which every op that is computed, and every backward pass, is looked at.

Constraints: outside the block nothing is slower; inside, loops are interpreted and nothing is
fused, so that each op is seen by itself.
"""

from __future__ import annotations

import sys
from typing import Any

from gradcli.execute import evaluate
from gradcli.execute.backends.numpy import NumPy
from gradcli.execute.elsewhere import elsewhere
from gradcli.graph.node import Node
from gradcli.lowering.switch import switch
from gradcli.tensor import autograd

Array = Any


class Observer:
    """What looks at a run; each method sees one event."""

    def computed(self, node: Node, values: list[Array], result: Array) -> None:
        """A node of the forward pass got its value; `values` are those of its inputs."""

    def arrived(self, node: Node, cotangent: Node, earlier: dict[Node, Node]) -> None:
        """A backward pass has the whole cotangent of `node`.

        `earlier` are the nodes before it in this pass with their cotangents.
        """


class watching:  # noqa: N801 - a context manager reads as a word
    """The block: `with watching(observer, ...):`; `library` computes in it, NumPy by default."""

    def __init__(self, *observers: Observer, library: Any = None) -> None:
        self._observers = observers
        self._library = library

    def __enter__(self) -> None:
        self._before = evaluate.backend, evaluate.SWEEP, switch.on, autograd.Pass
        self._engine = elsewhere.engine
        observers = self._observers

        class WatchedPass(autograd.Pass):
            """A backward pass that tells the observers."""

            def run(self, *arguments: Any) -> dict[Node, Node]:
                self.earlier: dict[Node, Node] = {}
                backend.forward = False
                try:
                    return super().run(*arguments)
                finally:
                    backend.forward = True

            def before(self, node: Node, cotangent: Node, passed_on: bool) -> Node:
                cotangent = super().before(node, cotangent, passed_on)
                if isinstance(cotangent, Node):
                    evaluate.array(cotangent)
                    for observer in observers:
                        observer.arrived(node, cotangent, self.earlier)
                    self.earlier[node] = cotangent
                return cotangent

        backend = Watched(observers, self._library)
        evaluate.backend, evaluate.SWEEP = backend, sys.maxsize
        switch.on = False
        elsewhere.engine, elsewhere.watched = None, True
        autograd.Pass = WatchedPass  # type: ignore[misc]

    def __exit__(self, *exception: object) -> None:
        elsewhere.engine, elsewhere.watched = self._engine, False
        evaluate.backend, evaluate.SWEEP, switch.on, autograd.Pass = self._before  # type: ignore[misc]


class Watched(NumPy):
    """A backend, NumPy by default, looked at; `forward` is False inside a backward pass."""

    def __init__(self, observers: tuple[Observer, ...], library: Any = None) -> None:
        super().__init__()
        self.library = library
        self.observers = observers
        self.forward = True

    def run(self, node: Node, values: list[Array]) -> Array:
        """The value of `node`."""
        if self.library is None:
            result = super().run(node, values)
        else:
            result = self.library.alone(node, values)
        if self.forward:
            for observer in self.observers:
                observer.computed(node, values, result)
        return result

"""`grad_fn` as PyTorch shows it, read off the graph when somebody asks.

Constraints: names are derived (CamelCase of the op PyTorch dispatches to, and the index of its overload);
nothing here is made while a script computes.
"""

from __future__ import annotations

from functools import lru_cache

from gradcli.graph.node import Node
from gradcli.graph.op import LEAF


INTERNAL = frozenset({"AccumulateGrad", "CopyBackwards", "CopySlices", "NotImplemented"})
"""Functions that PyTorch names with their C++ namespace when it is asked."""


@lru_cache(maxsize=None)
def backward_name(name: str, overload: int = 0) -> str:
    """`mul` -> `MulBackward0`, `log1p` -> `Log1PBackward0`, a whole name -> itself."""
    if "Backward" in name or name == "NotImplemented":
        return name
    camel, capital = "", True
    for character in name.strip("_"):
        camel += "" if character == "_" else character.upper() if capital else character
        capital = not character.isalpha()
    return f"{camel}Backward{overload}"


class GradFn:
    """A node of PyTorch's backward graph."""

    __slots__ = ("_next", "_node")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._next: tuple[tuple[GradFn | None, int], ...] | None = None

    def name(self) -> str:
        """The name, such as `MulBackward0`."""
        name = name_of(self._node)
        return f"torch::autograd::{name}" if name in INTERNAL else name

    @property
    def next_functions(self) -> tuple[tuple[GradFn | None, int], ...]:
        """The functions that the gradient goes to next, one for each tensor argument."""
        if self._next is None:
            node = self._node
            inputs = node.call[1] if node.call else node.inputs
            if node.op is LEAF:
                inputs = ()
            self._next = tuple((GradFn(x) if x.tracked else None, 0) for x in inputs)
        return self._next

    @property
    def variable(self) -> object:
        """The tensor whose `.grad` an `AccumulateGrad` adds to."""
        return self._node.attrs["owner"].tensor() if self._node.op is LEAF else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GradFn) and other._node is self._node

    def __hash__(self) -> int:
        return hash(self._node)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {hex(id(self._node))}>"


def name_of(node: Node) -> str:
    """The grad_fn name of a node: the function's that made it, else its op's."""
    if node.call is not None:
        return node.call[0]
    return "AccumulateGrad" if node.op is LEAF else backward_name(node.op.torch)

"""Variables without a value: tensors whose shape is declared, to be differentiated as formulas.

Constraints: nothing of them is computed; reading a value raises G012.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gradcli.graph.dim import Dim, bases, sized
from gradcli.graph.dtype import default
from gradcli.graph.node import Node
from gradcli.graph.op import SYMBOL
from gradcli.graph.shape import Shape
from gradcli.tensor.tensor import Tensor


def placeholder(name: str, shape: Shape) -> Tensor:
    """The variable `name` of that shape, in the default dtype."""
    return Tensor(Node(SYMBOL, (), {"name": name}, shape, default.dtype))


def is_placeholder(value: Any) -> bool:
    """Whether it is a variable without a value."""
    return isinstance(value, Tensor) and value.value_node.op is SYMBOL


def declared_sizes(shapes: Iterable[Shape]) -> dict[str, Dim]:
    """The named sizes in shapes, in order of appearance."""
    found: dict[str, Dim] = {}
    for shape in shapes:
        for size in shape:
            found.update(bases(size))
    return found


def sized_shape(shape: Shape, sizes: Mapping[str, int]) -> Shape:
    """A declared shape with numbers for its names."""
    return tuple(int(sized(size, sizes)) for size in shape)

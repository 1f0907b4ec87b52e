"""The numbers that a function keeps of its call: `grad_fn._saved_dim`, `grad_fn._saved_alpha`.

Constraints: they are read off the ops that the function took; what these do not tell is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.call import tensors_of
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.shape import numel
from gradcli.graph.walk import ancestors
from gradcli.tensor.fields import sizes
from gradcli.tensor.kept import name_of
from gradcli.tensor.sketch import is_unknown

ATTRS = {
    "dim": "axis",
    "dims": "axes",
    "keepdim": "keepdims",
}
"""PyTorch's names of what functions keep -> those of the attributes of ops."""
SCALED = {"AddBackward0": 1, "SubBackward0": -1, "RsubBackward0": -1, "RsubBackward1": -1}
"""Functions that multiply an operand by `alpha`, with the sign that it has here."""


def number(node: Node, name: str, short: str) -> Any:
    """A number among the arguments, or sizes of one, where PyTorch keeps them under this name.

    Raises:
        GradcliError: G011 where the function has no attribute `name`, whose last part is `short`.
    """
    tensors = node.inputs if node.call is None else tensors_of(node.call)
    kept = sizes(name_of(node)).get(short)
    if name.startswith("_saved_") and kept is not None and kept[0] < len(tensors):
        shape = known_node(tensors[kept[0]], name).shape
        return shape if kept[1] == "sizes" else numel(shape)
    found = _of_steps(node, tensors, short) if name.startswith("_saved_") else None
    if found is not None:
        return found
    raise GradcliError(
        "G011", f"'{name_of(node)}' object has no attribute '{name}'", kind=AttributeError
    )


def _of_steps(node: Node, tensors: Sequence[Node], short: str) -> Any:
    """What the ops between a function's tensors and its result tell of the number; else None."""
    steps = ancestors([node], lambda x: x not in tensors)
    values = [x.attrs["value"] for x in steps if x.op is FULL]
    sign = SCALED.get(name_of(node))
    if short == "alpha" and sign is not None:
        return sign * values[-1] if values else 1
    if short == "exponent":
        return values[-1] if values and name_of(node) == "PowBackward0" else None
    for step in reversed(steps):
        found = step.attrs.get(ATTRS.get(short, ""))
        if found is not None and not step.op.elementwise and step.inputs:
            return found if short == "keepdim" else _from_left(found, step.inputs[0].ndim)
    return None


def _from_left(axes: Any, rank: int) -> Any:
    return tuple(a + rank for a in axes) if isinstance(axes, tuple) else axes + rank


def known_node(x: Node, name: str) -> Node:
    """`x`, which a function keeps; refuses a step that PyTorch takes and that is not taken here."""
    if is_unknown(x):
        raise GradcliError(
            "G011",
            f"'{name}' is what {name_of(x)} computed, a step that is not taken here: only its name "
            "is known",
            help="compute the derivative by operations of your own, to look at its steps",
            kind=AttributeError,
        )
    return x

"""A value whose history is known and whose derivative PyTorch has not: asking for it is an error.

Constraints: see gradcli/ops; the error is raised when a gradient would pass, as in PyTorch.
"""

from __future__ import annotations

from gradcli.errors import GradcliError
from gradcli.graph.dtype import DType
from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.graph.shape import Shape


def _value(
    value: Node, *sources: Node, sentence: str, kind: type[Exception]
) -> tuple[Shape, DType]:
    return value.shape, value.dtype


def _refused(
    g: Node, out: Node, *inputs: Node, sentence: str, kind: type[Exception], position: int
) -> Node:
    raise GradcliError("G037", sentence, kind=kind)


opaque = Op("opaque", _value, _refused, variadic=True, text="{0}", exact=True)
"""The first input's value, computed from the others; attrs `sentence` and `kind` of the error."""

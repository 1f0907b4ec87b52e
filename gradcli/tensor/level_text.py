"""How a tensor prints inside transforms of `torch.func`: wrapped once for each that it is in.

Constraints: PyTorch's form; the values of all examples are shown.
"""

from __future__ import annotations

from typing import Any

from gradcli.execute.evaluate import array
from gradcli.graph.dtype import default
from gradcli.graph.node import Node
from gradcli.tensor import levels
from gradcli.tensor.closing import depend
from gradcli.tensor.text import tensor_text


def wrapped_text(node: Node) -> str:
    """The text of a tensor's node; empty where no running transform has to do with it."""
    lanes = levels.lanes_of(node)
    wrappers = []
    for number, level in enumerate(levels.active, 1):
        if any(lane in level.lanes for lane in lanes):
            wrappers.append(f"BatchedTensor(lvl={number}, bdim=0, value=\n")
        elif level.is_transform and depend([node], _owners(level)):
            wrappers.append(f"GradTrackingTensor(lvl={number}, value=\n")
    if not wrappers:
        return ""
    value = array(levels.of_all_examples(node))
    text = tensor_text(value, node.dtype.name, default_dtype=default.dtype.name)
    for wrapper in wrappers:
        text = wrapper + "".join(f"    {line}\n" for line in text.split("\n")) + ")"
    return text


def _owners(level: levels.Level) -> set[Any]:
    return {x.autograd for x in level.variables}

"""How a tensor prints inside transforms of `torch.func`: wrapped once for each that it is in.

Constraints: PyTorch's form; the values of all examples are shown.
"""

from __future__ import annotations

from textwrap import indent
from typing import Any

import numpy as np

from gradcli.execute.evaluate import array
from gradcli.graph.dtype import default
from gradcli.graph.node import Node
from gradcli.graph.op import LEAF
from gradcli.tensor import levels
from gradcli.tensor.closing import depend
from gradcli.tensor.text import tensor_text


def wrapped_text(node: Node) -> str:
    """The text of a tensor's node; empty where no running transform has to do with it."""
    lanes = levels.lanes_of(node)
    sources = [node, *(lane.attrs["batch"] for lane in lanes)]
    dims = _dims(node, [x for x in levels.vmaps() if not x.lanes.keys().isdisjoint(lanes)])
    wrappers, serial = [], _origin(node).serial
    for number, level in enumerate(levels.active, 1):
        if level in dims:
            wrappers.append(f"BatchedTensor(lvl={number}, bdim={dims[level]}, value=\n")
        elif (
            level.is_transform
            and level.size is None
            and (serial > level.start or depend(sources, _owners(level)))
        ):
            wrappers.append(f"GradTrackingTensor(lvl={number}, value=\n")
    if not wrappers:
        return ""
    value = array(levels.of_all_examples(node))
    for place, dim in reversed(list(enumerate(dims.values()))):
        value = np.moveaxis(value, place, place + dim)
    text = tensor_text(value, node.dtype.name, default_dtype=default.dtype.name)
    for wrapper in wrappers:
        text = wrapper + indent(text, "    ") + "\n)"
    return text


def _dims(node: Node, vmaps: list[levels.Level]) -> dict[levels.Level, int]:
    """Where the examples lie in what each vmap, the outermost first, was given; 0 in results."""
    found, shown = [], node
    for level in reversed(vmaps):
        dim, shown = level.dims.get(shown, (0, node))
        found.append(dim)
    return dict(zip(vmaps, reversed(found), strict=True))


def _origin(node: Node) -> Node:
    """What a transform was given, where `node` is its argument as the function sees it."""
    for level in reversed(levels.active):
        if node in level.dims:
            node = level.dims[node][1]
        elif node.op is LEAF and node.attrs["owner"] in _owners(level) and node.inputs:
            node = node.inputs[0]
    return node


def _owners(level: levels.Level) -> set[Any]:
    return {x.autograd for x in level.variables}

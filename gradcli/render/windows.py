"""Functions of windows that slide, as calls: convolutions, pooling, `unfold`.

Constraints: one row a function; arguments that are PyTorch's defaults are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcli.graph.node import Node
from gradcli.graph.op import SYMBOL
from gradcli.render import tree
from gradcli.render.pieces import Written
from gradcli.render.tree import Tree

if TYPE_CHECKING:
    from gradcli.render.formula import Writer


def convolution_row(writer: Writer, node: Node) -> Written:
    """`F.conv1d(x, w, stride=2)`."""
    return _convolved(writer, node, "F.conv{}d")


def transposed_row(writer: Writer, node: Node) -> Written:
    """`F.conv_transpose1d(g, w)`."""
    return _convolved(writer, node, "F.conv_transpose{}d")


def _convolved(writer: Writer, node: Node, name: str) -> Written:
    attrs = node.attrs
    options = {
        key: _numbers(writer, attrs[key])
        for key, usual in (("stride", 1), ("padding", 0), ("output_padding", 0), ("dilation", 1))
        if any(n != usual for n in attrs.get(key, ()))
    }
    groups = attrs["groups"]
    if groups != 1:
        options["groups"] = writer.sizes((groups,))[0]
    inputs = [writer.whole(x) for x in node.inputs]
    made = tree.call(name.format(len(attrs["stride"])), *inputs, **options)
    return Written(made, node.shape)


def _numbers(writer: Writer, values: tuple[Any, ...]) -> Any:
    """One number where all are the same."""
    shown = [writer(n).tree if isinstance(n, Node) else tree.number(int(n)) for n in values]
    return shown[0] if all(x == shown[0] for x in shown) else tuple(shown)


def means_row(writer: Writer, node: Node) -> Written:
    """`F.avg_pool1d(x, 2)`."""
    return Written(_pooled(writer, node, "F.avg_pool{}d"), node.shape)


def maxima_row(writer: Writer, node: Node) -> Written:
    """`F.max_pool1d(x, 2)`."""
    return Written(_pooled(writer, node, _maximum(node)), node.shape)


def places_row(writer: Writer, node: Node) -> Written:
    """`F.max_pool1d(x, 2, return_indices=True)[1]`."""
    made = _pooled(writer, node, _maximum(node), return_indices=True)
    return Written(tree.item(made, 1), node.shape)


def _maximum(node: Node) -> str:
    return "F.max_pool{}d" if "kernel" in node.attrs else "F.adaptive_max_pool{}d"


def _pooled(writer: Writer, node: Node, name: str, **more: Any) -> Tree:
    attrs = node.attrs
    x = writer.whole(node.inputs[0])
    if "kernel" not in attrs:
        sizes = attrs["output_size"]
        return tree.call(name.format(len(sizes)), x, _numbers(writer, sizes), **more)
    kernel = _numbers(writer, attrs["kernel"])
    stride = [] if attrs["stride"] == attrs["kernel"] else [_numbers(writer, attrs["stride"])]
    options = {
        key: _numbers(writer, attrs[key])
        for key, usual in (("padding", 0), ("dilation", 1))
        if any(n != usual for n in attrs.get(key, ()))
    }
    if attrs.get("ceil"):
        options["ceil_mode"] = True
    return tree.call(name.format(len(attrs["kernel"])), x, kernel, *stride, **options, **more)


def scattered_row(writer: Writer, node: Node) -> Written:
    """`zeros_like(x).scatter_add(-1, places, g)`; over two axes those are one first."""
    g, places = node.inputs
    (like,) = places.inputs
    core = len(places.attrs.get("kernel", places.attrs.get("output_size")))
    plain = like.op is SYMBOL or like in writer.names
    zeros = (
        tree.call("zeros_like", writer.whole(like))
        if plain
        else tree.call("zeros", *writer.sizes(like.shape))
    )
    parts = [zeros, writer.whole(places), writer.whole(g)]
    if core > 1:
        parts = [tree.method(x, "flatten", tree.number(-core)) for x in parts]
    made = tree.method(parts[0], "scatter_add", tree.number(-1), *parts[1:])
    if core > 1:
        made = tree.method(made, "reshape_as", writer.whole(like))
    return Written(made, node.shape)


def unfolded_row(writer: Writer, node: Node) -> Written:
    """`x.unfold(-1, 3, 1)`, an axis at a time."""
    (x,) = node.inputs
    made, core = writer.whole(x), len(node.attrs["kernel"])
    for i, (kernel, stride) in enumerate(
        zip(node.attrs["kernel"], node.attrs["stride"], strict=True)
    ):
        made = tree.method(made, "unfold", tree.number(x.ndim - core + i), kernel, stride)
    return Written(made, node.shape)


def repeated_row(writer: Writer, node: Node) -> Written:
    """`g.repeat_interleave(2, -1)`."""
    (x,) = node.inputs
    made, counts = writer.whole(x), node.attrs["counts"]
    for axis, count in enumerate(counts, -len(counts)):
        if count != 1:
            made = tree.method(made, "repeat_interleave", count, tree.number(axis))
    return Written(made, node.shape)


WINDOWS = {
    **{"convolution": convolution_row, "conv_transpose": transposed_row, "avg_pool": means_row},
    **{"max_pool": maxima_row, "max_pool_places": places_row, "scattered": scattered_row},
    **{"unfolded": unfolded_row, "repeated": repeated_row},
}
"""Op name -> how it is written."""

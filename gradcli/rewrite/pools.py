"""Means and maxima of windows, and windows themselves, as functions of the language.

Constraints: see translate.py; reads the graph as it was traced. One dim is pooled as two, and is
one dim again here.
"""

from __future__ import annotations

from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.graph.shape import Shape, fitting, numel
from gradcli.ops.window import Range, even_parts, sliding
from gradcli.rewrite import indices as indices
from gradcli.rewrite.convolutions import transposed, unpadded
from gradcli.rewrite.products import product
from gradcli.rewrite.terms import PRODUCT, WRITTEN, factors_of, number_of, unshaped
from gradcli.rewrite.translate import ROWS, Rewriter, row

Numbers = tuple[int, ...]
MEANS = Op("avg_pool", unshaped, WRITTEN)
"""Of windows over the last axes: attrs `kernel`, `stride`, `padding`."""
MAXIMA = Op("max_pool", unshaped, WRITTEN)
"""Likewise; attrs `kernel`, `stride`, `padding`, `dilation`, or `output_size`."""
PLACES = Op("max_pool_places", unshaped, WRITTEN)
"""Where the maxima are, in the flattened pooled axes."""
SCATTERED = Op("scattered", unshaped, WRITTEN)
"""What is added up at such places, in the shape of what has the maxima."""
UNFOLDED = Op("unfolded", unshaped, WRITTEN)
"""Windows, their insides behind: attrs `kernel`, `stride`."""
REPEATED = Op("repeated", unshaped, WRITTEN)
"""Each element several times: attr `counts`, of the last axes."""


# -- means


@row("window_sum")
def _window_sum(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """As many times the mean as a window has elements."""
    kernel, stride = node.attrs["kernel"], node.attrs["stride"]
    scale, numbers, x = r.bare(inputs[0])
    scale = scale * numel(kernel)
    if number_of(x) is not None:
        return r.times(node.shape, *numbers, scale=scale)
    axis, x = _one_dim(r, x, kernel)
    if axis is not None:
        kernel, stride = kernel[1:], stride[1:]
    inner, around = unpadded(x, len(kernel))
    if any(2 * p > k for p, k in zip(around, kernel, strict=True)):
        inner, around = x, (0,) * len(kernel)
    shape = _without(node.shape, axis)
    attrs = {"kernel": kernel, "stride": stride, "padding": around}
    made = _two_dims(r, r.terms.node(MEANS, (inner,), shape, **attrs), axis, node.shape)
    return r.times(node.shape, (made, 1), *numbers, scale=scale)


_OVERLAP_ADD = ROWS["overlap_add"]


@row("overlap_add")
def _overlap_add(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """What is the same everywhere in a window, added up: each element as often as it is wide."""
    core = len(node.attrs["shape"])
    (x,) = inputs
    factors, result = factors_of(x, r.terms)
    inside = result[-2 * core : -core]
    if x.op.name != "product" or {*inside} & {a for f in factors for a in f.labels}:
        return _OVERLAP_ADD(r, node, inputs)
    kernel = x.shape[-2 * core : -core]
    kept = tuple(a for a in result if a not in inside)
    shape = (*x.shape[: -2 * core], *x.shape[-core:])
    g = product(r.terms, factors, kept, shape, x.attrs["scale"])
    scale, numbers, g = r.bare(g)
    axis, g = _one_dim(r, g, kernel)
    kernel, stride, sizes = (
        v[int(axis is not None) :] for v in (kernel, node.attrs["stride"], node.attrs["shape"])
    )
    made = _spread(r, g, kernel, stride, sizes)
    if made is None:
        return _OVERLAP_ADD(r, node, inputs)
    return r.times(node.shape, (_two_dims(r, made, axis, node.shape), 1), *numbers, scale=scale)


def _spread(r: Rewriter, g: Node, kernel: Numbers, stride: Numbers, sizes: Shape) -> Node | None:
    """A cotangent of sums of windows, back in the shape of what was added up."""
    core = len(kernel)
    shape = (*g.shape[: g.ndim - core], *sizes)
    whole = tuple(k * n for k, n in zip(kernel, g.shape[-core:], strict=True))
    if kernel == stride and [str(n) for n in whole] == [str(n) for n in sizes]:
        if (number := number_of(g)) is not None:
            return r.terms.number(number, shape)
        return r.terms.node(REPEATED, (g,), shape, counts=kernel)
    if g.ndim == core + 1:
        labels = r.terms.labels(g.ndim + 1)
        g = r.relabelled(g, labels[1:], labels, (1, *g.shape))
        made = _spread(r, g, kernel, stride, sizes)
        labels = r.terms.labels(len(shape) + 1)
        return None if made is None else r.relabelled(made, labels, labels[1:], shape)
    if g.ndim != core + 2:
        return None
    channels = g.shape[1]
    weight = r.terms.number(1, (channels, 1, *kernel))
    slides = {"shape": sizes, "stride": stride, "dilation": (1,) * core}
    return transposed(r, g, weight, slides, channels)


def _one_dim(r: Rewriter, x: Node, kernel: Numbers) -> tuple[int | None, Node]:
    """The axis of length 1 that one dim is pooled beside, and `x` without it."""
    axis = x.ndim - len(kernel)
    if len(kernel) < 2 or kernel[0] != 1 or type(x.shape[axis]) is not int or x.shape[axis] != 1:
        return None, x
    labels = r.terms.labels(x.ndim)
    return axis, r.relabelled(x, labels, _without(labels, axis), _without(x.shape, axis))


def _two_dims(r: Rewriter, x: Node, axis: int | None, shape: Shape) -> Node:
    """With the axis of length 1 again."""
    labels = r.terms.labels(len(shape))
    return x if axis is None else r.relabelled(x, _without(labels, axis), labels, shape)


def _without(parts: tuple[Any, ...], axis: int | None) -> tuple[Any, ...]:
    return parts if axis is None else (*parts[:axis], *parts[axis + 1 :])


@row("windows")
def _windows(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """`x.unfold(-1, 3, 1)`, whose places come before the insides."""
    kernel, core = node.attrs["kernel"], len(node.attrs["kernel"])
    if any(gap != 1 for gap in node.attrs["dilation"]):
        return None
    scale, numbers, x = r.bare(inputs[0])
    if number_of(x) is not None:
        return r.times(node.shape, *numbers, scale=scale)
    labels = r.terms.labels(node.ndim)
    order = (*labels[: -2 * core], *labels[-core:], *labels[-2 * core : -core])
    sizes = dict(zip(labels, node.shape, strict=True))
    shape = tuple(sizes[a] for a in order)
    made = r.terms.node(UNFOLDED, (x,), shape, kernel=kernel, stride=node.attrs["stride"])
    return r.times(
        node.shape, (r.relabelled(made, order, labels, node.shape), 1), *numbers, scale=scale
    )


# -- maxima


@row("window_argmax")
def _places(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """The places that `max_pool1d(x, 2, return_indices=True)` returns."""
    ranges, (x,) = node.attrs["ranges"], inputs
    sizes = x.shape[-len(ranges) :]
    axis, inner = _one_dim(r, x, tuple(len(each) for each in ranges))
    if axis is not None:
        ranges, sizes = ranges[1:], sizes[1:]
    attrs = _slides(ranges, sizes)
    if attrs is None:
        return None
    shape = (*inner.shape[: inner.ndim - len(ranges)], *map(len, ranges))
    made = r.terms.node(PLACES, (inner,), shape, node.dtype, **attrs)
    return _two_dims(r, made, axis, node.shape)


_INDEX, _INDEX_ADD = ROWS["index"], ROWS["index_add"]


@row("index")
def _index(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """What is read where the maxima of windows are: the maxima."""
    places = _places_of(r, node)
    source = node.inputs[0].inputs[0] if node.inputs[0].op.name == "reshape" else None
    if places is None or source is not node.inputs[2].inputs[0].inputs[0]:
        return _INDEX(r, node, inputs)
    made = r.terms.node(MAXIMA, places.inputs, places.shape, **places.attrs)
    return r.again("reshape", made, node.shape, axes=made.ndim, shape=node.shape)


@row("index_add")
def _index_add(r: Rewriter, node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """What is added up where the maxima of windows are."""
    places = _places_of(r, node)
    if places is None:
        return _INDEX_ADD(r, node, inputs)
    (g, *_), shape = inputs, places.shape
    g = r.again("reshape", g, shape, axes=g.ndim, shape=shape)
    made = r.terms.node(SCATTERED, (g, places), places.inputs[0].shape)
    return r.again("reshape", made, node.shape, axes=made.ndim, shape=node.shape)


def _places_of(r: Rewriter, node: Node) -> Node | None:
    """The places of maxima by which a matrix is read, or written to, row by row."""
    if len(node.inputs) != 3 or node.inputs[2].op.name != "reshape" or not node.inputs[2].inputs:
        return None
    (found,) = node.inputs[2].inputs
    if found.op.name != "window_argmax":
        return None
    made = r(found)
    while made.op is PRODUCT and len(made.inputs) == 1:
        (made,) = made.inputs
    return made if made.op is PLACES else None


def _slides(ranges: tuple[tuple[Range, ...], ...], sizes: Shape) -> dict[str, Any] | None:
    """How windows slide that have these ranges; None where no pooling has them."""
    found = [_slide(each, int(size)) for each, size in zip(ranges, sizes, strict=True)]
    if None not in found:
        names = ("kernel", "stride", "padding", "dilation", "ceil")
        attrs: dict[str, Any] = dict(
            zip(names, zip(*filter(None, found), strict=True), strict=True)
        )
        return attrs | {"ceil": any(attrs["ceil"])}
    even = [each == even_parts(n, len(each)) for each, n in zip(ranges, sizes, strict=True)]
    return {"output_size": tuple(map(len, ranges))} if all(even) else None


def _slide(each: tuple[Range, ...], size: int) -> tuple[Any, ...] | None:
    """Kernel, stride, padding, dilation of windows, and whether the last one sticks out."""
    gap = each[0][2]
    kernel = max(-(-(stop - start) // gap) for start, stop, _ in each)
    stride = each[-1][0] - each[-2][0] if len(each) > 1 else kernel
    padding = max(0, gap * (kernel - 1) + 1 - each[0][1])
    if stride < 1 or sliding(len(each), size, kernel, stride, padding, gap) != each:
        return None
    count = fitting(size + 2 * padding, kernel, stride, gap)
    return kernel, stride, padding, gap, count != len(each)

"""Positions along axes as formulas: what an index holds.

Constraints: whole numbers stay whole, so that they can index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError
from gradcli.graph.dim import NEAR
from gradcli.graph.node import Node
from gradcli.render import tree
from gradcli.render.pieces import EXTENT, Written
from gradcli.render.tree import Tree
from gradcli.rewrite.terms import number_of

if TYPE_CHECKING:
    from gradcli.render.formula import Writer


def iota(writer: Writer, node: Node) -> Written:
    """Positions along an axis: `arange(n)`, with axes of length 1 beside it."""
    axis = node.attrs["axis"] + node.ndim
    made = tree.call("arange", *writer.sizes(node.shape[axis : axis + 1]))
    if node.ndim > 1:
        made = tree.item(made, *(EXTENT if i == axis else None for i in range(node.ndim)))
    shape = tuple(n if i == axis else 1 for i, n in enumerate(node.shape))
    return Written(made, shape)


def position(writer: Writer, index: Node) -> Tree:
    """Positions in an index; whole numbers stay whole."""
    number = number_of(index)
    if number is None or any(n != 1 for n in index.shape):
        return writer.whole(index)
    made = tree.number(int(number))
    for _ in index.shape:
        made = tree.constant([made])
    return tree.call("tensor", made)


def no_words(node: Node) -> GradcliError:
    """G038: an op that has no form in a formula."""
    known = node.span is not None and len(node.span.text) <= 60
    said = f"the derivative of `{node.span.text}`" if known and node.span else "the derivative"
    return GradcliError(
        "G038",
        f"{said} has no closed form that can be written here",
        node.span,
        help=[
            "gradcli eval gives the derivative at values: NAME=VALUE",
            "gradcli check compares it with a formula of yours: --expect FORMULA",
        ],
    )


def slice_row(writer: Writer, node: Node) -> Written:
    """`x[1:]`, `X[:, ::2]`."""
    (x,) = node.inputs
    parts: list[Any] = []
    for (start, length, step), size in zip(
        node.attrs["slices"], x.shape[x.ndim - len(node.attrs["slices"]) :], strict=True
    ):
        parts.append(_range(writer, start, length, step, size))
    while len(parts) > 1 and parts[-1] == EXTENT:
        parts.pop()
    lead = [EXTENT] * (x.ndim - len(node.attrs["slices"]))
    return Written(tree.item(writer.whole(x), *lead, *parts), node.shape)


def at_row(writer: Writer, node: Node) -> Written:
    """`x[0]`, `X[:, 0]`; of a slice in one index with it."""
    (x,) = node.inputs
    places = node.attrs["places"]
    slices = [(0, n, 1) for n in x.shape]
    if x.op.name == "slice":
        (x,), parts = x.inputs, x.attrs["slices"]
        slices[len(slices) - len(parts) :] = parts
    items: list[Any] = []
    for place, part, size in zip(places, slices, x.shape, strict=True):
        if place is None:
            items.append(_range(writer, *part, size))
        else:
            items.append(writer.whole_number(part[0] + place * part[2], size))
    while len(items) > 1 and items[-1] == EXTENT:
        items.pop()
    return Written(tree.item(writer.whole(x), *items), node.shape)


def roll_row(writer: Writer, node: Node) -> Written:
    """`roll(x, 1)`; of more dims with the one."""
    axis = node.attrs["axis"] + node.ndim
    shift = node.attrs["shift"]
    size = node.shape[axis]
    moved: Any = int(shift) if abs(shift) <= NEAR else writer.whole_number(shift, size)
    dims = [axis] if node.ndim > 1 else []
    return Written(tree.call("roll", writer.whole(node.inputs[0]), moved, *dims), node.shape)


def selected_row(writer: Writer, node: Node) -> Written:
    """Rows of the unit matrix: `eye(n)[0]`, `eye(n)[1:]`, `eye(n)[places]`."""
    size, place = node.shape[-1], node.attrs["place"]
    rows: Any
    if place is None:
        rows = position(writer, node.inputs[0])
    elif isinstance(place, tuple):
        start, length, step = place
        rows = _range(writer, start, length, step, size)
    else:
        rows = writer.whole_number(place, size)
    return Written(tree.item(tree.call("eye", *writer.sizes((size,))), rows), node.shape)


def _range(writer: Writer, start: int, length: int, step: int, size: int) -> slice:
    end = start + (length - 1) * step + 1
    first: Any = writer.whole_number(start, size) if start else None
    stop: Any = None
    reaches = end + step - 1 >= int(size)
    if not reaches or (step > 1 and str(length) != str((size - start + (step - 1)) // step)):
        stop = writer.whole_number(end, size)
    return slice(first, stop, None if step == 1 else step)


def embed_row(writer: Writer, node: Node) -> Written:
    """Zeros around: `pad(x, (before, after))`."""
    (x,) = node.inputs
    slices, shape = node.attrs["slices"], node.attrs["shape"]
    amounts: list[Any] = []
    for (start, length, step), size in zip(slices, shape, strict=True):
        if step != 1:
            return _scattered(writer, node)
        amounts.append((start, size - start - length))
    pairs: list[Any] = []
    for before, after in reversed(amounts):
        pairs += [writer.whole_number(before, 0), writer.whole_number(after, 0)]
    while len(pairs) > 2 and pairs[-2:] == [0, 0]:
        pairs = pairs[:-2]
    return Written(tree.call("pad", writer.whole(x), tuple(pairs)), node.shape)


def _scattered(writer: Writer, node: Node) -> Written:
    (x,) = node.inputs
    slices, shape = node.attrs["slices"], node.attrs["shape"]
    stepped = [i for i, (_, _, step) in enumerate(slices) if step != 1]
    plain = all(
        s == (0, n, 1)
        for i, (s, n) in enumerate(zip(slices, shape, strict=True))
        if i not in stepped
    )
    if len(stepped) != 1 or not plain:
        raise no_words(node)
    (axis,) = stepped
    start, length, step = slices[axis]
    where = _range(writer, start, length, step, shape[axis])
    zeros = tree.call("zeros", *writer.sizes(shape))
    ends = [where.start or 0, where.stop, step]
    made = tree.call("slice_scatter", zeros, writer.whole(x), axis, *ends)
    return Written(made, node.shape)


def index_row(writer: Writer, node: Node) -> Written:
    """`x[places]`, of places along the first axes."""
    x, *indices = node.inputs
    if node.attrs["axes"] != x.ndim:
        raise no_words(node)
    places = [position(writer, i) for i in indices]
    return Written(tree.item(writer.whole(x), *places), node.shape)

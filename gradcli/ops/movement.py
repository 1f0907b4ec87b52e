"""Movement: the same numbers in another arrangement.

Constraints: see gradcli/ops. Attributes speak of the trailing axes only: `reshape` rearranges the
last `axes` axes, `permute` and `slice` the last `len(...)`, `expand` broadcasts the last
`len(shape)`; leading ones pass.
"""

from __future__ import annotations

from gradcli.graph.dtype import DType
from gradcli.graph.node import Node
from gradcli.graph.op import NoDerivative, Op
from gradcli.graph.shape import Shape, broadcast
from gradcli.ops.rows import zero

Slices = tuple[tuple[int, int, int], ...]
"""For each trailing axis (start, length, step): where it starts, and how many elements it takes."""


def _lead(x: Node, core: int) -> Shape:
    return x.shape[: x.ndim - core]


def _core(x: Node, core: int) -> Shape:
    return x.shape[x.ndim - core :]


def _reshape(x: Node, *, axes: int, shape: Shape) -> tuple[Shape, DType]:
    return _lead(x, axes) + shape, x.dtype


def _permute(x: Node, *, axes: tuple[int, ...]) -> tuple[Shape, DType]:
    return _lead(x, len(axes)) + tuple(x.shape[a] for a in axes), x.dtype


def _expand(x: Node, *, shape: Shape) -> tuple[Shape, DType]:
    core = min(x.ndim, len(shape))
    return _lead(x, core) + broadcast(_core(x, core), shape), x.dtype


def _slice(x: Node, *, slices: Slices) -> tuple[Shape, DType]:
    return _lead(x, len(slices)) + tuple(length for _, length, _ in slices), x.dtype


def _embed(x: Node, *, slices: Slices, shape: Shape) -> tuple[Shape, DType]:
    return _lead(x, len(shape)) + shape, x.dtype


def _slice_put(x: Node, y: Node, *, slices: Slices) -> tuple[Shape, DType]:
    lead = broadcast(_lead(x, len(slices)), _lead(y, len(slices)))
    return lead + _core(x, len(slices)), x.dtype


def _same(x: Node, **attrs: object) -> tuple[Shape, DType]:
    return x.shape, x.dtype


def _concat(*inputs: Node, axis: int) -> tuple[Shape, DType]:
    first = inputs[0]
    size = sum(x.shape[axis] for x in inputs)
    shape = list(first.shape)
    shape[axis] = size
    return tuple(shape), first.dtype


def _concat_rule(g: Node, out: Node, *inputs: Node, axis: int, position: int) -> Node:
    start = sum(x.shape[axis] for x in inputs[:position])
    slices = [(0, size, 1) for size in g.shape[g.ndim + axis :]]
    slices[0] = (start, inputs[position].shape[axis], 1)
    return slice_(g, slices=tuple(slices))


def inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that undoes `axes` (negative)."""
    rank = len(axes)
    back = [0] * rank
    for position, axis in enumerate(axes):
        back[axis] = position - rank
    return tuple(back)


def _diagonal(x: Node, *, offset: int) -> tuple[Shape, DType]:
    rows, columns = x.shape[-2:]
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    return (*x.shape[:-2], length), x.dtype


def _diagonal_embed(x: Node, *, offset: int, shape: Shape) -> tuple[Shape, DType]:
    return x.shape[:-1] + shape, x.dtype


def _reinterpret(x: Node, *, source: DType, dtype: DType) -> tuple[Shape, DType]:
    if source.itemsize == dtype.itemsize:
        return x.shape, dtype
    return (*x.shape[:-1], x.shape[-1] * source.itemsize // dtype.itemsize), dtype


reshape: Op = Op(
    "reshape",
    _reshape,
    lambda g, out, x, *, axes, shape: reshape(g, axes=len(shape), shape=_core(x, axes)),
    view=True,
    torch="view",
)
permute: Op = Op(
    "permute",
    _permute,
    lambda g, out, x, *, axes: permute(g, axes=inverse(axes)),
    kernel="permute_dims",
    view=True,
)
expand: Op = Op("expand", _expand, lambda g, out, x, *, shape: g, broadcasts=True, view=True)
slice_: Op = Op(
    "slice",
    _slice,
    lambda g, out, x, *, slices: embed(g, slices=slices, shape=_core(x, len(slices))),
    view=True,
)
embed: Op = Op(
    "embed", _embed, lambda g, out, x, *, slices, shape: slice_(g, slices=slices), exact=True
)
slice_put: Op = Op(
    "slice_put",
    _slice_put,
    lambda g, out, x, y, *, slices: slice_put(
        g, expand(zero(g), shape=_core(y, len(slices))), slices=slices
    ),
    lambda g, out, x, y, *, slices: slice_(g, slices=slices),
    exact=True,
)
flip: Op = Op("flip", _same, lambda g, out, x, *, axis: flip(g, axis=axis), exact=True)
concat: Op = Op("cat", _concat, _concat_rule, kernel="concat", variadic=True, exact=True)
tril: Op = Op("tril", _same, lambda g, out, x, *, diagonal: tril(g, diagonal=diagonal), exact=True)
triu: Op = Op("triu", _same, lambda g, out, x, *, diagonal: triu(g, diagonal=diagonal), exact=True)
diagonal: Op = Op(
    "diagonal",
    _diagonal,
    lambda g, out, x, *, offset: diagonal_embed(g, offset=offset, shape=x.shape[-2:]),
    view=True,
)
diagonal_embed: Op = Op(
    "diagonal_embed",
    _diagonal_embed,
    lambda g, out, x, *, offset, shape: diagonal(g, offset=offset),
    torch="diag_embed",
    exact=True,
)
reinterpret: Op = Op(
    "reinterpret",
    _reinterpret,
    NoDerivative("bits that are read as another type of number have no slope"),
    view=True,
)

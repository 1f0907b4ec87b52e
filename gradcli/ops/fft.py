"""Discrete Fourier transforms: complex to complex, real to complex, complex to real.

Constraints: see gradcli/ops. `axes` are negative; `scale` says what the sums are divided by: 1
("none"), the number of points ("all") or its square root ("root"). Transforms from real numbers run
forward, those to real numbers run back; a conjugation turns them round.
"""

from __future__ import annotations

from gradcli.graph.dtype import DType
from gradcli.graph.node import Node, constant
from gradcli.graph.op import Op
from gradcli.graph.shape import Shape
from gradcli.ops.elementwise import real
from gradcli.ops.movement import concat, embed
from gradcli.ops.rows import same

Axes = tuple[int, ...]


def _resized(shape: Shape, axis: int, size: int) -> Shape:
    place = axis + len(shape)
    return (*shape[:place], size, *shape[place + 1 :])


def _real_to_complex(x: Node, *, axes: Axes, scale: str, half: bool) -> tuple[Shape, DType]:
    size = x.shape[axes[-1]]
    shape = _resized(x.shape, axes[-1], size // 2 + 1) if half else x.shape
    return shape, x.dtype.to_complex()


def _real_rule(g: Node, out: Node, x: Node, *, axes: Axes, scale: str, half: bool) -> Node:
    if half:
        g = _embedded(g, axes[-1], x.shape[axes[-1]])
    return real(transform(g, axes=axes, scale=scale, forward=False))


def _embedded(g: Node, axis: int, size: int) -> Node:
    """`g` with zeros after it along `axis`, `size` long."""
    core = g.shape[axis:]
    return embed(g, slices=tuple((0, length, 1) for length in core), shape=(size, *core[1:]))


def _complex_to_real(x: Node, *, axes: Axes, scale: str, size: int) -> tuple[Shape, DType]:
    return _resized(x.shape, axes[-1], size), x.dtype.to_real()


def _complex_rule(g: Node, out: Node, x: Node, *, axes: Axes, scale: str, size: int) -> Node:
    part = from_real(g, axes=axes, scale=scale, half=True)
    return part * _multiplicity(size, axes[-1], x.dtype)


def _multiplicity(size: int, axis: int, dtype: DType) -> Node:
    """How often each frequency counts among all `size`: its mirror image is not stored."""
    kept = size // 2 + 1
    twice = size - kept
    counts = ((1, 1), (2, twice), (1, kept - 1 - twice))
    rest = (1,) * (-axis - 1)
    parts = [constant(n, dtype, (length, *rest)) for n, length in counts if length]
    return concat(*parts, axis=axis)


def _transform_rule(g: Node, out: Node, x: Node, *, axes: Axes, scale: str, forward: bool) -> Node:
    return transform(g, axes=axes, scale=scale, forward=not forward)


transform = Op("fft_c2c", same, _transform_rule)
from_real = Op("fft_r2c", _real_to_complex, _real_rule)
"""Of real numbers along one axis; with `half`, along any, the last without mirror images."""
to_real = Op("fft_c2r", _complex_to_real, _complex_rule)
"""Of the half of a Hermitian spectrum, to `size` real numbers along the last of `axes`."""

"""Images read at the points of a grid, and grids after affine maps.

Constraints: a point of a grid is (x, y) or (x, y, z) from -1 to 1, x along the last dim; which
pixels it lies between has no slope, how far it lies between them has.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from gradcli.errors import GradcliError
from gradcli.execute.limits import memory
from gradcli.functions.create import from_array
from gradcli.functions.index import positions
from gradcli.functions.shape import permuted, reshaped, whole
from gradcli.graph.dtype import bool_, int64
from gradcli.graph.node import Node, constant, lift
from gradcli.graph.op import DETACH
from gradcli.graph.shape import numel
from gradcli.ops import elementwise as ops
from gradcli.ops.indexing import index
from gradcli.ops.linalg import contract
from gradcli.tensor.function import composite, internal
from gradcli.tensor.operands import no_kernel, other_dtype


@composite("nn.functional.affine_grid", method=False)
def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Any:
    """The points of a grid of `size` (N, C, sizes) after the maps `theta`: (N, n, n + 1)."""
    sizes = [whole(n) for n in size]
    if not theta.dtype.is_floating_point:
        raise GradcliError(
            "G025",
            f"Expected theta to have floating point type, but got {theta.dtype}",
            kind=ValueError,
        )
    said = f"torch.Size({sizes})" if not isinstance(size, (list, tuple)) else f"{size}"
    if len(sizes) not in (4, 5):
        raise GradcliError(
            "G024",
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {said}.",
            kind=NotImplementedError,
        )
    count = len(sizes) - 2
    if len(theta.shape) != 3 or tuple(theta.shape[1:]) != (count, count + 1):
        raise GradcliError(
            "G021",
            f"Expected a batch of {count}D affine matrices of shape Nx{count}x{count + 1} for size "
            f"{said}. Got {theta.shape}.",
            kind=ValueError,
        )
    if min(sizes) < 1:
        raise GradcliError(
            "G024", f"Expected non-zero, positive output size. Got {said}", kind=ValueError
        )
    return _affine_grid(theta, sizes, bool(align_corners))


@internal("affine_grid_generator")
def _affine_grid(theta: Node, sizes: list[int], align: bool) -> Node:
    count = len(sizes) - 2
    memory.refuse(numel(tuple(sizes[2:])) * 3 * (count + 1), 8)
    points = _base_points(sizes[2:], align)
    if theta.shape[0] != sizes[0]:
        raise GradcliError(
            "G021",
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{sizes[0]}, {count + 1}] but got: [{theta.shape[0]}, {count + 1}].",
        )
    base = ops.cast(from_array(points.reshape(-1, count + 1)).node, theta.dtype)
    moved = contract(base, theta, spec="pk,nik->npi")
    return reshaped(moved, (sizes[0], *sizes[2:], count))


def _base_points(sizes: list[int], align: bool) -> Any:
    """The points of a grid from -1 to 1, with a 1 behind each: (*sizes, count + 1)."""
    lines = []
    for size in sizes:
        line = np.linspace(-1, 1, size) if size > 1 else np.zeros(1)
        lines.append(line if align else line * (size - 1) / size)
    axes = np.meshgrid(*lines, indexing="ij")
    return np.stack([*axes[::-1], np.ones(sizes)], -1)


MODES, PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


@composite("nn.functional.grid_sample", method=False)
def grid_sample(
    input: Any,
    grid: Any,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Any:
    """`input` (N, C, sizes) read at the points of `grid` (N, new sizes, 2 or 3)."""
    for what, value, known in (
        ("mode", mode, "'bilinear', 'nearest' or 'bicubic'"),
        ("padding_mode", padding_mode, "'zeros', 'border', or 'reflection'"),
    ):
        if value not in (MODES if what == "mode" else PADDINGS):
            raise GradcliError(
                "G026",
                f"nn.functional.grid_sample(): expected {what} to be {known}, but got: '{value}'",
                kind=ValueError,
            )
    count = len(input.shape) - 2
    _check_grid(list(input.shape), list(grid.shape), mode)
    return _SAMPLERS[count](input, grid, mode, padding_mode, bool(align_corners))


@composite("grid_sampler", "grid_sampler_2d", "grid_sampler_3d", method=False, out=None)
def grid_sampler(
    input: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Any:
    """`nn.functional.grid_sample` with its modes as numbers."""
    return grid_sample(
        input, grid, MODES[interpolation_mode], PADDINGS[padding_mode], align_corners
    )


def _check_grid(shape: list[int], points: list[int], mode: str) -> None:
    rank, both = len(shape), f"input with sizes {shape} and grid with sizes {points}"
    fault = ""
    if shape[0] != points[0]:
        fault = f"expected grid and input to have same batch size, but got {both}"
    elif points[-1] != rank - 2:
        fault = (
            f"expected grid to have size {rank - 2} in last dimension, but got grid with sizes "
            f"{points}"
        )
    elif rank not in (4, 5) or len(points) != rank:
        fault = f"expected {rank}D input and grid with same number of dimensions, but got {both}"
    elif 0 in shape[2:]:
        fault = (
            f"expected input to have non-empty spatial dimensions, but input has sizes {shape} "
            f"with dimension {shape.index(0, 2)} being empty"
        )
    elif mode == "bicubic" and rank != 4:
        fault = "bicubic interpolation only supports 4D input"
    if fault:
        raise GradcliError("G021", f"grid_sampler(): {fault}")


def _sampler(count: int) -> Any:
    @internal(f"grid_sampler_{count}D")
    def sampled(x: Node, grid: Node, mode: str, padding: str, align: bool) -> Node:
        if x.dtype is not grid.dtype:
            raise other_dtype(x.dtype, grid.dtype)
        if not x.dtype.is_floating_point:
            raise no_kernel(f"grid_sampler_{count}d_cpu{'_kernel_impl' * (count == 2)}", x)
        sizes = x.shape[2:]
        # Grids name the last dim first.
        places = [
            _unscaled(_component(grid, count - 1 - i), size, align) for i, size in enumerate(sizes)
        ]
        if mode == "bicubic":
            return _bicubic(x, places, padding, align)
        places = [_put_inside(p, n, padding, align) for p, n in zip(places, sizes, strict=True)]
        if mode == "nearest":
            rounded = [ops.rounded(p) for p in places]
            return ops.where(constant(True, bool_), _read(x, rounded), _channels(rounded[0]))
        return _linear(x, places)

    return sampled


_SAMPLERS = {count: _sampler(count) for count in (2, 3)}


def _component(grid: Node, i: int) -> Node:
    return index(grid, positions(i), axes=1)


def _unscaled(place: Node, size: int, align: bool) -> Node:
    """From -1..1 to pixels: the outer ones' centres at the ends, or their outer edges."""
    if align:
        return (place + 1) * ((size - 1) / 2)
    return ((place + 1) * size - 1) / 2


def _put_inside(place: Node, size: int, padding: str, align: bool) -> Node:
    """A place outside of the image moved to its border, or reflected there; "zeros" leaves it."""
    if padding == "reflection":
        low, high = (0.0, size - 1.0) if align else (-0.5, size - 0.5)
        place = _reflected(place, low, high)
    return place if padding == "zeros" else _clipped(place, size)


def _clipped(place: Node, size: int) -> Node:
    """Between the first and the last pixel; with no slope at either end, as in PyTorch."""
    low, high = constant(0, place.dtype), constant(size - 1, place.dtype)
    # A place that is no number is read at the first pixel.
    above = ops.where(ops.gt(place, low), place, low)
    return ops.where(ops.ge(place, high), high, above)


def _reflected(place: Node, low: float, high: float) -> Node:
    span = high - low
    if span <= 0:
        return constant(0, place.dtype, place.shape)
    distance = ops.absolute(place - low)
    turns = ops.floor(DETACH(distance) / span)
    extra = distance - turns * span
    odd = ops.ne(ops.remainder(turns, lift(2, turns)), lift(0, turns))
    return ops.where(odd, high - extra, extra + low)


def _read(x: Node, places: list[Node]) -> Node:
    """The pixels at whole places; 0 outside: (N, C, new sizes)."""
    inside, chosen = None, []
    for place, size in zip(places, x.shape[2:], strict=True):
        low, high = lift(0, place), lift(size - 1, place)
        fits = ops.logical_and(ops.ge(place, low), ops.le(place, high))
        inside = fits if inside is None else ops.logical_and(inside, fits)
        chosen.append(ops.cast(ops.where(fits, DETACH(place), low), int64))
    assert inside is not None
    batch = positions(np.arange(x.shape[0]).reshape(-1, *(1,) * (chosen[0].ndim - 1)))
    last = permuted(x, tuple(a - x.ndim for a in (0, *range(2, x.ndim), 1)))
    pixels = permuted(index(last, batch, *chosen, axes=x.ndim), _CHANNELS_SECOND[x.ndim])
    return ops.where(_channels(inside), pixels, constant(0, x.dtype))


def _channels(of_places: Node) -> Node:
    """What is said of each place, to broadcast over the channels."""
    return reshaped(of_places, (of_places.shape[0], 1, *of_places.shape[1:]))


_CHANNELS_SECOND = {4: (-4, -1, -3, -2), 5: (-5, -1, -4, -3, -2)}


def _linear(x: Node, places: list[Node]) -> Node:
    """The pixels around each place, weighted by how near they are."""
    first = [ops.floor(place) for place in places]
    total = None
    for corner in product((0, 1), repeat=len(places)):
        weight = None
        for place, low, step in zip(places, first, corner, strict=True):
            late = place - low
            near = late if step else 1 - late
            weight = near if weight is None else weight * near
        assert weight is not None
        pixels = _read(x, [low + step for low, step in zip(first, corner, strict=True)])
        part = pixels * _channels(weight)
        total = part if total is None else total + part
    assert total is not None
    return total


def _bicubic(x: Node, places: list[Node], padding: str, align: bool) -> Node:
    first = [ops.floor(place) for place in places]
    weights = [_cubic(place - low) for place, low in zip(places, first, strict=True)]
    total = None
    for steps in product(range(4), repeat=2):
        around = [
            _put_inside(low + (step - 1), size, padding, align)
            for low, step, size in zip(first, steps, x.shape[2:], strict=True)
        ]
        weight = weights[0][steps[0]] * weights[1][steps[1]]
        part = _read(x, around) * _channels(weight)
        total = part if total is None else total + part
    assert total is not None
    return total


def _cubic(late: Node) -> list[Node]:
    """The weights of the four pixels around a place `late` behind the second (Keys 1981)."""
    a = -0.75

    def near(x: Node) -> Node:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Node) -> Node:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(late + 1), near(late), near(1 - late), far(2 - late)]

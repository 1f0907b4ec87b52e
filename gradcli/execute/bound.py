"""Kernels for arrays whose shapes are known before they are: what follows from these is decided
once.

Constraints: each gives the very array that its kernel in numpy.py gives, bit for bit, for arrays of
the dtypes and shapes that it was made for; strides may differ from one to the next. Views and
products read their operands where they lie; all else are the steps of loops (steps.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter, methodcaller
from threading import Lock

import numpy as np

from gradcli.execute.backends import blas
from gradcli.execute.backends.contraction import recipe
from gradcli.execute.backends.numpy import KERNELS, NUMPY_DTYPES, Array
from gradcli.execute.compiling import like_others
from gradcli.execute.evaluate import backend
from gradcli.execute.program import Writer
from gradcli.execute.steps import STEPS
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.shape import Shape, numel
from gradcli.graph.traced import is_traced

Kernel = Callable[..., Array]


def bound(node: Node, inputs: Sequence[Node]) -> Kernel | None:
    """The kernel of `node`, without its attributes, for values such as its inputs have."""
    bind = BINDERS.get(node.op.kernel)
    if bind is not None:
        return bind(*inputs, **node.attrs)
    return _stepped(node, inputs) if node.op.kernel in STEPS else None


def _reshape(x: Node, *, axes: int, shape: Shape) -> Kernel:
    return methodcaller("reshape", x.shape[: x.ndim - axes] + shape)


def _permute(x: Node, *, axes: tuple[int, ...]) -> Kernel:
    return methodcaller("transpose", (*range(x.ndim - len(axes)), *(x.ndim + a for a in axes)))


def _slice(x: Node, *, slices: tuple[tuple[int, int, int], ...]) -> Kernel:
    parts = [
        slice(start, start + max(length - 1, 0) * step + (length > 0), step)
        for start, length, step in slices
    ]
    return itemgetter((..., *parts))


def _expand(x: Node, *, shape: Shape) -> Kernel | None:
    """Repeating an array that lies in memory in order needs no look at its strides."""
    sizes, dtype, kernel = x.shape, NUMPY_DTYPES[x.dtype], KERNELS["expand"]
    if not sizes or len(sizes) > len(shape) or not numel(shape):
        return None
    strides, step = [0] * len(shape), dtype.itemsize
    for place in range(-1, -len(sizes) - 1, -1):
        strides[place] = step if sizes[place] != 1 else 0
        step *= sizes[place]
    steps = tuple(strides)

    def expand(x: Array) -> Array:
        if not x.flags.c_contiguous:
            return kernel(x, shape=shape)
        made = np.ndarray(shape, dtype, x, 0, steps)
        made.flags.writeable = False
        return made

    return expand


def _contract(x: Node, y: Node, *, spec: str) -> Kernel:
    multiply = recipe(spec, x.ndim, y.ndim)
    alone = multiply is not np.matmul or max(x.size, y.size) < blas.LEAST
    return multiply if alone else blas.matmul


BINDERS: dict[str, Callable[..., Kernel | None]] = {
    **{"reshape": _reshape, "permute_dims": _permute, "slice": _slice, "expand": _expand},
    "contract": _contract,
}
"""What makes the kernel of a name for values such as nodes have."""


def _stepped(node: Node, inputs: Sequence[Node]) -> Kernel | None:
    """The steps of a kernel on arrays that stay, for operands in order; one run at a time."""
    places = {x: f"x{i}" for i, x in enumerate(inputs) if x.op is not FULL or is_traced(x)}
    cells = {x: np.empty(x.shape, NUMPY_DTYPES[x.dtype]) for x in places}
    writer = Writer([(node, tuple(inputs))], cells)
    writer.need(inputs)
    found = STEPS[node.op.kernel](writer, node, inputs, [writer.arrays[x] for x in inputs])
    if found is None:
        return None
    given = ", ".join([f"x{i}" for i in range(len(inputs))])
    in_order = [f"{place}.flags.c_contiguous" for place in places.values()]
    lines = [f"{writer.name(cell)}[...] = {places[x]}" for x, cell in cells.items()]
    lines += [*writer.lines, f"return {writer.name(found)}.copy()"]
    text = (
        f"def run({given}):\n"
        f"    if not ({' and '.join([*in_order, 'acquire(False)'])}):\n"
        f"        return kernel({given}, **attrs)\n"
        "    try:\n        " + "\n        ".join(lines) + "\n"
        "    finally:\n        release()\n"
    )
    lock, kernel = Lock(), backend.kernel(node.op.name, node.op.kernel)
    names = {"acquire": lock.acquire, "release": lock.release, "kernel": kernel}
    return like_others(text, {**writer.names, **names, "attrs": dict(node.attrs)})

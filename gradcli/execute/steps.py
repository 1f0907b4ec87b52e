"""How each op becomes calls into buffers that stay: the steps of its kernel, one after the other.

Constraints: to the bit what the kernel gives for small arrays; a step is a call or an assignment
whose arrays are fixed, so that views are made once and nothing is allocated. An op without steps
here, or operands that they are not for, leaves it to its kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.execute.backends import cascade, precise
from gradcli.execute.backends.contraction import Product, recipe
from gradcli.execute.backends.numpy import KERNELS, NUMPY_DTYPES, Array, diagonal_of
from gradcli.execute.backends.pointwise import WRITERS
from gradcli.execute.softmax_steps import log_softmax, logsumexp, softmax
from gradcli.execute.stepping import (
    FEW,
    Lines,
    Step,
    apply,
    column,
    fits,
    is_float,
    placed,
    reduced,
    rounded,
)
from gradcli.graph.node import Node
from gradcli.graph.op import FULL
from gradcli.graph.traced import Traced


def taken(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array | None:
    """The array of the node's value, whose steps are added; None where there are none."""
    found = STEPS.get(node.op.kernel)
    made = found(lines, node, inputs, arrays) if found is not None else None
    if made is None and node.op.elementwise:
        made = _elementwise(lines, node, inputs, arrays)
    return made


def _contract(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array | None:
    x, y = arrays
    spec = node.attrs["spec"]
    outer = _outer(spec, x, y)
    if outer is not None and is_float(node, arrays):
        out = lines.new(node)
        lines.add(np.multiply, *outer, out)
        return out
    spec, x = _folded(spec, x, y)
    multiply = recipe(spec, x.ndim, y.ndim)
    if multiply is not np.matmul and not isinstance(multiply, Product):
        return None
    x, y = multiply.operands(x, y) if isinstance(multiply, Product) else (x, y)
    made = np.matmul(x, y)
    out = np.empty(np.shape(made), made.dtype)
    if _dots_alike(x, y):
        lines.add(x.dot, y, out)
    else:
        lines.add(np.matmul, x, y, out)
    out = multiply.arranged(out) if isinstance(multiply, Product) else out
    return out.reshape(node.shape)


def _folded(spec: str, x: Array, y: Array) -> tuple[str, Array]:
    """A contraction with one label instead of the first ones of the left operand, which are the
    first ones of the result: many matrices times one are one matrix, as in its kernel."""
    operands, _, result = spec.partition("->")
    left, _, right = operands.partition(",")
    count = next((i for i, c in enumerate(left) if c in right or result[i : i + 1] != c), 0)
    plain = (len(left), len(right)) == (x.ndim, y.ndim) and x.flags.c_contiguous
    if count < 2 or not plain:
        return spec, x
    folded = x.reshape(math.prod(x.shape[:count]), *x.shape[count:])
    return f"{left[count - 1 :]},{right}->{result[count - 1 :]}", folded


def _outer(spec: str, x: Array, y: Array) -> tuple[Array, Array] | None:
    """Views of the operands whose product is a contraction over nothing."""
    operands, _, result = spec.partition("->")
    left, _, right = operands.partition(",")
    if len(left) != x.ndim or len(right) != y.ndim or set(result) != {*left, *right}:
        return None
    return _axes(x, left, result), _axes(y, right, result)


def _axes(x: Array, labels: str, result: str) -> Array:
    """`x` with an axis for each label of the result."""
    order = [labels.index(c) for c in result if c in labels]
    places = tuple([slice(None) if c in labels else None for c in result])
    return x.transpose(order)[places] if places else x


def _dots_alike(x: Array, y: Array) -> bool:
    """Whether `dot`, which starts sooner, runs the routine of BLAS that `matmul` does.

    Both choose it by shapes and strides alone, so numbers that stand for all others tell.
    """
    if not (0 < x.ndim < 3 and 0 < y.ndim < 3 and x.dtype == y.dtype and x.dtype.char in "fd"):
        return False
    a, b = _like(x, 1.0), _like(y, 2.0)
    return bool(a is not None and b is not None and np.array_equal(np.matmul(a, b), a.dot(b)))


def _like(x: Array, start: float) -> Array | None:
    """Various numbers in the layout of `x`."""
    numbers = np.sin(np.arange(start, start + x.size) * 12.9898).astype(x.dtype)
    if x.flags.c_contiguous:
        return numbers.reshape(x.shape)
    return numbers.reshape(x.shape[::-1]).T if x.flags.f_contiguous else None


def _sum(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array | None:
    """A sum: of few elements its steps."""
    (x,) = arrays
    if x.dtype != NUMPY_DTYPES[node.dtype]:
        return None
    axis = node.attrs["axis"] if x.ndim else ()
    found = cascade.total(x, axis, lambda function, *values: reduced(lines, function, values))
    return None if found is None else found.reshape(node.shape)


def _elementwise(
    lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]
) -> Array | None:
    """A ufunc, or another function that takes `out`."""
    write = _writer(node, arrays)
    if write is None:
        return None
    out = lines.new(node)
    if not isinstance(write, np.ufunc):
        lines.call(write, arrays, out=out)
        return out
    operands = [lines.unexpanded(x) for x in inputs]
    if out.ndim > 1 and out.shape[-1] < FEW < out.size and not fits(operands, out):
        for i in range(out.shape[-1]):
            apply(lines, write, [column(x, i) for x in operands], out[..., i])
    else:
        apply(lines, write, operands, out)
    return out


def _writer(node: Node, arrays: list[Any]) -> Callable[..., Any] | None:
    """What computes an elementwise node into a buffer, to the bit as its kernel does."""
    wanted = NUMPY_DTYPES[node.dtype]
    if node.attrs or wanted.kind not in "fb":
        return None
    kinds = {array.dtype for array in arrays}
    kernel = KERNELS.get(node.op.kernel) or getattr(np, node.op.kernel, None)
    if isinstance(kernel, np.ufunc) and kernel.nout == 1:
        return kernel if len(kinds) == 1 and (wanted.kind == "b" or kinds == {wanted}) else None
    if node.op.name == "where":
        kinds = {array.dtype for array in arrays[1:]}
    write = precise.PRECISE.get(node.op.kernel) or WRITERS.get(node.op.kernel)
    return write if kinds == {wanted} and wanted.kind == "f" else None


def _by_float64(name: str) -> Step:
    """A function of small float32 arrays that is computed in float64 and rounded."""
    ufunc = precise.UFUNCS[name]

    def step(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array | None:
        (x,) = arrays
        if not is_float(node, arrays) or not precise.applies(x):
            return None
        return rounded(lines, ufunc, x, lines.new(node))

    return step


def _pow(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array | None:
    exponent = inputs[1].attrs.get("value") if inputs[1].op is FULL else None
    square = not inputs[1].shape and not isinstance(exponent, Traced) and exponent == 2
    if not square or not is_float(node, arrays):
        return None
    out = lines.new(node)
    lines.add(np.square, arrays[0], out)
    return out


def _sigmoid(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array | None:
    if not is_float(node, arrays):
        return None
    out, one = lines.new(node), np.ones((), arrays[0].dtype)
    lines.add(np.negative, arrays[0], out)
    rounded(lines, np.exp, out, out)
    lines.add(np.add, out, one, out)
    lines.add(np.reciprocal, out, out)
    return out


def _relu(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array | None:
    if not is_float(node, arrays):
        return None
    out = lines.new(node)
    lines.call(np.maximum, [np.zeros((), out.dtype), arrays[0]], out=out)
    return out


def _where(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array | None:
    condition, x, y = arrays
    if condition.dtype != bool or not is_float(node, arrays[1:]):
        return None
    out = lines.new(node)
    lines.put(out, y)
    if condition.shape == out.shape and x.shape in ((), out.shape):
        lines.add(np.putmask, out, condition, x)
    else:
        lines.call(np.copyto, [out, x], where=condition)
    return out


def _embed(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array:
    """Zeros around."""
    return placed(lines, node, lambda out: out[_places(node)], arrays[0])


def _diagonal_embed(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array:
    """Zeros beside the diagonal."""
    offset = node.attrs["offset"]
    return placed(lines, node, lambda out: diagonal_of(out, offset), arrays[0])


def _slice_put(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array:
    out = lines.new(node)
    lines.put(out, arrays[0])
    lines.put(out[_places(node)], arrays[1])
    return out


def _places(node: Node) -> Any:
    return (..., *[slice(a, a + n * s, s) for a, n, s in node.attrs["slices"]])


def _concat(lines: Lines, node: Node, inputs: Sequence[Node], arrays: list[Any]) -> Array:
    out, axis, start = lines.new(node), node.attrs["axis"], 0
    for x in arrays:
        length = x.shape[axis]
        lines.put(np.moveaxis(out, axis, 0)[start : start + length], np.moveaxis(x, axis, 0))
        start += length
    return out


STEPS: dict[str, Step] = {
    **{name: _by_float64(name) for name in precise.UFUNCS},
    **{"contract": _contract, "sum": _sum, "pow": _pow, "sigmoid": _sigmoid, "relu": _relu},
    **{"where": _where, "embed": _embed, "slice_put": _slice_put, "concat": _concat},
    "diagonal_embed": _diagonal_embed,
    **{"softmax": softmax, "log_softmax": log_softmax, "logsumexp": logsumexp},
}
"""Kernel name -> its steps."""

"""One call of a program as a function of its registers, and the sums of products that are one call.

Constraints: says how, decides nothing about registers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.execute.backends import short_rows
from gradcli.execute.backends.numpy import NUMPY_DTYPES, NumPy, fast_sum, positions
from gradcli.execute.plan import Rows
from gradcli.graph.node import Node
from gradcli.graph.op import FULL

Registers = list[Any]
Instruction = Callable[[Registers], Any]
backend = NumPy()
"""The kernels."""


def folded(nodes: Sequence[Node], kept: set[Node], rows: Rows) -> dict[Node, tuple[Node, Node]]:
    """The sums of products that nobody else reads, with the factors: no product is stored."""
    readers = Counter(x for node in nodes for x in node.inputs)
    group = set(nodes)
    found = {}
    for node in nodes:
        product = node.inputs[0] if node.inputs else node
        if node.op.name != "sum" or product not in group or product in kept:
            continue
        factors = product.inputs * (2 if product.op.name == "square" else 1)
        if (
            product.op.name in ("mul", "square")
            and readers[product] == 1
            and product.dtype.name in ("float32", "float64")
            and all(x.shape == product.shape and x.op is not FULL for x in factors)
            and _is_inner(node, product, rows)
        ):
            found[node] = (factors[0], factors[1])
    return found


def _is_inner(node: Node, product: Node, rows: Rows) -> bool:
    axes = node.attrs["axis"]
    return len(axes) == product.ndim or (axes == (-1,) and rows.axis.get(product) != -1)


def sum_of_products(x: Any, y: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    """The sum of x*y over all axes or over the last."""
    if len(axis) == x.ndim:
        made = short_rows.total(x, y)
        made = np.sum(x * y, dtype=x.dtype) if made is None else made
    else:
        made = short_rows.dots(x, y)
    return np.expand_dims(made, axis) if keepdims else made


def turned(x: Any, *, axes: tuple[int, ...]) -> Any:
    """Rows that are put last lie side by side for all that follows."""
    return np.ascontiguousarray(np.transpose(x, axes))


def call_of(
    kernel: Callable[..., Any], operands: list[int], slot: int, attrs: dict[str, Any]
) -> Instruction:
    """Puts a kernel's result into a register."""

    def call(registers: Registers) -> None:
        registers[slot] = kernel(*[registers[i] for i in operands], **attrs)

    return call


def write_of(writer: Callable[..., Any], operands: list[int], slot: int) -> Instruction:
    """Writes a result into what a register holds."""
    if len(operands) == 1:
        (a,) = operands
        return lambda registers: writer(registers[a], out=registers[slot])
    if len(operands) == 2:
        a, b = operands
        return lambda registers: writer(registers[a], registers[b], out=registers[slot])

    def write(registers: Registers) -> None:
        writer(*[registers[i] for i in operands], out=registers[slot])

    return write


def write_to(writer: Callable[..., Any], operand: int, target: Any) -> Instruction:
    """Writes what a function says of a register to an array."""
    return lambda registers: writer(registers[operand], out=target)


def put_of(operands: list[int], axes: int) -> Instruction:
    """Writes values to places of what is there."""
    target, source, *indices = operands

    def put(registers: Registers) -> None:
        places = positions(axes, tuple([registers[i] for i in indices]))
        registers[target][places] = registers[source]

    return put


def exact_of(node: Node) -> Callable[..., Any]:
    """The node's kernel, with the dtype that the graph says."""
    kernel = fast_sum if node.op.name == "sum" else backend.kernel(node.op.name, node.op.kernel)
    wanted = NUMPY_DTYPES[node.dtype]

    def exact(*values: Any, **attrs: Any) -> Any:
        value = kernel(*values, **attrs)
        return value if value.dtype == wanted else value.astype(wanted)

    return exact

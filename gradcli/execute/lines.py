"""Operands that are the same for all rows, repeated along a line so that NumPy's loops are long.

Constraints: the same numbers from the same calls. Where an operand is repeated from row to row,
NumPy fills a buffer with it, unless a line is as long as that buffer: a few rows are one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcli.execute.plan import Rows
from gradcli.graph.node import Node
from gradcli.graph.op import FULL

Array = Any
LINE = 4096
"""Elements of a line at least, and of NumPy's buffer at most."""
STEPS = (256, 32)
"""What the height of a tile is a multiple of, if it has eight times as many rows."""


def rounded(height: int, up: bool = False) -> int:
    """The height of a tile that lines fit into, next to `height`: below, or above."""
    step = next((step for step in STEPS if height >= 8 * step), 1)
    return (-(-height // step) if up else height // step) * step


def rows_of_line(node: Node, inputs: Sequence[Node], rows: Rows, height: int) -> int:
    """How many rows make a line of `node`; 0 where it has no operand that is repeated by rows."""
    if node.ndim < 2 or rows.axis.get(node) != -node.ndim:
        return 0
    width = node.size // rows.extent
    others = [x for x in inputs if x.op is not FULL and x.size > 1]
    repeated = [x for x in others if is_repeated(x, node, rows)]
    by_rows = [x.shape == node.shape and x in rows.axis for x in others if x not in repeated]
    if not repeated or not all(by_rows):
        return 0
    count = 1
    while count * width < LINE:
        count *= 2
    return count if 1 < count <= height and height % count == 0 else 0


def is_repeated(x: Node, node: Node, rows: Rows) -> bool:
    """Whether an input is an array that is the same for all rows of `node`, one row of it."""
    lead = node.ndim - x.ndim
    whole = lead <= 1 and (x.shape if lead else x.shape[1:]) == node.shape[1:]
    many = x.op is not FULL and x.size > 1
    return many and x not in rows.axis and whole and x.size * rows.extent == node.size


def repeated(value: Array, count: int) -> Array:
    """A row as a line of `count` rows."""
    return np.tile(np.reshape(value, -1), count)


def along(
    writer: Callable[..., Any], operands: Sequence[int], lines: Sequence[int], slot: int
) -> Callable[[list[Any]], Any]:
    """Writes to a register, line by line.

    Args:
        writer: takes the operands and `out`.
        operands: the registers of the operands by rows.
        lines: those of the operands that are repeated as lines, of the others the same ones.
        slot: the register that is written to.
    """
    length = next(b for a, b in zip(operands, lines, strict=True) if a != b)

    def write(registers: list[Any]) -> None:
        out = registers[slot]
        values = [registers[i] for i in operands]
        arrays = [out, *(v for v, a, b in zip(values, operands, lines, strict=True) if a == b)]
        if not all([a.flags.c_contiguous for a in arrays]):
            writer(*values, out=out)
            return
        shape = -1, len(registers[length])
        turned = [
            registers[b] if a != b else v.reshape(shape) if v.ndim and v.size > 1 else v
            for v, a, b in zip(values, operands, lines, strict=True)
        ]
        writer(*turned, out=out.reshape(shape))

    return write

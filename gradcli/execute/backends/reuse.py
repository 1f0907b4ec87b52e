"""Which steps of a graph may write their result over an operand that nobody needs after them.

Constraints: the memory of a graph's inputs and outputs is never written over; what a kernel is not
known to put into memory of its own counts as a view of all its operands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gradcli.execute.work import Step, Work
from gradcli.graph.shape import Shape

VIEWED = 8
"""Values that a view is followed to; beyond, none of them is written over."""


def reused(
    work: Work, over: frozenset[str], fresh: frozenset[str]
) -> Iterator[tuple[Step, int | None]]:
    """Each step, with the number of the operand that its result may replace.

    Args:
        work: the graph.
        over: kernels that take `out`, which may be an operand of the result's shape.
        fresh: other kernels whose result is in memory of its own.
    """
    parts: dict[int, frozenset[int]] = {}
    holders: dict[int, int] = {}
    shapes: dict[int, tuple[int, ...]] = {}
    for step in work.steps:
        kernel, target = step.node.op.kernel, step.target
        dying = set(step.last)
        found = None
        if kernel in over:
            able = (i for i in _operands(step) if i in dying and holders.get(i) == 1)
            found = next((i for i in able if shapes.get(i) == step.node.shape), None)
        yield step, found
        if kernel in over or kernel in fresh:
            parts[target] = frozenset((target,))
            shapes[target] = step.node.shape
        else:
            parts[target] = frozenset().union(*(parts.get(i, ()) for i in step.sources))
            if len(parts[target]) > VIEWED:
                for i in parts[target]:
                    shapes.pop(i, None)
                parts[target] = frozenset()
        for i in parts[target]:
            holders[i] = holders.get(i, 0) + 1
        for gone in dying:
            for i in parts.pop(gone, ()):
                holders[i] -= 1


def fitting(shape: Shape, values: Sequence[Any], out: Any) -> bool:
    """Whether a result of this shape, of these values, fits into the array `out`."""
    if out is None or out.shape != shape:
        return False
    return all(value.ndim <= out.ndim for value in values)


def _operands(step: Step) -> tuple[int, ...]:
    """The operands that may be written over; where elements are put into one, only that one."""
    if step.node.op.kernel != "index_put":
        return step.sources
    first, *others = step.sources
    return () if first in others else (first,)

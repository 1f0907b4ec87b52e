"""How functions take numbers of half the width: computed in the wider type, rounded once.

Constraints: a function is what PyTorch calls a kernel: it reads float16 or bfloat16, computes in
float32 and rounds its result; so does its derivative. Its body sees the wider numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradcli.graph.dtype import FLOATING, DType
from gradcli.graph.node import Node, constant
from gradcli.graph.op import FULL
from gradcli.ops.elementwise import cast, widen
from gradcli.ops.ruled import halved


def in_wider(
    body: Callable[..., Any],
    nodes: Sequence[Node],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """What `body` makes of arguments among which are `nodes`, some of them of half the width.

    A body that is told a dtype, or whose arguments differ in theirs, rounds after each step.
    """
    half = _half(nodes)
    if half is None or any(isinstance(v, DType) for v in (*args, *kwargs.values())):
        return body(*args, **kwargs)
    back: dict[Node, Node] = {}  # one for each argument, to which a gradient is passed on

    def narrowed(value: Any) -> Any:
        if isinstance(value, Node):
            return back.get(value) or _of_one_op(value, half, back) or narrow(value, half)
        if isinstance(value, tuple):
            parts = [narrowed(v) for v in value]
            return tuple(parts) if type(value) is tuple else type(value)(*parts)
        return value

    def widened(value: Any) -> Any:
        if isinstance(value, list):
            return [widened(v) for v in value]
        if not isinstance(value, Node) or value.dtype is not half:
            return value
        wide = widen(value)
        back[wide] = value
        return wide

    return narrowed(body(*map(widened, args), **{k: widened(v) for k, v in kwargs.items()}))


def _of_one_op(x: Node, half: DType, given: Mapping[Node, Node]) -> Node | None:
    """`x`, rounded, where a single op made it of what was `given`, of half the width."""
    if not (x.op.elementwise and x.dtype is half.wider) or x.op.exact:
        return None
    if not x.tracked and x.op.halves is None:
        return None
    sources = []
    for y in x.inputs:
        if y in given:
            sources.append(given[y])
        elif y.op is widen and y.inputs and y.inputs[0].dtype is half:
            sources.append(y.inputs[0])
        elif y.op is FULL:
            sources.append(constant(y.attrs["value"], half, y.shape))
        else:
            return None
    made = cast(x, half) if x.op.halves is None else x.op.halves(*sources, **x.attrs)
    return halved(made, *sources, op=x.op, attrs=x.attrs)


def narrow(x: Node, half: DType) -> Node:
    """`x`, rounded to the type `half` or its complex numbers if it has their wider types."""
    assert half.wider is not None
    pairs = ((half.wider, half), (half.wider.to_complex(), half.to_complex()))
    return next((cast(x, narrower) for wider, narrower in pairs if x.dtype is wider), x)


def _half(nodes: Sequence[Node]) -> DType | None:
    """The type of half the width that all of `nodes` with a fraction have, or None."""
    kinds = {x.dtype for x in nodes if x.dtype.category >= FLOATING}
    found = kinds.pop() if len(kinds) == 1 else None
    return found if found is not None and found.wider and found.category == FLOATING else None

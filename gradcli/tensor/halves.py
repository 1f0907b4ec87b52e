"""How functions take numbers of half the width: computed in the wider type, rounded once.

Constraints: a function is what PyTorch calls a kernel: it reads float16 or bfloat16, computes in
float32 and rounds its result; so does its derivative. Its body sees the wider numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradcli.graph.dtype import FLOATING, DType
from gradcli.graph.node import Node
from gradcli.ops.elementwise import cast, widen


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
    wide = {x: widen(x) for x in nodes if x.dtype is half}
    back = {y: x for x, y in wide.items()}

    def narrowed(value: Any) -> Any:
        if isinstance(value, Node):
            return back.get(value) or narrow(value, half)
        if isinstance(value, tuple):
            parts = [narrowed(v) for v in value]
            return tuple(parts) if type(value) is tuple else type(value)(*parts)
        return value

    return narrowed(body(*_each(args, wide), **{k: _each(v, wide) for k, v in kwargs.items()}))


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


def _each(value: Any, wide: Mapping[Node, Node]) -> Any:
    if isinstance(value, Node):
        return wide.get(value, value)
    return [_each(v, wide) for v in value] if isinstance(value, list) else value

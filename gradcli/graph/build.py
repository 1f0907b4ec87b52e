"""Making nodes of which there is one of each kind: the ground that rewriting stands on.

Constraints: two nodes of the same op, inputs, attributes, shape and dtype are one node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gradcli.graph.dtype import DTYPES, DType
from gradcli.graph.node import NO_ATTRS, Node
from gradcli.graph.op import FULL, OPS, Op
from gradcli.graph.shape import Shape


class Builder:
    """Makes nodes, equal ones once."""

    def __init__(self) -> None:
        self.known: dict[Any, Node] = {}

    def unified(
        self,
        node: Node,
        inputs: tuple[Node, ...],
        rewritten: Callable[[Node, tuple[Node, ...]], Node],
    ) -> Node:
        """The one node that `node` on `inputs` is; `rewritten` makes it when it is new."""
        key = _key(node.op, inputs, node.attrs, node.shape, node.dtype)
        if key is None:
            return rewritten(node, inputs)
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = rewritten(node, inputs)
        return found

    def like(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """`node` on other inputs."""
        if inputs == node.inputs:
            return node
        made = Node(node.op, inputs, node.attrs, node.shape, node.dtype)
        made.span = node.span
        return made

    def rewritten(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        """What means the same as `node` on other inputs."""
        return self.like(node, inputs)

    def simplified(self, name: str, inputs: tuple[Node, ...], form: Node) -> Node:
        """As `make`, rewritten."""
        return self.rewritten(self.make(name, inputs, form), inputs)

    def make(
        self, name: str, inputs: tuple[Node, ...], form: Node, *, dtype: Any = None, **attrs: Any
    ) -> Node:
        """The node of op `name` with the shape, dtype (unless it is named) and place of `form`."""
        kind = form.dtype if dtype is None else DTYPES[dtype]
        return self.shaped(name, inputs, form.shape, kind, form, attrs)

    def found(self, name: str, inputs: tuple[Node, ...], form: Node) -> Node | None:
        """What `make` made of these before."""
        return self.known.get(_key(OPS[name], inputs, NO_ATTRS, form.shape, form.dtype))

    def shaped(
        self,
        name: str,
        inputs: tuple[Node, ...],
        shape: Shape,
        dtype: DType,
        place: Node,
        attrs: Mapping[str, Any] = NO_ATTRS,
    ) -> Node:
        """The node of op `name` with this shape and dtype; `place` says where it came from."""
        op = OPS[name]
        key = _key(op, inputs, attrs, shape, dtype)
        found = self.known.get(key) if key is not None else None
        if found is None:
            found = Node(op, inputs, attrs, shape, dtype)
            found.span = place.span
            if key is not None:
                self.known[key] = found
        return found

    def constant(self, value: complex, dtype: DType, shape: Shape = ()) -> Node:
        """A number in every element."""
        key = (FULL, value, str(value), dtype, shape)  # 0.0 is not -0.0
        found = self.known.get(key)
        if found is None:
            found = Node(FULL, (), {"value": value, "shape": shape}, shape, dtype)
            self.known[key] = found
        return found

    def spread(self, x: Node, shape: Shape) -> Node:
        """`x` repeated to a shape that it broadcasts to."""
        if x.shape == shape:
            return x
        if x.op is FULL:
            return self.constant(x.attrs["value"], x.dtype, shape)
        return self.shaped("expand", (x,), shape, x.dtype, x, {"shape": shape})

    def reshape(self, x: Node, shape: Shape) -> Node:
        """`x` in another shape."""
        if x.shape == shape:
            return x
        if x.op is FULL:
            return self.constant(x.attrs["value"], x.dtype, shape)
        attrs = {"axes": x.ndim, "shape": shape}
        return self.shaped("reshape", (x,), shape, x.dtype, x, attrs)


def _key(
    op: Op, inputs: tuple[Node, ...], attrs: Mapping[str, Any], shape: Shape, dtype: DType
) -> Any:
    """What equal nodes have in common; None for a node that is like no other."""
    if op is FULL:
        value = attrs["value"]
        return (op, value, str(value), dtype, shape)
    if not inputs and not attrs:
        return None
    if not attrs:
        return (op, inputs, shape, dtype)
    try:
        key = (op, inputs, tuple(sorted(attrs.items())), shape, dtype)
        hash(key)
    except TypeError:
        return None
    return key

"""The graph's one datum: a node is an operation on nodes, with its shape, dtype and source span.

Constraints: immutable for its readers. Two things change over a node's life and neither changes
what it means: its `value` becomes known, and a node whose value is known and through which nobody
can differentiate lets go of its `inputs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from gradcli.graph.dtype import DType
from gradcli.graph.shape import Shape, numel
from gradcli.source import Span

if TYPE_CHECKING:
    from gradcli.graph.op import Op
    from gradcli.graph.recording import Recording

NO_ATTRS: Mapping[str, Any] = {}
_serial = count().__next__
_new = object.__new__


class Current:
    """What new nodes take from their surroundings: the span being evaluated, the grad mode,
    and a recording of what a loop does.

    `forward` holds while cotangents are pulled back only to be differentiated: forward mode.
    """

    __slots__ = ("forward", "recording", "span", "tracking")

    def __init__(self) -> None:
        self.forward = False
        self.span: Span | None = None
        self.tracking = True
        self.recording: Recording | None = None


current = Current()


class Unwritten:
    """The version of what nobody writes to."""

    number = 0
    unseen = None


SHARED = (Unwritten(), 0, ())
"""What `stale` says of a number's node that many use: a tensor of it takes a copy as its memory."""


class Node:
    """A value in the graph.

    Args:
        op: the row of the op table.
        inputs: the nodes it is computed from.
        attrs: the op's static arguments; axes are negative (counted from the right).
        shape, dtype: of the value.
        tracked: whether a derivative may flow through it (PyTorch's `requires_grad`).

    Attributes:
        value: the array, or None while unknown; never looked into on this floor.
        span: the source text that it came from.
        serial: its creation number; inputs always have smaller ones, so sorting by it is a
            topological order.
        call: (grad_fn name, the nodes PyTorch's function took), where a function made this node;
            else None.
        hooks: functions of the cotangent that a user registered, or None.
        pending: put off because it is large.
        released: its derivative was used up by a backward pass without `retain_graph`.
        stale: where the storage that held this value was overwritten, or None.
        form, kind: what it has in common with others on which the same work takes the same steps
            (forms.py); None until somebody asks.
    """

    __slots__ = (
        "__weakref__",
        "attrs",
        "call",
        "dtype",
        "form",
        "hooks",
        "inputs",
        "kind",
        "op",
        "pending",
        "released",
        "serial",
        "shape",
        "span",
        "stale",
        "tracked",
        "value",
    )

    def __init__(
        self,
        op: Op,
        inputs: tuple[Node, ...],
        attrs: Mapping[str, Any],
        shape: Shape,
        dtype: DType,
        tracked: bool = False,
        value: Any = None,
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.attrs = attrs
        self.shape = shape
        self.dtype = dtype
        self.tracked = tracked
        self.value = value
        self.span = current.span
        self.serial = _serial()
        self.call: tuple[str, tuple[Node, ...]] | None = None
        self.hooks: list[Callable[[Node | None], Node | None]] | None = None
        self.pending = False
        self.released = False
        self.stale: Any = None
        self.form: Any = None
        self.kind: Any = None
        if current.recording is not None:
            current.recording.made.append((self, inputs))

    @staticmethod
    def known(
        op: Op,
        inputs: tuple[Node, ...],
        attrs: Mapping[str, Any],
        shape: Shape,
        dtype: DType,
        tracked: bool,
        value: Any,
        form: Any,
        kind: Any,
    ) -> Node:
        """A node whose value is known, outside of recordings: the same as `Node(...)`, sooner."""
        node: Node = _new(Node)
        node.op = op
        node.inputs = inputs
        node.attrs = attrs
        node.shape = shape
        node.dtype = dtype
        node.tracked = tracked
        node.value = value
        node.form = form
        node.kind = kind
        node.span = current.span
        node.serial = _serial()
        node.call = node.hooks = node.stale = None
        node.pending = node.released = False
        return node

    def renew(self) -> None:
        """Takes the next serial number: it counts as created now, and what uses it has to, too."""
        self.serial = _serial()

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return numel(self.shape)

    def __repr__(self) -> str:
        return f"{self.op.name}#{self.serial}{self.shape}:{self.dtype.name}"

    # Arithmetic, so that derivative rules read as formulas; a number takes the other operand's
    # dtype.
    def __add__(self, other: Node | complex) -> Node:
        return arithmetic["add"](self, lift(other, self))

    def __radd__(self, other: complex) -> Node:
        return arithmetic["add"](lift(other, self), self)

    def __sub__(self, other: Node | complex) -> Node:
        return arithmetic["sub"](self, lift(other, self))

    def __rsub__(self, other: complex) -> Node:
        return arithmetic["sub"](lift(other, self), self)

    def __mul__(self, other: Node | complex) -> Node:
        return arithmetic["mul"](self, lift(other, self))

    def __rmul__(self, other: complex) -> Node:
        return arithmetic["mul"](lift(other, self), self)

    def __truediv__(self, other: Node | complex) -> Node:
        return arithmetic["div"](self, lift(other, self))

    def __rtruediv__(self, other: complex) -> Node:
        return arithmetic["div"](lift(other, self), self)

    def __pow__(self, other: Node | complex) -> Node:
        return arithmetic["pow"](self, lift(other, self))

    def __neg__(self) -> Node:
        return arithmetic["neg"](self)


arithmetic: dict[str, Callable[..., Node]] = {}
"""The ops behind Node's operators, by name; the op table fills it when it is loaded."""

sources: dict[str, Op] = {}
"""The ops of nodes without inputs, by name; op.py, which needs this file, fills it."""


def lift(value: Node | complex, like: Node) -> Node:
    """`value` as a node: itself, or a 0-dim constant of `like`'s dtype."""
    if isinstance(value, Node):
        return value
    return constant(value, like.dtype)


def constant(value: complex, dtype: DType, shape: Shape = ()) -> Node:
    """A node that holds the number `value` in every element."""
    return Node(sources["full"], (), {"value": value, "shape": shape}, shape, dtype)


def data(value: Any, shape: Shape, dtype: DType) -> Node:
    """A node around a known array; the caller says what it is: no array is looked into here."""
    return Node(sources["data"], (), NO_ATTRS, shape, dtype, False, value)

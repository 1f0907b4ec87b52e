"""What a tensor is to Python: a number, a list, a truth value, an index, a text.

Constraints: a mixin of `Tensor`; each of these computes the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError
from gradcli.execute.evaluate import seen
from gradcli.graph.dim import steps
from gradcli.graph.dtype import INTEGER, default
from gradcli.graph.node import Node, current
from gradcli.graph.shape import numel
from gradcli.tensor import levels, registry
from gradcli.tensor.ends import to_show
from gradcli.tensor.kept import behind_dual, name_of

if TYPE_CHECKING:
    from gradcli.tensor.tensor import Tensor


class Values:
    """Conversions of a tensor to Python's types."""

    __slots__ = ()

    def array(self: Any) -> Any:
        """The value as a NumPy array; read it, do not write to it."""
        return seen(self.value_node)

    def held(self: Any) -> list[Node]:
        """The nodes whose values this tensor stands for: its own, and its memory's."""
        storage = self._storage
        return [self._node] if storage is None else [self._node, storage.node]

    def item(self: Any) -> Any:
        """The only element, as a Python number."""
        return followed(self.value_node, self._number)

    def _number(self: Any) -> Any:
        """The only element, for functions that make something of it."""
        _refuse_examples(self)
        value = self.array()
        if value.size != 1:
            raise GradcliError(
                "G014",
                f"a Tensor with {value.size} elements cannot be converted to Scalar",
                help="say which element: x[0].item(), or reduce it: x.sum().item()",
            )
        return value.item()

    def tolist(self: Any) -> Any:
        """The elements as nested lists of Python numbers."""
        if levels.active:
            _refuse_examples(self, "Cannot access data pointer of Tensor that doesn't have storage")
        return self.array().tolist()

    def __bool__(self: Any) -> bool:
        count = numel(self._node.shape)
        if count == 1:
            if levels.active:
                _refuse_examples(self, CONTROL)
            return bool(followed(self.value_node, lambda: self.array().item()))
        what = "no values" if count == 0 else "more than one value"
        raise GradcliError(
            "G014",
            f"Boolean value of Tensor with {what} is ambiguous",
            help=() if count == 0 else ["say which is meant: .all() or .any()"],
        )

    def __float__(self: Any) -> float:
        return float(_only(self, "double"))

    def __int__(self: Any) -> int:
        value = _only(self, "int64_t")
        try:
            return int(value)
        except (ValueError, OverflowError) as error:
            raise GradcliError("G014", str(error), kind=type(error)) from None

    def __complex__(self: Any) -> complex:
        return complex(_only(self))

    def __index__(self: Any) -> int:
        if self.dtype.category > INTEGER or numel(self._node.shape) != 1:
            raise GradcliError(
                "G014",
                "only integer tensors of a single element can be converted to an index",
                kind=TypeError,
            )
        return int(self._number())

    def __len__(self: Any) -> int:
        if not self._node.shape:
            raise GradcliError("G014", "len() of a 0-d tensor", kind=TypeError)
        return int(self._node.shape[0])

    def __iter__(self: Any) -> Iterator[Tensor]:
        if not self._node.shape:
            raise GradcliError("G014", "iteration over a 0-d tensor", kind=TypeError)
        steps(self._node.shape[0], "elements")
        return iter(registry.method("unbind")(self))

    def __reversed__(self: Any) -> Any:
        return registry.method("flip")(self, 0) if self._node.shape else self

    def __contains__(self: Any, item: Any) -> bool:
        if not isinstance(item, (type(self), bool, int, float, complex)):
            raise GradcliError(
                "G014",
                "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
                f"{type(item)}.",
            )
        return bool((self == item).any())

    def __repr__(self: Any) -> str:
        from gradcli.tensor.text import tensor_text

        node = self.value_node
        if levels.active:
            from gradcli.tensor.level_text import wrapped_text

            wrapped = wrapped_text(self.node)
            if wrapped:
                return wrapped
        suffixes = []
        if self.is_invalid:
            suffixes.append("grad_fn=<Invalid>")
        elif not self.is_leaf:
            suffixes.append(f"grad_fn=<{name_of(behind_dual(node))}>")
        elif self.requires_grad:
            suffixes.append("requires_grad=True")
        suffixes += [f"tangent={tangent}" for tangent in levels.tangents(self)]
        return tensor_text(
            to_show(node), self.dtype.name, suffixes=suffixes, default_dtype=default.dtype.name
        )

    def __format__(self: Any, spec: str) -> str:
        from gradcli.tensor.text import scalar_format

        if not self._node.shape:
            return scalar_format(self._number(), self.dtype.name, spec)
        if spec:
            raise GradcliError(
                "G014",
                "unsupported format string passed to Tensor.__format__",
                help="format one element: x[0], or set_printoptions(precision=...) for all",
                kind=TypeError,
            )
        return repr(self)


ITEM = (
    "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling "
    ".item() on a Tensor, please try to rewrite what you're doing with other operations. If error "
    "is occurring somewhere inside PyTorch internals, please file a bug report."
)
CONTROL = (
    "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. We "
    "don't support that yet, please file an issue at https://github.com/pytorch/pytorch/issues ."
)


def _refuse_examples(tensor: Tensor, sentence: str = ITEM) -> None:
    if levels.lanes_of(tensor.value_node):
        raise GradcliError("G016", sentence, help="return the tensor, and look at it outside")


def followed(node: Node, read: Callable[[], Any]) -> Any:
    """What `read` says of a node's only element; a recording sees what becomes of it."""
    recording = current.recording
    if recording is None:
        return read()
    current.recording = None
    try:
        value = read()
    finally:
        current.recording = recording
    return recording.item(node, value)


def _only(tensor: Tensor, kind: str = "") -> Any:
    """The only element, which must be real where PyTorch converts it to a `kind` of numbers."""
    _refuse_examples(tensor)
    value = tensor.array()
    if value.size != 1:
        raise GradcliError(
            "G014",
            "only one element tensors can be converted to Python scalars",
            help="say which element: x[0].item(), or reduce it: x.sum().item()",
            kind=ValueError,
        )
    number = value.item()
    if isinstance(number, complex) and kind:
        if number.imag:
            sentence = f"value cannot be converted to type {kind} without overflow"
            raise GradcliError("G014", sentence)
        return number.real
    return number

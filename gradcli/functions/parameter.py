"""`torch.nn.Parameter` and `torch.autograd.Variable`: a leaf of the values of a tensor.

Constraints: it shares its memory with the tensor it was made of, as in PyTorch. A parameter is a
tensor in everything but its class and its text; what is computed from it is an ordinary tensor.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.node import Node
from gradcli.tensor import Tensor, registry
from gradcli.tensor.refusals import check_leaf


class Parameter(Tensor):
    """A tensor that is to be trained.

    Args:
        data: a tensor; by default an empty one.
        requires_grad: whether gradients are added up in it.

    Raises:
        GradcliError: G011 (kind `AttributeError`) for `data` that is no tensor, G025 for one whose
            dtype has no gradient.
    """

    __slots__ = ()
    __module__ = "torch.nn.parameter"

    def __init__(self, data: Any = None, requires_grad: Any = True, *seen: Any) -> None:
        if isinstance(data, Node):  # made as tensors are, by what they share memory with
            super().__init__(data, requires_grad, *seen)
            return
        if data is not None and not isinstance(data, Tensor):
            raise GradcliError(
                "G011",
                f"'{type(data).__name__}' object has no attribute 'detach'",
                help="make it a tensor: torch.tensor(...)",
                kind=AttributeError,
            )
        alias = (Tensor() if data is None else data).alias()
        check_leaf(alias.dtype, requires_grad)
        super().__init__(alias.value_node, alias.memory, alias._view)
        self._requires = bool(requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"

    def __format__(self, spec: str) -> str:
        if spec:
            raise GradcliError(
                "G014",
                "unsupported format string passed to Parameter.__format__",
                help="format its number: p.item()",
                kind=TypeError,
            )
        return repr(self)


class _AnyTensor(type):
    """The class of a class whose instances all tensors are."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Tensor)


class Variable(metaclass=_AnyTensor):
    """What tensors with a gradient were called once; calling it makes a leaf."""

    __module__ = "torch.autograd.variable"

    def __new__(  # type: ignore[misc]
        cls, data: Any = None, requires_grad: Any = False, volatile: Any = False
    ) -> Tensor:
        """A leaf of the values of `data`, in the same memory."""
        if data is not None and not isinstance(data, Tensor):
            raise GradcliError(
                "G014",
                f"Variable data has to be a tensor, but got {type(data).__name__}",
                kind=TypeError,
            )
        leaf = (Tensor() if data is None else data).alias()
        check_leaf(leaf.dtype, requires_grad)
        leaf._requires = bool(requires_grad)
        return leaf


registry.register("torch.nn.Parameter", Parameter)
registry.register("torch.nn.parameter.Parameter", Parameter)
registry.register("torch.autograd.Variable", Variable)

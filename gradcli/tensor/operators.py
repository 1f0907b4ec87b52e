"""Python's operators and methods on tensors: each is a function of the table.

Constraints: a mixin of `Tensor`; nothing here computes anything itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import INTEGER
from gradcli.ops.elementwise import COMPARISONS
from gradcli.tensor import registry
from gradcli.tensor.misuse import Misuse

BINARY = {
    **{"add": "add", "sub": "sub", "mul": "mul", "truediv": "true_divide"},
    **{"floordiv": "floor_divide", "mod": "remainder", "pow": "pow", "matmul": "matmul"},
    **{"and": "__and__", "or": "__or__", "xor": "__xor__"},
    **{"lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift"},
}
"""Python's binary operators and their functions; `x += y` is `__iadd__`, `1 + x` is `__radd__`."""
UNARY = {"neg": "neg", "pos": "positive", "abs": "abs"}


class Operators:
    """Operators of a tensor."""

    __slots__ = ()
    __array_ufunc__ = None  # NumPy then leaves `array * tensor` to the tensor

    def __getitem__(self, index: Any) -> Any:
        return _of_two("__getitem__")(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        registry.method("__setitem__")(self, index, value)

    def __hash__(self) -> int:
        return id(self)

    def __invert__(self: Any) -> Any:
        if self.dtype.category > INTEGER:
            raise GradcliError(
                "G025",
                "~ (operator.invert) is only implemented on integer and Boolean-type tensors",
                help="make a mask by a comparison: x > 0",
                kind=TypeError,
            )
        return registry.method("bitwise_not")(self)


def bound(function: Any, tensor: Any, args: Iterable[Any], /, **kwargs: Any) -> Any:
    """The result of a function of the table as a method of `tensor`."""
    try:
        if kwargs.get("out") is not None:
            function.fitted((tensor, *args), kwargs)  # no method takes it: refuses
        return function(tensor, *args, **kwargs)
    except Misuse as error:
        if error.function is function:
            error.of_method()
        raise


class Method:
    """A function of the table with its first argument given."""

    __slots__ = ("function", "tensor")

    def __init__(self, function: Callable[..., Any], tensor: Any) -> None:
        self.function = function
        self.tensor = tensor

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls it."""
        return bound(self.function, self.tensor, args, **kwargs)

    @property
    def __name__(self) -> str:
        return str(self.function.__name__)

    def __repr__(self) -> str:
        return f"<built-in method {self.__name__} of Tensor object at {hex(id(self))}>"


@cache
def _of_two(name: str) -> Callable[[Any, Any], Any]:
    """The function behind an operator, of its two operands."""
    function: Callable[[Any, Any], Any] = registry.method(name).of_two
    return function


_OPERANDS = (Operators, bool, int, float, complex)


def _binary(name: str) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        if isinstance(other, _OPERANDS):
            return _of_two(name)(self, other)
        if hasattr(other, "dtype") and hasattr(other, "__array__"):
            return operator(self, registry.find("torch.tensor")(other))
        return NotImplemented

    return operator


def _unary(name: str) -> Callable[[Any], Any]:
    def operator(self: Any) -> Any:
        return registry.method(name)(self)

    return operator


for _python, _name in BINARY.items():
    setattr(Operators, f"__{_python}__", _binary(_name))
    setattr(Operators, f"__r{_python}__", _binary(f"__r{_python}__"))
    setattr(Operators, f"__i{_python}__", _binary(f"__i{_python}__"))
for _name in COMPARISONS:
    setattr(Operators, f"__{_name}__", _binary(_name))
for _python, _name in UNARY.items():
    setattr(Operators, f"__{_python}__", _unary(_name))

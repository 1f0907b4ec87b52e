"""op_db samples as text: each call, written as an expression, goes through the language.

Constraints: the same comparison as for direct calls; what has no literal raises `Outside`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from op_db_run import arrangement, called_name
from op_db_values import Outside

from gradcli.functions import find
from gradcli.functions.types import MemoryFormat
from gradcli.graph.dtype import DType
from gradcli.language.parser import parse_expression
from gradcli.lowering.interpret import Interpreter
from gradcli.source import Source
from gradcli.tensor import Tensor
from gradcli.tensor.function import Function
from gradcli.tensor.registry import method

OPERATORS = {
    **{"__radd__": "+", "__rtruediv__": "/", "__rmatmul__": "@", "__rmod__": "%", "__rmul__": "*"},
    **{"__rpow__": "**", "__rsub__": "-", "__rand__": "&", "__ror__": "|", "__rxor__": "^"},
}
"""Methods that are written as an operator, with the tensor on the right."""


def written(op: Any) -> Callable[..., Any]:
    """A function that writes its call of `op` as an expression and evaluates that."""
    name = called_name(op)

    def call(*arguments: Any, **options: Any) -> Any:
        variables: dict[str, Any] = {}
        if name == "__getitem__":
            text = f"{_text(arguments[0], variables)}[{_index(arguments[1], variables)}]"
        else:
            written = [_text(a, variables) for a in arguments]
            text = _call(name, written, _options(options, variables))
        return Interpreter(variables).evaluate(parse_expression(Source("<op_db>", text)))

    arrange = arrangement(op)
    return arrange(call) if arrange else call


def _call(name: str, arguments: list[str], options: str) -> str:
    if name in OPERATORS:
        return f"{arguments[1]} {OPERATORS[name]} {arguments[0]}"
    if callable(find(f"torch.{name}")):
        return f"torch.{name}({_joined(*arguments, options)})"
    if isinstance(method(name), property):
        return f"{arguments[0]}.{name}"
    return f"{arguments[0]}.{name}({_joined(*arguments[1:], options)})"


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _options(options: dict[str, Any], variables: dict[str, Any]) -> str:
    return _joined(*(f"{name}={_text(value, variables)}" for name, value in options.items()))


def _text(value: Any, variables: dict[str, Any]) -> str:
    if isinstance(value, Tensor):
        for name, known in variables.items():
            if known is value:
                return name
        name = f"x{len(variables)}"
        variables[name] = value
        return name
    if isinstance(value, Function):
        variables[value.__name__] = value
        return str(value.__name__)
    if isinstance(value, (list, tuple)):
        inside = ", ".join(_text(v, variables) for v in value)
        if isinstance(value, list):
            return f"[{inside}]"
        return f"({inside}{',' if len(value) == 1 else ''})"
    return _literal(value)


def _index(value: Any, variables: dict[str, Any]) -> str:
    if isinstance(value, tuple) and value:
        return ", ".join(_index(v, variables) for v in value)
    if isinstance(value, slice):
        return ":".join("" if v is None else str(v) for v in (value.start, value.stop, value.step))
    return _text(value, variables)


def _literal(value: Any) -> str:
    if value is None or value is Ellipsis or isinstance(value, (bool, int, str)):
        return "..." if value is Ellipsis else repr(value)
    if isinstance(value, float):
        return f"float('{value}')" if value - value else repr(value)
    if isinstance(value, (complex, DType, MemoryFormat)):
        return repr(value)
    raise Outside(f"no literal for {type(value).__name__}")

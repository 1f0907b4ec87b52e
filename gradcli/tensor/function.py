"""Entries of the function table: a Python function over nodes or tensors becomes what users call.

Constraints: a body's signature is PyTorch's (names, order, defaults). `@function` bodies take and
return nodes and are one grad_fn; `@composite` bodies take and return tensors and show the grad_fns
of what they call; `@internal` ones are functions of nodes that only other functions call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.graph.node import Node
from gradcli.graph.op import Op
from gradcli.tensor.entry import Function
from gradcli.tensor.in_place import written_form
from gradcli.tensor.kept import called
from gradcli.tensor.kinds import AnyTensor, takes_list
from gradcli.tensor.named import arguments_of
from gradcli.tensor.operands import (
    as_floating,
    as_numeric,
    common_dtype,
    not_a_tensor,
    number_node,
    promoted,
    tensor_operand,
)
from gradcli.tensor.options import Body
from gradcli.tensor.orders import NEW
from gradcli.tensor.origins import IN_PYTHON
from gradcli.tensor.registry import register, register_method
from gradcli.tensor.wrapping import laid_out, viewed


def function(*names: str, method: bool = True, **options: Any) -> Callable[[Body], Function]:
    """An entry whose body takes nodes: `@function()` above `def softmax(input, dim)`.

    Args:
        names: qualified names below `torch`; the function's own name by default.
        method: whether tensors have it as a method of that name.
        options: of `Function`.
    """
    return _entry(names, method, {"on_nodes": True, **options})


def composite(*names: str, method: bool = True, **options: Any) -> Callable[[Body], Function]:
    """An entry whose body takes tensors and calls other entries; see `function`."""
    return _entry(names, method, {"on_nodes": False, **options})


def _entry(
    names: tuple[str, ...], method: bool, options: dict[str, Any]
) -> Callable[[Body], Function]:
    def decorate(body: Body) -> Function:
        qualified = names or (body.__name__.rstrip("_"),)
        made = Function(qualified[0], body, arguments=arguments_of(qualified[0]), **options)
        for name in qualified:
            short = name.rpartition(".")[2]
            if short[0] == "_" and not short.startswith("__"):
                continue
            one = _under(name, made, options.get("python"))
            if not name.startswith("Tensor."):
                register(f"torch.{name}", one.variant(listed=True) if takes_list(body) else one)
            if name.startswith("Tensor.") or (method and "." not in name):
                own = one if one.orders is NEW else one.variant(bound=True)
                register_method(short, own)
                if options.get("in_place") and short[0] != "_":
                    _register_form(own, short)
        return made

    return decorate


def _under(name: str, made: Function, python: bool | None) -> Function:
    """The entry as it is under one of its names."""
    said: dict[str, Any] = {}
    arguments, in_python = arguments_of(name), name.startswith(IN_PYTHON)
    if arguments != made.arguments:
        said["arguments"] = arguments
    if python is None and in_python != made.python:
        said |= {"python": in_python} | ({"out": None} if in_python else {})
    short = name.rpartition(".")[2]
    return made.variant(qualified=str(name), __name__=short, **said) if said else made


def _register_form(function: Function, name: str) -> None:
    form, functions = written_form(function, f"{name}_"), function.in_place.functions
    register_method(f"{name}_", form)
    if functions is True or (functions and name in functions):
        register(f"torch.{name}_", form)


def internal(shown: str, **options: Any) -> Callable[[Body], Function]:
    """An entry without a name for users, of which composed functions are made; see `function`."""
    return lambda body: Function(shown, body, on_nodes=True, **options)


def from_op(
    op: Op, *names: str, takes: tuple[str, ...] = (), method: bool = True, **options: Any
) -> Function:
    """The entry of an elementwise op: PyTorch's promotion, then the op.

    `takes` are the annotations of its parameters where they are not tensors alone (kinds.py).
    """
    to = op.promotes
    count = len(op.derivatives)

    def unary(input: AnyTensor) -> Node:
        return op(as_floating(input)) if to == "float" else op(tensor_operand(input))

    def binary(input: AnyTensor, other: AnyTensor) -> Node:
        return op(*promoted(input, other, floating=to == "float"))

    body = unary if count == 1 else binary
    body.__doc__ = f"`{op.name}` of each {'element' if count == 1 else 'pair of elements'}."
    body.__name__ = op.name
    body.__annotations__.update(zip(body.__annotations__, takes, strict=False))
    return function(*(names or (op.name,)), method=method, shown=op.torch, **options)(body)


__all__ = ["Function", "as_floating", "as_numeric", "called", "common_dtype", "composite"]
__all__ += ["from_op", "function", "internal", "laid_out", "not_a_tensor", "number_node"]
__all__ += ["promoted", "tensor_operand", "viewed"]
"""What families import, the operands' functions among it."""

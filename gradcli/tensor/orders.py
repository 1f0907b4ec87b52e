"""Other orders and names of arguments, which PyTorch takes beside those of its documentation.

Constraints: signatures stand in the bodies, what these have not in the entries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gradcli.tensor.kinds import MISFIT

if TYPE_CHECKING:
    from gradcli.tensor.function import Function

Args = tuple[Any, ...]
Kwargs = dict[str, Any]
Orders = tuple[tuple[str, ...], ...]


class Old(NamedTuple):
    """The old orders of the arguments of a function, and of its method."""

    functions: Orders = ()
    methods: Orders = ()


RENAMED = {
    **{"axis": "dim", "keepdims": "keepdim"},
    **{"a": "input", "x": "input", "x1": "input", "x2": "other"},
}
"""NumPy's names of parameters, which PyTorch also takes."""

NEW = Old()
SCALED = Old(*[(("input", "alpha", "other"),)] * 2)
NUMBER = ": Number"
"""Behind the name of an operand that must be a number for the order to hold."""
SCALED_NUMBER = Old(*[(("input", f"other{NUMBER}", "alpha"),)] * 2)
VALUED = Old(*[(("input", "value", "tensor1", "tensor2"),)] * 2)


def weighed(*product: str) -> Old:
    """The orders of a sum of `input` and a product, each with a factor or the first alone."""
    starts = (("beta", "input"), ("input", "beta"))
    functions, methods = (
        tuple((*start, *alpha, *product) for alpha in (("alpha",), ())) for start in starts
    )
    return Old(functions, methods)


def own_name(function: Function, name: str, value: Any) -> str:
    """What the body calls the argument that PyTorch calls `name`; "" for what it has not."""
    parameters = function.parameters
    known = parameters.renamed.get(name)
    if known is not None:
        own, kind = known
        return own if kind is None or kind.take(value) is not MISFIT else ""
    if name in parameters.hidden:
        return ""
    if name in parameters.by_name or name not in RENAMED or function.python:
        return "" if function.python and name == parameters.rest else name
    usual = RENAMED[name]
    if usual in parameters.renamed:
        return own_name(function, usual, value)
    has = usual in parameters.by_name or usual == parameters.rest
    return usual if has and usual not in parameters.hidden else name


def in_new_order(function: Function, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
    """The arguments with factors named that stand where an old order has them; else as given."""
    parameters = function.parameters
    for order in function.orders.methods if function.bound else function.orders.functions:
        names = [name.removesuffix(NUMBER) for name in order]
        if len(args) > len(names) or not all(name in kwargs for name in names[len(args) :]):
            continue
        factors = dict(zip(names, args, strict=False))
        if any(parameters.by_name[k].take(v) is MISFIT for k, v in factors.items()):
            continue
        if any(f"{k}{NUMBER}" in order and hasattr(v, "shape") for k, v in factors.items()):
            continue
        operands = [factors.pop(p.name) for p in parameters.positional if p.name in factors]
        if factors and not any(name in kwargs for name in factors):
            return tuple(operands), {**kwargs, **factors}
    return args, kwargs

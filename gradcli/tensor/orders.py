"""Old orders of arguments, which PyTorch still takes: factors by position that now have a name.

Constraints: signatures stand in the bodies; here is only what they have no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcli.tensor.kinds import MISFIT

if TYPE_CHECKING:
    from gradcli.tensor.function import Function

Args = tuple[Any, ...]
Kwargs = dict[str, Any]
Orders = tuple[tuple[str, ...], ...]

_SCALED: Orders = (("input", "alpha", "other"),)
_VALUED: Orders = (("input", "value", "tensor1", "tensor2"),)


def _weighed(*product: str) -> Orders:
    """The orders of a sum of `input` and a product, each with a factor or the first alone."""
    starts = (("beta", "input"), ("input", "beta"))  # of functions, of methods
    return tuple((*start, *alpha, *product) for start in starts for alpha in (("alpha",), ()))


OLD_ORDERS: dict[str, Orders] = {
    **{"add": _SCALED, "sub": _SCALED, "addcdiv": _VALUED, "addcmul": _VALUED},
    **{"addbmm": _weighed("batch1", "batch2"), "baddbmm": _weighed("batch1", "batch2")},
    **{"addmm": _weighed("mat1", "mat2"), "addmv": _weighed("mat", "vec")},
    "addr": _weighed("vec1", "vec2"),
}
"""The old orders of each function that has any."""


def in_new_order(function: Function, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
    """The arguments with factors named that stand where an old order has them; else as given."""
    parameters = function.parameters
    for order in OLD_ORDERS.get(function.qualified, ()):
        factors = dict(zip(order, args, strict=False))
        if len(args) > len(order) or not all(name in kwargs for name in order[len(args) :]):
            continue
        if any(parameters.by_name[k].take(v) is MISFIT for k, v in factors.items()):
            continue
        operands = [factors.pop(p.name) for p in parameters.positional if p.name in factors]
        if factors and not any(name in kwargs for name in factors):
            return tuple(operands), {**kwargs, **factors}
    return args, kwargs

"""Other orders and names of arguments, which PyTorch takes beside those of its documentation.

Constraints: signatures stand in the bodies; here is only what they have not.
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

_PARTS = {"sections": "indices_or_sections", "indices": "indices_or_sections"}
OTHER_NAMES: dict[str, dict[str, str]] = {
    **{"hsplit": _PARTS, "vsplit": _PARTS, "dsplit": _PARTS},
    "tensor_split": {**_PARTS, "tensor_indices_or_sections": "indices_or_sections"},
    "unsafe_split": {"split_size": "size"},
    **{"cholesky_solve": {"input2": "L"}, "orgqr": {"input2": "tau"}},
    **{"ormqr": {"input2": "tau", "input3": "other"}, "Tensor.copy_": {"other": "src"}},
    "transpose": {"axis0": "dim0", "axis1": "dim1"},
    "linalg.tensorsolve": {"other": "B"},
    "isin": {"element": "elements", "test_element": "test_elements"},
    "result_type": {"tensor": "tensor1", "scalar": "tensor2", "other": "tensor2"},
}
"""By function: names in the signatures that PyTorch reads calls by -> the documented ones."""


def documented(function: Function, name: str) -> str:
    """The name of a body's parameter that PyTorch's signature calls `name`."""
    parameters = function.parameters
    if name == "input" and name not in parameters.by_name and parameters.positional:
        return parameters.positional[0].name
    return OTHER_NAMES.get(function.qualified, {}).get(name, name)


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

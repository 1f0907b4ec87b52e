"""In-place functions and copies: `add_`, `zero_`, `copy_`, `clone`.

Constraints: `NAME_` computes the function `NAME` and writes the result; only names that PyTorch has
are here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.gather import number_like
from gradcli.functions.shape import too_many_dims
from gradcli.graph.dtype import C_TYPES, SCALAR_TYPES
from gradcli.graph.node import Node
from gradcli.graph.op import REPLACE
from gradcli.graph.shape import require_room
from gradcli.ops import elementwise as ops
from gradcli.ops.elementwise import cast
from gradcli.ops.movement import expand
from gradcli.tensor import Tensor, registry
from gradcli.tensor.arguments import taken
from gradcli.tensor.function import composite, function, internal, number_node
from gradcli.tensor.in_place import in_place
from gradcli.tensor.kept import backward_name
from gradcli.tensor.kinds import Value
from gradcli.tensor.misuse import Misuse
from gradcli.tensor.storage import View
from gradcli.tensor.write import filled, refuse, refuse_overlap, write

NAMES = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "add",
    "addbmm",
    "addcdiv",
    "addcmul",
    "addmm",
    "addmv",
    "addr",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "baddbmm",
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "ceil",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "conj_physical",
    "copysign",
    "cos",
    "cosh",
    "cumprod",
    "cumsum",
    "deg2rad",
    "digamma",
    "div",
    "divide",
    "eq",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "fix",
    "floor",
    "floor_divide",
    "fmod",
    "frac",
    "gcd",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "heaviside",
    "hypot",
    "i0",
    "igamma",
    "igammac",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_reduce",
    "lcm",
    "ldexp",
    "le",
    "lerp",
    "less",
    "less_equal",
    "lgamma",
    "log",
    "log10",
    "log1p",
    "log2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logit",
    "lt",
    "masked_fill",
    "masked_scatter",
    "mul",
    "multiply",
    "mvlgamma",
    "nan_to_num",
    "ne",
    "neg",
    "negative",
    "nextafter",
    "not_equal",
    "polygamma",
    "pow",
    "put",
    "rad2deg",
    "reciprocal",
    "relu",
    "remainder",
    "renorm",
    "round",
    "rsqrt",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "sgn",
    "sigmoid",
    "sign",
    "sin",
    "sinc",
    "sinh",
    "sqrt",
    "square",
    "sub",
    "subtract",
    "tan",
    "tanh",
    "tril",
    "triu",
    "true_divide",
    "trunc",
    "xlogy",
]
"""The functions that have an in-place form under their name and an underscore."""


AUGMENTED = {
    **{"add": "add", "sub": "sub", "mul": "mul", "truediv": "true_divide", "mod": "remainder"},
    **{"floordiv": "floor_divide", "pow": "pow", "and": "__and__", "or": "__or__"},
    **{"xor": "__xor__", "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift"},
}
"""Augmented assignment: `x += y` is `__iadd__`."""


MAGNITUDES = ("abs", "absolute")
"""Functions whose result for complex numbers is real, which PyTorch does not write back."""


def _in_place(method: str, name: str) -> None:
    @composite(f"Tensor.{method}")
    def written(input: Any, *args: Any, **kwargs: Any) -> Any:
        if name in MAGNITUDES and isinstance(input, Tensor) and input.dtype.is_complex:
            sentence = "In-place abs is not supported for complex tensors."
            raise GradcliError("G025", sentence)
        function = registry.method(name)
        try:
            return in_place(function, input, *args, **kwargs)
        except GradcliError as error:
            first = _first(error, function, (input, *args), kwargs)
            if isinstance(first, Misuse) and first.function is function:
                first.of_another(written, function.__name__, method)
            raise first from None

    written.doc = f"`{name}`, written to the tensor itself."


def _first(
    error: GradcliError, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> GradcliError:
    """What PyTorch refuses first: arguments of wrong types, before the write."""
    if not isinstance(error, Misuse):
        try:
            taken(function, args, kwargs, (function,))
        except Misuse as misuse:
            return misuse
    return error


ALSO_FUNCTIONS = (
    *("abs", "acos", "acosh", "addmv", "arccos", "arccosh", "arcsin", "arcsinh", "arctan"),
    *("arctanh", "asin", "asinh", "atan", "atanh", "ceil", "clamp", "clamp_max", "clamp_min"),
    *("clip", "conj_physical", "cos", "cosh", "deg2rad", "erf", "erfc", "exp", "exp2", "expm1"),
    *("fill", "fix", "floor", "frac", "gcd", "i0", "lcm", "ldexp", "log", "log10", "log1p"),
    *("log2", "logit", "nan_to_num", "neg", "negative", "rad2deg", "reciprocal", "relu", "round"),
    *("rsqrt", "sigmoid", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh", "trunc"),
    *("xlogy", "zero", "index_put", "as_strided"),
)
"""In-place forms that are functions of `torch` too: `torch.exp_(x)` is `x.exp_()`."""


for _name in NAMES:
    _in_place(f"{_name}_", _name)
for _python, _name in AUGMENTED.items():
    _in_place(f"__i{_python}__", _name)


@composite("Tensor.float_power_")
def float_power_(input: Any, exponent: Value) -> Any:
    """`float_power`, written to a tensor that is float64 or complex128 already."""
    function = registry.method("float_power")
    wide = function(input, exponent).dtype
    if input.dtype is not wide:
        raise GradcliError(
            "G025",
            f"the base given to float_power_ has dtype {SCALAR_TYPES[input.dtype]} but the "
            f"operation's result requires dtype {SCALAR_TYPES[wide]}",
        )
    return in_place(function, input, exponent)


@composite("Tensor.__imatmul__")
def _imatmul(input: Any, other: Any) -> Any:
    """`x @= y` is `x = x @ y`, as in Python for types without it."""
    return input @ other


@function("clone")
def clone(input: Any, *, memory_format: Any = None) -> Node:
    """A copy that the gradient flows through."""
    return ops.clone(input)


# -- whole values


@composite("Tensor.copy_")
def copy_(input: Any, src: Value, non_blocking: bool = False) -> Any:
    """Writes the elements of `src`, repeated where it has to be."""
    value = src if isinstance(src, Tensor) else Tensor(number_node(src, input.dtype))
    refuse(input, value.requires_grad)
    refuse_overlap(input, [value])
    return write(input, _copied(input, value))


def _copied(input: Tensor, src: Tensor) -> Node:
    given, target = src.node, tuple(input.shape)
    value = cast(given, input.dtype)
    if value.shape != target:
        require_room(value.shape, target)
        value = expand(value, shape=target)
    node = input.node
    if value is given or (node.tracked and input._view is None):
        value = REPLACE(node, value) if node.tracked else ops.clone(value)
    value.call = ("CopyBackwards", (node, given))
    return value


@composite("Tensor.fill_")
def fill_(input: Any, value: Value) -> Any:
    """Writes one number everywhere."""
    if not isinstance(value, Tensor):
        return write(input, filled(input, _everywhere(input, value), "fill", 2), "fill_.Scalar")
    if value.shape:
        raise GradcliError(
            "G024",
            "fill_ only supports 0-dimension value tensor but got tensor with "
            f"{len(value.shape)} dimensions.",
        )
    refuse(input, value.requires_grad, "fill_.Tensor")
    refuse_overlap(input, [])
    new = _copied(input, value)
    new.call = (backward_name("fill", 3), (input.node, value.node))
    return write(input, new, "fill_.Tensor")


def _everywhere(input: Tensor, value: Any) -> Node:
    return expand(number_like(input, value), shape=tuple(input.shape))


@composite("fill", method=False)
def fill(input: Any, value: Value) -> Any:
    """A tensor like `input` with one number everywhere."""
    return _fill(input, value)


@internal("fill", overload=lambda input, value: int(isinstance(value, Tensor)))
def _fill(input: Any, value: Value) -> Node:
    given = value if isinstance(value, Node) else number_like(input, value)
    if given.shape:
        raise GradcliError(
            "G024",
            "fill only supports 0-dimension value tensor but got tensor with "
            f"{given.ndim} dimensions.",
        )
    spread = expand(cast(given, input.dtype), shape=input.shape)
    return REPLACE(input, spread)


@composite("Tensor.zero_")
def zero_(input: Any) -> Any:
    """Writes 0 everywhere."""
    return write(input, filled(input, _everywhere(input, 0), "zero"), "zero_")


@composite("Tensor.fill_diagonal_")
def fill_diagonal_(input: Any, fill_value: Any, wrap: bool = False) -> Any:
    """Writes one number on the diagonal of all dims, which are two or equally long.

    Args:
        wrap: starts another diagonal, one row below, wherever one of a tall matrix ends.
    """
    if input.ndim < 2:
        raise GradcliError("G024", "dimensions must larger than 1")
    if input.ndim > 2 and len(set(input.shape)) > 1:
        raise GradcliError("G024", "all dimensions of input must be of equal length")
    line, step = registry.method("as_strided"), sum(input.stride())
    line(input, (min(input.shape),), (step,)).fill_(fill_value)
    height, width = input.shape[:2]
    if wrap and input.ndim == 2 and height > width + 1:
        rest = -(-height * width // (width + 1)) - width
        start = input.storage_offset() + input.stride(0) * (width + 1)
        line(input, (rest,), (step,), start).fill_(fill_value)
    return input


@composite("Tensor.set_")
def set_(input: Any, source: Any) -> Any:
    """Makes the tensor share the memory of `source`."""
    if source.dtype is not input.dtype:
        given, own = (C_TYPES[x.dtype] for x in (source, input))
        raise GradcliError(
            "G025", f"Could not set tensor of type {given} to a tensor of type {own}"
        )
    input.data = source
    return input


# -- the same memory under another shape, for the tensor itself


def _reshaped_in_place(name: str, function: Callable[..., Any], shown: str, overload: Any) -> None:
    @composite(f"Tensor.{name}_")
    def reshaped(input: Any, *args: Any, **kwargs: Any) -> Any:
        refuse(input, input.requires_grad, f"{name}_")
        if name == "t" and len(input.shape) > 2:
            raise too_many_dims("t_", len(input.shape))
        seen = function(input, *args, **kwargs)
        if seen is input:
            return input
        steps = seen.view_path[len(input.view_path) :]
        digit = overload(*args, **kwargs) if callable(overload) else overload
        node = seen.node
        if node.tracked:
            node.call = (backward_name(shown, digit), (input.node,))
        view = input._view
        base, before = (None, ()) if view is None else (view.base, view.steps)
        if view is None and node.call is not None:
            input.version.maker, input.version.shape = node.call[0], node.shape
        input._view = View(base, before + steps)
        input.memory.touch(input.version)
        input.adopt(node)
        return input

    reshaped.doc = f"`{name}`, for the tensor itself."


def _squeeze_overload(*dim: Any, **named: Any) -> int:
    return 3 if not dim and not named else 4


for _name, _shown, _overload in (
    *(("t", "t", 1), ("unsqueeze", "unsqueeze", 1), ("squeeze", "squeeze", _squeeze_overload)),
    *((name, "transpose", 1) for name in ("transpose", "swapaxes", "swapdims")),
    ("as_strided", "as_strided", 1),
):
    _reshaped_in_place(_name, registry.method(_name), _shown, _overload)


for _name in ALSO_FUNCTIONS:
    registry.register(f"torch.{_name}_", registry.method(f"{_name}_"))

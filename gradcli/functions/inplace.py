"""In-place functions that are no forms of others, and copies: `zero_`, `copy_`, `clone`.

Constraints: that a function `NAME` has a form `NAME_` its own entry says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradcli.errors import GradcliError
from gradcli.functions.shape import in_rows, row_major_copy, too_many_dims
from gradcli.graph.dtype import SCALAR_TYPES
from gradcli.graph.node import Node
from gradcli.graph.op import REPLACE
from gradcli.graph.shape import Shape, require_room
from gradcli.ops import elementwise as ops
from gradcli.ops.elementwise import cast
from gradcli.ops.movement import expand, inverse, permute, reshape
from gradcli.tensor import Tensor, registry
from gradcli.tensor.function import composite, function, internal, number_node
from gradcli.tensor.in_place import in_place, written_form
from gradcli.tensor.kept import backward_name
from gradcli.tensor.kinds import Number, Value
from gradcli.tensor.named import Named
from gradcli.tensor.operands import number_like
from gradcli.tensor.storage import Steps, View
from gradcli.tensor.write import filled, refuse, refuse_overlap, write

AUGMENTED = {
    **{"add": "add", "sub": "sub", "mul": "mul", "truediv": "true_divide", "mod": "remainder"},
    **{"floordiv": "floor_divide", "pow": "pow", "and": "__and__", "or": "__or__"},
    **{"xor": "__xor__", "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift"},
}
"""Augmented assignment: `x += y` is `__iadd__`."""


for _python, _name in AUGMENTED.items():
    registry.register_method(
        f"__i{_python}__", written_form(registry.method(_name), f"__i{_python}__")
    )


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


@function("clone", out=None)
def clone(input: Any, *, memory_format: Any = None) -> Node:
    """A copy that the gradient flows through."""
    return row_major_copy(input) if in_rows(memory_format) else ops.clone(input)


# -- whole values


@composite(Named("Tensor.copy_", other="src"))
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


@composite("Tensor.fill_", "fill_", method=False)
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


@composite("fill", method=False, out=None)
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


@composite("Tensor.zero_", "zero_", method=False)
def zero_(input: Any) -> Any:
    """Writes 0 everywhere."""
    return write(input, filled(input, _everywhere(input, 0), "zero"), "zero_")


@composite("Tensor.fill_diagonal_")
def fill_diagonal_(input: Any, fill_value: Number, wrap: bool = False) -> Any:
    """Writes one number on the diagonal of all dims, which are two or equally long.

    Args:
        wrap: starts another diagonal, one row below, wherever one of a tall matrix ends.
    """
    if input.ndim < 2:
        raise GradcliError("G024", "dimensions must larger than 1")
    if input.ndim > 2 and len(set(input.shape)) > 1:
        raise GradcliError("G024", "all dimensions of input must be of equal length")
    refuse(input, input.requires_grad, "fill_diagonal_")
    line, step = registry.method("as_strided"), sum(input.stride())
    line(input, (min(input.shape),), (step,)).fill_(fill_value)
    height, width = input.shape[:2]
    if wrap and input.ndim == 2 and height > width + 1:
        rest = -(-height * width // (width + 1)) - width
        start = input.storage_offset() + input.stride(0) * (width + 1)
        line(input, (rest,), (step,), start).fill_(fill_value)
    return input


# -- the same memory under another shape, for the tensor itself


def _reshaped_in_place(name: str, function: Callable[..., Any], shown: str, overload: Any) -> None:
    also = ["as_strided_"] if name == "as_strided" else []

    @composite(f"Tensor.{name}_", *also, method=False)
    def reshaped(input: Any, *args: Any, **kwargs: Any) -> Any:
        refuse(input, input.requires_grad, f"{name}_")
        if name == "t" and len(input.shape) > 2:
            raise too_many_dims("t_", len(input.shape))
        seen = function(input, *args, **kwargs)
        if seen is input:
            return input
        digit = overload(*args, **kwargs) if callable(overload) else overload
        node = seen.node
        if node.tracked:
            node.call = (backward_name(shown, digit), (input.node,))
        if input._view is None and node.call is not None:
            input.version.maker, input.version.shape = node.call[0], node.shape
        view_in_place(input, seen)
        return input

    reshaped.doc = f"`{name}`, for the tensor itself."


def view_in_place(input: Tensor, seen: Tensor) -> None:
    """Makes `input` see its memory as `seen`, a view of the same memory, does."""
    node = seen.node
    input._view = _reshaped_view(input, seen)
    input.memory.touch(input.version)
    input.adopt(node)


def _reshaped_view(input: Tensor, seen: Tensor) -> View:
    """How `input` sees its memory once it is reshaped to `seen` in place."""
    view, path, before = input._view, seen.view_path, input.view_path
    base, own = (None, None) if view is None else (view.base, view.own)
    if view is not None and base is not None:
        seen_view = seen._view
        assert seen_view is not None
        seen_view.caution = view.caution
        return seen_view
    turns = () if view is None else view.turns
    if path[: len(before)] == before:
        turns = (*turns, _undoing(path[len(before) :], tuple(input.shape)))
    return View(None, path, own=own, turns=turns)


def _undoing(steps: Steps, shape: Shape) -> Steps:
    """The steps that lead back from what reshaping and reordering a tensor of `shape` made."""
    found: Steps = ()
    for op, attrs in steps:
        if op is permute:
            found = ((op, {"axes": inverse(attrs["axes"])}), *found)
            order = [len(shape) + axis for axis in attrs["axes"]]
            shape = (*shape[: len(shape) - len(order)], *(shape[axis] for axis in order))
        elif op is reshape:
            new = shape[: len(shape) - attrs["axes"]] + attrs["shape"]
            found = ((op, {"axes": len(new), "shape": shape}), *found)
            shape = new
    return found


def _squeeze_overload(*dim: Any, **named: Any) -> int:
    given = (*dim, *named.values())
    return 3 + len(given) + any(isinstance(value, (list, tuple)) for value in given)


for _name, _shown, _overload in (
    *(("t", "t", 1), ("unsqueeze", "unsqueeze", 1), ("squeeze", "squeeze", _squeeze_overload)),
    *((name, "transpose", 1) for name in ("transpose", "swapaxes", "swapdims")),
    ("as_strided", "as_strided", 1),
):
    _reshaped_in_place(_name, registry.method(_name), _shown, _overload)

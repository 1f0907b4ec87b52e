"""In-place forms of functions: the function's result, checked by PyTorch's rules and written.

Constraints: a write that no rule can refuse, of a value like the one before, asks none of them.
"""

from __future__ import annotations

from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.call import Arguments, tensors_of
from gradcli.graph.dtype import C_TYPES, as_dtype, result_type
from gradcli.graph.forms import form_of
from gradcli.graph.node import Node, current
from gradcli.graph.op import REPLACE, lacking
from gradcli.graph.shape import broadcast, require_room
from gradcli.ops.elementwise import COMPARISONS, cast, clone
from gradcli.tensor import levels
from gradcli.tensor.arguments import taken
from gradcli.tensor.entry import Function
from gradcli.tensor.kept import backward_name, called, without_derivative
from gradcli.tensor.misuse import Misuse
from gradcli.tensor.repeats import is_watched
from gradcli.tensor.storage import Stop
from gradcli.tensor.tensor import Tensor
from gradcli.tensor.write import (
    ARRAYS,
    compose,
    refuse,
    refuse_cast,
    refuse_overlap,
    write,
)

_NUMBERS = frozenset((bool, int, float))


def in_place(function: Function, target: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """The in-place form of `function`: computes, checks PyTorch's rules about the result, writes.

    Raises:
        GradcliError: G025 when the result's dtype cannot be stored in `target`; those of `write`.
    """
    rule = function.in_place
    refused = lacking(rule.refuses, target.dtype) if rule.refuses else None
    if refused is not None:
        raise refused
    if rule.unseen and current.tracking:
        with Stop(False):
            return in_place(function, target, *args, **kwargs)
    plain = not kwargs and _is_plain(function, target, args)
    name = _named(function, (target, *args, *kwargs.values())) if levels.active else ""
    tensors = [] if plain else _tensors(target, args, kwargs)
    tracked = current.tracking and any([x.requires_grad for x in tensors])
    if not plain:
        compose(target)
        refuse(target, tracked, name)
        refuse_overlap(target, args, function.memory)
    operand = _copy(target) if tracked else target
    try:
        value = function(operand, *args, **kwargs)
    except GradcliError as error:
        if error.kind is NotImplementedError:  # PyTorch looks at the result's shape and dtype first
            given = _tensors(target, args, kwargs)
            if len(given) == 2:
                require_room(broadcast(*(tuple(x.shape) for x in given)), tuple(target.shape))
            options = (*args, *kwargs.values())
            numbers = [v for v in options if isinstance(v, (int, float, complex))]
            refuse_cast(result_type([(x.dtype, x.shape) for x in given], numbers), target)
        raise
    if plain and _renewed(target, value):
        return target
    require_room(value.node.shape, target.node.shape)
    refuse_cast(value.dtype, target)
    new = value.node
    new = _recorded(function, target, new, tensors) if tracked else new
    return write(target, new, name)


def _recorded(function: Function, target: Tensor, new: Node, tensors: list[Tensor]) -> Node:
    """The result `new` of a function of `tensors`, as autograd records what is written."""
    rule = function.in_place
    if new.call is not None:
        name, computed_with = new.call
        arguments = Arguments((target.node, *computed_with[1:]), tensors_of(new.call))
        arguments.receivers = computed_with
        if rule.digit >= 0:
            name = backward_name(function.shown, rule.digit)
        new.call = (name, arguments)
        new.hooks = None if rule.derivative else without_derivative(function.__name__)
    elif function.__name__ in COMPARISONS:  # recorded, though what they find has no slope
        return _connected(function.__name__, cast(new, target.dtype), tensors)
    elif rule.digit >= 0:
        return called(new, function.shown, target.node, overload=rule.digit)
    return new


def written_form(function: Function, name: str) -> Function:
    """The method `name` of tensors that is the in-place form of `function`."""

    def written(input: Any, *args: Any, **kwargs: Any) -> Any:
        kind = kwargs.get("dtype")
        if kind is not None and isinstance(input, Tensor) and as_dtype(kind) is not input.dtype:
            own, wanted = C_TYPES[input.dtype], C_TYPES[as_dtype(kind)]
            sentence = f"input tensor dtype {own} and output tensor dtype {wanted} should match"
            raise GradcliError("G025", f"Bad in-place call: {sentence}", help="leave dtype out")
        try:
            return in_place(function, input, *args, **kwargs)
        except GradcliError as error:
            first = _first(error, function, (input, *args), kwargs)
            if isinstance(first, Misuse) and first.function is function:
                first.of_another(made, function.__name__, name)
            raise first from None

    made = Function(f"Tensor.{name}", written, on_nodes=False)
    made.doc = f"`{name.removesuffix('_')}`, written to the tensor itself."
    return made


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


def _named(function: Function, given: tuple[Any, ...]) -> str:
    """PyTorch's name of the in-place form, with that of its overload."""
    overloads = function.in_place.overloads
    if overloads == "Scalar" and isinstance(given[-1], Tensor):
        overloads = "Tensor"
    return f"{function.__name__}_.{overloads}" if overloads else f"{function.__name__}_"


def _tensors(target: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    return [x for x in (target, *args, *kwargs.values()) if isinstance(x, Tensor)]


def _is_plain(function: Function, target: Tensor, args: tuple[Any, ...]) -> bool:
    """Whether no rule about memory, autograd or transforms can refuse the write."""
    storage, tracking = target._storage, current.tracking
    if target._view is not None or (tracking and target._requires):
        return False
    if function.memory.apart >= 0 or function.in_place.unseen:
        return False
    if target.value_node.tracked or ARRAYS or is_watched():
        return False
    for x in args:
        if x.__class__ is Tensor:
            if (x._storage is storage is not None) or (tracking and x.requires_grad):
                return False
        elif x.__class__ not in _NUMBERS:
            return False
    return True


def _renewed(target: Tensor, value: Tensor) -> bool:
    """Writes a new value of the target's form, where `_is_plain`; whether it was one."""
    new, old = value._node, target._node
    fits = value._storage is None and new.value is not None and new.stale is new.call is None
    if not fits or (new.form or form_of(new)) is not (old.form or form_of(old)):
        return False
    storage = target._storage or target.memory
    storage.node = new
    storage.count(storage.version)
    target.adopt(new)
    return True


def _connected(name: str, value: Node, tensors: list[Tensor]) -> Node:
    """`value`, written by a comparison of `tensors`, which all have the gradient zero."""
    for x in reversed(tensors):
        if x.requires_grad:
            value = REPLACE(x.node, value)
    return called(value, name, *(x.node for x in tensors), overload=len(tensors) - 1)


def _copy(target: Tensor) -> Tensor:
    """What an in-place function computes with: its own write does not outdate what it saves."""
    node = target.value_node
    copied = clone(node)
    copied.value = node.value
    return Tensor(copied)

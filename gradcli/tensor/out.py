"""`out=`: the result of a function, written to tensors that the caller has.

Constraints: for every function alike; the function itself runs as without it. Which dtypes of `out`
PyTorch takes, and its sentence about others, its entry says (storing.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError
from gradcli.graph.dtype import C_TYPES, SCALAR_TYPES, DType, as_dtype, bool_
from gradcli.graph.node import current
from gradcli.tensor import levels
from gradcli.tensor.arguments import type_of
from gradcli.tensor.misuse import Misuse
from gradcli.tensor.origins import called
from gradcli.tensor.results import Results, written
from gradcli.tensor.storage import Stop
from gradcli.tensor.storing import CAST, JOINED, SAME, Out
from gradcli.tensor.tensor import Tensor
from gradcli.tensor.write import refuse_cast, refuse_overlap, tensors_in, write

if TYPE_CHECKING:
    from gradcli.tensor.function import Function


def into(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Writes what `function` returns to the tensors `kwargs["out"]`, and returns them.

    Raises:
        GradcliError: G037 where a gradient would have to be recorded, G025 where the result's dtype
            cannot be stored, G026 where elements of `out` share memory.
    """
    out, kwargs = kwargs["out"], {k: v for k, v in kwargs.items() if k != "out"}
    several = isinstance(out, (list, tuple))
    targets = out if several else (out,)
    rule = _rule(function, targets, several)
    given = _operands(function, targets, (args, *kwargs.values()))
    tracked = current.tracking and any(v.requires_grad for v in (*given, *targets))
    if not given and "dtype" in function.parameters.by_name:
        kwargs["dtype"] = _stored(kwargs.get("dtype"), targets[0])
    elif rule.leads and kwargs.get("dtype") is None:
        kwargs["dtype"] = targets[0].dtype
    try:
        result = function(*args, **kwargs)
    except GradcliError as error:
        # PyTorch sees to autograd before it looks at shapes and dtypes.
        raise _recorded(function) if tracked and not isinstance(error, Misuse) else error from None
    if several != isinstance(result, tuple):
        raise _wrong(function, "Tensor" if several else "tuple of Tensors", out)
    results = result if several else (result,)
    if len(results) != len(targets):
        sentence = f"expected tuple of {len(results)} elements but got {len(targets)}"
        raise GradcliError("G013", sentence, kind=TypeError)
    pairs = list(zip(targets, results, strict=True))
    if tracked and any(_records(target, value) for target, value in pairs):
        raise _recorded(function)
    for target, value in pairs:
        _refuse_dtype(function, rule, value.dtype, target)
        _refuse_overlap(function, target, given)
        _put(target, value, rule)
    return written(result, targets) if isinstance(result, Results) else out


def _put(target: Tensor, value: Tensor, rule: Out) -> None:
    """Writes `value` to `target`, which takes its shape."""
    fitting = value.to(target.dtype)
    if rule.in_order and target.numel() == value.numel():
        fitting = fitting.reshape(target.shape)
    if target.shape == fitting.shape:
        with Stop(False):
            write(target, fitting, "")
    else:
        target.data = fitting
        target.version.bump()
    if value.requires_grad:  # a new tensor's that was asked for
        target.requires_grad_()


def _operands(function: Function, targets: Iterable[Tensor], values: Iterable[Any]) -> list[Tensor]:
    """The tensors among `values`.

    Raises:
        GradcliError: G016 where they or `targets` are examples of a vmap, G037 (kind
            `NotImplementedError`) where they have tangents.
    """
    given = list(tensors_in(values))
    if levels.active and any(levels.tangents(x) for x in (*given, *targets)):
        raise GradcliError(
            "G037",
            f"Trying to use forward AD with {called(function)} that does not support it because "
            "it is an out= function",
            help="assign the result: y = ...",
            kind=NotImplementedError,
        )
    if levels.active and any(levels.lanes_of(x.value_node) for x in (*given, *targets)):
        raise GradcliError(
            "G016",
            f"Batching rule not implemented for aten::{called(function)}.out; the fallback path "
            "doesn't work on out= or view ops.",
            help="assign the result: y = ...",
        )
    return given


def _stored(dtype: Any, target: Tensor) -> DType:
    """The dtype of `target`, in which a function of sizes fills it; refuses another one."""
    if dtype is not None and as_dtype(dtype) is not target.dtype:
        given, kept = (SCALAR_TYPES[x] for x in (as_dtype(dtype), target.dtype))
        raise GradcliError("G025", f"dtype {given} does not match dtype of out parameter ({kept})")
    return target.dtype


def _rule(function: Function, targets: Iterable[Any], several: bool) -> Out:
    """What `function` asks of `targets`; raises G013 where it takes none, G014 for no tensors."""
    if function.out is None:
        sentence = f"{called(function)}() got an unexpected keyword argument 'out'"
        raise GradcliError("G013", sentence, help="assign the result: y = ...", kind=TypeError)
    for target in targets:
        if not isinstance(target, Tensor):
            raise _wrong(function, "Tensor", target)
    return SAME if several and function.out is CAST else function.out


def _wrong(function: Function, wanted: str, found: Any) -> GradcliError:
    sentence = f"{called(function)}(): argument 'out' must be {wanted}, not {type_of(found)}"
    return GradcliError("G014", sentence, kind=TypeError)


def _refuse_overlap(function: Function, target: Tensor, given: list[Tensor]) -> None:
    """Raises G026 where `target` shares memory with itself, or as it must not with an operand."""
    first = max(function.memory.apart, 0)  # those before it are what its in-place form writes to
    refuse_overlap(target, given[:first])
    refuse_overlap(target, given[first:], function.memory)


def _records(target: Tensor, value: Tensor) -> bool:
    """Whether a gradient would go through a write of `value` to `target`."""
    return value.requires_grad or (target.requires_grad and value.dtype is not bool_)


def _recorded(function: Function) -> GradcliError:
    name = "cat" if function.out is JOINED and function.shown != "stack" else called(function)
    return GradcliError(
        "G037",
        f"{name}(): functions with out=... arguments don't support automatic differentiation, "
        "but one of the arguments requires grad.",
        help="assign the result: y = ...",
    )


def _refuse_dtype(function: Function, rule: Out, dtype: DType, target: Tensor) -> None:
    """Raises G025 where PyTorch does not write a result of `dtype` to `target`."""
    wanted, got = dtype, target.dtype
    if wanted is got or rule.whatever:
        return
    if not rule.sentence:
        refuse_cast(wanted, target)
    elif rule.equal or wanted.category > got.category:
        said = rule.sentence.format(
            **{"name": called(function), "short": function.qualified.rpartition(".")[2]},
            **{"Wanted": SCALAR_TYPES[wanted], "Got": SCALAR_TYPES[got]},
            **{"wanted": C_TYPES[wanted], "got": C_TYPES[got]},
        )
        raise GradcliError("G025", said, help=f"make it of torch.{wanted.name}", kind=rule.kind)

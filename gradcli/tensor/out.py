"""`out=`: the result of a function, written to tensors that the caller has.

Constraints: for every function alike; the function itself runs as without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError
from gradcli.graph.node import current
from gradcli.tensor.arguments import called, in_python, type_of
from gradcli.tensor.tensor import Tensor
from gradcli.tensor.write import refuse_cast, refuse_overlap, write

if TYPE_CHECKING:
    from gradcli.tensor.function import Function


def into(function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Writes what `function` returns to the tensors `kwargs["out"]`, and returns them.

    Raises:
        GradcliError: G037 where a gradient would have to be recorded, G025 where the result's dtype
            cannot be stored, G026 where elements of `out` share memory.
    """
    name = called(function)
    if in_python(function):
        sentence = f"{name}() got an unexpected keyword argument 'out'"
        raise GradcliError("G013", sentence, help="assign the result: y = ...", kind=TypeError)
    out = kwargs["out"]
    kwargs = {k: v for k, v in kwargs.items() if k != "out"}
    targets = out if isinstance(out, (list, tuple)) else (out,)
    wrong = [type_of(target) for target in targets if not isinstance(target, Tensor)]
    if wrong:
        sentence = f"{name}(): argument 'out' must be Tensor, not {wrong[0]}"
        raise GradcliError("G014", sentence, kind=TypeError)
    given = [v for v in (*args, *kwargs.values(), *targets) if isinstance(v, Tensor)]
    if current.tracking and any(v.requires_grad for v in given):
        raise GradcliError(
            "G037",
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad.",
            help="assign the result: y = ...",
        )
    result = function(*args, **kwargs)
    results = result if isinstance(result, tuple) else (result,)
    if len(results) != len(targets):
        sentence = f"{name}(): out= needs {len(results)} tensors, not {len(targets)}"
        raise GradcliError("G013", sentence, kind=TypeError)
    for target, value in zip(targets, results, strict=True):
        refuse_cast(value.dtype, target)
        refuse_overlap(target, given[: -len(targets)])
        fitting = value.to(target.dtype)
        if target.shape == value.shape:
            write(target, fitting)
        else:
            target.data = fitting
    return out

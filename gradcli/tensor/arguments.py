"""Arguments that a function's body does not take as they are: refitted, or refused in plain words.

Constraints: looked at only after a call has failed, so that good calls cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError, did_you_mean
from gradcli.graph.node import Node
from gradcli.tensor.tensor import Tensor

if TYPE_CHECKING:
    from gradcli.tensor.function import Function

RENAMED = {"axis": "dim", "keepdims": "keepdim", "x": "input", "x1": "input", "x2": "other"}
"""NumPy's names of parameters, which PyTorch also takes."""

IDLE = frozenset({"device", "layout", "memory_format", "non_blocking", "out", "pin_memory"})
"""Parameters of PyTorch that say nothing here, where all tensors lie in the machine's memory."""


def refitted(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], error: TypeError
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """After a TypeError: the arguments as the body takes them.

    Raises:
        GradcliError: G013 for arguments that do not fit the signature, G014 for wrong types.
    """
    import inspect

    signature = inspect.signature(function.body)
    usage = f"its arguments are {function.__name__}{signature_text(function)}"
    try:
        signature.bind(*args, **kwargs)
    except TypeError as misfit:
        fitted = _fitted(signature, args, kwargs)
        if fitted is not None:
            return fitted
        unknown = [k for k in kwargs if k not in signature.parameters]
        raise GradcliError(
            "G013",
            f"{function.__name__}() {misfit}",
            help=[*(h for k in unknown for h in did_you_mean(k, signature.parameters)), usage],
            kind=TypeError,
        ) from None
    raise GradcliError(
        "G014", f"{function.__name__}(): {error}", help=usage, kind=TypeError
    ) from error


MISFITS = (
    *(AttributeError, IndexError, KeyError, MemoryError, OverflowError, ValueError),
    ZeroDivisionError,
)
"""What Python raises inside a body that was given arguments it was not written for."""


def misfit(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception
) -> Exception:
    """After one of `MISFITS`: G014 for an argument that is no tensor, else G013.

    What a script's own function raised (a hook, say) has a `_failure` of the interpreter, and
    passes as it is.
    """
    if "_failure" in error.__dict__:
        return error
    if isinstance(error, MemoryError):
        return GradcliError("G060", f"{function.__name__}(): {error}", help="use smaller sizes")
    for value in (*args, *kwargs.values()) if isinstance(error, AttributeError) else ():
        if not isinstance(value, (Tensor, Node)):
            return GradcliError(
                "G014",
                f"{function.__name__}(): argument must be Tensor, not {type(value).__name__}",
                help=f"its arguments are {function.__name__}{signature_text(function)}",
                kind=TypeError,
            )
    return GradcliError(
        "G013",
        f"{function.__name__}(): these arguments do not fit: {error}",
        help=f"its arguments are {function.__name__}{signature_text(function)}",
        kind=type(error),
    )


def _fitted(
    signature: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """The arguments with PyTorch's other ways to give them undone; None where there are none."""
    fitted: dict[str, Any] = {}
    for name, value in kwargs.items():
        parameter = signature.parameters.get(name)
        if parameter is not None and parameter.kind is parameter.VAR_POSITIONAL:
            args = (*args, value)
        elif parameter is None and name in IDLE:
            _refuse_elsewhere(name, value)
        elif parameter is None and name in RENAMED:
            fitted[RENAMED[name]] = value
        else:
            fitted[name] = value
    return (args, fitted) if fitted.keys() != kwargs.keys() else None


def _refuse_elsewhere(name: str, value: Any) -> None:
    if name == "out" and value is not None:
        raise GradcliError(
            "G013", "out= is not supported", help="assign the result: y = ...", kind=TypeError
        )
    if name == "device" and str(value).partition(":")[0] not in ("None", "cpu"):
        raise GradcliError("G071", f"there is no device {value} here", help="device='cpu'")


def signature_text(function: Function) -> str:
    """A function's parameters as a user writes them: `(input, dim=None, keepdim=False)`."""
    import inspect

    signature = inspect.signature(function.body)
    empty = inspect.Parameter.empty
    bare = [p.replace(annotation=empty) for p in signature.parameters.values() if p.name != "self"]
    return str(signature.replace(parameters=bare, return_annotation=empty))

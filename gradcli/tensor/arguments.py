"""Arguments of calls: those that fit are passed on, others refused in PyTorch's words.

Constraints: a call whose arguments have classes that a function has taken before is not looked at
again; signatures stand in the bodies (kinds.py reads them), nothing about single functions here.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING, Any

from gradcli.errors import GradcliError, did_you_mean
from gradcli.graph.dtype import DType
from gradcli.graph.node import Node
from gradcli.tensor.kinds import MISFIT, SIZED, TENSOR, Parameter
from gradcli.tensor.misuse import Misuse
from gradcli.tensor.operands import number_node
from gradcli.tensor.orders import in_new_order, own_name
from gradcli.tensor.origins import called
from gradcli.tensor.refusals import check_device
from gradcli.tensor.tensor import Tensor

if TYPE_CHECKING:
    from gradcli.tensor.function import Function

IDLE = frozenset(
    ("cudnn_enable", "device", "layout", "memory_format", "non_blocking", "out", "pin_memory")
)
"""Parameters of PyTorch that say nothing here, where all tensors lie in the machine's memory."""

Args = tuple[Any, ...]
Kwargs = dict[str, Any]


def taken(function: Function, args: Args, kwargs: Kwargs, seen: Args) -> tuple[Args, Kwargs]:
    """The arguments as the body takes them; notes their classes, `seen`, where these decided.

    Raises:
        GradcliError: G013 for arguments that do not fit the signature, G014 for wrong types.
    """
    parameters = function.parameters
    args, named = _renamed(function, args, kwargs) if kwargs else (args, kwargs)
    args, named = in_new_order(function, args, named)
    _check_names(function, args, named)
    given = [*zip(parameters.positional, args, strict=False)]
    given += [(parameters.by_name[k], v) for k, v in named.items() if k in parameters.by_name]
    values = [_take(function, args, named, i, *pair) for i, pair in enumerate(given)]
    _check_mixed(function, args, named, given)
    fits = all(v is old for v, (_, old) in zip(values, given, strict=True))
    if fits and named is kwargs and not (function.listed and named):
        if not any(p.inside and isinstance(old, (list, tuple)) for p, old in given):
            function.known.add(seen)
        return args, kwargs
    count = min(len(args), len(parameters.positional))
    pairs = zip(given[count:], values[count:], strict=True)
    named = {**named, **{parameter.name: value for (parameter, _), value in pairs}}
    fitted = [*values[:count], *args[count:]]
    if function.listed:
        # A body takes its list of sizes by position alone.
        later = [p.name for p in parameters.positional[count:]]
        fitted += [named.pop(name) for name in later if name in named]
    return tuple(fitted), named


def _renamed(function: Function, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
    """The arguments with PyTorch's other ways to name them undone."""
    parameters = function.parameters
    if not parameters.renamed and all(name in parameters.by_name for name in kwargs):
        return args, kwargs
    fitted: Kwargs = {}
    for place, (name, value) in enumerate(kwargs.items(), len(args)):
        own = own_name(function, name, value)
        known = own in parameters.by_name or (own and parameters.more)
        if own and own == parameters.rest and len(args) == len(parameters.positional):
            args = (*args, value)
        elif not own or (known and own in fitted):
            owns = {own_name(function, *item) for item in kwargs.items()}
            problem = _missing(function, len(args), owns) or _unknown(function, name)
            raise _misuse(function, args, kwargs, problem, place=place)
        elif known or name not in IDLE or (name == "out" and value is not None):
            fitted[own] = value
        elif name == "device":
            check_device(value)
    return args, fitted


def _check_names(function: Function, args: Args, kwargs: Kwargs) -> None:
    """Raises for arguments that are too many, unknown, given twice or missing."""
    parameters = function.parameters
    positional = parameters.positional
    if len(args) > len(positional) and not parameters.rest:
        raise _misuse(function, args, kwargs, lambda bound: _too_many(function, args, bound))
    missing = _missing(function, len(args), kwargs)
    # Python looks at the names first, PyTorch's own functions at what is missing.
    if missing and not function.python:
        raise _misuse(function, args, kwargs, missing)
    for i, name in enumerate(kwargs):
        problem: str | Callable[[int], str] = ""
        if name not in parameters.by_name and not parameters.more:
            problem = _unknown(function, name)
        elif any(parameter.name == name for parameter in positional[: len(args)]):
            problem = f"got multiple values for argument '{name}'"
        if problem:
            help = did_you_mean(name, parameters.by_name)
            raise _misuse(function, args, kwargs, problem, help=help, place=len(args) + i)
    if missing:
        raise _misuse(function, args, kwargs, missing)


def _too_many(function: Function, args: Args, bound: int) -> str:
    parameters = function.parameters
    least, most = parameters.required - bound, len(parameters.positional) - bound
    number = len(args) - bound
    if not most:
        return f"takes no arguments ({number} given)"
    range_ = f"{most}" if least == most else f"from {least} to {most}"
    plural = "" if range_ == "1" else "s"
    were = "was" if number == 1 else "were"
    return f"takes {range_} positional argument{plural} but {number} {were} given"


def _unknown(function: Function, name: str) -> Callable[[int], str]:
    """What PyTorch says of an argument `name` that a function has not; a method may have none."""

    def problem(bound: int) -> str:
        if bound and len(function.parameters.by_name) == 1 and not function.parameters.rest:
            return "takes no keyword arguments"
        return f"got an unexpected keyword argument '{name}'"

    return problem


def _missing(function: Function, count: int, named: Container[str]) -> str:
    """What is said of arguments that are not there after `count` and `named`; "" if all are."""
    needed = function.parameters.positional[count : function.parameters.required]
    names = [p.shown for p in needed if p.name not in named]
    if function.python and names:
        said = ", ".join(f"'{name}'" for name in names[:-1])
        comma = "," if len(names) > 2 else ""
        said = f"{said}{comma} and '{names[-1]}'" if said else f"'{names[-1]}'"
        return f"missing {len(names)} required positional argument{'s'[: len(names) - 1]}: {said}"
    said = ", ".join(f'"{name}"' for name in names)
    return f"missing {len(names)} required positional arguments: {said}" if names else ""


def _take(
    function: Function, args: Args, kwargs: Kwargs, i: int, parameter: Parameter, value: Any
) -> Any:
    """One argument as the body takes it."""
    fitting = parameter.take(value)
    if fitting is not MISFIT:
        return fitting
    if parameter.word == "bool" and function.python and isinstance(value, (int, float)):
        return bool(value)
    if function.lenient and TENSOR in parameter.kinds and isinstance(value, (int, float, complex)):
        return Tensor(number_node(value))

    if SIZED in parameter.kinds:
        said = f"'{type_of(value)}' object has no attribute '{parameter.word}'"
        raise GradcliError("G014", said, help=_HELP["Tensor"], kind=AttributeError)

    def sentence(bound: int) -> str:
        position = f" (position {i + 1 - bound})" if i < len(args) else ""
        return f": argument '{parameter.shown}'{position} must be {_demand(parameter, value)}"

    help = _HELP.get(parameter.word, [])
    raise _misuse(function, args, kwargs, sentence, help=help, place=i, code="G014")


_HELP = {
    "Tensor": ["make it one: tensor(...)"],
    "tuple of Tensors": ["put them into a list: [x, y]"],
    "torch.dtype": ["the dtypes are float32, float64, int64, bool, ..."],
}


def _demand(parameter: Parameter, value: Any) -> str:
    """What an argument must be, and what `value` is instead."""
    word = parameter.word
    if word.startswith("tuple of ints") and isinstance(value, (list, tuple)):
        place = next(j for j, v in enumerate(value) if parameter.take([v]) is MISFIT)
        return f"{word}, but found element of type {type_of(value[place])} at pos {place}"
    return f"{word}, not {type_of(value)}"


def type_of(value: Any) -> str:
    """The name of a value's type as PyTorch says it."""
    if isinstance(value, (Tensor, Node)):
        return "Tensor"
    return "torch.dtype" if isinstance(value, DType) else type(value).__name__


def require_tensors(values: Iterable[Any], argument: int = 0) -> None:
    """Raises G014 where one of the values that argument number `argument` lists is no tensor."""
    for i, x in enumerate(values):
        if not isinstance(x, (Node, Tensor)):
            raise GradcliError(
                "G014",
                f"expected Tensor as element {i} in argument {argument}, but got {type_of(x)}",
                kind=TypeError,
            )


def _check_mixed(
    function: Function, args: Args, kwargs: Kwargs, given: list[tuple[Parameter, Any]]
) -> None:
    """Raises where numbers stand for all operands of a function that needs a tensor among them."""
    mixed = any(parameter.mixed for parameter, _ in given) and not function.lenient
    if mixed and not any(isinstance(value, (Tensor, Node)) for _, value in given):
        help = ["make one of them a tensor: tensor(...)"]
        raise _misuse(function, args, kwargs, "", help=help, code="G014")


def _misuse(
    function: Function,
    args: Args,
    kwargs: Kwargs,
    problem: str | Callable[[int], str],
    *,
    help: list[str] | None = None,
    place: int = -1,
    code: str = "G013",
) -> Misuse:
    """The refusal of a call: of its combination of types where PyTorch has several signatures."""
    usage = f"its arguments are {function.__name__}{signature_text(function)}"
    count = len(args) + len(kwargs)
    several = _has_several(function) and not function.python

    def sentence(bound: int) -> str:
        if several:
            given = [type_of(value) for value in args[bound:]]
            # PyTorch keeps names in a table that gives the last one first.
            named = [f"{name}={type_of(value)}" for name, value in reversed(kwargs.items())]
            end = ", " if named and not given else ""
            return (
                f"{called(function)}() received an invalid combination of arguments - got "
                f"({', '.join([*given, *named])}{end}), but expected one of:"
            )
        said = problem if isinstance(problem, str) else problem(bound)
        owner = "TensorBase." if said.startswith("takes no") else ""
        return f"{owner}{called(function)}(){'' if said.startswith(':') else ' '}{said}"

    return Misuse(function, sentence, [*(help or []), usage], place=place, count=count, code=code)


def _has_several(function: Function) -> bool:
    """Whether PyTorch has several signatures for it."""
    by_name = function.parameters.by_name
    return callable(function.overload) or any(p.several for p in by_name.values())


MISFITS = (
    *(AttributeError, IndexError, KeyError, MemoryError, OverflowError, TypeError, ValueError),
    ZeroDivisionError,
)
"""What Python raises inside a body that was given arguments it was not written for."""


def misfit(function: Function, args: Args, kwargs: Kwargs, error: Exception) -> Exception:
    """After one of `MISFITS`: G014 for an argument of a wrong type, else G013.

    What a script's own function raised (a hook, say) has a `_failure` of the interpreter, and
    passes as it is.
    """
    if "_failure" in error.__dict__:
        return error
    if isinstance(error, MemoryError):
        return GradcliError("G060", f"{function.__name__}(): {error}", help="use smaller sizes")
    usage = f"its arguments are {function.__name__}{signature_text(function)}"
    for value in (*args, *kwargs.values()) if isinstance(error, AttributeError) else ():
        if not isinstance(value, (Tensor, Node)):
            sentence = f"{function.__name__}(): argument must be Tensor, not {type_of(value)}"
            return GradcliError("G014", sentence, help=usage, kind=TypeError)
    if isinstance(error, TypeError):
        sentence = str(error) if function.python else f"{function.__name__}(): {error}"
        return GradcliError("G014", sentence, help=usage, kind=TypeError)
    return GradcliError(
        "G013",
        f"{function.__name__}(): these arguments do not fit: {error}",
        help=usage,
        kind=type(error),
    )


def signature_text(function: Function) -> str:
    """A function's parameters as a user writes them: `(input, dim=None, keepdim=False)`."""
    import inspect
    import keyword

    signature = inspect.signature(function.body)
    empty, by_name = inspect.Parameter.empty, function.parameters.by_name
    bare = []
    for p in signature.parameters.values():
        if p.name != "self" and function.arguments.get(p.name, "") is not None:
            shown = by_name[p.name].shown if p.name in by_name else p.name
            shown += "_" * keyword.iskeyword(shown)
            bare.append(p.replace(annotation=empty, name=shown))
    return str(signature.replace(parameters=bare, return_annotation=empty))

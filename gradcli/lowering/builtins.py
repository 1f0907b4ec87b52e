"""Python's harmless built-ins as the language offers them: the same answers, bounded results.

Constraints: classes stay Python's own classes (so `isinstance(x, list)` holds) and are guarded
where they are called (`values.constructor`); nothing here opens, imports, evaluates or asks.
"""

from __future__ import annotations

import builtins
import typing
from collections.abc import Callable, Iterable
from functools import partial, reduce
from typing import Any, TextIO

from gradcli.errors import GradcliError
from gradcli.graph.dim import steps
from gradcli.graph.node import current
from gradcli.lowering.formatting import format_value
from gradcli.lowering.limits import BINARY, bounded, feed, too_large
from gradcli.lowering.values import CONSTRUCTORS, callback, has_attribute
from gradcli.tensor import Tensor
from gradcli.tensor.size import Size


def printer(stream: Callable[[], TextIO]) -> Callable[..., None]:
    """`print`, to whatever `stream` gives at the time; G002 for a `file`."""

    def write(*values: Any, file: Any = None, **options: Any) -> None:
        if file is not None:
            raise GradcliError("G002", "print has no file in gradcli", kind=TypeError)
        for name in options.keys() - {"sep", "end", "flush"}:
            raise TypeError(f"'{name}' is an invalid keyword argument for print()")
        if current.recording is not None:
            current.recording.fail("something was printed")
        print(*values, file=stream(), **options)

    write.__name__ = write.__qualname__ = "print"
    return write


def _make_int(value: Any = 0, *base: Any, **named: Any) -> int:
    try:
        return int(value, *base, **named)
    except ValueError as error:
        if "integer string conversion" in str(error):
            raise too_large("the integer") from None
        raise


def _make_text(*value: Any) -> str:
    if len(value) > 1:
        raise TypeError("decoding str is not supported")
    return str(*value)


def _type(*value: Any) -> type:
    if len(value) != 1:
        raise TypeError("type() takes 1 argument")
    return type(value[0])


def _collect(cls: Callable[..., Any]) -> Callable[..., Any]:
    def construct(*iterable: Any) -> Any:
        return cls(*(bounded(item) for item in iterable))

    return construct


def _make_dict(*mapping: Any, **named: Any) -> dict[Any, Any]:
    return dict(*(bounded(item) for item in mapping), **named)


def _map(function: Any, *iterables: Any) -> Any:
    return map(callback(function), *map(feed, iterables))


def _filter(function: Any, iterable: Any) -> Any:
    return filter(callback(function), feed(iterable))


def _lazily(cls: Callable[..., Any]) -> Callable[..., Any]:
    def construct(*iterables: Any, **named: Any) -> Any:
        return cls(*map(feed, iterables), **named)

    return construct


def fed(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` over its arguments, interruptible, with a guarded `key`."""

    def call(*args: Any, **named: Any) -> Any:
        if "key" in named:
            named["key"] = callback(named["key"])
        return function(*map(feed, args), **named)

    return call


def _sorted(*iterable: Any, key: Any = None, reverse: Any = False) -> list[Any]:
    return sorted(*map(bounded, iterable), key=callback(key), reverse=reverse)


def _sum(iterable: Iterable[Any], /, start: Any = 0) -> Any:
    return sum(feed(iterable), start)


def _power(base: Any, exp: Any, mod: Any = None) -> Any:
    return BINARY["**"](base, exp) if mod is None else pow(base, exp, mod)


def _partial(*given: Any, **named: Any) -> partial[Any]:
    if not given:
        raise TypeError("type 'partial' takes at least one argument")
    return partial(callback(given[0]), *given[1:], **named)


def _iterate(iterable: Any) -> Any:
    """Without Python's second form, which calls a function for ever."""
    return iter(iterable)


def _range(*bounds: Any) -> range:
    for bound in bounds:
        steps(bound, "turns")
    return range(*bounds)


class _Length:
    """`len`; a size that was declared keeps its name, which Python's own would drop."""

    __name__ = __qualname__ = "len"

    def __call__(self, *given: Any) -> int:
        if len(given) == 1 and isinstance(given[0], Tensor) and given[0].ndim:
            size: int = given[0].shape[0]
            return size
        return len(*given)

    def __repr__(self) -> str:
        return repr(len)


CONSTRUCTORS.update(
    {
        bool: bool,
        complex: complex,
        dict: _make_dict,
        enumerate: _lazily(enumerate),
        filter: _filter,
        float: float,
        frozenset: _collect(frozenset),
        int: _make_int,
        list: _collect(list),
        map: _map,
        partial: _partial,
        range: _range,
        reversed: _lazily(reversed),
        set: _collect(set),
        slice: slice,
        staticmethod: staticmethod,
        str: _make_text,
        tuple: _collect(tuple),
        type: _type,
        zip: _lazily(zip),
    }
)

PYTHON: dict[str, Any] = {
    **{cls.__name__: cls for cls in CONSTRUCTORS},
    "Ellipsis": ...,
    "NotImplemented": NotImplemented,
    "__name__": "__main__",
    "abs": abs,
    "all": fed(all),
    "any": fed(any),
    "ascii": ascii,
    "bin": bin,
    "callable": callable,
    "chr": chr,
    "divmod": divmod,
    "format": format_value,
    "hasattr": has_attribute,
    "hash": hash,
    "hex": hex,
    "isinstance": isinstance,
    "issubclass": issubclass,
    "iter": _iterate,
    "len": _Length(),
    "max": fed(max),
    "min": fed(min),
    "next": next,
    "oct": oct,
    "ord": ord,
    "pow": _power,
    "repr": repr,
    "round": round,
    "sorted": _sorted,
    "sum": _sum,
}
"""The built-ins by name; `print` belongs to an interpreter, which knows where to."""


def _size(sizes: Any = (), /) -> Size:
    return Size.of(bounded(sizes))


def _tensor(*sizes: Any, **named: Any) -> Tensor:
    from gradcli.functions.constructors import of_default

    made: Tensor = of_default(*sizes, **named)
    return made


# No built-ins of Python's, so they have no names above.
CONSTRUCTORS[Size], CONSTRUCTORS[Tensor] = _size, _tensor


def _reduce(function: Callable[..., Any], iterable: Iterable[Any], *initial: Any) -> Any:
    return reduce(function, bounded(iterable), *initial)


FUNCTOOLS: dict[str, Any] = {"partial": partial, "reduce": _reduce}
"""What `functools` has."""

TYPING: dict[str, Any] = {
    name: getattr(typing, name)
    for name in (
        *("Any", "Callable", "Dict", "FrozenSet", "Iterable", "Iterator", "List", "Literal"),
        *("Mapping", "Optional", "Sequence", "Set", "Tuple", "Type", "Union"),
    )
}
"""What `typing` has: the names that annotations are written with, which nothing evaluates."""

EXCEPTIONS: dict[str, type[BaseException]] = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, Exception)
}
"""Python's exceptions by name, without those that end a program."""
EXCEPTIONS["BaseException"] = BaseException

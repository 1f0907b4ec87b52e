"""Python's operators with a ceiling: no number, text or list grows without bound.

Constraints: the result is Python's own, or `GradcliError` G062 before the memory is taken; a check
costs less than the operation it guards.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from gradcli.errors import GradcliError
from gradcli.graph.dim import Dim

MAX_BITS = 1 << 22
"""The longest integer: about 1.2 million decimal digits."""
MAX_ITEMS = 50_000_000
"""The longest list, tuple, set or dict."""
MAX_TEXT = 200_000_000
"""The longest text, in characters."""
MAX_CALLS = 1000
"""How deep a script's functions and generators may run inside each other, as in Python."""
LONG_RANGE = 1_000_000
"""A longer range goes through Python steps, so that Ctrl-C and `--timeout` still get through."""

_REPEATED = (int, str, list, tuple)
_GROWING = frozenset((str, list, tuple))
_LAZY = frozenset((map, filter, zip, enumerate, reversed))
_SMALL = 1 << 4096


class Calls:
    """How many of the script's functions and generators are running inside each other."""

    __slots__ = ("depth",)

    def __init__(self) -> None:
        self.depth = 0

    def enter(self) -> None:
        """Counts one more; whoever leaves takes one off `depth`."""
        if self.depth >= MAX_CALLS:
            raise RecursionError("maximum recursion depth exceeded")
        self.depth += 1


calls = Calls()


def too_large(what: str) -> GradcliError:
    """The error for a result that is refused before it is built."""
    return GradcliError("G062", f"{what} would grow too large", kind=MemoryError)


def require_bits(bits: float) -> None:
    """Refuses an integer of more than `MAX_BITS` bits."""
    if bits > MAX_BITS:
        raise too_large("the integer")


def require_text(length: int) -> None:
    """Refuses a text of more than `MAX_TEXT` characters."""
    if length > MAX_TEXT:
        raise too_large("the text")


def require_items(count: int) -> None:
    """Refuses a collection of more than `MAX_ITEMS` items."""
    if count > MAX_ITEMS:
        raise too_large("the list")


def require_range(iterable: Any) -> None:
    """Refuses a range of more than `MAX_ITEMS` numbers; takes anything else."""
    if isinstance(iterable, range) and iterable[MAX_ITEMS:]:
        require_items(MAX_ITEMS + 1)


def bounded(iterable: Any) -> Any:
    """`iterable`, or the list of what an iterator yields; refused above `MAX_ITEMS` items."""
    require_range(iterable)
    if hasattr(iterable, "__next__"):
        iterable = list(islice(feed(iterable), MAX_ITEMS + 1))
        require_items(len(iterable))
    return iterable


def feed(iterable: Iterable[Any]) -> Iterable[Any]:
    """`iterable` for a consumer written in C, so that long ranges can be interrupted.

    Lazy iterators go through a generator as well: Python counts the depth of nested generators, but
    not that of a `map` over a `map` over a `map`, which overflows the C stack.
    """
    if type(iterable) in _LAZY or (isinstance(iterable, range) and _is_long(iterable)):
        return _relay(iterable)
    return iterable


def _is_long(numbers: range) -> bool:
    return bool(numbers[LONG_RANGE:])


def _relay(iterable: Iterable[Any]) -> Iterator[Any]:
    calls.enter()
    try:
        for value in iterable:
            calls.depth -= 1
            try:
                yield value
            finally:
                calls.depth += 1
    finally:
        calls.depth -= 1


def _grown(result: Any) -> Any:
    if type(result) is str:
        require_text(len(result))
    else:
        require_items(len(result))
    return result


def _plain(value: Any) -> Any:
    """A number that remembers how it was computed, or is a size, as the number that it is."""
    return int.__pos__(value) if isinstance(value, int) else value


def _check_product(left: Any, right: Any) -> None:
    if type(left) is int:
        if type(right) is int:
            if not (-_SMALL < left < _SMALL and -_SMALL < right < _SMALL):
                require_bits(left.bit_length() + right.bit_length())
            return
        left, right = right, left
    if type(right) is int and right > 0:
        (require_text if type(left) is str else require_items)(len(left) * right)


def _check_power(base: Any, exponent: Any) -> None:
    if type(base) is int and type(exponent) is int and exponent > 64:
        require_bits(max(base.bit_length() - 1, 0) * exponent)


def _check_shift(value: Any, count: Any) -> None:
    if type(value) is int and type(count) is int and value and count > 64:
        require_bits(value.bit_length() + count)


def _add(left: Any, right: Any) -> Any:
    if type(right) is Dim and type(left) is float:
        return right + left
    result = left + right
    return _grown(result) if type(result) in _GROWING else result


def _add_in_place(left: Any, right: Any) -> Any:
    if type(left) is list:
        right = bounded(right) if hasattr(right, "__iter__") else right
    left += right
    return _grown(left) if type(left) in _GROWING else left


def _guarded(check: Callable[[Any, Any], None], operate: Callable[[Any, Any], Any]) -> Any:
    def run(left: Any, right: Any) -> Any:
        if isinstance(left, _REPEATED) and isinstance(right, _REPEATED):
            check(_plain(left), _plain(right))
        return operate(left, right)

    return run


def _remainder(operate: Callable[[Any, Any], Any]) -> Any:
    def run(left: Any, right: Any) -> Any:
        if type(left) is str:
            from gradcli.lowering.formatting import percent

            return percent(left, right)
        return operate(left, right)

    return run


def _of_sizes(operate: Callable[[Any, Any], Any], turned: Callable[[Dim, float], Any]) -> Any:
    """The operation; `turned` for a size behind a float, because Python's float does not ask it."""

    def run(left: Any, right: Any) -> Any:
        if type(right) is Dim and type(left) is float:
            return turned(right, left)
        return operate(left, right)

    return run


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": _add,
    "-": _of_sizes(operator.sub, Dim.__rsub__),
    "*": _guarded(_check_product, _of_sizes(operator.mul, Dim.__rmul__)),
    "/": _of_sizes(operator.truediv, Dim.__rtruediv__),
    "//": operator.floordiv,
    "%": _remainder(operator.mod),
    "@": operator.matmul,
    "**": _guarded(_check_power, operator.pow),
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": _guarded(_check_shift, operator.lshift),
    ">>": operator.rshift,
}
"""What `left OP right` does."""

IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "+": _add_in_place,
    "-": operator.isub,
    "*": _guarded(_check_product, operator.imul),
    "/": operator.itruediv,
    "//": operator.ifloordiv,
    "%": _remainder(operator.imod),
    "@": operator.imatmul,
    "**": _guarded(_check_power, operator.ipow),
    "&": operator.iand,
    "|": operator.ior,
    "^": operator.ixor,
    "<<": _guarded(_check_shift, operator.ilshift),
    ">>": operator.irshift,
}
"""What `left OP= right` does."""

UNARY: dict[str, Callable[[Any], Any]] = {
    "-": operator.neg,
    "+": operator.pos,
    "~": operator.invert,
    "not": operator.not_,
}
"""What `OP operand` does."""

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "is": operator.is_,
    "is not": operator.is_not,
    "in": lambda item, container: operator.contains(container, item),
    "not in": lambda item, container: not operator.contains(container, item),
}
"""What `left OP right` answers."""

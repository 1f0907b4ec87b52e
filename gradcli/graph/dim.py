"""Sizes that have a name: an integer with a value to compute with and the way it was computed.

Constraints: a `Dim` is an int everywhere (its value is a prime of its own, so that shapes that fit
by name fit by value and others do not); arithmetic with numbers and other sizes keeps the names,
and where Python returns a plain int, `recovered` finds them again.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

from gradcli.errors import GradcliError

Form = str | tuple[str, Any, Any]
"""A name, or (operator, left, right) of sizes and numbers."""
FIRST, GAP, NEAR = 1009, 128, 48
"""The least prime, how far apart two are, and how far from one a number is still taken for it."""
OPERATORS = {
    **{"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv},
    **{"//": operator.floordiv, "%": operator.mod, "**": operator.pow},
}
PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "**": 3}


class _Named:
    """What named integers and named fractions share: arithmetic that keeps the names."""

    form: Form

    def __str__(self) -> str:
        return written(self.form)

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __add__(self, other: Any) -> Any:
        return _combined("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return _combined("+", other, self)

    def __sub__(self, other: Any) -> Any:
        return _combined("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _combined("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return _combined("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _combined("*", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _combined("/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _combined("/", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _combined("//", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _combined("//", other, self)

    def __mod__(self, other: Any) -> Any:
        return _combined("%", self, other)

    def __neg__(self) -> Any:
        return _combined("*", -1, self)


class Dim(_Named, int):
    """A named whole number: `form` says how it was computed."""

    def __new__(cls, value: int, form: Form) -> Dim:
        """The size `value`, called `form`."""
        made = int.__new__(cls, value)
        made.form = form
        return made

    def __hash__(self) -> int:
        return int.__hash__(self)


class Ratio(_Named, float):
    """A named number that is not whole, such as `1/n`."""

    def __new__(cls, value: float, form: Form) -> Ratio:
        """The number `value`, called `form`."""
        made = float.__new__(cls, value)
        made.form = form
        return made

    def __hash__(self) -> int:
        return float.__hash__(self)


def _combined(sign: str, a: Any, b: Any) -> Any:
    left, right = _plain(a), _plain(b)
    if left is None or right is None:
        return NotImplemented
    value = OPERATORS[sign](left, right)
    if isinstance(value, float):
        return Ratio(value, (sign, a, b))
    idle = 1 if sign == "*" else 0
    if sign in "+*" and left == idle:
        return b
    if sign in "+-*" and right == idle:
        return a
    if value == 0:
        return value
    return Dim(value, (sign, a, b))


def _plain(value: Any) -> Any:
    """The number without its name; None for what is no real number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if isinstance(value, int) else float(value)


def written(form: Any, above: int = 0) -> str:
    """A size as it was computed: `m*n`, `n - 1`."""
    form = getattr(form, "form", form)
    if not isinstance(form, tuple):
        return str(form)
    sign, left, right = form
    own = PRECEDENCE[sign]
    gap = " " if own == 1 else ""
    text = f"{written(left, own)}{gap}{sign}{gap}{written(right, own + 1)}"
    return f"({text})" if own < above else text


def bases(size: Any) -> dict[str, Dim]:
    """The declared sizes that a size was computed from, by name."""
    form = getattr(size, "form", None)
    if isinstance(form, str):
        return {form: size}
    return {**bases(form[1]), **bases(form[2])} if form else {}


def steps(count: int, what: str) -> int:
    """`count` as the length of a loop; raises G038 where it is a declared size."""
    if bases(count):
        raise GradcliError(
            "G038",
            f"the number of {what} is the declared size {count}: no formula has that many parts",
            help="gradcli eval gives the derivative at values: NAME=VALUE",
        )
    return count


def sized(size: Any, sizes: Mapping[str, int]) -> Any:
    """`size` computed again from other values of its names; a plain number itself."""
    form = getattr(size, "form", None)
    if isinstance(form, str):
        return sizes[form]
    if form is None:
        return size
    return OPERATORS[form[0]](sized(form[1], sizes), sized(form[2], sizes))


def primes(first: int = FIRST, gap: int = GAP) -> Iterable[int]:
    """Primes from `first` on, at least `gap` apart."""
    number = first
    while True:
        if all(number % k for k in range(2, int(number**0.5) + 1)):
            yield number
            number += gap
        else:
            number += 1


class Dims:
    """The declared sizes of one command: each name has a prime of its own."""

    def __init__(self) -> None:
        self._primes = iter(primes())
        self.known: dict[str, Dim] = {}

    def __getitem__(self, name: str) -> Dim:
        if name not in self.known:
            self.known[name] = Dim(next(self._primes), name)
        return self.known[name]


def recovered(value: Any, dims: Iterable[Dim]) -> Any:
    """A plain number with the names that it must have been computed from; itself without any.

    Recognised are products of declared sizes, a size give or take a few, and reciprocals and roots
    (square and fourth) of those.
    """
    if isinstance(value, (_Named, bool, complex)):
        return value
    if isinstance(value, int):
        return _recovered_whole(value, list(dims))
    if not 1e-15 < value < 1e15:
        return value
    for root in (1, 2, 4):
        for sign in (1, -1):
            size = value ** (sign * root)
            if 1 < size < 1e15 and abs(size - round(size)) < 1e-9 * size:
                named = recovered(round(size), dims)
                if isinstance(named, _Named):
                    return Ratio(value, ("**", named, sign / root))
    return value


def _recovered_whole(value: int, dims: list[Dim]) -> Any:
    rest, named = value, None
    for dim in dims:
        while rest and rest % int(dim) == 0:
            rest //= int(dim)
            named = dim if named is None else named * dim
    if named is not None:
        return named if rest == 1 else rest * named
    for dim in dims:
        if abs(value - int(dim)) <= NEAR:
            return dim + (value - int(dim)) if value > dim else dim - (int(dim) - value)
    return value

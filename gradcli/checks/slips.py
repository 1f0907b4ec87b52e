"""The usual slips in a derivative by hand: tried one after the other, the first that fits is named.

Constraints: a slip must explain every entry at every point; it is found by comparing numbers, never
by reading the formula.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.checks.factors import contributions, inner_slopes
from gradcli.checks.judge import floor_of, near
from gradcli.graph.shape import numel
from gradcli.tensor import Tensor

Array = Any
TOLERANCE = 1e-6


class Case:
    """One point: the right derivative, the one by hand (of any shape), the values and the output.

    `output` is the result of the expression at this point, with its graph; `by` the variable.
    """

    __slots__ = ("by", "hand", "output", "right", "values")

    def __init__(
        self, by: str, right: Array, hand: Array, values: Mapping[str, Any], output: Tensor
    ) -> None:
        self.by = by
        self.right = right
        self.hand = hand
        self.values = values
        self.output = output


Repair = Callable[[Case], Array]
"""The hand-written derivative after the slip was undone, or a factor of it."""


def slip(cases: Sequence[Case]) -> str | None:
    """The slip that explains the hand-written derivative at all points; None when none does."""
    if not cases or not all(np.all(np.isfinite(case.hand)) for case in cases):
        return None
    for words, repair in _candidates(cases):
        if all(_repairs(case, repair) for case in cases):
            return words
    return None


def _repairs(case: Case, repair: Repair) -> bool:
    with np.errstate(all="ignore"):
        found = repair(case)
        if np.shape(found) != case.right.shape or not np.any(found):
            return False
        return bool(np.all(near(found, case.right, TOLERANCE, floor_of(case.right))))


def _candidates(cases: Sequence[Case]) -> Iterator[tuple[str, Repair]]:
    yield from _factors(cases, "", _hand)
    if all(case.hand.ndim >= 2 for case in cases):
        yield "a transpose is missing", _turned
        yield from _factors(cases, "a transpose is missing, and ", _turned)
    for one, size in _sizes(cases[0]):
        for other, wrong in _sizes(cases[0]):
            yield f"it has 1/{other} where 1/{one} belongs", _times(_hand, _divided(wrong, size))
    yield from _missing_terms(cases)
    ratio = _ratio(cases[0], cases[0].hand)
    if ratio is not None:
        yield f"it is off by the constant factor {ratio:.6g}", _times(_hand, _same(ratio))


def _factors(cases: Sequence[Case], before: str, hand: Repair) -> Iterator[tuple[str, Repair]]:
    """Signs, twos, sizes, and derivatives of inner functions."""
    turned = _times(hand, _same(-1.0))
    yield f"{before}the sign is wrong", turned
    yield from _unsigned_factors(cases, before, hand)
    yield from _unsigned_factors(cases, f"{before}the sign is wrong, and ", turned)


def _unsigned_factors(
    cases: Sequence[Case], before: str, hand: Repair
) -> Iterator[tuple[str, Repair]]:
    yield f"{before}a factor 2 is missing", _times(hand, _same(2.0))
    yield f"{before}a factor 2 is too much", _times(hand, _same(0.5))
    sizes = list(_sizes(cases[0]))
    for name, size in sizes:
        for count in (1, 2):
            words = f"{before}the factor {count}/{name} is missing"
            yield words, _times(hand, _divided(_same(count), size))
    for number, text in enumerate(inner_slopes(cases[0].output, cases[0].values)):
        inner = _inner(number)
        yield f"{before}{text} is missing (chain rule)", _times(hand, inner)
        yield f"{before}{text} is too much (chain rule)", _times(hand, _divided(_same(1), inner))
    for name, size in sizes:
        yield f"{before}the factor {name} is missing", _times(hand, size)


def _hand(case: Case) -> Array:
    return case.hand


def _turned(case: Case) -> Array:
    return np.swapaxes(case.hand, -1, -2)


def _same(value: float) -> Repair:
    return lambda case: value


def _times(one: Repair, other: Repair) -> Repair:
    return lambda case: one(case) * other(case)


def _divided(one: Repair, other: Repair) -> Repair:
    return lambda case: one(case) / other(case)


def _inner(number: int) -> Repair:
    return lambda case: list(inner_slopes(case.output, case.values).values())[number]


def _sizes(case: Case) -> Iterator[tuple[str, Repair]]:
    """The numbers of elements and rows that a mean may have divided by, by name."""
    names = [case.by, *(name for name in case.values if name != case.by)]
    tensors = {name: case.values[name] for name in names if isinstance(case.values[name], Tensor)}
    for name, value in tensors.items():
        if numel(tuple(value.shape)) > 1:
            yield f"numel({name})", _size(name, None)
    for name, value in tensors.items():
        for axis in range(value.ndim if value.ndim > 1 else 0):
            yield f"{name}.shape[{axis}]", _size(name, axis)


def _size(name: str, axis: int | None) -> Repair:
    def size(case: Case) -> float:
        shape = tuple(case.values[name].shape)
        return float(numel(shape) if axis is None else shape[axis])

    return size


def _missing_terms(cases: Sequence[Case]) -> Iterator[tuple[str, Repair]]:
    for number, text in enumerate(contributions(cases[0].output, cases[0].by, cases[0].values)):
        yield f"the term through {text} is missing (product rule)", _with_term(number)


def _with_term(number: int) -> Repair:
    def repair(case: Case) -> Array:
        parts = list(contributions(case.output, case.by, case.values).values())
        return case.hand + parts[number].reshape(case.right.shape)

    return repair


def _ratio(case: Case, hand: Array) -> float | None:
    """The constant that the hand-written derivative has to be multiplied by."""
    if hand.shape != case.right.shape or hand.size < 2:
        return None
    place = np.unravel_index(np.argmax(np.abs(hand)), hand.shape)
    return float(case.right[place] / hand[place]) if hand[place] else None

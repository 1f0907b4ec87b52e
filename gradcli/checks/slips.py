"""The usual slips in a derivative by hand: tried one after the other, the first that fits is named.

Constraints: a slip must explain every entry at every point; it is found by comparing numbers. Here
are factors, transposes and terms; what is none of these is in repairs.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from gradcli.checks.case import Case, Repair, nothing, same
from gradcli.checks.edits import parts
from gradcli.checks.problem import value_of
from gradcli.checks.repairs import Slip, changes, departures, other_problems, structure, symmetries
from gradcli.errors import GradcliError
from gradcli.graph.shape import numel
from gradcli.language import ast
from gradcli.language.print import unparse
from gradcli.source import Source, Span
from gradcli.tensor import Tensor

Array = Any
EVIDENCE = 3
"""How many different numbers a change of the formula must explain: fewer agree by chance."""
TWO = ast.Constant(2, span=Span(Source("<slip>", ""), 0, 0))
ClosedForm = Callable[[tuple[str, ...]], ast.Expression | None]
"""Finds the derivative by some variables as a formula; None where it has none."""
CONSTANTS = {
    "1/log(2)": 1 / np.log(2.0),
    "1/log(10)": 1 / np.log(10.0),
    "pi": np.pi,
    "2*pi": 2 * np.pi,
    "sqrt(2)": np.sqrt(2.0),
    "1/sqrt(2*pi)": 1 / np.sqrt(2 * np.pi),
    "2/sqrt(pi)": 2 / np.sqrt(np.pi),
}
"""Constant factors that have a name."""


def slip(cases: Sequence[Case], closed: ClosedForm | None = None) -> str | None:
    """The slip that explains the hand-written derivative at all points; None when none does.

    Args:
        cases: the points.
        closed: finds the right formula, if there is one, to compare with.
    """
    if not cases or not all(np.all(np.isfinite(case.hand)) for case in cases):
        return None
    told = [case for case in cases if np.any(case.right)]
    if not told:
        return None
    for words, repair in chain(_candidates(told), _compared(told, closed)):
        if all(_repairs(case, repair) for case in (*told, *cases)):
            return words
    return None


def _repairs(case: Case, repair: Repair) -> bool:
    """Whether the repaired derivative is the right one; one that does not fit is none."""
    try:
        with np.errstate(all="ignore"):
            return same(repair(case), case.right)
    except (GradcliError, ValueError, KeyError):  # does not broadcast, is not there at this point
        return False


def _candidates(cases: Sequence[Case]) -> Iterator[Slip]:
    yield from _factors(cases, "", _hand)
    if all(case.hand.ndim >= 2 for case in cases):
        yield "a transpose is missing", _turned
        yield from _factors(cases, "a transpose is missing, and ", _turned)
    for one, size in _sizes(cases[0]):
        for other, wrong in _sizes(cases[0]):
            yield f"it has 1/{other} where 1/{one} belongs", _times(_hand, _divided(wrong, size))
    for text in cases[0].terms:
        yield f"{text} is missing", _with_term(text)
    yield from structure()
    yield from other_problems(cases[0])
    if _varied(cases):
        yield from changes(cases[0])
    yield from symmetries(cases[0])
    if _varied(cases):
        yield from _part_factors(cases)
        for text in cases[0].arrivals:
            words = f"the derivative of {text} by {cases[0].by} is missing (chain rule)"
            yield words, _stopped(text)
    ratio = _ratio(cases[0], cases[0].hand)
    if ratio is not None:
        name = next((n for n, v in CONSTANTS.items() if np.isclose(v, ratio, 1e-6)), None)
        shown = f"{ratio:.6g}" + (f", {name}" if name else "")
        yield f"it is off by the constant factor {shown}", _times(_hand, _same(ratio))


def _compared(cases: Sequence[Case], closed: ClosedForm | None) -> Iterator[Slip]:
    """What departs from the right formula in one place."""
    formula = closed(cases[0].problem.by) if closed is not None and _varied(cases) else None
    if formula is not None:
        yield from departures(cases[0], formula)


def _factors(cases: Sequence[Case], before: str, hand: Repair) -> Iterator[Slip]:
    """Signs, twos, sizes, and derivatives of inner functions."""
    turned = _times(hand, _same(-1.0))
    yield f"{before}the sign is wrong", turned
    yield from _unsigned_factors(cases, before, hand)
    yield from _unsigned_factors(cases, f"{before}the sign is wrong, and ", turned)


def _unsigned_factors(cases: Sequence[Case], before: str, hand: Repair) -> Iterator[Slip]:
    yield f"{before}a factor 2 is missing", _times(hand, _same(2.0))
    yield f"{before}a factor 2 is too much", _times(hand, _same(0.5))
    sizes = list(_sizes(cases[0]))
    for name, size in sizes:
        for count in (1, 2):
            words = f"{before}the factor {count}/{name} is missing"
            yield words, _times(hand, _divided(_same(count), size))
    for text in cases[0].slopes:
        inner = _inner(text)
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


def _inner(text: str) -> Repair:
    return lambda case: case.slopes[text]


def _part_factors(cases: Sequence[Case]) -> Iterator[Slip]:
    """A part of the expression as a factor: of roots, logarithms and quotients the chain rule has
    one.
    """
    seen = set()
    for part in parts(cases[0].problem.tree):
        text = unparse(part)
        if isinstance(part, ast.Constant) or text in seen:
            continue
        seen.add(text)
        for power, shown in ((1, text), (2, unparse(ast.Power(part, TWO, span=part.span)))):
            factor = _part(part, power)
            yield f"a division by {shown} is missing", _divided(_hand, factor)
            yield f"the factor {shown} is missing", _times(_hand, factor)


def _part(part: ast.Expression, power: int) -> Repair:
    return lambda case: value_of(part, case.values) ** power


def _sizes(case: Case) -> Iterator[Slip]:
    """The numbers of elements and rows that a mean may have divided by, by name."""
    names = [case.by, *(name for name in case.values if name != case.by)]
    tensors = {name: case.values[name] for name in names if isinstance(case.values[name], Tensor)}
    for name, value in tensors.items():
        if numel(tuple(value.shape)) > 1:
            yield f"numel({name})", _size(name, None)
    for name, value in tensors.items():
        for axis in range(value.ndim if value.ndim > 1 else 0):
            yield f"{name}.shape[{axis}]", _size(name, axis)
    for name, value in tensors.items():
        if numel(tuple(value.shape)) > 2:
            yield f"(numel({name}) - 1)", _size(name, None, 1)


def _size(name: str, axis: int | None, less: int = 0) -> Repair:
    def size(case: Case) -> float:
        shape = tuple(case.values[name].shape)
        return float((numel(shape) if axis is None else shape[axis]) - less)

    return size


def _with_term(text: str) -> Repair:
    return lambda case: case.hand + case.terms[text].reshape(case.right.shape)


def _stopped(text: str) -> Repair:
    """What repairs a derivative that is the one by an operation inside."""

    def repair(case: Case) -> Array:
        found = np.broadcast_to(case.arrivals[text], case.hand.shape)
        return case.right if same(case.hand, found) else nothing(case)

    return repair


def _varied(cases: Sequence[Case]) -> bool:
    """Whether there are enough different numbers to tell a change from chance."""
    found = np.concatenate([case.right.reshape(-1) for case in cases])
    return len(np.unique(np.round(found / (np.abs(found).max() or 1.0), 9))) >= EVIDENCE


def _ratio(case: Case, hand: Array) -> float | None:
    """The constant that the hand-written derivative has to be multiplied by."""
    if hand.shape != case.right.shape or hand.size < 2:
        return None
    place = np.unravel_index(np.argmax(np.abs(hand)), hand.shape)
    return float(case.right[place] / hand[place]) if hand[place] else None

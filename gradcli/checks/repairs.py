"""Repairs of a wrong derivative by hand that are no factor: of its structure, variable and formula.

Constraints: each is the words for a slip, and what undoes it at one point.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import numpy as np

from gradcli.checks.case import Case, Repair, nothing, same
from gradcli.checks.edits import Edit, edits, masks, reductions, small_constants
from gradcli.checks.points import array_of
from gradcli.checks.problem import Problem, hand_written
from gradcli.functions.create import from_array
from gradcli.graph.shape import numel
from gradcli.language import ast
from gradcli.language.print import unparse
from gradcli.tensor import Tensor

Array = Any
Slip = tuple[str, Repair]
"""The words for a slip, and what undoes it at one point."""
CHANGES = 600
"""How many changes of a formula are evaluated."""


# -- slips of whole arrays: diagonals, and sums that undo broadcasting


def structure() -> Iterator[Slip]:
    """One part of a Jacobian is right, or the parts were not added up."""
    yield "the entries off the diagonal are missing", _with_others(missing=True)
    yield "only the diagonal is wrong: a diag(...) is missing or too much", _with_diagonal
    yield "only the entries off the diagonal are wrong", _with_others(missing=False)
    yield "the sum over the axes along which it is broadcast is missing", _summed


def _square(case: Case) -> Array:
    """Where the diagonal of a Jacobian is; raises ValueError for what has none."""
    size = case.right.ndim // 2
    if case.right.ndim < 2 or case.right.shape[:size] != case.right.shape[size:]:
        raise ValueError("no Jacobian")
    count = numel(case.right.shape[:size])
    return np.eye(count, dtype=bool).reshape(case.right.shape)


def _with_diagonal(case: Case) -> Array:
    """The hand-written entries off the diagonal, and the right ones on it."""
    place = _square(case)
    others = bool(np.any(np.where(place, 0, case.right)))  # else there is only a diagonal
    return np.where(place, case.right, case.hand) if others else nothing(case)


def _with_others(missing: bool) -> Repair:
    def repair(case: Case) -> Array:
        """The hand-written entries on the diagonal, and the right ones off it."""
        place = _square(case)
        others = bool(np.any(np.where(place, 0, case.hand)))
        return nothing(case) if missing and others else np.where(place, case.hand, case.right)

    return repair


def _summed(case: Case) -> Array:
    extra = case.hand.ndim - case.right.ndim
    if extra < 0:
        raise ValueError("nothing to sum over")
    shape = case.hand.shape[extra:]
    again = [extra + i for i, n in enumerate(shape) if n != 1 and case.right.shape[i] == 1]
    axes = (*range(extra), *again)
    if not axes:
        raise ValueError("nothing to sum over")
    return np.sum(case.hand, axis=axes).reshape(case.right.shape)


# -- the right derivative of another problem


def other_problems(case: Case) -> Iterator[Slip]:
    """The derivative by another variable, or of the expression without an epsilon."""
    tree, by = case.problem.tree, case.problem.by
    for name, value in case.values.items() if len(by) == 1 else ():
        if name not in by and isinstance(value, Tensor) and value.is_floating_point():
            yield f"it is the derivative by {name}", _derivative_of(tree, (name,))
    for edit in small_constants(tree):
        yield f"it leaves out {edit.before}", _derivative_of(edit.tree, by)


def symmetries(case: Case) -> Iterator[Slip]:
    """It would be right if a square matrix were symmetric."""
    for name, value in case.values.items():
        if isinstance(value, Tensor) and value.ndim == 2 and value.shape[0] == value.shape[1] > 1:
            yield f"it holds only where {name} is symmetric", _symmetric(name)


def _derivative_of(tree: ast.Expression, by: tuple[str, ...]) -> Repair:
    """The right derivative where the one by hand is that of `tree` by `by`."""

    def repair(case: Case) -> Array:
        found = Problem(tree, by, case.problem.seed).autodiff(case.values)
        return case.right if same(case.hand, found) else nothing(case)

    return repair


def _symmetric(name: str) -> Repair:
    def repair(case: Case) -> Array:
        given = array_of(case.values[name])
        values = {**case.values, name: from_array((given + given.T) / 2)}
        other = Problem(case.problem.tree, case.problem.by, case.problem.seed)
        right = other.autodiff(values)
        hand = hand_written(case.formula, values, right.shape, case.values[case.by].ndim)
        return case.right if np.any(right) and same(hand, right) else nothing(case)

    return repair


# -- one wrong place in the formula


def changes(case: Case) -> Iterator[Slip]:
    """The formula with one place changed, for the usual changes of every place."""
    names = [name for name, value in case.values.items() if isinstance(value, Tensor)]
    for edit in islice(edits(case.formula, names, masks(case.problem.tree)), CHANGES):
        yield _told(edit), _edited(edit)


def departures(case: Case, formula: ast.Expression) -> Iterator[Slip]:
    """The right formula with one place changed, as far as it is what the one by hand amounts to."""
    names = [name for name, value in case.values.items() if isinstance(value, Tensor)]
    whole = unparse(formula)
    for edit in islice(chain(reductions(formula), edits(formula, names)), CHANGES):
        words = _lacking(edit)
        yield words if edit.before == whole else f"{words}: {whole}", _departed(edit)


def _lacking(edit: Edit) -> str:
    """What the changed formula lacks: a term, or else the place in which it differs."""
    last = edit.before.removeprefix(f"{edit.after} ")
    first = edit.before.removesuffix(f" + {edit.after}")
    if last != edit.before and last[0] in "+-":
        return f"{last} is missing"
    if first != edit.before:
        return f"{first} is missing"
    return f"it amounts to {edit.after} where {edit.before} belongs"


def _departed(edit: Edit) -> Repair:
    def repair(case: Case) -> Array:
        fits = np.any(case.hand) and same(case.other(edit.tree), case.hand)
        return case.right if fits else nothing(case)

    return repair


def _edited(edit: Edit) -> Repair:
    return lambda case: case.other(edit.tree)


def _told(edit: Edit) -> str:
    whole = unparse(edit.tree)
    place = f"{edit.before} should be {edit.after}"
    return place if edit.after == whole else f"{place}: {whole}"

"""One point at which a derivative by hand is wrong: all that there is to find out why.

Constraints: data, and what the graph says of it, computed once and when wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from gradcli.checks.factors import arrivals, contributions, inner_slopes
from gradcli.checks.judge import floor_of, near
from gradcli.checks.problem import Problem, hand_written
from gradcli.language import ast

Array = Any
TOLERANCE = 1e-6


class Case:
    """One point: the right derivative, the one by hand (of any shape), and what both come from.

    Attributes:
        problem: the expression, and by which variables.
        right, hand: the derivatives there; formula: of the one by hand.
        values: of the variables; output: the result of the expression, with its graph.
    """

    def __init__(
        self,
        problem: Problem,
        right: Array,
        hand: Array,
        formula: ast.Expression,
        values: Mapping[str, Any],
    ) -> None:
        self.problem = problem
        self.right = right
        self.hand = hand
        self.formula = formula
        self.values = values
        self.output = problem.output

    @property
    def by(self) -> str:
        """The variable, the last one of a second derivative."""
        return self.problem.by[-1]

    @cached_property
    def slopes(self) -> dict[str, Array]:
        """See `inner_slopes`; none of a second derivative."""
        return inner_slopes(self.output, self.values) if len(self.problem.by) == 1 else {}

    @cached_property
    def terms(self) -> dict[str, Array]:
        """See `contributions`; none of a second derivative."""
        first = len(self.problem.by) == 1
        return contributions(self.output, self.by, self.values) if first else {}

    @cached_property
    def arrivals(self) -> dict[str, Array]:
        """See `arrivals`; none of a second derivative."""
        first = len(self.problem.by) == 1
        return arrivals(self.output, self.by, self.values) if first else {}

    def other(self, formula: ast.Expression) -> Array:
        """What another formula gives here; raises GradcliError where it cannot be evaluated."""
        size = self.values[self.by].ndim
        return hand_written(formula, self.values, self.right.shape, size)


Repair = Callable[[Case], Array]
"""The hand-written derivative after the slip was undone, or a factor of it."""


def same(found: Array, right: Array) -> bool:
    """Whether an array is the right one, up to rounding."""
    if np.shape(found) != np.shape(right) or not np.all(np.isfinite(found)):
        return False
    return bool(np.all(near(found, right, TOLERANCE, floor_of(right))))


def nothing(case: Case) -> Array:
    """What repairs nothing."""
    return np.full_like(case.right, np.nan)

"""Where a formula is not PyTorch's answer: singular points and ties, at which autograd has rules of
its own that no formula says.

Constraints: nothing is claimed that was not evaluated; a point at which the formula agrees is not
mentioned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gradcli.calculus.reference import Reference
from gradcli.calculus.results import Derivatives
from gradcli.calculus.task import Task
from gradcli.calculus.verify import ABSOLUTE, ANY_SHAPES, RELATIVE, SIZES, Formula
from gradcli.errors import GradcliError
from gradcli.graph.shape import Shape
from gradcli.language.print import unparse


def exceptions(task: Task, found: Derivatives) -> dict[str, list[str]]:
    """For each derivative the points where PyTorch's is another one, in words."""
    conditions = _texts(task)
    said: dict[str, list[str]] = {name: [] for name in found}
    if not conditions:
        return said
    reference = Reference(task)
    for sizes in reference.choices(SIZES[:1], ANY_SHAPES[:1]):
        for point in _points(reference.shapes(sizes)):
            _compare(reference, point, found, conditions, said)
    return said


def _texts(task: Task) -> list[str]:
    """The conditions of the choices that the formulas leave out."""
    writer = task.writer()
    found: dict[str, None] = {}
    for condition in task.rewrite.dropped:
        try:
            found[unparse(writer(condition).tree)] = None
        except GradcliError:  # a condition without words is none of the formula's names
            continue
    return sorted(found, key=len)


def _points(shapes: Mapping[str, Shape]) -> Iterator[dict[str, Any]]:
    """Points at which elements are zero, equal, or zero and equal in places."""
    for number in (0.0, 1.0):
        yield {name: np.full(shape, number) for name, shape in shapes.items()}
    mixed = {name: np.arange(np.prod(shape, dtype=int)) % 3 for name, shape in shapes.items()}
    yield {name: mixed[name].reshape(shape).astype(float) for name, shape in shapes.items()}


def _compare(
    reference: Reference,
    point: Mapping[str, Any],
    found: Derivatives,
    conditions: list[str],
    said: dict[str, list[str]],
) -> None:
    try:
        expected = reference.derivatives(point)
        variables = reference.variables(point)
        values = {n: Formula(d.formula, d.where).value(variables) for n, d in found.items()}
        here = [c for c in conditions if np.any(Formula(c, {}).value(variables))]
    except GradcliError:
        return
    if expected is None or not here:
        return
    for name, value in values.items():
        right = np.broadcast_to(
            expected[name], np.broadcast_shapes(value.shape, expected[name].shape)
        )
        value = np.broadcast_to(value, right.shape)
        wrong = ~(np.abs(value - right) <= RELATIVE * np.abs(right) + ABSOLUTE)
        if wrong.any() and not any(here[0] in line for line in said[name]):
            place = np.argmax(wrong)
            said[name].append(
                f"where {here[0]} PyTorch takes {right.flat[place] + 0.0:g} for an element of the "
                f"derivative by {name}, the formula gives {value.flat[place] + 0.0:g}"
            )

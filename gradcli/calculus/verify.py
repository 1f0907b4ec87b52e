"""The check that every formula passes before anybody sees it: its text, evaluated, is the engine's
derivative at points in the domain, at sizes that cannot hide a transpose.

Constraints: float64; the points are the same in every run; the text goes through the language as a
user's would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gradcli.calculus.reference import Reference
from gradcli.calculus.trace import in_float64
from gradcli.errors import ExitStatus, GradcliError
from gradcli.graph.shape import Shape
from gradcli.language.parser import parse_expression
from gradcli.lowering.interpret import Interpreter
from gradcli.ops.matrices import LinAlgError
from gradcli.source import Source
from gradcli.tensor import Tensor
from gradcli.tensor.storage import Stop

SIZES = ((3, 5, 2, 7, 4, 6, 11, 8), (5, 2, 7, 3, 6, 4, 2, 9))
"""Sizes for declared names, in order of appearance; two runs."""
ANY_SHAPES: tuple[Shape, ...] = ((2, 3), (), (5,))
"""What stands for a tensor of any shape."""
ENOUGH, MANY = 2, 6
"""Points in the domain at each choice of sizes; of formulas with choices, which have pieces."""
CHOICES = ("where(", "relu(", "clamp", "max", "min", "sgn(", "abs(", "sort(", "median(")
"""What the text of a formula or an expression with pieces has."""
RELATIVE, ABSOLUTE = 1e-7, 1e-9


class Withheld(GradcliError):
    """A formula did not pass its check: a bug of gradcli, and nothing wrong was printed."""

    exit_status = ExitStatus.BUG


class Formula:
    """A formula to check: its text and the names it uses, in order."""

    def __init__(self, text: str, where: Mapping[str, str]) -> None:
        self.text = text
        self.where = dict(where)

    def value(self, variables: Mapping[str, Any]) -> Any:
        """Its value, as an array."""
        known = dict(variables)
        with in_float64(), Stop(False):
            for name, text in self.where.items():
                known[name] = _evaluated(text, known)
            found = _evaluated(self.text, known)
        return found.array() if isinstance(found, Tensor) else np.asarray(found, np.float64)


def _evaluated(text: str, variables: Mapping[str, Any]) -> Any:
    return Interpreter(dict(variables)).evaluate(parse_expression(Source("<formula>", text)))


def mismatch(
    formulas: Mapping[str, Formula], reference: Reference, *, poles: bool = False
) -> str | None:
    """The name of the first formula that is wrong somewhere; None when all are right everywhere.

    Args:
        formulas: by the names that `reference` has for them.
        reference: the derivatives by numbers.
        poles: whether points do not count at which a formula is not finite.

    Raises:
        GradcliError: G039 when there is no point to check at.
    """
    failure: GradcliError | None = None
    checked = 0
    enough = _enough(formulas, reference)
    for sizes in reference.choices(SIZES, ANY_SHAPES):
        good = 0
        for point in points(reference.shapes(sizes), reference.values):
            try:
                expected = reference.derivatives(point)
            except GradcliError as error:
                failure = error
                continue
            if expected is None:
                continue
            try:
                wrong = _first_wrong(formulas, reference, point, expected, poles)
            except _Singular:
                continue  # rounding decides here, so that nothing can be compared
            if wrong is not None:
                return wrong
            good += 1
            if good == enough:
                break
        checked += good
    if not checked:
        raise _nowhere(failure)
    return None


def _enough(formulas: Mapping[str, Formula], reference: Reference) -> int:
    """How many points are enough."""
    texts = [reference.traced.expression.span.text]
    texts += [text for f in formulas.values() for text in (f.text, *f.where.values())]
    return MANY if any(word in text for text in texts for word in CHOICES) else ENOUGH


class _Singular(Exception):
    """No formula can be compared at this point."""


def _first_wrong(
    formulas: Mapping[str, Formula],
    reference: Reference,
    point: Mapping[str, Any],
    expected: Any,
    poles: bool,
) -> str | None:
    """The name of the first formula that is wrong at a point; None when all are right there."""
    for name, formula in formulas.items():
        variables = reference.variables(point)
        if not _agrees(formula, variables, expected[name]):
            if poles and _has_pole(formula, variables):
                raise _Singular
            steady = _steady(reference, point, name, expected[name])
            if steady and not _rounded(formula, reference, point, expected[name]):
                return name
            raise _Singular
    return None


def _agrees(formula: Formula, variables: Mapping[str, Any], expected: Any) -> bool:
    try:
        found = formula.value(variables)
    except GradcliError as error:
        if error.kind is LinAlgError:  # an inverse where there is none: the formula holds elsewhere
            raise _Singular from None
        return False
    if found.shape != expected.shape:
        if found.size != 1 and found.ndim > 0:
            return False
        if found.ndim == 0 and not np.allclose(expected, expected.flat[0] if expected.size else 0):
            return False
        return bool(np.allclose(expected, found, rtol=RELATIVE, atol=ABSOLUTE)) and found.ndim == 0
    size = max(float(np.max(np.abs(expected), initial=0.0)), 0.0)
    return bool(np.all(np.abs(found - expected) <= RELATIVE * size + ABSOLUTE))


def _has_pole(formula: Formula, variables: Mapping[str, Any]) -> bool:
    """Whether a formula has a value that is not finite."""
    try:
        return not np.isfinite(formula.value(variables)).all()
    except GradcliError:
        return False


def _steady(reference: Reference, point: Mapping[str, Any], name: str, expected: Any) -> bool:
    """Whether the derivative is the same a hair's breadth beside the point."""
    try:
        found = reference.derivatives(_beside(point))
    except GradcliError:
        return False
    if found is None:
        return False
    size = float(np.max(np.abs(expected), initial=0.0))
    return bool(np.all(np.abs(found[name] - expected) <= RELATIVE * size + ABSOLUTE))


def _rounded(
    formula: Formula, reference: Reference, point: Mapping[str, Any], expected: Any
) -> bool:
    """Whether a formula is off by no more than its own rounding, where large terms cancel."""
    try:
        values = [formula.value(reference.variables(p)) for p in (point, _beside(point))]
    except GradcliError:
        return False
    if values[0].shape != expected.shape:
        return False
    off, noise = (np.abs(x - values[0]) for x in (expected, values[1]))
    return bool(np.max(off, initial=0.0) <= 10 * np.max(noise, initial=0.0))


def _beside(point: Mapping[str, Any]) -> dict[str, Any]:
    return {n: np.asarray(x) * (1 + 1e-13) for n, x in point.items()}


def _nowhere(failure: GradcliError | None) -> GradcliError:
    notes = [] if failure is None else [f"at the points tried: {failure}"]
    return GradcliError(
        "G039",
        "no point was found where the expression and its derivative are finite, so the formula "
        "could not be checked",
        notes=notes,
        help="give values to start from: NAME=VALUE",
    )


# -- points


def points(shapes: Mapping[str, Shape], values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Points to evaluate at: the given values, then numbers of several kinds."""
    if values and set(values) == set(shapes):
        yield dict(values)
    for kind in ("normal", "unit", "positive", "definite", "normal", "unit", "small"):
        seed = _Numbers(len(kind) * 977 + 13 * len(shapes))
        yield {name: seed.array(shape, kind) for name, shape in shapes.items()}


class _Numbers:
    """A fixed sequence of numbers that look random (a Weyl sequence)."""

    def __init__(self, start: int) -> None:
        self.place = start

    def unit(self, shape: Shape) -> Any:
        """Numbers between 0 and 1."""
        count = int(np.prod(shape, dtype=np.int64))
        steps = np.arange(self.place, self.place + count, dtype=np.float64)
        self.place += count + 7
        return (np.modf(np.sin(steps * 12.9898) * 43758.5453)[0] % 1.0).reshape(shape)

    def array(self, shape: Shape, kind: str) -> Any:
        """Numbers of a kind in a shape."""
        unit = 0.04 + 0.92 * self.unit(shape)
        if kind == "unit":
            return unit
        if kind == "small":
            return unit if not shape else unit / 16
        if kind == "positive":
            return 0.3 + 2 * unit
        spread = np.log(unit / (1 - unit))
        if kind == "definite" and len(shape) >= 2 and shape[-1] == shape[-2]:
            return spread @ np.swapaxes(spread, -1, -2) + np.eye(shape[-1])
        return spread

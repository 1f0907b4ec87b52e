"""One check: every variable's derivative at every point, by autodiff, by differences and by hand.

Constraints: a report for each variable, whatever is wrong with it; only an expression that cannot
be evaluated, or options that do not fit, raise.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from gradcli.api import differentiated
from gradcli.checks.case import Case
from gradcli.checks.differences import rounding, slope
from gradcli.checks.directions import DIRECTIONS, contradiction
from gradcli.checks.judge import Entries, Slopes, Verdict
from gradcli.checks.points import Noise, Points, Values, array_of
from gradcli.checks.problem import Misfit, Problem, hand_written
from gradcli.checks.report import Report, Worst
from gradcli.checks.slips import ClosedForm, slip
from gradcli.errors import GradcliError, did_you_mean
from gradcli.language import ast
from gradcli.source import Span

Array = Any
COORDINATES = 128
"""Coordinates of a variable by which differences are taken; of more, as many drawn at random, and
the rest along random directions."""
SHOWN = 5


class Settings:
    """How to check: points, seed, tolerance, order, and the variables."""

    def __init__(
        self,
        *,
        samples: int = 3,
        seed: int = 0,
        tolerance: float = 1e-6,
        order: int = 1,
        wrt: Sequence[str] | None = None,
    ) -> None:
        self.samples = samples
        self.seed = seed
        self.tolerance = tolerance
        self.order = order
        self.wrt = wrt


def check(
    name: str,
    tree: ast.Expression,
    variables: Mapping[str, Any],
    expected: Mapping[str, ast.Expression],
    settings: Settings,
    place: Span | None = None,
    closed: ClosedForm | None = None,
) -> Iterator[Report]:
    """Checks the derivatives of an expression; one report a variable.

    Args:
        name: what reports call the check.
        tree: the expression.
        variables: values in float64, and placeholders for shapes that get random values.
        expected: variable (`x`, or `x,y` for a mixed second derivative) -> hand-written derivative.
        settings: see there.
        place: of the check in a file.
        closed: finds the right formula, to say what one by hand lacks.

    Raises:
        GradcliError: where the expression cannot be evaluated, or a name is no variable.
    """
    problems = _problems(tree, variables, settings)
    hands = {_label(key, problems, settings.order): value for key, value in expected.items()}
    noise = next(iter(problems.values())).noise
    noises = (partial(_fitting, noise, problems, hands), noise)
    points = Points(variables, settings.samples, settings.seed, noises)
    for label, problem in problems.items():
        report = Report(name, label, points.words, place)
        began = time.perf_counter()
        _fill(report, problem, points.values(), hands.get(label), settings, closed)
        report.seconds = time.perf_counter() - began
        yield report


def _problems(
    tree: ast.Expression, variables: Mapping[str, Any], settings: Settings
) -> dict[str, Problem]:
    """The derivatives to check, each by a variable or a pair of them, by label."""
    names = differentiated(variables, settings.wrt)
    if not names:
        raise GradcliError("G012", "there is no variable to differentiate by", help="give one: x=3")
    targets: list[tuple[str, ...]] = [(a,) for a in names]
    if settings.order == 2:
        targets = [(a, b) for i, a in enumerate(names) for b in names[i:]]
    return {",".join(by): Problem(tree, by, settings.seed) for by in targets}


def _fitting(
    noise: Noise,
    problems: Mapping[str, Problem],
    hands: Mapping[str, ast.Expression],
    values: Values,
) -> float:
    """The noise at a point; raises GradcliError where a formula by hand does not fit there."""
    for label, formula in hands.items():
        problem = problems[label]
        shape = problem.autodiff(values).shape
        hand_written(formula, values, shape, values[problem.by[-1]].ndim)
    return noise(values)


def _label(key: str, problems: Mapping[str, Problem], order: int) -> str:
    """The problem that an expectation belongs to."""
    label = key.replace(" ", "")
    if not label and len(problems) == 1:
        return next(iter(problems))
    if not label:
        raise GradcliError(
            "G070",
            f"there are {len(problems)} derivatives, and the expected one names none of them",
            help=f"say which: --expect {next(iter(problems))}=FORMULA, or choose with -w",
        )
    if order == 2 and "," not in label:
        label = f"{label},{label}"
    turned = ",".join(reversed(label.split(",")))
    for known in (label, turned):
        if known in problems:
            return known
    raise GradcliError(
        "G012",
        f"a derivative by {key} is expected, but {key} is no variable to differentiate by",
        help=did_you_mean(key, problems) or f"there are {', '.join(problems)}",
    )


def _fill(
    report: Report,
    problem: Problem,
    points: Sequence[Values],
    hand: ast.Expression | None,
    settings: Settings,
    closed: ClosedForm | None,
) -> None:
    report.has_hand = hand is not None
    cases: list[Case] = []
    for number, values in enumerate(points):
        autodiff = problem.autodiff(values)
        report.shape = report.shape or autodiff.shape
        size = values[problem.by[-1]].ndim
        written, misfit = None, None
        if hand is not None:
            try:
                written = hand_written(hand, values, autodiff.shape, size)
            except Misfit as error:
                misfit = error
        entries = _entries(report, problem, values, autodiff, written, settings)
        _note(report, number, entries)
        if misfit is not None:
            report.verdict = max(report.verdict, Verdict.HAND)
            report.notes = [str(misfit)]
        if hand is not None:
            seen = misfit.value if misfit is not None else written
            right = autodiff if seen is written else _plain(autodiff, size)
            cases.append(Case(problem, right, seen, hand, values))
    if report.verdict is Verdict.HAND:
        report.slip = slip(cases, closed)
    if report.verdict is Verdict.NOT_FINITE:
        report.notes.append("gradcli eval --trace-nan says where it begins")
    if report.verdict in (Verdict.AUTODIFF, Verdict.BOTH):
        report.notes.append(
            "detach(), no_grad() or rounding in the expression hides a part of it from autodiff"
        )


def _plain(derivative: Array, size: int) -> Array:
    """The derivative of a scalar result in the shape of the variable."""
    rest = derivative.shape[: derivative.ndim - size]
    if int(np.prod(rest)) == 1:
        return derivative.reshape(derivative.shape[derivative.ndim - size :])
    return derivative


def _entries(
    report: Report,
    problem: Problem,
    values: Values,
    autodiff: Array,
    hand: Array | None,
    settings: Settings,
) -> Entries:
    point = array_of(values[problem.by[-1]])
    function = problem.function(values)
    middle = function(point)
    noise = rounding(function, point, middle, problem.precision)
    slopes = Slopes(np.shape(middle), point.size)
    places = np.arange(point.size)
    if point.size > COORDINATES:
        drawn = np.random.default_rng(settings.seed).choice(places, COORDINATES, replace=False)
        places = np.sort(drawn)
        rest = np.setdiff1d(np.arange(point.size), places)
        report.notes = [
            f"differences by {COORDINATES} of {point.size} coordinates, and along {DIRECTIONS} "
            "random directions of the rest"
        ]
        line = partial(contradiction, function, point, noise=noise, places=rest)
        along = partial(line, seed=settings.seed, tolerance=settings.tolerance)
        found = along(autodiff)
        if found is not None:
            trusted = hand is not None and along(hand) is None
            _contradicted(report, found, hand is not None and not trusted)
    with np.errstate(all="ignore"):
        for place in places:
            index = tuple(int(i) for i in np.unravel_index(place, point.shape))
            slopes.add(int(place), slope(function, point, index, middle, noise))
    if not np.all(np.isfinite(middle)):
        report.verdict = Verdict.NOT_FINITE
    compared = partial(Entries, autodiff, slopes.reshaped(autodiff.shape), hand, settings.tolerance)
    entries = compared()
    if not entries.doubts_autodiff:
        return entries
    noise = rounding(problem.derivative(values), point, autodiff, problem.precision)
    return compared(noise=noise)


def _contradicted(report: Report, found: tuple[float, float], both: bool) -> None:
    """Notes what random directions say against autodiff, and against the one by hand too."""
    report.verdict = max(report.verdict, Verdict.BOTH if both else Verdict.AUTODIFF)
    report.notes.append(
        f"along a random direction of the rest differences give {found[0]:.6g}, "
        f"autodiff {found[1]:.6g}"
    )


def _note(report: Report, point: int, entries: Entries) -> None:
    """Adds what one point showed."""
    if not entries.verdicts.size:
        return
    report.verdict = max(report.verdict, Verdict(int(entries.verdicts.max())))
    errors = np.where(np.isfinite(entries.errors), entries.errors, np.inf)
    report.max_error = max(report.max_error, float(errors.max()))
    weight = (entries.verdicts * (entries.verdicts > Verdict.STEEP)).reshape(-1)
    order = np.lexsort((-errors.reshape(-1), -weight))[:SHOWN]
    found = [
        Worst(
            point, tuple(int(i) for i in np.unravel_index(place, entries.verdicts.shape)), entries
        )
        for place in order
        if entries.verdicts.reshape(-1)[place] != Verdict.AGREE
    ]
    report.worst = (report.worst + found)[:SHOWN]

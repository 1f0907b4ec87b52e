"""`torch.testing.assert_close`: whether what was computed is what was expected.

Constraints: a failure is a failed assertion, with PyTorch's report of the largest differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcli.errors import CheckFailed, GradcliError
from gradcli.graph.dtype import DType, bfloat16, float16, float32, float64, result_type
from gradcli.tensor import Tensor, registry

TOLERANCES = {
    **{float16: (1e-3, 1e-5), bfloat16: (1.6e-2, 1e-5)},
    **{float32: (1.3e-6, 1e-5), float64: (1e-7, 1e-7)},
}
"""Relative and absolute; none for integers."""
NUMBERS = (bool, int, float, complex)
Message = str | Callable[[str], str] | None


class _Comparison:
    """What `assert_close` was told about how to compare."""

    def __init__(
        self, tolerances: tuple[float, float] | None, equal_nan: bool, check_dtype: bool
    ) -> None:
        self.tolerances = tolerances
        self.equal_nan = equal_nan
        self.check_dtype = check_dtype

    def problem(self, actual: Any, expected: Any) -> str:
        """What differs; "" where nothing does."""
        if isinstance(actual, Sequence) and isinstance(expected, Sequence):
            if not isinstance(actual, str):
                return self._of_items(actual, expected)
        elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
            return self._of_entries(actual, expected)
        elif isinstance(actual, Tensor) and isinstance(expected, Tensor):
            return self._of_tensors(actual, expected)
        elif isinstance(actual, NUMBERS) and isinstance(expected, NUMBERS):
            return self._of_numbers(actual, expected)
        elif actual is None and expected is None:
            return ""
        raise GradcliError(
            "G013",
            "No comparison pair was able to handle inputs of type "
            f"{type(actual)} and {type(expected)}.",
            kind=TypeError,
        )

    def _of_items(self, actual: Sequence[Any], expected: Sequence[Any]) -> str:
        if len(actual) != len(expected):
            return f"The length of the sequences mismatch: {len(actual)} != {len(expected)}"
        pairs = enumerate(zip(actual, expected, strict=True))
        return self._first((place, *pair) for place, pair in pairs)

    def _of_entries(self, actual: Mapping[Any, Any], expected: Mapping[Any, Any]) -> str:
        if actual.keys() != expected.keys():
            missing, more = ([k for k in a if k not in b] for a, b in self._ways(actual, expected))
            return (
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {sorted(missing)}\n"
                f"Additional keys in the actual mapping: {sorted(more)}"
            )
        return self._first((key, actual[key], expected[key]) for key in actual)

    @staticmethod
    def _ways(actual: Any, expected: Any) -> tuple[tuple[Any, Any], ...]:
        return (expected, actual), (actual, expected)

    def _first(self, items: Any) -> str:
        for place, actual, expected in items:
            if problem := self.problem(actual, expected):
                start, told, end = problem.partition("\n\nThe failure occurred for item ")
                return f"{start}\n\nThe failure occurred for item [{place!r}]{end if told else ''}"
        return ""

    def _of_tensors(self, actual: Tensor, expected: Tensor) -> str:
        for name in ("shape", "dtype") if self.check_dtype else ("shape",):
            pair = getattr(actual, name), getattr(expected, name)
            if pair[0] != pair[1]:
                return "The values for attribute '{}' do not match: {} != {}.".format(name, *pair)
        kinds = (actual.dtype, expected.dtype)
        tolerances = self._tolerances(*kinds)
        kind = result_type([(k, (1,)) for k in kinds])
        a, b = (np.asarray(x.detach().to(kind).array()) for x in (actual, expected))
        if a.dtype.kind in "biu":
            a, b = a.astype(np.int64), b.astype(np.int64)
        if not a.ndim:
            return self._of_scalars(a.item(), b.item(), tolerances)
        return self._of_arrays(a, b, tolerances)

    def _tolerances(self, *kinds: DType) -> tuple[float, float]:
        if self.tolerances is not None:
            return self.tolerances
        known = [TOLERANCES.get(kind.to_real(), (0.0, 0.0)) for kind in kinds]
        relative, absolute = zip(*known, strict=True)
        return max(relative), max(absolute)

    def _of_numbers(self, actual: Any, expected: Any) -> str:
        if self.check_dtype and type(actual) is not type(expected):
            return f"The (d)types do not match: {type(actual)} != {type(expected)}."
        exact = isinstance(actual, int) and isinstance(expected, int)
        default = (0.0, 0.0) if exact else TOLERANCES[float64]
        return self._of_scalars(actual, expected, self.tolerances or default)

    def _of_scalars(self, actual: Any, expected: Any, tolerances: tuple[float, float]) -> str:
        if self._close(np.asarray(actual), np.asarray(expected), tolerances).all():
            return ""
        absolute = abs(actual - expected)
        relative = absolute / abs(expected) if expected else float("inf")
        lines = [f"Expected {expected} but got {actual}."]
        lines += [f"Absolute difference: {absolute}", f"Relative difference: {relative}"]
        return _report("Scalars", lines, tolerances)

    def _of_arrays(self, a: Any, b: Any, tolerances: tuple[float, float]) -> str:
        close = self._close(a, b, tolerances)
        if close.all():
            return ""
        wrong = int(np.count_nonzero(~close))
        with np.errstate(all="ignore"):
            absolute = np.abs(a - b)
            relative = absolute / np.abs(b)
        if a.dtype.kind in "biu":
            relative = relative.astype(np.float32)
        lines = [f"Mismatched elements: {wrong} / {a.size} ({wrong / a.size:.1%})"]
        for name, difference in (("absolute", absolute), ("relative", relative)):
            kept = np.where(close, np.zeros_like(difference), difference)
            place = tuple(int(i) for i in np.unravel_index(np.argmax(kept), kept.shape))
            lines.append(f"Greatest {name} difference: {kept[place].item()} at index {place}")
        return _report("Tensor-likes", lines, tolerances)

    def _close(self, a: Any, b: Any, tolerances: tuple[float, float]) -> Any:
        relative, absolute = tolerances
        with np.errstate(all="ignore"):
            near = np.abs(a - b) <= absolute + relative * np.abs(b)
        close = (a == b) | (near & np.isfinite(b))
        return close | (np.isnan(a) & np.isnan(b)) if self.equal_nan else close


def _report(what: str, lines: list[str], tolerances: tuple[float, float]) -> str:
    exact = not any(tolerances)
    if not exact:
        relative, absolute = tolerances
        lines[-2] += f" (up to {absolute} allowed)"
        lines[-1] += f" (up to {relative} allowed)"
    return "\n".join([f"{what} are not {'equal' if exact else 'close'}!", "", *lines])


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_dtype: bool = True,
    msg: Message = None,
    **same_here: bool,
) -> None:
    """Nothing, where both are close: tensors, numbers, or lists and dicts of these.

    Args:
        rtol: relative difference allowed; by default, like `atol`, what suits the dtype.
        msg: the failure's message, or a function that makes it of PyTorch's.
        same_here: `check_device` and the like, which cannot differ here.

    Raises:
        CheckFailed: where they differ; G026 for one tolerance without the other.
    """
    if (rtol is None) != (atol is None):
        missing = "rtol" if rtol is None else "atol"
        raise GradcliError(
            "G026",
            f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}.",
            kind=ValueError,
        )
    tolerances = None if rtol is None or atol is None else (rtol, atol)
    problem = _Comparison(tolerances, equal_nan, check_dtype).problem(actual, expected)
    if problem:
        told = msg(problem) if callable(msg) else msg
        raise CheckFailed("G041", told or problem, kind=AssertionError)


registry.register("torch.testing.assert_close", assert_close)

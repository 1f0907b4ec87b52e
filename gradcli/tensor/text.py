"""The text of a tensor, byte for byte what `print` shows for the same tensor in PyTorch.

Constraints: a leaf (imports only NumPy); looks only at the elements it shows, and the number format
follows from those alone, so that an array of any size prints at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class PrintOptions:
    """How tensors are printed.

    Args:
        precision: digits after the point, 0 to 1000.
        threshold: an array of more elements is summarised.
        edgeitems: how many items a summary keeps at either end of a long axis.
        linewidth: the columns of a line.
        sci_mode: scientific notation always (True), never (False) or where it reads better (None).
    """

    __slots__ = ("edgeitems", "linewidth", "precision", "sci_mode", "threshold")

    def __init__(
        self,
        precision: int = 4,
        threshold: float = 1000,
        edgeitems: int = 3,
        linewidth: float = 80,
        sci_mode: bool | None = None,
    ) -> None:
        self.precision = precision
        self.threshold = threshold
        self.edgeitems = edgeitems
        self.linewidth = linewidth
        self.sci_mode = sci_mode


PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}
"""The named settings of `set_printoptions`."""

current = PrintOptions()
"""The options in force; `set_printoptions` changes this object."""


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: float | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Changes the current options, as `torch.set_printoptions` does.

    First the profile (`default`, `short` or `full`; others do nothing), then the values that are
    given. Every call sets `sci_mode`, so leaving it out gives the choice back to the printer.

    Raises:
        TypeError, ValueError: an option is no number, or the precision is outside 0 to 1000.
    """
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    settings = dict(PROFILES.get(profile, {}) if isinstance(profile, str) else {})
    settings.update((name, value) for name, value in given.items() if value is not None)
    for name, value in settings.items():
        _check_option(name, value)
    for name, value in settings.items():
        setattr(current, name, value)
    current.sci_mode = None if sci_mode is None else bool(sci_mode)


def tensor_text(
    array: Array,
    dtype: str,
    *,
    suffixes: Iterable[str] = (),
    options: PrintOptions | None = None,
    default_dtype: str = "float32",
) -> str:
    """What `print` shows for a tensor of this value.

    Args:
        array: any shape, floating, complex, integer or bool; copied only where it is shown.
        dtype: PyTorch's name of its dtype, such as `float32`.
        suffixes: `requires_grad=True`, `grad_fn=<...>`; shown in this order.
        options: instead of the current ones.
        default_dtype: the default floating dtype, whose name is not shown.
    """
    options = options or current
    summarised = array.size > options.threshold
    edgeless = options.edgeitems <= 0
    if array.size == 0:
        body = "[]"
    elif summarised and array.ndim and edgeless:
        body = "[...]"
    elif summarised and array.ndim:
        body = _array_text(*_edges(array, options.edgeitems), options)
    else:
        body = _array_text(array, [0] * array.ndim, options)
    shows_size = edgeless if array.size else array.ndim != 1
    words = [f"size={array.shape}"] if shows_size else []
    if _shows_dtype(dtype, default_dtype, empty=array.size == 0):
        words.append(f"dtype=torch.{dtype}")
    return _join_suffixes(_PREFIX + body, [*words, *suffixes], options.linewidth)


def scalar_format(value: Any, dtype: str, spec: str) -> str:
    """`format` of a 0-dim tensor: that of the Python number it holds.

    Args:
        value: a 0-dim array, a NumPy scalar or a Python number.
        dtype: PyTorch's name of its dtype; bool, integer, complex or floating.
        spec: the format specification; "" gives the plain number, not the tensor's text.

    Raises:
        ValueError: Python's own, where the specification does not suit the number.
    """
    number = value.item() if isinstance(value, np.ndarray | np.generic) else value
    if not isinstance(number, _python_type(dtype)):
        number = _python_type(dtype)(number)
    return format(number, spec)


_PREFIX = "tensor("
_MOST_DIGITS = 1000  # beyond it a single number could fill the memory


def _check_option(name: str, value: Any) -> None:
    whole = name in ("precision", "edgeitems")
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        kind = "an integer" if whole else "a number"
        raise TypeError(f"{name} must be {kind}, not {type(value).__name__}")
    if name == "precision" and not 0 <= value <= _MOST_DIGITS:
        raise ValueError(f"precision must be between 0 and {_MOST_DIGITS}, not {value}")


def _python_type(dtype: str) -> type:
    if dtype == "bool":
        return bool
    for prefix, kind in (("complex", complex), ("int", int), ("uint", int)):
        if dtype.startswith(prefix):
            return kind
    return float


def _shows_dtype(dtype: str, default_dtype: str, *, empty: bool) -> bool:
    """Whether the elements alone leave the dtype open; nothing but the default goes without."""
    if dtype == default_dtype:
        return False
    complex_default = "complex128" if default_dtype == "float64" else "complex64"
    return empty or dtype not in ("int64", "bool", complex_default)


def _edges(array: Array, count: int) -> tuple[Array, list[int]]:
    """The items at both ends of each long axis, and for each axis where its gap is (0: none)."""
    gaps = [count if size > 2 * count else 0 for size in array.shape]
    kept = [
        np.r_[:gap, size - gap : size] if gap else np.arange(size)
        for size, gap in zip(array.shape, gaps, strict=True)
    ]
    return array[np.ix_(*kept)], gaps


def _array_text(shown: Array, gaps: Sequence[int], options: PrintOptions) -> str:
    """The brackets and numbers: rows first, then each outer axis around the blocks inside it."""
    cells, width = _cells(shown, options)
    if not gaps:
        return cells[0]
    last = len(gaps) - 1
    column = len(_PREFIX) + last
    per_line = _per_line(options.linewidth - column, width + 2, len(cells))

    def row(items: list[str]) -> str:
        if gaps[last]:
            items.insert(gaps[last], " ...")
        lines = (items[i : i + per_line] for i in range(0, len(items), per_line))
        return ("," + "\n" + " " * (column + 1)).join(", ".join(line) for line in lines)

    blocks = _group(cells, shown.shape[last], row)
    for axis in range(last - 1, -1, -1):
        separator = "," + "\n" * (last - axis) + " " * (len(_PREFIX) + axis + 1)
        blocks = _group(blocks, shown.shape[axis], _stacker(separator, gaps[axis]))
    return blocks[0]


def _per_line(room: float, width: int, count: int) -> int:
    """How many cells fit; at least one, at most all (and the dots of a gap)."""
    return max(1, int(min(room, width * (count + 1)) // width))


def _stacker(separator: str, gap: int) -> Callable[[list[str]], str]:
    def stack(items: list[str]) -> str:
        if gap:
            items.insert(gap, "...")
        return separator.join(items)

    return stack


def _group(items: list[str], size: int, join: Callable[[list[str]], str]) -> list[str]:
    """Every `size` neighbours as one text in brackets."""
    return ["[" + join(items[i : i + size]) + "]" for i in range(0, len(items), size)]


def _cells(shown: Array, options: PrintOptions) -> tuple[list[str], int]:
    """A padded text for each element in row-major order, and the width that lines count with."""
    kind = shown.dtype.kind
    values: list[Any] = shown.ravel().tolist()
    if kind == "f":
        texts, width = _float_texts(values, options)
    elif kind == "c":
        return _complex_cells(values, options)
    else:
        texts = [str(value) for value in values]
        width = max(map(len, texts))
    return [text.rjust(width) for text in texts], width


def _complex_cells(values: list[complex], options: PrintOptions) -> tuple[list[str], int]:
    """Each part is formatted for itself; the imaginary one is never padded."""
    real, real_width = _float_texts([value.real for value in values], options)
    imaginary, imaginary_width = _float_texts([value.imag for value in values], options)
    cells = [
        re.rjust(real_width) + ("" if im.startswith("-") else "+") + im + "j"
        for re, im in zip(real, imaginary, strict=True)
    ]
    return cells, real_width + imaginary_width + 1


def _float_texts(values: list[float], options: PrintOptions) -> tuple[list[str], int]:
    """One format for all numbers; the width is that of the widest that is neither 0 nor infinite.

    Numbers that are all integers end in a point. Scientific notation is for numbers of too
    different or too extreme magnitudes, and never for an array of zeros, nan and inf.
    """
    measured = [value for value in values if value and value - value == 0]
    whole = all(map(float.is_integer, measured))
    if measured and _scientific(measured, options.sci_mode):
        template = f"%.{options.precision}e"
    elif whole:
        template = "%.0f."
    else:
        template = f"%.{options.precision}f"
    width = max((len(template % value) for value in measured), default=1)
    return [template % value if value - value == 0 else str(value) for value in values], width


def _scientific(measured: list[float], wanted: bool | None) -> bool:
    if wanted is not None:
        return wanted
    magnitudes = [abs(value) for value in measured]
    low, high = min(magnitudes), max(magnitudes)
    return high / low > 1000 or high > 1e8 or low < 1e-4


def _join_suffixes(text: str, suffixes: list[str], linewidth: float) -> str:
    """Appends each suffix to the last line, or on a line of its own where it would not fit."""
    used = len(text) - (text.rfind("\n") + 1) + 2  # PyTorch keeps two columns free
    for suffix in suffixes:
        if used + len(suffix) + 2 > linewidth:
            text += ",\n" + " " * len(_PREFIX) + suffix
            used = len(_PREFIX) + len(suffix)
        else:
            text += ", " + suffix
            used += len(suffix) + 2
    return text + ")"

"""JSON text of results: always valid, with floats in the fewest digits that give them back.

Constraints: a float has the digits of its own dtype (float32 0.1 is `0.1`); NaN and the infinities
are strings, complex numbers `[re, im]`; a million elements take well under a second.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

_DIGITS = {2: range(1, 6), 4: range(5, 10)}
"""By item size: decimal digits to try before the exact way; 9 are always enough for float32."""

_FEW = 100
"""Elements up to which one by one is faster than all at once."""

_POWERS = 22
"""The largest power of ten that float64 holds exactly."""


def json_text(value: Any) -> str:
    """One line of JSON for dicts, lists, strings, None, numbers and arrays of any dimension."""
    try:
        return _ENCODER.encode(value)
    except ValueError:  # a number that JSON lacks, somewhere outside of an array
        return _ENCODER.encode(_plain(value))


def array_text(array: np.ndarray[Any, Any]) -> str:
    """As `json_text` of an array; of few floats several times as fast."""
    if not 0 < array.size <= _FEW or array.dtype.kind != "f":
        return _ENCODER.encode(array)
    words = [repr(float(word)) if "e" in word else word for word in _digits(array)]
    for extent in array.shape[:0:-1]:
        words = [f"[{', '.join(words[i : i + extent])}]" for i in range(0, len(words), extent)]
    text = f"[{', '.join(words)}]" if array.ndim else words[0]
    return _ENCODER.encode(array) if "n" in text else text  # nan, inf


def shortest(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array with float16 and float32 as those float64 whose repr is the shortest for them.

    Others come back as they are. The shape stays.
    """
    if array.dtype.kind != "f" or array.dtype.itemsize > 4:
        return array
    exact = array.astype(np.float64)
    result = exact.copy()
    flat, out = exact.reshape(-1), result.reshape(-1)
    todo = np.flatnonzero(np.isfinite(flat) & (flat != 0))
    exponent = np.floor(np.log10(np.abs(flat[todo])))
    near = np.abs(exponent) < _POWERS - 9
    slow, todo, exponent = todo[~near], todo[near], exponent[near]
    for digits in _DIGITS[array.dtype.itemsize]:
        rounded = _round(flat[todo], digits - 1 - exponent)
        good = rounded.astype(array.dtype) == array.reshape(-1)[todo]
        out[todo[good]] = rounded[good]
        todo, exponent = todo[~good], exponent[~good]
    for left in (slow, todo):
        out[left] = [float(str(item)) for item in array.reshape(-1)[left]]
    return result


def _round(value: np.ndarray[Any, Any], power: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The value rounded at the decimal place `power` (at most `_POWERS` from the point).

    Powers of ten up to 22 are exact in float64, so one division gives the double nearest to the
    decimal, and its repr has the decimal's digits and no more.
    """
    scale = 10.0 ** np.abs(power)
    left = power < 0
    whole = np.rint(np.where(left, value / scale, value * scale))
    rounded: np.ndarray[Any, Any] = np.where(left, whole * scale, whole / scale)
    return rounded


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _array(np.asarray(value))
    if isinstance(value, float):
        return value if value - value == 0 else _word(value)
    if isinstance(value, complex):
        return [_plain(value.real), _plain(value.imag)]
    return value


def _array(array: np.ndarray[Any, Any]) -> Any:
    if 0 < array.size <= _FEW and array.dtype.kind == "f":
        return _few(array)
    if array.dtype.kind == "c":
        pairs = np.stack([array.real, array.imag], axis=-1)
        return _array(pairs)
    values = shortest(array).tolist()
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return values
    if array.ndim == 0:
        return _word(values)
    flat = shortest(array).reshape(-1).tolist()
    for i in np.flatnonzero(~np.isfinite(array.reshape(-1))).tolist():
        flat[i] = _word(flat[i])
    return _nest(flat, array.shape)


def _few(array: np.ndarray[Any, Any]) -> Any:
    """As `_array`, one by one."""
    values = list(map(float, _digits(array)))
    words = [value if value - value == 0 else _word(value) for value in values]
    return _nest(words, array.shape) if array.ndim else words[0]


def _digits(array: np.ndarray[Any, Any]) -> list[str]:
    """The elements in the fewest digits; `nan`, `inf` and `-inf`."""
    flat = array.reshape(-1)
    if array.dtype.itemsize > 4:
        return list(map(repr, flat.tolist()))
    return [item.__str__() for item in flat]


def _word(value: float) -> str:
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _nest(flat: list[Any], shape: tuple[int, ...]) -> list[Any]:
    """Lists of lists of `shape` (at least one dimension, no extent of 0) from a flat list."""
    for extent in shape[:0:-1]:
        flat = [flat[i : i + extent] for i in range(0, len(flat), extent)]
    return flat


_ENCODER = json.JSONEncoder(allow_nan=False, default=_plain)

"""JSON and JSON lines as arrays: nested lists of one shape, picked by a path of keys.

Constraints: numbers become float64 (text has no dtype of its own), lists of true and false bool;
"NaN", "Infinity" and "-Infinity" are numbers when quoted, as bare ones are no JSON. No recursion.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import chain
from math import isfinite
from typing import Any, NoReturn

import numpy as np

from gradcli.files.columns import chosen, written
from gradcli.files.data import Data, shown
from gradcli.files.text import decode

_DEEPEST = 64  # numpy's most dimensions
_SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_BARE = re.compile(r'"(?:[^"\\]|\\.)*"|-?Infinity|NaN', re.DOTALL)
_NAMES = {str: "a string", dict: "an object", list: "a list", bool: "true or false"}
_NAMES |= {float: "a number", type(None): "null"}
_HELP = {
    str: "write numbers without quotes; only NaN, Infinity and -Infinity need them",
    dict: "name a path to the numbers: @file.json:key.0.key",
    type(None): 'write "NaN" for a missing number',
}

# Bytes that the parser's Python objects take for each of these characters; measured, rounded up.
_WEIGHT = {",": 40, "[": 96, "{": 300, '"': 40, ":": 60}


class _BareNumberError(ValueError):
    """NaN or Infinity without quotes."""


def read(data: Data, key: str) -> np.ndarray[Any, Any]:
    """The array at path `key` of a JSON text (all of it without a key).

    A path is keys and list indices with dots between: `run.3.loss`. On a list of objects, `a,b`
    picks their members as columns: one gives (n,), several (n, k).

    Raises:
        GradcliError: G051 for no JSON, ragged lists, strings and other things that are no
            numbers; G052 for a missing key.
    """
    text = decode(data)
    check_weight(text, data)
    return _select_array(parse(text, data, 1), key, data)


def read_lines(data: Data, key: str) -> np.ndarray[Any, Any]:
    """As `read`, of a text with one JSON value a line: the list of them."""
    text = decode(data)
    check_weight(text, data)
    return _select_array(_parse_lines(text, data), key, data)


def read_any(data: Data, key: str) -> np.ndarray[Any, Any]:
    """As `read` or as `read_lines`: lines when a second line goes on after a first whole value."""
    text = decode(data)
    check_weight(text, data)
    value = _parse_lines(text, data) if _is_lines(text) else parse(text, data, 1)
    return _select_array(value, key, data)


# -- text to Python


def check_weight(text: str, data: Data) -> None:
    """Refuses (G050) a text whose Python objects would need more than the memory limit."""
    data.take(len(text) + sum(text.count(char) * cost for char, cost in _WEIGHT.items()))


def _parse_lines(text: str, data: Data) -> list[Any]:
    lines = text.split("\n")
    return [
        parse(line, data, number)
        for number, line in enumerate(lines, 1)
        if line and not line.isspace()
    ]


def _is_lines(text: str) -> bool:
    """Whether the first line is a whole value with another value behind it."""
    first, _, rest = text.strip().partition("\n")
    if not rest.strip():
        return False
    try:
        json.loads(first, parse_int=float)
    except (ValueError, RecursionError):
        return False
    return True


def parse(text: str, data: Data, first: int) -> Any:
    """The Python value of a JSON text whose first line has the number `first`."""
    try:
        return _DECODER.decode(text)
    except _BareNumberError:
        found = next(m for m in _BARE.finditer(text) if m[0][0] != '"')
        fact = f"{found[0]} is not JSON"
        help = f'write it as a string: "{found[0]}"'
        raise _at(found.start(), found.end(), fact, help, text, first, data) from None
    except json.JSONDecodeError as error:
        fact = f"not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        raise _at(error.pos, error.pos + 1, fact, _hint(text, error.pos), text, first, data) from (
            error
        )
    except RecursionError as error:
        raise data.malformed("is nested too deeply") from error


def _refuse_bare(name: str) -> NoReturn:
    raise _BareNumberError(name)


_DECODER = json.JSONDecoder(parse_int=float, parse_constant=_refuse_bare)


def _hint(text: str, position: int) -> str:
    if text[position : position + 1] in ("'", "T", "F", "N", "n", "I", "i"):
        return 'JSON writes "text", true, false and null; print Python values with json.dumps'
    if text[:position].rstrip().endswith(","):
        return "JSON allows no comma after the last item"
    return ""


def _at(start: int, end: int, fact: str, help: str, text: str, first: int, data: Data) -> Exception:
    begin = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", start)
    line = text[begin : stop if stop >= 0 else len(text)].rstrip("\r")
    number = first + text.count("\n", 0, start)
    fact = f"{fact} (line {number}, column {start - begin + 1})"
    cell = (min(start - begin, len(line)), min(end - begin, len(line) + 1))
    return data.at_cell(fact, line, number, cell, [help] if help else [])


# -- a path into it


def _select_array(value: Any, key: str, data: Data) -> np.ndarray[Any, Any]:
    path = ""
    rest = re.sub(r"\[(-?\d+)\]", r".\1", key).lstrip(".") if "[" in key else key
    while rest:
        if isinstance(value, dict) and rest in value:  # a key may hold dots
            value, path = value[rest], f"{path}.{shown(rest)}"
            break
        if _is_records(value) and not _index(rest.partition(".")[0]):
            return _columns(value, rest, path, data)
        step, _, rest = rest.partition(".")
        value, path = _step(value, step, path, data)
    if _is_records(value):
        return _columns(value, ",".join(value[0]), path, data)
    if isinstance(value, dict):
        raise data.ambiguous("keys", value) if value else data.malformed("is an empty object")
    return to_array(value, path, data)


def _index(step: str) -> bool:
    return step.lstrip("-").isdecimal() and len(step) < 19


def _step(value: Any, step: str, path: str, data: Data) -> tuple[Any, str]:
    if isinstance(value, dict):
        if step not in value:
            raise data.missing("key", step, value)
        return value[step], f"{path}.{shown(step)}"
    if isinstance(value, list) and _index(step):
        position = int(step)
        if not -len(value) <= position < len(value):
            raise data.missing(f"item {shown(step)} in a list of {len(value)}, key", step, [])
        return value[position], f"{path}[{position}]"
    raise data.missing("key", step, [])


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and bool(value[0])


def _columns(rows: list[Any], key: str, path: str, data: Data) -> np.ndarray[Any, Any]:
    """The members `key` of a list of objects, as columns."""
    names = chosen(key, rows[0])
    for name in names:
        if name not in rows[0]:
            raise data.missing("key", name, (written([name]) for name in rows[0]))
    columns = [to_array(_column(rows, name, path, data), path, data, name) for name in names]
    if len(columns) == 1:
        return columns[0]
    if any(column.shape != columns[0].shape for column in columns):
        raise data.malformed("its keys hold values of different shapes", "choose one key")
    return np.stack(columns, axis=1)


def _column(rows: list[Any], name: str, path: str, data: Data) -> list[Any]:
    try:
        return [row[name] for row in rows]
    except (KeyError, TypeError):
        bad = next(i for i, row in enumerate(rows) if not isinstance(row, dict) or name not in row)
        raise data.malformed(
            f"{path.lstrip('.')}[{bad}] has no key {shown(name)!r}, the first has"
        ) from None


# -- Python to an array


def to_array(value: Any, path: str, data: Data, member: str | None = None) -> np.ndarray[Any, Any]:
    """A float64 or bool array of nested lists, level by level."""
    shape: list[int] = []
    level = [value]

    def place(position: int) -> str:
        indices = np.unravel_index(position, shape) if shape else ()
        text = path + "".join(f"[{int(i)}]" for i in indices)
        return (text if member is None else f"{text}.{shown(member)}").lstrip(".") or "it"

    while (kinds := set(map(type, level))) == {list}:
        if len(set(map(len, level))) > 1:
            raise _ragged(level, place, data)
        shape.append(len(level[0]))
        level = list(chain.from_iterable(level))
        if len(shape) > _DEEPEST:
            raise data.malformed(f"is nested deeper than {_DEEPEST} lists, the most dimensions")
    if kinds == {bool}:
        return np.array(level, dtype=bool).reshape(shape)
    if kinds - {float}:
        level = _numbers(level, kinds, place, data)
    flat = np.array(level, np.float64)
    if kinds == {float} and not isfinite(sum(level)):  # of few the sum is quicker than isinf
        infinite = np.isinf(flat)
        if infinite.any():
            raise _overflow(place(int(infinite.argmax())), data)
    return flat if len(shape) == 1 else flat.reshape(shape)


def _ragged(level: list[Any], place: Callable[[int], str], data: Data) -> Exception:
    count = len(level[0])
    other = next(i for i, item in enumerate(level) if len(item) != count)
    return data.malformed(
        f"ragged lists: {place(0)} has {count} items, {place(other)} has {len(level[other])}",
        "every list of one level needs the same length",
    )


def _numbers(
    level: list[Any], kinds: set[type], place: Callable[[int], str], data: Data
) -> list[float]:
    """The level with its quoted NaN and Infinity as numbers; anything else is refused."""
    usual = next((type(item) for item in level if type(item) in (float, bool, list)), float)
    for i, item in enumerate(level):
        if type(item) is str and item in _SPECIAL and usual is float:
            level[i] = _SPECIAL[item]
        elif type(item) is not usual:
            raise _no_number(item, place(i), usual, data)
        elif item in (_SPECIAL["Infinity"], _SPECIAL["-Infinity"]):
            raise _overflow(place(i), data)
    return level


def _no_number(item: Any, place: str, usual: type, data: Data) -> Exception:
    what = shown(json.dumps(item)) if type(item) is str else _NAMES[type(item)]
    wanted = "numbers are" if usual is float else f"{_NAMES[usual]} is"
    return data.malformed(f"{place} is {what}, where {wanted} expected", _HELP.get(type(item), []))


def _overflow(place: str, data: Data) -> Exception:
    return data.malformed(
        f"{place} is too large for a 64-bit float", 'write "Infinity" if that is meant'
    )

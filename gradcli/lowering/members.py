"""The table of Python's own types: what a script sees of them, and which methods are guarded.

Constraints: data and the guards; a guard refuses what would build more than the limits allow, and
otherwise does what Python's method does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from gradcli.lowering.formatting import format_mapping, format_text
from gradcli.lowering.limits import bounded, require_text
from gradcli.tensor.size import Size

Members = dict[str, Callable[..., Any] | None]
"""Name -> None for Python's own, or the guarded function that takes the object first."""


def _padded(name: str) -> Callable[..., str]:
    def method(text: str, width: Any, *fill: Any) -> Any:
        if isinstance(width, int):
            require_text(width)
        return getattr(text, name)(width, *fill)

    return method


def _expand_tabs(text: str, tabsize: Any = 8) -> str:
    if isinstance(tabsize, int):
        require_text(text.count("\t") * tabsize)
    return text.expandtabs(tabsize)


def _replace(text: str, old: Any, new: Any, count: Any = -1) -> str:
    if isinstance(old, str) and isinstance(new, str):
        require_text(len(text) + text.count(old) * max(len(new) - len(old), 0))
    return text.replace(old, new, count)


def _join(separator: str, items: Any) -> str:
    parts = list(bounded(items)) if hasattr(items, "__iter__") else items
    if isinstance(parts, list) and all(part.__class__ is str for part in parts):
        require_text(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def _consuming(name: str) -> Callable[..., Any]:
    def method(collection: Any, *iterables: Any, **kwargs: Any) -> Any:
        items = [bounded(item) for item in iterables]
        return getattr(collection, name)(*items, **kwargs)

    return method


def _sort(items: list[Any], /, *, key: Any = None, reverse: Any = False) -> None:
    from gradcli.lowering.values import callback

    items.sort(key=callback(key), reverse=reverse)


def _from_keys(keys: Iterable[Any], value: Any = None) -> dict[Any, Any]:
    return dict.fromkeys(bounded(keys), value)


def _table(names: str, consuming: str = "", **guards: Callable[..., Any]) -> Members:
    return {
        **dict.fromkeys(names.split()),
        **{name: _consuming(name) for name in consuming.split()},
        **guards,
    }


_SET_VALUES = "difference intersection symmetric_difference union"
_SET_UPDATES = "difference_update intersection_update symmetric_difference_update update"
_INTEGER = "as_integer_ratio bit_count bit_length conjugate denominator imag numerator real"

MEMBERS: dict[type, Members] = {
    str: _table(
        "capitalize casefold count endswith find index isalnum isalpha isascii isdecimal isdigit "
        "isidentifier islower isnumeric isprintable isspace istitle isupper lower lstrip partition "
        "removeprefix removesuffix rfind rindex rpartition rsplit rstrip split splitlines "
        "startswith strip swapcase title upper",
        center=_padded("center"),
        ljust=_padded("ljust"),
        rjust=_padded("rjust"),
        zfill=_padded("zfill"),
        expandtabs=_expand_tabs,
        replace=_replace,
        join=_join,
        format=format_text,
        format_map=format_mapping,
    ),
    list: _table("append clear copy count index insert pop remove reverse", "extend", sort=_sort),
    tuple: _table("count index"),
    Size: _table("count index numel"),
    dict: _table("clear copy get items keys pop popitem setdefault values", "update"),
    set: _table(
        "add clear copy discard isdisjoint issubset issuperset pop remove",
        f"{_SET_VALUES} {_SET_UPDATES}",
    ),
    frozenset: _table("copy isdisjoint issubset issuperset", _SET_VALUES),
    int: _table(_INTEGER),
    bool: _table(_INTEGER),
    float: _table("as_integer_ratio conjugate hex imag is_integer real"),
    complex: _table("conjugate imag real"),
    range: _table("count index start step stop"),
    slice: _table("indices start step stop"),
    partial: _table("args func keywords"),
}
"""What each of Python's types shows."""

CLASS_METHODS: dict[tuple[type, str], Callable[..., Any]] = {
    (dict, "fromkeys"): _from_keys,
    (float, "fromhex"): float.fromhex,
}
"""Methods of a class itself."""

NUMPY: Members = _table(
    "T all any argmax argmin conj copy cumsum diagonal dot dtype flatten imag item itemsize max "
    "mean min nbytes ndim prod ravel real reshape round shape size squeeze std sum swapaxes tolist "
    "transpose var"
)
"""What arrays and numbers of NumPy show, which come out of `tensor.numpy()`."""
